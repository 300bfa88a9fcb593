#include "remoting/responder.h"

namespace mqclient::remoting {

void Peer::invoke(std::int32_t opaque, base::Chain frame, base::SteadyTime deadline,
                  base::Completion<protocol::RemotingCommand> done) noexcept {
  (void)opaque, (void)frame, (void)deadline;
  std::move(done)(Error(ErrorCode::kUnsupported, "this end cannot ask " + address()));
}

void Responder::drop() noexcept {
  const base::Ref<ResponseSink> sink = std::move(sink_);
  if (!sink) return;
  if (!oneway_) {
    sink->respond(protocol::encodeResponse({opaque_, type_}, ResponseCode::SYSTEM_ERROR,
                                           "the request was dropped without an answer"));
  }
  sink->requestEnded({.dropped = !oneway_, .held = held_});
}

}  // namespace mqclient::remoting
