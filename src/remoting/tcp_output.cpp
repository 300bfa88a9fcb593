// A TCP connection's output: who pushes to it, who owns it, what is written.
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "remoting/tcp_connection.h"

namespace mqclient::remoting {

using base::Chain;
using base::Object;
using base::Ref;
using base::Slice;

namespace {

constexpr std::size_t kFramesPerWrite = 128;
constexpr std::size_t kPiecesPerWrite = 256;
/// Bytes that gather in the output of a connection at rest before one of those who send writes them.
constexpr std::size_t kGatheredMax = 96u << 10;
/// A server's output that comes to its write goes behind the strands that wait so often at most: what they answer
/// leaves in the same call. Few bytes are one answer, which somebody may wait for alone, and many are worth a call.
constexpr int kPutOffMax = 4;
constexpr std::size_t kPutOffFrom = 2u << 10;
constexpr std::size_t kPutOffBelow = 32u << 10;

}  // namespace

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
      if (waiting < kGatheredMax || !takeGathered()) return;
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

void TcpConnection::gather() noexcept {
  output_rests_.store(true);
  // At rest: its end writes, or who brings more than should wait. Else, or if it just ended, the home reactor does.
  if (resting_.load() || !takeGathered()) return;
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

void TcpConnection::writeOrPutOff() noexcept {
  const std::size_t waiting = output_.used();
  if (serves_ && waiting >= kPutOffFrom && waiting < kPutOffBelow && output_task_.put_off < kPutOffMax &&
      base::Activation::ofThisThread().strandsMayPass()) {
    ++output_task_.put_off;
    output_task_.alive = Ref<Object>(this);
    return base::after(*engine_, output_task_);
  }
  output_task_.put_off = 0;
  writeTurn();
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

}  // namespace mqclient::remoting
