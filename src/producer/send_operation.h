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
    base::Slice body;
    std::string properties;  ///< complete, UNIQ_KEY included
    std::string msg_id;      ///< of a batch: joined
    std::vector<std::string> batch_msg_ids{};
  };
  SendOperation(base::Ref<ProducerCore> core, base::Ref<PublishTopic> topic, What what, const FlowGate::Place& place,
                const SendBudget& budget, base::Completion<SendResult> done);

  /// Starts with any queue in turn.
  void begin(PublishInfoPtr info, base::SteadyTime now);
  /// Starts with this queue, which retries stay on.
  void beginAt(PublishInfoPtr info, std::size_t queue, base::SteadyTime now);
  void fail(Error error);

  void onResult(Result<protocol::RemotingCommand>&& response) noexcept override;

 private:
  ~SendOperation() = default;
  void attempt(base::SteadyTime now) noexcept;
  void attemptFailed(Error error, base::SteadyTime now) noexcept;
  /// The next try, on another broker unless the queue is fixed. There is one, and time for it.
  void tryAgain(const Error& why, base::SteadyTime now) noexcept;
  bool mayRetry(const Error& error, base::SteadyTime now) const noexcept;
  Error summary(const Error& last, base::SteadyTime now) const;
  void stored(SendStatus status, const protocol::RemotingCommand& response, base::SteadyTime now) noexcept;
  void complete(Result<SendResult> result) noexcept;

  const base::Ref<ProducerCore> core_;
  const base::Ref<PublishTopic> topic_;
  What what_;
  const FlowGate::Place place_;
  const SendBudget budget_;
  base::Completion<SendResult> done_;

  PublishInfoPtr info_;
  base::Ref<route::BrokerState> broker_;  // of the try under way
  std::size_t queue_ = 0;
  base::SteadyTime sent_at_{};
  int tried_ = 0;
  bool fixed_queue_ = false;
  bool may_be_stored_ = false;                          // some try ended with Applied::kUnknown
  std::vector<base::Ref<route::BrokerState>> earlier_;  // brokers of the tries before
  std::string complaints_;
  std::optional<SendResult> not_durable_;  // stored, but the status was worth another try
};

}  // namespace mqclient::producer
