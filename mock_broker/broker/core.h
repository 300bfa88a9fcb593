#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/completion.h"
#include "base/engine.h"
#include "base/log.h"
#include "base/strand.h"
#include "base/timer.h"
#include "mock_broker/broker/broker.h"
#include "mock_broker/broker/client_table.h"
#include "mock_broker/broker/config_files.h"
#include "mock_broker/broker/flusher.h"
#include "mock_broker/broker/group_table.h"
#include "mock_broker/broker/hold_table.h"
#include "mock_broker/broker/offset_table.h"
#include "mock_broker/broker/registration.h"
#include "mock_broker/broker/topic_table.h"
#include "mock_broker/store/message_store.h"
#include "protocol/headers/client.h"
#include "protocol/headers/offset.h"
#include "protocol/headers/send.h"
#include "protocol/headers/topic.h"
#include "protocol/message_id.h"
#include "protocol/message_record.h"
#include "remoting/remoting_client.h"
#include "remoting/remoting_server.h"
#include "remoting/responder.h"

namespace mqclient::broker {

struct SendTask;
class PullRequest;

/// The broker itself. handle() runs in a connection's strand and finds the row of the request table; what a request
/// changes is changed in *log* (records) or *tables* (all else), what it only reads is read right there.
///
/// One file per subject: send, pull, offsets, topics, clients, request_table, inspection; core.cpp has start and stop.
class BrokerCore final : public remoting::RequestHandler {
 public:
  static Result<base::Ref<BrokerCore>> start(BrokerOptions options);
  BrokerCore(BrokerOptions options, const protocol::RecordHost& store_host);

  const BrokerOptions& options() const noexcept { return options_; }
  const std::string& address() const noexcept { return server_->address(); }
  void whenRegistered(base::Completion<void> done);
  void whenKnownTo(std::string nameserver, base::Completion<void> done);
  /// How an end is: with all that is due, or as that of a process that is killed.
  enum class Ending { kOrderly, kKilled };
  void stop(Ending ending, base::Completion<void> done);
  void leaveRoute(base::Completion<void> done);
  void skewWallClock(base::Millis by) noexcept { wall_skew_ms_.store(by.count(), std::memory_order_relaxed); }
  bool stopped() const noexcept { return stopped_.load(std::memory_order_acquire); }
  void updateTopic(TopicConfig config, base::Completion<void> done);
  void inspect(UniqueFunction<void(const Inspection&)> f);

  void handle(remoting::Request&& request, remoting::Responder&& responder) noexcept override;
  void onPeerClosed(remoting::Peer& peer) noexcept override;

 private:
  friend struct RequestTable;
  friend struct SendTask;
  friend class PullRequest;
  friend class InspectionView;
  friend class Flusher;

  // ---- request_table.cpp: the handlers its rows name; each in the file of its subject
  void sendMessage(remoting::Request&& request, remoting::Responder&& responder);
  void pullMessage(remoting::Request&& request, remoting::Responder&& responder);
  void heartBeat(remoting::Request&& request, remoting::Responder&& responder);
  void checkClientConfig(remoting::Request&& request, remoting::Responder&& responder);
  void getBrokerConfig(remoting::Request&& request, remoting::Responder&& responder);
  void getBrokerRuntimeInfo(remoting::Request&& request, remoting::Responder&& responder);
  void queryConsumerOffset(protocol::QueryConsumerOffsetRequestHeader header, remoting::Request&& request,
                           remoting::Responder&& responder);
  void updateConsumerOffset(protocol::UpdateConsumerOffsetRequestHeader header, remoting::Request&& request,
                            remoting::Responder&& responder);
  void searchOffset(const protocol::SearchOffsetRequestHeader& header, remoting::Request&& request,
                    remoting::Responder&& responder);
  void getMaxOffset(const protocol::GetMaxOffsetRequestHeader& header, remoting::Request&& request,
                    remoting::Responder&& responder);
  void getMinOffset(const protocol::GetMinOffsetRequestHeader& header, remoting::Request&& request,
                    remoting::Responder&& responder);
  void getEarliestMsgStoretime(const protocol::GetEarliestMsgStoretimeRequestHeader& header,
                               remoting::Request&& request, remoting::Responder&& responder);
  void unregisterClient(protocol::UnregisterClientRequestHeader header, remoting::Request&& request,
                        remoting::Responder&& responder);
  void getConsumerListByGroup(protocol::GetConsumerListByGroupRequestHeader header, remoting::Request&& request,
                              remoting::Responder&& responder);
  void updateAndCreateTopic(protocol::CreateTopicRequestHeader header, remoting::Request&& request,
                            remoting::Responder&& responder);

