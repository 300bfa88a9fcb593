#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/completion.h"
#include "mqclient/default_mq_producer.h"
#include "producer/producer_core.h"
#include "protocol/remoting_command.h"

namespace mqclient::producer {

/// One send from acceptance to its result: chooses queues, makes tries, decides about the next one. One heap object.
///
/// Life     made accepted (its place in the gate is taken), deletes itself after completing. Exactly one of begin() and
///          fail() is called; each try ends in onResult().
/// Threads  one step at a time: a step begins where the last one ended.
class SendOperation final : public base::Receiver<protocol::RemotingCommand> {
 public:
  struct What {
    RequestCode code;
    std::string topic;
    base::Slice body;
    std::string properties;  ///< complete, UNIQ_KEY included
    std::string msg_id;      ///< of a batch: joined
    std::vector<std::string> batch_msg_ids{};
    std::size_t messages = 1;
  };
  SendOperation(base::Ref<ProducerCore> core, What what, base::Ref<FlowGate::Generation> generation,
                base::SteadyTime deadline, int tries, base::Completion<SendResult> done);

  /// Starts with any queue in turn.
  void begin(base::Ref<PublishTopic> topic, PublishInfoPtr info);
  /// Starts with this queue, which retries stay on.
  void beginAt(base::Ref<PublishTopic> topic, PublishInfoPtr info, std::size_t queue);
  void fail(Error error);

  void onResult(Result<protocol::RemotingCommand>&& response) noexcept override;

 private:
  ~SendOperation() = default;
  void attempt() noexcept;
  void attemptFailed(Error error) noexcept;
  bool mayRetry(const Error& error) const noexcept;
  Error summary(const Error& last) const;
  void stored(SendStatus status, const protocol::RemotingCommand& response) noexcept;
  void complete(Result<SendResult> result) noexcept;

  const base::Ref<ProducerCore> core_;
  What what_;
  base::Ref<FlowGate::Generation> generation_;
  const base::SteadyTime started_;
  const base::SteadyTime deadline_;
  const int tries_;
  base::Completion<SendResult> done_;

  base::Ref<PublishTopic> topic_;
  PublishInfoPtr info_;
  std::size_t queue_ = 0;
  bool fixed_queue_ = false;
  int tried_ = 0;
  std::int64_t sent_at_ = 0;
  bool may_be_stored_ = false;                     // some try ended with Applied::kUnknown
  std::vector<const std::string*> brokers_tried_;  // names inside info_'s states
  std::vector<base::Ref<route::BrokerState>> kept_states_;
  std::string complaints_;
  std::optional<SendResult> not_durable_;  // stored, but the status was worth another try
};

}  // namespace mqclient::producer
