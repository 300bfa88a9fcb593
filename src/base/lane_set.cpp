#include "base/lane_set.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace mqclient::base {

LaneSet::LaneSet(Engine& home, int max_threads) : home_(home), max_threads_(std::max(1, max_threads)) {}

int LaneSet::runnable() const {
  int n = 0;
  for (std::size_t k = 0; k < kKinds; ++k) {
    n += std::min(static_cast<int>(lanes_[k].queue.size()), kCaps[k] - lanes_[k].running);
  }
  return n;
}

std::size_t LaneSet::nextLane() {
  for (std::size_t i = 0; i < kKinds; ++i) {
    const std::size_t k = (turn_ + i) % kKinds;
    if (!lanes_[k].queue.empty() && lanes_[k].running < kCaps[k]) {
      turn_ = k + 1;
      return k;
    }
  }
  return kKinds;
}

bool LaneSet::wantsThread() {
  if (closed_ || runnable() <= idle_ || threads_ >= max_threads_) return false;
  ++threads_;
  return true;
}

bool LaneSet::submit(LaneKind kind, UniqueFunction<void()> work) {
  const auto k = static_cast<std::size_t>(kind);
  bool start = false;
  {
    MutexLock lock(mutex_);
    Lane& lane = lanes_[k];
    if (closed_ || lane.queue.size() >= kQueued) return false;
    lane.queue.push_back(std::move(work));
    start = wantsThread();
  }
  work_.notifyOne();
  if (!start || set_.start(kNames[k], Role::kLane, &home_, [this] { serve(); })) return true;
  UniqueFunction<void()> refused;  // dies outside the lock
  MutexLock lock(mutex_);
  --threads_;
  if (threads_ > 0 || lanes_[k].queue.empty()) return true;  // another thread will come to it
  refused = std::move(lanes_[k].queue.back());
  lanes_[k].queue.pop_back();
  return false;
}

void LaneSet::serve() {
  const char* name = nullptr;
  for (;;) {
    UniqueFunction<void()> work;
    std::size_t k = kKinds;
    bool start = false;
    {
      MutexLock lock(mutex_);
      const auto give_up = std::chrono::steady_clock::now() + kIdle;
      while (!closed_ && (k = nextLane()) == kKinds) {
        ++idle_;
        const bool notified = work_.waitUntil(mutex_, give_up);
        --idle_;
        if (!notified && (k = nextLane()) == kKinds) {
          --threads_;
          return;
        }
        if (k != kKinds) break;
      }
      if (k == kKinds) {  // closed
        --threads_;
        return;
      }
      work = std::move(lanes_[k].queue.front());
      lanes_[k].queue.pop_front();
      ++lanes_[k].running;
      // The job that ended before this one may have made room in a lane whose next job nobody was told of.
      start = wantsThread();
      if (runnable() > 0 && idle_ > 0) work_.notifyOne();
    }
    if (start && !set_.start(kNames[k], Role::kLane, &home_, [this] { serve(); })) {
      MutexLock lock(mutex_);
      --threads_;
    }
    if (std::exchange(name, kNames[k]) != kNames[k]) pthread_setname_np(pthread_self(), name);
    work();
    work.reset();
    MutexLock lock(mutex_);
    --lanes_[k].running;
  }
}

void LaneSet::close() {
  {
    std::array<Lane, kKinds> dropped;  // dies outside the lock, and before waiting: what runs may wait for it
    MutexLock lock(mutex_);
    closed_ = true;
    for (std::size_t k = 0; k < kKinds; ++k) dropped[k].queue.swap(lanes_[k].queue);
  }
  work_.notifyAll();
  set_.joinAll();
}

int LaneSet::threads() const {
  MutexLock lock(mutex_);
  return threads_;
}

}  // namespace mqclient::base
