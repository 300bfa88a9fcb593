#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/completion.h"
#include "base/strand.h"
#include "base/timer.h"
#include "client/mq_client_instance.h"
#include "mqclient/default_mq_producer.h"
#include "producer/callback_gate.h"
#include "producer/flow_gate.h"
#include "producer/topic_table.h"
#include "protocol/message_id.h"

namespace mqclient::producer {

/// Every complaint about a producer's group and options at once.
Result<void> checkProducer(const std::string& group, const ProducerOptions& options);

/// What one send may cost.
struct SendBudget {
  base::SteadyTime started;
  base::SteadyTime deadline;
  int tries;
};

/// UNIQ_KEY's value within a message's properties.
struct SentId {
  std::size_t at = 0;
  std::size_t size = 0;
};

/// What a DefaultMQProducer stands on. It keeps itself while sends are under way, and so outlives its facade until they
/// have completed.
///
/// Threads  every member from any thread.
class ProducerCore final : public base::Object {
 public:
  ProducerCore(client::InstanceLease lease, std::string group, ProducerOptions options);

  /// Registers the group and, unless `timeout` is 0, makes sure that a nameserver answers.
  void start(base::Millis timeout, base::Completion<void> done);
  void ready(base::Completion<void> done);
  void close(base::Millis wait, base::Completion<CloseReport> done);
  /// Completes after the close, when the last of the user's callbacks has returned, however long that takes.
  void whenCallbacksIdle(base::Completion<void> done);

  Future<SendResult> send(Message message, std::optional<MessageQueueSelector> selector, SendOptions options);
  Future<SendResult> sendBatch(std::vector<Message> messages, SendOptions options);
  Result<void> sendOneway(Message message, std::optional<MessageQueueSelector> selector);
  Future<std::vector<MessageQueue>> fetchPublishMessageQueues(std::string topic);

  client::MQClientInstance& instance() const noexcept { return *instance_; }
  base::Engine& engine() const noexcept { return instance_->engine(); }
  const ProducerOptions& options() const noexcept { return options_; }
  /// What whenFull says of a connection's output: who may wait for room under the bounds may wait for it there too.
  remoting::WhenOutputFull whenOutputFull() const noexcept {
    return options_.whenFull == WhenFull::kBlockCaller ? remoting::WhenOutputFull::kWait
                                                       : remoting::WhenOutputFull::kRefuse;
  }
  const std::string& group() const noexcept { return group_; }
  FlowGate& gate() noexcept { return gate_; }
  /// Gives a send's place back: the last touch, this may end with it.
  void leave(const FlowGate::Place& place) noexcept;
  /// The same for a stored message: where callers wait for room, at the end of the turn. Failed sends come in crowds
  /// that hold more memory than others: their places are free as they end.
  void leaveAnswered(const FlowGate::Place& place) noexcept;
  /// Where the futures of this producer call back.
  const std::shared_ptr<base::CallbackTarget>& callbackTarget() const noexcept { return callback_target_; }
  bool insideCallback() const noexcept { return callbacks_->insideCallback(); }
  /// While closing: callbacks of the user's that wait or run.
  std::size_t callbacksNotReturned() const noexcept { return callbacks_->notReturned(); }
  /// The first message of a topic made on demand is stored: its own route is asked for.
  void askForOwnRoute(base::Ref<PublishTopic> topic);
  /// Queues `info` did not take a message: if the topic is not made yet, another broker may be to make it now.
  void refreshDefault(const base::Ref<PublishTopic>& topic, const PublishInfoPtr& info, const Error& error) {
    topics_.refreshDefault(topic, info, error, options_.createTopicKey, options_.defaultTopicQueueNums);
  }

 private:
  struct QueuesQuestion {
    std::string topic;
    base::SteadyTime deadline;
    base::Completion<std::vector<MessageQueue>> done;
  };
  enum class Step { kRunning, kDraining, kUnregistering, kCallingBack, kClosed };

  base::Ref<base::Object> self() noexcept { return base::Ref<base::Object>(this); }
  template <class F>
  void post(F f) {
    strand_.post(self(), std::move(f));
  }
  /// The complete property block of a message: its own, UNIQ_KEY if it has none, WAIT. Answers where the id stands.
  SentId completeProperties(std::string_view own, std::int64_t wall_ms, std::string& to);
  /// A body as it goes on the wire, compressed if the options say so and it pays.
  struct WireBody {
    base::Slice bytes;
    std::int32_t sys_flag;
  };
  bool mayCompress(const Body& body) const noexcept;
  WireBody wireBody(Body body) const;
  base::Ref<PublishTopic> topicOf(std::string_view name);
  /// The queues to choose from: known ones at once, else the topic's route is fetched, else the create-topic key's.
  void findPublishInfo(base::Ref<PublishTopic> topic, base::SteadyTime deadline, base::Completion<PublishInfoPtr> done);
  Result<std::size_t> chooseQueue(MessageQueueSelector& selector, const route::TopicPublishInfo& info,
                                  const Message& message) const;
  /// Takes a place in the gate, waiting for it if the options say so; `now` is read again then. Until it is given back
  /// (leave()) this lives.
  Result<FlowGate::Place> enter(std::size_t messages, std::size_t bytes, base::SteadyTime deadline,
                                base::SteadyTime& now);
  /// What was not begun: it calls back where, and counts as, what was. Out of line: none of it is the accepted path's.
  template <class T>
  [[gnu::noinline]] Future<T> refused(Error why) const;
  void askForQueues(QueuesQuestion question);
  SendBudget budgetOf(const SendOptions& options, base::SteadyTime now) const;

  // on the strand
  void probeOnStrand(base::SteadyTime deadline);
  void probed(const Result<route::RoutePtr>& answer);
  void askForQueuesLater(QueuesQuestion question);
  void closeOnStrand(base::Millis wait, base::Completion<CloseReport> done);
  void drainedOrLate();
  void unregistered();
  void disconnected();
  void calledBackOrLate();

  const base::Ref<client::MQClientInstance> instance_;
  const std::string group_;
  const ProducerOptions options_;
  protocol::UniqIdGenerator ids_;
  FlowGate gate_;
  const FlowGate::Bounds left_together_;  // by one turn
  const std::shared_ptr<CallbackGate> callbacks_;
  const std::shared_ptr<base::CallbackTarget> callback_target_;  // the same
  TopicTable topics_;

  base::Strand strand_;
  // strand only
  client::InstanceLease lease_;
  Step step_ = Step::kRunning;
  bool ready_ = false;
  bool probing_ = false;
  bool one_probe_ = false;  // start() gives up after the first answer; ready() tries again
  std::vector<base::Completion<void>> ready_waiters_;
  std::vector<QueuesQuestion> queues_questions_;  // of topics made here that no nameserver knows yet
  std::vector<base::Completion<CloseReport>> close_waiters_;
  std::vector<base::Completion<void>> idle_waiters_;
  bool callbacks_idle_ = false;
  CloseReport report_;
  base::SteadyTime closing_since_{};
  base::SteadyTime close_deadline_{};
  base::FunctionTimer probe_timer_;
  base::FunctionTimer queues_timer_;
  base::FunctionTimer drain_timer_;
};

}  // namespace mqclient::producer
