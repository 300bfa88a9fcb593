#include "mock_broker/store/memory_disk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>

namespace mqclient::store {
namespace {

using Unflushed = MemoryDisk::Unflushed;

std::span<const std::byte> bytesOf(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string textOf(FileSystem& disk, const std::string& path) {
  auto text = disk.read(path);
  return text ? *text : "no file";
}

/// As configuration is written: aside, then in place of the old.
Result<void> replace(FileSystem& disk, const std::string& text) {
  (void)disk.remove("config/new");
  if (auto done = disk.append("config/new", bytesOf(text)); !done) return done;
  if (auto done = disk.sync("config/new"); !done) return done;
  if (auto done = disk.rename("config/new", "config/table"); !done) return done;
  return disk.syncDir("config");
}

TEST(MemoryDisk, APowerLossTakesBytesThatWereNotSyncedAndNamesWhoseDirectoryWasNot) {
  const auto disk = makeMemoryDisk(1);
  for (const char* path : {"d/both", "d/name only", "e/bytes only"}) disk->append(path, bytesOf("abc")).value();
  disk->sync("d/both").value();
  disk->sync("e/bytes only").value();
  disk->syncDir("d").value();
  disk->append("d/both", bytesOf("def")).value();
  disk->powerLoss(Unflushed::kGone);
  EXPECT_EQ(textOf(*disk, "d/both"), "abc");
  EXPECT_EQ(textOf(*disk, "d/name only"), "") << "the name is there and empty: what broke configurations elsewhere";
  EXPECT_EQ(textOf(*disk, "e/bytes only"), "no file");
}

TEST(MemoryDisk, ARenameOrRemovalThatWasNotSyncedIsUndone) {
  const auto disk = makeMemoryDisk(1);
  replace(*disk, "old").value();
  disk->append("config/new", bytesOf("new")).value();
  disk->sync("config/new").value();
  disk->rename("config/new", "config/table").value();
  EXPECT_EQ(textOf(*disk, "config/table"), "new");
  disk->powerLoss(Unflushed::kGone);
  EXPECT_EQ(textOf(*disk, "config/table"), "old");
  disk->remove("config/table").value();
  disk->powerLoss(Unflushed::kGone);
  EXPECT_EQ(textOf(*disk, "config/table"), "old");
}

TEST(MemoryDisk, TheLastSectorIsTorn) {
  bool torn = false;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto disk = makeMemoryDisk(seed);
    const auto file = disk->map("f", 4096, Fill::kZero).value();
    disk->syncDir("").value();
    std::fill_n(file->data(), 4096, std::byte{'x'});
    disk->powerLoss(Unflushed::kSome);
    const std::string after = textOf(*disk, "f");
    const std::size_t kept = static_cast<std::size_t>(std::ranges::count(after, 'x'));
    EXPECT_EQ(after.find_last_of('x') + 1, kept) << "from the front, without holes; seed " << seed;
    torn = torn || kept % 512 != 0;
  }
  EXPECT_TRUE(torn);
}

TEST(MemoryDisk, TheSameSeedLosesTheSameBytes) {
  const auto run = [](std::uint64_t seed) {
    const auto disk = makeMemoryDisk(seed);
    const auto file = disk->map("f", 1 << 16, Fill::kAnything).value();
    disk->syncDir("").value();
    std::fill_n(file->data(), 1 << 16, std::byte{'x'});
    disk->powerLoss(Unflushed::kSome);
    return textOf(*disk, "f");
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

TEST(MemoryDisk, TheNthOperationFailsOnceAndHasNoEffect) {
  const auto disk = makeMemoryDisk(1);
  disk->failAt(DiskOperation::kRename, 2);
  replace(*disk, "one").value();
  const auto failed = replace(*disk, "two");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::kInternal);
  EXPECT_EQ(failed.error().message(), "rename config/new: input/output error");
  EXPECT_EQ(textOf(*disk, "config/table"), "one");
  replace(*disk, "three").value();
  EXPECT_EQ(textOf(*disk, "config/table"), "three");
}

TEST(MemoryDisk, AFullDiskTakesNoMoreUntilThereIsRoom) {
  const auto disk = makeMemoryDisk(1);
  disk->append("a", bytesOf(std::string(100, 'a'))).value();
  disk->setRoom(50);
  EXPECT_TRUE(disk->append("b", bytesOf(std::string(50, 'b'))));
  EXPECT_EQ(disk->append("b", bytesOf("b")).error().code(), ErrorCode::kQueueFull);
  EXPECT_EQ(disk->map("c", 1, Fill::kZero).error().code(), ErrorCode::kQueueFull);
  disk->remove("a").value();
  EXPECT_TRUE(disk->map("c", 100, Fill::kZero));
  EXPECT_EQ(disk->map("d", 1, Fill::kZero).error().code(), ErrorCode::kQueueFull);
  disk->setRoom(std::nullopt);
  EXPECT_TRUE(disk->map("d", 1 << 20, Fill::kZero));
}

// The way configuration files are replaced, with the machine stopped at each of its operations.
TEST(MemoryDisk, WhateverTheMomentAReplacedFileIsTheOldOneOrTheNew) {
  for (const Unflushed unflushed : {Unflushed::kGone, Unflushed::kSome}) {
    bool all_done = false;
    for (std::uint64_t at = 1; !all_done; ++at) {
      ASSERT_LT(at, 20u);
      const auto disk = makeMemoryDisk(at);
      replace(*disk, "old").value();
      disk->dieAt(at);
      all_done = replace(*disk, "new").has_value();
      disk->powerLoss(unflushed);
      const std::string found = textOf(*disk, "config/table");
      EXPECT_TRUE(found == "old" || found == "new") << found << " after dying at operation " << at;
      if (all_done) {
        EXPECT_EQ(found, "new");
      }
      EXPECT_TRUE(replace(*disk, "newer")) << "it works again";
    }
  }
}

TEST(MemoryDisk, OperationsAreKnownByName) {
  for (std::size_t i = 0; i < kDiskOperations; ++i) {
    const auto operation = static_cast<DiskOperation>(i);
    EXPECT_EQ(diskOperation(toString(operation)), operation);
  }
  EXPECT_FALSE(diskOperation("fsync"));
}

}  // namespace
}  // namespace mqclient::store
