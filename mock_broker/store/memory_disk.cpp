#include "mock_broker/store/memory_disk.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "base/mutex.h"
#include "base/random.h"

namespace mqclient::store {
namespace {

/// Blocks of removed files, kept for the next file of the same size: a log that goes round meets no page fault.
class BlockPool {
 public:
  static constexpr std::size_t kSpareBlocks = 2;
  static constexpr std::size_t kReusedFrom = 64u << 10;  ///< smaller blocks are malloc's business

  ~BlockPool() {
    for (std::size_t i = 0; i < count_; ++i) std::free(spare_[i].block);
  }

  std::byte* take(std::size_t size) noexcept {
    base::MutexLock lock(mutex_);
    for (std::size_t i = 0; i < count_; ++i) {
      if (spare_[i].size != size) continue;
      std::byte* block = spare_[i].block;
      spare_[i] = spare_[--count_];
      return block;
    }
    return nullptr;
  }

  void give(std::byte* block, std::size_t size) noexcept {
    {
      base::MutexLock lock(mutex_);
      if (size >= kReusedFrom && count_ < kSpareBlocks) {
        spare_[count_++] = {block, size};
        return;
      }
    }
    std::free(block);
  }

 private:
  struct Spare {
    std::byte* block;
    std::size_t size;
  };
  base::Mutex mutex_;
  std::array<Spare, kSpareBlocks> spare_ MQ_GUARDED_BY(mutex_){};
  std::size_t count_ MQ_GUARDED_BY(mutex_) = 0;
};

constexpr std::size_t kSectorBytes = 512;

constexpr std::string_view kOperationNames[] = {"open", "create", "read",   "write",
                                                "sync", "rename", "remove", "syncdir"};
static_assert(std::size(kOperationNames) == kDiskOperations);

/// What can go wrong, and how often it was asked. Shared with the files, which may outlive the disk.
class Faults {
 public:
  Result<void> pass(DiskOperation operation, const std::string& path) {
    base::MutexLock lock(mutex_);
    ++operations_;
    int& left = to_failure_[static_cast<std::size_t>(operation)];
    const bool strikes = left > 0 && --left == 0;
    if (!strikes && (dies_at_ == 0 || operations_ < dies_at_)) return {};
    return Error(ErrorCode::kInternal, std::string(toString(operation)) + " " + path + ": input/output error");
  }
  void failAt(DiskOperation operation, int nth) {
    base::MutexLock lock(mutex_);
    to_failure_[static_cast<std::size_t>(operation)] = nth;
  }
  void dieAt(std::uint64_t nth) {
    base::MutexLock lock(mutex_);
    dies_at_ = operations_ + nth;
  }
  void heal() {
    base::MutexLock lock(mutex_);
    to_failure_ = {};
    dies_at_ = 0;
  }
  std::uint64_t operations() const {
    base::MutexLock lock(mutex_);
    return operations_;
  }

 private:
  mutable base::Mutex mutex_;
  std::uint64_t operations_ MQ_GUARDED_BY(mutex_) = 0;
  std::uint64_t dies_at_ MQ_GUARDED_BY(mutex_) = 0;  // 0: never
  std::array<int, kDiskOperations> to_failure_ MQ_GUARDED_BY(mutex_){};
};

/// Zeros that cost nothing until they are touched.
std::byte* zeros(std::size_t size) noexcept {
  return static_cast<std::byte*>(std::calloc(size, 1));
}

struct Freed {
  void operator()(std::byte* block) const noexcept { std::free(block); }
};
using Block = std::unique_ptr<std::byte, Freed>;

/// What survives when `cached` was written over `durable` and the power goes: some sectors that differ, from the front,
/// and a piece of the next.
void keepSome(std::span<std::byte> durable, std::span<const std::byte> cached, base::Xoshiro256& chance) {
  std::vector<std::size_t> dirty;  // where sectors that differ begin
  const auto sectorAt = [&](std::size_t at) { return std::min(kSectorBytes, durable.size() - at); };
  for (std::size_t at = 0; at < durable.size(); at += kSectorBytes) {
    if (std::memcmp(durable.data() + at, cached.data() + at, sectorAt(at)) != 0) dirty.push_back(at);
  }
  if (dirty.empty()) return;
  const std::uint64_t kept = chance.below(dirty.size() + 1);
  for (std::size_t i = 0; i < dirty.size() && i <= kept; ++i) {
    const std::size_t whole = sectorAt(dirty[i]);
    const std::size_t bytes = i < kept ? whole : static_cast<std::size_t>(chance.below(whole));
    std::memcpy(durable.data() + dirty[i], cached.data() + dirty[i], bytes);
  }
}

class MemoryFile final : public MappedFile {
 public:
  MemoryFile(std::byte* data, std::size_t size, std::string path, std::shared_ptr<BlockPool> pool,
             std::shared_ptr<Faults> faults) noexcept
      : MappedFile(data, size), path_(std::move(path)), pool_(std::move(pool)), faults_(std::move(faults)) {}
  ~MemoryFile() override { pool_->give(data_, size_); }

