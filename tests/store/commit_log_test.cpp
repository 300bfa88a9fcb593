#include "mock_broker/store/commit_log.h"

#include <functional>
#include <utility>

#include "base/buffer.h"
#include "mock_broker/store/memory_disk.h"
#include "store_support.h"

namespace mqclient::store {
namespace {

std::string hexOf(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte b : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[std::to_integer<unsigned>(b) >> 4];
    text += kDigits[std::to_integer<unsigned>(b) & 0xF];
  }
  return text;
}

/// A disk during whose flushes something else happens.
class BusyDisk final : public FileSystem {
 public:
  using Meanwhile = std::function<void()>;
  Result<std::shared_ptr<MappedFile>> map(const std::string& path, std::size_t size, Fill fill) override {
    auto file = disk_->map(path, size, fill);
    if (!file) return file;
    return std::shared_ptr<MappedFile>(std::make_shared<File>(*std::move(file), *this));
  }
  Result<std::string> read(const std::string& path) override { return disk_->read(path); }
  Result<void> append(const std::string& path, std::span<const std::byte> bytes) override {
    return disk_->append(path, bytes);
  }
  Result<void> sync(const std::string& path) override { return disk_->sync(path); }
  Result<void> rename(const std::string& from, const std::string& to) override { return disk_->rename(from, to); }
  Result<void> syncDir(const std::string& path) override { return disk_->syncDir(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return disk_->list(path); }
  Result<void> remove(const std::string& path) override { return disk_->remove(path); }

  Meanwhile during_next_flush;

 private:
  struct File final : MappedFile {
    File(std::shared_ptr<MappedFile> of, BusyDisk& on) : MappedFile(of->data(), of->size()), file(of), disk(on) {}
    Result<void> reserve(std::size_t from, std::size_t to) override { return file->reserve(from, to); }
    bool resident(std::size_t from, std::size_t to) const noexcept override { return file->resident(from, to); }
    Result<void> flush(std::size_t from, std::size_t to) override {
      if (from > to || to > size()) return Error(ErrorCode::kInvalidArgument, "no such bytes");
      if (const Meanwhile meanwhile = std::exchange(disk.during_next_flush, nullptr)) meanwhile();
      return file->flush(from, to);
    }
    const std::shared_ptr<MappedFile> file;
    BusyDisk& disk;
  };
  const std::unique_ptr<FileSystem> disk_ = makeMemoryFileSystem();
};

// The worked example of the store format: this very record at physical offset 1000, queue offset 7.
TEST(CommitLogTest, StoresTheGoldenRecord) {
  constexpr std::string_view kRecord =
      "00000073daa320a73610a6860000000300000000000000000000000700000000000003e8000000000000018bcfe568007f00000100"
      "00c3500000018bcfe5687b7f00000100002a9f0000000000000000000000000000000568656c6c6f09546f70696354657374000a54"
      "414753015461674102";
  StoreUnderTest under;
  // 7 messages of this queue in 1000 bytes: 6 of 142 and one of 148, bodies of 40 and 46 bytes and no tag.
  constexpr std::size_t kEmpty = protocol::kRecordOverhead + std::string_view("TopicTest").size();
  for (int i = 0; i < 6; ++i) ASSERT_EQ(under.put(std::string(142 - kEmpty, 'a')).status, PutStatus::PUT_OK);
  ASSERT_EQ(under.put(std::string(1000 - 6 * 142 - kEmpty, 'b')).physicalOffset, 6 * 142);
  const PutResult put = under.put("hello", "TagA");
  EXPECT_EQ(put.physicalOffset, 1000);
  EXPECT_EQ(put.queueOffset, 7);
  EXPECT_EQ(put.storeTimestamp, kStoreMs);
  EXPECT_EQ(hexOf(under.store.record(*under.queue, 7).bytes()), kRecord);

  ConsumeQueue::Reader units(*under.queue);
  const auto unit = units.at(7);
  ASSERT_TRUE(unit);
  EXPECT_EQ(unit->physicalOffset, 0x3e8);
  EXPECT_EQ(unit->size, 0x73);
  EXPECT_EQ(unit->tagsCode, 0x27a807);  // hash of TagA, 2598919
}

TEST(CommitLogTest, UnitsLieInFilesAsTheyWouldOnDisk) {
  auto files = makeMemoryFileSystem();
  ConsumeQueue queue(*files, "TopicTest", 3, 300'000);
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(queue.put(std::vector<Unit>{{std::int64_t{i} * 100, 100, 0}}));
  ASSERT_TRUE(queue.put(std::vector<Unit>{{0x3e8, 0x73, 0x27a807}}));
  const auto bytes = files->read("consumequeue/TopicTest/3/00000000000000000000");
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->size(), 6'000'000U);
  EXPECT_EQ(hexOf(std::as_bytes(std::span(*bytes)).subspan(140, 20)), "00000000000003e800000073000000000027a807");
}

TEST(CommitLogTest, ABatchOfUnitsThatFailsAtItsSecondFileLeavesNoTrace) {
  const auto disk = makeMemoryDisk(1);
  ConsumeQueue queue(*disk, "TopicTest", 3, 4);
  const auto unitsFrom = [](std::int64_t physical, int count) {
    std::vector<Unit> units;
    for (int i = 0; i < count; ++i) units.push_back({physical + i, 1, 0});
    return units;
  };
  ASSERT_TRUE(queue.put(unitsFrom(0, 2)));
  disk->failAt(DiskOperation::kCreate, 2);
  ASSERT_FALSE(queue.put(unitsFrom(1000, 8))) << "2 in the first file, 4 in the second, 2 in the third";
  EXPECT_EQ(queue.maxOffset(), 2);
  for (int i = 2; i < 12; ++i) ASSERT_TRUE(queue.put(unitsFrom(i, 1)));
  ConsumeQueue::Reader units(queue);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(units.at(i)->physicalOffset, i);
}

TEST(CommitLogTest, CoversTheRestOfASegmentWithABlankRecord) {
  auto files = makeMemoryFileSystem();
  CommitLog log(*files, {4096, 1 << 20});
  ASSERT_TRUE(log.place(4096 - 200));
  const auto next = log.place(193);  // 193 + 8 > 200
  ASSERT_TRUE(next);
  EXPECT_EQ(next->offset, 4096);
  log.publish();
  EXPECT_EQ(log.maxOffset(), 4096 + 193);
  const auto first = files->read("commitlog/00000000000000000000");
  ASSERT_TRUE(first);
  EXPECT_EQ(hexOf(std::as_bytes(std::span(*first)).subspan(4096 - 200, 8)), "000000c8cbd43194");
  const auto names = files->list("commitlog");
  ASSERT_TRUE(names);
  EXPECT_EQ(*names, (std::vector<std::string>{"00000000000000000000", "00000000000000004096"}));
}

TEST(CommitLogTest, ARecordFitsWithEightBytesToSpareAndNotWithSeven) {
  auto files = makeMemoryFileSystem();
  CommitLog log(*files, {4096, 1 << 20});
  EXPECT_EQ(log.place(4096 - 8)->offset, 0);
  EXPECT_EQ(log.place(1)->offset, 4096);
  ASSERT_FALSE(log.place(4096 - 7));
  EXPECT_EQ(log.place(4096 - 7).error().code(), ErrorCode::kMessageIllegal);
  EXPECT_EQ(log.place(4096 - 8)->offset, 8192) << "a refused record changes nothing";
}

TEST(CommitLogTest, NobodyReadsWhatWasNotPublished) {
  auto files = makeMemoryFileSystem();
  CommitLog log(*files, {4096, 1 << 20});
  ASSERT_TRUE(log.place(100));
  CommitLog::Reader reader(log);
  EXPECT_EQ(reader.at(0, 100), nullptr);
  log.publish();
  EXPECT_NE(reader.at(0, 100), nullptr);
  ASSERT_TRUE(log.place(100));
  EXPECT_EQ(reader.at(100, 100), nullptr) << "the reader's cache must not run ahead";
  EXPECT_EQ(reader.at(50, 100), nullptr);
  EXPECT_NE(reader.at(0, 100), nullptr);
}

TEST(CommitLogTest, TheOldestSegmentGoesAndReadersKeepWhatTheyPinned) {
  StoreUnderTest under(smallLog());
  ASSERT_EQ(under.put("first").status, PutStatus::PUT_OK);
  const GetMessageResult before = under.get(0);
  ASSERT_EQ(before.status, GetMessageStatus::FOUND);
  under.dropSegments(3);
  EXPECT_EQ(under.store.log().minOffset(), 3 * 4096);
  EXPECT_EQ(bodies(before.records), std::vector<std::string>{"first"});
  const std::int64_t min = under.store.minOffset(*under.queue);
  EXPECT_GT(min, 0);
  const GetMessageResult late = under.get(0);
  EXPECT_EQ(late.status, GetMessageStatus::OFFSET_TOO_SMALL);
  EXPECT_EQ(late.nextBeginOffset, min);
  EXPECT_EQ(under.get(min).status, GetMessageStatus::FOUND);
  // The first record that is still there lies at or behind the beginning of the log.
  ConsumeQueue::Reader units(*under.queue);
  EXPECT_GE(units.at(min)->physicalOffset, under.store.log().minOffset());
  EXPECT_LT(under.queue->files(), 8U) << "units of dropped records go too";
}

TEST(CommitLogTest, ALogThatGoesRoundDuringAFlushHasNothingOlderToFlush) {
  BusyDisk disk;
  CommitLog log(disk, {4096, 8192});
  const auto append = [&](int records) {
    for (int i = 0; i < records; ++i) ASSERT_TRUE(log.place(4000));
    log.publish();
  };
  append(2);
  const std::int64_t target = log.maxOffset();
  disk.during_next_flush = [&] { append(2); };
  const Result<std::int64_t> flushed = log.flush();
  ASSERT_TRUE(flushed) << flushed.error();
  EXPECT_EQ(*flushed, target);
  EXPECT_GT(log.minOffset(), target);
  EXPECT_EQ(log.flush().value(), log.maxOffset()) << "what came meanwhile";
}

TEST(CommitLogTest, StoreTimeNeverFallsWhenTheClockDoes) {
  StoreUnderTest under;
  EXPECT_EQ(under.put("a", {}, 1000).storeTimestamp, 1000);
  EXPECT_EQ(under.put("b", {}, 900).storeTimestamp, 1000);
  EXPECT_EQ(under.put("c", {}, 1001).storeTimestamp, 1001);
}

TEST(CommitLogTest, ABatchLiesInOneSegment) {
  StoreUnderTest under(smallLog(4));
  ASSERT_EQ(under.put(std::string(3000, 'x')).status, PutStatus::PUT_OK);
  std::vector<std::byte> image;
  std::vector<MessageStore::Part> parts;
  for (int i = 0; i < 5; ++i) {
    const auto record = encoded("TopicTest", 3, std::string(200, static_cast<char>('a' + i)));
    image.insert(image.end(), record.begin(), record.end());
    parts.push_back({static_cast<std::int32_t>(record.size()), 0});
  }
  const PutResult put = under.store.put(*under.queue, {.head = image}, parts, kStoreMs);
  ASSERT_EQ(put.status, PutStatus::PUT_OK);
  EXPECT_EQ(put.physicalOffset, 4096);
  EXPECT_EQ(put.queueOffset, 1);
  EXPECT_EQ(under.queue->maxOffset(), 6);
  const GetMessageResult found = under.get(1);
  EXPECT_EQ(found.messages, 5);
  EXPECT_EQ(found.records.count(), 1U) << "neighbours are one slice";
  const base::Slice third = under.store.record(*under.queue, 3);
  EXPECT_EQ(protocol::getQueueOffset(third.data()), 3);
  EXPECT_EQ(protocol::getPhysicalOffset(third.data()), 4096 + 2 * parts[0].size);
}

}  // namespace
}  // namespace mqclient::store
