#include "base/buffer.h"

#include <cstring>

#include "base/block_pool.h"

namespace mqclient::base {

namespace {
std::shared_ptr<std::byte[]> allocate(std::size_t bytes) {
  return std::allocate_shared_for_overwrite<std::byte[]>(PoolAllocator<std::byte>(), bytes);
}
}  // namespace

Slice Slice::copyOf(std::string_view text) {
  if (text.empty()) return {};
  auto block = allocate(text.size());
  std::memcpy(block.get(), text.data(), text.size());
  const std::byte* data = block.get();
  return Slice(std::move(block), data, text.size());
}

Slice Slice::of(std::string&& text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  const char* data = owner->data();
  const std::size_t size = owner->size();
  return Slice(std::move(owner), data, size);
}

Slice Chain::flatten() const& {
  if (count_ == 0) return {};
  if (count_ == 1) return (*this)[0];
  auto block = allocate(bytes_);
  std::byte* to = block.get();
  for (std::size_t i = 0; i < count_; ++i) {
    std::memcpy(to, (*this)[i].data(), (*this)[i].size());
    to += (*this)[i].size();
  }
  const std::byte* data = block.get();
  return Slice(std::move(block), data, bytes_);
}

void Chain::dropSlices() noexcept {
  if (count_ > 1) {
    inside_.slices[1].~Slice();
    more_.reset();
  }
  inside_.slices[0].~Slice();
  count_ = bytes_ = 0;
}

Slice Chain::takeFrontOfMore() noexcept {
  Slice front = std::exchange(inside_.slices[0], std::move(inside_.slices[1]));
  bytes_ -= front.size();
  --count_;
  if (count_ >= kInside) {
    inside_.slices[1] = std::move(more_->front());
    more_->erase(more_->begin());
    if (more_->empty()) more_.reset();
  } else {
    inside_.slices[count_].~Slice();
  }
  return front;
}

std::string Chain::toString() const {
  std::string out;
  out.reserve(bytes_);
  for (std::size_t i = 0; i < count_; ++i) out.append((*this)[i].text());
  return out;
}

BlockWriter::BlockWriter(std::size_t capacity) : block_(allocate(capacity)), data_(block_.get()), capacity_(capacity) {}

Slice BlockWriter::freeze(std::size_t size) && {
  std::byte* data = std::exchange(data_, nullptr);
  capacity_ = 0;
  return Slice(std::move(block_), data, size);
}

}  // namespace mqclient::base
