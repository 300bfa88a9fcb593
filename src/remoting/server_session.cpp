#include "remoting/server_session.h"

#include <array>
#include <utility>

namespace mqclient::remoting {

using base::Chain;
using base::Completion;
using base::Next;
using base::Object;
using base::Ref;
using base::SteadyTime;
using protocol::RemotingCommand;

namespace {

/// Questions to one client that wait for its answer. NettyServerConfig.java serverAsyncSemaphoreValue
constexpr std::size_t kQuestionsMax = 64;

constexpr std::uint64_t kQuestionTag = std::uint64_t{1} << 32;

}  // namespace

/// A request from the server to the client, as it travels to the session's strand and waits there.
struct ServerSession::Question final : base::Task, PendingRequest {
  Question(ServerSession& s, std::int32_t number, Chain&& f, SteadyTime until, Completion<RemotingCommand>&& d) noexcept
      : PendingRequest(number, until, std::move(d)), session(s), frame(std::move(f)) {}
  Next run() noexcept override {
    session.ask(*this);
    return Next::kDone;
  }
  ServerSession& session;
  Chain frame;
};

struct ServerSession::SessionPeer final : ConnectionPeer {
  SessionPeer(Ref<ServerSession> s, Ref<Connection> connection, Ref<ConnectionSink> sink)
      : ConnectionPeer(std::move(connection), std::move(sink), s->id_), session(std::move(s)) {}
  void invoke(std::int32_t opaque, Chain frame, SteadyTime deadline,
              Completion<RemotingCommand> done) noexcept override {
    auto* question = new Question(*session, opaque, std::move(frame), deadline, std::move(done));
    question->alive = session;
    session->strand_.post(*question);
  }
  const Ref<ServerSession> session;
};

ServerSession::ServerSession(Ref<ServerShared> shared, Ref<Connection> connection, std::uint64_t id)
    : shared_(std::move(shared)),
      id_(id),
      limited_host_(connection->sameProcess() ? std::string() : std::string(hostOf(connection->peerAddress()))),
      strand_(*shared_->engine),
      connection_(std::move(connection)),
      sink_(base::makeRef<ConnectionSink>(
          shared_->engine, connection_, shared_, shared_->counters.responders_dropped,
          OwedLimits{.under_way = static_cast<std::uint32_t>(shared_->options.in_flight_per_connection_max),
                     .held = static_cast<std::uint32_t>(shared_->options.held_per_connection_max)})),
      idle_timer_(*this, &ServerSession::onIdleCheck),
      deadline_timer_(*this, &ServerSession::onDeadlines) {}

void ServerSession::begin() {
  peer_ = base::makeRef<SessionPeer>(Ref<ServerSession>(this), connection_, sink_);
  lent_ = peer_;
  idle_timer_.armAfter(Ref<Object>(this), shared_->options.idle_close);
}

void ServerSession::close(Error why) {
  strand_.post(Ref<Object>(this), [this, why = std::move(why)]() mutable {
    if (connection_) closeConnection(std::move(why));
  });
}

void ServerSession::closeConnection(Error why) {
  closing_ = true;
  connection_->close(std::move(why));
}

void ServerSession::noteCorrupt(const Error& why) {
  shared_->counters.corrupt_closed.fetch_add(1, std::memory_order_relaxed);
  const std::string& from = connection_->peerAddress();
  if (shared_->log->enabled(LogLevel::kWarn)) {
    shared_->log->writeLimited(LogLevel::kWarn, "remoting", std::string(hostOf(from)), base::kLogPeriod,
                               from + " sent bytes that are no frame: " + why.message());
  }
}

void ServerSession::onFrame(Chain&& frame) noexcept {
  if (closing_) return;
  Result<RemotingCommand> command = protocol::decodeFrame(std::move(frame));
  if (!command) {
    noteCorrupt(command.error());
    return closeConnection(std::move(command).error());
  }
  if (!command->isResponse()) return serve(*std::move(command));
  sink_->touch();
  PendingRequest* const question = questions_.take(command->opaque);
  if (!question) {
    shared_->counters.unknown_answers.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  finish(*question, std::move(command));
}

void ServerSession::serve(RemotingCommand&& request) {
  requests_.store(requests() + 1, std::memory_order_relaxed);
  if (!shared_->handler) {
    sink_->touch();
    if (!request.isOneway()) connection_->send(notSupportedAnswer(request), ConnectionSink::kAnswerTag);
    return;
  }
  sink_->begin();
  Responder responder(sink_, request.opaque, request.serializeType, request.isOneway());
  Request lent{std::move(request), std::move(lent_)};
  shared_->handler->handle(std::move(lent), std::move(responder));
  // Most handlers look at the peer and leave it where it is.
  lent_ = lent.peer ? std::move(lent.peer) : peer_;  // NOLINT(bugprone-use-after-move)
}

bool ServerSession::takesFrames() noexcept {
  if (closing_) return true;  // to drop them
  until_half_ = until_half_ ? !sink_->halfEmpty() : sink_->full();
  return !until_half_;
}

void ServerSession::onDropped(std::uint64_t tag, FrameFate fate) noexcept {
  if ((tag & kQuestionTag) == 0) return;  // an answer: nobody waits for its fate
  PendingRequest* const q = questions_.take(static_cast<std::int32_t>(static_cast<std::uint32_t>(tag)));
  if (!q) return;
  finish(*q, Error(ErrorCode::kConnectionLost, "the client's connection ended before the request was sent", 0,
                   fate == FrameFate::kNotSent ? Applied::kNo : Applied::kUnknown));
}

void ServerSession::onClosed(const Error& why) noexcept {
  if (!closing_ && why.code() == ErrorCode::kCorrupt) noteCorrupt(why);  // where the transport cuts the frames
  closing_ = true;
  peer_->markClosed();
  for (PendingRequest* q : questions_.takeAll()) {
    finish(*q, Error(ErrorCode::kConnectionLost, why.message(), 0, Applied::kUnknown));
  }
  idle_timer_.cancel();
  deadline_timer_.cancel();
  if (shared_->handler) shared_->handler->onPeerClosed(*peer_);
  peer_.reset();
  lent_.reset();
  sink_.reset();
  connection_.reset();
  shared_->onSessionClosed(*this);
}

void ServerSession::onIdleCheck() {
  if (closing_) return;
  const SteadyTime now = strand_.engine().now();
  const bool busy = !sink_->owesNothing() || !questions_.empty();
  const SteadyTime due = (busy ? now : sink_->quietSince()) + shared_->options.idle_close;
  if (due > now) return idle_timer_.arm(Ref<Object>(this), due);
  shared_->counters.idle_closed.fetch_add(1, std::memory_order_relaxed);
  closeConnection(Error(ErrorCode::kConnectionLost, "nothing went over the connection of " +
                                                        connection_->peerAddress() + " for " +
                                                        std::to_string(shared_->options.idle_close.count()) + " ms"));
}

// ---- what the server asks

void ServerSession::ask(Question& q) {
  if (closing_) return finish(q, Error(ErrorCode::kConnectionLost, "the client's connection has ended"));
  if (questions_.size() >= kQuestionsMax || !connection_->hasRoom(q.frame.size())) {
    return finish(q, Error(ErrorCode::kQueueFull, "too many requests to this client are under way"));
  }
  if (!questions_.insert(q)) {
    return finish(q,
                  Error(ErrorCode::kInternal, "request number " + std::to_string(q.opaque) + " is under way already"));
  }
  armDeadlines(q.deadline);
  connection_->send(std::move(q.frame), kQuestionTag | static_cast<std::uint32_t>(q.opaque));
}

void ServerSession::finish(PendingRequest& q, Result<RemotingCommand>&& result) noexcept {
  Completion<RemotingCommand> done = std::move(q.done);
  delete static_cast<Question*>(&q);
  std::move(done)(std::move(result));
}

void ServerSession::armDeadlines(SteadyTime due) {
  if (deadline_timer_.armed() && deadline_timer_.due() <= due) return;
  deadline_timer_.arm(Ref<Object>(this), due);
}

void ServerSession::onDeadlines() {
  std::array<PendingRequest*, kQuestionsMax> expired;
  std::size_t count = 0;
  const SteadyTime earliest = questions_.expire(strand_.engine().now(), expired, count);
  for (std::size_t i = 0; i < count; ++i) {
    finish(*expired[i], Error(ErrorCode::kTimeout, "the client gave no answer in time", 0, Applied::kUnknown));
    sink_->touch();
  }
  if (!questions_.empty()) armDeadlines(earliest);
}

}  // namespace mqclient::remoting
