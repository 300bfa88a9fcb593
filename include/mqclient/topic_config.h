#pragma once

#include <string>

namespace mqclient {
inline namespace v1 {

/// What a broker knows about a topic. TopicConfig.java. Producers use the write queues, consumers the read queues: a
/// topic with fewer read than write queues would strand messages and is refused.
struct TopicConfig {
  std::string topicName{};
  int readQueueNums{8};
  int writeQueueNums{8};
  int perm{6};        ///< 4 read, 2 write, 1 inherit
  bool order{false};  ///< the nameserver keeps the queue list even while a broker is away
};

}  // namespace v1
}  // namespace mqclient
