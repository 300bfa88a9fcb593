#ifdef MQBROKER

#include <signal.h>

#include <chrono>
#include <stdexcept>
#include <utility>

#include "base/completion.h"
#include "base/engine.h"
#include "base/wait.h"
#include "home.h"
#include "protocol/body/route.h"
#include "protocol/headers/namesrv.h"
#include "protocol/headers/topic.h"
#include "protocol/remoting_command.h"
#include "remoting/remoting_client.h"
#include "remoting/tcp.h"
#include "tests/support/program.h"

namespace mqclient::scenarios {
namespace {

using mqclient::testing::Program;

constexpr base::Millis kRequestTimeout{5'000};
constexpr base::Millis kLookEvery{1};
constexpr base::Millis kPatience{60'000};
constexpr std::int32_t kReadWrite = 6;

std::string firstLine(Program& program) {
  auto line = program.readLine();
  if (!line) throw std::runtime_error("mqbroker did not start: " + program.wait(Program::Millis{0}).err);
  return *line;
}

/// Nothing of ours is inside these brokers: topics are made by request, and time passes by itself.
class MqbrokerProcesses final : public Home {
 public:
  ~MqbrokerProcesses() override {
    for (Program* program : {&second_, &first_}) program->signal(SIGTERM);
  }
  ClientOptions client() const override {
    ClientOptions options;
    options.namesrvAddr = namesrv_addr_;
    return options;
  }
  void createTopic(const std::string& topic, int queues) override {
    const auto client = remoting::RemotingClient::make(engine_, remoting::makeTcpTransport(), base::Log::silent());
    protocol::GetRouteInfoRequestHeader of_template;
    of_template.topic = "TBW102";
    const auto answer = ask(*client, namesrv_addr_, RequestCode::GET_ROUTEINFO_BY_TOPIC, of_template);
    const auto route = protocol::TopicRouteData::decode(answer.body.flatten().text()).value();
    if (route.brokerDatas.size() != 2) throw std::runtime_error("two brokers were expected");
    protocol::CreateTopicRequestHeader wanted;
    wanted.topic = topic;
    wanted.defaultTopic = of_template.topic;
    wanted.readQueueNums = wanted.writeQueueNums = queues;
    wanted.perm = kReadWrite;
    for (const auto& broker : route.brokerDatas) {
      (void)ask(*client, broker.brokerAddrs.at(0), RequestCode::UPDATE_AND_CREATE_TOPIC, wanted);
    }
    auto closed = base::makeOperation<void>(engine_->callbackTarget());
    client->close(std::move(closed.completion));
    std::move(closed.future).get().value();
  }
  bool eventually(UniqueFunction<bool()> condition) override {
    const base::SteadyTime deadline = engine_->now() + kPatience;
    const auto never = base::makeRef<base::WaitSlot>();
    while (!condition()) {
      if (engine_->now() >= deadline) return false;
      engine_->waitFor(*never, engine_->now() + kLookEvery);
    }
    return true;
  }
  bool canAdvance() const override { return false; }
  void advance(Millis) override {}

 private:
  template <class Header>
  protocol::RemotingCommand ask(remoting::RemotingClient& client, const std::string& address, RequestCode code,
                                const Header& header) {
    const std::int32_t opaque = engine_->nextOpaque();
    auto operation = base::makeOperation<protocol::RemotingCommand>(engine_->callbackTarget());
    client.invoke(address, opaque, protocol::encodeRequest({.code = code, .opaque = opaque}, header),
                  engine_->now() + kRequestTimeout, std::move(operation.completion));
    auto answer = std::move(operation.future).get().value();
    if (answer.responseCode() != ResponseCode::SUCCESS) throw std::runtime_error(std::string(answer.remark()));
    return answer;
  }

  base::Ref<base::Engine> engine_ = base::defaultEngine().value();
  Program first_{MQBROKER, {"--listen-port", "0", "--namesrv-port", "0"}};
  const std::string namesrv_addr_ = firstLine(first_);
  Program second_{MQBROKER, {"--listen-port", "0", "--conf", "brokerName=broker-b", "-n", namesrv_addr_}};
  const std::string second_ready_ = firstLine(second_);
};

}  // namespace

std::unique_ptr<Home> makeMqbrokerHome() {
  return std::make_unique<MqbrokerProcesses>();
}

}  // namespace mqclient::scenarios

#endif  // MQBROKER
