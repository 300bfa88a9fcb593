// R17 and R18: peers of mqbroker that are slow, and peers that send what nobody should.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "account.h"
#include "load.h"
#include "mqbroker_process.h"
#include "protocol/remoting_command.h"
#include "raw_socket.h"
#include "tests/support/stranger.h"

namespace mqsoak {

using namespace mqclient;
using mqbench::Clock;
using mqbench::RawSocket;
using mqbench::Row;

namespace {

/// A producer of mqbroker that has sent its first message, and where that went.
struct Healthy {
  explicit Healthy(const MqbrokerProcess& broker)
      : producer(startProducer({.namesrvAddr = broker.address()}, {.sendMsgTimeout = Millis{20'000}})) {
    must(producer.send(Message(kTopic, "x")), "first send");
    address = mqbench::brokerAddress(producer, kTopic);
  }
  DefaultMQProducer producer;
  std::string address;
};

// ---- R17

constexpr std::size_t kPeers = 1'000;
constexpr int kUnderWay = 64;
constexpr int kRounds = 9;
constexpr auto kWindow = std::chrono::milliseconds(150);
constexpr double kLeastPartPercent = 90;
constexpr double kBesideMiB = 64;
/// It is full before the peers come: what is stored is no cost of theirs.
constexpr const char* kSmallLog = "memoryLogBytesMax=67108864";
constexpr auto kFills = std::chrono::seconds(3);
/// L16, and what a busy machine may be late.
constexpr double kFrameDeadlineMs = 10'000;
constexpr double kLateMs = 3'000;

/// Sends again with each answer, so many at a time.
class Stream {
 public:
  explicit Stream(MQProducer& producer) : producer_(producer) {
    for (int i = 0; i < kUnderWay; ++i) send();
  }
  ~Stream() {
    over_ = true;
    while (under_way_ > 0) std::this_thread::yield();
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  /// Answers a second in a window of time.
  double rate() {
    const std::int64_t before = answers_;
    const auto began = Clock::now();
    std::this_thread::sleep_for(kWindow);
    return static_cast<double>(answers_ - before) / mqbench::microsSince(began) * 1e6;
  }
  std::int64_t failed() const { return failed_; }

 private:
  void send() {
    under_way_.fetch_add(1);
    producer_.sendAsync(Message(kTopic, "x")).then([this](const Result<SendResult>& result) {
      (result ? answers_ : failed_).fetch_add(1);
      if (!over_) send();
      under_way_.fetch_sub(1);
    });
  }
  MQProducer& producer_;
  std::atomic<std::int64_t> answers_{0};
  std::atomic<std::int64_t> failed_{0};
  std::atomic<int> under_way_{0};
  std::atomic<bool> over_{false};
};

/// Connections that each send a byte a second of a frame that never ends, while they are told to.
class Dripping {
 public:
  explicit Dripping(const std::string& address) {
    for (std::size_t i = 0; i < kPeers; ++i) peers_.emplace_back(address);
    thread_ = std::thread([this] { run(); });
  }
  ~Dripping() {
    over_ = true;
    thread_.join();
  }
  Dripping(const Dripping&) = delete;
  Dripping& operator=(const Dripping&) = delete;

  void drip() { dripping_ = true; }
  void pause() { dripping_ = false; }
  int closed() const { return closed_; }
  /// Milliseconds from a peer's first byte to its end: of the first and of the last that ended.
  double soonestEnd() const { return soonest_ms_; }
  double latestEnd() const { return latest_ms_; }

 private:
  struct Peer {
    explicit Peer(const std::string& address) : socket(address) {}
    RawSocket socket;
    Clock::time_point began{};
    int sent = 0;
    bool ended = false;
  };
  void run() {
    for (std::size_t i = 0; !over_; ++i) {
      Peer& peer = peers_[i % kPeers];
      if (!peer.ended && hasEnded(peer)) noteEnd(peer);
      if (dripping_ && !peer.ended) dripTo(peer);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  static bool hasEnded(const Peer& peer) {
    char byte = 0;
    const ssize_t n = ::recv(peer.socket.descriptor(), &byte, 1, MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
  }
  void noteEnd(Peer& peer) {
    peer.ended = true;
    const double ms = mqbench::microsSince(peer.began) / 1'000;
    soonest_ms_ = closed_ == 0 ? ms : std::min(soonest_ms_.load(), ms);
    latest_ms_ = std::max(latest_ms_.load(), ms);
    ++closed_;
  }
  static void dripTo(Peer& peer) {
    constexpr std::string_view kBegun("\0\1\0\0\0\0", 6);  // 64 KiB announced, a JSON header
    if (peer.sent == 0) peer.began = Clock::now();
    const char byte = peer.sent < static_cast<int>(kBegun.size()) ? kBegun[static_cast<std::size_t>(peer.sent)] : '\0';
    if (::send(peer.socket.descriptor(), &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1) ++peer.sent;
  }

  std::deque<Peer> peers_;
  std::atomic<bool> dripping_{false}, over_{false};
  std::atomic<int> closed_{0};
  std::atomic<double> soonest_ms_{0}, latest_ms_{0};
  std::thread thread_;
};

std::vector<Row> slowPeers(Extent) {
  mqclient::testing::allowManyDescriptors();
  MqbrokerProcess broker({"connectionsPerAddressMax=5000", kSmallLog});
  Healthy healthy(broker);
  Stream stream(healthy.producer);
  std::this_thread::sleep_for(kFills);
  const double before = broker.residentMiB();
  Dripping slow(healthy.address);
  // Each window is compared with the one before it, in which nobody drips, and the median counts.
  std::vector<double> parts;
  double fastest = 0;
  for (int round = 0; round < kRounds; ++round) {
    slow.pause();
    const double alone = stream.rate();
    slow.drip();
    parts.push_back(100 * stream.rate() / alone);
    fastest = std::max(fastest, alone);
  }
  const double after = broker.residentMiB();
  const int too_soon = slow.closed();
  const auto gives_up = Clock::now() + std::chrono::seconds(30);
  while (slow.closed() < static_cast<int>(kPeers) && Clock::now() < gives_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return {told("peers", static_cast<double>(kPeers)),
          told("sends alone", fastest, "/s"),
          atLeast("sends beside them", mqbench::quantile(parts, 0.5), kLeastPartPercent, "%"),
          atMost("memory", after - before, kBesideMiB, "MiB"),
          none("closed too soon", too_soon),
          none("never closed", static_cast<double>(kPeers) - slow.closed()),
          atLeast("closed after", slow.soonestEnd(), kFrameDeadlineMs - 1, "ms"),
          atMost("closed by", slow.latestEnd(), kFrameDeadlineMs + kLateMs, "ms"),
          none("failed sends", static_cast<double>(stream.failed()))};
}

// ---- R18

constexpr int kTries = 10'000;
constexpr std::size_t kFrameMax = 16u << 20;
constexpr double kGrowthMiB = 1;

std::string heartbeatOf(std::size_t bytes) {
  const auto frame = [](std::size_t body) {
    return std::string(protocol::encodeRequest({.code = RequestCode::HEART_BEAT, .opaque = 7}, protocol::NoHeader{},
                                               base::Slice::copyOf(std::string(body, 'x')))
                           .flatten()
                           .text());
  };
  return frame(bytes - frame(0).size());
}

std::vector<Row> hostileFrames(Extent) {
  const std::array<std::string, 4> hostile{
      std::string("\x80\x00\x00\x00", 4),                  // 2 GiB, or less than nothing
      std::string("\xFF\xFF\xFF\xFF", 4),                  // -1
      std::string("\x00\x00\x00\x20\x01\x00\x01\x00", 8),  // a header longer than its frame
      std::string("\x00\xFF\xFF\xFD\x00", 5),              // a byte more than 16 MiB, with its length field
  };
  MqbrokerProcess broker;
  Healthy healthy(broker);
  int not_closed = 0;
  int not_served = 0;
  double before = 0;
  for (int i = 0; i < kTries; ++i) {
    if (i == kTries / 10) before = broker.residentMiB();  // what the first ones brought stays: pools, arenas
    const auto answer = mqclient::testing::answerAndEnd(healthy.address, hostile[static_cast<std::size_t>(i) % 4]);
    not_closed += answer && answer->empty() ? 0 : 1;
    if (i % 100 == 0 && !healthy.producer.send(Message(kTopic, "x"))) ++not_served;
  }
  const double grown = broker.residentMiB() - before;
  RawSocket exact(healthy.address);
  const bool answered = !exact.ask(heartbeatOf(kFrameMax)).empty();
  const auto above = mqclient::testing::answerAndEnd(healthy.address, heartbeatOf(kFrameMax + 1));
  return {told("tries", kTries),
          none("not closed", not_closed),
          none("others not served", not_served),
          atMost("memory", grown, kGrowthMiB, "MiB"),
          holds("exactly 16 MiB answered", answered),
          holds("16 MiB + 1 closed", above && above->empty())};
}

}  // namespace

std::vector<Promise> hostilePromises() {
  return {{"R17", "slow peers are harmless", slowPeers}, {"R18", "hostile frames are harmless", hostileFrames}};
}

}  // namespace mqsoak
