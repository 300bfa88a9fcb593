#pragma once

// Nameservers and brokers whose every answer a test decides, on an in-process network in virtual time. Unscripted they
// are healthy: routes come from a table, heartbeats are accepted, messages are stored one after the other.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "mqclient/client.h"
#include "protocol/body/heartbeat.h"
#include "protocol/body/route.h"
#include "protocol/headers/namesrv.h"
#include "protocol/headers/send.h"
#include "protocol/properties.h"
#include "protocol/remoting_command.h"
#include "remoting/in_process.h"
#include "remoting/remoting_server.h"
#include "sim/sim_engine.h"
#include "tests/support/scripted_home.h"

namespace mqclient::scripted {

using namespace std::chrono_literals;
using remoting::Request;
using remoting::Responder;

/// One message as a broker got it.
struct Sent {
  RequestCode code{};
  std::string topic, defaultTopic, group, bname, properties, body, msg_id;
  int queueId = 0, defaultTopicQueueNums = 0, sysFlag = 0;
  bool oneway = false, batch = false;
  base::SteadyTime at{};
};

class Server final : public remoting::RequestHandler {
 public:
  using Script = std::function<void(Request&, Responder&)>;
  Server(base::Ref<sim::SimEngine> engine, std::string name, std::string address)
      : engine_(std::move(engine)), name_(std::move(name)), address_(std::move(address)) {}

  const std::string& name() const { return name_; }
  const std::string& address() const { return address_; }

  // ---- what a test sets
  std::map<RequestCode, Script> scripts;  ///< instead of the usual behaviour, while set
  Script on_send;                         ///< likewise, for sends of any code; the message is in `sends` already
  const std::map<std::string, protocol::TopicRouteData>* routes = nullptr;  ///< of a nameserver

  // ---- what a test sees
  std::map<RequestCode, int> counts;
  std::vector<Sent> sends;
  std::vector<protocol::HeartbeatData> heartbeats;
  std::vector<base::SteadyTime> heartbeat_times;
  std::vector<base::SteadyTime> route_times;
  std::vector<base::Ref<remoting::Peer>> peers;  ///< that sent something, newest last
  std::deque<Responder> held;

  // ---- scripts
  static void hang(Server& server, Responder& responder) { server.held.push_back(std::move(responder)); }
  static Script answering(ResponseCode code) {
    return [code](Request&, Responder& responder) { std::move(responder).answer(code, "scripted"); };
  }
  Script hanging() {
    return [this](Request&, Responder& responder) { hang(*this, responder); };
  }
  Script resetting() {
    return [](Request& request, Responder& responder) {
      std::move(responder).discard(remoting::Discard::kInjectedFault);
      request.peer->close(Error(ErrorCode::kConnectionLost, "reset by the script"));
    };
  }
  /// Whatever waits is given back unanswered-for, and peers, which hold their handler, are let go.
  void letGo() {
    peers.clear();
    for (Responder& responder : held) std::move(responder).discard(remoting::Discard::kStopping);
    held.clear();
  }

  void handle(Request&& request, Responder&& responder) noexcept override {
    const RequestCode code = request.command.requestCode();
    ++counts[code];
    if (peers.empty() || peers.back()->id() != request.peer->id()) peers.push_back(request.peer);
    if (const auto script = scripts.find(code); script != scripts.end()) {
      const Script answer = script->second;  // it may change the table
      answer(request, responder);
      return;
    }
    switch (code) {
      case RequestCode::GET_ROUTEINFO_BY_TOPIC:
        return answerRoute(request, std::move(responder));
      case RequestCode::HEART_BEAT:
        heartbeats.push_back(*protocol::HeartbeatData::decode(request.command.body.flatten().text()));
        heartbeat_times.push_back(engine_->now());
        return std::move(responder).answer(ResponseCode::SUCCESS);
      case RequestCode::SEND_MESSAGE:
      case RequestCode::SEND_MESSAGE_V2:
      case RequestCode::SEND_BATCH_MESSAGE: {
        note(request);
        if (const Script script = on_send) return script(request, responder);
        return store(std::move(responder));
      }
      default:
        return std::move(responder).answer(ResponseCode::SUCCESS);
    }
  }
  void store(Responder responder, ResponseCode code = ResponseCode::SUCCESS) {
    protocol::SendMessageResponseHeader header;
    header.msgId = "7F00000100002A9F0000000000000000";
    header.queueId = sends.back().queueId;
    header.queueOffset = next_offset_++;
    header.msgRegion = "DefaultRegion";
    std::move(responder).answer(code, "", header);
  }

