#include "base/answer_source.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <utility>

namespace mqclient::base {
namespace {

struct Source final : Object, AnswerSource {
  void receiveUntil(WaitSlot&, WaitSeat&, SteadyTime) noexcept override { ++asked; }
  int asked = 0;
};

TEST(BlockingCall, KeepsTheFirstSourceOfferedInsideIt) {
  const Ref<Source> first = makeRef<Source>();
  const Ref<Source> second = makeRef<Source>();
  BlockingCall::offer(*first, *first);
  EXPECT_EQ(BlockingCall::take().at, nullptr) << "no call is under way";
  const BlockingCall call;
  BlockingCall::offer(*first, *first);
  BlockingCall::offer(*second, *second);
  EXPECT_EQ(BlockingCall::take().at, first.get());
  EXPECT_EQ(BlockingCall::take().at, nullptr) << "it is taken once";
}

TEST(BlockingCall, Nests) {
  const Ref<Source> outer_source = makeRef<Source>();
  const Ref<Source> inner_source = makeRef<Source>();
  const BlockingCall outer;
  BlockingCall::offer(*outer_source, *outer_source);
  {
    const BlockingCall inner;
    EXPECT_EQ(BlockingCall::take().at, nullptr);
    BlockingCall::offer(*inner_source, *inner_source);
  }
  EXPECT_EQ(BlockingCall::take().at, outer_source.get());
}

class WaitSeatTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()), 0);
    seat_ = WaitSeat::make();
    ASSERT_TRUE(seat_);
    seat_->sit();
  }
  void TearDown() override {
    for (const int fd : ends_) ::close(fd);
  }
  WaitSeat::Woke look() { return seat_->waitAt(ends_[0], SteadyTime{}); }  // a deadline long past: does not wait

  std::array<int, 2> ends_{-1, -1};
  std::unique_ptr<WaitSeat> seat_;
};

TEST_F(WaitSeatTest, SocketKickAndDeadlineAreToldApart) {
  EXPECT_EQ(look(), WaitSeat::Woke::kDeadline);
  ASSERT_EQ(::write(ends_[1], "x", 1), 1);
  EXPECT_EQ(look(), WaitSeat::Woke::kSocket);
  std::thread([&] { seat_->kick(); }).join();
  EXPECT_EQ(look(), WaitSeat::Woke::kKicked) << "before the socket";
}

TEST_F(WaitSeatTest, AnEndOfTheSocketWakes) {
  ::close(std::exchange(ends_[1], -1));
  EXPECT_EQ(seat_->waitAt(ends_[0], SteadyTime::max()), WaitSeat::Woke::kSocket);
}

TEST_F(WaitSeatTest, ItsOwnThreadNeedsNoKick) {
  seat_->kick();
  EXPECT_EQ(look(), WaitSeat::Woke::kDeadline);
}

TEST_F(WaitSeatTest, AKickThatCameTooLateIsForgotten) {
  std::thread([&] { seat_->kick(); }).join();
  seat_->leave();
  seat_->sit();
  EXPECT_EQ(look(), WaitSeat::Woke::kDeadline);
}

TEST(SeatPool, LooksAtNothingOnceTheSlotIsSettled) {
  const Ref<Source> source = makeRef<Source>();
  SeatPool pool;
  const Ref<WaitSlot> settled = makeRef<WaitSlot>();
  settled->settle();
  pool.waitAt(*source, *settled, SteadyTime::max());
  EXPECT_EQ(source->asked, 0);
  const Ref<WaitSlot> open = makeRef<WaitSlot>();
  pool.waitAt(*source, *open, SteadyTime::max());
  EXPECT_EQ(source->asked, 1);
}

}  // namespace
}  // namespace mqclient::base
