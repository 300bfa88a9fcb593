#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mqclient::control {

inline constexpr std::size_t kHeadBytesMax = 8u << 10;   ///< request line and header fields
inline constexpr std::size_t kBodyBytesMax = 64u << 10;  ///< of a request

/// A request, as far as the test control looks at one.
struct HttpRequest {
  std::string method{};
  std::string target{};         ///< as it stands in the request line
  std::string host{};           ///< "127.0.0.1:8080"; empty: not said
  std::string authorization{};  ///< empty: none
  std::string body{};
};

struct HttpAnswer {
  int status{200};
  std::string body{};  ///< a JSON object
};

/// What is answered to a request that cannot be served, and why.
HttpAnswer refusal(int status, std::string_view why);

/// An answer as bytes; it says that the connection ends behind it.
std::string encoded(const HttpAnswer& answer);

/// Reads one request from bytes as they come: HTTP/1.0 and 1.1 with a body of known length. A pure state machine.
///
/// Bounds   kHeadBytesMax, kBodyBytesMax: what announces or sends more is refused as soon as that is seen.
/// Strict   no folded fields, no blank before a colon, none of the fields it looks at twice, no chunks.
class HttpReader {
 public:
  enum class State { kMore, kWhole, kRefused };
  /// Takes what came. After kWhole or kRefused nothing more is looked at.
  State take(std::string_view bytes);
  /// True once if the peer waits for word before it sends the body.
  bool takeContinue() noexcept;
  const HttpRequest& request() const noexcept { return request_; }
  const HttpAnswer& refused() const noexcept { return refused_; }

 private:
  State refuse(int status, std::string_view why);
  State takeHead(std::string_view head);
  bool takeField(std::string_view line);
  bool takeLength(std::string_view digits);
  State takeBody();

  State state_{State::kMore};
  bool head_done_{false};
  bool wants_word_{false};
  bool has_length_{false};
  std::size_t length_{0};
  std::string bytes_{};  // of the head until it is whole, then of the body
  HttpRequest request_{};
  HttpAnswer refused_{};
};

}  // namespace mqclient::control
