#include "remoting/tcp_connection.h"

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace mqclient::remoting {

using base::Chain;
using base::Next;
using base::Object;
using base::Ref;
using base::Slice;

namespace {

constexpr int kReadsPerLook = 4;
/// Frames handed to the strand in one task, and held ones handed on in one step (S6).
constexpr std::size_t kFramesPerStep = 64;
constexpr std::size_t kDropsPerStep = 64;
/// The begin of a frame is copied out of the read buffer up to this size: a peer that sends little must not pin a whole
/// block for it.
constexpr std::size_t kCopiedBytes = 8u << 10;
/// Bytes cut and not yet handed on, beyond which an accepted connection is not read.
constexpr std::size_t kUnhandledMax = 1u << 20;
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
  void add(Slice&& frame) {
    bytes += frame.size();
    if (count++ == 0) {
      first = std::move(frame);
      return;
    }
    if (more.empty()) more.reserve(kFramesPerStep - 1);
    more.push_back(std::move(frame));
  }
  Next run() noexcept override {
    std::size_t handed_on = to.arrived(std::move(first));
    for (Slice& frame : more) handed_on += to.arrived(std::move(frame));
    to.handled(handed_on);
    delete this;
    return Next::kDone;
  }
  TcpConnection& to;
  Slice first;
  std::vector<Slice> more;
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
    int failed = 0;
    {
      base::MutexLock lock(reading_mutex_);
      // What was sent since the socket connected may wait for the kernel's room already.
      failed = home_.add(socket_.get(), *this, {.read = true, .write = write_armed_});
      registered_ = failed == 0;
    }
    if (failed != 0) {
      return lost(Error(ErrorCode::kConnectionLost, "the socket cannot be polled: " + systemText(failed)));
    }
  };
  if (home_.isCurrent()) return begin();
  home_.post(Ref<Object>(this), begin);
}

// ---- the end, any thread

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
  const std::uint32_t others = handler_->takeLeastOvertaken();
  if (others < kOthersForRest) return endRest();
  const base::SteadyTime now = engine_->now();
  if (const base::Nanos measured = now - measured_at_; measured >= kMeasured) {
    const auto all = static_cast<std::int64_t>(frames - std::exchange(frames_measured_, frames));
    nanos_a_frame_ = measured <= kMeasuredMax ? measured.count() / all : 0;
    measured_at_ = now;
  }
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
  writeGathered();
}

void TcpConnection::writeGathered() noexcept {
  if (takeGathered()) writeTurn();
}

void TcpConnection::goOnAfterRest() noexcept {
  if (closing_.load()) return;  // its task is on the way
  const Ref<Object> keep(this);
  writeGathered();
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
  bytes_read_.store(bytes_read_.load(std::memory_order_relaxed) + chunk.size(), std::memory_order_relaxed);
  splitter_.feed(chunk);
  FrameBatch* batch = nullptr;
  bool ours = false;  // the strand
  const auto enqueue = [&] {
    if (!batch) return;
    unhandled_.fetch_add(batch->bytes);
    batch->alive = Ref<Object>(this);
    if (strand().enqueue(*std::exchange(batch, nullptr))) ours = true;
  };
  const auto deliver = [&] {
    enqueue();
    if (ours) strand().resume();
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
    batch->add(std::move(**frame).flatten());
    if (batch->count == kFramesPerStep) enqueue();
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
  deliver();  // last: the strand runs here, its answers to the whole chunk too
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
  if (waiting_ || takeGathered() || push(close_node_) == Push::kOwner) finishClose();
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

std::size_t TcpConnection::arrived(Slice&& frame) noexcept {
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

std::size_t TcpConnection::handOn(Slice&& frame) noexcept {
  const std::size_t bytes = frame.size();
  if (!ended_ && !closed_here_.load(std::memory_order_relaxed)) handler_->onFrame(Chain(std::move(frame)));
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
    Slice frame = std::move(held_.front());
    held_.pop_front();
    handed_on += handOn(std::move(frame));
  }
  return ends(Next::kDone);
}

}  // namespace mqclient::remoting
