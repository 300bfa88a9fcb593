#include "remoting/connection_peer.h"

#include <utility>

namespace mqclient::remoting {

ConnectionSink::ConnectionSink(base::Ref<base::Engine> engine, base::Ref<Connection> connection,
                               base::Ref<base::Object> owner, std::atomic<std::uint64_t>& dropped,
                               OwedLimits limits) noexcept
    : engine_(std::move(engine)),
      connection_(std::move(connection)),
      owner_(std::move(owner)),
      dropped_(dropped),
      limits_(limits),
      quiet_since_(engine_->monotonicNanos()) {}

bool ConnectionSink::requestHeld() noexcept {
  std::uint64_t owed = owed_.load();
  do {
    if (held(owed) >= limits_.held) return false;
  } while (!owed_.compare_exchange_weak(owed, owed + kHeld - kUnderWay));
  oneLessUnderWay(owed + kHeld - kUnderWay);
  return true;
}

void ConnectionSink::requestEnded(End how) noexcept {
  if (how.dropped) dropped_.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t one = how.held ? kHeld : kUnderWay;
  const std::uint64_t left = owed_.fetch_sub(one) - one;
  // Only the last answer reads the clock: while any is owed the connection is not idle anyway.
  if (left == 0) touch();
  if (!how.held) oneLessUnderWay(left);
}

void ConnectionSink::oneLessUnderWay(std::uint64_t left) noexcept {
  if (underWay(left) == limits_.under_way / 2) connection_->framesWanted();
}

void ConnectionPeer::sendOneway(base::Chain frame) noexcept {
  if (!open()) return;
  sink_->touch();
  connection_->send(std::move(frame), ConnectionSink::kAnswerTag);
}

base::Chain notSupportedAnswer(const protocol::RemotingCommand& request) {
  return protocol::encodeResponse(request.identity(), ResponseCode::REQUEST_CODE_NOT_SUPPORTED,
                                  " request type " + std::to_string(request.code) + " not supported");
}

base::Chain busyAnswer(const protocol::RemotingCommand& request, std::size_t limit) {
  return protocol::encodeResponse(
      request.identity(), ResponseCode::SYSTEM_BUSY,
      "[OVERLOAD]too many requests in flight on this connection, the limit is " + std::to_string(limit));
}

std::string_view hostOf(std::string_view address) noexcept {
  return address.substr(0, address.rfind(':'));
}

}  // namespace mqclient::remoting
