#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace mqclient {
inline namespace v1 {

template <class Signature>
class UniqueFunction;

/// A move-only std::function: holds callables that cannot be copied. Small ones (up to six pointers) are stored inside.
/// Calling an empty one is undefined; ask with operator bool.
template <class R, class... A>
class UniqueFunction<R(A...)> {
 public:
  UniqueFunction() noexcept = default;
  UniqueFunction(std::nullptr_t) noexcept {}
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, UniqueFunction> &&
           std::is_invocable_r_v<R, std::remove_cvref_t<F>&, A...>) UniqueFunction(F&& f) {
    using Callable = std::remove_cvref_t<F>;
    if constexpr (fits<Callable>()) {
      ::new (static_cast<void*>(storage_)) Callable(std::forward<F>(f));
      ops_ = &kInline<Callable>;
    } else {
      ::new (static_cast<void*>(storage_)) Callable*(new Callable(std::forward<F>(f)));
      ops_ = &kHeap<Callable>;
    }
  }
  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  ~UniqueFunction() { reset(); }

  explicit operator bool() const noexcept { return ops_ != nullptr; }
  R operator()(A... args) { return ops_->call(storage_, std::forward<A>(args)...); }

  void reset() noexcept {
    if (const Ops* ops = std::exchange(ops_, nullptr)) ops->destroy(storage_);
  }

 private:
  struct Ops {
    R (*call)(void*, A&&...);
    void (*move)(void* from, void* to) noexcept;
    void (*destroy)(void*) noexcept;
  };
  static constexpr std::size_t kInlineBytes = 6 * sizeof(void*);

  template <class F>
  static constexpr bool fits() {
    return sizeof(F) <= kInlineBytes && alignof(F) <= alignof(void*) && std::is_nothrow_move_constructible_v<F>;
  }
  template <class F>
  static R callThe(F& f, A&&... args) {
    if constexpr (std::is_void_v<R>) {
      std::invoke(f, std::forward<A>(args)...);
    } else {
      return std::invoke(f, std::forward<A>(args)...);
    }
  }
  template <class F>
  static constexpr Ops kInline{
      [](void* self, A&&... args) -> R { return callThe(*static_cast<F*>(self), std::forward<A>(args)...); },
      [](void* from, void* to) noexcept {
        ::new (to) F(std::move(*static_cast<F*>(from)));
        static_cast<F*>(from)->~F();
      },
      [](void* self) noexcept { static_cast<F*>(self)->~F(); }};
  template <class F>
  static constexpr Ops kHeap{
      [](void* self, A&&... args) -> R { return callThe(**static_cast<F**>(self), std::forward<A>(args)...); },
      [](void* from, void* to) noexcept { ::new (to) F*(*static_cast<F**>(from)); },
      [](void* self) noexcept { delete *static_cast<F**>(self); }};

  void take(UniqueFunction& other) noexcept {
    if (other.ops_) {
      other.ops_->move(other.storage_, storage_);
      ops_ = std::exchange(other.ops_, nullptr);
    }
  }

  const Ops* ops_ = nullptr;
  alignas(void*) std::byte storage_[kInlineBytes];
};

}  // namespace v1
}  // namespace mqclient
