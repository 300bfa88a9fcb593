// A whole broker in process: a byte of tenths of a second that pass with each chunk, a byte of chunking, a stream.
// Afterwards the broker must serve others, its store must be whole, and nothing may be left when it has stopped.
#include <chrono>
#include <map>
#include <set>

#include "mock_broker/broker/broker.h"
#include "protocol/headers/pull.h"
#include "protocol/headers/send.h"
#include "protocol/message_record.h"
#include "protocol/names.h"
#include "tests/fuzz/session.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {
namespace {

using namespace std::chrono_literals;
using base::Completion;
using base::Ref;
using broker::Broker;

constexpr const char* kAddress = "127.0.0.1:10911";
constexpr const char* kProbe = "probe-of-somebody-else";
constexpr base::Nanos kStopWithin = 5s;

Ref<Broker> start(const Session& session) {
  broker::BrokerOptions options;
  options.engine = session.engine;
  options.transport = session.network;
  options.address = kAddress;
  options.memoryLogBytesMax = 256 << 10;
  options.mappedFileSizeCommitLog = 32 << 10;
  options.maxMessageSize = 16 << 10;
  return Broker::start(std::move(options)).value();
}

/// Queue offsets without a gap, each record in a place of its own.
void checkStore(const broker::Inspection& state) {
  std::set<std::int64_t> places;
  for (const broker::TopicConfig& topic : state.topicConfigs()) {
    std::map<std::int32_t, std::int64_t> next;
    for (const broker::StoredMessage& message : state.messages(topic.topicName)) {
      const auto [at, first] = next.try_emplace(message.queueId, state.minOffset(topic.topicName, message.queueId));
      demand(message.queueOffset == at->second, "a queue has no gap and begins where it says");
      demand(places.insert(message.physicalOffset).second, "no two records have one place");
      ++at->second;
    }
    for (const auto& [queue, end] : next) demand(end == state.maxOffset(topic.topicName, queue), "and ends there");
  }
  demand(state.counters().responders_dropped == 0, "no request is dropped unanswered");
}

/// Somebody else's message comes through.
void checkServes(Session& session) {
  const Ref<Stranger> guest = session.connect(kAddress);
  protocol::SendMessageRequestHeaderV2 send;
  send.producerGroup = "guests";
  send.topic = kProbe;
  send.defaultTopic = protocol::kAutoCreateTopicKeyTopic;
  guest->say(protocol::encodeRequest({.code = RequestCode::SEND_MESSAGE_V2, .opaque = 1}, send,
                                     base::Slice::copyOf("still there?"))
                 .toString());
  session.engine->runUntilIdle();
  const auto* stored = guest->answerTo(1);
  demand(stored && stored->responseCode() == ResponseCode::SUCCESS, "another client's send is stored");
  protocol::PullMessageRequestHeader pull;
  pull.consumerGroup = "guests-too";
  pull.topic = kProbe;
  pull.maxMsgNums = 1;
  pull.sysFlag = protocol::kPullSubscription;
  pull.subscription = "*";
  guest->say(protocol::encodeRequest({.code = RequestCode::PULL_MESSAGE, .opaque = 2}, pull).toString());
  session.engine->runUntilIdle();
  const auto* pulled = guest->answerTo(2);
  demand(pulled && pulled->responseCode() == ResponseCode::SUCCESS, "and pulled");
  const base::Slice body = pulled->body.flatten();
  const auto record = protocol::decodeRecord(body.bytes());
  demand(record && protocol::bodyCrcMatches(*record) && record->topic == kProbe, "as it was sent");
  guest->close("the guest goes");
}

void run(Input& input) {
  const std::uint8_t pause = input.byte();
  const std::uint8_t sizes = input.byte();
  Session session;
  const Ref<Broker> broker = start(session);
  const Ref<Stranger> stranger = session.speak(kAddress, pause, chop(input.rest(), sizes));
  checkAnswers(*stranger);
  checkServes(session);
  broker->inspect(&checkStore);
  session.engine->runUntilIdle();
  stranger->close("the stranger goes");
  session.complete([&](Completion<void> done) { broker->stop(std::move(done)); }, kStopWithin);
  session.checkNothingIsLeft();
}

const Registration kTarget("broker_session", run);

}  // namespace
}  // namespace mqclient::fuzz
