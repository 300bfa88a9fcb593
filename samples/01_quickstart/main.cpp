// The first sample: order events go from a producer through a broker to two consumers of one group, and the program
// checks what arrived. Reads samples/data/orders.csv (order,step,amount) unless told otherwise.
//
//   ./dev quickstart                              inside this process
//   ./dev quickstart --input FILE                 a text of yours; - reads standard input
//   ./dev quickstart --namesrv ADDRESS            the same against another home

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "mqclient/mqclient.h"

using namespace mqclient;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kWaitForOwners = std::chrono::seconds(30);    // both members own queues
constexpr auto kWaitForArrivals = std::chrono::seconds(60);  // without any progress
constexpr auto kProgressEvery = std::chrono::milliseconds(500);

constexpr const char* kUsage =
    "usage: 01_quickstart [--input FILE] [--namesrv ADDRESS]\n"
    "  --input FILE       lines to send; - reads standard input. The key is the first comma field, else the line.\n"
    "                     Default: the sample's own orders.csv\n"
    "  --namesrv ADDRESS  mock://NAME?brokers=2&queues=8, or host:port;host:port. Default: mock://quickstart\n"
    "Exit status 0: everything arrived once and in order. 1: it did not. 2: wrong arguments or input.\n";

struct Arguments {
  std::string input{QUICKSTART_DATA};
  std::string namesrv{"mock://quickstart"};
};

[[noreturn]] void refuse(const std::string& why) {
  std::cerr << "01_quickstart: " << why << '\n';
  std::exit(2);
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--help" || arg == "-h") {
      std::cout << kUsage;
      std::exit(0);
    }
    const bool known = arg == "--input" || arg == "--namesrv";
    if (!known) refuse("'" + arg + "' is not understood\n" + kUsage);
    if (i + 1 == argc) refuse(arg + " needs a value\n" + kUsage);
    (arg == "--input" ? arguments.input : arguments.namesrv) = argv[++i];
  }
  return arguments;
}

std::vector<std::string> readLines(const std::string& input) {
  std::ifstream file;
  if (input != "-") {
    file.open(input);
    if (!file) refuse("cannot read " + input + ": " + std::strerror(errno));
  }
  std::istream& from = input == "-" ? std::cin : file;
  std::vector<std::string> lines;
  for (std::string line; std::getline(from, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) lines.push_back(std::move(line));
  }
  if (from.bad()) refuse("reading " + input + " failed: " + std::strerror(errno));
  if (lines.empty()) refuse(input + " has no line to send");
  return lines;
}

std::string keyOf(const std::string& line) {
  const std::size_t comma = line.find(',');
  return comma == std::string::npos || comma == 0 ? line : line.substr(0, comma);
}

/// KEYS may not hold control characters, and a blank would make two keys of one.
std::string asMessageKey(std::string key) {
  std::ranges::replace_if(
      key, [](unsigned char c) { return c <= ' '; }, '_');
  return key;
}

/// What both consumers report to: who saw which line, and when.
class Arrivals {
 public:
  explicit Arrivals(std::size_t lines) : seen_(lines, 0), sent_at_(lines) {}

  void aboutToSend(std::size_t line) {
    const std::scoped_lock lock(mutex_);
    sent_at_[line] = Clock::now();
  }

  void arrived(const MessageExt& m) {
    const auto now = Clock::now();
    const auto text = m.property("line");
    const std::size_t line = text ? std::strtoull(std::string(*text).c_str(), nullptr, 10) : seen_.size();
    const std::scoped_lock lock(mutex_);
    if (line >= seen_.size()) return;  // not one of ours
    if (++seen_[line] > 1) {
      ++duplicates_;
      return;
    }
    ++consumed_;
    micros_.push_back(std::chrono::duration<double, std::micro>(now - sent_at_[line]).count());
  }

  std::size_t consumed() const {
    const std::scoped_lock lock(mutex_);
    return consumed_;
  }
  std::size_t duplicates() const {
    const std::scoped_lock lock(mutex_);
    return duplicates_;
  }
  double quantileMicros(double q) const {
    const std::scoped_lock lock(mutex_);
    if (micros_.empty()) return 0;
    std::vector<double> sorted = micros_;
    std::ranges::sort(sorted);
    return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
  }

 private:
  mutable std::mutex mutex_;
  std::vector<int> seen_;
  std::vector<Clock::time_point> sent_at_;
  std::vector<double> micros_;
  std::size_t consumed_ = 0;
  std::size_t duplicates_ = 0;
};

/// Where the lines of one key went: one queue, at offsets that rise in the order sent.
class OrderCheck {
 public:
  void sent(const std::string& key, const MessageQueue& queue, std::int64_t offset) {
    const auto [at, first] = last_.try_emplace(key, queue, offset);
    if (first) return;
    if (at->second.first != queue || offset <= at->second.second) ++out_of_order_;
    at->second = {queue, offset};
  }
  std::size_t outOfOrder() const { return out_of_order_; }

 private:
  std::unordered_map<std::string, std::pair<MessageQueue, std::int64_t>> last_;
  std::size_t out_of_order_ = 0;
};

template <class T>
T orExplain(Result<T> result, const char* what) {
  if (!result) {
    std::cerr << "01_quickstart: " << what << ": " << result.error() << '\n';
    std::exit(1);
  }
  return std::move(result).value();
}

