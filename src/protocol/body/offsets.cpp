#include "protocol/body/offsets.h"

#include "protocol/body/json_fields.h"

namespace mqclient::protocol {

namespace {
/// An element of the array shape.
struct OffsetRow {
  std::string topic{};
  std::string brokerName{};
  std::int32_t queueId{};
  std::int64_t offset{};

  static constexpr auto fields() {
    using H = OffsetRow;
    return std::tuple{may("brokerName", &H::brokerName), may("offset", &H::offset), may("queueId", &H::queueId),
                      may("topic", &H::topic)};
  }
};
struct OffsetRows {
  std::vector<OffsetRow> offsetTable{};

  static constexpr auto fields() { return std::tuple{may("offsetTable", &OffsetRows::offsetTable)}; }
};
}  // namespace

std::string ResetOffsetBody::encode(ResetOffsetShape shape) const {
  if (shape == ResetOffsetShape::kObjectKeys) return json::encode(*this);
  OffsetRows rows;
  for (const auto& [queue, offset] : offsetTable) {
    rows.offsetTable.push_back({queue.topic, queue.brokerName, queue.queueId, offset});
  }
  return json::encode(rows);
}

Result<ResetOffsetBody> ResetOffsetBody::decode(std::string_view text) {
  JsonReader from(text);
  ResetOffsetBody body;
  const bool read = from.object([&](const JsonReader::Key& key) {
    if (key.is_object || key.text != "offsetTable") return from.skip();
    if (from.peek() != JsonReader::Kind::kArray) return json::read(from, body.offsetTable);
    std::vector<OffsetRow> rows;
    if (!json::read(from, rows)) return false;
    body.offsetTable.clear();
    for (OffsetRow& row : rows) {
      body.offsetTable[{std::move(row.topic), std::move(row.brokerName), row.queueId}] = row.offset;
    }
    return true;
  });
  if (!read || !from.atEnd()) return from.error("ResetOffsetBody");
  return body;
}

std::string GetConsumerStatusBody::encode() const {
  return json::encode(*this);
}
Result<GetConsumerStatusBody> GetConsumerStatusBody::decode(std::string_view text) {
  return json::decode<GetConsumerStatusBody>(text, "GetConsumerStatusBody");
}

std::string ConsumerOffsetSerializeWrapper::encode() const {
  return json::encode(*this);
}
Result<ConsumerOffsetSerializeWrapper> ConsumerOffsetSerializeWrapper::decode(std::string_view text) {
  return json::decode<ConsumerOffsetSerializeWrapper>(text, "ConsumerOffsetSerializeWrapper");
}

}  // namespace mqclient::protocol
