#pragma once

// What the tests of the broker share: a broker over the in-process link, clients that speak frames, a clock moved by
// hand. Posts run on the calling thread at once, so a call is over when it returns.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "mock_broker/broker/broker.h"
#include "protocol/batch.h"
#include "protocol/body/client.h"
#include "protocol/body/heartbeat.h"
#include "protocol/headers/client.h"
#include "protocol/headers/offset.h"
#include "protocol/headers/pull.h"
#include "protocol/headers/send.h"
#include "protocol/headers/topic.h"
#include "protocol/message_id.h"
#include "protocol/message_record.h"
#include "protocol/names.h"
#include "protocol/properties.h"
#include "protocol/subscription.h"
#include "remoting/in_process.h"
#include "remoting/remoting_client.h"
#include "sim/sim_engine.h"

namespace mqclient::broker {

using namespace std::chrono_literals;
using base::Chain;
using base::Completion;
using base::Ref;
using base::Slice;
using protocol::NoHeader;
using protocol::RemotingCommand;
using remoting::RemotingClient;

inline constexpr char kBrokerAddress[] = "127.0.0.1:10911";
inline constexpr char kTopic[] = "TopicTest";
inline constexpr char kGroup[] = "group";
/// The flags of a pull that waits where nothing is found.
inline constexpr std::int32_t kHeldPull = protocol::kPullSubscription | protocol::kPullSuspend;

/// One call and its answer, once it is there.
struct Call {
  std::optional<Result<RemotingCommand>> result;
  int settled = 0;

  bool pending() const { return settled == 0; }
  ResponseCode code() const {
    EXPECT_EQ(settled, 1);
    if (settled != 1 || !*result) {
      ADD_FAILURE() << "no answer: " << (settled == 1 ? result->error().message() : "pending");
      return ResponseCode::RPC_UNKNOWN;
    }
    return (*result)->responseCode();
  }
  const RemotingCommand& answer() const { return **result; }
  std::string remark() const { return std::string(answer().remark()); }
  template <class Header>
  Header header() const {
    auto h = protocol::decodeHeader<Header>(answer().ext);
    EXPECT_TRUE(h) << h.error().message();
    return h ? *std::move(h) : Header{};
  }
  std::vector<std::string> bodies() const {
    std::vector<std::string> found;
    const Slice bytes = answer().body.flatten();
    protocol::RecordIterator it(bytes.bytes());
    while (auto record = it.next()) {
      EXPECT_TRUE(*record);
      if (!*record) break;
      found.emplace_back(reinterpret_cast<const char*>((*record)->body.data()), (*record)->body.size());
    }
    return found;
  }
};
using CallPtr = std::shared_ptr<Call>;

/// A client of one connection.
class TestClient {
 public:
  struct Pushes final : remoting::RequestHandler {
    void handle(remoting::Request&& request, remoting::Responder&& responder) noexcept override {
      pushed.push_back(std::move(request.command));
      std::move(responder).discard(remoting::Discard::kOneway);
    }
    std::vector<RemotingCommand> pushed;
  };

  TestClient(Ref<base::Engine> engine, Ref<remoting::Transport> network, std::string id = "client-a")
      : id_(std::move(id)),
        engine_(std::move(engine)),
        pushes_(base::makeRef<Pushes>()),
        client_(RemotingClient::make(engine_, std::move(network), base::Log::silent())) {
    client_->setRequestHandler(pushes_);
  }
  ~TestClient() { close(); }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;
  void close() { client_->close({}); }

  template <class Header>
  CallPtr call(RequestCode code, const Header& header, Chain body = {}) {
    auto call = std::make_shared<Call>();
    const std::int32_t opaque = engine_->nextOpaque();
    client_->invoke(kBrokerAddress, opaque,
                    protocol::encodeRequest({.code = code, .opaque = opaque, .type = type}, header, std::move(body)),
                    engine_->now() + kAnswerWithin,
                    Completion<RemotingCommand>::of([call](Result<RemotingCommand>&& r) {
                      ++call->settled;
                      call->result = std::move(r);
                    }));
    return call;
  }
  CallPtr callBody(RequestCode code, std::string body = {}) {
    return call(code, NoHeader{}, Slice::of(std::move(body)));
  }
  template <class Header>
  void oneway(RequestCode code, const Header& header) {
    client_->invokeOneway(
        kBrokerAddress,
        protocol::encodeRequest(
            {.code = code, .opaque = engine_->nextOpaque(), .oneway = protocol::Oneway::kYes, .type = type}, header),
        engine_->now() + kAnswerWithin, Completion<void>());
  }

  struct Send {
    std::string topic{kTopic};
    std::int32_t queueId{0};
    std::string body{"hello"};
    std::string properties{};
    std::int32_t sysFlag{0};
    std::string defaultTopic{protocol::kAutoCreateTopicKeyTopic};
    std::int32_t queues{4};
    std::optional<std::int32_t> reconsumeTimes{};
    bool batch{false};
  };
  CallPtr send(const Send& s) {
    protocol::SendMessageRequestHeaderV2 header;
    header.producerGroup = "producers";
    header.topic = s.topic;
    header.defaultTopic = s.defaultTopic;
    header.defaultTopicQueueNums = s.queues;
    header.queueId = s.queueId;
    header.sysFlag = s.sysFlag;
    header.bornTimestamp = kBornMs;
    header.flag = kFlag;
    header.properties = s.properties;
    header.reconsumeTimes = s.reconsumeTimes;
    header.batch = s.batch;
    return call(s.batch ? RequestCode::SEND_BATCH_MESSAGE : RequestCode::SEND_MESSAGE_V2, header,
                Slice::copyOf(s.body));
  }
  CallPtr sendTagged(const std::string& body, const std::string& tag, std::int32_t queue = 0) {
    std::string properties;
    protocol::appendProperty(properties, protocol::kPropertyTags, tag);
    return send({.queueId = queue, .body = body, .properties = properties});
  }

