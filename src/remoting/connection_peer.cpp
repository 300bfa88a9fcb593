#include "remoting/connection_peer.h"

#include <utility>

namespace mqclient::remoting {

ConnectionSink::ConnectionSink(base::Ref<base::Engine> engine, base::Ref<Connection> connection,
                               base::Ref<base::Object> owner, std::atomic<std::uint64_t>& dropped) noexcept
    : engine_(std::move(engine)),
      connection_(std::move(connection)),
      owner_(std::move(owner)),
      dropped_(dropped),
      quiet_since_(engine_->monotonicNanos()) {}

bool ConnectionSink::begin(std::size_t limit) noexcept {
  if (owed_.fetch_add(1, std::memory_order_relaxed) < limit) return true;
  owed_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

void ConnectionSink::requestEnded(bool answered_by_drop) noexcept {
  if (answered_by_drop) dropped_.fetch_add(1, std::memory_order_relaxed);
  // Only the last answer reads the clock: while any is owed the connection is not idle anyway.
  if (owed_.fetch_sub(1, std::memory_order_acq_rel) == 1) touch();
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
