#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mqclient::sim {

/// What falls due, earliest first, equals by `order`: a binary heap in which every item knows its place, so that taking
/// one out of the middle needs no search. `Item` needs `due`, `order` and `setPlace(place)`.
///
/// Threads  guarded by its owner.
template <class Item>
class DueHeap {
 public:
  static constexpr std::uint32_t kNoPlace = UINT32_MAX;

  bool empty() const noexcept { return items_.empty(); }
  std::size_t size() const noexcept { return items_.size(); }
  const Item& top() const noexcept { return items_.front(); }
  /// In no particular order but the same one in every run.
  const std::vector<Item>& items() const noexcept { return items_; }

  void push(Item item) {
    items_.push_back(item);
    up(items_.size() - 1);
  }
  void pop() noexcept { remove(0); }
  void remove(std::size_t place) noexcept {
    items_[place].setPlace(kNoPlace);
    const Item last = items_.back();
    items_.pop_back();
    if (place == items_.size()) return;
    items_[place] = last;
    if (place > 0 && before(last, items_[(place - 1) / 2])) {
      up(place);
    } else {
      down(place);
    }
  }

 private:
  static bool before(const Item& a, const Item& b) noexcept {
    return a.due != b.due ? a.due < b.due : a.order < b.order;
  }
  void put(std::size_t place, const Item& item) noexcept {
    items_[place] = item;
    item.setPlace(static_cast<std::uint32_t>(place));
  }
  void up(std::size_t place) noexcept {
    const Item item = items_[place];
    while (place > 0) {
      const std::size_t parent = (place - 1) / 2;
      if (!before(item, items_[parent])) break;
      put(place, items_[parent]);
      place = parent;
    }
    put(place, item);
  }
  void down(std::size_t place) noexcept {
    const Item item = items_[place];
    for (;;) {
      std::size_t child = 2 * place + 1;
      if (child >= items_.size()) break;
      if (child + 1 < items_.size() && before(items_[child + 1], items_[child])) ++child;
      if (!before(items_[child], item)) break;
      put(place, items_[child]);
      place = child;
    }
    put(place, item);
  }

  std::vector<Item> items_;
};

}  // namespace mqclient::sim