  Result<void> reserve(std::size_t, std::size_t) override { return {}; }
  bool resident(std::size_t, std::size_t) const noexcept override { return true; }
  Result<void> flush(std::size_t from, std::size_t to) override {
    if (auto passed = faults_->pass(DiskOperation::kSync, path_); !passed) return passed;
    base::MutexLock lock(mutex_);
    if (!durable_) durable_.reset(zeros(size_));
    if (!durable_) return Error(ErrorCode::kQueueFull, "no memory to flush " + path_);
    std::memcpy(durable_.get() + from, data_ + from, to - from);
    return {};
  }

  /// The file as it is after the power came back. Null: no memory.
  std::shared_ptr<MemoryFile> afterPowerLoss(MemoryDisk::Unflushed unflushed, base::Xoshiro256& chance) const {
    Block bytes(zeros(size_));
    Block durable(zeros(size_));
    if (!bytes || !durable) return nullptr;
    {
      base::MutexLock lock(mutex_);
      if (durable_) std::memcpy(bytes.get(), durable_.get(), size_);
    }
    if (unflushed == MemoryDisk::Unflushed::kSome) keepSome({bytes.get(), size_}, {data_, size_}, chance);
    std::memcpy(durable.get(), bytes.get(), size_);
    auto file = std::make_shared<MemoryFile>(bytes.release(), size_, path_, pool_, faults_);
    base::MutexLock lock(file->mutex_);
    file->durable_ = std::move(durable);
    return file;
  }

