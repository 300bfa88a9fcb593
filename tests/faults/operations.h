#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "tests/faults/faults_fixture.h"

namespace mqclient::faults {

/// What goes wrong with the one request that an operation makes.
enum class Wrong {
  kRefused,  ///< the connection ends, and for two seconds no other can be made
  kReset,
  kFin,
  kHalfOpen,
  kDelayed,  ///< beyond every deadline
  kDropped,
  kReplyLost,
  kDuplicated,
  kReordered,
  kWrongOpaque,
  kGarbage,
  kTruncated,
  kOversize,
  kSlices,
  kStaleRoute,  ///< no fault of a frame: one of the two brokers that the client knows has gone
};
const char* toString(Wrong wrong);

/// What the caller was told, and what was kept (stored, known, delivered) once everything has settled.
struct Outcome {
  std::string told{};
  std::string kept{};
  bool operator==(const Outcome&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const Outcome& o) {
    return out << '"' << o.told << "\", \"" << o.kept << '"';
  }
};

/// Two brokers, the topic "orders" with a queue on each, and what will go wrong.
class World {
 public:
  explicit World(MockClusterOptions options);

  /// From now on the first request that fits meets it.
  void spoil(Wrong wrong, Match match);
  /// The fault has acted; a stale route needs none.
  bool met() const;
  /// Lets time pass, in virtual time.
  void advance(Millis by);
  /// Until `condition` is true, at most 125 s of virtual or 30 s of real time. Says how long it took: from the frame
  /// that met the fault, if one did, to the last that passed.
  template <class F>
  std::string timeUntil(F condition);
  bool inVirtualTime() const { return virtual_time_; }
  int brokersRunning() const;
  /// "x once": how often a body is stored, by one message id.
  std::string timesStored(const std::string& body) const;
  /// What the queue of "orders" at broker-a holds.
  std::int64_t messagesAtBrokerA() const;

  DefaultMQProducer startProducer(ProducerOptions options = {});
  DefaultMQPushConsumer startConsumer(Taken& taken);

  MockCluster cluster;

 private:
  const bool virtual_time_;
  Millis sinceTheFault() const;

  std::vector<Fault> faults_;
};

struct Operation {
  const char* name;
  Outcome (*run)(World&, Wrong);
};
/// Sends (waiting, with a callback, one-way, and each without retries), pull, heartbeat, offset commit, route query,
/// member list, registration.
Outcome syncSend(World& w, Wrong wrong);
Outcome syncSendOnce(World& w, Wrong wrong);
Outcome asyncSend(World& w, Wrong wrong);
Outcome asyncSendOnce(World& w, Wrong wrong);
Outcome onewaySend(World& w, Wrong wrong);
Outcome pull(World& w, Wrong wrong);
Outcome heartbeat(World& w, Wrong wrong);
Outcome offsetCommit(World& w, Wrong wrong);
Outcome routeQuery(World& w, Wrong wrong);
Outcome memberList(World& w, Wrong wrong);
Outcome registration(World& w, Wrong wrong);

}  // namespace mqclient::faults
