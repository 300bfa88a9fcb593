#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <utility>

#include "base/mutex.h"
#include "mock_broker/store/file_system.h"

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

class MemoryFile final : public MappedFile {
 public:
  MemoryFile(std::byte* data, std::size_t size, std::shared_ptr<BlockPool> pool) noexcept
      : MappedFile(data, size), pool_(std::move(pool)) {}
  ~MemoryFile() override { pool_->give(data_, size_); }

  Result<void> reserve(std::size_t, std::size_t) override { return {}; }
  bool resident(std::size_t, std::size_t) const noexcept override { return true; }
  Result<void> flush(std::size_t, std::size_t) override { return {}; }

 private:
  std::shared_ptr<BlockPool> pool_;
};

Error noSuchFile(const std::string& path) {
  return Error(ErrorCode::kUnreachable, "there is no file " + path);
}

class MemoryFileSystem final : public FileSystem {
 public:
  Result<std::shared_ptr<MappedFile>> map(const std::string& path, std::size_t size, Fill fill) override {
    base::MutexLock lock(mutex_);
    auto& file = files_[path];
    if (file.mapped) {
      if (file.mapped->size() == size) return file.mapped;
      return Error(ErrorCode::kInvalidArgument,
                   path + " has " + std::to_string(file.mapped->size()) + " bytes, expected " + std::to_string(size));
    }
    std::byte* block = fill == Fill::kAnything ? pool_->take(size) : nullptr;
    // Untouched pages cost nothing as long as nobody asks for zeros: calloc clears whatever is not fresh from the
    // kernel, and that was 20 ms for a segment in a process that had freed one before. (Huge pages were tried: the
    // kernel's compaction for them cost three times what the small faults do.)
    if (!block) block = static_cast<std::byte*>(fill == Fill::kZero ? std::calloc(size, 1) : std::malloc(size));
    if (!block) {
      files_.erase(path);
      return Error(ErrorCode::kQueueFull, "no memory for " + std::to_string(size) + " bytes of " + path);
    }
    file.mapped = std::make_shared<MemoryFile>(block, size, pool_);
    return file.mapped;
  }

  Result<std::string> read(const std::string& path) override {
    base::MutexLock lock(mutex_);
    const auto found = files_.find(path);
    if (found == files_.end()) return noSuchFile(path);
    if (const auto& mapped = found->second.mapped) {
      return std::string(reinterpret_cast<const char*>(mapped->data()), mapped->size());
    }
    return found->second.bytes;
  }

  Result<void> append(const std::string& path, std::span<const std::byte> bytes) override {
    base::MutexLock lock(mutex_);
    auto& file = files_[path];
    if (file.mapped) return Error(ErrorCode::kInvalidArgument, path + " is a mapped file of fixed length");
    file.bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    base::MutexLock lock(mutex_);
    const auto found = files_.find(from);
    if (found == files_.end()) return noSuchFile(from);
    File file = std::move(found->second);
    files_.erase(found);
    files_[to] = std::move(file);
    return {};
  }

  Result<void> syncDir(const std::string&) override { return {}; }

  Result<std::vector<std::string>> list(const std::string& path) override {
    base::MutexLock lock(mutex_);
    const std::string prefix = path.empty() ? path : path + '/';
    std::vector<std::string> names;
    for (auto it = files_.lower_bound(prefix); it != files_.end() && it->first.starts_with(prefix); ++it) {
      std::string name = it->first.substr(prefix.size());
      name.resize(std::min(name.size(), name.find('/')));
      if (names.empty() || names.back() != name) names.push_back(std::move(name));
    }
    return names;
  }

  Result<void> remove(const std::string& path) override {
    File gone;  // its block is given back outside the lock
    base::MutexLock lock(mutex_);
    const auto found = files_.find(path);
    if (found == files_.end()) return noSuchFile(path);
    gone = std::move(found->second);
    files_.erase(found);
    return {};
  }

 private:
  struct File {
    std::shared_ptr<MappedFile> mapped;
    std::string bytes;
  };
  std::shared_ptr<BlockPool> pool_ = std::make_shared<BlockPool>();
  base::Mutex mutex_;
  std::map<std::string, File> files_ MQ_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<FileSystem> makeMemoryFileSystem() {
  return std::make_unique<MemoryFileSystem>();
}

std::string fileNameOf(std::int64_t start_offset) {
  constexpr std::size_t kDigits = 20;
  const std::string number = std::to_string(start_offset);
  return std::string(kDigits - std::min(kDigits, number.size()), '0') + number;
}

}  // namespace mqclient::store