 private:
  const std::string path_;
  const std::shared_ptr<BlockPool> pool_;
  const std::shared_ptr<Faults> faults_;
  mutable base::Mutex mutex_;
  Block durable_ MQ_GUARDED_BY(mutex_);  // null: nothing was flushed
};

Error noSuchFile(const std::string& path) {
  return Error(ErrorCode::kUnreachable, "there is no file " + path);
}

/// A file whatever its names are. One of both is used.
struct Inode {
  std::shared_ptr<MemoryFile> mapped;
  std::string bytes;
  std::string durable;  // of `bytes`
  std::size_t size() const noexcept { return mapped ? mapped->size() : bytes.size(); }
};
using Names = std::map<std::string, std::shared_ptr<Inode>>;

std::string_view directoryOf(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

class Disk final : public MemoryDisk {
 public:
  Disk(std::uint64_t seed, Fill fill) : fill_(fill), chance_(seed) {}

  Result<std::shared_ptr<MappedFile>> map(const std::string& path, std::size_t size, Fill fill) override {
    base::MutexLock lock(mutex_);
    if (const auto found = names_.find(path); found != names_.end()) {
      if (auto passed = faults_->pass(DiskOperation::kOpen, path); !passed) return passed.error();
      const std::shared_ptr<MemoryFile>& mapped = found->second->mapped;
      if (mapped && mapped->size() == size) return std::shared_ptr<MappedFile>(mapped);
      return Error(ErrorCode::kInvalidArgument,
                   path + " has " + std::to_string(found->second->size()) + " bytes, expected " + std::to_string(size));
    }
    if (auto passed = faults_->pass(DiskOperation::kCreate, path); !passed) return passed.error();
    if (auto taken = take(size, path); !taken) return taken.error();
    if (fill_ == Fill::kZero) fill = Fill::kZero;
    std::byte* block = fill == Fill::kAnything ? pool_->take(size) : nullptr;
    // Untouched pages cost nothing as long as nobody asks for zeros: calloc clears whatever is not fresh from the
    // kernel, and that was 20 ms for a segment in a process that had freed one before. (Huge pages were tried: the
    // kernel's compaction for them cost three times what the small faults do.)
    if (!block) block = fill == Fill::kZero ? zeros(size) : static_cast<std::byte*>(std::malloc(size));
    if (!block) {
      used_ -= size;
      return Error(ErrorCode::kQueueFull, "no memory for " + std::to_string(size) + " bytes of " + path);
    }
    auto inode = std::make_shared<Inode>();
    inode->mapped = std::make_shared<MemoryFile>(block, size, path, pool_, faults_);
    names_.emplace(path, inode);
    return std::shared_ptr<MappedFile>(inode->mapped);
  }

  Result<std::string> read(const std::string& path) override {
    base::MutexLock lock(mutex_);
    const auto found = names_.find(path);
    if (found == names_.end()) return noSuchFile(path);
    if (auto passed = faults_->pass(DiskOperation::kRead, path); !passed) return passed.error();
    if (const auto& mapped = found->second->mapped) {
      return std::string(reinterpret_cast<const char*>(mapped->data()), mapped->size());
    }
    return found->second->bytes;
  }

  Result<void> append(const std::string& path, std::span<const std::byte> bytes) override {
    base::MutexLock lock(mutex_);
    if (const auto found = names_.find(path); found == names_.end()) {
      if (auto passed = faults_->pass(DiskOperation::kCreate, path); !passed) return passed;
    } else if (found->second->mapped) {
      return Error(ErrorCode::kInvalidArgument, path + " is a mapped file of fixed length");
    }
    auto& inode = names_[path];
    if (!inode) inode = std::make_shared<Inode>();
    if (auto passed = faults_->pass(DiskOperation::kWrite, path); !passed) return passed;
    if (auto taken = take(bytes.size(), path); !taken) return taken;
    inode->bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }

  Result<void> sync(const std::string& path) override {
    base::MutexLock lock(mutex_);
    const auto found = names_.find(path);
    if (found == names_.end()) return noSuchFile(path);
    if (auto passed = faults_->pass(DiskOperation::kSync, path); !passed) return passed;
    found->second->durable = found->second->bytes;
    return {};
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    std::shared_ptr<Inode> replaced;  // its bytes go outside the lock
    base::MutexLock lock(mutex_);
    const auto found = names_.find(from);
    if (found == names_.end()) return noSuchFile(from);
    if (auto passed = faults_->pass(DiskOperation::kRename, from); !passed) return passed;
    std::shared_ptr<Inode> moved = std::move(found->second);
    names_.erase(found);
    replaced = std::exchange(names_[to], std::move(moved));
    if (replaced) used_ -= replaced->size();
    return {};
  }

  Result<void> syncDir(const std::string& path) override {
    Names gone;  // their bytes go outside the lock
    base::MutexLock lock(mutex_);
    if (auto passed = faults_->pass(DiskOperation::kSyncDir, path); !passed) return passed;
    gone = take(durable_names_, path);
    for (auto it = names_.lower_bound(path); it != names_.end() && it->first.starts_with(path); ++it) {
      if (directoryOf(it->first) == path) durable_names_.emplace(it->first, it->second);
    }
    return {};
  }

  Result<std::vector<std::string>> list(const std::string& path) override {
    base::MutexLock lock(mutex_);
    if (auto passed = faults_->pass(DiskOperation::kRead, path); !passed) return passed.error();
    const std::string prefix = path.empty() ? path : path + '/';
    std::vector<std::string> names;
    for (auto it = names_.lower_bound(prefix); it != names_.end() && it->first.starts_with(prefix); ++it) {
      std::string name = it->first.substr(prefix.size());
      name.resize(std::min(name.size(), name.find('/')));
      if (names.empty() || names.back() != name) names.push_back(std::move(name));
    }
    return names;
  }

  Result<void> remove(const std::string& path) override {
    std::shared_ptr<Inode> gone;  // its block is given back outside the lock
    base::MutexLock lock(mutex_);
    const auto found = names_.find(path);
    if (found == names_.end()) return noSuchFile(path);
    if (auto passed = faults_->pass(DiskOperation::kRemove, path); !passed) return passed;
    gone = std::move(found->second);
    used_ -= gone->size();
    names_.erase(found);
    return {};
  }

  base::Nanos flushDelay() const noexcept override { return base::Nanos(flush_delay_.load(std::memory_order_relaxed)); }

  void powerLoss(Unflushed unflushed) override {
    Names before;  // their bytes go outside the lock
    base::MutexLock lock(mutex_);
    faults_->heal();
    Names survivors = durable_names_;
    if (unflushed == Unflushed::kSome) keepSomeNames(survivors);
    before = std::exchange(names_, {});
    durable_names_.clear();
    used_ = 0;
    for (const auto& [path, inode] : survivors) {
      auto after = std::make_shared<Inode>();
      if (inode->mapped) {
        after->mapped = inode->mapped->afterPowerLoss(unflushed, chance_);
        if (!after->mapped) continue;  // no memory: as lost as if it had never been synced
      } else {
        after->bytes = textAfterPowerLoss(*inode, unflushed);
        after->durable = after->bytes;
      }
      used_ += after->size();
      names_.emplace(path, after);
      durable_names_.emplace(path, std::move(after));
    }
  }

  void failAt(DiskOperation operation, int nth) override { faults_->failAt(operation, nth); }
  void dieAt(std::uint64_t nth) override { faults_->dieAt(nth); }
  std::uint64_t operations() const override { return faults_->operations(); }
  void setRoom(std::optional<std::size_t> bytes) override {
    base::MutexLock lock(mutex_);
    limit_ = bytes ? std::optional(used_ + *bytes) : std::nullopt;
  }
  void setFlushDelay(base::Nanos delay) override { flush_delay_.store(delay.count(), std::memory_order_relaxed); }

 private:
  Result<void> take(std::size_t bytes, const std::string& path) MQ_REQUIRES(mutex_) {
    if (limit_ && used_ + bytes > *limit_) {
      return Error(ErrorCode::kQueueFull,
                   "no space left on the disk for " + std::to_string(bytes) + " bytes of " + path);
    }
    used_ += bytes;
    return {};
  }

  /// Moves the names directly below a directory out of `names`.
  static Names take(Names& names, const std::string& directory) {
    Names taken;
    for (auto it = names.lower_bound(directory); it != names.end() && it->first.starts_with(directory);) {
      const auto at = it++;
      if (directoryOf(at->first) == directory) taken.insert(names.extract(at));
    }
    return taken;
  }

  /// Each directory is as it was synced, or as it was last seen.
  void keepSomeNames(Names& survivors) MQ_REQUIRES(mutex_) {
    std::set<std::string> directories;
    for (const Names* all : {&names_, &durable_names_}) {
      for (const auto& [path, inode] : *all) directories.emplace(directoryOf(path));
    }
    for (const std::string& directory : directories) {
      if (chance_.below(2) == 0) continue;
      (void)take(survivors, directory);
      for (const auto& [path, inode] : names_) {
        if (directoryOf(path) == directory) survivors.emplace(path, inode);
      }
    }
  }

  std::string textAfterPowerLoss(const Inode& inode, Unflushed unflushed) MQ_REQUIRES(mutex_) {
    if (unflushed == Unflushed::kGone || inode.bytes.size() <= inode.durable.size()) return inode.durable;
    const std::size_t behind = inode.bytes.size() - inode.durable.size();
    return inode.bytes.substr(0, inode.durable.size() + static_cast<std::size_t>(chance_.below(behind + 1)));
  }

  const Fill fill_;
  const std::shared_ptr<BlockPool> pool_ = std::make_shared<BlockPool>();
  const std::shared_ptr<Faults> faults_ = std::make_shared<Faults>();
  std::atomic<std::int64_t> flush_delay_{0};
  mutable base::Mutex mutex_;
  Names names_ MQ_GUARDED_BY(mutex_);          // as every process sees them
  Names durable_names_ MQ_GUARDED_BY(mutex_);  // as they would be found after a power loss
  std::size_t used_ MQ_GUARDED_BY(mutex_) = 0;
  std::optional<std::size_t> limit_ MQ_GUARDED_BY(mutex_);
  base::Xoshiro256 chance_ MQ_GUARDED_BY(mutex_);
};

}  // namespace

std::string_view toString(DiskOperation operation) noexcept {
  return kOperationNames[static_cast<std::size_t>(operation)];
}

std::optional<DiskOperation> diskOperation(std::string_view name) noexcept {
  const auto* found = std::ranges::find(kOperationNames, name);
  if (found == std::end(kOperationNames)) return std::nullopt;
  return static_cast<DiskOperation>(found - std::begin(kOperationNames));
}

std::shared_ptr<MemoryDisk> makeMemoryDisk(std::uint64_t seed, Fill fill) {
  return std::make_shared<Disk>(seed, fill);
}

std::unique_ptr<FileSystem> makeMemoryFileSystem() {
  return std::make_unique<Disk>(0, Fill::kAnything);
}

std::string fileNameOf(std::int64_t start_offset) {
  constexpr std::size_t kDigits = 20;
  const std::string number = std::to_string(start_offset);
  return std::string(kDigits - std::min(kDigits, number.size()), '0') + number;
}

std::optional<std::int64_t> startOffsetOf(std::string_view file_name) noexcept {
  std::int64_t start = 0;
  const auto [end, error] = std::from_chars(file_name.data(), file_name.data() + file_name.size(), start);
  if (error != std::errc() || end != file_name.data() + file_name.size() || fileNameOf(start) != file_name) {
    return std::nullopt;
  }
  return start;
}

}  // namespace mqclient::store
