// Our client against any home: one program, one row of the table after the other.
//
//   interop_client NAMESRV ROW...      rows: see kRows; "all" is every one of them
//   interop_client NAMESRV write|read  what clients write for each other; INTEROP_TOPIC is where, INTEROP_WRITERS who
//   interop_client NAMESRV write-codecs|read-codecs    likewise, compressed by each codec
//
// Prints one JSON object a line as rows end: {"row": ..., "ok": ..., "detail": ...}. Exit status 0: every row is ok.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "mqclient/mqclient.h"

using namespace mqclient;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kArrive = 30s;  // what was sent is with its listener
constexpr auto kShare = 60s;   // a group has settled: beyond one round of heartbeats
constexpr auto kPause = 1s;
constexpr auto kStray = 250ms;              // long enough for a message that should not come
constexpr auto kIdle = 3s;                  // a pull is held at the broker by then
constexpr auto kAtOnce = 500ms;             // Apache looks at held pulls every 5 s, unless an arrival wakes them
constexpr int kQueuesOfNew = 4;             // min(the client's defaultTopicQueueNums, the queues of TBW102)
constexpr std::size_t kBodyMax = 4u << 20;  // of client and broker alike
constexpr int kMessageIllegal = 13;

constexpr int kExchanged = 40;
struct Codec {
  const char* name;
  CompressionType type;
};
constexpr Codec kCodecs[] = {
    {"ZLIB", CompressionType::ZLIB}, {"LZ4", CompressionType::LZ4}, {"ZSTD", CompressionType::ZSTD}};
constexpr int kNumbersOfCodecs[] = {4, 5, 40, 500};  // of bodyOf: below the threshold of 4,096 bytes, and above
constexpr int kCompressedFlag = 0x1;                 // MessageSysFlag.java
constexpr const char* kSentence = "gr\xC3\xBC\xC3\x9F Gott, \xE4\xBD\xA0\xE5\xA5\xBD = a;b";

/// Every client of interop/ writes the same: every byte value, 997 bytes more with each number.
std::string bodyOf(int number) {
  std::string body(static_cast<std::size_t>(number) * 997 + 1, '\0');
  for (std::size_t k = 0; k < body.size(); ++k) body[k] = static_cast<char>(k * 31 + static_cast<std::size_t>(number));
  return body;
}

std::map<std::string, std::string> environment;  // filled by main

struct Failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
void expect(bool holds, const Parts&... otherwise) {
  if (!holds) throw Failed(text(otherwise...));
}

/// The value, or the row has failed with `what` and the error.
template <class T>
T orFail(Result<T> result, const char* what) {
  if (!result) throw Failed(text(what, ": ", result.error()));
  return std::move(result).value();
}

std::string quoted(const std::string& plain) {
  std::string out = "\"";
  for (const char c : plain) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      out += ' ';
    } else {
      out += c;
    }
  }
  return out + '"';
}

long long millis(Clock::duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

/// What listeners saw of this row's messages, with the moment. The message that makes the topic is passed over.
class Inbox {
 public:
  struct Letter {
    MessageExt message;
    std::string member;
    Clock::time_point at;
  };

  auto listener(std::string member = "only") {
    return [this, member](Messages messages, ConsumeConcurrentlyContext&) {
      const auto now = Clock::now();
      const std::scoped_lock lock(mutex_);
      for (const MessageExt& m : messages) {
        if (m.tags() != "opener") letters_.push_back({m.detached(), member, now});
      }
      changed_.notify_all();
      return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
    };
  }

  std::vector<Letter> letters() const {
    const std::scoped_lock lock(mutex_);
    return letters_;
  }
  std::set<std::string> bodies() const {
    const std::scoped_lock lock(mutex_);
    std::set<std::string> all;
    for (const Letter& l : letters_) all.emplace(l.message.body());
    return all;
  }
  std::size_t count() const {
    const std::scoped_lock lock(mutex_);
    return letters_.size();
  }
  std::size_t countOf(const std::string& member) const {
    const std::scoped_lock lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(letters_.begin(), letters_.end(), [&](const Letter& l) { return l.member == member; }));
  }

  /// Looks at `done` at each arrival and every few milliseconds.
  bool waitUntil(const std::function<bool()>& done, Clock::duration wait) const {
    const auto until = Clock::now() + wait;
    while (!done()) {
      if (Clock::now() > until) return false;
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, 5ms);
    }
    return true;
  }
  void expectExactly(int wanted) const {
    const auto count = static_cast<std::size_t>(wanted);
    expect(waitUntil([&] { return this->count() >= count; }, kArrive), this->count(), " of ", count,
           " messages arrived in ", kArrive.count(), " s");
    waitUntil([] { return false; }, kStray);
    expect(this->count() == count, this->count() - count, " messages more than the ", count, " that were sent");
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<Letter> letters_;
};

