// A thread that waits for the answer to the only request under way on a connection receives it itself
// (docs/decisions/0009-who-reads.md); whatever happens meanwhile, its wait ends as any other.
#include <latch>
#include <memory>

#include "base/answer_source.h"
#include "base/io.h"
#include "tests/remoting/tcp_support.h"

namespace mqclient::remoting {
namespace {

/// A client of the library on one reactor, and a bare socket as its server, so that the test says when answers come.
class WaitingCallerTest : public TcpTest {
 protected:
  struct Asked {
    Result<RemotingCommand> result;
    bool settled_here;
  };

  WaitingCallerTest() : TcpTest(1) {}

  void SetUp() override {
    client_ = RemotingClient::make(engine_, transport(), base::Log::silent(), {});
    // The first request goes out with the connect, from the reactor.
    std::thread first([&] { EXPECT_TRUE(ask("first").result); });
    server_ = listener_.accept();
    answerNext();
    first.join();
  }
  void TearDown() override {
    closeClient();
    client_.reset();
    server_.close();
    listener_.close();
    TcpTest::TearDown();
  }
  void closeClient() {
    Count done;
    client_->close(Completion<void>::of([&](Result<void>&&) { done.add(); }));
    EXPECT_TRUE(done.reaches(1));
  }
  /// As a blocking call of the public interface does it.
  Asked ask(std::string_view body, base::Nanos wait = 20s) {
    const base::BlockingCall call;
    std::optional<Result<RemotingCommand>> result;
    std::thread::id settled_on;
    const Ref<base::WaitSlot> slot = base::makeRef<base::WaitSlot>();
    const int opaque = engine_->nextOpaque();
    client_->invoke(listener_.address(), opaque, requestFrame(opaque, RequestCode::HEART_BEAT, body),
                    engine_->now() + wait, Completion<RemotingCommand>::of([&, slot](Result<RemotingCommand>&& r) {
                      settled_on = std::this_thread::get_id();
                      result = std::move(r);
                      slot->settle();
                    }));
    EXPECT_TRUE(engine_->waitFor(*slot, base::SteadyTime::max()));
    return {*std::move(result), settled_on == std::this_thread::get_id()};
  }
  RemotingCommand readRequest() { return *protocol::decodeFrame(Chain(Slice::copyOf(server_.readFrame()))); }
  void answer(const RemotingCommand& request) {
    EXPECT_TRUE(server_.write(
        protocol::encodeResponse(request, ResponseCode::SUCCESS, {}, protocol::NoHeader{}, Chain(request.body))
            .toString()));
  }
  void answerNext() { answer(readRequest()); }
  /// The engine's only reactor does nothing until the latch is counted down.
  std::shared_ptr<std::latch> holdReactor() {
    base::IoReactor* const reactor = engine_->joinIo();
    const auto held = std::make_shared<Count>();
    auto until = std::make_shared<std::latch>(1);
    reactor->post(Ref<base::Object>(), [held, until] {
      held->add();
      until->wait();
    });
    EXPECT_TRUE(held->reaches(1));
    reactor->leave();
    return until;
  }

