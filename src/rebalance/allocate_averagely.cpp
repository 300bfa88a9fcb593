#include "rebalance/allocate_averagely.h"

#include <algorithm>

#include "mqclient/allocate_message_queue_strategy.h"

namespace mqclient::rebalance {
namespace {

constexpr std::uint64_t kFnvOffset = 14695981039346656037ULL;
constexpr std::uint64_t kFnvPrime = 1099511628211ULL;

std::uint64_t addByte(std::uint64_t h, unsigned char c) noexcept {
  return (h ^ c) * kFnvPrime;
}
std::uint64_t addText(std::uint64_t h, std::string_view text) noexcept {
  for (const char c : text) h = addByte(h, static_cast<unsigned char>(c));
  return addByte(h, '\n');
}

}  // namespace

std::vector<MessageQueue> allocateAveragely(std::span<const MessageQueue> queues, std::span<const std::string> members,
                                            std::string_view self) {
  const auto me = std::find(members.begin(), members.end(), self);
  if (me == members.end()) return {};
  const auto index = static_cast<std::size_t>(me - members.begin());
  const std::size_t each = queues.size() / members.size();
  const std::size_t with_one_more = queues.size() % members.size();
  const std::size_t first = index * each + std::min(index, with_one_more);
  const std::size_t count = each + (index < with_one_more ? 1 : 0);
  const auto mine = queues.subspan(first, count);
  return {mine.begin(), mine.end()};
}

std::uint64_t hashOf(std::span<const std::string> members) noexcept {
  std::uint64_t h = kFnvOffset;
  for (const std::string& member : members) h = addText(h, member);
  return h;
}

std::uint64_t hashOf(std::span<const MessageQueue> queues) noexcept {
  std::uint64_t h = kFnvOffset;
  for (const MessageQueue& queue : queues) {
    h = addText(addText(h, queue.topic()), queue.brokerName());
    auto id = static_cast<std::uint32_t>(queue.queueId());
    for (std::size_t i = 0; i < sizeof id; ++i, id >>= 8) h = addByte(h, static_cast<unsigned char>(id & 0xff));
  }
  return h;
}

}  // namespace mqclient::rebalance

namespace mqclient {
inline namespace v1 {

std::string AllocateMessageQueueAveragely::name() const {
  return "AVG";
}

std::vector<MessageQueue> AllocateMessageQueueAveragely::allocate(std::string_view /*consumerGroup*/,
                                                                  std::string_view self, Queues queues,
                                                                  std::span<const std::string> members) const {
  return rebalance::allocateAveragely(queues, members, self);
}

}  // namespace v1
}  // namespace mqclient
