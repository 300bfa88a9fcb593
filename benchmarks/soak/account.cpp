#include "account.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>
#include <utility>

#include "mqclient/testing/history_checks.h"

namespace mqsoak {

using namespace mqclient;
using mqbench::Row;

void Account::send(MQProducer& producer, std::size_t bytes, SendOptions options) {
  std::size_t number = 0;
  {
    const std::scoped_lock lock(mutex_);
    number = fates_.size();
    fates_.emplace_back();
  }
  std::string body = std::to_string(number) + ' ';
  if (body.size() < bytes) body.resize(bytes, 'x');
  history_.invoke("producer", kTopic, std::to_string(number));
  producer.sendAsync(Message(kTopic, std::move(body)), options).then([this, number](const Result<SendResult>& result) {
    noteEnd(number, result);
  });
}

void Account::noteEnd(std::size_t number, const Result<SendResult>& result) {
  history_.sendEnded("producer", kTopic, std::to_string(number), result);
  const std::scoped_lock lock(mutex_);
  ++ended_;
  if (!result || result->sendStatus != SendStatus::SEND_OK) return;
  ++acknowledged_;
  fates_[number].acknowledged = true;
  if (!fates_[number].delivered) ++missing_;
}

void Account::noteDelivery(const MessageExt& message) {
  const std::string_view body = message.body();
  std::size_t number = 0;
  std::from_chars(body.data(), body.data() + body.size(), number);
  history_.deliver("consumer", kGroup, message, std::to_string(number));
  const std::scoped_lock lock(mutex_);
  ++delivered_;
  Fate& fate = fates_.at(number);
  if (fate.acknowledged && !fate.delivered) --missing_;
  fate.delivered = true;
}

MessageListener Account::listener() {
  return [this](Messages messages, ConsumeConcurrentlyContext&) {
    for (const MessageExt& message : messages) noteDelivery(message);
    return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  };
}

std::size_t Account::acknowledged() const {
  const std::scoped_lock lock(mutex_);
  return acknowledged_;
}

std::size_t Account::delivered() const {
  const std::scoped_lock lock(mutex_);
  return delivered_;
}

std::size_t Account::underWay() const {
  const std::scoped_lock lock(mutex_);
  return fates_.size() - ended_;
}

bool Account::drained() const {
  const std::scoped_lock lock(mutex_);
  return ended_ == fates_.size() && missing_ == 0;
}

std::vector<Row> Account::figures(Duplicates duplicates) const {
  const std::vector<HistoryEvent> events = history_.events();
  const CheckReport delivery = noMessageLost(events);
  std::vector<Row> figures;
  for (const auto& [name, count] : delivery.counts) figures.push_back(told(name, static_cast<double>(count)));
  const auto lost = static_cast<double>(delivery.count("lostMessageCount"));
  const auto twice = static_cast<double>(delivery.count("duplicateMessageCount"));
  std::erase_if(figures,
                [](const Row& row) { return row.name == "lostMessageCount" || row.name == "duplicateMessageCount"; });
  figures.push_back(none("lostMessageCount", lost));
  figures.push_back(duplicates == Duplicates::kNone ? none("duplicateMessageCount", twice)
                                                    : told("duplicateMessageCount", twice));
  figures.push_back(says("at most once", twice == 0));
  figures.push_back(says("at least once", lost == 0));
  figures.push_back(says("exactly once", twice == 0 && lost == 0));
  figures.push_back(none("callbackViolationCount", static_cast<double>(callbacksExactlyOnce(events).violationCount)));
  return figures;
}

MockCluster startCluster(MockClusterOptions options, int queues) {
  MockCluster cluster = must(MockCluster::start(options), "cluster");
  must(cluster.createTopic({.topicName = kTopic, .readQueueNums = queues, .writeQueueNums = queues}), "topic");
  return cluster;
}

DefaultMQPushConsumer startConsumer(Account& account, const ClientOptions& client) {
  return must(DefaultMQPushConsumer::start(kGroup, {{kTopic}}, account.listener(), client,
                                           {.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()}),
              "consumer");
}

DefaultMQProducer startProducer(const ClientOptions& client, ProducerOptions options) {
  return must(DefaultMQProducer::start("soak-producers", client, std::move(options)), "producer");
}

std::vector<Row> named(const std::string& prefix, std::vector<Row> figures) {
  for (Row& figure : figures) figure.name = prefix + ' ' + figure.name;
  return figures;
}

void append(std::vector<Row>& to, std::vector<Row> more) {
  std::ranges::move(more, std::back_inserter(to));
}

}  // namespace mqsoak