  Listener4 listener_;
  Peer4 server_;
  Ref<RemotingClient> client_;
};

TEST_F(WaitingCallerTest, FetchesItsAnswerWhileTheReactorIsBusy) {
  const auto until = holdReactor();
  std::thread peer([&] {
    for (int i = 0; i < 10; ++i) answerNext();
  });
  for (int i = 0; i < 10; ++i) {
    const Asked asked = ask(std::to_string(i));
    ASSERT_TRUE(asked.result) << asked.result.error();
    EXPECT_EQ(asked.result->body.toString(), std::to_string(i));
    EXPECT_TRUE(asked.settled_here);
  }
  peer.join();
  until->count_down();
}

TEST_F(WaitingCallerTest, WhatNobodyWaitsForGoesAtOnceWhileNothingElseIsUnderWay) {
  const auto until = holdReactor();
  Count placed;
  client_->invokeOneway(listener_.address(), onewayFrame(1), engine_->now() + 20s,
                        Completion<void>::of([&](Result<void>&&) { placed.add(); }));
  EXPECT_EQ(placed.get(), 1);
  EXPECT_TRUE(readRequest().isOneway());
  until->count_down();
}

TEST_F(WaitingCallerTest, WhatNobodyWaitsForGathersOnTheReactorWhileSomethingIsUnderWay) {
  Count answered;
  client_->invoke(listener_.address(), 1, requestFrame(1), engine_->now() + 20s,
                  Completion<RemotingCommand>::of([&](Result<RemotingCommand>&&) { answered.add(); }));
  const RemotingCommand first = readRequest();
  const auto until = holdReactor();
  Count placed;
  bool on_reactor = false;
  for (int i = 2; i < 12; ++i) {
    client_->invokeOneway(listener_.address(), onewayFrame(i), engine_->now() + 20s,
                          Completion<void>::of([&](Result<void>&&) {
                            on_reactor = base::Activation::ofThisThread().role() == base::Role::kReactor;
                            placed.add();
                          }));
  }
  EXPECT_EQ(placed.get(), 0);
  until->count_down();
  EXPECT_TRUE(placed.reaches(10));
  EXPECT_TRUE(on_reactor);
  for (int i = 2; i < 12; ++i) EXPECT_EQ(readRequest().opaque, i) << "in the order of the calls";
  answer(first);
  EXPECT_TRUE(answered.reaches(1));
}

TEST_F(WaitingCallerTest, TheReactorReadsAgainAfterwards) {
  std::thread peer([&] { answerNext(); });
  EXPECT_TRUE(ask("lent").result);
  peer.join();
  server_.close();  // nobody waits here: the reactor hears it
  const auto bound = engine_->now() + 30s;
  while (client_->connections() > 0 && engine_->now() < bound) std::this_thread::yield();
  EXPECT_EQ(client_->connections(), 0u);
}

TEST_F(WaitingCallerTest, AnAnswerInPiecesIsWaitedFor) {
  std::thread peer([&] {
    const RemotingCommand request = readRequest();
    const std::string frame = protocol::encodeResponse(request, ResponseCode::SUCCESS, {}, protocol::NoHeader{},
                                                       Chain(Slice::copyOf(std::string(100'000, 'b'))))
                                  .toString();
    for (std::size_t at = 0; at < frame.size(); at += 997) server_.write(std::string_view(frame).substr(at, 997));
  });
  const Asked asked = ask("a long one");
  ASSERT_TRUE(asked.result) << asked.result.error();
  EXPECT_EQ(asked.result->body.size(), 100'000u);
  peer.join();
}

TEST_F(WaitingCallerTest, TheEndOfTheConnectionEndsTheWait) {
  std::thread peer([&] {
    readRequest();
    server_.close();
  });
  const Asked asked = ask("unanswered");
  peer.join();
  ASSERT_FALSE(asked.result);
  EXPECT_EQ(asked.result.error().code(), ErrorCode::kConnectionLost);
  EXPECT_EQ(asked.result.error().applied(), Applied::kUnknown);
}

TEST_F(WaitingCallerTest, AResetEndsTheWait) {
  std::thread peer([&] {
    readRequest();
    server_.reset();
  });
  const Asked asked = ask("unanswered");
  peer.join();
  ASSERT_FALSE(asked.result);
  EXPECT_EQ(asked.result.error().code(), ErrorCode::kConnectionLost);
}

TEST_F(WaitingCallerTest, GarbageEndsTheWait) {
  std::thread peer([&] {
    readRequest();
    server_.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  const Asked asked = ask("unanswered");
  peer.join();
  ASSERT_FALSE(asked.result);
  EXPECT_NE(asked.result.error().message().find("HTTP"), std::string::npos) << asked.result.error();
}

TEST_F(WaitingCallerTest, ClosingTheClientEndsTheWait) {
  std::optional<Asked> asked;
  std::thread caller([&] { asked = ask("unanswered"); });
  readRequest();
  closeClient();
  caller.join();
  ASSERT_FALSE(asked->result);
  EXPECT_EQ(asked->result.error().applied(), Applied::kUnknown);
}

TEST_F(WaitingCallerTest, TheDeadlineEndsTheWait) {
  const Asked asked = ask("unanswered", 5ms);
  readRequest();
  ASSERT_FALSE(asked.result);
  EXPECT_EQ(asked.result.error().code(), ErrorCode::kTimeout);
  std::thread peer([&] { answerNext(); });
  EXPECT_TRUE(ask("the next one").result);
  peer.join();
}

TEST_F(WaitingCallerTest, WhoeverReceivesHandsOnTheAnswersOfOthers) {
  std::vector<std::optional<Asked>> asked(3);
  std::vector<std::thread> callers;
  std::vector<RemotingCommand> requests;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    callers.emplace_back([&, i] { asked[i] = ask(std::to_string(i)); });
    requests.push_back(readRequest());
  }
  for (const RemotingCommand& request : requests) answer(request);
  for (std::thread& caller : callers) caller.join();
  for (std::size_t i = 0; i < asked.size(); ++i) {
    ASSERT_TRUE(asked[i]->result) << asked[i]->result.error();
    EXPECT_EQ(asked[i]->result->body.toString(), std::to_string(i));
  }
}

TEST_F(WaitingCallerTest, ManyCallersShareAConnection) {
  constexpr int kCallers = 4;
  constexpr int kEach = 500;
  std::thread peer([&] {
    for (int i = 0; i < kCallers * kEach; ++i) answerNext();
  });
  std::vector<std::thread> callers;
  std::atomic<int> right{0};
  for (int c = 0; c < kCallers; ++c) {
    callers.emplace_back([&, c] {
      for (int i = 0; i < kEach; ++i) {
        const std::string body = std::to_string(c) + "/" + std::to_string(i);
        const Asked asked = ask(body);
        if (asked.result && asked.result->body.toString() == body) right.fetch_add(1);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  peer.join();
  EXPECT_EQ(right, kCallers * kEach);
}

}  // namespace
}  // namespace mqclient::remoting
