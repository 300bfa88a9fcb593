#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace mqclient::base {

/// What lives as long as somebody refers to it: one count inside the object, no separate block.
/// Invariant: the count starts at 1 (owned by makeRef's answer) and the object deletes itself when it reaches 0.
class Object {
 public:
  Object() noexcept = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  void retain(std::uint32_t shares = 1) const noexcept { refs_.fetch_add(shares, std::memory_order_relaxed); }
  void release(std::uint32_t shares = 1) const noexcept {
    if (refs_.fetch_sub(shares, std::memory_order_acq_rel) == shares) const_cast<Object*>(this)->lastReferenceGone();
  }
  /// For who knows the object only weakly, under a lock that its end takes too: false when the last reference is gone.
  bool tryRetain() const noexcept {
    std::uint32_t seen = refs_.load(std::memory_order_relaxed);
    while (seen != 0) {
      if (refs_.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel, std::memory_order_relaxed))
        return true;
    }
    return false;
  }

 protected:
  /// References now: a figure for reports, old as soon as it is read.
  std::uint32_t shares() const noexcept { return refs_.load(std::memory_order_relaxed); }
  virtual ~Object() = default;
  /// Runs on whichever thread drops the last reference; the default deletes. Never waits, joins or calls out.
  virtual void lastReferenceGone() noexcept { delete this; }

 private:
  mutable std::atomic<std::uint32_t> refs_{1};
};

/// A strong reference to an Object; nullable, one word. It counts by Object's own retain() and release(), whatever the
/// class derived from it calls by these names.
template <class T>
class Ref {
 public:
  constexpr Ref() noexcept = default;
  constexpr Ref(std::nullptr_t) noexcept {}
  /// Shares: adds a reference. The object must be alive.
  explicit Ref(T* shared) noexcept : p_(shared) {
    if (p_) p_->Object::retain();
  }
  /// Takes over a reference that the caller already owns.
  static Ref adopt(T* owned) noexcept {
    Ref r;
    r.p_ = owned;
    return r;
  }
  Ref(const Ref& o) noexcept : Ref(o.p_) {}
  Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  template <class U>
  requires std::is_convertible_v<U*, T*> Ref(const Ref<U>& o)
  noexcept : Ref(static_cast<T*>(o.get())) {}
  template <class U>
  requires std::is_convertible_v<U*, T*> Ref(Ref<U>&& o)
  noexcept : p_(o.leak()) {}
  Ref& operator=(Ref o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  ~Ref() {
    if (p_) p_->Object::release();
  }

  T* get() const noexcept { return p_; }
  T* operator->() const noexcept { return p_; }
  T& operator*() const noexcept { return *p_; }
  explicit operator bool() const noexcept { return p_ != nullptr; }
  /// Gives the reference away without dropping it.
  T* leak() noexcept { return std::exchange(p_, nullptr); }
  void reset() noexcept { *this = Ref(); }
  friend bool operator==(const Ref& a, const Ref& b) noexcept { return a.p_ == b.p_; }

 private:
  T* p_ = nullptr;
};

template <class T, class... A>
Ref<T> makeRef(A&&... args) {
  return Ref<T>::adopt(new T(std::forward<A>(args)...));
}

/// References to one object, taken many at a time. Who hands out one a message touches the object's count only now and
/// then, and leaves its line to those who give them back. One thread.
template <class T>
class RefStock {
 public:
  RefStock() noexcept = default;
  explicit RefStock(Ref<T> of) noexcept : of_(std::move(of)) {}
  RefStock(RefStock&& o) noexcept : of_(std::move(o.of_)), left_(std::exchange(o.left_, 0)) {}
  RefStock& operator=(RefStock&& o) noexcept {
    RefStock gone(std::move(*this));
    of_ = std::move(o.of_);
    left_ = std::exchange(o.left_, 0);
    return *this;
  }
  ~RefStock() {
    if (left_ > 0) of_->Object::release(left_);
  }

  T* operator->() const noexcept { return of_.get(); }
  explicit operator bool() const noexcept { return static_cast<bool>(of_); }
  /// There is an object.
  Ref<T> take() noexcept {
    if (left_ == 0) {
      of_->Object::retain(kShares);
      left_ = kShares;
    }
    --left_;
    return Ref<T>::adopt(of_.get());
  }

 private:
  static constexpr std::uint32_t kShares = 256;

  Ref<T> of_;
  std::uint32_t left_ = 0;  // taken and not handed out
};

}  // namespace mqclient::base
