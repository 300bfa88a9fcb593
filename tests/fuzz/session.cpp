#include "tests/fuzz/session.h"

#include <chrono>

#include "mqclient/codes.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {

using namespace std::chrono_literals;
using base::Completion;
using base::Ref;
using protocol::RemotingCommand;
using remoting::Connection;

namespace {

constexpr base::Nanos kConnectWithin = 3s;

bool mayWait(const RemotingCommand& request) {
  return request.requestCode() == RequestCode::PULL_MESSAGE || request.requestCode() == RequestCode::LITE_PULL_MESSAGE;
}

}  // namespace

void Stranger::note(const base::Chain& frame) {
  const auto command = protocol::decodeFrame(frame);
  if (!command || command->isResponse() || command->isOneway()) return;
  Asked& asked = asked_[command->opaque];
  ++asked.requests;
  asked.may_wait = asked.may_wait || mayWait(*command);
}

void Stranger::say(const base::Chain& chunks) {
  for (std::size_t i = 0; i < chunks.count() && connection; ++i) {
    splitter_.feed(chunks[i]);
    while (connection) {
      auto next = splitter_.next();
      if (!next) return close("a stream that is none");
      if (!*next) break;
      note(**next);
      Ref<Connection>(connection)->send(**std::move(next), 0);
    }
  }
}

void Stranger::close(std::string why) {
  if (connection) Ref<Connection>(connection)->close(Error(ErrorCode::kConnectionLost, std::move(why)));
}

const RemotingCommand* Stranger::answerTo(std::int32_t opaque) const {
  const auto found = answers_.find(opaque);
  return found == answers_.end() ? nullptr : &found->second;
}

void Stranger::onFrame(base::Chain&& frame) noexcept {
  auto command = protocol::decodeFrame(std::move(frame));
  demand(command.has_value(), "what the library sends can be read");
  if (!command->isResponse()) {
    if (on_request) on_request(*this, *command);
    return;
  }
  const std::int32_t opaque = command->opaque;
  ++asked_[opaque].answers;
  answers_.insert_or_assign(opaque, *std::move(command));
}

Ref<remoting::ConnectionHandler> StrangerAcceptor::onAccept(Ref<Connection> connection) noexcept {
  ends_.push_back(base::makeRef<Stranger>(engine_));
  ends_.back()->connection = std::move(connection);
  ends_.back()->on_request = on_request;
  return ends_.back();
}

void StrangerAcceptor::closeAll() {
  on_request = nullptr;
  for (const Ref<Stranger>& end : ends_) {
    end->on_request = nullptr;
    end->close("the session ends");
  }
}

Session::Session(sim::SimOptions::Time time) : engine(sim::makeSimEngine({.time = time})), inside(*engine) {
  engine->advance(1s);  // time is not zero in real life
}

Ref<Stranger> Session::connect(const std::string& address) {
  Ref<Stranger> end = base::makeRef<Stranger>(*engine);
  network->connect(*engine, address, end, engine->now() + kConnectWithin,
                   Completion<Ref<Connection>>::of([end](Result<Ref<Connection>>&& made) {
                     if (made) end->connection = *std::move(made);
                   }));
  engine->runUntilIdle();
  demand(end->open(), "a stranger is let in");
  return end;
}

Ref<Stranger> Session::speak(std::string_view address, std::uint8_t pause, const base::Chain& chunks) {
  Ref<Stranger> stranger = connect(std::string(address));
  for (std::size_t i = 0; i < chunks.count(); ++i) {
    stranger->say(base::Chain(chunks[i]));
    engine->runUntilIdle();
    if (pause != 0) engine->advance(pause * 100ms);
  }
  engine->runUntilIdle();
  return stranger;
}

void Session::complete(const std::function<void(Completion<void>)>& begin, base::Nanos limit) {
  bool done = false;
  begin(Completion<void>::of([&done](Result<void>&&) { done = true; }));
  demand(engine->pumpUntil([&done] { return done; }, limit), "an end comes in its time");
  engine->runUntilIdle();
}

void Session::checkNothingIsLeft() {
  engine->advance(kConnectWithin);  // a connect that was given up
  demand(network->openConnections() == 0, "no connection is left");
  demand(engine->armedTimers() == 0, "no timer is left");
}

void checkAnswers(const Stranger& stranger) {
  for (const auto& [opaque, asked] : stranger.asked()) {
    demand(asked.answers <= asked.requests, "a request is answered at most once");
    if (stranger.open() && !asked.may_wait) demand(asked.answers == asked.requests, "and not forgotten");
  }
}

}  // namespace mqclient::fuzz
