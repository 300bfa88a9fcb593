#include "protocol/body/topic_config.h"

#include <algorithm>

#include "base/buffer.h"
#include "protocol/body/json_fields.h"
#include "protocol/body/register_broker.h"
#include "protocol/compression.h"
#include "protocol/header_codec.h"

namespace mqclient::protocol {

std::string DataVersion::encode() const {
  return json::encode(*this);
}
Result<DataVersion> DataVersion::decode(std::string_view text) {
  return json::decode<DataVersion>(text, "DataVersion");
}

std::string TopicConfig::encode() const {
  return json::encode(*this);
}
Result<TopicConfig> TopicConfig::decode(std::string_view text) {
  return json::decode<TopicConfig>(text, "TopicConfig");
}

std::string TopicConfigSerializeWrapper::encode() const {
  return json::encode(*this);
}
Result<TopicConfigSerializeWrapper> TopicConfigSerializeWrapper::decode(std::string_view text) {
  return json::decode<TopicConfigSerializeWrapper>(text, "TopicConfigSerializeWrapper");
}

std::string SubscriptionGroupConfig::encode() const {
  return json::encode(*this);
}
Result<SubscriptionGroupConfig> SubscriptionGroupConfig::decode(std::string_view text) {
  return json::decode<SubscriptionGroupConfig>(text, "SubscriptionGroupConfig");
}

std::string SubscriptionGroupWrapper::encode() const {
  return json::encode(*this);
}
Result<SubscriptionGroupWrapper> SubscriptionGroupWrapper::decode(std::string_view text) {
  return json::decode<SubscriptionGroupWrapper>(text, "SubscriptionGroupWrapper");
}

std::string KVTable::encode() const {
  return json::encode(*this);
}
Result<KVTable> KVTable::decode(std::string_view text) {
  return json::decode<KVTable>(text, "KVTable");
}

std::string RegisterBrokerBody::encode() const {
  return json::encode(*this);
}
Result<RegisterBrokerBody> RegisterBrokerBody::decode(std::string_view text) {
  return json::decode<RegisterBrokerBody>(text, "RegisterBrokerBody");
}

namespace {

/// Length-prefixed texts of the compressed form.
class Sections {
 public:
  explicit Sections(std::string_view bytes) noexcept : rest_(bytes) {}

  std::optional<std::int32_t> number() noexcept {
    if (rest_.size() < 4) return std::nullopt;
    const auto n = static_cast<std::int32_t>(base::getBe32(rest_.data()));
    rest_.remove_prefix(4);
    if (n < 0) return std::nullopt;
    return n;
  }
  std::optional<std::string_view> text() noexcept {
    const auto size = number();
    if (!size || static_cast<std::size_t>(*size) > rest_.size()) return std::nullopt;
    const std::string_view found = rest_.substr(0, static_cast<std::size_t>(*size));
    rest_.remove_prefix(found.size());
    return found;
  }

 private:
  std::string_view rest_;
};

/// `name read write perm filterType attributesJson`, the last from 5.x on.
std::optional<TopicConfig> topicOfLine(std::string_view line) {
  TopicConfig topic;
  constexpr std::size_t kFields = 5;
  std::array<std::string_view, kFields> part;
  for (std::string_view& p : part) {
    const std::size_t blank = line.find(' ');
    p = line.substr(0, blank);
    line = blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
  }
  topic.topicName = part[0];
  topic.topicFilterType = part[4];
  if (topic.topicName.empty() || topic.topicFilterType.empty() || !detail::parseValue(part[1], topic.readQueueNums) ||
      !detail::parseValue(part[2], topic.writeQueueNums) || !detail::parseValue(part[3], topic.perm)) {
    return std::nullopt;
  }
  if (!line.empty()) {
    JsonReader from(line);
    if (!json::read(from, topic.attributes) || !from.atEnd()) return std::nullopt;
  }
  return topic;
}

}  // namespace

Result<RegisterBrokerBody> RegisterBrokerBody::decodeCompressed(std::string_view zlib, int sender_version,
                                                                std::size_t max_size) {
  const auto corrupt = [](std::string_view what) {
    return Error(ErrorCode::kCorrupt, "compressed RegisterBrokerBody: " + std::string(what));
  };
  auto inflated = inflateZlib(std::as_bytes(std::span(zlib)), max_size);
  if (!inflated) return std::move(inflated).error();
  Sections from(inflated->text());
  RegisterBrokerBody body;
  TopicConfigSerializeWrapper& wrapper = body.topicConfigSerializeWrapper;

  const auto version_text = from.text();
  if (!version_text) return corrupt("no data version");
  auto data_version = DataVersion::decode(*version_text);
  if (!data_version) return std::move(data_version).error();
  wrapper.dataVersion = *data_version;

  const auto topics = from.number();
  if (!topics) return corrupt("no topic count");
  for (std::int32_t i = 0; i < *topics; ++i) {
    const auto line = from.text();
    if (!line) return corrupt("fewer topics than it says");
    auto topic = topicOfLine(*line);
    if (!topic) return corrupt("a topic line that cannot be read");
    std::string name = topic->topicName;
    wrapper.topicConfigTable.insert_or_assign(std::move(name), *std::move(topic));
  }

  const auto filters = from.text();
  if (!filters) return corrupt("no filter server list");
  JsonReader list(*filters);
  if (!json::read(list, body.filterServerList) || !list.atEnd()) return list.error("filterServerList");

  if (sender_version < version::V5_0_0) return body;
  const auto mappings = from.number();
  if (!mappings) return corrupt("no mapping count");
  struct Mapping {
    std::string topic{};
    static constexpr auto fields() { return std::tuple{may("topic", &Mapping::topic)}; }
  };
  for (std::int32_t i = 0; i < *mappings; ++i) {
    const auto text = from.text();
    if (!text) return corrupt("fewer mappings than it says");
    auto mapping = json::decode<Mapping>(*text, "TopicQueueMappingInfo");
    if (!mapping) return std::move(mapping).error();
    wrapper.topicQueueMappingInfoMap.insert_or_assign(mapping->topic, RawJson{std::string(*text)});
  }
  return body;
}

}  // namespace mqclient::protocol