  struct Pull {
    std::string group{kGroup};
    std::string topic{kTopic};
    std::int32_t queueId{0};
    std::int64_t offset{0};
    std::int32_t count{32};
    std::int32_t sysFlag{0};
    std::int64_t commitOffset{0};
    std::int64_t suspendMs{15'000};
    std::string subscription{};
    std::int64_t subVersion{0};
    std::string expressionType{};
    RequestCode code{RequestCode::PULL_MESSAGE};
  };
  CallPtr pull(const Pull& p) {
    protocol::PullMessageRequestHeader header;
    header.consumerGroup = p.group;
    header.topic = p.topic;
    header.queueId = p.queueId;
    header.queueOffset = p.offset;
    header.maxMsgNums = p.count;
    header.sysFlag = p.sysFlag;
    header.commitOffset = p.commitOffset;
    header.suspendTimeoutMillis = p.suspendMs;
    header.subscription = p.subscription;
    header.subVersion = p.subVersion;
    header.expressionType = p.expressionType;
    return call(p.code, header);
  }
  /// A pull that waits, of everything or of `tags`.
  CallPtr longPull(std::int64_t offset, const std::string& tags = "*", std::int32_t queue = 0) {
    return pull({.queueId = queue,
                 .offset = offset,
                 .sysFlag = protocol::kPullSuspend | protocol::kPullSubscription,
                 .subscription = tags});
  }

  CallPtr heartbeat(const std::string& group, const std::vector<std::pair<std::string, std::string>>& subscriptions,
                    std::int64_t version = 1, protocol::MessageModel model = protocol::MessageModel::CLUSTERING) {
    protocol::HeartbeatData data;
    data.clientID = id_;
    data.producerDataSet.push_back({"producers"});
    protocol::ConsumerData consumer;
    consumer.groupName = group;
    consumer.messageModel = model;
    for (const auto& [topic, expression] : subscriptions) {
      consumer.subscriptionDataSet.push_back(*protocol::buildSubscriptionData(topic, expression, version));
    }
    data.consumerDataSet.push_back(std::move(consumer));
    return callBody(RequestCode::HEART_BEAT, data.encode());
  }

  CallPtr createTopic(const std::string& topic, std::int32_t queues, std::int32_t perm = 6,
                      const std::string& attributes = {}) {
    protocol::CreateTopicRequestHeader header;
    header.topic = topic;
    header.defaultTopic = protocol::kAutoCreateTopicKeyTopic;
    header.readQueueNums = header.writeQueueNums = queues;
    header.perm = perm;
    header.attributes = attributes;
    return call(RequestCode::UPDATE_AND_CREATE_TOPIC, header);
  }

  /// Groups that were announced as changed, in order.
  std::vector<std::string> notified() const {
    std::vector<std::string> groups;
    for (const RemotingCommand& command : pushes_->pushed) {
      EXPECT_EQ(command.requestCode(), RequestCode::NOTIFY_CONSUMER_IDS_CHANGED);
      EXPECT_TRUE(command.isOneway());
      groups.emplace_back(command.ext.find("consumerGroup").value_or("?"));
    }
    return groups;
  }
  void forgetPushes() { pushes_->pushed.clear(); }

  static constexpr std::int64_t kBornMs = 1'700'000'000'000;
  static constexpr std::int32_t kFlag = 7;
  static constexpr base::Millis kAnswerWithin{60'000};

  protocol::SerializeType type{protocol::SerializeType::ROCKETMQ};

 private:
  const std::string id_;
  const Ref<base::Engine> engine_;
  const Ref<Pushes> pushes_;
  const Ref<RemotingClient> client_;
};

/// A broker and a clock.
struct BrokerTest : ::testing::Test {
  void SetUp() override {
    engine = sim::makeSimEngine();
    network = remoting::InProcessNetwork::make();
  }
  void TearDown() override {
    client.reset();
    if (!broker) return;
    inspect([](const Inspection& i) { EXPECT_EQ(i.counters().responders_dropped, 0U) << "C4"; });
    stop();
    broker.reset();
  }
  void start(BrokerOptions options = {}) {
    options.engine = engine;
    options.transport = network;
    options.address = kBrokerAddress;
    auto started = Broker::start(std::move(options));
    ASSERT_TRUE(started) << started.error().message();
    broker = *std::move(started);
    client = std::make_unique<TestClient>(engine, network);
  }
  void stop() {
    const auto stopped = std::make_shared<int>(0);
    broker->stop(Completion<void>::of([stopped](Result<void>&& r) { *stopped += r ? 1 : 100; }));
    engine->pumpUntil([&] { return *stopped > 0; }, 5s);  // a silent nameserver has 3 s to hear of it
    engine->runUntilIdle();
    EXPECT_EQ(*stopped, 1);
  }
  template <class F>
  void inspect(F look) {
    bool looked = false;
    broker->inspect([&](const Inspection& i) {
      look(i);
      looked = true;
    });
    EXPECT_TRUE(looked);
  }
  std::size_t held() {
    std::size_t n = 0;
    inspect([&n](const Inspection& i) { n = i.heldPulls(); });
    return n;
  }
  std::vector<StoredMessage> messages(const std::string& topic) {
    std::vector<StoredMessage> all;
    inspect([&](const Inspection& i) { all = i.messages(topic); });
    return all;
  }

  Ref<sim::SimEngine> engine;
  Ref<remoting::InProcessNetwork> network;
  Ref<Broker> broker;
  std::unique_ptr<TestClient> client;
};

}  // namespace mqclient::broker
