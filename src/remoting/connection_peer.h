#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/engine.h"
#include "remoting/responder.h"
#include "remoting/transport.h"

namespace mqclient::remoting {

/// Bounds on what one connection may have asked and not been answered.
struct OwedLimits {
  std::uint32_t under_way;  ///< beyond: full()
  std::uint32_t held;       ///< beyond: requestHeld() is false
};

/// Where the answers of one connection go, and how many are still owed. Any thread.
///
/// Shape  one word counts the requests under way and those that are held, so that full(), halfEmpty() and
///        owesNothing() each are one look. Whoever takes the count from above half to half tells the connection: a
///        transport that saw full() before waits for that.
class ConnectionSink final : public ResponseSink {
 public:
  /// `dropped` counts responders dropped unused; `owner` keeps it alive.
  ConnectionSink(base::Ref<base::Engine> engine, base::Ref<Connection> connection, base::Ref<base::Object> owner,
                 std::atomic<std::uint64_t>& dropped, OwedLimits limits) noexcept;

  /// One more request is under way.
  void begin() noexcept { owed_.fetch_add(kUnderWay); }
  /// As many are under way as may be.
  bool full() const noexcept { return underWay(owed_.load()) >= limits_.under_way; }
  bool halfEmpty() const noexcept { return underWay(owed_.load()) <= limits_.under_way / 2; }
  bool owesNothing() const noexcept { return owed_.load(std::memory_order_acquire) == 0; }
  /// When the last answer owed was given.
  base::SteadyTime quietSince() const noexcept {
    return base::SteadyTime(base::Nanos(quiet_since_.load(std::memory_order_relaxed)));
  }
  void touch() noexcept { quiet_since_.store(engine_->coarseNanos(), std::memory_order_relaxed); }

  void respond(base::Chain frame) noexcept override { connection_->send(std::move(frame), kAnswerTag); }
  bool requestHeld() noexcept override;
  void requestEnded(End how) noexcept override;

  /// Connection::send's tag for frames whose fate nobody asks about.
  static constexpr std::uint64_t kAnswerTag = 0;

 private:
  static constexpr std::uint64_t kUnderWay = 1;
  static constexpr std::uint64_t kHeld = std::uint64_t{1} << 32;
  static std::uint32_t underWay(std::uint64_t owed) noexcept { return static_cast<std::uint32_t>(owed); }
  static std::uint32_t held(std::uint64_t owed) noexcept { return static_cast<std::uint32_t>(owed >> 32); }
  /// `left`: the count after one request less is under way.
  void oneLessUnderWay(std::uint64_t left) noexcept;

  const base::Ref<base::Engine> engine_;
  const base::Ref<Connection> connection_;
  const base::Ref<base::Object> owner_;
  std::atomic<std::uint64_t>& dropped_;
  const OwedLimits limits_;
  std::atomic<std::uint64_t> owed_{0};  // kUnderWay and kHeld, in sequence with the transport's "frames wait"
  std::atomic<std::int64_t> quiet_since_;
};

/// The other end as handlers see it. Any thread.
class ConnectionPeer : public Peer {
 public:
  ConnectionPeer(base::Ref<Connection> connection, base::Ref<ConnectionSink> sink, std::uint64_t id) noexcept
      : connection_(std::move(connection)), sink_(std::move(sink)), host_(Peer::host()), id_(id) {}

  const std::string& address() const noexcept override { return connection_->peerAddress(); }
  const std::string& localAddress() const noexcept override { return connection_->localAddress(); }
  protocol::RecordHost host() const override { return host_; }
  std::uint64_t id() const noexcept override { return id_; }
  void sendOneway(base::Chain frame) noexcept override;
  bool open() const noexcept override { return open_.load(std::memory_order_acquire); }
  void close(Error why) noexcept override { connection_->close(std::move(why)); }

  void markClosed() noexcept { open_.store(false, std::memory_order_release); }

 protected:
  const base::Ref<Connection> connection_;

 private:
  const base::Ref<ConnectionSink> sink_;
  const protocol::RecordHost host_;
  const std::uint64_t id_;
  std::atomic<bool> open_{true};
};

/// The answer to a request that nobody here handles.
base::Chain notSupportedAnswer(const protocol::RemotingCommand& request);
/// The answer to a request beyond `limit` requests in flight on one connection.
base::Chain busyAnswer(const protocol::RemotingCommand& request, std::size_t limit);
/// "127.0.0.1" of "127.0.0.1:10911": log lines about strangers are limited by host.
std::string_view hostOf(std::string_view address) noexcept;

}  // namespace mqclient::remoting