 private:
  void note(const Request& request) {
    const protocol::SendMessageView header = *protocol::decodeSendHeader(request.command);
    Sent sent;
    sent.code = request.command.requestCode();
    sent.topic = header.topic;
    sent.defaultTopic = header.defaultTopic;
    sent.defaultTopicQueueNums = header.defaultTopicQueueNums;
    sent.group = header.producerGroup;
    sent.bname = header.bname;
    sent.properties = header.properties;
    sent.msg_id = protocol::PropertiesView(header.properties).find("UNIQ_KEY").value_or("");
    sent.queueId = header.queueId;
    sent.sysFlag = header.sysFlag;
    sent.body = request.command.body.toString();
    sent.oneway = request.command.isOneway();
    sent.batch = header.batch;
    sent.at = engine_->now();
    sends.push_back(std::move(sent));
  }
  void answerRoute(const Request& request, Responder responder) {
    route_times.push_back(engine_->now());
    const auto header = *protocol::decodeHeader<protocol::GetRouteInfoRequestHeader>(request.command.ext);
    const auto found = routes ? routes->find(header.topic) : decltype(routes->end()){};
    if (!routes || found == routes->end()) {
      return std::move(responder).answer(ResponseCode::TOPIC_NOT_EXIST, "no such topic");
    }
    std::move(responder).answer(ResponseCode::SUCCESS, "", protocol::NoHeader{},
                                base::Slice::of(found->second.encode()));
  }

  const base::Ref<sim::SimEngine> engine_;
  const std::string name_;
  const std::string address_;
  std::int64_t next_offset_ = 0;
};

/// Virtual time that moves when somebody waits, nameservers and brokers, and options for clients on them.
class ClusterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    engine->advance(1s);  // time is not zero in real life
  }
  void TearDown() override {
    engine->runUntilIdle();
    for (const auto& server : all) server->letGo();
    for (auto& [address, server] : listening) server->close(base::Completion<void>());
    engine->runUntilIdle();
    listening.clear();
    EXPECT_EQ(engine->armedTimers(), 0u) << "whoever ends cancels its timers\n" << engine->pendingReport();
  }

  void start(const base::Ref<Server>& server) {
    auto started = remoting::RemotingServer::start(engine, network, server->address(), server, base::Log::silent());
    ASSERT_TRUE(started) << started.error();
    listening[server->address()] = *std::move(started);
  }
  void stop(const base::Ref<Server>& server) {
    const auto found = listening.find(server->address());
    ASSERT_NE(found, listening.end());
    found->second->close(base::Completion<void>());
    listening.erase(found);
    engine->runUntilIdle();
  }
  base::Ref<Server> addNameserver() {
    const std::string n = std::to_string(nameservers.size());
    nameservers.push_back(base::makeRef<Server>(engine, "ns" + n, "127.0.0.1:987" + n));
    nameservers.back()->routes = &routes;
    all.push_back(nameservers.back());
    start(nameservers.back());
    return nameservers.back();
  }
  base::Ref<Server> addBroker() {
    const std::string n(1, static_cast<char>('a' + brokers.size()));
    brokers.push_back(base::makeRef<Server>(engine, "broker-" + n, "127.0.0.1:1091" + std::to_string(brokers.size())));
    all.push_back(brokers.back());
    start(brokers.back());
    return brokers.back();
  }
  /// Adds `queues` queues of the topic on the broker to what nameservers tell.
  void addRoute(const std::string& topic, const base::Ref<Server>& broker, int queues, int perm = 6) {
    protocol::TopicRouteData& route = routes[topic];
    protocol::QueueData data;
    data.brokerName = broker->name();
    data.readQueueNums = data.writeQueueNums = queues;
    data.perm = perm;
    route.queueDatas.push_back(data);
    protocol::BrokerData where;
    where.cluster = "c";
    where.brokerName = broker->name();
    where.brokerAddrs[0] = broker->address();
    route.brokerDatas.push_back(where);
  }

  ClientOptions clientOptions() { return scripted::ScriptedHome::client(engine, log, events); }
  Millis since(base::SteadyTime then) const { return std::chrono::duration_cast<Millis>(engine->now() - then); }

  base::Ref<sim::SimEngine> engine = sim::makeSimEngine({.time = sim::SimOptions::Time::kAutoAdvance});
  sim::SimEngine::Enter inside{*engine};
  base::Ref<remoting::InProcessNetwork> network = remoting::InProcessNetwork::make();
  std::map<std::string, protocol::TopicRouteData> routes;  ///< what every nameserver tells unless it is scripted
  std::vector<base::Ref<Server>> nameservers;
  std::vector<base::Ref<Server>> brokers;
  std::vector<base::Ref<Server>> all;
  std::map<std::string, base::Ref<remoting::RemotingServer>> listening;
  base::Ref<client::TopAddressing> addressing;  ///< instead of the nameservers' addresses, while set
  std::vector<std::string> log;
  std::vector<ClientEvent> events;
  scripted::ScriptedHome scripted_home{[this] {
    client::Home home;
    home.engine = base::Ref<base::Engine>(engine.get());
    home.transport = network;
    home.addressing = base::Ref<client::TopAddressing>(addressing);
    if (!home.addressing) {
      for (const auto& ns : nameservers) home.nameservers.push_back(ns->address());
    }
    return home;
  }};
};

}  // namespace mqclient::scripted
