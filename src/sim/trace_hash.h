#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace mqclient::sim {

/// A running 64-bit hash over what happened: order, bytes and numbers all count. Equal in every process of a
/// little-endian machine; not for strangers' input. One thread at a time.
class TraceHash {
 public:
  void add(std::uint64_t v) noexcept {
    hash_ = (hash_ ^ v) * 0x9E3779B97F4A7C15u;
    hash_ ^= hash_ >> 29;
  }
  void add(std::span<const std::byte> bytes) noexcept {
    Bytes stream(*this, bytes.size());
    stream.part(bytes);
  }

  /// Bytes that come in parts: how they are cut does not change the hash.
  class Bytes {
   public:
    Bytes(TraceHash& hash, std::size_t total) noexcept : hash_(hash) { hash_.add(total); }
    ~Bytes() {
      if (held_ > 0) hash_.add(word_);
    }
    Bytes(const Bytes&) = delete;
    Bytes& operator=(const Bytes&) = delete;
    void part(std::span<const std::byte> bytes) noexcept {
      const std::byte* p = bytes.data();
      const std::byte* const end = p + bytes.size();
      while (p != end && held_ > 0) one(*p++);
      for (; end - p >= kWord; p += kWord) {
        std::uint64_t word;
        std::memcpy(&word, p, sizeof word);
        hash_.add(word);
      }
      while (p != end) one(*p++);
    }

   private:
    static constexpr std::ptrdiff_t kWord = sizeof(std::uint64_t);
    void one(std::byte b) noexcept {
      word_ |= static_cast<std::uint64_t>(b) << (8 * held_);
      if (++held_ < kWord) return;
      hash_.add(word_);
      word_ = 0;
      held_ = 0;
    }
    TraceHash& hash_;
    std::uint64_t word_ = 0;
    int held_ = 0;
  };

  std::uint64_t value() const noexcept { return hash_; }

 private:
  std::uint64_t hash_ = 0x2545F4914F6CDD1Du;
};

}  // namespace mqclient::sim
