#pragma once

#include <functional>
#include <iosfwd>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "mqclient/export.h"

namespace mqclient {
inline namespace v1 {

/// What the caller can do about a failure. The broker's own number, where there is one, is Error::responseCode().
enum class ErrorCode {
  kInvalidArgument,  ///< the call cannot work as written; the message lists every complaint at once
  kClosed,           ///< the client was closed (or moved from)
  kTimeout,          ///< no answer within the deadline
  kNoNameServer,     ///< no nameserver address is configured, or none of them answers
  kNoRoute,          ///< the nameserver knows no queue for this topic
  kUnreachable,      ///< no connection to the broker could be made
  kConnectionLost,   ///< the connection ended while the request was under way
  kMessageIllegal,   ///< the broker (or the client on its behalf) refuses this message; sending it again cannot help
  kTopicNotExist,    ///< the broker does not have the topic and may not create it
  kGroupNotExist,    ///< the broker does not have the consumer group and may not create it
  kNoPermission,     ///< the broker or topic does not allow this
  kOffsetIllegal,    ///< the offset lies outside the queue
  kFlowControl,      ///< the broker is busy (SYSTEM_BUSY, FLOW_CONTROL): try later
  kQueueFull,        ///< one of our own bounds is reached: try later
  kBroker,           ///< any other refusal by the broker; see responseCode()
  kCorrupt,          ///< the peer sent bytes that cannot be what they claim to be
  kNoReply,          ///< a request-reply request got no reply in time
  kUnsupported,      ///< this peer or build cannot do this
  kWouldBlock,       ///< a blocking call was made on one of our own threads
  kForked,           ///< the call was made in a fork's child
  kCancelled,        ///< the caller cancelled the operation
  kAbandoned,        ///< whoever should have completed the operation went away
  kUserCode,         ///< a callback or listener of yours threw
  kInternal,         ///< a promise of ours was broken; please report it
};

/// The enumerator's name without the k, for logs ("Timeout").
MQCLIENT_EXPORT const char* toString(ErrorCode) noexcept;
MQCLIENT_EXPORT std::ostream& operator<<(std::ostream&, ErrorCode);

/// Whether the broker may have acted on a failed request. After kUnknown a message may be stored: repeating may
/// duplicate it.
enum class Applied { kNo, kUnknown };

/// Why an operation failed: a value, cheap to move. The message says what was tried, where, how often, and what to do
/// next.
class MQCLIENT_EXPORT Error {
 public:
  Error(ErrorCode code, std::string message, int responseCode = 0, Applied applied = Applied::kNo);

  ErrorCode code() const noexcept { return code_; }
  /// RocketMQ's response code when a broker or nameserver answered, else 0.
  int responseCode() const noexcept { return response_code_; }
  Applied applied() const noexcept { return applied_; }
  const std::string& message() const noexcept { return message_; }
  /// Of a failed send: the message's unique id; Message::setMsgId(it) repeats the very same message. Else empty.
  const std::string& msgId() const noexcept { return msg_id_; }

  /// The same error with the id of the message it is about.
  Error withMsgId(std::string msg_id) &&;

  MQCLIENT_EXPORT friend std::ostream& operator<<(std::ostream&, const Error&);

 private:
  ErrorCode code_;
  Applied applied_;
  int response_code_;
  std::string message_;
  std::string msg_id_;
};

/// Whether the same call may succeed later without any change by the caller. One table for every caller.
MQCLIENT_EXPORT bool isRetriable(const Error&) noexcept;

/// What Result::value() throws: Java's habit for those who prefer it.
class MQCLIENT_EXPORT MQClientException : public std::runtime_error {
 public:
  explicit MQClientException(Error);
  const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

namespace detail {
[[noreturn]] MQCLIENT_EXPORT void throwError(const Error&);
}  // namespace detail

/// A value or an Error, with std::expected's face. `*r` and `value()` of a temporary answer by value, so that
/// `for (auto& m : *consumer.poll(1s))` does not dangle. Asking the wrong side is undefined for `*` and `->`, a throw
/// for value().
template <class T>
class [[nodiscard]] Result {
  static_assert(!std::is_same_v<std::remove_cv_t<T>, bool>, "`if (r)` would ask the wrong question");
  static_assert(!std::is_reference_v<T>);

 public:
  using value_type = T;
  using error_type = Error;

  template <class U = T>
  requires(std::is_constructible_v<T, U&&> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
           !std::is_same_v<std::remove_cvref_t<U>, Error>) Result(U&& value)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}
  /// A value made where it stays.
  template <class... A>
  requires(std::is_constructible_v<T, A&&...>) explicit Result(std::in_place_t, A&&... args)
      : state_(std::in_place_index<0>, std::forward<A>(args)...) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  T* operator->() noexcept { return std::get_if<0>(&state_); }
  const T* operator->() const noexcept { return std::get_if<0>(&state_); }
  T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
  T operator*() && { return std::move(*std::get_if<0>(&state_)); }

  const Error& error() const& noexcept { return *std::get_if<1>(&state_); }
  Error error() && { return std::move(*std::get_if<1>(&state_)); }

  T& value() & {
    check();
    return **this;
  }
  const T& value() const& {
    check();
    return **this;
  }
  T value() && {
    check();
    return std::move(*std::get_if<0>(&state_));
  }

  template <class U>
  T value_or(U&& other) && {
    return has_value() ? std::move(*std::get_if<0>(&state_)) : static_cast<T>(std::forward<U>(other));
  }

  /// f(value) → Result<U>, or this error passed on.
  template <class F>
  std::invoke_result_t<F, T> andThen(F&& f) && {
    if (!has_value()) return std::move(*this).error();
    return std::invoke(std::forward<F>(f), std::move(*std::get_if<0>(&state_)));
  }
  /// f(value) → U, wrapped; or this error passed on.
  template <class F>
  Result<std::invoke_result_t<F, T>> transform(F&& f) && {
    if (!has_value()) return std::move(*this).error();
    return std::invoke(std::forward<F>(f), std::move(*std::get_if<0>(&state_)));
  }

 private:
  void check() const {
    if (!has_value()) detail::throwError(error());
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  using error_type = Error;

  Result() noexcept = default;
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  void operator*() const noexcept {}

  const Error& error() const& noexcept { return *std::get_if<1>(&state_); }
  Error error() && { return std::move(*std::get_if<1>(&state_)); }
  void value() const {
    if (!has_value()) detail::throwError(error());
  }

  template <class F>
  std::invoke_result_t<F> andThen(F&& f) && {
    if (!has_value()) return std::move(*this).error();
    return std::invoke(std::forward<F>(f));
  }

 private:
  std::variant<std::monostate, Error> state_;
};

}  // namespace v1
}  // namespace mqclient
