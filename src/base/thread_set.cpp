#include "base/thread_set.h"

#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <cassert>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

namespace mqclient::base {

namespace {

struct Start {
  std::string name;
  Role role;
  Engine* home;
  UniqueFunction<void()> body;
};

void* runThread(void* arg) {
  const std::unique_ptr<Start> start(static_cast<Start*>(arg));
  pthread_setname_np(pthread_self(), start->name.c_str());
  Activation& here = Activation::ofThisThread();
  here.setRole(start->role);
  here.setHome(start->home);
  start->body();
  return nullptr;
}

}  // namespace

Thread& Thread::operator=(Thread&& o) noexcept {
  assert(!joinable_);
  handle_ = o.handle_;
  joinable_ = std::exchange(o.joinable_, false);
  return *this;
}

Thread::~Thread() {
  assert(!joinable_);
}

Result<Thread> Thread::start(std::string name, Role role, Engine* home, UniqueFunction<void()> body) {
  constexpr std::size_t kNameBytes = 15;  // pthread_setname_np
  if (name.size() > kNameBytes) name.resize(kNameBytes);
  auto start = std::make_unique<Start>(Start{std::move(name), role, home, std::move(body)});
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Thread t;
  const int failed = pthread_create(&t.handle_, nullptr, runThread, start.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failed != 0) {
    return Error(ErrorCode::kInternal, "cannot start thread " + start->name + ": " +
                                           std::generic_category().message(failed) +
                                           "; raise the limit of threads (ulimit -u, cgroup pids.max)");
  }
  (void)start.release();  // the thread owns it now
  t.joinable_ = true;
  return t;
}

void Thread::join() noexcept {
  assert(joinable_);
  pthread_join(handle_, nullptr);
  joinable_ = false;
}

ThreadSet::~ThreadSet() {
  joinAll();
}

Result<void> ThreadSet::start(std::string name, Role role, Engine* home, UniqueFunction<void()> body) {
  std::vector<Thread> finished;
  Result<void> answer;
  try {
    MutexLock lock(mutex_);
    if (closed_) return Error(ErrorCode::kClosed, "the runtime has ended");
    finished.swap(finished_);
    // Room beforehand: neither a thread that runs nor one that ends may fail for want of memory.
    running_.reserve(running_.size() + 1);
    finished_.reserve(running_.size() + 1);
    // Made under the lock, so that the thread finds itself in the list when it ends at once.
    Result<Thread> t = Thread::start(std::move(name), role, home, [this, run = std::move(body)]() mutable {
      run();
      run.reset();
      ended();
    });
    if (t) {
      running_.push_back(*std::move(t));
    } else {
      answer = std::move(t).error();
    }
  } catch (const std::bad_alloc&) {
    answer = Error(ErrorCode::kInternal, "out of memory");  // short enough to need none
  }
  for (Thread& t : finished) t.join();
  return answer;
}

void ThreadSet::ended() {
  MutexLock lock(mutex_);
  const auto self = std::find_if(running_.begin(), running_.end(), [](const Thread& t) { return t.isCurrent(); });
  finished_.push_back(std::move(*self));
  if (self != running_.end() - 1) *self = std::move(running_.back());
  running_.pop_back();
  if (running_.empty()) all_ended_.notifyAll();
}

void ThreadSet::joinAll() {
  std::vector<Thread> finished;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    while (!running_.empty()) all_ended_.wait(mutex_);
    finished.swap(finished_);
  }
  for (Thread& t : finished) t.join();
}

int usableCores() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace mqclient::base
