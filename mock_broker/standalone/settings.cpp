#include "mock_broker/standalone/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>
#include <variant>

#include "mock_broker/standalone/apache_keys.h"
#include "mock_broker/store/commit_log.h"
#include "protocol/limits.h"
#include "protocol/message_record.h"
#include "protocol/names.h"

namespace mqclient::standalone {
namespace {

constexpr std::int64_t kMillisMax = 86'400'000;
constexpr std::int64_t kMiB = 1 << 20;
/// A frame has 16 MiB; a record adds its properties and names to the body.
constexpr std::int64_t kBodyMax = 15 * kMiB;
constexpr std::int64_t kRecordBeyondBody = kMiB / 4;
constexpr std::int64_t kLogMin = 16 * kMiB;
constexpr std::int64_t kLogMax = std::int64_t{1} << 40;
constexpr std::size_t kNamesrvMax = 16;
constexpr std::string_view kSlave = "SLAVE";

/// "" or what is expected instead.
using Check = std::string (*)(const std::string& value);

std::string wantsName(const std::string& value) {
  if (!protocol::complaintAboutTopic(value)) return {};
  return "a name of 1 to 127 letters, digits, '-', '_', '%' or '|'";
}
std::string wantsIp(const std::string& value) {
  return protocol::RecordHost::parse(addressOf(value, 0)) ? std::string() : "an IP address, as 127.0.0.1";
}
std::string wantsRole(const std::string& value) {
  if (value == "ASYNC_MASTER" || value == "SYNC_MASTER" || value == kSlave) return {};
  return "ASYNC_MASTER, SYNC_MASTER or SLAVE";
}
std::string wantsAddresses(const std::string& value) {
  if (value.empty()) return {};
  const auto addresses = splitNamesrvAddr(value);
  return addresses ? std::string() : addresses.error().message();
}
std::string wantsAnything(const std::string&) {
  return {};
}

struct Number32 {
  std::int32_t& (*of)(Settings&);
  std::int64_t min, max;
};
struct Number64 {
  std::int64_t& (*of)(Settings&);
  std::int64_t min, max;
};
struct Duration {
  base::Millis& (*of)(Settings&);
  std::int64_t min, max;
  std::int64_t unit{1};  ///< milliseconds
};
struct Switch {
  bool& (*of)(Settings&);
};
struct Text {
  std::string& (*of)(Settings&);
  Check check;
};

struct Key {
  std::string_view name;
  std::variant<Number32, Number64, Duration, Switch, Text> field;
};

/// The keys with an effect, in alphabetical order: the one list for reading, printing and documenting them.
const auto kKeys = std::to_array<Key>({
    {"autoCreateSubscriptionGroup", Switch{[](Settings& s) -> bool& { return s.broker.autoCreateSubscriptionGroup; }}},
    {"autoCreateTopicEnable", Switch{[](Settings& s) -> bool& { return s.broker.autoCreateTopicEnable; }}},
    {"bindAddress", Text{[](Settings& s) -> std::string& { return s.bindAddress; }, wantsIp}},
    {"brokerClusterName", Text{[](Settings& s) -> std::string& { return s.broker.brokerClusterName; }, wantsName}},
    {"brokerIP1", Text{[](Settings& s) -> std::string& { return s.brokerIP1; }, wantsIp}},
    {"brokerId", Number64{[](Settings& s) -> std::int64_t& { return s.broker.brokerId; }, 0, INT64_MAX}},
    {"brokerName", Text{[](Settings& s) -> std::string& { return s.broker.brokerName; }, wantsName}},
    {"brokerPermission", Number32{[](Settings& s) -> std::int32_t& { return s.broker.brokerPermission; }, 0, 7}},
    {"brokerRole", Text{[](Settings& s) -> std::string& { return s.brokerRole; }, wantsRole}},
    {"brokerTopicEnable", Switch{[](Settings& s) -> bool& { return s.broker.brokerTopicEnable; }}},
    {"channelExpiredTimeout",
     Duration{[](Settings& s) -> base::Millis& { return s.broker.channelExpiredTimeout; }, 1'000, kMillisMax}},
    {"clusterTopicEnable", Switch{[](Settings& s) -> bool& { return s.broker.clusterTopicEnable; }}},
    {"connectionsMax", Number64{[](Settings& s) -> std::int64_t& { return s.connectionsMax; }, 1, 1'000'000}},
    {"connectionsPerAddressMax",
     Number64{[](Settings& s) -> std::int64_t& { return s.connectionsPerAddressMax; }, 1, 1'000'000}},
    {"defaultTopicQueueNums",
     Number32{[](Settings& s) -> std::int32_t& { return s.broker.defaultTopicQueueNums; }, 1, 1'024}},
    {"listenPort", Number32{[](Settings& s) -> std::int32_t& { return s.listenPort; }, 0, protocol::kPortMax}},
    {"longPollingEnable", Switch{[](Settings& s) -> bool& { return s.broker.longPollingEnable; }}},
    {"maxMessageSize", Number32{[](Settings& s) -> std::int32_t& { return s.broker.maxMessageSize; }, 1, kBodyMax}},
    {"maxTransferBytesOnMessageInMemory",
     Number32{[](Settings& s) -> std::int32_t& { return s.broker.maxTransferBytesOnMessageInMemory; }, 1, kBodyMax}},
    {"maxTransferCountOnMessageInMemory",
     Number32{[](Settings& s) -> std::int32_t& { return s.broker.maxTransferCountOnMessageInMemory; }, 1, 1'024}},
    {"memoryLogBytesMax",
     Number64{[](Settings& s) -> std::int64_t& { return s.broker.memoryLogBytesMax; }, kLogMin, kLogMax}},
    {"namesrvAddr", Text{[](Settings& s) -> std::string& { return s.namesrvAddr; }, wantsAddresses}},
    {"notifyConsumerIdsChangedEnable",
     Switch{[](Settings& s) -> bool& { return s.broker.notifyConsumerIdsChangedEnable; }}},
    {"regionId", Text{[](Settings& s) -> std::string& { return s.broker.regionId; }, wantsAnything}},
    {"registerBrokerTimeoutMills",
     Duration{[](Settings& s) -> base::Millis& { return s.broker.registerBrokerTimeoutMills; }, 1, kMillisMax}},
    {"registerNameServerPeriod",
     Duration{[](Settings& s) -> base::Millis& { return s.broker.registerNameServerPeriod; }, 1'000, 60'000}},
    {"scanNotActiveBrokerInterval",
     Duration{[](Settings& s) -> base::Millis& { return s.scanNotActiveBrokerInterval; }, 100, kMillisMax}},
    {"serverChannelMaxIdleTimeSeconds",
     Duration{[](Settings& s) -> base::Millis& { return s.serverChannelMaxIdleTime; }, 1, 86'400, 1'000}},
    {"shortPollingTimeMills",
     Duration{[](Settings& s) -> base::Millis& { return s.broker.shortPollingTimeMills; }, 0, kMillisMax}},
    {"traceOn", Switch{[](Settings& s) -> bool& { return s.broker.traceOn; }}},
});
// Keys of namesrv.conf; the first two are the nameserver's there.
constexpr std::array<std::string_view, 4> kNamesrvKeys{"bindAddress", "listenPort", "scanNotActiveBrokerInterval",
                                                       "serverChannelMaxIdleTimeSeconds"};
const Key kNamesrvPortKey{"listenPort", Number32{[](Settings& s) -> std::int32_t& { return s.namesrvPort.emplace(); },
                                                 0, protocol::kPortMax}};
const Key kNamesrvBindKey{"bindAddress",
                          Text{[](Settings& s) -> std::string& { return s.namesrvBindAddress; }, wantsIp}};

const Key* findKey(std::string_view name, ConfigFile file) {
  if (file == ConfigFile::kNamesrv) {
    if (name == kNamesrvPortKey.name) return &kNamesrvPortKey;
    if (name == kNamesrvBindKey.name) return &kNamesrvBindKey;
    if (std::ranges::find(kNamesrvKeys, name) == kNamesrvKeys.end()) return nullptr;
  }
  const auto found = std::ranges::find(kKeys, name, &Key::name);
  return found == kKeys.end() ? nullptr : &*found;
}

/// A number in its bounds, or what is expected.
std::string takeNumber(const std::string& text, std::int64_t min, std::int64_t max, std::int64_t& out) {
  const char* const end = text.data() + text.size();
  const auto [stopped, failed] = std::from_chars(text.data(), end, out);
  if (failed == std::errc() && stopped == end && out >= min && out <= max) return {};
  if (max == INT64_MAX) return "a number of at least " + std::to_string(min);
  return "a number from " + std::to_string(min) + " to " + std::to_string(max);
}

bool equalsIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

/// Puts the value into its field; else what is expected.
struct Put {
  Settings& settings;
  const std::string& value;

  std::string operator()(const Number32& n) const {
    std::int64_t number = 0;
    std::string expected = takeNumber(value, n.min, n.max, number);
    if (expected.empty()) n.of(settings) = static_cast<std::int32_t>(number);
    return expected;
  }
  std::string operator()(const Number64& n) const {
    std::int64_t number = 0;
    std::string expected = takeNumber(value, n.min, n.max, number);
    if (expected.empty()) n.of(settings) = number;
    return expected;
  }
  std::string operator()(const Duration& d) const {
    std::int64_t number = 0;
    std::string expected = takeNumber(value, d.min, d.max, number);
    if (expected.empty()) d.of(settings) = base::Millis(number * d.unit);
    return expected;
  }
  std::string operator()(const Switch& s) const {
    const bool yes = equalsIgnoringCase(value, "true");
    if (!yes && !equalsIgnoringCase(value, "false")) return "true or false";
    s.of(settings) = yes;
    return {};
  }
  std::string operator()(const Text& t) const {
    std::string expected = t.check(value);
    if (expected.empty()) t.of(settings) = value;
    return expected;
  }
};

struct Show {
  Settings& settings;

  std::string operator()(const Number32& n) const { return std::to_string(n.of(settings)); }
  std::string operator()(const Number64& n) const { return std::to_string(n.of(settings)); }
  std::string operator()(const Duration& d) const { return std::to_string(d.of(settings).count() / d.unit); }
  std::string operator()(const Switch& s) const { return s.of(settings) ? "true" : "false"; }
  std::string operator()(const Text& t) const { return t.of(settings); }
};

/// Of a value in a properties file: what would end it, and what is not ASCII.
std::string escaped(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' || (i == 0 && value[i] == ' ')) out.push_back('\\');
    out.push_back(value[i]);
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t\r\n\f");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r\n\f") - from + 1);
}

std::string withoutBrackets(std::string_view ip) {
  if (ip.starts_with('[') && ip.ends_with(']')) ip = ip.substr(1, ip.size() - 2);
  return std::string(ip);
}

}  // namespace

void SettingsReader::read(std::span<const Property> properties, ConfigFile file) {
  std::set<std::string_view> told;
  for (const Property& property : properties) {
    if (findKey(property.key, file)) {
      take(property, file);
    } else if (told.insert(property.key).second) {
      unknown(property, file);
    }
  }
}

void SettingsReader::take(const Property& property, ConfigFile file) {
  const std::string value(trimmed(property.value));
  const Key& key = *findKey(property.key, file);
  const std::string expected = std::visit(Put{settings_, value}, key.field);
  if (!expected.empty()) {
    errors_.push_back(property.place + ": " + property.key + "=" + value + ": expected " + expected);
  }
  if (file == ConfigFile::kBroker) places_[property.key] = property.place;
}

void SettingsReader::unknown(const Property& property, ConfigFile file) {
  if (!apacheClassOf(property.key).empty()) {
    warnings_.push_back(property.place + ": " + property.key +
                        " has no effect: " + std::string(whyWithoutEffect(property.key)));
    return;
  }
  std::vector<std::string_view> known = apacheKeys();
  for (const Key& key : kKeys) known.push_back(key.name);
  const std::string_view nearest = nearestOf(property.key, known);
  errors_.push_back(property.place + ": " + property.key + " is no key of " +
                    (file == ConfigFile::kBroker ? "broker.conf" : "namesrv.conf") +
                    " that RocketMQ or mqbroker knows" +
                    (nearest.empty() ? "" : "; was " + std::string(nearest) + " meant?"));
}

std::string SettingsReader::placeOf(std::string_view key) const {
  const auto found = places_.find(key);
  return found == places_.end() ? std::string(key) : found->second + ": " + std::string(key);
}

Settings SettingsReader::finish() {
  Settings& s = settings_;
  // A master's id is 0 whatever is written, as in BrokerStartup.java.
  if (s.brokerRole == kSlave) {
    if (s.broker.brokerId == 0) {
      errors_.push_back(placeOf("brokerRole") + "=SLAVE: expected brokerId=1 or higher beside it");
    }
    warnings_.push_back(placeOf("brokerRole") + "=SLAVE: it is registered as one, but nothing is replicated");
  } else {
    if (s.brokerRole != "ASYNC_MASTER") {
      warnings_.push_back(placeOf("brokerRole") + "=" + s.brokerRole + " has no effect: nothing is replicated");
    }
    if (std::exchange(s.broker.brokerId, 0) != 0) {
      warnings_.push_back(placeOf("brokerId") + " has no effect: a master's is 0 (see brokerRole)");
    }
  }
  if (!s.brokerIP1.empty() && isLoopback(s.bindAddress) && !isLoopback(s.brokerIP1)) {
    warnings_.push_back(placeOf("brokerIP1") + "=" + s.brokerIP1 + " has no effect: mqbroker listens at " +
                        s.bindAddress + " only; bindAddress=0.0.0.0 lets other machines in");
    s.brokerIP1.clear();
  }
  // A record lies in one segment.
  const std::int64_t segment = (s.broker.maxMessageSize + kRecordBeyondBody + kMiB - 1) / kMiB * kMiB;
  s.broker.mappedFileSizeCommitLog =
      static_cast<std::int32_t>(std::max<std::int64_t>(s.broker.mappedFileSizeCommitLog, segment));
  const std::int64_t log_min =
      static_cast<std::int64_t>(store::CommitLog::kSegmentsMin) * s.broker.mappedFileSizeCommitLog;
  if (s.broker.memoryLogBytesMax < log_min) {
    errors_.push_back(placeOf("memoryLogBytesMax") + "=" + std::to_string(s.broker.memoryLogBytesMax) +
                      ": expected at least " + std::to_string(log_min) +
                      " with maxMessageSize=" + std::to_string(s.broker.maxMessageSize));
  }
  return settings_;
}

std::string printed(const Settings& settings) {
  Settings copy = settings;
  std::string text;
  for (const Key& key : kKeys) {
    const std::string value = std::visit(Show{copy}, key.field);
    if (value.empty()) continue;  // brokerIP1, namesrvAddr: not given
    text.append(key.name).append("=").append(escaped(value)).append("\n");
  }
  return text;
}

Result<std::vector<std::string>> splitNamesrvAddr(std::string_view list) {
  const auto expected = [](std::string_view found) {
    return Error(ErrorCode::kInvalidArgument,
                 "addresses as 127.0.0.1:9876, with ';' between two, found '" + std::string(found) + "'");
  };
  std::vector<std::string> addresses;
  for (std::string_view rest = list; !rest.empty();) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    const std::string_view one = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (one.empty()) continue;
    const std::size_t colon = one.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || one.find('/') != std::string_view::npos) return expected(one);
    std::int64_t port = 0;
    const std::string_view host = one.substr(0, colon);
    if (!takeNumber(std::string(one.substr(colon + 1)), 0, protocol::kPortMax, port).empty()) return expected(one);
    if (host.find(':') != std::string_view::npos && !host.starts_with('[')) return expected(one);
    if (port == 0 && !isLoopback(host)) return expected(one);
    if (std::ranges::find(addresses, one) == addresses.end()) addresses.emplace_back(one);
  }
  if (addresses.empty()) return expected(list);
  if (addresses.size() > kNamesrvMax) {
    return Error(ErrorCode::kInvalidArgument, "at most " + std::to_string(kNamesrvMax) + " addresses");
  }
  return addresses;
}

bool isLoopback(std::string_view ip) {
  const std::string plain = withoutBrackets(ip);
  return plain == "localhost" || plain == "::1" ||
         (plain.starts_with("127.") && protocol::RecordHost::parse(plain + ":0").has_value());
}

bool isAnyAddress(std::string_view ip) {
  const std::string plain = withoutBrackets(ip);
  return plain == "0.0.0.0" || plain == "::";
}

std::string addressOf(std::string_view ip, std::int32_t port) {
  return protocol::hostAndPort(withoutBrackets(ip), port);
}

}  // namespace mqclient::standalone
