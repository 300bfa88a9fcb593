#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "base/completion.h"
#include "base/engine.h"
#include "protocol/remoting_command.h"

namespace mqclient::remoting {

/// One request under way, linked by itself wherever it waits: by number, by deadline, in order of sending. The object
/// that carries it is the only allocation of an invocation.
struct PendingRequest {
  PendingRequest(std::int32_t number, base::SteadyTime until,
                 base::Completion<protocol::RemotingCommand> completion) noexcept
      : opaque(number), deadline(until), done(std::move(completion)) {}

  std::int32_t opaque;
  base::SteadyTime deadline;
  base::Completion<protocol::RemotingCommand> done;

  PendingRequest* list_before = nullptr;  // RequestList
  PendingRequest* list_after = nullptr;
  std::uint32_t heap_index = 0;  // DeadlineHeap
};

/// Requests that were sent, by opaque: what an answer is matched with, and their deadlines. One strand.
/// Shape  open addressing, a power of two of slots at most half full; numbers of an engine rise by one, so hardly any
///        two meet in a slot. Whatever a request's way through the table needs stands in its slot: with 10,000 requests
///        under way the requests themselves are no longer in the cache, and touching others than the one in hand costs
///        more than all the rest. So deadlines are not kept in order: expire() goes over all slots, once per firing of
///        a timer that is armed for the earliest of them.
class OpaqueTable {
 public:
  OpaqueTable() : slots_(kSlotsAtFirst) {}

  /// False: the number is under way already.
  bool insert(PendingRequest& r) {
    if ((size_ + 1) * 2 > slots_.size()) grow();
    if (slots_[find(r.opaque)].isOf(r.opaque)) return false;
    place(Slot{&r, r.deadline, r.opaque, inserted_++});
    ++size_;
    return true;
  }
  /// Null: unknown.
  PendingRequest* take(std::int32_t opaque) noexcept {
    std::size_t hole = find(opaque);
    if (!slots_[hole].isOf(opaque)) return nullptr;
    PendingRequest* const found = slots_[hole].request;
    for (std::size_t at = next(hole); slots_[at].request && aside(at) > 0; hole = at, at = next(at)) {
      slots_[hole] = slots_[at];
    }
    slots_[hole] = Slot{};
    --size_;
    return found;
  }
  /// Takes at most expired.size() requests whose deadline is `now` or before. `count`: how many. Answers the earliest
  /// deadline of those that stay; SteadyTime::max(): none stays.
  base::SteadyTime expire(base::SteadyTime now, std::span<PendingRequest*> expired, std::size_t& count) noexcept {
    base::SteadyTime earliest = base::SteadyTime::max();
    count = 0;
    for (const Slot& slot : slots_) {
      if (!slot.request) continue;
      if (slot.deadline <= now && count < expired.size()) {
        expired[count++] = slot.request;
      } else {
        earliest = std::min(earliest, slot.deadline);
      }
    }
    for (PendingRequest* r : expired.first(count)) take(r->opaque);  // not above: taking moves slots
    return earliest;
  }
  /// Takes all, in the order in which they were inserted.
  std::vector<PendingRequest*> takeAll() {
    std::vector<Slot> all;
    all.reserve(size_);
    for (Slot& slot : slots_) {
      if (slot.request) all.push_back(std::exchange(slot, Slot{}));
    }
    size_ = 0;
    const std::uint32_t first = inserted_ - kSlotsMost;  // the counter wraps: order is distance from long ago
    std::ranges::sort(all, std::less(), [first](const Slot& slot) { return slot.number - first; });
    std::vector<PendingRequest*> requests;
    requests.reserve(all.size());
    for (const Slot& slot : all) requests.push_back(slot.request);
    return requests;
  }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

 private:
  static constexpr std::size_t kSlotsAtFirst = 16;
  static constexpr std::uint32_t kSlotsMost = 1u << 31;
  struct Slot {
    PendingRequest* request = nullptr;
    base::SteadyTime deadline{};
    std::int32_t opaque = 0;
    std::uint32_t number = 0;
    bool isOf(std::int32_t o) const noexcept { return request && opaque == o; }
  };

