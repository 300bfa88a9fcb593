#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include "mqclient/export.h"
#include "mqclient/message.h"

namespace mqclient {
inline namespace v1 {

template <class F>
concept SelectsQueue = std::is_invocable_r_v<std::size_t, F&, Queues, const Message&>;

/// Chooses the queue of a message: a MessageQueue (that one), a ready-made selector, or a callable
/// (queues, message) -> index into queues. Runs once per send on the caller's thread if the route is known, else on a
/// listener thread. An index outside the list fails the send with kInvalidArgument, a throw with kUserCode.
class MQCLIENT_EXPORT MessageQueueSelector {
 public:
  MessageQueueSelector(MessageQueue queue) : queue_(std::move(queue)) {}
  template <class F>
  requires(SelectsQueue<std::remove_cvref_t<F>> && !std::same_as<std::remove_cvref_t<F>, MessageQueueSelector>)
      MessageQueueSelector(F&& f) {
    static_assert(std::is_lvalue_reference_v<F> || std::is_trivially_destructible_v<std::remove_cvref_t<F>>,
                  "name it on the line before: g++ 12 would destroy it twice inside co_await");
    keep(f);
  }

  /// The fixed queue, or null for a function.
  const MessageQueue* messageQueue() const noexcept { return queue_ ? &*queue_ : nullptr; }
  /// The function's answer; only if messageQueue() is null.
  std::size_t operator()(Queues queues, const Message& message) { return select_(queues, message); }

 private:
  template <class F>
  void keep(F& f) {
    select_ = f;
  }

  std::optional<MessageQueue> queue_;
  UniqueFunction<std::size_t(Queues, const Message&)> select_;
};

/// |hashCode(key) % n| with Java's hashCode of String, Integer and Long: clients in all languages choose alike.
/// SelectMessageQueueByHash.java
class MQCLIENT_EXPORT SelectMessageQueueByHash {
 public:
  explicit SelectMessageQueueByHash(std::string_view key) noexcept;
  template <std::signed_integral I>
  explicit SelectMessageQueueByHash(I key) noexcept : hash_(hashOf(static_cast<std::int64_t>(key), sizeof(I))) {}

  std::size_t operator()(Queues queues, const Message& message) const noexcept;

 private:
  static std::int32_t hashOf(std::int64_t key, std::size_t bytes) noexcept {
    if (bytes <= 4) return static_cast<std::int32_t>(key);
    const auto bits = static_cast<std::uint64_t>(key);
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(bits ^ (bits >> 32)));
  }

  std::int32_t hash_;
};

/// Uniformly at random. SelectMessageQueueByRandom.java
class MQCLIENT_EXPORT SelectMessageQueueByRandom {
 public:
  std::size_t operator()(Queues queues, const Message& message) const;
};

}  // namespace v1
}  // namespace mqclient
