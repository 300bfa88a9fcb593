#include "client/user_code_wait.h"

namespace mqclient::client {

namespace {

constexpr base::Millis kStillWaiting{10'000};

}  // namespace

void awaitUserCode(MQClientInstance& instance, base::WaitSlot& gone, base::SteadyTime since, const std::string& who,
                   UniqueFunction<std::string()> what) {
  base::Engine& engine = instance.engine();
  base::Ref<base::WaitSlot> heard;
  for (base::SteadyTime due = since + kStillWaiting;; due += kStillWaiting) {
    if (due <= engine.now()) continue;  // said already, in an earlier wait for the same end
    if (engine.waitFor(gone, due)) break;
    if (heard && !heard->settled()) continue;  // the hook is still at the line before
    heard = base::makeRef<base::WaitSlot>();
    const auto waited = std::chrono::duration_cast<std::chrono::seconds>(engine.now() - since);
    instance.log().writeLate(
        LogLevel::kWarn, "client",
        "the destructor of " + who + " has waited " + std::to_string(waited.count()) + " s for " + what(),
        [heard] { heard->settle(); });
  }
  if (heard) engine.waitFor(*heard, base::SteadyTime::max());
}

}  // namespace mqclient::client
