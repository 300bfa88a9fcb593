#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/block_pool.h"
#include "base/completion.h"
#include "mqclient/default_mq_producer.h"
#include "producer/producer_core.h"
#include "producer/stored_send.h"
#include "protocol/remoting_command.h"

namespace mqclient::producer {

/// One send from acceptance to its result: chooses queues, makes tries, decides about the next one. One heap object.
///
/// Life     made accepted (its place in the gate is taken). Exactly one of begin() and fail() is called; each try ends
///          in onResult(). Once it has its result it deletes itself, and settles: what the result is made of lies in a
///          StoredSend of its own, as a rule.
/// Threads  one step at a time: a step begins where the last one ended.
class SendOperation final : public base::Receiver<protocol::RemotingCommand>, public base::Pooled {
 public:
  struct What {
    RequestCode code;
    base::Slice body;
    base::PooledString properties;  ///< complete, UNIQ_KEY included
    std::int64_t wall_ms;           ///< when it was accepted: the first try's bornTimestamp
    std::int32_t sys_flag{};        ///< how the body is compressed
    SentId id{};                    ///< of a single message
    std::vector<std::string> batch_msg_ids{};
  };
  /// `place` keeps the core.
  SendOperation(ProducerCore& core, PublishingRef to, What what, const FlowGate::Place& place, const SendBudget& budget,
                base::Completion<SendResult> done);

  /// These queues from now on: where they had to be asked for, before it begins.
  void use(PublishInfoPtr info) { to_ = base::makeRef<Publishing>(to_->topic, std::move(info)); }
  /// Starts with any queue in turn; there are some.
  void begin(base::SteadyTime now);
  /// Starts with this queue, which retries stay on.
  void beginAt(std::size_t queue, base::SteadyTime now);
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
  void stored(SendStatus status, protocol::RemotingCommand&& response, base::SteadyTime now) noexcept;
  SendResult makeResult(SendStatus status, const protocol::ExtFields& response, MessageQueue queue) const;
  void complete(Result<SendResult> result) noexcept;
  std::string_view singleMsgId() const noexcept {
    return std::string_view(what_.properties).substr(what_.id.at, what_.id.size);
  }
  /// Of a batch: joined.
  std::string msgId() const;
  PublishTopic& topic() const noexcept { return *to_->topic; }
  const route::TopicPublishInfo& info() const noexcept { return *to_->info; }

  ProducerCore& core_;
  PublishingRef to_;
  What what_;
  const FlowGate::Place place_;
  const SendBudget budget_;
  base::Completion<SendResult> done_;

  route::BrokerState* broker_ = nullptr;  // of the try under way; to_ keeps it
  std::size_t queue_ = 0;
  base::SteadyTime sent_at_{};
  int tried_ = 0;
  bool fixed_queue_ = false;
  bool may_be_stored_ = false;  // some try ended with Applied::kUnknown
  /// What only a send needs that was tried before. Most never are, and many are under way at once.
  struct Earlier {
    std::vector<base::Ref<route::BrokerState>> brokers{};  // of the tries before
    std::string complaints{};
    std::optional<SendResult> not_durable{};  // stored, but the status was worth another try
  };
  Earlier& earlier() {
    if (!earlier_) earlier_ = std::make_unique<Earlier>();
    return *earlier_;
  }
  std::unique_ptr<Earlier> earlier_;
  std::unique_ptr<StoredSend> kept_;  // until it is filled and goes on by itself
};

}  // namespace mqclient::producer
