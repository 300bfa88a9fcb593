// A whole nameserver in process: a byte of tenths of a second that pass with each chunk, a byte of chunking, a stream.
#include <chrono>

#include "mock_broker/nameserver/nameserver.h"
#include "protocol/headers/namesrv.h"
#include "tests/fuzz/session.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {
namespace {

using namespace std::chrono_literals;
using base::Completion;
using base::Ref;
using nameserver::Nameserver;

constexpr base::Nanos kCloseWithin = 5s;

void checkServes(Session& session, const std::string& address) {
  const Ref<Stranger> guest = session.connect(address);
  protocol::GetRouteInfoRequestHeader header;
  header.topic = "probe-of-somebody-else";
  guest->say(protocol::encodeRequest({.code = RequestCode::GET_ROUTEINFO_BY_TOPIC, .opaque = 1}, header).toString());
  session.engine->runUntilIdle();
  const auto* answer = guest->answerTo(1);
  demand(answer && answer->responseCode() == ResponseCode::TOPIC_NOT_EXIST, "others are served");
  guest->close("the guest goes");
}

void run(Input& input) {
  const std::uint8_t pause = input.byte();
  const std::uint8_t sizes = input.byte();
  Session session;
  const Ref<Nameserver> nameserver =
      Nameserver::start(session.engine, session.network, base::Log::silent(), {}).value();
  const Ref<Stranger> stranger = session.speak(nameserver->address(), pause, chop(input.rest(), sizes));
  checkAnswers(*stranger);
  checkServes(session, nameserver->address());
  stranger->close("the stranger goes");
  session.complete([&](Completion<void> done) { nameserver->close(std::move(done)); }, kCloseWithin);
  session.checkNothingIsLeft();
}

const Registration kTarget("nameserver_session", run);

}  // namespace
}  // namespace mqclient::fuzz
