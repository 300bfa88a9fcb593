// R30: each checker fails on a bad history made by hand, and passes the good one that it was made from.
#include "mqclient/testing/history_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "mqclient/testing/matchers.h"

namespace mqclient {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

std::vector<HistoryEvent> parse(const std::string& lines) {
  std::istringstream in(lines);
  History history;
  history.read(in).value();
  return history.events();
}

/// Two producers, one queue, a consumer that hands over to another one, a redelivery, an unknown send, a close.
const std::string kGood =
    "1 invoke client=p1 topic=t id=a seq=1\n"
    "2 invoke client=p2 topic=t id=b seq=1\n"
    "3 ok client=p1 topic=t broker=x queue=0 offset=0 id=a\n"
    "4 ok client=p2 topic=t broker=x queue=0 offset=1 id=b\n"
    "5 invoke client=p1 topic=t id=c seq=2\n"
    "6 own client=c1 group=g topic=t broker=x queue=0\n"
    "7 deliver client=c1 group=g topic=t broker=x queue=0 offset=0 id=a crc=aa\n"
    "8 deliver client=c1 group=g topic=t broker=x queue=0 offset=1 id=b crc=bb\n"
    "9 finish client=c1 group=g topic=t broker=x queue=0 offset=0 id=a crc=aa\n"
    "10 commit client=c1 group=g topic=t broker=x queue=0 offset=1\n"
    "11 release client=c1 group=g topic=t broker=x queue=0\n"
    "12 own client=c2 group=g topic=t broker=x queue=0\n"
    "13 unknown client=p1 topic=t id=c\n"
    "14 deliver client=c2 group=g topic=t broker=x queue=0 offset=1 id=b crc=bb\n"
    "15 finish client=c2 group=g topic=t broker=x queue=0 offset=1 id=b crc=bb\n"
    "16 commit client=c2 group=g topic=t broker=x queue=0 offset=2\n"
    "17 invoke client=c2 id=close\n"
    "18 ok client=c2 id=close\n"
    "19 stored topic=t broker=x queue=0 offset=0 id=a crc=aa\n"
    "20 stored topic=t broker=x queue=0 offset=1 id=b crc=bb\n";

/// The good history without the line that begins with `time`, and with `instead` at its place.
std::vector<HistoryEvent> changed(int time, const std::string& instead) {
  const std::string begins = std::to_string(time) + ' ';
  std::istringstream in(kGood);
  std::string out;
  for (std::string line; std::getline(in, line);) out += (line.starts_with(begins) ? instead : line) + '\n';
  return parse(out);
}
std::vector<HistoryEvent> without(int time) {
  return changed(time, "");
}
std::vector<HistoryEvent> with(const std::string& lines) {
  return parse(kGood + lines + '\n');
}

TEST(HistoryChecks, AGoodHistoryKeepsEveryPromise) {
  const std::vector<HistoryEvent> good = parse(kGood);
  for (const CheckReport& report : checkHistory(good)) EXPECT_THAT(report, Holds());
  EXPECT_THAT(checkHistory(good), SizeIs(7));
}

TEST(HistoryChecks, FiguresHaveOpenChaossNames) {
  const CheckReport report = noMessageLost(parse(kGood));
  EXPECT_EQ(report.toString(),
            "no message lost: kept enqueueInvokeCount=3 enqueueSuccessCount=2 enqueueFailureCount=0 "
            "enqueueUnknownCount=1 dequeueSuccessCount=3 lostMessageCount=0 duplicateMessageCount=1");
  EXPECT_EQ(report.count("duplicateMessageCount"), 1u);
  EXPECT_EQ(report.count("no such count"), 0u);
}

struct Bad {
  std::string name;
  std::function<CheckReport(const HistoryEvents&)> checker;
  std::vector<HistoryEvent> events;
  std::string count;  // that is 1 then
  std::string says;
};

class ABadHistory : public ::testing::TestWithParam<Bad> {};

TEST_P(ABadHistory, FailsItsCheckerAndIsShown) {
  const CheckReport report = GetParam().checker(GetParam().events);
  EXPECT_THAT(report, Not(Holds())) << report;
  EXPECT_EQ(report.count(GetParam().count), 1u) << report;
  EXPECT_THAT(report.toString(), HasSubstr(GetParam().says));
  EXPECT_THAT(report.toString(), HasSubstr("VIOLATED"));
}

const std::string kAt = " topic=t broker=x queue=0 ";

INSTANTIATE_TEST_SUITE_P(
    HistoryChecks, ABadHistory,
    ::testing::Values(
        Bad{"Lost", noMessageLost, changed(4, "4 ok client=p2 topic=t broker=x queue=0 offset=1 id=lost"),
            "lostMessageCount", "acknowledged, never delivered to group g: 4 ok client=p2"},
        Bad{"LostForOneGroup", noMessageLost, with("21 deliver client=c3 group=h" + kAt + "offset=1 id=b"),
            "lostMessageCount", "never delivered to group h: 3 ok"},
        Bad{"StoredOfAnUnknownSendAndLost", noMessageLost, with("21 stored" + kAt + "offset=2 id=c"),
            "lostMessageCount", "stored, never delivered to group g: 21 stored"},
        Bad{"LostWithoutAnyConsumer", noMessageLost, parse("1 ok client=p" + kAt + "offset=0 id=a\n"),
            "lostMessageCount", "acknowledged, never delivered: 1 ok"},
        Bad{"OutOfOrder", orderPerQueue,
            parse("1 deliver client=c group=g" + kAt + "offset=1 id=b\n2 deliver client=c group=g" + kAt +
                  "offset=0 id=a\n"),
            "outOfOrderMessageCount", "for the first time after offset 1: 2 deliver"},
        Bad{"OutOfTheSendersOrder", orderPerQueue, changed(2, "2 invoke client=p1 topic=t id=b seq=0"),
            "outOfOrderMessageCount", "sent as number 0 by p1, delivered after its number 1: 8 deliver"},
        Bad{"PassedOver", orderPerQueue,
            with("21 ok client=p" + kAt + "offset=2 id=d\n22 deliver client=c2 group=g" + kAt + "offset=3 id=e"),
            "passedOverMessageCount", "passed over to group g: 21 ok"},
        Bad{"CommittedBeforeItWasFinished", atLeastOnce,
            changed(10, "10 commit client=c1 group=g topic=t broker=x queue=0 offset=2"), "committedUnfinishedCount",
            "offset 2 of group g was committed in event 10 before this was finished: 4 ok"},
        Bad{"NeverFinished", atLeastOnce, with("21 ok client=p" + kAt + "offset=2 id=d"), "unfinishedMessageCount",
            "never finished by group g: 21 ok"},
        Bad{"CommittedBeforeItWasDelivered", atLeastOnce,
            parse("1 ok client=p" + kAt + "offset=0 id=a\n2 ok client=p" + kAt +
                  "offset=1 id=b\n3 deliver client=c group=g" + kAt + "offset=0 id=a\n4 commit client=c group=g" + kAt +
                  "offset=2\n5 deliver client=c group=g" + kAt + "offset=1 id=b\n"),
            "committedUnfinishedCount", "before this was finished: 2 ok"},
        Bad{"Regressed", offsetsNeverRegress, with("21 commit client=c1 group=g" + kAt + "offset=1"), "regressionCount",
            "went back from 2: 21 commit"},
        Bad{"RegressedBelowAReset", offsetsNeverRegress,
            with("21 reset client=c1 group=g" + kAt + "offset=1\n22 commit client=c1 group=g" + kAt + "offset=0"),
            "regressionCount", "went back from 1: 22 commit"},
        Bad{"NeverCalledBack", callbacksExactlyOnce, without(13), "missingCallbackCount",
            "began 1 times, called back 0 times: 5 invoke"},
        Bad{"CalledBackTwice", callbacksExactlyOnce, with("21 fail client=p1 topic=t id=c"), "doubleCallbackCount",
            "began 1 times, called back 2 times: 21 fail"},
        Bad{"ACallThatIsNoSendNeverEnded", callbacksExactlyOnce, without(18), "missingCallbackCount",
            "17 invoke client=c2 id=close"},
        Bad{"Overlap", ownersNeverOverlap, without(11), "overlapCount",
            "began while c1 owned it since event 6: 12 own"},
        Bad{"TwoListenersOfOneClient", ownersNeverOverlap, with("21 own client=c2 group=g" + kAt), "overlapCount",
            "began while c2 owned it"},
        Bad{"TwoIdsAtOnePlace", identityPerPlace,
            changed(14, "14 deliver client=c2 group=g topic=t broker=x queue=0 offset=1 id=z crc=bb"),
            "identityViolationCount", "was b in event 4: 14 deliver"},
        Bad{"TwoBodiesAtOnePlace", identityPerPlace,
            changed(14, "14 deliver client=c2 group=g topic=t broker=x queue=0 offset=1 id=b crc=bc"),
            "identityViolationCount", "had another body in event 8: 14 deliver"},
        Bad{"DeliveredAndNotStored", identityPerPlace, without(20), "identityViolationCount",
            "is not what the brokers hold: 4 ok"}),
    [](const auto& bad) { return bad.param.name; });

TEST(HistoryChecks, ReleasingWhatOneDoesNotOwnIsSaid) {
  const CheckReport report = ownersNeverOverlap(with("21 release client=c1 group=g" + kAt));
  EXPECT_THAT(report.toString(), HasSubstr("released what it did not own: 21 release"));
}

TEST(HistoryChecks, AResetExcusesWhatItWasMadeFor) {
  const std::vector<HistoryEvent> back =
      with("21 reset client=admin group=g" + kAt + "offset=0\n22 deliver client=c2 group=g" + kAt +
           "offset=0 id=a crc=aa\n23 commit client=c2 group=g" + kAt + "offset=1");
  for (const CheckReport& report : checkHistory(back)) EXPECT_THAT(report, Holds());

  const std::vector<HistoryEvent> forth =
      with("21 ok client=p topic=t broker=x queue=0 offset=2 id=d\n22 reset client=admin group=g" + kAt +
           "offset=3\n23 deliver client=c2 group=g" + kAt + "offset=3 id=e\n24 finish client=c2 group=g" + kAt +
           "offset=3 id=e\n25 commit client=c2 group=g" + kAt + "offset=4");
  EXPECT_THAT(orderPerQueue(forth), Holds());
  EXPECT_THAT(atLeastOnce(forth), Holds());
  EXPECT_THAT(offsetsNeverRegress(forth), Holds());
}

TEST(HistoryChecks, TheSameMessageStoredTwiceIsADuplicateAndNoOtherFault) {
  const std::vector<HistoryEvent> twice = parse(
      "1 invoke client=p topic=t id=a seq=1\n2 unknown client=p topic=t id=a\n3 invoke client=p topic=t id=a seq=1\n"
      "4 ok client=p topic=t broker=x queue=0 offset=1 id=a\n"
      "5 deliver client=c group=g topic=t broker=x queue=0 offset=0 id=a\n"
      "6 deliver client=c group=g topic=t broker=x queue=0 offset=1 id=a\n");
  for (const CheckReport& report : checkHistory(twice)) EXPECT_THAT(report, Holds());
  EXPECT_EQ(noMessageLost(twice).count("duplicateMessageCount"), 1u);
}

TEST(HistoryChecks, OnlyTheFirstOffendersAreToldAndAllAreCounted) {
  std::string lines;
  for (int i = 0; i < 30; ++i)
    lines += "1 ok client=p" + kAt + "offset=" + std::to_string(i) + " id=" + std::to_string(i) + '\n';
  const CheckReport report = noMessageLost(parse(lines));
  EXPECT_EQ(report.violationCount, 30u);
  EXPECT_THAT(report.violations, SizeIs(CheckReport::kTold));
  EXPECT_THAT(report.toString(), HasSubstr("... and 10 more"));
}

}  // namespace
}  // namespace mqclient
