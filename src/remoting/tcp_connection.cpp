#include "remoting/tcp_connection.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>

namespace mqclient::remoting {

using base::Chain;
using base::Next;
using base::Object;
using base::Ref;
using base::Slice;

namespace {

// The output's word; anything above is the newest frame pushed.
constexpr std::uintptr_t kIdle = 0;
constexpr std::uintptr_t kOwned = 1;
constexpr std::uintptr_t kClosed = 2;

constexpr std::size_t kFramesPerWrite = 64;
constexpr std::size_t kPiecesPerWrite = 256;
constexpr std::size_t kBytesPerTurn = 1u << 20;
constexpr int kReadsPerLook = 4;
/// Frames handed to the strand in one task, and held ones handed on in one step (S6).
constexpr std::size_t kFramesPerStep = 64;
constexpr std::size_t kDropsPerStep = 64;
/// The begin of a frame is copied out of the read buffer up to this size: a peer that sends little must not pin a whole
/// block for it.
constexpr std::size_t kCopiedBytes = 8u << 10;
/// Bytes cut and not yet handed on, beyond which an accepted connection is not read.
constexpr std::size_t kUnhandledMax = 1u << 20;
/// Bytes that gather in the output of a connection at rest before one of those who send writes them.
constexpr std::size_t kGatheredMax = 48u << 10;
/// A connection rests between two readings if each answer that came had at least so many other frames before it: for a
/// kRestPart-th of what an answer takes, kRestMax at most, and not at all below kRestMin.
constexpr std::uint32_t kOthersForRest = 32;
constexpr std::int64_t kRestPart = 10;
constexpr base::Nanos kRestMin{100'000};
constexpr base::Nanos kRestMax{500'000};
constexpr base::Nanos kMeasured{1'000'000};      // over how long the rate of frames is measured
constexpr base::Nanos kMeasuredMax{20'000'000};  // beyond it was a pause that was measured

}  // namespace

/// Frames on the way from the home reactor to the strand.
struct TcpConnection::FrameBatch final : base::Task, base::Pooled {
  explicit FrameBatch(TcpConnection& c) noexcept : to(c) {}
  void add(Chain&& frame) {
    bytes += frame.size();
    if (count++ == 0) {
      first = std::move(frame);
    } else {
      more.push_back(std::move(frame));
    }
  }
  Next run() noexcept override {
    std::size_t handed_on = to.arrived(std::move(first));
    for (Chain& frame : more) handed_on += to.arrived(std::move(frame));
    to.handled(handed_on);
    delete this;
    return Next::kDone;
  }
  TcpConnection& to;
  Chain first;
  std::vector<Chain> more;
  std::size_t count = 0;
  std::size_t bytes = 0;
};

/// The last the strand hears: frames that did not leave, then the end.
struct TcpConnection::EndTask final : base::Task {
  EndTask(TcpConnection& c, OutFrame* list, bool begun) noexcept : of(c), unsent(list), first_begun(begun) {}
  Next run() noexcept override {
    for (std::size_t n = 0; unsent; ++n) {
      if (n == kDropsPerStep) return Next::kAgain;
      OutFrame* const frame = std::exchange(unsent, unsent->next);
      of.handler_->onDropped(frame->tag, std::exchange(first_begun, false) ? FrameFate::kUnknown : FrameFate::kNotSent);
      delete frame;
    }
    of.ended_ = true;
    of.held_.clear();
    of.watch_timer_->cancel();
    of.handler_->onClosed(of.close_why_);
    delete this;
    return Next::kDone;
  }
  TcpConnection& of;
  OutFrame* unsent;
  bool first_begun;  // the kernel has a part of the first one
};

TcpConnection::TcpConnection(Ref<base::Engine> engine, base::IoReactor& home, Descriptor socket, Side side,
                             const TcpOptions& options)
    : engine_(std::move(engine)),
      home_(home),
      options_(options),
      serves_(side == Side::kServer),
      local_(SocketAddress::localOf(socket.get()).text()),
      peer_(SocketAddress::peerOf(socket.get()).text()),
      output_(home.runtimeOutput()),
      output_task_(*this),
      socket_(std::move(socket)),
      close_task_(*this),
      rest_alarm_(*this) {}

TcpConnection::~TcpConnection() {
  assert(!first_ && word_.load(std::memory_order_relaxed) <= kClosed);
  if (!started_) home_.leave();  // refused: nobody ever knew it
}

void TcpConnection::attach(Ref<ConnectionHandler> handler) {
  handler_ = std::move(handler);
  watch_timer_.emplace(*this, strand());
}

void TcpConnection::start() {
  const auto begin = [this] {
    started_ = true;
    self_ = Ref<Object>(this);
    if (close_wanted_) return closeAtHome();
    if (const int failed = home_.add(socket_.get(), *this, {.read = true}); failed != 0) {
      return lost(Error(ErrorCode::kConnectionLost, "the socket cannot be polled: " + systemText(failed)));
    }
    base::MutexLock lock(reading_mutex_);
    registered_ = true;
  };
  if (home_.isCurrent()) return begin();
  home_.post(Ref<Object>(this), begin);
}

// ---- output, any thread

bool TcpConnection::hasRoom(std::size_t bytes) const noexcept {
  return output_.hasRoom(bytes);
}

void TcpConnection::outputShrank(std::size_t bytes) noexcept {
  const std::size_t left = output_.remove(bytes);
  if (left <= kOutputBytesMax / 2) framesWanted();
}

void TcpConnection::framesWanted() noexcept {
  if (held_back_.load() && held_back_.exchange(false)) postResumeHeld();
}

TcpConnection::Push TcpConnection::push(OutFrame& frame) noexcept {
  std::uintptr_t seen = word_.load(std::memory_order_relaxed);
  for (;;) {
    if (seen == kClosed) return Push::kClosed;
    frame.next = seen > kClosed ? reinterpret_cast<OutFrame*>(seen) : nullptr;
    if (word_.compare_exchange_weak(seen, reinterpret_cast<std::uintptr_t>(&frame), std::memory_order_acq_rel,
                                    std::memory_order_relaxed)) {
      return seen == kIdle ? Push::kOwner : Push::kQueued;
    }
  }
}

void TcpConnection::send(Chain frame, std::uint64_t tag, base::SteadyTime useful_until) noexcept {
  if (closing_.load(std::memory_order_acquire)) return reportDropped(tag);
  const std::size_t size = frame.size();
  auto* const out = new OutFrame(std::move(frame), tag, useful_until);
  const std::size_t waiting = output_.add(size);  // first: its owner may write and uncount it at once
  switch (push(*out)) {
    case Push::kQueued:
      if (waiting < kGatheredMax || !output_rests_.load() || !output_rests_.exchange(false)) return;
      output_task_.alive = Ref<Object>(this);
      return base::after(*engine_, output_task_);
    case Push::kClosed:
      delete out;
      output_.remove(size);
      return reportDropped(tag);
    case Push::kOwner:
      break;
  }
  // A client that waits for nothing else writes itself, which saves the wake of the reactor; what follows an unanswered
  // request gathers at home. A server writes after the activation: all its answers in one call.
  if (!serves_ && strand().isCurrent()) {
    if (handler_->moreUnderWay()) return gather();
    base::BlockingCall::offer(*this, *this);
  }
  output_task_.alive = Ref<Object>(this);
  base::after(*engine_, output_task_);
}

void TcpConnection::reportDropped(std::uint64_t tag) noexcept {
  if (strand().isCurrent()) {
    if (!ended_) handler_->onDropped(tag, FrameFate::kNotSent);
    return;
  }
  strand().post(Ref<Object>(this), [this, tag] {
    if (!ended_) handler_->onDropped(tag, FrameFate::kNotSent);
  });
}

void TcpConnection::close(Error why) noexcept {
  closed_here_.store(true, std::memory_order_relaxed);
  if (closing_.exchange(true, std::memory_order_acq_rel)) return;
  close_why_ = std::move(why);
  close_task_.alive = Ref<Object>(this);
  home_.post(close_task_);
}

void TcpConnection::abort(Error why) noexcept {
  aborted_.store(true, std::memory_order_release);
  close(std::move(why));
}

void TcpConnection::gather() noexcept {
  output_rests_.store(true);
  // At rest: its end writes, or who brings more than should wait. Else, or if it just ended, the home reactor does.
  if (resting_.load() || !output_rests_.exchange(false)) return;
  continueAtHome();
}

// ---- output, its owner

void TcpConnection::continueAtHome() noexcept {
  output_task_.alive = Ref<Object>(this);
  home_.post(output_task_);
}

void TcpConnection::takePushed(std::uintptr_t leave) noexcept {
  const std::uintptr_t word = word_.exchange(leave, std::memory_order_acq_rel);
  auto* newest = word > kClosed ? reinterpret_cast<OutFrame*>(word) : nullptr;
  OutFrame* in_order = nullptr;
  OutFrame* last = nullptr;
  while (newest) {
    OutFrame* const older = newest->next;
    if (newest == &close_node_) {
      close_seen_ = true;
    } else {
      if (!in_order) last = newest;
      newest->next = in_order;
      in_order = newest;
    }
    newest = older;
  }
  if (!in_order) return;
  (first_ ? last_->next : first_) = in_order;
  last_ = last;
}

void TcpConnection::writeTurn() noexcept {
  const bool at_home = home_.isCurrent();
  for (std::size_t total = 0;;) {
    if (word_.load(std::memory_order_relaxed) > kClosed) takePushed(kOwned);
    if (close_seen_) return at_home ? finishClose() : continueAtHome();
    if (!first_) {
      std::uintptr_t expected = kOwned;
      if (word_.compare_exchange_strong(expected, kIdle, std::memory_order_acq_rel, std::memory_order_relaxed)) break;
      continue;
    }
    if (total >= kBytesPerTurn) return continueAtHome();
    const Wrote wrote = writeSome(total);
    if (wrote == Wrote::kSome) continue;
    if (!at_home) return continueAtHome();  // it finds the same again, and may wait for what it wants
    return wrote == Wrote::kBlocked ? waitForRoom() : writeFailed();
  }
  if (at_home && write_armed_) armWriting(false);
}

TcpConnection::Wrote TcpConnection::writeSome(std::size_t& total) noexcept {
  std::array<iovec, kPiecesPerWrite> pieces;
  std::size_t count = 0;
  std::size_t bytes = 0;
  std::size_t skip = written_;
  std::size_t frames = 0;
  for (const OutFrame* f = first_; f && frames < kFramesPerWrite; f = f->next, ++frames) {
    for (std::size_t i = 0; i < f->bytes.count() && count < kPiecesPerWrite && bytes < options_.bytes_per_write; ++i) {
      const Slice& piece = f->bytes[i];
      if (skip >= piece.size()) {
        skip -= piece.size();
        continue;
      }
      const std::size_t n = std::min(piece.size() - skip, options_.bytes_per_write - bytes);
      pieces[count++] = {const_cast<std::byte*>(piece.data() + skip), n};
      bytes += n;
      skip = 0;
    }
  }
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = count;
  ssize_t n;
  do {
    n = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? Wrote::kBlocked : Wrote::kFailed;
  wrote(static_cast<std::size_t>(n));
  total += static_cast<std::size_t>(n);
  return static_cast<std::size_t>(n) < bytes ? Wrote::kBlocked : Wrote::kSome;
}

void TcpConnection::wrote(std::size_t bytes) noexcept {
  std::size_t gone = 0;
  written_ += bytes;
  while (first_ && written_ >= first_->bytes.size()) {
    OutFrame* const frame = std::exchange(first_, first_->next);
    const std::size_t size = frame->bytes.size();
    written_ -= size;
    gone += size;
    delete frame;
  }
  if (!first_) last_ = nullptr;
  if (gone > 0) outputShrank(gone);
}

// ---- the home reactor

void TcpConnection::waitForRoom() noexcept {
  waiting_ = true;
  waiting_since_ = engine_->now();
  if (!write_armed_) armWriting(true);
  watch(waiting_since_ + options_.stall_close);
}

void TcpConnection::dropExpired() noexcept {
  home_.post(Ref<Object>(this), [this] { dropExpiredAtHome(); });
}

void TcpConnection::dropExpiredAtHome() noexcept {
  if (!waiting_ || write_failed_) return;  // on its way, or over
  takePushed(kOwned);
  const base::SteadyTime now = engine_->now();
  OutFrame* const begun = written_ > 0 ? first_ : nullptr;
  OutFrame*& head = begun ? begun->next : first_;
  std::size_t gone = 0;
  while (head && head->useful_until <= now) {
    OutFrame* const frame = std::exchange(head, head->next);
    gone += frame->bytes.size();
    delete frame;
  }
  if (!head) last_ = begun;
  if (gone > 0) outputShrank(gone);
}

void TcpConnection::writeFailed() noexcept {
  waiting_ = true;  // the output stays ours: nothing is written any more
  write_failed_ = true;
  // What the peer said before it went away is read first; not here, where cut() may be on the stack.
  home_.post(Ref<Object>(this), [this, error = errno] {
    if (registered_ && reading_) read();
    lost(Error(ErrorCode::kConnectionLost, systemText(error)));
  });
}

void TcpConnection::setInterest() noexcept {
  if (!registered_) return;
  const bool read = reading_ && reader_ != Reader::kLent && !resting_.load(std::memory_order_relaxed);
  home_.change(socket_.get(), *this, {.read = read, .write = write_armed_});
}

void TcpConnection::armWriting(bool armed) noexcept {
  base::MutexLock lock(reading_mutex_);
  write_armed_ = armed;
  setInterest();
}

void TcpConnection::setReading(bool reading) noexcept {
  base::MutexLock lock(reading_mutex_);
  reading_ = reading;
  setInterest();
}

void TcpConnection::onIo(base::IoEvents events) noexcept {
  const Ref<Object> keep(this);
  if (events.writable && waiting_ && !write_failed_) {
    waiting_ = false;
    writeTurn();
  }
  if (!registered_) return;
  if ((events.readable || events.ended) && reading_) {
    read();
    return considerRest();
  }
  if (!events.ended) return;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  lost(Error(ErrorCode::kConnectionLost, error != 0 ? systemText(error) : "the connection was closed by the peer"));
}

void TcpConnection::read() noexcept {
  {
    base::MutexLock lock(reading_mutex_);
    if (reader_ == Reader::kLent) return;  // whoever has it reads, and the poller tells again once it is back
    reader_ = Reader::kHome;
  }
  std::string why;
  Got got = Got::kMore;
  for (int n = 0; n < kReadsPerLook && registered_ && reading_ && got == Got::kMore; ++n) {
    got = receive(home_.readBuffer(), why);
  }
  {
    base::MutexLock lock(reading_mutex_);
    reader_ = Reader::kNobody;
  }
  if (got == Got::kEnd) lost(Error(ErrorCode::kConnectionLost, std::move(why)));
}

// ---- rests (docs/decisions/0014-rests.md)

void TcpConnection::considerRest() noexcept {
  if (serves_) return;
  const std::size_t frames = frames_cut_.load(std::memory_order_relaxed);
  if (std::exchange(frames_known_, frames) == frames || !registered_) return endRest();
  const base::SteadyTime now = engine_->now();
  if (const base::Nanos measured = now - measured_at_; measured >= kMeasured) {
    const auto all = static_cast<std::int64_t>(frames - std::exchange(frames_measured_, frames));
    nanos_a_frame_ = measured <= kMeasuredMax ? measured.count() / all : 0;
    measured_at_ = now;
  }
  const std::uint32_t others = handler_->takeLeastOvertaken();
  if (others < kOthersForRest) return endRest();
  // An answer takes about as long as `others` frames take to come. A rest is a tenth of that.
  const base::Nanos rest = std::min(base::Nanos(nanos_a_frame_ * others / kRestPart), kRestMax);
  if (rest < kRestMin) return endRest();
  home_.setAlarm(rest_alarm_, (now + rest).time_since_epoch().count());
  if (resting_.load(std::memory_order_relaxed)) return;
  handler_->onRest(true);
  base::MutexLock lock(reading_mutex_);
  resting_.store(true);
  setInterest();
}

void TcpConnection::stopResting() noexcept {
  if (!resting_.load(std::memory_order_relaxed)) return;
  home_.cancelAlarm(rest_alarm_);
  handler_->onRest(false);
  base::MutexLock lock(reading_mutex_);
  resting_.store(false);
  setInterest();
}

void TcpConnection::endRest() noexcept {
  stopResting();
  if (output_rests_.load() && output_rests_.exchange(false)) writeTurn();
}

void TcpConnection::goOnAfterRest() noexcept {
  if (closing_.load()) return;  // its task is on the way
  const Ref<Object> keep(this);
  if (output_rests_.exchange(false)) writeTurn();
  if (registered_ && reading_) read();
  considerRest();
}

TcpConnection::Got TcpConnection::receive(base::ReadBuffer& buffer, std::string& why) noexcept {
  const std::span<std::byte> room = buffer.room();
  ssize_t got;
  do {
    got = ::recv(socket_.get(), room.data(), room.size(), MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Got::kAll;
  if (got <= 0) {
    why = got == 0 ? "the connection was closed by the peer" : systemText(errno);
    return Got::kEnd;
  }
  cut(buffer.take(static_cast<std::size_t>(got)));
  // Less than there was room for: as a rule that was all, and the poller tells if it was not.
  return static_cast<std::size_t>(got) < room.size() ? Got::kAll : Got::kMore;
}

// ---- reading, lent to a thread that waits

bool TcpConnection::borrowReading(base::WaitSeat& seat) noexcept {
  base::MutexLock lock(reading_mutex_);
  if (!registered_ || !reading_ || reader_ != Reader::kNobody || closing_.load(std::memory_order_relaxed)) return false;
  reader_ = Reader::kLent;
  borrower_ = &seat;
  setInterest();
  return true;
}

void TcpConnection::giveReadingBack() noexcept {
  {
    base::MutexLock lock(reading_mutex_);
    reader_ = Reader::kNobody;
    borrower_ = nullptr;
    if (!close_waits_) return setInterest();
  }
  home_.post(Ref<Object>(this), [this] {
    if (registered_ && reading_) read();  // what the peer said before the end
    closeAtHome();
  });
}

void TcpConnection::receiveUntil(base::WaitSlot& slot, base::WaitSeat& seat, base::SteadyTime deadline) noexcept {
  if (!borrowReading(seat)) return;
  std::string why;
  while (!slot.settled() && !closing_.load(std::memory_order_relaxed)) {
    if (seat.waitAt(socket_.get(), deadline) != base::WaitSeat::Woke::kSocket) break;
    if (receive(seat.buffer(), why) != Got::kEnd) continue;
    lost(Error(ErrorCode::kConnectionLost, std::move(why)));  // a reset is told once: the home reactor would see an end
    break;
  }
  giveReadingBack();
}

void TcpConnection::cut(Slice chunk) noexcept {
  if (splitter_.buffered() > 0 && chunk.size() <= kCopiedBytes) chunk = Slice::copyOf(chunk.bytes());
  const std::size_t before = splitter_.buffered();
  splitter_.feed(chunk);
  FrameBatch* batch = nullptr;
  const auto deliver = [&] {
    if (!batch) return;
    unhandled_.fetch_add(batch->bytes);
    batch->alive = Ref<Object>(this);
    strand().post(*std::exchange(batch, nullptr));
  };
  bool any = false;
  for (;;) {
    Result<std::optional<Chain>> frame = splitter_.next();
    if (!frame) {
      deliver();
      return lost(std::move(frame).error());
    }
    if (!*frame) break;
    any = true;
    frames_cut_.store(frames_cut_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (!batch) batch = new FrameBatch(*this);
    // Pieces are joined here: those who read the body would join them inside a strand, megabytes at a time (S6).
    batch->add((*frame)->count() > 1 ? Chain((*frame)->flatten()) : std::move(**frame));
    if (batch->count == kFramesPerStep) deliver();
  }
  const std::size_t left = splitter_.buffered();
  if ((any || before == 0) && left > 0 && left <= std::min(kCopiedBytes, chunk.size())) {
    splitter_ = protocol::FrameSplitter();
    splitter_.feed(Slice::copyOf(chunk.sub(chunk.size() - left, left).bytes()));
  }
  if (serves_ && left > 0) {
    if (any || before == 0) frame_begun_ = engine_->now();
    watch(frameDue());
  }
  deliver();  // last: the strand runs here, its answers too
  if (serves_ && unhandled_.load() > kUnhandledMax) pauseReading();
}

void TcpConnection::pauseReading() noexcept {
  setReading(false);
  read_paused_.store(true);
  if (unhandled_.load() <= kUnhandledMax / 2 && read_paused_.exchange(false)) resumeReading();
}

void TcpConnection::resumeReading() noexcept {
  setReading(true);
  if (splitter_.buffered() == 0) return;
  frame_begun_ = engine_->now();  // it was us who did not go on with it
  watch(frameDue());
}

base::SteadyTime TcpConnection::frameDue() const noexcept {
  const auto seconds = static_cast<std::int64_t>(splitter_.buffered() / options_.frame_bytes_per_second);
  return frame_begun_ + options_.frame_deadline + std::chrono::seconds(seconds);
}

void TcpConnection::watch(base::SteadyTime due) noexcept {
  if (watch_due_ <= due) return;
  watch_due_ = due;
  strand().post(Ref<Object>(this), [this, due] {
    if (!ended_) watch_timer_->arm(Ref<Object>(this), due);
  });
}

void TcpConnection::WatchTimer::onTimer() noexcept {
  connection.home_.post(Ref<Object>(&connection), [c = &connection] { c->onWatch(); });
}

void TcpConnection::onWatch() noexcept {
  watch_due_ = base::SteadyTime::max();
  if (!registered_) return;
  const base::SteadyTime now = engine_->now();
  if (waiting_) {
    const base::SteadyTime due = waiting_since_ + options_.stall_close;
    if (now >= due) {
      return lost(Error(ErrorCode::kConnectionLost,
                        peer_ + " has taken no byte for " + std::to_string(options_.stall_close.count()) + " ms"));
    }
    watch(due);
  }
  // While we do not read, the peer cannot finish its frame.
  if (!serves_ || splitter_.buffered() == 0 || !reading_) return;
  if (now >= frameDue()) {
    return lost(Error(ErrorCode::kConnectionLost, peer_ + " did not finish a frame in time: " +
                                                      std::to_string(splitter_.buffered()) + " bytes of it came"));
  }
  watch(frameDue());
}

void TcpConnection::lost(Error why) noexcept {
  if (closing_.exchange(true, std::memory_order_acq_rel)) return;  // close() was called: its task is on the way
  close_why_ = std::move(why);
  if (home_.isCurrent()) return closeAtHome();
  close_task_.alive = Ref<Object>(this);
  home_.post(close_task_);
}

void TcpConnection::closeAtHome() noexcept {
  if (!started_) {
    close_wanted_ = true;
    return;
  }
  if (registered_) {
    stopResting();
    {
      base::MutexLock lock(reading_mutex_);
      if (reader_ == Reader::kLent) {  // comes again with it
        close_waits_ = true;
        borrower_->kick();
        return;
      }
      registered_ = false;
    }
    home_.remove(socket_.get(), *this);
  }
  if (waiting_ || output_rests_.exchange(false) || push(close_node_) == Push::kOwner) finishClose();
  // else the output's owner finds close_node_ and brings the output here
}

void TcpConnection::finishClose() noexcept {
  const Ref<Object> keep = std::move(self_);
  waiting_ = false;  // dropExpiredAtHome() has no output any more
  takePushed(kOwned);
  if (aborted_.load(std::memory_order_acquire)) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  } else if (closed_here_.load(std::memory_order_relaxed) && !write_failed_) {
    // What was sent before a close of our own leaves if the kernel takes it.
    for (std::size_t total = 0; first_ && total < kBytesPerTurn && writeSome(total) == Wrote::kSome;) {
    }
  }
  takePushed(kClosed);
  std::size_t dropped = 0;
  for (const OutFrame* f = first_; f; f = f->next) dropped += f->bytes.size();
  if (dropped > 0) output_.remove(dropped);
  socket_.reset();
  home_.leave();
  auto* const end = new EndTask(*this, std::exchange(first_, nullptr), written_ > 0);
  last_ = nullptr;
  end->alive = keep;
  strand().post(*end);
}

// ---- inside the handler's strand

std::size_t TcpConnection::arrived(Chain&& frame) noexcept {
  if (serves_ && (!held_.empty() || mustHold())) {
    // N5: an answer is never refused, so whoever asks without taking the answers, or more than the handler takes, is
    // not served until half is out, and soon not read either.
    held_.push_back(std::move(frame));
    held_back_.store(true);
    if (!mustHold() && held_back_.exchange(false)) postResumeHeld();
    return 0;
  }
  return handOn(std::move(frame));
}

std::size_t TcpConnection::handOn(Chain&& frame) noexcept {
  const std::size_t bytes = frame.size();
  if (!ended_ && !closed_here_.load(std::memory_order_relaxed)) handler_->onFrame(std::move(frame));
  return bytes;
}

void TcpConnection::handled(std::size_t bytes) noexcept {
  const std::size_t left = unhandled_.fetch_sub(bytes) - bytes;
  if (read_paused_.load() && left <= kUnhandledMax / 2 && read_paused_.exchange(false)) {
    home_.post(Ref<Object>(this), [this] { resumeReading(); });
  }
}

void TcpConnection::postResumeHeld() noexcept {
  strand().post(Ref<Object>(this), [this] { return resumeHeld(); });
}

Next TcpConnection::resumeHeld() noexcept {
  std::size_t handed_on = 0;
  const auto ends = [&](Next next) {
    handled(handed_on);
    return next;
  };
  for (std::size_t n = 0; !held_.empty(); ++n) {
    if (n == kFramesPerStep) return ends(Next::kAgain);
    if (mustHold()) {
      held_back_.store(true);
      if (mustHold() || !held_back_.exchange(false)) return ends(Next::kDone);
    }
    Chain frame = std::move(held_.front());
    held_.pop_front();
    handed_on += handOn(std::move(frame));
  }
  return ends(Next::kDone);
}

}  // namespace mqclient::remoting
