#pragma once

// A nameserver and a broker whose every answer a test decides, on an in-process network in virtual time. Unscripted,
// they behave like a healthy cluster with one topic: heartbeats are accepted, members are those that sent one, no group
// has an offset, every queue is empty, pulls are held.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "mqclient/default_mq_push_consumer.h"
#include "protocol/body/client.h"
#include "protocol/body/heartbeat.h"
#include "protocol/body/route.h"
#include "protocol/headers/client.h"
#include "protocol/headers/namesrv.h"
#include "protocol/headers/offset.h"
#include "protocol/headers/pull.h"
#include "protocol/message_record.h"
#include "protocol/remoting_command.h"
#include "remoting/in_process.h"
#include "remoting/remoting_server.h"
#include "sim/sim_engine.h"
#include "tests/base/helpers.h"
#include "tests/support/scripted_home.h"

namespace mqclient::consumer {

using namespace std::chrono_literals;
using remoting::Request;
using remoting::Responder;

inline constexpr char kNameserver[] = "127.0.0.1:9876";
inline constexpr char kBrokerAddress[] = "127.0.0.1:10911";
inline constexpr char kBroker[] = "broker-a";
inline constexpr char kTopic[] = "orders";

inline base::Slice record(std::int64_t offset, std::string_view body, std::string_view properties = {},
                          int queue_id = 0, std::int32_t sys_flag = 0) {
  protocol::RecordFields fields;
  fields.sysFlag = sys_flag;
  fields.queueId = queue_id;
  fields.queueOffset = offset;
  fields.bornHost = *protocol::RecordHost::parse("127.0.0.1:1");
  fields.storeHost = *protocol::RecordHost::parse(kBrokerAddress);
  fields.body = std::as_bytes(std::span(body.data(), body.size()));
  fields.topic = kTopic;
  fields.properties = properties;
  const std::size_t size = protocol::recordSize(fields);
  base::BlockWriter block(size);
  protocol::encodeRecord(block.data(), fields);
  return std::move(block).freeze(size);
}
/// Records offset, offset + 1, ... with bodies "m<offset>".
inline base::Chain records(std::int64_t offset, int count, std::string_view properties = {}) {
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    bytes += record(offset + i, "m" + std::to_string(offset + i), properties).text();
  }
  return {base::Slice::copyOf(bytes)};
}

class ScriptedBroker final : public remoting::RequestHandler {
 public:
  struct HeldPull {
    protocol::PullMessageRequestHeader header;
    Responder responder;
  };
  using Answer = std::function<void(Request&, Responder&)>;

  // ---- what a test sets
  int queues = 1;
  bool has_route = true;
  std::map<RequestCode, Answer> scripts;      ///< instead of the usual behaviour, while set
  std::optional<std::int64_t> stored_offset;  ///< of every queue; none: QUERY_NOT_FOUND
  std::int64_t max_offset = 0, min_offset = 0, searched_offset = 0;
  std::set<std::string> other_members;

  // ---- what a test sees
  std::map<RequestCode, int> counts;
  std::map<int, HeldPull> held;                       ///< by queue id
  std::vector<std::pair<int, std::int64_t>> commits;  ///< queue id and offset, by request 15 or by a pull's flag
  std::set<std::string> members;
  std::optional<protocol::HeartbeatData> last_heartbeat;
  std::vector<std::int64_t> pulled_offsets;

  void handle(Request&& request, Responder&& responder) noexcept override {
    const RequestCode code = request.command.requestCode();
    ++counts[code];
    const auto script = scripts.find(code);
    if (script != scripts.end()) {
      const Answer answer = script->second;  // it may change the table
      answer(request, responder);
      return;
    }
    usual(code, request, std::move(responder));
  }

