#include "remoting/client_channel.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/backoff.h"
#include "base/buggify.h"

namespace mqclient::remoting {

using base::Chain;
using base::Completion;
using base::Millis;
using base::Nanos;
using base::Next;
using base::Object;
using base::Ref;
using base::SteadyTime;
using protocol::RemotingCommand;

namespace {

/// Requests failed or expired in one step of the strand (S6).
constexpr int kRequestsPerStep = 64;
/// A look at a full output, for those who wait for room in it: 32 MiB take longer to leave.
constexpr Millis kLookForRoom{5};
/// Doublings of the back-off that are worth counting.
constexpr int kFailuresCounted = 16;
/// Clients that lost the same broker at the same moment must not come back at the same moment.
constexpr int kBackoffJitterPercent = 25;

/// Of who takes the answer, made on another core as a rule.
constexpr std::size_t kReceiverFetched = 5 * base::kCacheLine;

// Connection::send's tags: which request a dropped frame was.
constexpr std::uint64_t kRequestTag = std::uint64_t{1} << 32;
std::uint64_t tagOf(std::int32_t opaque) noexcept {
  return kRequestTag | static_cast<std::uint32_t>(opaque);
}

Error unsent(const Error& why) {
  return Error(why.code(), why.message());
}
Error perhapsSent(const Error& why) {
  return Error(why.code(), why.message(), 0, Applied::kUnknown);
}

}  // namespace

Next Invocation::run() noexcept {
  channel.start(*this);
  return Next::kDone;
}

ClientChannel::ClientChannel(Ref<ClientShared> shared, std::string address)
    : shared_(std::move(shared)),
      address_(std::move(address)),
      home_turn_(*this),
      strand_(*shared_->engine),
      deadline_timer_(*this, &ClientChannel::onDeadlines),
      room_timer_(*this, &ClientChannel::flushWaiting),
      idle_timer_(*this, &ClientChannel::onIdleCheck) {}

void ClientChannel::become(State to, std::string_view why) {
  constexpr const char* kNames[] = {"idle", "connecting", "open", "closing", "ended"};
  if (shared_->log->enabled(LogLevel::kDebug)) {
    shared_->log->write(LogLevel::kDebug, "remoting",
                        address_ + ": " + kNames[static_cast<int>(state_)] + " -> " + kNames[static_cast<int>(to)] +
                            ": " + std::string(why));
  }
  state_ = to;
  if (to != State::kEnded) return;
  deadline_timer_.cancel();  // the timers must not keep what has ended; doomed requests end without it
  room_timer_.cancel();
  idle_timer_.cancel();
  shared_->onChannelEnded();
}

// ---- requests

void ClientChannel::invoke(Ref<ClientChannel> to, Invocation& i, Pace pace) noexcept {
  ClientChannel& c = *to;
  i.alive = std::move(to);
  // At rest frames gather in the output: then the sender runs all, and what it touched stays in its core's cache.
  const bool gathers = pace == Pace::kGather && !c.rests_.load(std::memory_order_relaxed);
  base::IoReactor* const home = gathers ? c.home_.load(std::memory_order_relaxed) : nullptr;
  if (!home) return c.strand_.post(i);
  if (!c.strand_.enqueue(i)) return;
  c.home_turn_.alive = Ref<Object>(&c);  // the strand is ours: the invocation keeps the channel until it has run
  home->post(c.home_turn_);
}

void ClientChannel::start(Invocation& i) {
  if (end_why_) return finish(i, unsent(*end_why_));
  switch (state_) {
    case State::kOpen: {
      const bool first = waiting_.empty();
      // Those who wait for room keep their order and do not hold up those who do not, who keep theirs.
      const bool passes = i.when_full == WhenOutputFull::kRefuse && room_timer_.armed() && unwilling_ == 0;
      if (first ? !mustWaitForRoom(i) : passes) return transmit(i);
      wait(i);
      if (first) flushWaiting();
      return;
    }
    case State::kConnecting:
    case State::kClosing:
      return wait(i);
    case State::kIdle:
    case State::kEnded:
      break;
  }
  if (failures_ > 0) {
    const SteadyTime now = strand_.engine().now();
    if (now < retry_at_) {
      const auto left = std::chrono::ceil<Millis>(retry_at_ - now).count();
      return finish(i, Error(ErrorCode::kUnreachable, "no connection to " + address_ + ": " + last_failure_ +
                                                          "; next attempt in " + std::to_string(left) + " ms"));
    }
  }
  wait(i);
  connect();
}

void ClientChannel::wait(Invocation& i) {
  waiting_.append(i);
  if (i.when_full == WhenOutputFull::kRefuse) ++unwilling_;
  waiting_deadlines_.add(i);
  armDeadlines(i.deadline);
}

bool ClientChannel::mustWaitForRoom(const Invocation& i) const noexcept {
  if (i.when_full == WhenOutputFull::kRefuse || i.frame.size() > kOutputBytesMax) return false;
  return !connection_->hasRoom(i.frame.size());
}

void ClientChannel::transmit(Invocation& i) {
  // Who waits for room has been asked already; what others took since is no reason to refuse it.
  const bool refuses = i.when_full == WhenOutputFull::kRefuse || i.frame.size() > kOutputBytesMax;
  if (refuses && !connection_->hasRoom(i.frame.size())) {
    return finish(i, Error(ErrorCode::kQueueFull, "the output to " + address_ + " is full (" +
                                                      std::to_string(kOutputBytesMax >> 20) + " MiB): try later"));
  }
  if (i.oneway) {
    Chain frame = std::move(i.frame);
    Completion<void> placed = letGo(i).placed;
    quiet_since_ = strand_.engine().coarseNow();
    connection_->send(std::move(frame), ConnectionSink::kAnswerTag);
    return std::move(placed)(Result<void>());
  }
  if (!sent_.insert(i)) {
    return finish(i,
                  Error(ErrorCode::kInternal, "request number " + std::to_string(i.opaque) + " is under way already"));
  }
  i.received_before = received_;
  i.done.expect(kReceiverFetched);
  armDeadlines(i.deadline);
  connection_->send(std::move(i.frame), tagOf(i.opaque), i.deadline);  // last: a closed connection reports back at once
}

void ClientChannel::stopWaiting(Invocation& i) noexcept {
  waiting_.remove(i);
  if (i.when_full == WhenOutputFull::kRefuse) --unwilling_;
  waiting_deadlines_.remove(i);
}

Invocation* ClientChannel::firstUnwilling() const noexcept {
  if (unwilling_ == 0) return nullptr;
  PendingRequest* r = waiting_.front();
  while (static_cast<Invocation*>(r)->when_full != WhenOutputFull::kRefuse) r = r->list_after;
  return static_cast<Invocation*>(r);
}

ClientChannel::Settlers ClientChannel::letGo(Invocation& i) noexcept {
  Settlers settlers{std::move(i.done), std::move(i.placed)};
  if (++let_go_ >= shared_->counted_late || sent_.empty()) uncount();
  delete &i;
  return settlers;
}

void ClientChannel::uncount() noexcept {
  shared_->in_flight.fetch_sub(std::exchange(let_go_, 0), std::memory_order_relaxed);
}

void ClientChannel::finish(Invocation& i, Result<RemotingCommand>&& result) noexcept {
  Settlers settlers = letGo(i);
  if (settlers.done) {
    std::move(settlers.done)(std::move(result));
  } else if (settlers.placed) {
    std::move(settlers.placed)(std::move(result).error());
  }
}

// ---- deadlines

void ClientChannel::armDeadlines(SteadyTime due) {
  if (deadline_timer_.armed() && deadline_timer_.due() <= due) return;  // it will look again
  deadline_timer_.arm(Ref<Object>(this), due);
}

void ClientChannel::onDeadlines() {
  const SteadyTime now = strand_.engine().now();
  for (int n = 0; n < kRequestsPerStep && !waiting_.empty(); ++n) {
    auto& i = static_cast<Invocation&>(*waiting_deadlines_.earliest());
    if (i.deadline > now) break;
    stopWaiting(i);
    shared_->counters.timeouts.fetch_add(1, std::memory_order_relaxed);
    finish(i, Error(ErrorCode::kTimeout, state_ == State::kOpen
                                             ? "the output to " + address_ + " was full all the time: it takes nothing"
                                             : "no connection to " + address_ + " in time"));
  }
  std::array<PendingRequest*, kRequestsPerStep> expired;
  std::size_t count = 0;
  const SteadyTime earliest = sent_.expire(now, expired, count);
  bool half_open = false;
  for (std::size_t n = 0; n < count; ++n) {
    auto& i = static_cast<Invocation&>(*expired[n]);
    shared_->counters.timeouts.fetch_add(1, std::memory_order_relaxed);
    if (i.received_before == received_) {
      const std::uint64_t bytes = connection_ ? connection_->bytesReceived() : 0;
      if (!silent_since_ || silent_bytes_ != bytes) silent_since_ = now;
      silent_bytes_ = bytes;
      half_open = half_open || now - *silent_since_ >= shared_->options.half_open_close;
    }
    finish(i, Error(ErrorCode::kTimeout, "no answer from " + address_ + " in time", 0, Applied::kUnknown));
  }
  if (count > 0 && sent_.empty()) quiet_since_ = now;
  if (count > 0 && state_ == State::kOpen) connection_->dropExpired();
  if (!sent_.empty()) armDeadlines(earliest);
  if (!waiting_.empty()) armDeadlines(waiting_deadlines_.earliest()->deadline);
  if (half_open && state_ == State::kOpen) {
    shared_->counters.half_open_closed.fetch_add(1, std::memory_order_relaxed);
    closeConnection(
        Error(ErrorCode::kConnectionLost,
              "requests to " + address_ + " time out and not a byte comes: the connection is taken for dead"));
  }
}

void ClientChannel::onIdleCheck() {
  if (state_ != State::kOpen) return;
  const SteadyTime now = strand_.engine().now();
  SteadyTime quiet = quiet_since_;
  if (sink_) quiet = std::max(quiet, sink_->quietSince());
  if (!sent_.empty() || (sink_ && !sink_->owesNothing())) quiet = now;
  const SteadyTime due = quiet + shared_->options.idle_close;
  if (due > now) return idle_timer_.arm(Ref<Object>(this), due);
  shared_->counters.idle_closed.fetch_add(1, std::memory_order_relaxed);
  closeConnection(Error(ErrorCode::kConnectionLost, "nothing went over the connection to " + address_ + " for " +
                                                        std::to_string(shared_->options.idle_close.count()) + " ms"));
}

// ---- the connection

void ClientChannel::connect() {
  become(State::kConnecting, "a request waits");
  shared_->counters.connect_attempts.fetch_add(1, std::memory_order_relaxed);
  const Ref<ClientChannel> self(this);
  const SteadyTime deadline = strand_.engine().now() + shared_->options.connect_timeout;
  shared_->transport->connect(strand_.engine(), address_, self, deadline,
                              Completion<Ref<Connection>>::of(
                                  [self](Result<Ref<Connection>>&& result) { self->onConnect(std::move(result)); }));
}

void ClientChannel::onConnect(Result<Ref<Connection>> result) {
  if (state_ == State::kEnded) {
    if (result) (*result)->close(*end_why_);  // connected too late: nobody waits any more
    return;
  }
  if (!result) {
    const Error& why = result.error();
    shared_->counters.connect_failures.fetch_add(1, std::memory_order_relaxed);
    noteFailure(why);
    become(State::kIdle, why.message());
    return failWaiting(Error(ErrorCode::kUnreachable, "no connection to " + address_ + ": " + why.message()));
  }
  connection_ = *std::move(result);
  home_.store(connection_->home(), std::memory_order_relaxed);
  shared_->open.fetch_add(1, std::memory_order_relaxed);
  ++connections_made_;
  received_ = 0;
  silent_since_.reset();
  close_why_.reset();
  become(State::kOpen, "connected");
  quiet_since_ = strand_.engine().now();
  idle_timer_.arm(Ref<Object>(this), quiet_since_ + shared_->options.idle_close);
  if (shared_->events) shared_->events->onConnected(address_);
  flushWaiting();
}

void ClientChannel::flushWaiting() {
  for (int n = 0; !waiting_.empty() && state_ == State::kOpen; ++n) {
    if (n == kRequestsPerStep) {
      return strand_.post(Ref<Object>(this), [this] { flushWaiting(); });
    }
    auto* i = static_cast<Invocation*>(waiting_.front());
    if (mustWaitForRoom(*i)) {
      if (!room_timer_.armed()) room_timer_.armAfter(Ref<Object>(this), kLookForRoom);
      i = firstUnwilling();
      if (!i) return;
    }
    stopWaiting(*i);
    transmit(*i);
  }
}

void ClientChannel::closeConnection(Error why) {
  become(State::kClosing, why.message());
  close_why_ = why;
  connection_->close(std::move(why));
}

void ClientChannel::noteCorrupt(const Error& why) {
  shared_->counters.corrupt_closed.fetch_add(1, std::memory_order_relaxed);
  if (shared_->log->enabled(LogLevel::kError)) {
    shared_->log->writeLimited(LogLevel::kError, "remoting", address_, base::kLogPeriod,
                               address_ + " sent bytes that are no frame: " + why.message());
  }
}

void ClientChannel::onClosed(const Error& heard) noexcept {
  if (!connection_) return;                                                    // of a connection that came too late
  if (!close_why_ && heard.code() == ErrorCode::kCorrupt) noteCorrupt(heard);  // where the transport cuts the frames
  const Error why = close_why_ ? *close_why_ : heard;
  shared_->open.fetch_sub(1, std::memory_order_relaxed);
  idle_timer_.cancel();
  room_timer_.cancel();
  home_.store(nullptr, std::memory_order_relaxed);
  connection_.reset();
  if (peer_) {
    peer_->markClosed();
    if (shared_->handler) shared_->handler->onPeerClosed(*peer_);
  }
  peer_.reset();
  sink_.reset();
  // A peer that accepts and then closes, or talks gibberish, is no success: back off.
  if (received_ == 0 && (!close_why_ || close_why_->code() == ErrorCode::kCorrupt)) noteFailure(why);
  if (shared_->events) shared_->events->onDisconnected(address_, why);
  failSent(Error(why.code(), "the connection to " + address_ + " ended: " + why.message()));
  if (end_why_) return become(State::kEnded, end_why_->message());
  become(State::kIdle, why.message());
  if (waiting_.empty()) return;
  if (failures_ > 0) {
    return failWaiting(Error(ErrorCode::kUnreachable, "no connection to " + address_ + ": " + why.message()));
  }
  connect();
}

void ClientChannel::noteFailure(const Error& why) {
  failures_ = std::min(failures_ + 1, kFailuresCounted);
  last_failure_ = why.message();
  base::Engine& engine = strand_.engine();
  const base::Backoff backoff{shared_->options.reconnect_backoff_min, shared_->options.reconnect_backoff_max,
                              kBackoffJitterPercent};
  retry_at_ = engine.now() + base::backoffDelay(backoff, failures_, engine.random());
  if (shared_->log->enabled(LogLevel::kWarn)) {
    shared_->log->writeLimited(LogLevel::kWarn, "remoting", address_, base::kLogPeriod,
                               "no connection to " + address_ + ": " + why.message());
  }
}

void ClientChannel::failWaiting(const Error& why) {
  waiting_deadlines_.clear();
  unwilling_ = 0;
  doom(waiting_, why);
}

void ClientChannel::failSent(const Error& why) {
  RequestList all;
  all.splice(unsent_);
  for (PendingRequest* r : sent_.takeAll()) {
    static_cast<Invocation*>(r)->perhaps_sent = true;
    all.append(*r);
  }
  doom(all, why);
}

void ClientChannel::doom(RequestList& list, Error why) {
  if (list.empty()) return;
  failDoomed(static_cast<int>(shared_->options.in_flight_max));  // of a failure before this one: as a rule none
  doomed_.splice(list);
  doom_ = std::move(why);
  if (failDoomed(kRequestsPerStep) == Next::kAgain) {
    strand_.post(Ref<Object>(this), [this] { return failDoomed(kRequestsPerStep); });
  }
}

Next ClientChannel::failDoomed(int at_most) {
  for (int n = 0; !doomed_.empty(); ++n) {
    if (n == at_most) return Next::kAgain;
    auto& i = static_cast<Invocation&>(*doomed_.front());
    doomed_.remove(i);
    finish(i, i.perhaps_sent ? perhapsSent(*doom_) : unsent(*doom_));
  }
  return Next::kDone;
}

void ClientChannel::end(Error why) {
  strand_.post(Ref<Object>(this), [this, why = std::move(why)]() mutable {
    if (end_why_) return;
    end_why_ = std::move(why);
    failWaiting(*end_why_);
    if (state_ == State::kOpen) return closeConnection(*end_why_);
    if (state_ == State::kClosing) return;  // onClosed ends it
    become(State::kEnded, end_why_->message());
  });
}

// ---- what comes in

void ClientChannel::onFrame(Chain&& frame) noexcept {
  if (state_ != State::kOpen) return;
  Result<RemotingCommand> command = protocol::decodeFrame(std::move(frame));
  if (!command) {
    noteCorrupt(command.error());
    return closeConnection(
        Error(ErrorCode::kCorrupt, address_ + " sent bytes that are no frame: " + command.error().message()));
  }
  ++received_;
  failures_ = 0;
  silent_since_.reset();
  if (!command->isResponse()) return serve(*std::move(command));
  auto* const i = static_cast<Invocation*>(sent_.take(command->opaque));
  if (!i) {
    shared_->counters.unknown_answers.fetch_add(1, std::memory_order_relaxed);
    if (sent_.empty()) quiet_since_ = strand_.engine().coarseNow();
    return;
  }
  if (sent_.empty()) quiet_since_ = strand_.engine().coarseNow();  // while something is pending nobody asks
  const auto overtaken = static_cast<std::uint32_t>(std::min<std::uint64_t>(received_ - i->received_before, INT32_MAX));
  if (overtaken < least_overtaken_.load(std::memory_order_relaxed)) {
    least_overtaken_.store(overtaken, std::memory_order_relaxed);
  }
  finish(*i, std::move(command));
  if (sent_.empty() && state_ == State::kOpen && MQ_BUGGIFY(strand_.engine(), kIdleConnectionCloses)) {
    closeConnection(Error(ErrorCode::kConnectionLost, "nothing is asked of " + address_ + " now"));
  }
}

void ClientChannel::serve(RemotingCommand&& request) {
  if (!sink_) {
    const auto most = static_cast<std::uint32_t>(shared_->options.served_in_flight_max);
    sink_ = base::makeRef<ConnectionSink>(shared_->engine, connection_, shared_, shared_->counters.responders_dropped,
                                          OwedLimits{.under_way = most, .held = most});
    peer_ = base::makeRef<ConnectionPeer>(connection_, sink_, connections_made_);
  }
  sink_->touch();
  if (!shared_->handler) {
    if (!request.isOneway()) connection_->send(notSupportedAnswer(request), ConnectionSink::kAnswerTag);
    return;
  }
  // A client never stops reading: the answers that it waits for come the same way (N5).
  if (sink_->full()) {
    shared_->counters.busy_refused.fetch_add(1, std::memory_order_relaxed);
    if (!request.isOneway()) {
      connection_->send(busyAnswer(request, shared_->options.served_in_flight_max), ConnectionSink::kAnswerTag);
    }
    return;
  }
  sink_->begin();
  Responder responder(sink_, request.opaque, request.serializeType, request.isOneway());
  shared_->handler->handle(Request{std::move(request), peer_}, std::move(responder));
}

void ClientChannel::onDropped(std::uint64_t tag, FrameFate fate) noexcept {
  // What may have left stays with those that have: all of them hear in onClosed why the connection ended.
  if ((tag & kRequestTag) == 0 || fate != FrameFate::kNotSent) return;
  PendingRequest* const unsent = sent_.take(static_cast<std::int32_t>(static_cast<std::uint32_t>(tag)));
  if (unsent) unsent_.append(*unsent);
}

}  // namespace mqclient::remoting
