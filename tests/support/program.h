#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace mqclient::testing {

/// Another process, started from a file, with pipes at its outputs. It is killed with this object, and with the thread
/// that started it.
class Program {
 public:
  using Millis = std::chrono::milliseconds;
  static constexpr Millis kPatience{10'000};  ///< a bound, not a wait: what is awaited comes within milliseconds

  explicit Program(const std::string& path, std::vector<std::string> arguments = {});
  Program(Program&& other) noexcept;
  Program& operator=(Program&&) = delete;
  ~Program();

  pid_t pid() const noexcept { return pid_; }
  /// The next line of its standard output; nothing when it ended or `patience` is over.
  std::optional<std::string> readLine(Millis patience = kPatience);
  /// Whether its standard error says `text`, now or within `patience`.
  bool says(const std::string& text, Millis patience = kPatience);
  void signal(int number) const;

  struct End {
    int status{-1};            ///< exit status; -1: it did not end in time
    int by_signal{0};          ///< or what ended it
    std::string out{}, err{};  ///< all that was not read by readLine, and all it said on standard error
  };
  /// Waits until both outputs are closed and the process has ended.
  End wait(Millis patience = kPatience);

 private:
  /// Reads what there is, or waits for some. False: both outputs are at their end, or `deadline` has passed.
  bool pump(std::chrono::steady_clock::time_point deadline);

  pid_t pid_{-1};
  int out_fd_{-1}, err_fd_{-1};
  std::string out_, err_;
};

}  // namespace mqclient::testing