  // ---- send.cpp
  struct Refusal {
    ResponseCode code;
    std::string remark;
  };
  void refuseSend(remoting::Responder responder, const Refusal& refusal) const;
  /// *tables*: the topic of a send that is not there yet, or goes to a retry topic.
  base::Ref<const Topic> topicForSend(const protocol::SendMessageView& header, Refusal& refusal);
  /// Null: unknown. Inside the connection's strand; lasts until the next question of that connection.
  const Topic* knownTopic(remoting::Peer& peer, std::string_view name) const;
  void storeMessage(const Topic& topic, const protocol::SendMessageView& header, bool dead_letter,
                    remoting::Request& request, remoting::Responder responder);
  SendTask* encodeSingle(const protocol::SendMessageView& header, protocol::RecordFields& record, bool dead_letter,
                         Refusal& refusal);
  SendTask* encodeBatch(const Topic& topic, const protocol::SendMessageView& header, protocol::RecordFields& record,
                        Refusal& refusal);
  void append(SendTask& task);  // log
  void listArrival(store::ConsumeQueue& queue);
  void wake(const std::vector<base::Ref<store::ConsumeQueue>>& arrivals);
  void answerLater(SendTask& task);
  void answerSend(SendTask& task);

  // ---- pull.cpp (tables)
  struct PullRefusal {
    ResponseCode code;
    std::string remark;
    std::optional<std::int32_t> forbidden;
  };
  std::optional<PullRefusal> checkPull(PullRequest& pull);
  void beginPull(PullRequest& pull);
  void holdPull(PullRequest& pull);
  void releaseHold(PullRequest& pull);
  void dropHolds(std::vector<base::Ref<PullRequest>> pulls, remoting::Discard why);
  template <class Each>
  void inSteps(std::vector<base::Ref<PullRequest>> pulls, Each each);

  // ---- topics.cpp
  std::optional<Refusal> putTopic(TopicConfig config);  // tables
  base::Ref<const Topic> makeRetryTopic(const protocol::SubscriptionGroupConfig& group, bool order);

  // ---- clients.cpp (tables)
  void registerClients(const protocol::HeartbeatData& data, const ClientChannel& channel,
                       remoting::Responder responder);
  void notifyConsumerIdsChanged(const std::string& group);
  void peerClosed(std::uint64_t peer_id);
  void scanClients();
  void armScan();

  // ---- offsets.cpp (tables)
  void commitOffset(std::string_view group, std::string_view topic, std::int32_t queue_id, std::int64_t offset);
  void writeOffsets();

  // ---- core.cpp
  Result<void> recover();
  void beginStop(Ending ending);
  std::int64_t wallMillis() const noexcept {
    return engine_->wallMillis() + wall_skew_ms_.load(std::memory_order_relaxed);
  }
  void partStopped();
  base::Ref<base::Object> self() noexcept { return base::Ref<base::Object>(this); }
  template <class F>
  void inTables(F f) {
    tables_.post(self(), std::move(f));
  }

  const BrokerOptions options_;
  const base::Ref<base::Engine> engine_;
  const base::Ref<base::Log> log_out_;
  const protocol::RecordHost store_host_;
  const std::string msg_id_prefix_;     // of every offset message id: the store host in hex
  const std::string added_properties_;  // what every stored message gets: MSG_REGION, TRACE_ON, CLUSTER
  protocol::UniqIdGenerator uniq_ids_;
  store::MessageStore store_;
  TopicTable topics_;
  base::Ref<remoting::RemotingServer> server_;  // set once by start()
  base::Ref<remoting::RemotingClient> client_;  // the same
  std::atomic<std::uint64_t> messages_stored_{0}, messages_pulled_{0}, pulls_held_{0};
  std::atomic<std::int64_t> wall_skew_ms_{0};
  std::atomic<bool> stopped_{false};  // set in *tables* when stop() has completed
  const base::SteadyTime started_;
  const std::int64_t boot_ms_;

  base::Strand log_;
  base::Strand answers_;  // what was appended is answered here: one after the other, so that they gather
  // below: log strand only
  std::vector<base::Ref<store::ConsumeQueue>> arrivals_;  // queues with waiters that got messages in this activation
  bool flush_posted_ = false;
  std::uint64_t trimmed_segments_ = 0;
  bool log_closed_ = false;
  Flusher flusher_;

  base::Strand tables_;
  // below: tables strand only
  GroupTable groups_;
  OffsetTable offsets_;
  ClientTable clients_;
  HoldTable holds_;
  ConfigFiles config_files_;
  base::FunctionTimer offsets_timer_;  // armed: offsets_ has what its file does not
  std::unique_ptr<Registration> registration_;
  base::FunctionTimer scan_timer_;
  bool stopping_ = false;
  int parts_to_stop_ = 0;
  std::vector<base::Completion<void>> stop_waiters_;
};

}  // namespace mqclient::broker
