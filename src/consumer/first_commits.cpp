#include "consumer/first_commits.h"

namespace mqclient::consumer {

void FirstCommits::run(const MessageQueue& queue, Send send) {
  {
    base::MutexLock lock(mutex_);
    Part& part = parts_[nameOf(queue)];
    if (part.state == State::kUnderWay) {
      part.waiting.emplace_back(queue, std::move(send));
      return;
    }
    if (part.state == State::kNone) part.state = State::kUnderWay;
  }
  send();
}

void FirstCommits::answered(const MessageQueue& queue, bool ok) {
  std::vector<std::pair<MessageQueue, Send>> waiting;
  {
    base::MutexLock lock(mutex_);
    Part& part = parts_[nameOf(queue)];
    if (part.state != State::kUnderWay) return;
    part.state = ok ? State::kDone : State::kNone;
    waiting.swap(part.waiting);
  }
  // After a failure the next one is the first, and the others line up behind it again.
  for (auto& [of, send] : waiting) run(of, std::move(send));
}

void FirstCommits::known(const MessageQueue& queue) {
  base::MutexLock lock(mutex_);
  Part& part = parts_[nameOf(queue)];
  if (part.state == State::kNone) part.state = State::kDone;
}

bool FirstCommits::done(const MessageQueue& queue) const {
  base::MutexLock lock(mutex_);
  const auto found = parts_.find(nameOf(queue));
  return found != parts_.end() && found->second.state == State::kDone;
}

}  // namespace mqclient::consumer
