#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
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

  PendingRequest* same_bucket = nullptr;  // OpaqueTable
  PendingRequest* list_before = nullptr;  // RequestList
  PendingRequest* list_after = nullptr;
  std::uint32_t heap_index = 0;  // DeadlineHeap
};

/// Requests by opaque: what an answer is matched with. One strand.
/// Shape  chained buckets, a power of two of them; numbers of an engine rise by one, so chains are as even as can be.
///        At kBucketsMax growing ends: moving more requests than that would be too long a step (S6).
class OpaqueTable {
 public:
  OpaqueTable() : buckets_(kBucketsAtFirst) {}

  /// False: the number is under way already.
  bool insert(PendingRequest& r) {
    PendingRequest** at = &bucket(r.opaque);
    for (PendingRequest* p = *at; p; p = p->same_bucket) {
      if (p->opaque == r.opaque) return false;
    }
    if (size_ == buckets_.size() && size_ < kBucketsMax) {
      grow();
      at = &bucket(r.opaque);
    }
    r.same_bucket = std::exchange(*at, &r);
    ++size_;
    return true;
  }
  /// Null: unknown.
  PendingRequest* take(std::int32_t opaque) noexcept {
    for (PendingRequest** at = &bucket(opaque); *at; at = &(*at)->same_bucket) {
      if ((*at)->opaque != opaque) continue;
      --size_;
      PendingRequest* found = *at;
      *at = std::exchange(found->same_bucket, nullptr);
      return found;
    }
    return nullptr;
  }
  /// Forgets all; their links are void.
  void clear() noexcept {
    std::fill(buckets_.begin(), buckets_.end(), nullptr);
    size_ = 0;
  }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

 private:
  static constexpr std::size_t kBucketsAtFirst = 16;
  static constexpr std::size_t kBucketsMax = 4'096;

  PendingRequest*& bucket(std::int32_t opaque) noexcept {
    return buckets_[static_cast<std::uint32_t>(opaque) & (buckets_.size() - 1)];
  }
  void grow() {
    std::vector<PendingRequest*> old(buckets_.size() * 2);
    old.swap(buckets_);
    for (PendingRequest* p : old) {
      while (p) {
        PendingRequest* after = p->same_bucket;
        p->same_bucket = std::exchange(bucket(p->opaque), p);
        p = after;
      }
    }
  }

  std::vector<PendingRequest*> buckets_;
  std::size_t size_ = 0;
};

/// Requests by deadline, so that one timer serves a whole connection: arming one for each request would be two turns
/// through the engine's wheel.
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
