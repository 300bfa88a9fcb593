#include "mqclient/testing/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "mqclient/testing/matchers.h"
#include "mqclient/testing/message_ext_builder.h"

namespace mqclient {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using enum HistoryEventKind;

const MessageQueue kHistoryQueue("orders", "broker-a", 3);

/// Counts 1, 2, 3, ...
History::Clock ticks() {
  return [time = std::int64_t{0}]() mutable { return ++time; };
}

std::vector<std::string> linesOf(const History& history) {
  std::vector<std::string> lines;
  for (const HistoryEvent& event : history.events()) lines.push_back(toLine(event));
  return lines;
}

TEST(History, WritesALineAnEvent) {
  History history(ticks());
  history.invoke("p 1", "orders", "ID=1%", 5);
  history.sendEnded("p 1", "orders", "ID=1%", SendResult{.messageQueue = kHistoryQueue, .queueOffset = 17});
  history.deliver("c1", "billing",
                  MessageExtBuilder("orders").setBody("123456789").setQueueId(3).setMsgId("M").build());
  history.queueEvent(kCommit, "c1", "billing", kHistoryQueue, 18);
  history.queueEvent(kOwn, "c1", "billing", kHistoryQueue);
  EXPECT_THAT(
      linesOf(history),
      ElementsAre("1 invoke client=p%201 topic=orders id=ID%3d1%25 seq=5",
                  "2 ok client=p%201 topic=orders broker=broker-a queue=3 offset=17 id=ID%3d1%25",
                  "3 deliver client=c1 group=billing topic=orders broker=broker-a queue=3 offset=0 id=M crc=cbf43926",
                  "4 commit client=c1 group=billing topic=orders broker=broker-a queue=3 offset=18",
                  "5 own client=c1 group=billing topic=orders broker=broker-a queue=3"));
}

TEST(History, ASendThatFailedMayHaveHappened) {
  History history(ticks());
  history.sendEnded("p", "orders", "1", Error(ErrorCode::kNoRoute, "x"));
  history.sendEnded("p", "orders", "2", Error(ErrorCode::kTimeout, "x", 0, Applied::kUnknown));
  history.sendEnded("p", "orders", "3", SendResult{.sendStatus = SendStatus::FLUSH_DISK_TIMEOUT});
  history.sendEnded("p", "orders", "4", SendResult{.messageQueue = kHistoryQueue, .queueOffset = 10}, 2);
  const std::vector<HistoryEvent> events = history.events();
  EXPECT_EQ(events[0].kind, kFail);
  EXPECT_EQ(events[1].kind, kUnknown);
  EXPECT_EQ(events[2].kind, kUnknown) << "acknowledged is SEND_OK alone";
  EXPECT_EQ(events[3].kind, kOk);
  EXPECT_EQ(events[3].offset, 12);
}

TEST(History, IsReadAsItWasWritten) {
  History history(ticks());
  HistoryEvent full{.kind = kStored,
                    .time = 7,
                    .client = "a\tb",
                    .group = "g=",
                    .topic = "%",
                    .brokerName = "b",
                    .queueId = 1,
                    .offset = 2,
                    .id = "i d",
                    .sequence = 3,
                    .crc = 0xffffffff};
  history.add(full);
  for (int kind = 0; kind <= static_cast<int>(kStored); ++kind) {
    history.add({.kind = static_cast<HistoryEventKind>(kind), .id = "x"});
  }
  std::stringstream file;
  history.write(file);
  History read;
  ASSERT_THAT(read.read(file), IsOk());
  EXPECT_EQ(read.events(), history.events());
}

TEST(History, FilesOfSeveralClientsComeTogetherByTime) {
  std::istringstream first("10 invoke client=a\n30 ok client=a\n");
  std::istringstream second("20 invoke client=b\n\n40 ok client=b\n");
  History history;
  ASSERT_THAT(history.read(first), IsOk());
  ASSERT_THAT(history.read(second), IsOk());
  EXPECT_THAT(linesOf(history),
              ElementsAre("10 invoke client=a", "20 invoke client=b", "30 ok client=a", "40 ok client=b"));
}

TEST(History, ALineThatIsNoneIsNamed) {
  const auto errorOf = [](const std::string& text) {
    std::istringstream file(text);
    History history;
    const Result<void> read = history.read(file);
    EXPECT_EQ(history.size(), 0u);
    return read ? std::string("none") : read.error().message();
  };
  EXPECT_THAT(errorOf("1 ok\nsoon ok\n"), HasSubstr("line 2: no time 'soon'"));
  EXPECT_THAT(errorOf("1 okay\n"), HasSubstr("line 1: no event 'okay'"));
  EXPECT_THAT(errorOf("1 ok colour=red\n"), HasSubstr("no field 'colour=red'"));
  EXPECT_THAT(errorOf("1 ok queue=x\n"), HasSubstr("no field 'queue=x'"));
  EXPECT_THAT(errorOf("1 ok id=%4\n"), HasSubstr("no field 'id=%4'"));
  EXPECT_THAT(errorOf("1 ok id\n"), HasSubstr("no field 'id'"));
}

TEST(History, ALastLineThatAKillCutShortIsLeftOut) {
  std::istringstream file("1 invoke client=a\n2 ok client=a offset=1");
  History history;
  ASSERT_THAT(history.read(file), IsOk());
  EXPECT_THAT(linesOf(history), ElementsAre("1 invoke client=a"));
}

TEST(History, WhatWasToldIsInTheFileAtOnce) {
  std::ostringstream file;
  History history(file, ticks());
  history.callEnded("c", "close");
  EXPECT_EQ(file.str(), "1 ok client=c id=close\n");
}

TEST(History, AnyThreadMayTell) {
  constexpr int kThreads = 4;
  constexpr int kEach = 1'000;
  History history;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < kEach; ++n) history.invoke(std::to_string(i), "t", std::to_string(n), n);
    });
  }
  for (std::thread& one : threads) one.join();
  const std::vector<HistoryEvent> events = history.events();
  ASSERT_THAT(events, SizeIs(kThreads * kEach));
  std::vector<std::int64_t> next(kThreads, 0);
  for (const HistoryEvent& event : events)
    EXPECT_EQ(event.sequence, next[static_cast<std::size_t>(std::stoi(event.client))]++);
}

}  // namespace
}  // namespace mqclient
