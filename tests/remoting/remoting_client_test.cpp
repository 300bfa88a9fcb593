#include "remoting/remoting_client.h"

#include "malformed_frames.h"
#include "remoting_support.h"

namespace mqclient::remoting {
namespace {

class RemotingClientTest : public RemotingTest {
 protected:
  void answer(int opaque, std::size_t connection = 0) { server(connection).connection->send(answerFrame(opaque), 0); }
  std::uint64_t attempts() const { return client_->counters().connect_attempts.load(); }
};

// ---- matching

TEST_F(RemotingClientTest, AnswersAreMatchedByNumberInAnyOrder) {
  listenRaw();
  startClient();
  const auto a = invoke(1);
  const auto b = invoke(2);
  const auto c = invoke(3);
  ASSERT_EQ(acceptor_->ends.size(), 1u) << "one connection an address";
  ASSERT_EQ(server().frames.size(), 3u);
  answer(2);
  answer(3);
  EXPECT_TRUE(a->pending());
  EXPECT_TRUE(b->ok());
  EXPECT_TRUE(c->ok());
  answer(1);
  EXPECT_TRUE(a->ok());
  EXPECT_EQ((*a->result)->opaque, 1);
  EXPECT_EQ((*b->result)->opaque, 2);
}

TEST_F(RemotingClientTest, AnyAnswerCodeIsAnAnswer) {
  listenRaw();
  startClient();
  const auto a = invoke(1);
  server().connection->send(answerFrame(1, ResponseCode::SYSTEM_BUSY, "[OVERLOAD]"), 0);
  ASSERT_TRUE(a->ok());
  EXPECT_EQ((*a->result)->responseCode(), ResponseCode::SYSTEM_BUSY);
  EXPECT_EQ((*a->result)->remark(), "[OVERLOAD]");
}

TEST_F(RemotingClientTest, NumbersWrapThroughTheNegative) {
  listenRaw();
  startClient();
  std::vector<OutcomePtr> all;
  const std::vector<int> numbers{INT32_MAX - 1, INT32_MAX, INT32_MIN, INT32_MIN + 1, -1, 0, 1};
  for (const int n : numbers) all.push_back(invoke(n));
  for (const int n : numbers) answer(n);
  for (const auto& o : all) EXPECT_TRUE(o->ok());
}

TEST_F(RemotingClientTest, AnUnknownAnswerIsCountedAndIgnored) {
  listenRaw();
  startClient();
  const auto a = invoke(1);
  answer(99);
  EXPECT_TRUE(a->pending());
  EXPECT_EQ(client_->counters().unknown_answers.load(), 1u);
  answer(1);
  answer(1);  // a second answer is unknown as well
  EXPECT_TRUE(a->ok());
  EXPECT_EQ(client_->counters().unknown_answers.load(), 2u);
}

TEST_F(RemotingClientTest, ANumberUnderWayIsRefused) {
  listenRaw();
  startClient();
  const auto a = invoke(1);
  const auto b = invoke(1);
  EXPECT_EQ(b->code(), ErrorCode::kInternal);
  answer(1);
  EXPECT_TRUE(a->ok());
  const auto again = invoke(1);
  answer(1);
  EXPECT_TRUE(again->ok());
}

TEST_F(RemotingClientTest, ManyRequestsAreFoundAgain) {
  listenRaw();
  startClient();
  std::vector<OutcomePtr> all;
  for (int i = 0; i < 5'000; ++i) all.push_back(invoke(i * 17));
  for (int i = 4'999; i >= 0; i -= 2) answer(i * 17);
  for (int i = 0; i < 5'000; i += 2) answer(i * 17);
  for (const auto& o : all) ASSERT_TRUE(o->ok());
}

// ---- deadlines

TEST_F(RemotingClientTest, ARequestTimesOutAtItsDeadlineAndNotBefore) {
  listenRaw();
  startClient();
  const auto a = invoke(1, 3s);
  const auto b = invoke(2, 1s);  // later and due earlier
  engine_->advance(1s - 1ns);
  EXPECT_TRUE(b->pending());
  engine_->advance(1ns);
  ASSERT_EQ(b->settled, 1);
  EXPECT_EQ(b->code(), ErrorCode::kTimeout);
  EXPECT_EQ(b->error().applied(), Applied::kUnknown);
  EXPECT_TRUE(a->pending());
  answer(2);  // late
  EXPECT_EQ(client_->counters().unknown_answers.load(), 1u);
  engine_->advance(2s - 1ns);
  EXPECT_TRUE(a->pending());
  answer(1);
  EXPECT_TRUE(a->ok());
  engine_->advance(10s);
  EXPECT_EQ(a->settled, 1);
  EXPECT_EQ(b->settled, 1);
}

TEST_F(RemotingClientTest, ADeadlineThatHasPassedIsATimeout) {
  listenRaw();
  startClient();
  const auto a = invoke(1, -1s);
  engine_->advance(1ms);
  EXPECT_EQ(a->code(), ErrorCode::kTimeout);
}

TEST_F(RemotingClientTest, ManyDeadlinesAtOnceEndInSteps) {
  listenRaw();
  startClient();
  std::vector<OutcomePtr> all;
  for (int i = 0; i < 1'000; ++i) all.push_back(invoke(i, 1s + 1ms * (i * 7 % 100)));
  engine_->advance(2s);
  for (const auto& o : all) {
    ASSERT_EQ(o->settled, 1);
    EXPECT_EQ(o->code(), ErrorCode::kTimeout);
  }
}

TEST_F(RemotingClientTest, WaitingForAConnectionEndsAtTheDeadlineTooAndNothingWasSent) {
  usePolicy();
  policy_->connect = [] { return kDropped; };
  listenRaw();
  startClient();
  const auto a = invoke(1, 500ms);
  const auto oneway = invokeOneway(600ms);
  engine_->advance(500ms);
  ASSERT_EQ(a->settled, 1);
  EXPECT_EQ(a->code(), ErrorCode::kTimeout);
  EXPECT_EQ(a->error().applied(), Applied::kNo);
  EXPECT_FALSE(*oneway);
  engine_->advance(100ms);
  ASSERT_TRUE(*oneway);
  EXPECT_EQ((*oneway)->error().code(), ErrorCode::kTimeout);
  engine_->advance(3s);
}

// ---- connecting

TEST_F(RemotingClientTest, AllWaitingRequestsShareOneConnect) {
  usePolicy();
  policy_->connect = [] { return delayed(50ms); };
  listenRaw();
  startClient();
  const auto a = invoke(1);
  const auto b = invoke(2);
  const auto oneway = invokeOneway();
  EXPECT_TRUE(acceptor_->ends.empty());
  engine_->advance(50ms);
  EXPECT_EQ(policy_->connects, 1);
  ASSERT_EQ(server().frames.size(), 3u);
  EXPECT_EQ(server().command(0).opaque, 1);
  EXPECT_EQ(server().command(1).opaque, 2);
  EXPECT_TRUE(server().command(2).isOneway());
  EXPECT_TRUE(*oneway && (*oneway)->has_value());
  EXPECT_EQ(client_->connections(), 1u);
  EXPECT_EQ(events_->connected, 1);
}

TEST_F(RemotingClientTest, ManyWaitingRequestsGoOutInOrderOrFailTogether) {
  usePolicy();
  policy_->connect = [] { return delayed(50ms); };
  listenRaw();
  startClient();
  constexpr int kMany = 1'000;
  std::vector<OutcomePtr> all;
  for (int i = 0; i < kMany; ++i) all.push_back(invoke(i));
  engine_->advance(50ms);
  ASSERT_EQ(server().frames.size(), static_cast<std::size_t>(kMany));
  for (int i = 0; i < kMany; ++i) ASSERT_EQ(server().command(static_cast<std::size_t>(i)).opaque, i);
  client_->forget(kAddress);
  for (const auto& o : all) ASSERT_EQ(o->code(), ErrorCode::kConnectionLost);

  policy_->connect = [] { return LinkVerdict{LinkVerdict::Kind::kDrop, {}}; };
  all.clear();
  for (int i = 0; i < kMany; ++i) all.push_back(invoke(i, 10s));
  engine_->advance(3s);
  for (const auto& o : all) {
    ASSERT_EQ(o->settled, 1);
    EXPECT_EQ(o->code(), ErrorCode::kUnreachable);
    EXPECT_EQ(o->error().applied(), Applied::kNo);
  }
}

TEST_F(RemotingClientTest, NobodyThereIsUnreachableAndNothingWasSent) {
  startClient();
  const auto a = invoke(1);
  ASSERT_EQ(a->settled, 1);
  EXPECT_EQ(a->code(), ErrorCode::kUnreachable);
  EXPECT_EQ(a->error().applied(), Applied::kNo);
  EXPECT_NE(a->error().message().find(kAddress), std::string::npos);
}

TEST_F(RemotingClientTest, DuringTheBackOffRequestsFailAtOnceAndSayWhen) {
  startClient({.reconnect_backoff_min = base::Millis(100)});
  invoke(1);
  const auto a = invoke(2);
  ASSERT_EQ(a->settled, 1);
  EXPECT_EQ(a->code(), ErrorCode::kUnreachable);
  EXPECT_NE(a->error().message().find("next attempt in "), std::string::npos) << a->error().message();
  EXPECT_EQ(attempts(), 1u);
  listenRaw();
  engine_->advance(125ms);  // the back-off and its jitter
  const auto b = invoke(3);
  EXPECT_EQ(attempts(), 2u);
  answer(3);
  EXPECT_TRUE(b->ok());
}

// R15: at most 40 attempts a minute and client however often it is asked, spread over time, and back soon.
TEST_F(RemotingClientTest, ReconnectingNeverStorms) {
  constexpr int kClients = 100;
  std::vector<Ref<RemotingClient>> clients;
  std::vector<std::uint64_t> before(kClients);
  for (int i = 0; i < kClients; ++i) clients.push_back(RemotingClient::make(engine_, network_, log_));
  std::uint64_t worst_bucket = 0;
  std::uint64_t total_before = 0;
  int opaque = 0;
  const auto ask = [&] {
    for (const auto& c : clients) {
      ++opaque;
      c->invoke(kAddress, opaque, requestFrame(opaque), engine_->now() + 3s, into(std::make_shared<Outcome>()));
    }
  };
  const auto total = [&] {
    std::uint64_t sum = 0;
    for (const auto& c : clients) sum += c->counters().connect_attempts.load();
    return sum;
  };
  for (int bucket = 0; bucket < 600; ++bucket) {  // one minute, asked 20 times a second
    for (int i = 0; i < 2; ++i) {
      ask();
      engine_->advance(50ms);
    }
    worst_bucket = std::max(worst_bucket, total() - total_before);
    total_before = total();
  }
  for (const auto& c : clients) EXPECT_LE(c->counters().connect_attempts.load(), 40u);
  EXPECT_LE(worst_bucket, total() / 10);
  handler_->on = answerSuccess;
  startServer();
  const base::Nanos cap = RemotingClientOptions{}.reconnect_backoff_max * 5 / 4;
  for (base::Nanos waited{0}; waited < cap + 2s; waited += 100ms) {
    ask();
    engine_->advance(100ms);
  }
  for (const auto& c : clients) {
    EXPECT_EQ(c->connections(), 1u);
    EXPECT_TRUE(closes(c));
  }
}

TEST_F(RemotingClientTest, APeerThatAcceptsAndClosesIsBackedOffFromToo) {
  listenRaw();
  startClient();
  for (int i = 0; i < 6'000; ++i) {  // one minute
    invoke(i);
    for (const Ref<RawEnd>& end : acceptor_->ends) {
      if (end->connection) end->connection->close(Error(ErrorCode::kClosed, "no"));
    }
    engine_->advance(10ms);
  }
  EXPECT_LE(attempts(), 40u);
  EXPECT_GE(attempts(), 10u);
}

TEST_F(RemotingClientTest, AfterAConnectionThatWorkedTheNextConnectIsAtOnce) {
  listenRaw();
  startClient();
  for (int i = 0; i < 5; ++i) {
    const auto a = invoke(i);
    answer(i, static_cast<std::size_t>(i));
    EXPECT_TRUE(a->ok());
    server(static_cast<std::size_t>(i)).connection->close(Error(ErrorCode::kClosed, "restart"));
  }
  EXPECT_EQ(attempts(), 5u);
  EXPECT_EQ(events_->disconnected, 5);
}

// ---- the connection's end

TEST_F(RemotingClientTest, ALostConnectionFailsWhatWasSentAsUnknown) {
  listenRaw();
  startClient();
  std::vector<OutcomePtr> all;
  for (int i = 0; i < 200; ++i) all.push_back(invoke(i));
  answer(0);
  server().connection->close(Error(ErrorCode::kClosed, "crash"));
  EXPECT_TRUE(all[0]->ok());
  for (std::size_t i = 1; i < all.size(); ++i) {
    ASSERT_EQ(all[i]->settled, 1);
    EXPECT_EQ(all[i]->code(), ErrorCode::kConnectionLost);
    EXPECT_EQ(all[i]->error().applied(), Applied::kUnknown);
  }
  EXPECT_EQ(client_->connections(), 0u);
  EXPECT_EQ(events_->disconnected, 1);
  const auto next = invoke(500);
  answer(500, 1);
  EXPECT_TRUE(next->ok());
}

TEST_F(RemotingClientTest, ARequestCutOffBeforeItLeftIsKnownNotToHaveActed) {
  usePolicy();
  listenRaw();
  startClient();
  const auto a = invoke(1);
  policy_->frame = [](bool to_server) { return to_server ? kCut : LinkVerdict{}; };
  const auto b = invoke(2);
  ASSERT_EQ(a->settled, 1);
  ASSERT_EQ(b->settled, 1);
  EXPECT_EQ(a->error().applied(), Applied::kUnknown);
  EXPECT_EQ(b->code(), ErrorCode::kConnectionLost);
  EXPECT_EQ(b->error().applied(), Applied::kNo);
}

TEST_F(RemotingClientTest, TheOutputsBoundRefusesRequests) {
  usePolicy();
  policy_->frame = [](bool to_server) { return to_server ? delayed(10ms) : LinkVerdict{}; };
  listenRaw();
  startClient();
  const std::string half(kOutputBytesMax / 2 - 200, 'x');
  const auto a = invoke(1, 3s, half);
  const auto b = invoke(2, 3s, half);
  const auto c = invoke(3, 3s, std::string(1'000, 'x'));
  ASSERT_EQ(c->settled, 1);
  EXPECT_EQ(c->code(), ErrorCode::kQueueFull);
  EXPECT_EQ(c->error().applied(), Applied::kNo);
  engine_->advance(10ms);
  answer(1);
  answer(2);
  EXPECT_TRUE(a->ok());
  EXPECT_TRUE(b->ok());
}

TEST_F(RemotingClientTest, RequestsUnderWayAreLimited) {
  listenRaw();
  startClient({.in_flight_max = 3});
  std::vector<OutcomePtr> all;
  for (int i = 0; i < 4; ++i) all.push_back(invoke(i));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(all[static_cast<std::size_t>(i)]->pending());
  ASSERT_EQ(all[3]->settled, 1);
  EXPECT_EQ(all[3]->code(), ErrorCode::kQueueFull);
  answer(0);
  const auto again = invoke(9);
  EXPECT_TRUE(again->pending());
  EXPECT_EQ(invoke(10)->code(), ErrorCode::kQueueFull);
}

/// A connection whose peer takes nothing for a second, and three requests that leave room for small ones only.
class FullOutputTest : public RemotingClientTest {
 protected:
  void SetUp() override {
    usePolicy();
    listenRaw();
    startClient();
    const OutcomePtr good = invoke(50);
    answer(50);
    ASSERT_TRUE(good->ok()) << "a connection that never brought anything would not be made again at once";
    server().frames.clear();
    policy_->frame = [](bool to_server) { return to_server ? delayed(1s) : LinkVerdict{}; };
    for (int i = 0; i < 3; ++i) invoke(i, 30s, large_);
    ASSERT_TRUE(large(8, 3s, WhenOutputFull::kRefuse)->settled);
  }
  OutcomePtr large(int opaque, base::Nanos timeout, WhenOutputFull when_full) {
    return invoke(opaque, timeout, large_, when_full);
  }
  std::vector<int> arrived(std::size_t connection = 0) {
    std::vector<int> opaques;
    for (std::size_t i = 0; i < server(connection).frames.size(); ++i) {
      opaques.push_back(server(connection).command(i).opaque);
    }
    return opaques;
  }
  const std::string large_ = std::string(8u << 20, 'x');
};

TEST_F(FullOutputTest, WhoMayWaitWaitsForRoomInOrderAndHoldsUpNobodyElse) {
  const OutcomePtr first = large(10, 30s, WhenOutputFull::kWait);
  const OutcomePtr small = invoke(11, 30s, {}, WhenOutputFull::kWait);
  const OutcomePtr refused = large(12, 30s, WhenOutputFull::kRefuse);
  ASSERT_EQ(refused->settled, 1);
  EXPECT_EQ(refused->code(), ErrorCode::kQueueFull);
  EXPECT_EQ(refused->error().applied(), Applied::kNo);
  invoke(13, 30s);
  engine_->advance(1s);
  EXPECT_EQ(arrived(), (std::vector<int>{0, 1, 2, 13}));
  engine_->advance(1s + 5ms);
  EXPECT_EQ(arrived(), (std::vector<int>{0, 1, 2, 13, 10, 11}));
  EXPECT_TRUE(first->pending() && small->pending());
}

TEST_F(FullOutputTest, WhoDoesNotWaitForRoomKeepsItsOrder) {
  policy_->frame = nullptr;
  engine_->advance(1s);
  server().connection->close(Error(ErrorCode::kConnectionLost, "over"));
  policy_->connect = [] { return delayed(1s); };
  policy_->frame = [](bool to_server) { return to_server ? delayed(1s) : LinkVerdict{}; };
  for (int i = 20; i < 24; ++i) large(i, 30s, WhenOutputFull::kWait);
  invoke(24, 30s);  // behind one that has to wait for room
  engine_->advance(1s);
  invoke(25, 30s);
  engine_->advance(1s);
  EXPECT_EQ(arrived(1), (std::vector<int>{20, 21, 22, 24, 25}));
  engine_->advance(1s + 5ms);
  EXPECT_EQ(arrived(1), (std::vector<int>{20, 21, 22, 24, 25, 23}));
}

TEST_F(FullOutputTest, WaitingForRoomEndsAtTheDeadline) {
  policy_->frame = [](bool to_server) { return to_server ? delayed(60s) : LinkVerdict{}; };
  engine_->advance(1s);
  for (int i = 20; i < 23; ++i) large(i, 30s, WhenOutputFull::kRefuse);
  const OutcomePtr waiting = large(10, 2s, WhenOutputFull::kWait);
  engine_->advance(2s - 1ns);
  EXPECT_TRUE(waiting->pending());
  engine_->advance(1ns);
  ASSERT_EQ(waiting->settled, 1);
  EXPECT_EQ(waiting->code(), ErrorCode::kTimeout);
  EXPECT_EQ(waiting->error().applied(), Applied::kNo);
  EXPECT_NE(waiting->error().message().find("full"), std::string::npos) << waiting->error();
}

TEST_F(FullOutputTest, WhatWaitsForRoomGoesOverTheNextConnection) {
  const OutcomePtr waiting = large(10, 30s, WhenOutputFull::kWait);
  server().connection->close(Error(ErrorCode::kConnectionLost, "over"));
  engine_->advance(2s);
  EXPECT_EQ(arrived(1), (std::vector<int>{10}));
  EXPECT_TRUE(waiting->pending());
}

TEST_F(FullOutputTest, ARequestThatNeverFitsDoesNotWait) {
  const OutcomePtr outcome = invoke(10, 30s, std::string(kOutputBytesMax, 'x'), WhenOutputFull::kWait);
  ASSERT_EQ(outcome->settled, 1);
  EXPECT_EQ(outcome->code(), ErrorCode::kQueueFull);
}

TEST_F(RemotingClientTest, AnIdleConnectionClosesAtItsTimeAndNotBefore) {
  listenRaw();
  startClient();
  const auto a = invoke(1);
  engine_->advance(1s);
  answer(1);
  engine_->advance(60s);
  invokeOneway();
  engine_->advance(120s - 1ns);
  EXPECT_EQ(client_->connections(), 1u);
  engine_->advance(1ns);
  EXPECT_EQ(client_->connections(), 0u);
  EXPECT_EQ(client_->counters().idle_closed.load(), 1u);
  EXPECT_TRUE(server().closed);
  const auto b = invoke(2);  // reopened on next use, at once
  answer(2, 1);
  EXPECT_TRUE(b->ok());
}

TEST_F(RemotingClientTest, AConnectionWithARequestPendingIsNotIdle) {
  listenRaw();
  startClient();
  const auto a = invoke(1, 300s);
  engine_->advance(200s);
  EXPECT_EQ(client_->connections(), 1u);
  answer(1);
  EXPECT_TRUE(a->ok());
  engine_->advance(120s - 1ns);
  EXPECT_EQ(client_->connections(), 1u);
  engine_->advance(1ns);
  EXPECT_EQ(client_->connections(), 0u);
}

// R16
TEST_F(RemotingClientTest, AHalfOpenConnectionIsReplaced) {
  usePolicy();
  bool silent = false;
  policy_->frame = [&](bool) { return silent ? kDropped : LinkVerdict{}; };
  startServer();
  handler_->on = answerSuccess;
  startClient();
  EXPECT_TRUE(invoke(1)->ok());
  silent = true;
  const auto a = invoke(2);
  engine_->advance(3s);
  EXPECT_EQ(a->code(), ErrorCode::kTimeout);
  EXPECT_EQ(client_->connections(), 1u) << "one slow answer is no proof";
  const auto b = invoke(3);
  const auto held = invoke(4, 30s);
  engine_->advance(3s);
  EXPECT_EQ(b->code(), ErrorCode::kTimeout);
  EXPECT_EQ(client_->counters().half_open_closed.load(), 1u);
  ASSERT_EQ(held->settled, 1);
  EXPECT_EQ(held->code(), ErrorCode::kConnectionLost);
  EXPECT_EQ(held->error().applied(), Applied::kUnknown);
  silent = false;
  EXPECT_TRUE(invoke(5)->ok());
}

TEST_F(RemotingClientTest, ASlowServerThatStillTalksIsNotTakenForDead) {
  listenRaw();
  startClient();
  for (int i = 0; i < 10; ++i) {
    invoke(2 * i, 3s);
    engine_->advance(1s);
    invoke(2 * i + 1, 3s);
    answer(2 * i + 1);
    engine_->advance(2s);
  }
  EXPECT_EQ(client_->counters().timeouts.load(), 10u);
  EXPECT_EQ(client_->counters().half_open_closed.load(), 0u);
}

TEST_F(RemotingClientTest, ForgettingAnAddressEndsItsConnection) {
  listenRaw();
  startClient();
  const auto a = invoke(1);
  client_->forget(kAddress);
  client_->forget("127.0.0.1:1");
  EXPECT_EQ(a->code(), ErrorCode::kConnectionLost);
  EXPECT_EQ(client_->connections(), 0u);
  const auto b = invoke(2);
  answer(2, 1);
  EXPECT_TRUE(b->ok());
}

TEST_F(RemotingClientTest, CloseFailsWhatIsPendingRefusesWhatComesAndCompletes) {
  usePolicy();
  listenRaw();
  startClient();
  const auto a = invoke(1);
  EXPECT_TRUE(closes(client_));
  ASSERT_EQ(a->settled, 1);
  EXPECT_EQ(a->code(), ErrorCode::kClosed);
  EXPECT_EQ(a->error().applied(), Applied::kUnknown);
  const auto b = invoke(2);
  EXPECT_EQ(b->code(), ErrorCode::kClosed);
  EXPECT_EQ(b->error().applied(), Applied::kNo);
  EXPECT_TRUE(server().closed);
  EXPECT_TRUE(closes(client_)) << "idempotent";
  EXPECT_EQ(engine_->armedTimers(), 0u) << "a closed client leaves nothing behind";
}

TEST_F(RemotingClientTest, CloseWhileConnectingDoesNotWaitForTheConnect) {
  usePolicy();
  policy_->connect = [] { return delayed(1s); };
  listenRaw();
  startClient();
  const auto a = invoke(1);
  EXPECT_TRUE(closes(client_));
  EXPECT_EQ(a->code(), ErrorCode::kClosed);
  EXPECT_EQ(a->error().applied(), Applied::kNo);
  engine_->advance(1s);
  EXPECT_EQ(network_->openConnections(), 0u);
  EXPECT_TRUE(server().closed);
}

TEST_F(RemotingClientTest, DroppingTheClientClosesIt) {
  listenRaw();
  startClient();
  const auto a = invoke(1);
  client_.reset();
  EXPECT_EQ(a->code(), ErrorCode::kClosed);
  EXPECT_EQ(network_->openConnections(), 0u);
}

// ---- what the server asks

TEST_F(RemotingClientTest, RequestsOfTheServerReachTheHandler) {
  listenRaw();
  startClient();
  invokeOneway();
  server().connection->send(onewayFrame(5, RequestCode::NOTIFY_CONSUMER_IDS_CHANGED), 0);
  server().connection->send(requestFrame(6, RequestCode::GET_CONSUMER_RUNNING_INFO), 0);
  ASSERT_EQ(client_handler_->held.size(), 2u);
  auto oneway = client_handler_->take();
  EXPECT_EQ(oneway.request.command.requestCode(), RequestCode::NOTIFY_CONSUMER_IDS_CHANGED);
  EXPECT_EQ(oneway.request.peer->address(), kAddress);
  const std::size_t before = server().frames.size();
  std::move(oneway.responder).answer(ResponseCode::SUCCESS);
  EXPECT_EQ(server().frames.size(), before) << "a one-way request is never answered";
  auto twoway = client_handler_->take();
  std::move(twoway.responder).answer(ResponseCode::SUCCESS, "fine");
  ASSERT_EQ(server().frames.size(), before + 1);
  EXPECT_EQ(server().command(before).opaque, 6);
  EXPECT_EQ(server().command(before).remark(), "fine");
}

TEST_F(RemotingClientTest, AServersNumbersDoNotMeetTheClients) {
  listenRaw();
  startClient();
  const auto a = invoke(6);
  server().connection->send(requestFrame(6, RequestCode::GET_CONSUMER_RUNNING_INFO), 0);
  EXPECT_TRUE(a->pending());
  EXPECT_EQ(client_handler_->requests, 1);
  answer(6);
  EXPECT_TRUE(a->ok());
}

TEST_F(RemotingClientTest, WithoutAHandlerRequestsAreNotSupported) {
  listenRaw();
  client_ = RemotingClient::make(engine_, network_, log_);
  invokeOneway();
  server().connection->send(requestFrame(6, RequestCode::GET_CONSUMER_RUNNING_INFO), 0);
  server().connection->send(onewayFrame(7), 0);
  ASSERT_EQ(server().frames.size(), 2u);
  EXPECT_EQ(server().command(1).responseCode(), ResponseCode::REQUEST_CODE_NOT_SUPPORTED);
}

TEST_F(RemotingClientTest, AServerMayNotFillTheClientWithRequests) {
  listenRaw();
  startClient({.served_in_flight_max = 2});
  invokeOneway();
  for (int i = 0; i < 3; ++i) server().connection->send(requestFrame(i), 0);
  EXPECT_EQ(client_handler_->held.size(), 2u);
  ASSERT_EQ(server().frames.size(), 2u);
  EXPECT_EQ(server().command(1).responseCode(), ResponseCode::SYSTEM_BUSY);
  EXPECT_EQ(server().command(1).opaque, 2);
}

TEST_F(RemotingClientTest, APeerOfTheClientCannotBeAsked) {
  listenRaw();
  startClient();
  invokeOneway();
  server().connection->send(requestFrame(1), 0);
  const auto o = std::make_shared<Outcome>();
  client_handler_->peer->invoke(1, requestFrame(1), engine_->now() + 1s, into(o));
  EXPECT_EQ(o->code(), ErrorCode::kUnsupported);
}

// ---- hostile servers

class ClientAgainst : public RemotingClientTest, public ::testing::WithParamInterface<MalformedFrame> {};

TEST_P(ClientAgainst, BytesThatAreNoFrame) {
  recordLog();
  listenRaw();
  startClient();
  const auto a = invoke(1);
  const auto b = invoke(2);
  server().connection->send(Chain(Slice::copyOf(GetParam().bytes)), 0);
  for (const auto& o : {a, b}) {
    ASSERT_EQ(o->settled, 1);
    EXPECT_EQ(o->code(), ErrorCode::kCorrupt);
    EXPECT_EQ(o->error().applied(), Applied::kUnknown);
    EXPECT_NE(o->error().message().find(kAddress), std::string::npos);
  }
  EXPECT_TRUE(server().closed);
  EXPECT_EQ(client_->connections(), 0u);
  EXPECT_EQ(client_->counters().corrupt_closed.load(), 1u);
  for (int i = 0; i < 20; ++i) {  // and again, for less than 30 s
    engine_->advance(1s);
    invoke(100 + i);
    if (acceptor_->ends.back()->connection) {
      acceptor_->ends.back()->connection->send(Chain(Slice::copyOf(GetParam().bytes)), 0);
    }
  }
  EXPECT_GE(client_->counters().corrupt_closed.load(), 3u);
  EXPECT_EQ(lines_->size(), 1u) << "one line an address and 30 s";
}

INSTANTIATE_TEST_SUITE_P(Rows, ClientAgainst, ::testing::ValuesIn(malformedFrames()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_F(RemotingClientTest, AFrameOfExactlySixteenMebibytesIsAnAnswer) {
  listenRaw();
  startClient();
  const auto a = invoke(1);
  const std::size_t header = answerFrame(1).size();
  const auto with_body = [](std::size_t n) {
    return protocol::encodeResponse({1, SerializeType::ROCKETMQ}, ResponseCode::SUCCESS, "", protocol::NoHeader{},
                                    Chain(Slice::of(std::string(n, 'x'))));
  };
  Chain exact = with_body((16u << 20) - header);
  ASSERT_EQ(exact.size(), 16u << 20);
  const std::byte* body = exact[1].data();
  server().connection->send(std::move(exact), 0);
  ASSERT_TRUE(a->ok());
  EXPECT_EQ((*a->result)->body[0].data(), body) << "not copied";
  const auto b = invoke(1);
  server().connection->send(with_body((16u << 20) - header + 1), 0);
  EXPECT_EQ(b->code(), ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace mqclient::remoting
