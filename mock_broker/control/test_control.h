#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/engine.h"
#include "base/mutex.h"
#include "mock_broker/control/http_server.h"
#include "mock_broker/faults/fault_plan.h"
#include "mock_broker/standalone/server.h"

namespace mqclient::control {

/// Faults and inspection of a standalone server as JSON over HTTP, for tests in any language: docs/mqbroker.md.
///
/// Access   127.0.0.1 only, and only with the token; each request on its own.
/// Threads  those of its HttpServer; a verb may wait there. start() and stop(): any that may wait.
/// Lifetime ends before the server does.
class TestControl {
 public:
  struct Options {
    std::string token{};  ///< readTokenFile()
    int port{0};          ///< 0: any free one
  };
  /// `plan` is what `server` listens through; it watches from now on. kUnreachable: the port is taken.
  static Result<std::unique_ptr<TestControl>> start(Options options, base::Ref<base::Engine> engine,
                                                    base::Ref<faults::FaultPlan> plan, standalone::Server& server);
  ~TestControl();
  TestControl(const TestControl&) = delete;
  TestControl& operator=(const TestControl&) = delete;

  /// "127.0.0.1:port"
  const std::string& address() const noexcept { return http_->address(); }
  /// Ends connections and waits, clears every fault, releases what is held. Idempotent.
  void stop();

 private:
  static constexpr std::size_t kRulesMax = 1'024;
  using RulePointer = std::shared_ptr<faults::Rule>;
  using Answer = Result<std::string>;  // JSON
  struct Verb {
    std::string_view name;
    Answer (TestControl::*run)(std::string_view arguments);
  };
  static const std::vector<Verb>& verbs();

  TestControl(std::string token, base::Ref<base::Engine> engine, base::Ref<faults::FaultPlan> plan,
              standalone::Server& server);
  HttpAnswer answer(const HttpRequest& request);

  Answer inject(std::string_view arguments);
  Answer hold(std::string_view arguments);
  Answer wait(std::string_view arguments);
  Answer release(std::string_view arguments);
  Answer fired(std::string_view arguments);
  Answer clear(std::string_view arguments);
  Answer neverFired(std::string_view arguments);
  Answer requests(std::string_view arguments);
  Answer trace(std::string_view arguments);
  Answer messages(std::string_view arguments);
  Answer committedOffset(std::string_view arguments);
  Answer members(std::string_view arguments);
  Answer stopBroker(std::string_view arguments);
  Answer startBroker(std::string_view arguments);
  Answer state(std::string_view arguments);

  using Steering = void (standalone::Server::*)(base::Completion<void>);
  /// Does that to the server; answered as state().
  Answer steer(std::string_view arguments, Steering what);
  Answer keep(Result<RulePointer> rule, bool optional);
  /// kInvalidArgument: there is none of that number.
  Result<RulePointer> ruleOf(std::int64_t id) const;
  /// Runs `look` over the broker; kClosed: it is stopped.
  Result<void> look(UniqueFunction<void(const broker::Inspection&)> look);
  void clearAll();

  const std::string token_;
  const base::Ref<base::Engine> engine_;
  const base::Ref<faults::FaultPlan> plan_;
  standalone::Server& server_;
  std::atomic<bool> stopping_{false};

  mutable base::Mutex mutex_;
  std::map<std::int64_t, RulePointer> rules_ MQ_GUARDED_BY(mutex_);
  std::int64_t last_id_ MQ_GUARDED_BY(mutex_) = 0;

  std::unique_ptr<HttpServer> http_;  // set by start
};

}  // namespace mqclient::control