  void usual(RequestCode code, Request& request, Responder responder) {
    const protocol::ExtFields& ext = request.command.ext;
    switch (code) {
      case RequestCode::GET_ROUTEINFO_BY_TOPIC:
        return answerRoute(std::move(responder));
      case RequestCode::HEART_BEAT: {
        last_heartbeat = *protocol::HeartbeatData::decode(request.command.body.flatten().text());
        members.insert(last_heartbeat->clientID);
        return std::move(responder).answer(ResponseCode::SUCCESS);
      }
      case RequestCode::UNREGISTER_CLIENT: {
        members.erase(protocol::decodeHeader<protocol::UnregisterClientRequestHeader>(ext)->clientID);
        return std::move(responder).answer(ResponseCode::SUCCESS);
      }
      case RequestCode::GET_CONSUMER_LIST_BY_GROUP: {
        protocol::GetConsumerListByGroupResponseBody body;
        body.consumerIdList.assign(members.begin(), members.end());
        body.consumerIdList.insert(body.consumerIdList.end(), other_members.begin(), other_members.end());
        return std::move(responder).answer(ResponseCode::SUCCESS, "", protocol::NoHeader{},
                                           base::Slice::of(body.encode()));
      }
      case RequestCode::QUERY_CONSUMER_OFFSET: {
        if (!stored_offset) return std::move(responder).answer(ResponseCode::QUERY_NOT_FOUND);
        protocol::QueryConsumerOffsetResponseHeader header;
        header.offset = *stored_offset;
        return std::move(responder).answer(ResponseCode::SUCCESS, "", header);
      }
      case RequestCode::UPDATE_CONSUMER_OFFSET: {
        const auto header = *protocol::decodeHeader<protocol::UpdateConsumerOffsetRequestHeader>(ext);
        commits.emplace_back(header.queueId, header.commitOffset);
        return std::move(responder).answer(ResponseCode::SUCCESS);
      }
      case RequestCode::GET_MAX_OFFSET:
        return answerOffset(std::move(responder), max_offset);
      case RequestCode::GET_MIN_OFFSET:
        return answerOffset(std::move(responder), min_offset);
      case RequestCode::SEARCH_OFFSET_BY_TIMESTAMP:
        return answerOffset(std::move(responder), searched_offset);
      case RequestCode::PULL_MESSAGE: {
        const auto header = *protocol::decodeHeader<protocol::PullMessageRequestHeader>(ext);
        if ((header.sysFlag & protocol::kPullCommitOffset) != 0)
          commits.emplace_back(header.queueId, header.commitOffset);
        pulled_offsets.push_back(header.queueOffset);
        held.insert_or_assign(header.queueId, HeldPull{header, std::move(responder)});
        return;
      }
      default:
        return std::move(responder).answer(ResponseCode::REQUEST_CODE_NOT_SUPPORTED);
    }
  }

  /// Answers the held pull of a queue.
  void answerPull(ResponseCode code, std::int64_t next_offset, base::Chain body = {}, int queue_id = 0) {
    const auto it = held.find(queue_id);
    ASSERT_NE(it, held.end()) << "queue " << queue_id << " does not pull";
    HeldPull pull = std::move(it->second);
    held.erase(it);
    protocol::PullMessageResponseHeader header;
    header.nextBeginOffset = next_offset;
    header.minOffset = min_offset;
    header.maxOffset = std::max(max_offset, next_offset);
    std::move(pull.responder).answer(code, "", header, std::move(body));
  }
  void deliver(std::int64_t offset, int count, int queue_id = 0, std::string_view properties = {}) {
    answerPull(ResponseCode::SUCCESS, offset + count, records(offset, count, properties), queue_id);
  }
  bool pulling(int queue_id = 0) const { return held.count(queue_id) > 0; }
  std::optional<std::int64_t> lastCommit(int queue_id = 0) const {
    for (auto it = commits.rbegin(); it != commits.rend(); ++it) {
      if (it->first == queue_id) return it->second;
    }
    return std::nullopt;
  }
  /// Whatever waits is given back unanswered-for, so that nothing is dropped when the test ends.
  void letGo() {
    for (auto& [queue, pull] : held) std::move(pull.responder).discard(remoting::Discard::kStopping);
    held.clear();
  }

