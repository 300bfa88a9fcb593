// A connection with many requests under way that reads few answers at a time rests: docs/decisions/0014-rests.md.
#include "base/io.h"
#include "tests/remoting/tcp_support.h"

namespace mqclient::remoting {
namespace {

constexpr std::uint32_t kManyOvertaken = 1'000;

/// The client's end of a connection, and a bare socket as its server.
class RestTest : public TcpTest {
 protected:
  RestTest() : TcpTest(1) {}

  void SetUp() override {
    end_ = connect(listener_.address());
    server_ = listener_.accept();
    end_->more_under_way = true;
  }
  void TearDown() override {
    end_.reset();
    server_.close();
    listener_.close();
    TcpTest::TearDown();
  }
  static std::string frame(int i) { return onewayFrame(i).toString(); }
  /// Frames, one at a time, until the end begins to rest. Nothing may be on its way: a rest lasts as long as frames
  /// come.
  void writeUntilRests() {
    const int before = end_->began_rest.get();
    ASSERT_TRUE(end_->ended_rest.reaches(before)) << "nothing came any more";
    while (end_->began_rest.get() == before) {
      ASSERT_LT(written_, 100'000) << "it never rests";
      write(1);
    }
  }
  void write(int frames) {
    for (int i = 0; i < frames; ++i) ASSERT_TRUE(server_.write(frame(++written_)));
  }
  void sendInStrand(int first, int last) {
    Count sent;
    end_->strand().post(end_, [&, first, last] {
      for (int i = first; i <= last; ++i) end_->send(onewayFrame(i), static_cast<std::uint64_t>(i));
      sent.add();
    });
    ASSERT_TRUE(sent.reaches(1));
  }
  /// The reactor does nothing meanwhile: a rest that is under way stays.
  template <class F>
  void whileReactorIsHeld(F f) {
    base::IoReactor* const reactor = engine_->joinIo();
    const auto held = std::make_shared<Count>();
    const auto go_on = std::make_shared<Count>();  // both outlive the later of the two threads
    reactor->post(Ref<base::Object>(), [held, go_on] {
      held->add();
      EXPECT_TRUE(go_on->reaches(1));
    });
    EXPECT_TRUE(held->reaches(1));
    f();
    go_on->add();
    reactor->leave();
  }
  bool rests() const { return end_->began_rest.get() > end_->ended_rest.get(); }
  /// Calls `f` while the end rests and its reactor is held.
  template <class F>
  void atRest(F f) {
    int done = 0;
    while (done == 0) {
      writeUntilRests();
      whileReactorIsHeld([&] {
        if (!rests()) return;  // it ended before the reactor was held
        f();
        ++done;
      });
    }
  }

  Listener4 listener_;
  Peer4 server_;
  Ref<TcpEnd> end_;
  int written_ = 0;
};

TEST_F(RestTest, EveryFrameIsHeardAndTheRestEnds) {
  end_->overtaken = kManyOvertaken;
  for (int i = 0; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(writeUntilRests());
  write(100);
  EXPECT_TRUE(end_->heard.reaches(written_));
  EXPECT_TRUE(end_->ended_rest.reaches(end_->began_rest.get())) << "nothing came any more";
  const int rests = end_->began_rest.get();
  end_->overtaken = 0;
  write(1);
  EXPECT_TRUE(end_->heard.reaches(written_));
  EXPECT_EQ(end_->began_rest.get(), rests);
}

TEST_F(RestTest, NeverWhileAnAnswerCameWithoutManyOthersBeforeIt) {
  end_->overtaken = 31;
  write(2'000);
  EXPECT_TRUE(end_->heard.reaches(written_));
  EXPECT_EQ(end_->began_rest.get(), 0);
}

TEST_F(RestTest, WhatIsSentMeanwhileLeavesAtItsEndInOrder) {
  end_->overtaken = kManyOvertaken;
  atRest([&] { sendInStrand(1, 40); });
  for (int i = 1; i <= 40; ++i) EXPECT_EQ(server_.readFrame(), frame(i));
}

TEST_F(RestTest, MuchThatIsSentMeanwhileDoesNotWaitForItsEnd) {
  end_->overtaken = kManyOvertaken;
  const std::string body(1'000, 'x');
  atRest([&] {
    Count sent;
    end_->strand().post(end_, [&] {
      for (int i = 1; i <= 120; ++i) end_->send(requestFrame(i, RequestCode::HEART_BEAT, body));
      sent.add();
    });
    ASSERT_TRUE(sent.reaches(1));
    for (int i = 1; i <= 90; ++i) EXPECT_FALSE(server_.readFrame().empty()) << "written by the one who sends";
  });
  for (int i = 91; i <= 120; ++i) EXPECT_FALSE(server_.readFrame().empty());
}

TEST_F(RestTest, ACloseMeanwhileLetsGoWhatGathered) {
  end_->overtaken = kManyOvertaken;
  atRest([&] {
    sendInStrand(1, 10);
    end_->close();
  });
  EXPECT_TRUE(end_->closed.reaches(1));
  for (int i = 1; i <= 10; ++i) EXPECT_EQ(server_.readFrame(), frame(i));
  EXPECT_EQ(server_.readSome(1), "");
}

TEST_F(RestTest, AnAbortMeanwhileReportsWhatGathered) {
  end_->overtaken = kManyOvertaken;
  atRest([&] {
    sendInStrand(1, 10);
    end_->link()->abort(Error(ErrorCode::kClosed, "aborted"));
  });
  EXPECT_TRUE(end_->closed.reaches(1));
  ASSERT_EQ(end_->dropped.size(), 10U);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(end_->dropped[i], (std::pair<std::uint64_t, FrameFate>{i + 1, FrameFate::kNotSent}));
  }
}

TEST_F(RestTest, APeerThatGoesMeanwhileIsHeard) {
  end_->overtaken = kManyOvertaken;
  atRest([&] {
    sendInStrand(1, 10);
    server_.reset();
  });
  EXPECT_TRUE(end_->closed.reaches(1));
  EXPECT_EQ(end_->began_rest.get(), end_->ended_rest.get());
}

TEST_F(RestTest, WhatNothingElseIsUnderWayBesideLeavesAtOnce) {
  end_->overtaken = kManyOvertaken;
  end_->more_under_way = false;
  atRest([&] {
    sendInStrand(1, 1);
    EXPECT_EQ(server_.readFrame(), frame(1));
  });
}

}  // namespace
}  // namespace mqclient::remoting
