// A whole client in process: nameserver and broker are played by the input, one step a request that the client sends.
// When the input is at its end they are healthy. Every call of the client ends, with one error or what it asked for, in
// its time; when it has closed nothing is left.
#include <chrono>
#include <optional>
#include <string>

#include "mqclient/default_mq_producer.h"
#include "mqclient/default_mq_push_consumer.h"
#include "protocol/body/client.h"
#include "protocol/body/heartbeat.h"
#include "protocol/body/route.h"
#include "protocol/headers/offset.h"
#include "protocol/headers/pull.h"
#include "protocol/headers/send.h"
#include "tests/fuzz/session.h"
#include "tests/fuzz/target.h"
#include "tests/support/scripted_home.h"

namespace mqclient::fuzz {
namespace {

using namespace std::chrono_literals;
using base::Chain;
using base::Ref;
using base::Slice;
using protocol::RemotingCommand;

constexpr const char* kNameserver = "127.0.0.1:9876";
constexpr const char* kBroker = "127.0.0.1:10911";
constexpr const char* kTopic = "orders";
constexpr Millis kSendTimeout{300};
constexpr Millis kApiTimeout{500};
/// What any call may take: its own time, a route that is asked for first, and the close's 10 s.
constexpr base::Nanos kCallWithin = 15s;
constexpr int kSends = 3;

std::string routeBody() {
  protocol::TopicRouteData route;
  protocol::QueueData queues;
  queues.brokerName = "broker-a";
  queues.readQueueNums = queues.writeQueueNums = 2;
  queues.perm = 6;
  route.queueDatas.push_back(queues);
  protocol::BrokerData data;
  data.cluster = "c";
  data.brokerName = "broker-a";
  data.brokerAddrs[0] = kBroker;
  route.brokerDatas.push_back(data);
  return route.encode();
}

/// Nameserver and broker at once.
class Other {
 public:
  explicit Other(Input& script) : script_(script) {}

  void hear(Stranger& end, const RemotingCommand& request) {
    if (request.requestCode() == RequestCode::HEART_BEAT) {
      const auto heartbeat = protocol::HeartbeatData::decode(request.body.flatten().text());
      demand(heartbeat.has_value(), "a heartbeat can be read");
      client_id_ = heartbeat->clientID;
    }
    if (request.isOneway()) return;
    if (script_.empty()) return healthy(end, request, request.opaque);
    step(end, request);
  }

 private:
  void step(Stranger& end, const RemotingCommand& request) {
    switch (script_.choice(9)) {
      case 0:
        return healthy(end, request, request.opaque);
      case 1:
        return answerAnything(end, request);
      case 2:
        return end.say(
            protocol::encodeResponse(request.identity(), static_cast<ResponseCode>(script_.byte()), script_.text())
                .toString());
      case 3:
        return end.say(script_.text());
      case 4:
        return healthy(end, request, request.opaque + 1);
      case 5:
        healthy(end, request, request.opaque);
        return healthy(end, request, request.opaque);
      case 6:
        return end.close("the input says so");
      case 7:
        return answerBody(end, request);
      default:
        return;  // silence
    }
  }

  /// Fields as lines of name=value, then a body.
  void answerAnything(Stranger& end, const RemotingCommand& request) {
    RemotingCommand answer = answerOf(request);
    std::string_view lines = script_.text();
    while (!lines.empty()) {
      const std::string_view line = lines.substr(0, lines.find('\n'));
      lines.remove_prefix(std::min(lines.size(), line.size() + 1));
      const std::size_t middle = std::min(line.find('='), line.size());
      answer.ext.add(line.substr(0, middle), line.substr(std::min(middle + 1, line.size())));
    }
    answer.body = Chain(Slice::copyOf(script_.text()));
    end.say(protocol::encode(answer).toString());
  }

  /// The input's body under a header that is in order: records for a pull, JSON for the rest.
  void answerBody(Stranger& end, const RemotingCommand& request) {
    protocol::PullMessageResponseHeader header;
    header.nextBeginOffset = script_.byte();
    header.maxOffset = header.nextBeginOffset;
    end.say(protocol::encodeResponse(request.identity(), ResponseCode::SUCCESS, "", header,
                                     Chain(Slice::copyOf(script_.take(script_.be16()))))
                .toString());
  }

  static RemotingCommand answerOf(const RemotingCommand& request) {
    RemotingCommand answer;
    answer.opaque = request.opaque;
    answer.flag = protocol::kResponseFlag;
    answer.serializeType = request.serializeType;
    return answer;
  }

  template <class Header>
  static void answer(Stranger& end, const protocol::RequestIdentity& to, const Header& header, std::string body = {}) {
    end.say(
        protocol::encodeResponse(to, ResponseCode::SUCCESS, "", header, Chain(Slice::of(std::move(body)))).toString());
  }

