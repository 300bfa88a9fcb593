#include <thread>

#include "store_support.h"

namespace mqclient::store {
namespace {

// One row each of the status table of getMessage.
TEST(GetMessageTest, ANullQueueIsNoMatchedLogicQueue) {
  StoreUnderTest under;
  const GetMessageResult r = under.store.getMessage(nullptr, 5, 32, StoreUnderTest::kAnyBytes, nullptr);
  EXPECT_EQ(r.status, GetMessageStatus::NO_MATCHED_LOGIC_QUEUE);
  EXPECT_EQ(r.nextBeginOffset, 0);
}

TEST(GetMessageTest, AnEmptyQueueHasNoMessage) {
  StoreUnderTest under;
  for (const std::int64_t offset : {0, 5, -1}) {
    const GetMessageResult r = under.get(offset);
    EXPECT_EQ(r.status, GetMessageStatus::NO_MESSAGE_IN_QUEUE);
    EXPECT_EQ(r.nextBeginOffset, 0);
  }
}

TEST(GetMessageTest, OffsetsOutsideTheQueue) {
  StoreUnderTest under;
  under.put("a");
  under.put("b");
  GetMessageResult r = under.get(-1);
  EXPECT_EQ(r.status, GetMessageStatus::OFFSET_TOO_SMALL);
  EXPECT_EQ(r.nextBeginOffset, 0);
  r = under.get(2);
  EXPECT_EQ(r.status, GetMessageStatus::OFFSET_OVERFLOW_ONE);
  EXPECT_EQ(r.nextBeginOffset, 2);
  EXPECT_EQ(r.minOffset, 0);
  EXPECT_EQ(r.maxOffset, 2);
  r = under.get(3);
  EXPECT_EQ(r.status, GetMessageStatus::OFFSET_OVERFLOW_BADLY);
  EXPECT_EQ(r.nextBeginOffset, 2);
}

TEST(GetMessageTest, FoundAnswersTheStoredBytesThemselves) {
  StoreUnderTest under;
  under.put("a");
  under.put("b");
  under.put("c");
  const GetMessageResult r = under.get(1);
  EXPECT_EQ(r.status, GetMessageStatus::FOUND);
  EXPECT_EQ(r.nextBeginOffset, 3);
  EXPECT_EQ(r.messages, 2);
  EXPECT_EQ(bodies(r.records), (std::vector<std::string>{"b", "c"}));
  ASSERT_EQ(r.records.count(), 1U);
  EXPECT_EQ(r.records[0].data(), under.store.record(*under.queue, 1).data()) << "no copy";
}

TEST(GetMessageTest, NothingThatPassesTheFilter) {
  StoreUnderTest under;
  under.put("a", "TagA");
  under.put("b");
  const TagFilter filter{{protocol::hashCode("TagB")}};
  const GetMessageResult r = under.get(0, 32, &filter);
  EXPECT_EQ(r.status, GetMessageStatus::NO_MATCHED_MESSAGE);
  EXPECT_EQ(r.nextBeginOffset, 2);
  EXPECT_TRUE(r.records.empty());
}

TEST(GetMessageTest, TheFilterCutsRuns) {
  StoreUnderTest under;
  for (const char* tag : {"TagA", "TagB", "TagA", "TagA", "TagC"}) under.put(tag, tag);
  TagFilter filter{{protocol::hashCode("TagA"), protocol::hashCode("TagC")}};
  std::sort(filter.codes.begin(), filter.codes.end());
  const GetMessageResult r = under.get(0, 32, &filter);
  EXPECT_EQ(bodies(r.records), (std::vector<std::string>{"TagA", "TagA", "TagA", "TagC"}));
  EXPECT_EQ(r.records.count(), 2U) << "one slice for each run of neighbours";
  EXPECT_EQ(r.nextBeginOffset, 5);
}

TEST(GetMessageTest, CountAndByteLimits) {
  StoreUnderTest under;
  for (int i = 0; i < 40; ++i) under.put("m");
  EXPECT_EQ(under.get(0, 1024).messages, 32) << "32 messages from memory";
  EXPECT_EQ(under.get(0, 31).messages, 31);
  EXPECT_EQ(under.get(0, 1).messages, 1);
  EXPECT_EQ(under.get(0, 0).messages, 1) << "the first one always";

  StoreUnderTest large;
  const std::string body(100'000, 'x');
  for (int i = 0; i < 4; ++i) large.put(body);
  EXPECT_EQ(large.get(0).messages, 2) << "256 KiB";
  StoreUnderTest huge;
  const std::string more_than_the_limit(300'000, 'x');
  huge.put(more_than_the_limit);
  huge.put(more_than_the_limit);
  EXPECT_EQ(huge.get(0).messages, 1);
}

TEST(GetMessageTest, TheByteLimitIsExact) {
  MessageStoreOptions options;
  const std::size_t one = encoded("TopicTest", 3, "0123456789").size();
  options.transfer_bytes_max = static_cast<std::int64_t>(3 * one);
  StoreUnderTest under(options);
  for (int i = 0; i < 5; ++i) under.put("0123456789");
  EXPECT_EQ(under.get(0).messages, 3);
  options.transfer_bytes_max -= 1;
  StoreUnderTest less(options);
  for (int i = 0; i < 5; ++i) less.put("0123456789");
  EXPECT_EQ(less.get(0).messages, 2);
}

TEST(GetMessageTest, OneCallLooksAtEightHundredUnits) {
  StoreUnderTest under;
  for (int i = 0; i < 900; ++i) under.put("m", "TagA");
  const TagFilter filter{{protocol::hashCode("TagB")}};
  const GetMessageResult r = under.get(0, 32, &filter);
  EXPECT_EQ(r.status, GetMessageStatus::NO_MATCHED_MESSAGE);
  EXPECT_EQ(r.nextBeginOffset, 800);
}

TEST(GetMessageTest, ReadsAcrossSegmentsAndUnitFiles) {
  StoreUnderTest under(smallLog(8));
  std::vector<std::string> wanted;
  for (int i = 0; i < 20; ++i) {
    wanted.push_back(std::string(900, static_cast<char>('a' + i)));
    under.put(wanted.back());
  }
  const GetMessageResult r = under.get(0);
  EXPECT_EQ(r.messages, 20);
  EXPECT_EQ(bodies(r.records), wanted);
  EXPECT_EQ(r.records.count(), 5U) << "four records a segment";
}

TEST(GetMessageTest, AHeldPullIsToldWhatItWaitsFor) {
  StoreUnderTest under;
  const TagFilter filter{{protocol::hashCode("TagB")}};
  std::int64_t looked_to = 0;
  EXPECT_FALSE(under.store.hasMatch(*under.queue, looked_to, &filter));
  under.put("a", "TagA");
  EXPECT_FALSE(under.store.hasMatch(*under.queue, looked_to, &filter));
  EXPECT_EQ(looked_to, 1) << "what did not pass is not looked at again";
  under.put("b", "TagB");
  EXPECT_TRUE(under.store.hasMatch(*under.queue, looked_to, &filter));
  looked_to = 99;
  EXPECT_TRUE(under.store.hasMatch(*under.queue, looked_to, &filter)) << "beyond the end: the offset must move";
}

TEST(GetMessageTest, AHeldPullThatMissesAWindowIsAnswered) {
  StoreUnderTest under;
  const TagFilter filter{{protocol::hashCode("TagB")}};
  for (int i = 0; i < 801; ++i) under.put("m", "TagA");
  std::int64_t looked_to = 1;
  EXPECT_FALSE(under.store.hasMatch(*under.queue, looked_to, &filter));
  looked_to = 0;
  EXPECT_TRUE(under.store.hasMatch(*under.queue, looked_to, &filter));
}

// ---- by time

struct ByTime : ::testing::Test {
  // times 100 200 200 300, offsets 0..3
  void SetUp() override {
    for (const std::int64_t ms : {100, 200, 200, 300}) under.put("m", {}, ms);
  }
  std::int64_t lower(std::int64_t ms) { return under.store.offsetByTime(*under.queue, ms, Boundary::kLower); }
  std::int64_t upper(std::int64_t ms) { return under.store.offsetByTime(*under.queue, ms, Boundary::kUpper); }
  StoreUnderTest under;
};

TEST_F(ByTime, Lower) {
  EXPECT_EQ(lower(99), 0);
  EXPECT_EQ(lower(100), 0);
  EXPECT_EQ(lower(101), 1);
  EXPECT_EQ(lower(200), 1) << "the left-most of equals";
  EXPECT_EQ(lower(201), 3);
  EXPECT_EQ(lower(300), 3);
  EXPECT_EQ(lower(301), 4) << "the future is the end";
}

TEST_F(ByTime, Upper) {
  EXPECT_EQ(upper(99), 0);
  EXPECT_EQ(upper(100), 0);
  EXPECT_EQ(upper(101), 0);
  EXPECT_EQ(upper(199), 0);
  EXPECT_EQ(upper(200), 2) << "the right-most of equals";
  EXPECT_EQ(upper(299), 2);
  EXPECT_EQ(upper(300), 3);
  EXPECT_EQ(upper(301), 3);
}

TEST_F(ByTime, AnEmptyQueueAnswersZero) {
  const auto empty = under.store.queueOf("Other", 0);
  EXPECT_EQ(under.store.offsetByTime(*empty, 200, Boundary::kLower), 0);
  EXPECT_EQ(under.store.offsetByTime(*empty, 200, Boundary::kUpper), 0);
  EXPECT_EQ(under.store.earliestStoreTime(*empty), -1);
  EXPECT_EQ(under.store.earliestStoreTime(*under.queue), 100);
}

TEST(GetMessageTest, ByTimeNeverAnswersWhatIsGone) {
  StoreUnderTest under(smallLog());
  std::int64_t ms = 1000;
  while (under.store.log().segmentsDropped() < 2) under.put(std::string(500, 'x'), {}, ms++);
  const std::int64_t min = under.store.minOffset(*under.queue);
  EXPECT_GT(min, 0);
  for (const Boundary b : {Boundary::kLower, Boundary::kUpper}) {
    EXPECT_EQ(under.store.offsetByTime(*under.queue, 0, b), min);
    EXPECT_EQ(under.store.offsetByTime(*under.queue, 1000, b), min);
  }
  EXPECT_EQ(under.store.earliestStoreTime(*under.queue), 1000 + min);
}

// ---- readers beside the writer

// One thread appends while others read: every record they find is whole, and the log goes round under them.
TEST(GetMessageTest, ReadersBesideTheWriter) {
  MessageStoreOptions options = smallLog(4);
  StoreUnderTest under(options);
  std::atomic<bool> done{false};
  std::atomic<std::int64_t> read{0};
  const auto readAll = [&] {
    std::int64_t offset = 0;
    for (bool last = false; !last;) {
      last = done.load(std::memory_order_acquire);
      const GetMessageResult r = under.get(offset);
      if (r.status == GetMessageStatus::FOUND) {
        const base::Slice bytes = r.records.flatten();
        protocol::RecordIterator it(bytes.bytes());
        std::int64_t wanted = offset;
        while (auto record = it.next()) {
          ASSERT_TRUE(*record) << record->error().message();
          ASSERT_GE((*record)->queueOffset, wanted);
          ASSERT_TRUE(protocol::bodyCrcMatches(**record));
          wanted = (*record)->queueOffset + 1;
          read.fetch_add(1, std::memory_order_relaxed);
        }
      }
      ASSERT_TRUE(r.nextBeginOffset >= offset) << toString(r.status);
      if (r.nextBeginOffset > offset) last = false;
      offset = r.nextBeginOffset;
    }
  };
  std::thread one(readAll), two(readAll);
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_EQ(under.put("message " + std::to_string(i)).status, PutStatus::PUT_OK);
    if (i % 64 == 0) under.store.trimSome();
  }
  done.store(true, std::memory_order_release);
  one.join();
  two.join();
  EXPECT_GT(read.load(), 0);
  EXPECT_GT(under.store.log().segmentsDropped(), 0U);
}

TEST(MemoryFileSystemTest, NamesListRenameRemove) {
  const auto files = makeMemoryFileSystem();
  const std::string text = "text";
  ASSERT_TRUE(files->append("config/topics.json", std::as_bytes(std::span(text))));
  ASSERT_TRUE(files->append("config/topics.json", std::as_bytes(std::span(text))));
  EXPECT_EQ(*files->read("config/topics.json"), "texttext");
  ASSERT_TRUE(files->rename("config/topics.json", "config/topics.json.bak"));
  EXPECT_FALSE(files->read("config/topics.json"));
  ASSERT_TRUE(files->map("commitlog/0", 64, Fill::kZero));
  EXPECT_EQ(*files->list(""), (std::vector<std::string>{"commitlog", "config"}));
  EXPECT_EQ(*files->list("config"), std::vector<std::string>{"topics.json.bak"});
  EXPECT_FALSE(files->map("commitlog/0", 65, Fill::kZero)) << "a file keeps its length";
  EXPECT_FALSE(files->append("commitlog/0", std::as_bytes(std::span(text))));
  ASSERT_TRUE(files->remove("commitlog/0"));
  EXPECT_EQ(files->remove("commitlog/0").error().code(), ErrorCode::kUnreachable);
}

TEST(MemoryFileSystemTest, ABlockServesAgainOnlyOnceNobodyHoldsIt) {
  constexpr std::size_t kSize = 1 << 20;
  const auto files = makeMemoryFileSystem();
  auto held = *files->map("a", kSize, Fill::kAnything);
  const std::byte* block = held->data();
  ASSERT_TRUE(files->remove("a"));
  EXPECT_NE((*files->map("b", kSize, Fill::kAnything))->data(), block);
  held.reset();
  EXPECT_EQ((*files->map("c", kSize, Fill::kAnything))->data(), block);
}

}  // namespace
}  // namespace mqclient::store
