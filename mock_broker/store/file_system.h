#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/engine.h"
#include "mqclient/error.h"

namespace mqclient::store {

/// A file of fixed length whose bytes lie at one address. Shares keep the bytes alive, also after remove().
///
/// Threads  who writes which bytes is the owner's business (the log strand, once); the rest from any thread.
class MappedFile {
 public:
  virtual ~MappedFile() = default;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

  /// After this, writing [from, to) meets neither a full disk nor a slow first touch. kQueueFull: no room.
  virtual Result<void> reserve(std::size_t from, std::size_t to) = 0;
  /// Whether reading [from, to) can wait for a device.
  virtual bool resident(std::size_t from, std::size_t to) const noexcept = 0;
  /// Makes [from, to) durable; blocks.
  virtual Result<void> flush(std::size_t from, std::size_t to) = 0;

 protected:
  MappedFile(std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}
  std::byte* data_;
  std::size_t size_;
};

/// What a new mapped file holds. kAnything lets a memory file reuse a block without clearing it: right where nobody
/// reads what was not written, as in the CommitLog.
enum class Fill { kZero, kAnything };

/// The seam to disks: everything the store does with files, and nothing else. Paths are relative to the store's root,
/// separated by '/', and never contain "..".
///
/// Errors   kQueueFull: no room; kUnreachable: there is no such file; kInternal: anything the device says.
/// Threads  any. Calls may block unless the implementation is memory.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// Opens the file at `path` or makes it with exactly `size` bytes. kInvalidArgument: it has another length.
  virtual Result<std::shared_ptr<MappedFile>> map(const std::string& path, std::size_t size, Fill fill) = 0;
  /// All bytes of a small file.
  virtual Result<std::string> read(const std::string& path) = 0;
  /// Adds bytes to the end of a file, making it when missing.
  virtual Result<void> append(const std::string& path, std::span<const std::byte> bytes) = 0;
  /// Makes the bytes of a file that is not mapped durable; blocks.
  virtual Result<void> sync(const std::string& path) = 0;
  /// Replaces `to` if it exists; whoever looks sees the old file or the new one.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  /// Makes names made, renamed and removed in this directory durable; blocks.
  virtual Result<void> syncDir(const std::string& path) = 0;
  /// Names directly below a directory, ascending; none when there is no such directory.
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  /// The name goes at once, the bytes with their last share.
  virtual Result<void> remove(const std::string& path) = 0;
  /// What a flush takes besides the call itself: who flushes waits it out on its engine first. A device answers 0, its
  /// calls block as long as they need.
  virtual base::Nanos flushDelay() const noexcept { return {}; }
};

/// Files on the heap that never fail, as long as nobody breaks their disk (memory_disk.h). Large files cost what was
/// touched of them; the block of a removed one serves the next of its size.
std::unique_ptr<FileSystem> makeMemoryFileSystem();

/// "00000000000000000000": a file's name is its start offset inside its queue (store layout of Apache RocketMQ).
std::string fileNameOf(std::int64_t start_offset);
/// Its inverse; nothing: the name is none of ours.
std::optional<std::int64_t> startOffsetOf(std::string_view file_name) noexcept;

}  // namespace mqclient::store
