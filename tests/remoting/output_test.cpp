// N1-N5 over real sockets: who writes when, what becomes of frames that do not leave, and how much may wait.
#include <atomic>
#include <random>
#include <thread>

#include "base/io.h"
#include "tests/remoting/tcp_support.h"
#include "tests/support/slack.h"
#include "tests/support/tcp_segments.h"

namespace mqclient::remoting {
namespace {

class OutputTest : public TcpTest {};

/// length | type 1, header length 0 | sender u32 | number u32 | filler: a frame for the framer, with a name in it.
std::string named(std::uint32_t sender, std::uint32_t number, std::size_t filler) {
  std::string bytes(16 + filler, static_cast<char>('a' + number % 26));
  base::putBe32(bytes.data(), static_cast<std::uint32_t>(bytes.size() - 4));
  base::putBe32(bytes.data() + 4, 1u << 24);
  base::putBe32(bytes.data() + 8, sender);
  base::putBe32(bytes.data() + 12, number);
  return bytes;
}
/// The same as two slices, as a header and a body are.
Chain chainOf(const std::string& bytes) {
  Chain chain(Slice::copyOf(std::string_view(bytes).substr(0, bytes.size() / 3)));
  chain.append(Slice::copyOf(std::string_view(bytes).substr(bytes.size() / 3)));
  return chain;
}
std::uint32_t senderOf(std::string_view frame) {
  return base::getBe32(frame.data() + 8);
}
std::uint32_t numberOf(std::string_view frame) {
  return base::getBe32(frame.data() + 12);
}

/// Senders on threads of their own, each frame checked byte by byte as the peer reads it.
void manySenders(TcpEnd& end, Peer4& peer, int senders, std::uint32_t frames, std::size_t filler_max,
                 std::size_t read_step) {
  std::vector<std::thread> threads;
  const auto fillerOf = [&](std::uint32_t s, std::uint32_t n) { return (s * 977 + n * 131) % filler_max; };
  for (int s = 0; s < senders; ++s) {
    threads.emplace_back([&, s] {
      const auto sender = static_cast<std::uint32_t>(s);
      for (std::uint32_t n = 0; n < frames; ++n) end.send(chainOf(named(sender, n, fillerOf(sender, n))));
    });
  }
  std::vector<std::uint32_t> next(static_cast<std::size_t>(senders));
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(senders) * frames; ++i) {
    const std::string frame = peer.readFrame(read_step);
    ASSERT_GE(frame.size(), 16u);
    const std::uint32_t s = senderOf(frame);
    ASSERT_LT(s, next.size());
    ASSERT_EQ(frame, named(s, next[s], fillerOf(s, next[s]))) << "whole, and in the order of its sender";
    ++next[s];
  }
  for (std::thread& t : threads) t.join();
}

TEST_F(OutputTest, SmallestKernelBuffersAndAPeerThatReadsByteByByte) {
  Listener4 listener(1);
  const Ref<TcpEnd> end = connect(listener.address(), {.send_buffer = 1});
  Peer4 peer = listener.accept();
  manySenders(*end, peer, 4, 60, 3'000, 1);
}

TEST_F(OutputTest, OneByteAWrite) {
  Listener4 listener(1);
  const Ref<TcpEnd> end = connect(listener.address(), {.bytes_per_write = 1, .send_buffer = 1});
  Peer4 peer = listener.accept();
  manySenders(*end, peer, 3, 40, 300, 1u << 16);
}

TEST_F(OutputTest, ManySendersThroughBuffersOfTheKernelsChoice) {
  Listener4 listener;
  const Ref<TcpEnd> end = connect(listener.address());
  Peer4 peer = listener.accept();
  manySenders(*end, peer, 4, 5'000, 2'000, 1u << 16);
}

TEST_F(OutputTest, AFrameOfManyPiecesAndMegabytes) {
  Listener4 listener;
  const Ref<TcpEnd> end = connect(listener.address());
  Peer4 peer = listener.accept();
  const std::string bytes = named(1, 2, 5u << 20);
  Chain frame;
  for (std::size_t at = 0; at < bytes.size(); at += 4'999) {
    frame.append(Slice::copyOf(std::string_view(bytes).substr(at, 4'999)));
  }
  ASSERT_GT(frame.count(), 1'000u);
  end->send(frame);
  end->send(chainOf(named(1, 3, 5)));
  EXPECT_EQ(peer.readFrame(), bytes);
  EXPECT_EQ(numberOf(peer.readFrame()), 3u);
}

// A client's first frames are written before its reactor looks at the socket. What the kernel had no room for then
// leaves as well, as soon as it has.
TEST_F(OutputTest, AFrameSentInTheMomentOfConnectingLeavesWhole) {
  Listener4 listener(1);
  const std::string frame = named(1, 2, 512u << 10);
  on_connected_ = [&](Connection& connection) { connection.send(chainOf(frame), 0); };
  const Ref<TcpEnd> end = connect(listener.address(), {.send_buffer = 1});
  Peer4 peer = listener.accept();
  EXPECT_TRUE(peer.readFrame() == frame);
}

TEST_F(OutputTest, RequestsEnterInTheOrderReceived) {
  const std::string address = listen();
  constexpr std::uint32_t kFrames = 10'000;
  Peer4 peer = Peer4::connectedTo(address);
  std::string all;
  for (std::uint32_t n = 0; n < kFrames; ++n) all += named(7, n, n % 40);
  ASSERT_TRUE(peer.write(all));
  const Ref<TcpEnd> end = acceptedEnd();
  ASSERT_TRUE(end->heard.reaches(kFrames));
  const std::lock_guard lock(end->mutex);
  for (std::uint32_t n = 0; n < kFrames; ++n) ASSERT_EQ(end->frames[n], named(7, n, n % 40));
}

TEST_F(OutputTest, AnswersToWhatCameTogetherLeaveTogether) {
  // More than one batch of frames, answered by another strand in more than one of its turns: written after each there
  // would be three. In a build that is slow the clock cuts turns short, and two may be needed.
  constexpr std::uint32_t kFrames = 80;
  constexpr int kTries = 50;
  struct Answers final : base::Object {
    explicit Answers(base::Engine& engine) : strand(engine) {}
    base::Strand strand;
  };
  const Ref<Answers> answers = base::makeRef<Answers>(*engine_);
  acceptor_->on_frame = [answers](TcpEnd& end, const Chain& frame) {
    answers->strand.post(answers,
                         [to = Ref<TcpEnd>(&end), bytes = frame.toString()] { to->send(Slice::copyOf(bytes)); });
  };
  Peer4 peer = Peer4::connectedTo(listen());
  std::string all;
  for (std::uint32_t n = 0; n < kFrames; ++n) all += named(7, n, 200 + n % 40);
  std::uint32_t fewest = kFrames;
  for (int i = 0; i < kTries && fewest > 1; ++i) {
    const std::uint32_t before = mqclient::testing::segmentsReceived(peer.descriptor());
    ASSERT_TRUE(peer.write(all));
    ASSERT_EQ(peer.read(all.size()), all) << "each, in order";
    fewest = std::min(fewest, mqclient::testing::segmentsReceived(peer.descriptor()) - before);
  }
  EXPECT_GE(fewest, 1u) << "the kernel counts them";
  EXPECT_LE(fewest, mqclient::testing::slack() > 1 ? 2u : 1u) << "system calls for " << kFrames << " answers";
}

TEST_F(OutputTest, AFrameMayComeByteByByte) {
  const std::string address = listen();
  Peer4 peer = Peer4::connectedTo(address);
  const std::string one = named(1, 1, 100);
  const std::string two = named(1, 2, 20'000);
  for (const char c : one) ASSERT_TRUE(peer.write(std::string_view(&c, 1)));
  for (std::size_t at = 0; at < two.size(); at += 7) ASSERT_TRUE(peer.write(std::string_view(two).substr(at, 7)));
  const Ref<TcpEnd> end = acceptedEnd();
  ASSERT_TRUE(end->heard.reaches(2));
  EXPECT_EQ(end->frames, (std::vector<std::string>{one, two}));
}

TEST_F(OutputTest, APeerThatLeavesAfterAnyByteOfAFrame) {
  Listener4 listener;
  const std::string frame = named(1, 1, 24);
  for (std::size_t cut = 0; cut <= frame.size(); ++cut) {
    // It has read `cut` bytes of ours and given as many of its own.
    const Ref<TcpEnd> end = connect(listener.address());
    Peer4 peer = listener.accept();
    end->send(chainOf(frame), 1);
    ASSERT_EQ(peer.read(cut), frame.substr(0, cut));
    ASSERT_TRUE(peer.write(std::string_view(frame).substr(0, cut)));
    cut % 2 == 0 ? peer.close() : peer.reset();
    ASSERT_TRUE(end->closed.reaches(1));
    EXPECT_EQ(end->why->code(), ErrorCode::kConnectionLost);
    if (cut % 2 == 0 || cut < frame.size()) {
      EXPECT_EQ(end->frames.size(), cut == frame.size() ? 1u : 0u) << cut;  // a reset may take even whole frames back
    }
    EXPECT_TRUE(end->dropped.empty()) << "the kernel has all of it: nobody can say what became of it";
  }
}

TEST_F(OutputTest, TheFatesOfFramesThatACloseDropped) {
  Listener4 listener(1);
  const Ref<TcpEnd> end = connect(listener.address(), {.send_buffer = 1});
  Peer4 peer = listener.accept();
  constexpr std::uint64_t kFrames = 40;
  constexpr std::size_t kFiller = 256u << 10;
  for (std::uint64_t n = 1; n <= kFrames; ++n) end->send(chainOf(named(1, static_cast<std::uint32_t>(n), kFiller)), n);
  const std::string first = peer.readFrame();  // so the first has left, and most cannot have
  EXPECT_EQ(numberOf(first), 1u);
  peer.reset();
  ASSERT_TRUE(end->closed.reaches(1));
  ASSERT_GT(end->dropped.size(), kFrames / 2);
  // A tail of what was sent, in order; only its first frame can have begun to leave.
  std::uint64_t expected = kFrames - end->dropped.size() + 1;
  EXPECT_GT(expected, 1u);
  for (std::size_t i = 0; i < end->dropped.size(); ++i, ++expected) {
    EXPECT_EQ(end->dropped[i].first, expected);
    if (i > 0) {
      EXPECT_EQ(end->dropped[i].second, FrameFate::kNotSent);
    }
  }
}

TEST_F(OutputTest, AFrameAfterTheCloseWasNotSent) {
  Listener4 listener;
  const Ref<TcpEnd> end = connect(listener.address());
  Peer4 peer = listener.accept();
  const Ref<Connection> kept = end->link();
  Count done;
  end->strand().post(end, [&] {
    kept->close(Error(ErrorCode::kCorrupt, "mine"));
    kept->close(Error(ErrorCode::kClosed, "again"));
    kept->send(chainOf(named(1, 1, 1)), 42);  // inside the strand: reported at once
    EXPECT_EQ(end->dropped, (std::vector<std::pair<std::uint64_t, FrameFate>>{{42, FrameFate::kNotSent}}));
    done.add();
  });
  ASSERT_TRUE(done.reaches(1));
  ASSERT_TRUE(end->closed.reaches(1));
  EXPECT_EQ(end->why->message(), "mine");
  kept->send(chainOf(named(1, 2, 1)), 43);  // after onClosed nobody hears of it
  EXPECT_EQ(peer.readToEnd(), "");
  EXPECT_EQ(end->dropped.size(), 1u);
}

TEST_F(OutputTest, WhatWasSentBeforeACloseArrives) {
  Listener4 listener;
  const Ref<TcpEnd> end = connect(listener.address());
  Peer4 peer = listener.accept();
  end->strand().post(end, [&] {
    end->send(chainOf(named(1, 1, 10)), 1);
    end->send(chainOf(named(1, 2, 10)), 2);
    end->close();
  });
  EXPECT_EQ(peer.readToEnd(), named(1, 1, 10) + named(1, 2, 10));
  ASSERT_TRUE(end->closed.reaches(1));
  EXPECT_TRUE(end->dropped.empty());
}

TEST_F(OutputTest, AnEndThatClosedHearsNoMoreFrames) {
  acceptor_->on_frame = [](TcpEnd& end, const Chain&) { end.close(); };
  const std::string address = listen();
  Peer4 peer = Peer4::connectedTo(address);
  peer.write(named(1, 1, 1) + named(1, 2, 1) + named(1, 3, 1));
  const Ref<TcpEnd> end = acceptedEnd();
  ASSERT_TRUE(end->closed.reaches(1));
  EXPECT_EQ(end->frames.size(), 1u);
}

TEST_F(OutputTest, DescriptorsReusedUnderAWriterReachNobodyElse) {
  // Senders go on while their connection is closed and its descriptor becomes another connection's: every frame carries
  // the number of its connection, and each accepted end hears one number only.
  std::atomic<int> wrong{0};
  acceptor_->keep_frames = false;
  acceptor_->on_frame = [&](TcpEnd& end, const Chain& frame) {
    const std::string bytes = frame.toString();
    const std::lock_guard lock(end.mutex);
    if (end.frames.empty()) end.frames.push_back(bytes);
    if (senderOf(end.frames[0]) != senderOf(bytes)) ++wrong;
  };
  const std::string address = listen({.receive_buffer = 4'096});
  constexpr std::uint32_t kRounds = 200;
  constexpr int kSenders = 3;
  std::vector<std::thread> threads;
  for (std::uint32_t round = 1; round <= kRounds; round += 2) {  // two connections a round
    const Ref<TcpEnd> end = connect(address, {.send_buffer = 4'096});
    const Ref<Connection> kept = end->link();
    std::atomic<bool> over{false};
    for (int s = 0; s < kSenders; ++s) {
      threads.emplace_back([&over, kept, round] {
        for (std::uint32_t n = 0; n < 1'000 && (n < 20 || !over); ++n) {
          if (kept->hasRoom(4'096)) kept->send(chainOf(named(round, n, 2'000)), n + 1);
        }
      });
    }
    if (round % 4 == 1) {
      end->close();
    } else {
      acceptedEnd(round - 1)->close();
    }
    const Ref<TcpEnd> next = connect(address);  // as a rule with the number just given back
    next->send(chainOf(named(1'000'000 + round, 0, 10)));
    over = true;
    for (std::thread& t : threads) t.join();
    threads.clear();
    ASSERT_TRUE(end->closed.reaches(1));
    next->close();
    ASSERT_TRUE(next->closed.reaches(1));
  }
  EXPECT_EQ(wrong, 0);
}

// ---- N5

TEST_F(OutputTest, RoomEndsAtThirtyTwoMebibytes) {
  Listener4 listener(1);
  const Ref<TcpEnd> end = connect(listener.address(), {.send_buffer = 1});
  Peer4 peer = listener.accept();
  const Ref<Connection> connection = end->link();
  EXPECT_TRUE(connection->hasRoom(kOutputBytesMax));
  EXPECT_FALSE(connection->hasRoom(kOutputBytesMax + 1));
  const Chain megabyte = chainOf(named(1, 1, 1u << 20));
  for (int n = 0; n < 34 && connection->hasRoom(megabyte.size()); ++n) connection->send(megabyte, 0);
  EXPECT_FALSE(connection->hasRoom(2u << 20));
  EXPECT_TRUE(connection->hasRoom(1));
  peer.read(4u << 20);
  EXPECT_TRUE(connection->hasRoom(2u << 20));
}

TEST_F(OutputTest, ExpiredFramesMakeRoomInAnOutputThatWaits) {
  Listener4 listener(1);
  const Ref<TcpEnd> end = connect(listener.address(), {.send_buffer = 1});
  Peer4 peer = listener.accept();
  const Ref<Connection> connection = end->link();
  const std::string begun = named(1, 1, 16u << 20);
  const std::string useless = named(2, 2, 1u << 20);
  const std::string wanted = named(3, 3, 1'000);
  connection->send(chainOf(begun), 1, engine_->now());  // a part of it has left
  for (std::uint64_t n = 0; n < 10; ++n) connection->send(chainOf(useless), 2 + n, engine_->now());
  connection->send(chainOf(wanted), 20, engine_->now() + 1h);
  connection->send(chainOf(useless), 21, engine_->now());  // behind one that is wanted
  EXPECT_FALSE(connection->hasRoom(8u << 20));
  connection->dropExpired();
  Count dropped;
  connection->home()->post(end, [&] { dropped.add(); });
  ASSERT_TRUE(dropped.reaches(1));
  EXPECT_TRUE(connection->hasRoom(14u << 20));
  EXPECT_EQ(peer.read(begun.size() + wanted.size() + useless.size()), begun + wanted + useless);
  EXPECT_TRUE(end->dropped.empty());
}

TEST_F(OutputTest, ARuntimesOutputIsBoundedOverAllItsConnections) {
  Listener4 listener(1);
  std::vector<Peer4> peers;
  std::vector<Ref<TcpEnd>> ends;
  const Chain frame = chainOf(named(1, 1, 8u << 20));
  std::size_t accepted = 0;
  bool full = false;
  for (int c = 0; c < 20 && !full; ++c) {
    ends.push_back(connect(listener.address(), {.send_buffer = 1}));
    peers.push_back(listener.accept());
    const Ref<Connection> connection = ends.back()->link();
    for (int n = 0; n < 3 && !full; ++n) {
      full = !connection->hasRoom(frame.size());
      if (!full) connection->send(frame, 0);
      accepted += full ? 0 : frame.size();
    }
  }
  EXPECT_TRUE(full);
  EXPECT_GE(accepted, kRuntimeOutputMax);
  EXPECT_LE(accepted, kRuntimeOutputMax + (16u << 20) + (20u << 18));
  peers.clear();  // their ends hear it, and give back what they counted
  for (const Ref<TcpEnd>& end : ends) ASSERT_TRUE(end->closed.reaches(1));
  Listener4 other;
  EXPECT_TRUE(connect(other.address())->link()->hasRoom(frame.size()));
}

TEST_F(OutputTest, AServerWhoseAnswersAreNotTakenStopsReading) {
  constexpr std::size_t kAnswer = 1u << 20;
  constexpr std::uint32_t kRequests = 64;
  const std::string answer = named(9, 9, kAnswer);
  acceptor_->keep_frames = false;
  acceptor_->on_frame = [chain = chainOf(answer)](TcpEnd& end, const Chain&) { end.send(chain); };
  const std::string address = listen();
  Peer4 peer = Peer4::connectedTo(address, 4'096);
  const std::string request = named(1, 1, 64u << 10);
  std::thread asking([&] {
    for (std::uint32_t n = 0; n < kRequests; ++n) ASSERT_TRUE(peer.write(request));
  });
  const Ref<TcpEnd> end = acceptedEnd();
  // Read slowly at first: what the server has served beyond what we took stays within its bound and one frame.
  const auto servedBeyond = [&](std::size_t taken) {
    const std::size_t served = static_cast<std::size_t>(end->heard.get()) * answer.size();
    return served > taken ? served - taken : 0;
  };
  ASSERT_TRUE(end->heard.reaches(32));
  for (std::uint32_t n = 0; n < kRequests; ++n) {
    EXPECT_LE(servedBeyond(n * answer.size()), kOutputBytesMax + 12 * answer.size());  // kernel buffers hold some too
    ASSERT_EQ(peer.readFrame().size(), answer.size());
  }
  asking.join();
  EXPECT_EQ(end->heard.get(), static_cast<int>(kRequests)) << "held back, never lost";
}

TEST_F(OutputTest, BothSidesFullDoNotWaitForEachOther) {
  const TcpOptions small{.send_buffer = 1, .receive_buffer = 1};
  acceptor_->keep_frames = false;
  const std::string address = listen(small);
  const Ref<TcpEnd> client = connect(address, small);
  const Ref<TcpEnd> server = acceptedEnd();
  constexpr std::uint32_t kFrames = 150;
  const auto fill = [](const Ref<TcpEnd>& end) {
    for (std::uint32_t n = 0; n < kFrames; ++n) end->send(chainOf(named(1, n, 60'000)));
  };
  std::thread one([&] { fill(client); });
  std::thread two([&] { fill(server); });
  one.join();
  two.join();
  EXPECT_TRUE(client->heard.reaches(kFrames));
  EXPECT_TRUE(server->heard.reaches(kFrames));
}

TEST_F(OutputTest, APeerThatTakesNothingIsGivenUp) {
  Listener4 listener(1);
  const Ref<TcpEnd> end = connect(listener.address(), {.stall_close = base::Millis(50), .send_buffer = 1});
  Peer4 peer = listener.accept();
  end->send(chainOf(named(1, 1, 1u << 20)), 1);
  ASSERT_TRUE(end->closed.reaches(1));
  EXPECT_NE(end->why->message().find("has taken no byte for 50 ms"), std::string::npos) << *end->why;
  EXPECT_EQ(end->dropped, (std::vector<std::pair<std::uint64_t, FrameFate>>{{1, FrameFate::kUnknown}}));
}

TEST_F(OutputTest, ACloseDoesNotWaitForAPeerThatTakesNothing) {
  Listener4 listener(1);
  const Ref<TcpEnd> end = connect(listener.address(), {.send_buffer = 1});
  Peer4 peer = listener.accept();
  for (int n = 0; n < 8; ++n) end->send(chainOf(named(1, 1, 1u << 20)), 1);
  end->close();
  EXPECT_TRUE(end->closed.reaches(1));
  EXPECT_GE(end->dropped.size(), 7u);
}

}  // namespace
}  // namespace mqclient::remoting