/// With INTEROP_LOG=yes the library tells what it does, on standard error.
std::function<void(LogLevel, std::string_view, std::string_view)> logger() {
  const auto wanted = environment.find("INTEROP_LOG");
  if (wanted == environment.end() || wanted->second != "yes") return {};
  return [](LogLevel, std::string_view component, std::string_view line) {
    static std::mutex mutex;
    const std::scoped_lock lock(mutex);
    std::cerr << millis(Clock::now().time_since_epoch()) << ' ' << component << ": " << line << '\n';
  };
}

/// One row's surroundings: names that no other run has, and what is started on them.
class Row {
 public:
  Row(std::string namesrv, const std::string& name)
      : client{.namesrvAddr = std::move(namesrv), .log = logger()},
        topic("interop-cpp-" + name + '-' +
              std::to_string(std::chrono::system_clock::now().time_since_epoch().count())),
        group(topic + "-g"),
        producer(orFail(DefaultMQProducer::start(topic + "-p", client), "starting a producer")) {}

  /// The first send makes the topic, before anybody subscribes.
  void openTopic() { orFail(producer.send(Message(topic, "opener").setTags("opener")), "making the topic"); }
  DefaultMQPushConsumer consume(Inbox& inbox, const std::string& member = "only", const char* tags = "*") {
    const PushConsumerOptions from_first{.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()};
    return orFail(
        DefaultMQPushConsumer::start(group, {{topic, byTag(tags)}}, inbox.listener(member), client, from_first),
        "starting a consumer");
  }
  std::size_t owned(const DefaultMQPushConsumer& c) const {
    std::size_t count = 0;
    for (const QueueProgress& q : c.progress()) count += q.messageQueue.topic() == topic ? 1u : 0u;
    return count;
  }
  SendResult send(Message message) { return orFail(producer.send(std::move(message)), "sending"); }
  void send(const std::string& prefix, int count) {
    for (int i = 0; i < count; ++i) send(Message(topic, prefix + std::to_string(i)));
  }

  ClientOptions client;
  std::string topic, group;
  DefaultMQProducer producer;
};

void closeAll(std::initializer_list<MQClient*> clients) {
  for (MQClient* c : clients) {
    const CloseReport report = c->close();
    expect(report.complete(), "closing was not complete: ", report.toString());
  }
}

std::string sync(Row& row) {
  constexpr int kMessages = 80;
  row.openTopic();
  std::map<MessageQueue, std::vector<std::int64_t>> offsets;
  std::set<std::string> ids;
  for (int i = 0; i < kMessages; ++i) {
    const SendResult sent = row.send(Message(row.topic, std::to_string(i)).setKeys("k" + std::to_string(i)));
    expect(sent.sendStatus == SendStatus::SEND_OK, "status ", toString(sent.sendStatus));
    expect(sent.messageQueue.has_value(), "no queue in the answer");
    offsets[*sent.messageQueue].push_back(sent.queueOffset);
    ids.insert(sent.msgId);
    ids.insert(sent.offsetMsgId);
  }
  expect(static_cast<int>(ids.size()) == 2 * kMessages, ids.size(), " different ids of ", 2 * kMessages);
  expect(offsets.size() == kQueuesOfNew, offsets.size(), " queues took part, not ", kQueuesOfNew);
  for (const auto& [queue, of] : offsets) {
    expect(of.size() == kMessages / kQueuesOfNew, of.size(), " messages in ", queue);
    for (std::size_t i = 1; i < of.size(); ++i) expect(of[i] == of[i - 1] + 1, "a gap before ", of[i], " in ", queue);
  }
  closeAll({&row.producer});
  return text(kMessages, " answered, ", kMessages / kQueuesOfNew, " a queue, offsets without gaps");
}

