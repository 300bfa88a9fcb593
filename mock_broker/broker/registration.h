#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/completion.h"
#include "base/engine.h"
#include "base/log.h"
#include "base/strand.h"
#include "base/timer.h"
#include "mock_broker/broker/topic_table.h"
#include "remoting/remoting_client.h"

namespace mqclient::broker {

/// Tells every nameserver what this broker serves: at the start, every registerNameServerPeriod, and at once when a
/// topic changes (then only that topic). One request at a time per nameserver; nameservers do not wait for each other.
///
/// Threads  the *tables* strand, every member. `owner` keeps strand and topics alive while something is under way.
/// Source   BrokerOuterAPI.java, BrokerController.java
class Registration {
 public:
  Registration(base::Object& owner, base::Strand& tables, const BrokerOptions& options, const TopicTable& topics,
               base::Ref<remoting::RemotingClient> client, base::Ref<base::Log> log);

  void start();
  /// A topic was made or changed.
  void announce(const std::string& topic);
  /// Completes when every nameserver has answered what is known now, or failed to, or when `wait` is over.
  void whenAnnounced(base::Nanos wait, base::Completion<void> done);
  /// Completes when `nameserver` ("": any) has accepted a registration; kClosed from stop().
  void whenKnownTo(std::string nameserver, base::Completion<void> done);
  enum class Farewell { kUnregister, kNone };
  /// Registers no more. Unregisters everywhere, or leaves without a word; completes when each has answered or failed
  /// to. What waited completes too.
  void stop(Farewell farewell, base::Completion<void> done);

  static constexpr base::Millis kRetryAfter{1'000};  ///< a nameserver that failed, first; doubles
  static constexpr base::Millis kRetryAfterMax{30'000};
  static constexpr base::Millis kUnregisterTimeout{3'000};  ///< BrokerOuterAPI.unregisterBroker

 private:
  struct Nameserver {
    std::string address;
    bool under_way = false;
    bool full = true;               // the next request carries every topic
    std::set<std::string> changed;  // or these
    bool wanted = false;            // something to send
    std::uint64_t sent = 0;         // generation the request under way carries
    std::uint64_t done = 0;         // generation whose request has ended, well or not
    base::Millis retry_after = kRetryAfter;
    base::SteadyTime retry_at{};
    bool failed = false;  // the last request was not answered well
    bool known = false;   // one was, ever: it must hear of our end
  };
  struct Waiter {
    std::uint64_t generation;
    base::SteadyTime until;
    base::Completion<void> done;
  };

  struct KnownWaiter {
    std::string nameserver;
    base::Completion<void> done;
  };

  void sendTo(std::size_t index);
  void ended(std::size_t index, Result<protocol::RemotingCommand> answer);
  void settleWaiters();
  void settleKnownWaiters();
  void armTimer();
  void onTimer();
  base::Chain frameFor(const Nameserver& nameserver, std::int32_t opaque) const;

  base::Object& owner_;
  base::Strand& tables_;
  const BrokerOptions& options_;
  const TopicTable& topics_;
  const base::Ref<remoting::RemotingClient> client_;
  const base::Ref<base::Log> log_;
  std::vector<Nameserver> nameservers_;
  std::vector<Waiter> waiters_;
  std::vector<KnownWaiter> known_waiters_;
  std::uint64_t generation_ = 1;  // rises with every change
  base::SteadyTime next_period_{};
  bool stopped_ = false;
  base::FunctionTimer timer_;
};

}  // namespace mqclient::broker
