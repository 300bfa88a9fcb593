#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/completion.h"
#include "base/random.h"
#include "base/timer.h"
#include "client/mq_client_instance.h"

namespace mqclient::client {

/// Periods are spread by so many percent either way: many clients and topics do not ask in step.
inline constexpr std::int64_t kJitterPercent = 10;
inline base::Nanos jittered(base::Nanos period, std::uint64_t bits) {
  const std::int64_t spread = period.count() / 100 * kJitterPercent;
  const std::uint64_t width = 2 * static_cast<std::uint64_t>(spread) + 1;
  return base::Nanos(period.count() - spread + static_cast<std::int64_t>(base::Xoshiro256::boundedBy(bits, width)));
}

/// Marks a thread while it runs a hook of the user's for an instance.
class InsideHook {
 public:
  explicit InsideHook(const MQClientInstance& instance) noexcept : before_(std::exchange(current(), &instance)) {}
  ~InsideHook() { current() = before_; }
  InsideHook(const InsideHook&) = delete;
  InsideHook& operator=(const InsideHook&) = delete;
  static const MQClientInstance* of() noexcept { return current(); }

 private:
  static const MQClientInstance*& current() noexcept {
    thread_local const MQClientInstance* instance = nullptr;
    return instance;
  }
  const MQClientInstance* before_;
};

/// One asker of a route that is being fetched. Everything on the instance's strand.
class MQClientInstance::FetchWaiter final : public base::Object {
 public:
  FetchWaiter(base::Ref<MQClientInstance> owner, std::string topic, base::SteadyTime until,
              base::Completion<RoutePtr> completion);
  const base::Ref<MQClientInstance> instance;
  const base::SteadyTime deadline;
  base::Completion<RoutePtr> done;  // empty once told
  base::FunctionTimer timer;
};

/// A topic that somebody wants kept fresh. Everything on the instance's strand.
class MQClientInstance::Watch final : public base::Object {
 public:
  Watch(base::Ref<MQClientInstance> owner, std::string name);
  const base::Ref<MQClientInstance> instance;
  const std::string topic;
  std::size_t count = 0;  // watchers; 0: ended, a timer that fires late does nothing
  base::FunctionTimer timer;
};

/// Requests to several brokers whose answers are waited for together. Its members are the instance's strand's.
class MQClientInstance::HeartbeatRound final : public base::Object {
 public:
  std::size_t outstanding = 1;  // one for who builds the round
  bool accepted = false;
  std::optional<Error> first_error;
  base::Completion<void> done;
  void end() {
    if (--outstanding > 0 || !done) return;
    std::move(done)(accepted || !first_error ? Result<void>() : Result<void>(*std::move(first_error)));
  }
};

}  // namespace mqclient::client