std::string async(Row& row) {
  constexpr int kMessages = 1000;
  row.openTopic();
  std::atomic<int> ok{0};
  std::atomic<int> failed{0};
  std::mutex mutex;
  std::string first_error;
  for (int i = 0; i < kMessages; ++i) {
    row.producer.sendAsync(Message(row.topic, std::to_string(i))).then([&](Result<SendResult> r) {
      if (r && r->sendStatus == SendStatus::SEND_OK) {
        ++ok;
        return;
      }
      ++failed;
      const std::scoped_lock lock(mutex);
      if (!r && first_error.empty()) first_error = text(r.error());
    });
  }
  row.producer.flush().get().value();
  closeAll({&row.producer});
  const std::scoped_lock lock(mutex);
  expect(failed == 0, failed, " of ", kMessages, " failed, the first with ", first_error);
  expect(ok == kMessages, ok, " callbacks for ", kMessages, " sends");
  return text(kMessages, " called back once each");
}

std::string oneway(Row& row) {
  constexpr int kMessages = 100;
  row.openTopic();
  for (int i = 0; i < kMessages; ++i) {
    const Result<void> handed = row.producer.sendOneway(Message(row.topic, std::to_string(i)));
    expect(handed.has_value(), "sending: ", handed ? "" : handed.error().message());
  }
  Inbox inbox;
  auto consumer = row.consume(inbox);
  inbox.expectExactly(kMessages);
  closeAll({&consumer, &row.producer});
  return text(kMessages, " arrived");
}

std::string batch(Row& row) {
  constexpr int kBatches = 5;
  constexpr int kSize = 32;
  row.openTopic();
  std::map<std::string, std::pair<MessageQueue, std::int64_t>> where;
  for (int b = 0; b < kBatches; ++b) {
    std::vector<Message> messages;
    messages.reserve(kSize);
    for (int i = 0; i < kSize; ++i) {
      messages.push_back(
          Message(row.topic, text(b, '/', i)).setKeys(text('k', b, '-', i)).setTags("t" + std::to_string(b)));
    }
    const SendResult sent = orFail(row.producer.sendBatch(std::move(messages)), "sending a batch");
    expect(sent.batchMsgIds.size() == kSize, sent.batchMsgIds.size(), " ids for a batch of ", kSize);
    for (int i = 0; i < kSize; ++i) {
      where.emplace(text(b, '/', i), std::pair(*sent.messageQueue, sent.queueOffset + i));
    }
  }
  Inbox inbox;
  auto consumer = row.consume(inbox);
  inbox.expectExactly(kBatches * kSize);
  for (const Inbox::Letter& l : inbox.letters()) {
    const auto at = where.find(std::string(l.message.body()));
    expect(at != where.end(), "an unknown body: ", l.message.body());
    expect(at->second.first == l.message.messageQueue() && at->second.second == l.message.queueOffset(),
           l.message.body(), " lies at ", l.message.messageQueue(), ' ', l.message.queueOffset(), ", the answer said ",
           at->second.first, ' ', at->second.second);
  }
  closeAll({&consumer, &row.producer});
  return text(kBatches, " batches of ", kSize, " arrived where the answers said");
}

