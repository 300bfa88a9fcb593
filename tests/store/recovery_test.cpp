#include <gtest/gtest.h>

#include "base/random.h"
#include "mock_broker/store/memory_disk.h"
#include "store_support.h"

namespace mqclient::store {
namespace {

using Unflushed = MemoryDisk::Unflushed;

/// Bodies of every message of a queue.
std::vector<std::string> allOf(const StoreUnderTest& under) {
  std::vector<std::string> all;
  for (std::int64_t next = under.store.minOffset(*under.queue); next < under.queue->maxOffset();) {
    const GetMessageResult got = under.get(next);
    for (std::string& body : bodies(got.records)) all.push_back(std::move(body));
    if (got.nextBeginOffset <= next) break;
    next = got.nextBeginOffset;
  }
  return all;
}

/// The bytes of a segment, to be damaged.
std::byte* bytesOf(FileSystem& files, std::int64_t segment) {
  return files.map(CommitLog::pathOf(segment), 4096, Fill::kZero).value()->data();
}

TEST(Recovery, AStoreOnFilesOfBeforeGoesOnWhereTheyEnd) {
  const std::shared_ptr<MemoryDisk> disk = makeMemoryDisk(1);
  std::vector<std::string> sent;
  std::int64_t end = 0;
  {
    StoreUnderTest before(disk, smallLog(8));
    for (int i = 0; i < 40; ++i) {
      sent.push_back("body " + std::to_string(i) + std::string(200, '.'));
      ASSERT_EQ(before.put(sent.back(), i % 2 == 0 ? "even" : "odd", kStoreMs + i).status, PutStatus::PUT_OK);
    }
    end = before.store.log().maxOffset();
  }
  StoreUnderTest after(disk, smallLog(8));
  EXPECT_EQ(after.recovered.records, 40u);
  EXPECT_EQ(after.recovered.end, end);
  EXPECT_EQ(allOf(after), sent);
  const TagFilter odd{{static_cast<std::int32_t>(protocol::tagsCode("odd"))}};
  EXPECT_EQ(after.get(0, 3, &odd).nextBeginOffset, 6) << "tags are known again";
  const PutResult next = after.put("next", {}, kStoreMs);
  EXPECT_EQ(next.queueOffset, 40);
  EXPECT_EQ(next.physicalOffset, end);
  EXPECT_EQ(next.storeTimestamp, kStoreMs + 39) << "store times do not fall either";
}

TEST(Recovery, AQueueWhoseRecordsAreAllGoneKeepsItsEnd) {
  const std::shared_ptr<MemoryDisk> disk = makeMemoryDisk(1);
  {
    StoreUnderTest before(disk, smallLog());
    const auto quiet = before.store.queueOf("Quiet", 0);
    for (int i = 0; i < 6; ++i) ASSERT_EQ(before.putInto(*quiet, "q").status, PutStatus::PUT_OK);
    before.dropSegments(2);
  }
  StoreUnderTest after(disk, smallLog());
  const auto quiet = after.store.queueOf("Quiet", 0);
  EXPECT_EQ(after.store.log().minOffset(), 2 * 4096);
  EXPECT_EQ(quiet->maxOffset(), 6);
  EXPECT_EQ(after.store.minOffset(*quiet), 6);
  EXPECT_EQ(after.putInto(*quiet, "again").queueOffset, 6);
  EXPECT_EQ(after.get(after.store.minOffset(*after.queue)).status, GetMessageStatus::FOUND);
}

TEST(Recovery, TheLogEndsAtTheFirstRecordThatIsNotWhole) {
  for (const std::size_t damaged : {0u, 5u, 30u, 90u}) {  // size, magic, physical offset, body
    const std::shared_ptr<MemoryDisk> disk = makeMemoryDisk(1);
    std::int64_t second = 0;
    {
      StoreUnderTest before(disk, smallLog());
      ASSERT_EQ(before.put("first").status, PutStatus::PUT_OK);
      second = before.put("second").physicalOffset;
      ASSERT_EQ(before.put("third").status, PutStatus::PUT_OK);
    }
    bytesOf(*disk, 0)[static_cast<std::size_t>(second) + damaged] ^= std::byte{0x40};
    StoreUnderTest after(disk, smallLog());
    EXPECT_EQ(allOf(after), std::vector<std::string>{"first"}) << damaged;
    EXPECT_EQ(after.recovered.records, 1u) << damaged;
  }
}

TEST(Recovery, WhatLayBehindTheDamageNeverComesBack) {
  const std::shared_ptr<MemoryDisk> disk = makeMemoryDisk(1);
  std::int64_t second = 0;
  {
    StoreUnderTest before(disk, smallLog());
    ASSERT_EQ(before.put("body 1").status, PutStatus::PUT_OK);
    second = before.put("body 2").physicalOffset;
    for (int i = 3; i < 60; ++i) ASSERT_EQ(before.put("body " + std::to_string(i)).status, PutStatus::PUT_OK);
    before.store.flush().value();
  }
  bytesOf(*disk, 0)[static_cast<std::size_t>(second)] ^= std::byte{1};
  {
    StoreUnderTest after(disk, smallLog());
    EXPECT_EQ(allOf(after), std::vector<std::string>{"body 1"});
    // As long as the one that was cut, so that the old third record would follow it without a gap.
    EXPECT_EQ(after.put("BODY 2").physicalOffset, second);
    after.store.flush().value();
  }
  EXPECT_EQ(allOf(StoreUnderTest(disk, smallLog())), (std::vector<std::string>{"body 1", "BODY 2"}));
  disk->powerLoss(Unflushed::kGone);
  EXPECT_EQ(allOf(StoreUnderTest(disk, smallLog())), (std::vector<std::string>{"body 1", "BODY 2"}));
}

TEST(Recovery, ASegmentInMemoryUsedBeforeShowsNothingOfBefore) {
  const std::shared_ptr<MemoryDisk> disk = makeMemoryDisk(1, Fill::kAnything);
  MessageStoreOptions options;
  options.log.segment_bytes = 64u << 10;  // so large that its block is used again
  options.log.bytes_max = 2 * options.log.segment_bytes;
  {
    StoreUnderTest before(disk, options);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(before.put("body " + std::to_string(i)).status, PutStatus::PUT_OK);
  }
  disk->remove(CommitLog::pathOf(0)).value();
  {
    StoreUnderTest again(disk, options);
    ASSERT_EQ(again.put("BODY 0").status, PutStatus::PUT_OK);
  }
  EXPECT_EQ(allOf(StoreUnderTest(disk, options)), std::vector<std::string>{"BODY 0"});
}

TEST(Recovery, ALogWithAGapEndsAtIt) {
  const std::shared_ptr<MemoryDisk> disk = makeMemoryDisk(1);
  {
    StoreUnderTest before(disk, smallLog(8));
    for (int i = 0; i < 30; ++i) ASSERT_EQ(before.put(std::string(500, 'x')).status, PutStatus::PUT_OK);
  }
  disk->remove(CommitLog::pathOf(4096)).value();
  StoreUnderTest after(disk, smallLog(8));
  EXPECT_LE(after.recovered.end, 4096);
  EXPECT_EQ(after.queue->maxOffset(), static_cast<std::int64_t>(after.recovered.records));
  EXPECT_EQ(after.put("next").queueOffset, static_cast<std::int64_t>(after.recovered.records));
}

TEST(Recovery, ASegmentThatCouldNotBeRemovedOnceLeavesNoGap) {
  const std::shared_ptr<MemoryDisk> disk = makeMemoryDisk(1);
  std::vector<std::string> kept;
  std::int64_t min = 0;
  {
    StoreUnderTest before(disk, smallLog(3));
    int n = 0;
    const auto body = [&n] { return std::to_string(n++) + std::string(500, '.'); };
    disk->failAt(DiskOperation::kRemove, 1);
    while (before.put(body()).status == PutStatus::PUT_OK) ASSERT_LT(n, 100) << "the roll removes nothing";
    EXPECT_EQ(before.store.log().minOffset(), 0) << "what is still there is still counted";
    EXPECT_EQ(before.store.log().segmentsDropped(), 0u);
    constexpr std::int64_t kFiveSegments = 20'480;
    while (before.store.log().maxOffset() < kFiveSegments) ASSERT_EQ(before.put(body()).status, PutStatus::PUT_OK);
    min = before.store.log().minOffset();
    kept = allOf(before);
    ASSERT_FALSE(kept.empty());
  }
  StoreUnderTest after(disk, smallLog(3));
  EXPECT_EQ(after.store.log().minOffset(), min);
  EXPECT_EQ(allOf(after), kept);
}

TEST(Recovery, ASegmentOfAnotherSizeIsAnError) {
  const std::shared_ptr<MemoryDisk> disk = makeMemoryDisk(1);
  ASSERT_EQ(StoreUnderTest(disk, smallLog()).put("x").status, PutStatus::PUT_OK);
  MessageStoreOptions other = smallLog();
  other.log.segment_bytes = 8192;
  other.log.bytes_max = 2 * other.log.segment_bytes;
  MessageStore store(disk, other);
  const auto recovered = store.recover();
  ASSERT_FALSE(recovered);
  EXPECT_EQ(recovered.error().code(), ErrorCode::kInvalidArgument);
}

TEST(Recovery, APowerLossTakesWhatWasNotFlushedAndNothingElse) {
  const std::shared_ptr<MemoryDisk> disk = makeMemoryDisk(1);
  std::vector<std::string> flushed;
  {
    StoreUnderTest before(disk, smallLog(8));
    for (int i = 0; i < 20; ++i) {
      flushed.push_back(std::string(400, static_cast<char>('a' + i)));
      ASSERT_EQ(before.put(flushed.back()).status, PutStatus::PUT_OK);
    }
    EXPECT_EQ(before.store.flush().value(), before.store.log().maxOffset());
    for (int i = 0; i < 20; ++i) ASSERT_EQ(before.put(std::string(400, 'z')).status, PutStatus::PUT_OK);
  }
  disk->powerLoss(Unflushed::kGone);
  EXPECT_EQ(allOf(StoreUnderTest(disk, smallLog(8))), flushed);
}

// What a lazy device kept of the rest may be anything from the front; never less than was flushed, never out of order,
// never damaged.
TEST(Recovery, AThousandTornLogsKeepWhatWasFlushedAndTheirOrder) {
  std::size_t kept_more = 0;
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    base::Xoshiro256 chance(seed);
    const std::shared_ptr<MemoryDisk> disk = makeMemoryDisk(seed);
    std::size_t flushed = 0;
    std::size_t put = 0;
    for (int life = 0; life < 3; ++life) {
      {
        StoreUnderTest under(disk, smallLog(16));
        const std::vector<std::string> found = allOf(under);
        ASSERT_GE(found.size(), flushed) << "seed " << seed;
        ASSERT_LE(found.size(), put) << "seed " << seed;
        if (found.size() > flushed) ++kept_more;
        for (std::size_t i = 0; i < found.size(); ++i) {
          ASSERT_EQ(found[i].substr(0, found[i].find(' ')), std::to_string(i)) << "seed " << seed;
        }
        put = found.size();
        flushed = put;  // what came back is on the device
        for (std::uint64_t more = 5 + chance.below(20); more > 0; --more) {
          const std::string body =
              std::to_string(put) + ' ' + std::string(static_cast<std::size_t>(chance.below(600)), 'x');
          ASSERT_EQ(under.put(body).status, PutStatus::PUT_OK);
          ++put;
          if (chance.below(4) == 0) {
            under.store.flush().value();
            flushed = put;
          }
        }
      }
      disk->powerLoss(Unflushed::kSome);
    }
  }
  EXPECT_GT(kept_more, 100u) << "else this says no more than the test before it";
}

}  // namespace
}  // namespace mqclient::store
