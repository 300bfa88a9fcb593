#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mock_broker/store/file_system.h"

namespace mqclient::store {

/// Names in a directory that are start offsets, ascending.
Result<std::vector<std::int64_t>> startOffsetsIn(FileSystem& files, const std::string& directory);

/// Zeros in [from, end of file) and, if there was anything else, made durable: bytes of lost records must not come back
/// behind later ones. Pages that nobody touched stay so.
Result<void> clearFrom(MappedFile& file, std::size_t from);

}  // namespace mqclient::store
