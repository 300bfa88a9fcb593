#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "mqclient/mock_cluster.h"
#include "mqclient/mqclient.h"
#include "mqclient/testing/history.h"
#include "soak.h"

namespace mqsoak {

inline constexpr char kTopic[] = "soak";
inline constexpr char kGroup[] = "soak-consumers";

/// Whether a message may come twice: after an end nobody knows (a timeout, a lost connection) it may.
enum class Duplicates { kNone, kMayCome };

/// What was sent to the topic and what the group got of it, written down for the checkers of mqclient::testing. Only
/// the figures are kept, so that what CI prints can be compared over time. Threads: any. It outlives its clients.
class Account {
 public:
  /// Begins to send the next message, with a body of at least so many bytes.
  void send(mqclient::MQProducer& producer, std::size_t bytes = 0, mqclient::SendOptions options = {});
  /// For every member of the group.
  mqclient::MessageListener listener();

  std::size_t acknowledged() const;
  std::size_t delivered() const;
  std::size_t underWay() const;
  /// Every send has called back, and what was acknowledged was delivered.
  bool drained() const;
  /// OpenChaos's counts, and what they mean.
  std::vector<mqbench::Row> figures(Duplicates duplicates) const;

 private:
  struct Fate {
    bool acknowledged = false;
    bool delivered = false;
  };
  void noteEnd(std::size_t number, const mqclient::Result<mqclient::SendResult>& result);
  void noteDelivery(const mqclient::MessageExt& message);

  mqclient::History history_;
  mutable std::mutex mutex_;
  std::vector<Fate> fates_;  // by number
  std::size_t ended_ = 0;
  std::size_t acknowledged_ = 0;
  std::size_t delivered_ = 0;
  std::size_t missing_ = 0;  // acknowledged, not delivered yet
};

/// A row fails as a whole where nothing can be measured.
template <class R>
auto must(R result, const char* what) {
  return mqbench::must(std::move(result), what);
}

mqclient::MockCluster startCluster(mqclient::MockClusterOptions options, int queues = 4);
mqclient::DefaultMQPushConsumer startConsumer(Account& account, const mqclient::ClientOptions& client);
mqclient::DefaultMQProducer startProducer(const mqclient::ClientOptions& client,
                                          mqclient::ProducerOptions options = {});
/// The same figures under names of their own.
std::vector<mqbench::Row> named(const std::string& prefix, std::vector<mqbench::Row> figures);
void append(std::vector<mqbench::Row>& to, std::vector<mqbench::Row> more);

}  // namespace mqsoak
