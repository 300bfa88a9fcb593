#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "base/buffer.h"
#include "base/ref.h"
#include "base/strand.h"

namespace mqclient::base {

/// What is known of a descriptor. `ended`: both directions are over or an error is pending; reading tells which.
struct IoEvents {
  bool readable{false};
  bool writable{false};
  bool ended{false};
};

/// What to hear of a descriptor; level-triggered. `ended` is always heard.
struct IoInterest {
  bool read{false};
  bool write{false};
};

/// Hears of one descriptor. Called on its reactor, outside strands; a strand posted to from here may run right here.
class IoHandler {
 public:
  virtual void onIo(IoEvents events) noexcept = 0;

 protected:
  ~IoHandler() = default;
};

/// What a handler asked its reactor to call it for, at a time. Linked nowhere else; outlives its reactor's knowing it.
class IoAlarm {
 public:
  virtual void onAlarm() noexcept = 0;

 protected:
  ~IoAlarm() = default;

 private:
  friend class ReactorIo;
  std::int64_t due_ = 0;  // steadyNanos; 0: not set
};

/// Where the sockets of one reactor receive: blocks that are filled from front to back and shared by the slices cut
/// from them. A block is written again only as a new one: what a slice covers never changes. Threads  the one that
/// receives.
class ReadBuffer {
 public:
  static constexpr std::size_t kBlockBytes = 128u << 10;
  static constexpr std::size_t kLeastRoom = 64u << 10;

  explicit ReadBuffer(std::size_t block_bytes = kBlockBytes, std::size_t least_room = kLeastRoom) noexcept
      : block_bytes_(block_bytes), least_room_(least_room) {}
  /// At least `least_room` bytes.
  std::span<std::byte> room();
  /// The first `n` bytes of the room, which somebody has written.
  Slice take(std::size_t n) noexcept;

 private:
  const std::size_t block_bytes_;
  const std::size_t least_room_;
  std::shared_ptr<std::byte[]> block_;
  std::size_t used_ = 0;
};

/// One reactor as its sockets see it (N1): a connection joins one for life; reads, arms and closes there, unless it
/// lends its reading to a thread that waits for an answer (base/answer_source.h).
///
/// Threads  post(), isCurrent(), leave(), runtimeOutput(): any; change(): any that keeps remove() from running
///          meanwhile. Everything else: the reactor's own, so inside a posted task or onIo().
/// Lifetime lives as long as its engine, which whoever joined keeps alive.
class IoReactor {
 public:
  /// Runs `t` on the reactor, outside any strand, in order of posting. `t.alive` is held until it has run.
  virtual void post(Task& t) noexcept = 0;
  template <class F>
  void post(Ref<Object> alive, F f) {
    auto* t = new detail::FunctionTask<F>(std::move(f));
    t->alive = std::move(alive);
    post(*t);
  }
  virtual bool isCurrent() const noexcept = 0;
  /// The socket that joined (Engine::joinIo) is gone.
  virtual void leave() noexcept = 0;
  /// Bytes that wait in the outputs of the whole runtime beyond what each connection may hold uncounted (N5).
  virtual std::atomic<std::int64_t>& runtimeOutput() noexcept = 0;

  /// 0, or the errno: the system has no descriptor for a poller left, or cannot poll `fd`. `handler` is heard from now
  /// on until remove().
  virtual int add(int fd, IoHandler& handler, IoInterest interest) noexcept = 0;
  virtual void change(int fd, IoHandler& handler, IoInterest interest) noexcept = 0;
  /// No event of the handler is delivered any more, those at hand included. Before close(2).
  virtual void remove(int fd, IoHandler& handler) noexcept = 0;
  virtual ReadBuffer& readBuffer() noexcept = 0;
  /// Calls onAlarm() once, outside strands, at about `due` (steadyNanos): for less than a timer's tick. Set again it
  /// moves.
  virtual void setAlarm(IoAlarm& alarm, std::int64_t due) noexcept = 0;
  /// It will not ring. Nothing happens if it is not set.
  virtual void cancelAlarm(IoAlarm& alarm) noexcept = 0;

 protected:
  ~IoReactor() = default;
};

}  // namespace mqclient::base