std::string consume(Row& row) {
  constexpr int kMessages = 120;
  row.openTopic();
  std::map<std::string, std::pair<Message, SendResult>> sent;
  for (int i = 0; i < kMessages; ++i) {
    std::string body = bodyOf(i) + "#" + std::to_string(i);
    Message message = Message(row.topic, body)
                          .setKeys("key-" + std::to_string(i), "other")
                          .setTags("tag-" + std::to_string(i % 3))
                          .putUserProperty("number", std::to_string(i))
                          .putUserProperty("sentence", kSentence);
    SendResult result = row.send(message);
    sent.emplace(std::move(body), std::pair(std::move(message), std::move(result)));
  }
  Inbox inbox;
  auto consumer = row.consume(inbox);
  inbox.expectExactly(kMessages);
  for (const Inbox::Letter& l : inbox.letters()) {
    const MessageExt& got = l.message;
    const auto at = sent.find(std::string(got.body()));
    expect(at != sent.end(), "an unknown body of ", got.body().size(), " bytes");
    const auto& [message, result] = at->second;
    const auto same = [](const char* what, const auto& a, const auto& b) {
      expect(a == b, what, ": got '", a, "', sent '", b, "'");
    };
    same("topic", got.topic(), std::string_view(row.topic));
    same("keys", got.keys(), message.property("KEYS"));
    same("tags", got.tags(), message.property("TAGS"));
    same("number", got.property("number").value_or(""), message.property("number"));
    same("sentence", got.property("sentence").value_or(""), message.property("sentence"));
    same("msgId", got.msgId(), std::string_view(result.msgId));
    same("offsetMsgId", got.offsetMsgId(), std::string_view(result.offsetMsgId));
    same("queue", got.messageQueue(), *result.messageQueue);
    same("offset", got.queueOffset(), result.queueOffset);
    same("reconsumeTimes", got.reconsumeTimes(), 0);
    expect(got.bornHost().starts_with("127.0.0.1:"), "born at ", got.bornHost());
    const auto age = got.storeTime() - got.bornTime();
    expect(age > -1s && age < 10s, "stored at an odd time after it was born");
  }
  closeAll({&consumer, &row.producer});
  return text(kMessages, " arrived with every field as sent");
}

std::string tags(Row& row) {
  constexpr int kMessages = 90;
  row.openTopic();
  const char* all[] = {"A", "B", "C"};
  for (int i = 0; i < kMessages; ++i) row.send(Message(row.topic, std::to_string(i)).setTags(all[i % 3]));
  Inbox inbox;
  auto consumer = row.consume(inbox, "only", "A || C");
  for (int i = 0; i < kMessages; ++i) row.send(Message(row.topic, "late" + std::to_string(i)).setTags(all[i % 3]));
  inbox.expectExactly(2 * kMessages / 3 * 2);
  for (const Inbox::Letter& l : inbox.letters()) expect(l.message.tags() != "B", "a message with tag B came");
  closeAll({&consumer, &row.producer});
  return text(2 * kMessages / 3 * 2, " of ", 2 * kMessages, " arrived, none of the third tag");
}

std::string share(Row& row) {
  constexpr int kMessages = 100;
  row.openTopic();
  Inbox inbox;
  auto first = row.consume(inbox, "first");
  expect(inbox.waitUntil([&] { return row.owned(first) == kQueuesOfNew; }, kShare), "alone, the first member owns ",
         row.owned(first), " queues");
  const auto came = Clock::now();
  auto second = row.consume(inbox, "second");
  const std::size_t half = kQueuesOfNew / 2;
  expect(inbox.waitUntil([&] { return row.owned(first) == half && row.owned(second) == half; }, kShare),
         "the members own ", row.owned(first), " and ", row.owned(second), " queues");
  const auto shared = Clock::now();
  row.send("both", kMessages);
  inbox.expectExactly(kMessages);
  expect(inbox.countOf("first") == kMessages / 2 && inbox.countOf("second") == kMessages / 2, "the members got ",
         inbox.countOf("first"), " and ", inbox.countOf("second"));
  const auto left = Clock::now();
  closeAll({&second});
  expect(inbox.waitUntil([&] { return row.owned(first) == kQueuesOfNew; }, kShare), "the one that stays owns ",
         row.owned(first));
  const auto taken = Clock::now();
  row.send("one", kMessages);
  inbox.expectExactly(2 * kMessages);
  expect(inbox.countOf("second") == kMessages / 2, "the one that left got messages");
  closeAll({&first, &row.producer});
  return text("shared after ", millis(shared - came), " ms, taken over after ", millis(taken - left),
              " ms, nothing lost or twice");
}

