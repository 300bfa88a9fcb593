#include "mock_broker/broker/offset_table.h"

namespace mqclient::broker {

void OffsetTable::commit(std::string_view group, std::string_view topic, std::int32_t queue_id, std::int64_t offset) {
  auto of_group = offsets_.find(group);
  if (of_group == offsets_.end()) of_group = offsets_.try_emplace(std::string(group)).first;
  auto of_topic = of_group->second.find(topic);
  if (of_topic == of_group->second.end()) of_topic = of_group->second.try_emplace(std::string(topic)).first;
  of_topic->second[queue_id] = offset;
}

std::optional<std::int64_t> OffsetTable::find(std::string_view group, std::string_view topic,
                                              std::int32_t queue_id) const {
  const auto of_group = offsets_.find(group);
  if (of_group == offsets_.end()) return std::nullopt;
  const auto of_topic = of_group->second.find(topic);
  if (of_topic == of_group->second.end()) return std::nullopt;
  const auto offset = of_topic->second.find(queue_id);
  return offset == of_topic->second.end() ? std::nullopt : std::optional(offset->second);
}

namespace {
constexpr char kTopicGroupSeparator = '@';
}  // namespace

protocol::ConsumerOffsetSerializeWrapper OffsetTable::toWire() const {
  protocol::ConsumerOffsetSerializeWrapper table;
  for (const auto& [group, topics] : offsets_) {
    for (const auto& [topic, queues] : topics) table.offsetTable.emplace(topic + kTopicGroupSeparator + group, queues);
  }
  return table;
}

void OffsetTable::restore(const protocol::ConsumerOffsetSerializeWrapper& table) {
  for (const auto& [key, queues] : table.offsetTable) {
    const std::size_t at = key.find(kTopicGroupSeparator);
    if (at == std::string::npos) continue;
    for (const auto& [queue, offset] : queues) {
      commit(std::string_view(key).substr(at + 1), std::string_view(key).substr(0, at), queue, offset);
    }
  }
}

}  // namespace mqclient::broker
