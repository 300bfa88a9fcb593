#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mqclient::base {

/// Immutable bytes with a share in whatever keeps them alive. Copying copies the share, never the bytes.
/// Once a Slice of a block exists, nobody writes the bytes it covers again.
class Slice {
 public:
  Slice() noexcept = default;
  Slice(std::shared_ptr<const void> owner, std::span<const std::byte> bytes) noexcept
      : owner_(std::move(owner)), data_(bytes.data()), size_(bytes.size()) {}
  Slice(std::shared_ptr<const void> owner, const void* data, std::size_t size) noexcept
      : owner_(std::move(owner)), data_(static_cast<const std::byte*>(data)), size_(size) {}
  /// A copy of `text` in one block of its own.
  static Slice copyOf(std::string_view text);
  static Slice copyOf(std::span<const std::byte> bytes) {
    return copyOf({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  /// Takes the string's bytes over.
  static Slice of(std::string&& text);

  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }
  const std::shared_ptr<const void>& owner() const noexcept { return owner_; }
  /// Bytes [pos, pos + n) of this slice, same owner. pos + n <= size().
  Slice sub(std::size_t pos, std::size_t n) const& noexcept { return Slice(owner_, data_ + pos, n); }
  Slice sub(std::size_t pos, std::size_t n) && noexcept { return Slice(std::move(owner_), data_ + pos, n); }
  /// Without its first `n` bytes, in place. n <= size().
  void dropFront(std::size_t n) noexcept {
    data_ += n;
    size_ -= n;
  }

 private:
  std::shared_ptr<const void> owner_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Slices that follow one another: a frame (header, body) or a pull answer (one slice a run of records).
/// Two slices are stored inside, made only when there are any; more go to the heap. Chains are handed on many times a
/// message: moving one costs its slices and no more, and an empty one costs nothing to drop.
class Chain {
 public:
  Chain() noexcept = default;
  Chain(const Chain& other) { append(other); }
  Chain& operator=(const Chain& other) {
    if (this != &other) {
      clear();
      append(other);
    }
    return *this;
  }
  /// The other one is empty afterwards.
  Chain(Chain&& other) noexcept { takeFrom(other); }
  Chain& operator=(Chain&& other) noexcept {
    if (this != &other) {
      clear();
      takeFrom(other);
    }
    return *this;
  }
  ~Chain() { clear(); }
  Chain(Slice one) { append(std::move(one)); }

  void append(Slice s) {
    if (s.empty()) return;
    const std::size_t size = s.size();
    if (count_ < kInside) [[likely]] {
      ::new (static_cast<void*>(&inside_.slices[count_])) Slice(std::move(s));
    } else {
      if (!more_) more_ = std::make_unique<std::vector<Slice>>();
      more_->push_back(std::move(s));
    }
    bytes_ += size;
    ++count_;
  }
  void append(const Chain& c) {
    for (std::size_t i = 0, n = c.count(); i < n; ++i) append(c[i]);
  }
  void append(Chain&& c) {
    if (count_ == 0) {
      takeFrom(c);
      return;
    }
    for (std::size_t i = 0; i < c.count(); ++i) append(std::move(c.at(i)));
    c.clear();
  }
  /// Number of slices (none of them empty) and of bytes.
  std::size_t count() const noexcept { return count_; }
  std::size_t size() const noexcept { return bytes_; }
  bool empty() const noexcept { return bytes_ == 0; }
  const Slice& operator[](std::size_t i) const noexcept {
    return i < kInside ? inside_.slices[i] : (*more_)[i - kInside];
  }
  void clear() noexcept {
    if (count_ != 0) dropSlices();
  }
  /// Gives the first slice away; there is one.
  Slice takeFront() noexcept {
    if (count_ > 1) [[unlikely]]
      return takeFrontOfMore();
    Slice front = std::move(inside_.slices[0]);
    inside_.slices[0].~Slice();
    count_ = bytes_ = 0;
    return front;
  }
  /// Everything in one slice: the only slice itself if there is just one, else a copy.
  Slice flatten() const&;
  Slice flatten() && { return count_ == 1 ? takeFront() : std::as_const(*this).flatten(); }
  std::string toString() const;

 private:
  static constexpr std::size_t kInside = 2;
  union Inside {
    Inside() noexcept {}
    ~Inside() {}
    Slice slices[kInside];
  };
  void dropSlices() noexcept;
  Slice takeFrontOfMore() noexcept;
  Slice& at(std::size_t i) noexcept { return i < kInside ? inside_.slices[i] : (*more_)[i - kInside]; }
  /// This one is empty. The slices move with their bytes, and the other one forgets them: nothing in them points into
  /// itself, and to move and destroy them one by one costs thrice as much.
  void takeFrom(Chain& other) noexcept {
    if (other.count_ == 0) return;
    std::memcpy(static_cast<void*>(this), static_cast<const void*>(&other), sizeof other);
    static_cast<void>(other.more_.release());
    other.count_ = other.bytes_ = 0;
  }

  Inside inside_;                             // the first count_ are there
  std::unique_ptr<std::vector<Slice>> more_;  // while there are more than fit inside
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

/// A block under construction: written once from front to back, then frozen into a Slice. One allocation.
class BlockWriter {
 public:
  explicit BlockWriter(std::size_t capacity);
  std::byte* data() noexcept { return data_; }
  std::size_t capacity() const noexcept { return capacity_; }
  /// The first `size` bytes as a Slice; the writer is empty afterwards.
  Slice freeze(std::size_t size) &&;

 private:
  std::shared_ptr<std::byte[]> block_;
  std::byte* data_;
  std::size_t capacity_;
};

// Big-endian integers, as everything RocketMQ writes. The caller has checked the room.
inline void putBe16(void* p, std::uint16_t v) noexcept {
  v = __builtin_bswap16(v);
  __builtin_memcpy(p, &v, sizeof v);
}
inline void putBe32(void* p, std::uint32_t v) noexcept {
  v = __builtin_bswap32(v);
  __builtin_memcpy(p, &v, sizeof v);
}
inline void putBe64(void* p, std::uint64_t v) noexcept {
  v = __builtin_bswap64(v);
  __builtin_memcpy(p, &v, sizeof v);
}
inline std::uint16_t getBe16(const void* p) noexcept {
  std::uint16_t v;
  __builtin_memcpy(&v, p, sizeof v);
  return __builtin_bswap16(v);
}
inline std::uint32_t getBe32(const void* p) noexcept {
  std::uint32_t v;
  __builtin_memcpy(&v, p, sizeof v);
  return __builtin_bswap32(v);
}
inline std::uint64_t getBe64(const void* p) noexcept {
  std::uint64_t v;
  __builtin_memcpy(&v, p, sizeof v);
  return __builtin_bswap64(v);
}

}  // namespace mqclient::base