std::string resume(Row& row) {
  constexpr int kMessages = 100;
  row.openTopic();
  row.send("before", kMessages);
  Inbox before;
  auto first = row.consume(before);
  before.expectExactly(kMessages);
  closeAll({&first});
  row.send("meanwhile", kMessages / 2);
  Inbox after;
  auto again = row.consume(after);
  after.waitUntil([&] { return after.count() >= kMessages / 2; }, kArrive);
  after.waitUntil([] { return false; }, kStray);
  std::map<std::string, int> strays;  // by queue
  for (const Inbox::Letter& l : after.letters()) {
    if (l.message.body().starts_with("before")) {
      ++strays[text("queue ", l.message.messageQueue().queueId())];
    }
  }
  std::string where;
  for (const auto& [queue, count] : strays) where += text(' ', queue, ": ", count);
  expect(strays.empty(), "what was consumed before came again:", where);
  after.expectExactly(kMessages / 2);
  for (const std::string& body : after.bodies()) expect(body.starts_with("meanwhile"), body, " came again");
  closeAll({&again, &row.producer});
  return text("the second life got the ", kMessages / 2, " messages of the time between, and no other");
}

std::string longPoll(Row& row) {
  constexpr int kMessages = 5;
  row.openTopic();
  Inbox inbox;
  auto consumer = row.consume(inbox);
  expect(inbox.waitUntil([&] { return row.owned(consumer) == kQueuesOfNew; }, kShare), "it owns no queues");
  Clock::duration longest{};
  for (int i = 0; i < kMessages; ++i) {
    inbox.waitUntil([] { return false; }, i == 0 ? Clock::duration(kIdle) : Clock::duration(kPause));
    const auto at = Clock::now();
    row.send(Message(row.topic, std::to_string(i)));
    expect(inbox.waitUntil([&] { return inbox.count() == static_cast<std::size_t>(i) + 1; }, kArrive), "no arrival");
    longest = std::max(longest, inbox.letters().back().at - at);
  }
  expect(longest <= kAtOnce, "the longest wait was ", millis(longest), " ms");
  closeAll({&consumer, &row.producer});
  return text("longest way of ", kMessages, " to an idle consumer: ", millis(longest), " ms");
}

std::string newTopic(Row& row) {
  Inbox inbox;
  auto consumer = row.consume(inbox);  // before there is such a topic
  row.send(Message(row.topic, "first"));
  const auto queues = orFail(row.producer.fetchPublishMessageQueues(row.topic), "asking for the queues");
  expect(queues.size() == kQueuesOfNew, "the new topic has ", queues.size(), " queues");
  inbox.expectExactly(1);
  closeAll({&consumer, &row.producer});
  return text("made by the first send with ", queues.size(), " queues; a consumer that was there before got it");
}

