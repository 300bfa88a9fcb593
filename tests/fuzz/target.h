#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/buffer.h"

/// What every fuzz target stands on. A target takes any bytes, and demands of the library what must hold for them; that
/// nothing crashes, leaks, hangs or eats memory is what libFuzzer and the sanitizers see to.
namespace mqclient::fuzz {

/// The bytes of one run, taken from the front. Behind the end numbers are 0 and texts empty.
class Input {
 public:
  explicit Input(std::span<const std::byte> bytes) noexcept
      : rest_(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {}

  std::uint8_t byte() noexcept;
  /// 0 to `below` - 1 from one byte. 0 < below <= 256.
  std::size_t choice(std::size_t below) noexcept { return byte() % below; }
  std::uint16_t be16() noexcept;
  std::uint32_t be32() noexcept;
  std::uint64_t be64() noexcept;
  /// At most `size` bytes.
  std::string_view take(std::size_t size) noexcept;
  /// Up to `end`, which is taken too, or all.
  std::string_view takeUntil(char end) noexcept;
  /// A text behind its length in one byte.
  std::string_view text() noexcept { return take(byte()); }
  std::string_view rest() noexcept { return take(rest_.size()); }
  bool empty() const noexcept { return rest_.empty(); }

 private:
  std::string_view rest_;
};

struct Target {
  std::string_view name;
  void (*run)(Input& input);
};

/// One a target, at namespace scope: a fuzzing program has one of them, the test that replays the corpora all.
class Registration {
 public:
  Registration(std::string_view name, void (*run)(Input& input));
};
const std::vector<Target>& targets();

/// Ends the process with `what` on stderr unless it `holds`: so libFuzzer keeps the input.
void demand(bool holds, std::string_view what);

/// `text` cut into slices, each with memory of its own, so that reading past one is seen. `sizes` chooses the cuts; 0:
/// one slice.
base::Chain chop(std::string_view text, std::uint8_t sizes);

inline std::span<const std::byte> asBytes(std::string_view text) noexcept {
  return std::as_bytes(std::span(text));
}

}  // namespace mqclient::fuzz
