#include "protocol/batch.h"

#include <cassert>
#include <cstring>
#include <string>

namespace mqclient::protocol {

namespace {
constexpr std::size_t kFlagAt = 12;
constexpr std::size_t kBodyAt = 20;

Error corruptElement(std::size_t index, std::string what) {
  return Error(ErrorCode::kCorrupt, "message " + std::to_string(index) + " of the batch: " + std::move(what));
}
}  // namespace

std::byte* encodeBatchElement(std::byte* to, const BatchElement& e) noexcept {
  assert(e.properties.size() <= kMaxPropertiesSize);
  base::putBe32(to, static_cast<std::uint32_t>(batchElementSize(e)));
  base::putBe32(to + 4, 0);  // magic
  base::putBe32(to + 8, 0);  // CRC: the broker computes its own
  base::putBe32(to + kFlagAt, static_cast<std::uint32_t>(e.flag));
  base::putBe32(to + 16, static_cast<std::uint32_t>(e.body.size()));
  to += kBodyAt;
  if (!e.body.empty()) std::memcpy(to, e.body.data(), e.body.size());
  to += e.body.size();
  base::putBe16(to, static_cast<std::uint16_t>(e.properties.size()));
  to += 2;
  if (!e.properties.empty()) std::memcpy(to, e.properties.data(), e.properties.size());
  return to + e.properties.size();
}

base::Slice encodeBatch(std::span<const BatchElement> elements) {
  std::size_t size = 0;
  for (const BatchElement& e : elements) size += batchElementSize(e);
  if (size == 0) return {};
  base::BlockWriter block(size);
  std::byte* at = block.data();
  for (const BatchElement& e : elements) at = encodeBatchElement(at, e);
  return std::move(block).freeze(size);
}

std::optional<Result<BatchElement>> BatchIterator::next() {
  if (rest_.empty()) return std::nullopt;
  const std::size_t index = seen_++;
  const auto stop = [&](std::string what) -> Result<BatchElement> {
    rest_ = {};
    return corruptElement(index, std::move(what));
  };
  if (left_ == 0) return stop("the batch has more than " + std::to_string(index) + " messages");
  --left_;
  if (rest_.size() < kBatchElementOverhead) return stop("cut short");
  const auto total = static_cast<std::int32_t>(base::getBe32(rest_.data()));
  if (total < static_cast<std::int32_t>(kBatchElementOverhead) || static_cast<std::size_t>(total) > rest_.size()) {
    return stop("it claims " + std::to_string(total) + " bytes, " + std::to_string(rest_.size()) + " are left");
  }
  const std::span<const std::byte> mine = rest_.first(static_cast<std::size_t>(total));
  const auto body_size = static_cast<std::int32_t>(base::getBe32(mine.data() + 16));
  if (body_size < 0 || static_cast<std::size_t>(body_size) > mine.size() - kBatchElementOverhead) {
    return stop("a body length of " + std::to_string(body_size) + " in " + std::to_string(total) + " bytes");
  }
  BatchElement e;
  e.flag = static_cast<std::int32_t>(base::getBe32(mine.data() + kFlagAt));
  e.body = mine.subspan(kBodyAt, static_cast<std::size_t>(body_size));
  const std::span<const std::byte> tail = mine.subspan(kBodyAt + e.body.size());
  const auto properties_size = static_cast<std::int16_t>(base::getBe16(tail.data()));
  if (properties_size < 0 || static_cast<std::size_t>(properties_size) != tail.size() - 2) {
    return stop("a properties length of " + std::to_string(properties_size) + ", " + std::to_string(tail.size() - 2) +
                " bytes are there");
  }
  e.properties = {reinterpret_cast<const char*>(tail.data()) + 2, static_cast<std::size_t>(properties_size)};
  rest_ = rest_.subspan(mine.size());
  return Result<BatchElement>(e);
}

}  // namespace mqclient::protocol