std::string refused(Row& row) {
  row.openTopic();
  auto patient =
      orFail(DefaultMQProducer::start(row.topic + "-big", row.client,
                                      {.maxMessageSize = 4 * kBodyMax, .compressMsgBodyOverHowmuch = SIZE_MAX}),
             "starting a producer");
  std::ostringstream said;
  const auto refusal = [&](const char* what, const Result<SendResult>& r, int code) {
    expect(!r, what, " was taken");
    expect(code == 0 || r.error().responseCode() == code, what, ": ", r.error());
    expect(r.error().applied() == Applied::kNo, what, ": it may be stored? ", r.error());
    said << (said.tellp() > 0 ? ", " : "") << what << ' ' << r.error().responseCode();
  };
  refusal("oversize-here", row.producer.send(Message(row.topic, std::string(kBodyMax + 1, 'x'))), kMessageIllegal);
  refusal("oversize-there", patient.send(Message(row.topic, std::string(kBodyMax + 1, 'x'))), kMessageIllegal);
  refusal("empty", row.producer.send(Message(row.topic, "")), kMessageIllegal);
  refusal("name", row.producer.send(Message("not a topic!", "x")), 0);
  refusal("long-name", row.producer.send(Message(std::string(128, 'n'), "x")), 0);
  refusal("system-topic", row.producer.send(Message("SCHEDULE_TOPIC_XXXX", "x")), 0);
  refusal("properties", row.producer.send(Message(row.topic, "x").putUserProperty("p", std::string(40'000, 'p'))),
          kMessageIllegal);
  expect(!DefaultMQProducer::start("not a group!", row.client), "a bad group name was taken");
  row.send(Message(row.topic, "after"));  // and the connections are as good as before
  orFail(patient.send(Message(row.topic, std::string(kBodyMax - 65536, 'x'))), "sending nearly 4 MiB");
  Inbox inbox;
  auto consumer = row.consume(inbox);
  inbox.expectExactly(2);
  closeAll({&consumer, &patient, &row.producer});
  return said.str();
}

std::string given(const char* name) {
  const auto found = environment.find(name);
  expect(found != environment.end(), name, " is not set");
  return found->second;
}

std::string write(Row& row) {
  row.topic = given("INTEROP_TOPIC");
  for (int i = 0; i < kExchanged; ++i) {
    row.send(Message(row.topic, bodyOf(i))
                 .setTags("tag-" + std::to_string(i % 3))
                 .setKeys("key-" + std::to_string(i))
                 .putUserProperty("writer", "cpp")
                 .putUserProperty("number", std::to_string(i))
                 .putUserProperty("sentence", kSentence));
  }
  closeAll({&row.producer});
  return text(kExchanged, " written");
}

std::string read(Row& row) {
  row.topic = given("INTEROP_TOPIC");
  std::set<std::string> missing;
  std::istringstream writers(given("INTEROP_WRITERS"));
  int count = 0;
  for (std::string writer; writers >> writer; ++count) {
    for (int i = 0; i < kExchanged; ++i) missing.insert(text(writer, ' ', i));
  }
  Inbox inbox;
  auto consumer = row.consume(inbox);
  inbox.expectExactly(static_cast<int>(missing.size()));
  for (const Inbox::Letter& l : inbox.letters()) {
    const std::string number(l.message.property("number").value_or("?"));
    const std::string name = text(l.message.property("writer").value_or("?"), ' ', number);
    expect(missing.erase(name) == 1, name, " is unknown, or came twice");
    expect(l.message.body() == bodyOf(std::stoi(number)), name, ": another body, of ", l.message.body().size(),
           " bytes");
    expect(l.message.tags() == "tag-" + std::to_string(std::stoi(number) % 3), name, ": tags ", l.message.tags());
    expect(l.message.keys() == "key-" + number, name, ": keys '", l.message.keys(), "'");
    expect(l.message.property("sentence").value_or("") == kSentence, name, ": another sentence");
  }
  closeAll({&consumer, &row.producer});
  return text(kExchanged, " of each of ", count, " writers, as they wrote them");
}

std::string writeCodecs(Row& row) {
  row.topic = given("INTEROP_TOPIC");
  int count = 0;
  for (const Codec& codec : kCodecs) {
    auto producer = orFail(DefaultMQProducer::start(row.group + codec.name, row.client, {.compressType = codec.type}),
                           "starting a producer");
    for (const int number : kNumbersOfCodecs) {
      orFail(producer.send(Message(row.topic, bodyOf(number))
                               .putUserProperty("writer", "cpp")
                               .putUserProperty("codec", codec.name)
                               .putUserProperty("number", std::to_string(number))),
             "sending");
      ++count;
    }
    closeAll({&producer});
  }
  closeAll({&row.producer});
  return text(count, " written");
}

std::string readCodecs(Row& row) {
  row.topic = given("INTEROP_TOPIC");
  std::map<std::string, std::pair<int, int>> missing;  // name → number, compression type
  std::istringstream writers(given("INTEROP_WRITERS"));
  for (std::string writer; writers >> writer;) {
    for (const Codec& codec : kCodecs) {
      for (const int number : kNumbersOfCodecs) {
        const int type = number < 5 ? 0 : static_cast<int>(codec.type);
        missing.emplace(text(writer, ' ', codec.name, ' ', number), std::pair(number, type));
      }
    }
  }
  const auto all = static_cast<int>(missing.size());
  Inbox inbox;
  auto consumer = row.consume(inbox);
  inbox.expectExactly(all);
  for (const Inbox::Letter& l : inbox.letters()) {
    const auto of = [&](const char* property) { return l.message.property(property).value_or("?"); };
    const std::string name = text(of("writer"), ' ', of("codec"), ' ', of("number"));
    const auto at = missing.find(name);
    expect(at != missing.end(), name, " is unknown, or came twice");
    const auto [number, type] = at->second;
    expect(l.message.body() == bodyOf(number), name, ": another body, of ", l.message.body().size(), " bytes");
    expect(l.message.sysFlag() >> 8 == type && (l.message.sysFlag() & kCompressedFlag) == 0, name, ": sysFlag ",
           l.message.sysFlag());
    missing.erase(at);
  }
  closeAll({&consumer, &row.producer});
  return text(all, " of ZLIB, LZ4 and ZSTD inflated: written by ", given("INTEROP_WRITERS"));
}

struct Named {
  const char* name;
  std::string (*run)(Row&);
};
constexpr Named kRows[] = {
    {"sync", sync},          {"async", async},        {"oneway", oneway},   {"batch", batch},
    {"consume", consume},    {"tags", tags},          {"share", share},     {"resume", resume},
    {"long-poll", longPoll}, {"new-topic", newTopic}, {"refused", refused},
};
constexpr Named kExchange[] = {
    {"write", write}, {"read", read}, {"write-codecs", writeCodecs}, {"read-codecs", readCodecs}};

int usage() {
  std::cerr << "usage: interop_client NAMESRV ROW...   rows: all";
  for (const Named& row : kRows) std::cerr << ' ' << row.name;
  std::cerr << '\n';
  return 2;
}

}  // namespace

int main(int argc, char** argv, char** variables) {
  for (; *variables != nullptr; ++variables) {
    const std::string_view variable(*variables);
    const std::size_t equals = variable.find('=');
    if (equals != std::string_view::npos) environment.emplace(variable.substr(0, equals), variable.substr(equals + 1));
  }
  std::vector<const Named*> wanted;
  for (int i = 2; i < argc; ++i) {
    const std::string name = argv[i];
    const std::size_t before = wanted.size();
    for (const Named& row : kRows) {
      if (name == row.name || name == "all") wanted.push_back(&row);
    }
    for (const Named& row : kExchange) {
      if (name == row.name) wanted.push_back(&row);
    }
    if (wanted.size() == before) return usage();
  }
  if (wanted.empty()) return usage();
  bool all = true;
  for (const Named* named : wanted) {
    std::string detail;
    bool ok = false;
    try {
      Row row(argv[1], named->name);
      detail = named->run(row);
      ok = true;
    } catch (const std::exception& e) {
      detail = e.what();
    }
    all = all && ok;
    std::cout << "{\"row\": \"" << named->name << "\", \"ok\": " << (ok ? "true" : "false")
              << ", \"detail\": " << quoted(detail) << '}' << std::endl;
  }
  return all ? 0 : 1;
}