  void healthy(Stranger& end, const RemotingCommand& request, std::int32_t opaque) {
    const protocol::RequestIdentity to{opaque, request.serializeType};
    switch (request.requestCode()) {
      case RequestCode::GET_ROUTEINFO_BY_TOPIC:
        return answer(end, to, protocol::NoHeader{}, routeBody());
      case RequestCode::SEND_MESSAGE:
      case RequestCode::SEND_MESSAGE_V2:
      case RequestCode::SEND_BATCH_MESSAGE: {
        protocol::SendMessageResponseHeader header;
        header.msgId = "7F00000100002A9F0000000000000000";
        return answer(end, to, header);
      }
      case RequestCode::GET_CONSUMER_LIST_BY_GROUP: {
        protocol::GetConsumerListByGroupResponseBody body;
        body.consumerIdList.push_back(client_id_);
        return answer(end, to, protocol::NoHeader{}, body.encode());
      }
      case RequestCode::QUERY_CONSUMER_OFFSET:
      case RequestCode::GET_MAX_OFFSET:
      case RequestCode::GET_MIN_OFFSET:
        return answer(end, to, protocol::GetMaxOffsetResponseHeader{});
      case RequestCode::PULL_MESSAGE:
        return;  // held: nothing comes
      default:
        return answer(end, to, protocol::NoHeader{});
    }
  }

  Input& script_;
  std::string client_id_;
};

/// Runs one call of the client.
class Calls {
 public:
  explicit Calls(Session& session) : session_(session) {}

  template <class F>
  auto operator()(F&& call) {
    const base::SteadyTime began = session_.engine->now();
    auto result = call();
    demand(session_.engine->now() - began <= kCallWithin, "a call ends in its time");
    if (!result) demand(!result.error().message().empty(), "an error says what was wrong");
    return result;
  }

 private:
  Session& session_;
};

Message message() {
  return Message(kTopic, Body(std::string("hello")));
}

void produce(Calls& call, const ClientOptions& client) {
  auto producer = call([&] { return DefaultMQProducer::start("producers", client, {.sendMsgTimeout = kSendTimeout}); });
  if (!producer) return;
  for (int i = 0; i < kSends; ++i) (void)call([&] { return producer->send(message()); });
  (void)call([&] { return producer->sendOneway(message()); });
  (void)call([&] { return producer->fetchPublishMessageQueues(kTopic); });
  (void)call([&] {
    std::vector<Message> messages;
    for (int i = 0; i < kSends; ++i) messages.push_back(message());
    return producer->sendBatch(std::move(messages));
  });
  Future<SendResult> first = producer->sendAsync(message());
  Future<SendResult> second = producer->sendAsync(message());
  (void)call([&] { return std::move(second).get(); });
  (void)call([&] { return std::move(first).get(); });
  (void)call([&] { return producer->closeAsync().get(); });
}

void consume(Session& session, Calls& call, const ClientOptions& client) {
  auto consumer = call([&] {
    return DefaultMQPushConsumer::start(
        "consumers", {{kTopic}},
        [](Messages messages, ConsumeConcurrentlyContext&) {
          for (const MessageExt& m : messages) (void)m.toMessage();
          return ConsumeConcurrentlyStatus::CONSUME_SUCCESS;
        },
        client);
  });
  if (!consumer) return;
  session.engine->advance(3s);
  (void)call([&] { return consumer->commit().get(); });
  (void)call([&] { return consumer->closeAsync().get(); });
}

void run(Input& input) {
  const bool consumes = (input.byte() & 1) != 0;
  Session session(sim::SimOptions::Time::kAutoAdvance);
  Other other(input);
  const auto acceptor = base::makeRef<StrangerAcceptor>(*session.engine);
  acceptor->on_request = [&other](Stranger& end, const RemotingCommand& request) { other.hear(end, request); };
  std::vector<Ref<remoting::ListenSocket>> sockets;
  for (const char* address : {kNameserver, kBroker}) {
    sockets.push_back(session.network->listen(*session.engine, address, acceptor).value());
  }
  {
    const scripted::ScriptedHome scripted_home([&session] {
      client::Home home;
      home.engine = Ref<base::Engine>(session.engine.get());
      home.transport = session.network;
      home.nameservers = {kNameserver};
      return home;
    });
    std::vector<std::string> log;
    std::vector<ClientEvent> events;
    ClientOptions client = scripted::ScriptedHome::client(session.engine, log, events);
    client.log = nullptr;
    client.onEvent = nullptr;
    client.mqClientApiTimeout = kApiTimeout;
    client.startTimeout = kApiTimeout;
    Calls call(session);
    if (consumes) {
      consume(session, call, client);
    } else {
      produce(call, client);
    }
  }
  acceptor->closeAll();
  for (const Ref<remoting::ListenSocket>& socket : sockets) socket->close();
  session.engine->runUntilIdle();
  session.checkNothingIsLeft();
}

const Registration kTarget("client_session", run);

}  // namespace
}  // namespace mqclient::fuzz
