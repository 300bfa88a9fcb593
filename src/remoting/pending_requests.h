#pragma once

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
  PendingRequest* heap_child = nullptr;   // DeadlineHeap: first child,
  PendingRequest* heap_right = nullptr;   //   next sibling,
  PendingRequest* heap_before = nullptr;  //   left sibling, or the parent of a first child
  PendingRequest* list_before = nullptr;  // RequestList
  PendingRequest* list_after = nullptr;
};

/// Requests by opaque: what an answer is matched with. One strand.
/// Shape  chained buckets, a power of two of them; numbers of an engine rise by one, so chains stay short.
class OpaqueTable {
 public:
  OpaqueTable() : buckets_(kBucketsAtFirst) {}

  /// False: the number is under way already.
  bool insert(PendingRequest& r) {
    PendingRequest** at = &bucket(r.opaque);
    for (PendingRequest* p = *at; p; p = p->same_bucket) {
      if (p->opaque == r.opaque) return false;
    }
    if (size_ == buckets_.size()) {
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

/// Requests by deadline: a pairing heap, so that one timer serves a whole connection. In the usual order (later
/// request, later deadline, answered before it) adding and removing are a handful of stores; arming a timer for each
/// request would be two turns through the engine's wheel.
class DeadlineHeap {
 public:
  PendingRequest* earliest() const noexcept { return root_; }
  bool empty() const noexcept { return root_ == nullptr; }
  void add(PendingRequest& r) noexcept { root_ = root_ ? meld(root_, &r) : &r; }
  void remove(PendingRequest& r) noexcept {
    PendingRequest* children = mergePairs(std::exchange(r.heap_child, nullptr));
    if (&r == root_) {
      root_ = children;
    } else {
      (r.heap_before->heap_child == &r ? r.heap_before->heap_child : r.heap_before->heap_right) = r.heap_right;
      if (r.heap_right) r.heap_right->heap_before = r.heap_before;
      if (children) root_ = meld(root_, children);
    }
    r.heap_right = r.heap_before = nullptr;
  }

 private:
  /// Of two roots without siblings the later becomes the first child of the other.
  static PendingRequest* meld(PendingRequest* a, PendingRequest* b) noexcept {
    if (b->deadline < a->deadline) std::swap(a, b);
    b->heap_before = a;
    b->heap_right = a->heap_child;
    if (a->heap_child) a->heap_child->heap_before = b;
    a->heap_child = b;
    return a;
  }
  static PendingRequest* mergePairs(PendingRequest* siblings) noexcept {
    PendingRequest* merged = nullptr;  // results of the first pass, linked by heap_right, last one first
    while (siblings) {
      PendingRequest* a = siblings;
      PendingRequest* b = a->heap_right;
      siblings = b ? b->heap_right : nullptr;
      a->heap_right = a->heap_before = nullptr;
      if (b) {
        b->heap_right = b->heap_before = nullptr;
        a = meld(a, b);
      }
      a->heap_right = merged;
      merged = a;
    }
    PendingRequest* root = nullptr;
    while (merged) {
      PendingRequest* a = merged;
      merged = std::exchange(a->heap_right, nullptr);
      root = root ? meld(root, a) : a;
    }
    return root;
  }

  PendingRequest* root_ = nullptr;
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