/// Rung whenever something happened that a wait may be for: a message arrived, queues changed hands.
class Bell {
 public:
  void ring() {
    const std::scoped_lock lock(mutex_);
    ++rings_;
    rung_.notify_all();
  }
  /// Waits until `done`, asked at each ring. False: nothing rang for `wait`.
  template <class Done>
  bool waitUntil(Done done, std::chrono::seconds wait) {
    for (;;) {
      std::uint64_t heard = 0;
      {
        const std::scoped_lock lock(mutex_);
        heard = rings_;
      }
      if (done()) return true;
      std::unique_lock lock(mutex_);
      if (!rung_.wait_for(lock, wait, [&] { return rings_ != heard; })) return false;
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable rung_;
  std::uint64_t rings_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  const std::vector<std::string> lines = readLines(arguments.input);

  // Topic and group are new in every run, so that runs never meet.
  const std::string run = std::to_string(std::chrono::system_clock::now().time_since_epoch().count() / 1'000'000);
  const std::string topic = "quickstart-" + run;
  const ClientOptions client{.namesrvAddr = arguments.namesrv};
  Bell bell;
  ClientOptions telling = client;
  telling.onEvent = [&bell](const ClientEvent&) { bell.ring(); };

  auto producer = orExplain(DefaultMQProducer::start("quickstart-producer-" + run, client), "starting the producer");
  // The first send makes the topic; its key is none of the input's, and consumers do not count it.
  orExplain(producer.send(Message(topic, "hello").setTags("hello")), "making the topic");

  Arrivals arrivals(lines.size());
  const auto listener = [&arrivals, &bell](Messages messages, ConsumeConcurrentlyContext&) {
    for (const MessageExt& m : messages) arrivals.arrived(m);
    bell.ring();
    return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  };
  const PushConsumerOptions from_first{.consumeFromWhere = ConsumeFromWhere::CONSUME_FROM_FIRST_OFFSET()};
  const auto member = [&] {
    return orExplain(DefaultMQPushConsumer::start("quickstart-group-" + run, {{topic}}, listener, telling, from_first),
                     "starting a consumer");
  };
  DefaultMQPushConsumer first = member();
  DefaultMQPushConsumer second = member();
  const auto owned = [&](const DefaultMQPushConsumer& c) {
    return static_cast<std::size_t>(
        std::ranges::count(c.progress(), topic, [](const QueueProgress& q) { return q.messageQueue.topic(); }));
  };
  const std::size_t queues =
      orExplain(producer.fetchPublishMessageQueues(topic), "asking for the topic's queues").size();
  std::cout << "topic " << topic << " at " << arguments.namesrv << ": " << queues
            << " queues; waiting for two members\n";
  if (!bell.waitUntil([&] { return owned(first) > 0 && owned(second) > 0 && owned(first) + owned(second) == queues; },
                      kWaitForOwners)) {
    std::cerr << "01_quickstart: the members own " << owned(first) << " and " << owned(second) << " of " << queues
              << " queues and that does not change\n";
    return 1;
  }
  std::cout << "member 1 owns " << owned(first) << " queues, member 2 owns " << owned(second) << "; sending "
            << lines.size() << " messages\n";

  OrderCheck order;
  const auto started = Clock::now();
  auto printed = started;
  std::size_t sent = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string key = keyOf(lines[i]);
    SelectMessageQueueByHash by_key(key);
    arrivals.aboutToSend(i);
    const SendResult result = orExplain(producer.send(Message(topic, lines[i])
                                                          .setKeys(asMessageKey(key))
                                                          .setShardingKey(asMessageKey(key))
                                                          .putUserProperty("line", std::to_string(i)),
                                                      by_key),
                                        "sending");
    order.sent(key, *result.messageQueue, result.queueOffset);
    ++sent;
    if (Clock::now() - printed > kProgressEvery) {
      printed = Clock::now();
      std::cout << "  sent " << sent << ", consumed " << arrivals.consumed() << std::endl;
    }
  }
  const bool all = bell.waitUntil([&] { return arrivals.consumed() >= lines.size(); }, kWaitForArrivals);
  const double seconds = std::chrono::duration<double>(Clock::now() - started).count();

  std::map<MessageQueue, std::int64_t> per_queue;
  for (const DefaultMQPushConsumer* c : {&first, &second}) {
    for (const QueueProgress& q : c->progress()) {
      if (q.messageQueue.topic() == topic) per_queue[q.messageQueue] = q.maxOffset;
    }
  }
  const CloseReport first_end = first.close();
  const CloseReport second_end = second.close();
  const CloseReport producer_end = producer.close();

  std::cout << "messages per queue, as the broker counts them (one of them made the topic):\n";
  for (const auto& [queue, count] : per_queue) {
    std::cout << "  " << queue.brokerName() << " queue " << queue.queueId() << ": " << count << '\n';
  }
  char figures[160];
  std::snprintf(figures, sizeof figures,
                "%.3f s, %.0f messages/s; send to listener p50 %.1f us, p99 %.1f us (mind: one send at a time)\n",
                seconds, static_cast<double>(lines.size()) / seconds, arrivals.quantileMicros(0.5),
                arrivals.quantileMicros(0.99));
  std::cout << figures;
  for (const CloseReport* report : {&first_end, &second_end, &producer_end}) {
    if (!report->complete()) std::cout << "closing was not complete: " << report->toString() << '\n';
  }
  if (!all) {
    std::cout << "missing: " << lines.size() - arrivals.consumed() << " messages did not arrive within "
              << kWaitForArrivals.count() << " s\n";
  }
  std::cout
      << "the same program against another home: ./dev quickstart --namesrv ADDRESS (NAMESRV_ADDR works too, with\n"
         "an empty address); other text: --input FILE\n";
  std::cout << sent << " sent, " << arrivals.consumed() << " consumed, " << arrivals.duplicates() << " duplicate, "
            << order.outOfOrder() << " out of order" << std::endl;
  return all && arrivals.duplicates() == 0 && order.outOfOrder() == 0 ? 0 : 1;
}
