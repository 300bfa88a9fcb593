#include "mqclient/message.h"

#include <ostream>

#include "protocol/message_access.h"
#include "protocol/names.h"
#include "protocol/properties.h"

namespace mqclient {
inline namespace v1 {
namespace {

bool isBlank(std::string_view text) noexcept {
  return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

/// For error texts: what a name or value looks like without its control characters.
std::string shown(std::string_view text) {
  constexpr std::size_t kShownMax = 64;
  std::string out;
  for (const char c : text.substr(0, kShownMax)) out += (static_cast<unsigned char>(c) < ' ') ? '?' : c;
  if (text.size() > kShownMax) out += "...";
  return out;
}

void complain(std::string& all, std::string_view one) {
  constexpr std::size_t kComplaintsMax = 4096;  // a loop over bad properties must not grow without bound
  if (all.size() > kComplaintsMax) return;
  if (!all.empty()) all += "; ";
  all += one;
}

}  // namespace

Body::Body(std::string text) {
  auto kept = std::make_shared<const std::string>(std::move(text));
  data_ = reinterpret_cast<const std::byte*>(kept->data());
  size_ = kept->size();
  owner_ = std::move(kept);
}
Body::Body(std::vector<std::byte> data) {
  auto kept = std::make_shared<const std::vector<std::byte>>(std::move(data));
  data_ = kept->data();
  size_ = kept->size();
  owner_ = std::move(kept);
}
Body::Body(std::string_view text) {
  const base::Slice copy = base::Slice::copyOf(text);
  owner_ = copy.owner();
  data_ = copy.data();
  size_ = copy.size();
}
Body::Body(const char* text) : Body(std::string_view(text)) {}

Body Body::share(std::shared_ptr<const void> owner, std::span<const std::byte> bytes) {
  Body body;
  body.owner_ = std::move(owner);
  body.data_ = bytes.data();
  body.size_ = bytes.size();
  return body;
}

std::string MessageQueue::toString() const {
  return "MessageQueue [topic=" + topic_ + ", brokerName=" + broker_name_ + ", queueId=" + std::to_string(queue_id_) +
         "]";
}
std::ostream& operator<<(std::ostream& out, const MessageQueue& queue) {
  return out << queue.toString();
}

Message::Message(std::string topic, Body body) : topic_(std::move(topic)), body_(std::move(body)) {}

void Message::appendKey(std::string& joined, std::string_view key) {
  if (key.empty()) return;
  if (!joined.empty()) joined += ' ';
  joined += key;
}

void Message::setSystemProperty(std::string_view name, std::string_view value) {
  if (!protocol::isPropertyText(value)) {
    complain(complaints_,
             std::string(name) + " '" + shown(value) + "' contains U+0001 or U+0002, which separate properties");
    return;
  }
  if (properties_.empty()) {
    protocol::appendProperty(properties_, name, value);  // the common case, without a search
  } else if (value.empty()) {
    protocol::removeProperty(properties_, name);
  } else {
    protocol::setProperty(properties_, name, value);
  }
}

Message& Message::setTags(std::string tags) & {
  setSystemProperty(protocol::kPropertyTags, tags);
  return *this;
}
Message& Message::setShardingKey(std::string key) & {
  setSystemProperty(protocol::kPropertyShardingKey, key);
  return *this;
}
Message& Message::setMsgId(std::string id) & {
  setSystemProperty(protocol::kPropertyUniqClientMessageIdKeyIdx, id);
  return *this;
}

Message& Message::putUserProperty(std::string name, std::string value) & {
  if (isBlank(name)) {
    complain(complaints_, "a property (value '" + shown(value) + "') has a blank name");
  } else if (!protocol::isPropertyText(name) || !protocol::isPropertyText(value)) {
    complain(complaints_, "property '" + shown(name) + "' contains U+0001 or U+0002, which separate properties");
  } else if (protocol::isReservedProperty(name)) {
    complain(complaints_, "property name '" + name + "' is reserved by RocketMQ: choose another");
  } else if (isBlank(value)) {
    complain(complaints_, "property '" + shown(name) + "' has a blank value, which readers drop");
  } else {
    setSystemProperty(name, value);
  }
  return *this;
}

std::string_view Message::property(std::string_view name) const noexcept {
  return protocol::PropertiesView(properties_).find(name).value_or(std::string_view());
}

const char* toString(SendStatus status) noexcept {
  switch (status) {
    case SendStatus::SEND_OK:
      return "SEND_OK";
    case SendStatus::FLUSH_DISK_TIMEOUT:
      return "FLUSH_DISK_TIMEOUT";
    case SendStatus::FLUSH_SLAVE_TIMEOUT:
      return "FLUSH_SLAVE_TIMEOUT";
    case SendStatus::SLAVE_NOT_AVAILABLE:
      return "SLAVE_NOT_AVAILABLE";
  }
  return "UNKNOWN";
}

namespace detail {

Message MessageAccess::make(std::string topic, Body body, std::string properties) {
  Message message(std::move(topic), std::move(body));
  message.properties_ = std::move(properties);
  return message;
}

}  // namespace detail
}  // namespace v1
}  // namespace mqclient
