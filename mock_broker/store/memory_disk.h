#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "mock_broker/store/file_system.h"

namespace mqclient::store {

/// What a store asks of a disk, as far as it can be made to fail.
enum class DiskOperation { kOpen, kCreate, kRead, kWrite, kSync, kRename, kRemove, kSyncDir };
inline constexpr std::size_t kDiskOperations = 8;
/// "open", "create", "read", "write", "sync", "rename", "remove", "syncdir".
std::optional<DiskOperation> diskOperation(std::string_view name) noexcept;
std::string_view toString(DiskOperation operation) noexcept;

/// A file system on the heap that knows what would be on the device by now: bytes that were flushed, and names whose
/// directory was synced. It fills up, fails and loses power when it is told to.
///
/// Model    Bytes written are in the page cache: the death of a process loses none of them. powerLoss() takes what was
///          not flushed. Flushing goes by bytes; the device writes sectors of 512. Names are durable once syncDir() has
///          seen them; directories always are. What a file takes is its whole length, from its creation on.
/// Chance   every choice is drawn from the seed: the same calls end in the same bytes.
/// Threads  any. powerLoss() only when nobody uses the file system: mapped files of before keep their bytes for who
///          still holds them, and nothing written there is seen again.
class MemoryDisk : public FileSystem {
 public:
  /// What remains of bytes and names that were on their way. kGone: nothing, the worst case of a lazy device. kSome: of
  /// each file the first sectors written since its flush, drawn by the seed, and the one after them torn; of each
  /// directory all its names or none.
  enum class Unflushed { kGone, kSome };
  virtual void powerLoss(Unflushed unflushed) = 0;

  /// The `nth` (from 1) such operation from now on fails once, with kInternal.
  virtual void failAt(DiskOperation operation, int nth) = 0;
  /// The `nth` (from 1) operation of any kind from now on and all behind it fail, until powerLoss(): the moment the
  /// machine stopped, seen from inside.
  virtual void dieAt(std::uint64_t nth) = 0;
  /// Operations of any kind so far.
  virtual std::uint64_t operations() const = 0;
  /// So many bytes more fit; nothing: as much as there is memory.
  virtual void setRoom(std::optional<std::size_t> bytes) = 0;
  virtual void setFlushDelay(base::Nanos delay) = 0;
};

/// kZero: new files hold zeros whatever was asked for, so that nothing depends on what the process had freed before.
/// kAnything is quicker, where nobody looks at a disk after a power loss that kept some.
std::shared_ptr<MemoryDisk> makeMemoryDisk(std::uint64_t seed, Fill fill = Fill::kZero);

}  // namespace mqclient::store