 private:
  void answerRoute(Responder responder) const {
    if (!has_route) return std::move(responder).answer(ResponseCode::TOPIC_NOT_EXIST, "no such topic");
    protocol::TopicRouteData route;
    protocol::QueueData queue;
    queue.brokerName = kBroker;
    queue.readQueueNums = queue.writeQueueNums = queues;
    queue.perm = 6;
    route.queueDatas.push_back(queue);
    protocol::BrokerData broker;
    broker.cluster = "c";
    broker.brokerName = kBroker;
    broker.brokerAddrs[0] = kBrokerAddress;
    route.brokerDatas.push_back(broker);
    std::move(responder).answer(ResponseCode::SUCCESS, "", protocol::NoHeader{}, base::Slice::of(route.encode()));
  }
  static void answerOffset(Responder responder, std::int64_t offset) {
    protocol::GetMaxOffsetResponseHeader header;  // one field, the same name in all three answers
    header.offset = offset;
    std::move(responder).answer(ResponseCode::SUCCESS, "", header);
  }
};

/// Virtual time, the scripted pair, and consumers on it.
class ScriptedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    broker = base::makeRef<ScriptedBroker>();
    for (const char* address : {kNameserver, kBrokerAddress}) {
      auto server = remoting::RemotingServer::start(engine, network, address, broker, base::Log::silent());
      ASSERT_TRUE(server) << server.error();
      servers.push_back(*std::move(server));
    }
  }
  void TearDown() override {
    engine->runUntilIdle();
    broker->letGo();
    for (const auto& server : servers) server->close(base::Completion<void>());
    engine->runUntilIdle();
  }

  ClientOptions clientOptions() { return scripted::ScriptedHome::client(engine, log, events); }
  Result<DefaultMQPushConsumer> start(MessageListener listener, PushConsumerOptions options = {},
                                      MessageSelector selector = MessageSelector::all()) {
    Result<DefaultMQPushConsumer> consumer = DefaultMQPushConsumer::start(
        "group", {{kTopic, std::move(selector)}}, std::move(listener), clientOptions(), std::move(options));
    engine->runUntilIdle();
    return consumer;
  }
  /// Calls of a user's thread that is faster than every strand: what they post waits together.
  void inOneTurn(const std::function<void()>& calls) {
    const auto foreign = base::makeRef<base::testing::Owner>(base::Ref<base::Engine>(engine.get()));
    foreign->strand.post(foreign, [&calls] { calls(); });
    engine->runUntilIdle();
  }
  /// The report of a close() that comes in one turn with `calls`, and waits for nothing.
  CloseReport closeInOneTurn(DefaultMQPushConsumer& consumer, const std::function<void()>& calls) {
    std::optional<Future<CloseReport>> closing;
    inOneTurn([&] {
      calls();
      closing = consumer.closeAsync();
    });
    EXPECT_TRUE(closing->isReady());
    Result<CloseReport> report = std::move(*closing).get();
    EXPECT_TRUE(report);
    return report ? *std::move(report) : CloseReport();
  }
  /// Remembers bodies and answers what `next_status` says.
  MessageListener collecting() {
    return MessageListener([this](Messages messages, ConsumeConcurrentlyContext&) {
      batch_sizes.push_back(messages.size());
      for (const MessageExt& m : messages) {
        seen.emplace_back(m.body());
        redeliveries.push_back(m.reconsumeTimes());
      }
      return next_status;
    });
  }

  base::Ref<sim::SimEngine> engine = sim::makeSimEngine();
  sim::SimEngine::Enter inside{*engine};
  base::Ref<remoting::InProcessNetwork> network = remoting::InProcessNetwork::make();
  base::Ref<ScriptedBroker> broker;
  std::vector<base::Ref<remoting::RemotingServer>> servers;
  std::vector<std::string> log;
  std::vector<ClientEvent> events;
  std::vector<std::string> seen;
  std::vector<int> redeliveries;
  std::vector<std::size_t> batch_sizes;
  ConsumeConcurrentlyStatus next_status = ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
  scripted::ScriptedHome scripted_home{[this] {
    client::Home home;
    home.engine = base::Ref<base::Engine>(engine.get());
    home.transport = network;
    home.nameservers = {kNameserver};
    return home;
  }};
};

}  // namespace mqclient::consumer