  // Robin Hood: along the slots homes never go back. So a search ends at the first slot that is nearer to its home than
  // the searcher, and a removal moves only what stands aside of its home: with numbers in a row, nothing.
  std::size_t home(std::int32_t opaque) const noexcept {
    return static_cast<std::uint32_t>(opaque) & (slots_.size() - 1);
  }
  std::size_t next(std::size_t at) const noexcept { return (at + 1) & (slots_.size() - 1); }
  /// How far from its home the request at `at` stands.
  std::size_t aside(std::size_t at) const noexcept { return (at - home(slots_[at].opaque)) & (slots_.size() - 1); }
  /// Where `opaque` is, or where it would be placed.
  std::size_t find(std::int32_t opaque) const noexcept {
    std::size_t at = home(opaque);
    for (std::size_t steps = 0; slots_[at].request && !slots_[at].isOf(opaque) && aside(at) >= steps; ++steps) {
      at = next(at);
    }
    return at;
  }
  void place(Slot slot) noexcept {
    std::size_t at = find(slot.opaque);
    for (; slots_[at].request; at = next(at)) {
      if (aside(at) < ((at - home(slot.opaque)) & (slots_.size() - 1))) std::swap(slot, slots_[at]);
    }
    slots_[at] = slot;
  }
  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.request) place(slot);
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
  std::uint32_t inserted_ = 0;
};

/// Requests that wait, by deadline, so that one timer serves a whole connection: arming one for each request would be
/// two turns through the engine's wheel.
/// Shape  a heap of four children a node, deadlines beside the pointers, each request knowing its place. Adding in the
///        usual order (later request, later deadline) moves nothing; no step is longer than the heap is deep. (A
///        pairing heap is quicker still with few requests, but its first removal after n additions takes n steps.)
class DeadlineHeap {
 public:
  bool empty() const noexcept { return entries_.empty(); }
  PendingRequest* earliest() const noexcept { return entries_.empty() ? nullptr : entries_.front().request; }
  void add(PendingRequest& r) {
    entries_.push_back({r.deadline, &r});
    rise(entries_.size() - 1, entries_.back());
  }
  void remove(PendingRequest& r) noexcept {
    const std::size_t hole = r.heap_index;
    const Entry last = entries_.back();
    entries_.pop_back();
    if (hole == entries_.size()) return;
    if (hole > 0 && last.deadline < entries_[parent(hole)].deadline) {
      rise(hole, last);
    } else {
      sink(hole, last);
    }
  }
  void clear() noexcept { entries_.clear(); }

 private:
  static constexpr std::size_t kChildren = 4;
  struct Entry {
    base::SteadyTime deadline;
    PendingRequest* request;
  };

  static std::size_t parent(std::size_t i) noexcept { return (i - 1) / kChildren; }
  void put(std::size_t at, const Entry& e) noexcept {
    entries_[at] = e;
    e.request->heap_index = static_cast<std::uint32_t>(at);
  }
  /// `e` goes to `hole` or nearer to the root.
  void rise(std::size_t hole, Entry e) noexcept {
    for (; hole > 0 && e.deadline < entries_[parent(hole)].deadline; hole = parent(hole)) {
      put(hole, entries_[parent(hole)]);
    }
    put(hole, e);
  }
  /// `e` goes to `hole` or farther from the root.
  void sink(std::size_t hole, Entry e) noexcept {
    for (;;) {
      const std::size_t first = hole * kChildren + 1;
      const std::size_t end = std::min(first + kChildren, entries_.size());
      if (first >= end) break;
      std::size_t least = first;
      for (std::size_t i = first + 1; i < end; ++i) {
        if (entries_[i].deadline < entries_[least].deadline) least = i;
      }
      if (e.deadline <= entries_[least].deadline) break;
      put(hole, entries_[least]);
      hole = least;
    }
    put(hole, e);
  }

  std::vector<Entry> entries_;
};

/// Requests in order. A request is in one list at a time.
class RequestList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  PendingRequest* front() const noexcept { return first_; }
  void append(PendingRequest& r) noexcept {
    r.list_before = last_;
    r.list_after = nullptr;
    (last_ ? last_->list_after : first_) = &r;
    last_ = &r;
  }
  void remove(PendingRequest& r) noexcept {
    (r.list_before ? r.list_before->list_after : first_) = r.list_after;
    (r.list_after ? r.list_after->list_before : last_) = r.list_before;
    r.list_before = r.list_after = nullptr;
  }
  /// Everything of `other`, behind what is here.
  void splice(RequestList& other) noexcept {
    if (other.empty()) return;
    other.first_->list_before = last_;
    (last_ ? last_->list_after : first_) = other.first_;
    last_ = other.last_;
    other.first_ = other.last_ = nullptr;
  }

 private:
  PendingRequest* first_ = nullptr;
  PendingRequest* last_ = nullptr;
};

}  // namespace mqclient::remoting
