#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/engine.h"
#include "mock_broker/broker/broker.h"
#include "mock_broker/standalone/properties.h"

namespace mqclient::standalone {

/// What mqbroker runs with: the keys of broker.conf that have an effect here, under their names.
struct Settings {
  std::string bindAddress{"127.0.0.1"};  ///< an IP. Apache: 0.0.0.0; here other machines are let in when told so
  std::string brokerIP1{};               ///< what clients are told; empty: bindAddress, or the host's IP if that is any
  std::int32_t listenPort{10'911};       ///< the broker's; 0: any free one
  std::string namesrvAddr{};             ///< "host:port;host:port"; empty: a nameserver of our own, at namesrvPort
  std::optional<std::int32_t> namesrvPort{};  ///< of our own nameserver, if asked for; 0: any free one
  std::string namesrvBindAddress{};           ///< empty: bindAddress
  std::string brokerRole{"ASYNC_MASTER"};     ///< or SLAVE: registered as one, and nothing is replicated
  base::Millis scanNotActiveBrokerInterval{5'000};
  base::Millis serverChannelMaxIdleTime{120'000};
  std::int64_t connectionsMax{10'000};         ///< ours, of each server
  std::int64_t connectionsPerAddressMax{256};  ///< ours, of each server, by IP
  broker::BrokerOptions broker{};  ///< names, limits and switches; runtime and addresses are set when it starts

  static constexpr std::int32_t kNamesrvPort = 9'876;
};

/// Which file a key stands in: listenPort and bindAddress are the broker's in one and the nameserver's in the other.
enum class ConfigFile { kBroker, kNamesrv };

/// Takes properties in the order of their weight, the weakest first, and says everything that is wrong with them.
class SettingsReader {
 public:
  void read(std::span<const Property> properties, ConfigFile file = ConfigFile::kBroker);
  /// What holds between keys; after the last read().
  Settings finish();

  /// "broker.conf:7: listenPort=x: a number from 0 to 65535 is expected". None: the settings are good.
  const std::vector<std::string>& errors() const noexcept { return errors_; }
  /// One for each key that changes nothing here.
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  void take(const Property& property, ConfigFile file);
  void unknown(const Property& property, ConfigFile file);
  std::string placeOf(std::string_view key) const;

  Settings settings_;
  std::map<std::string, std::string, std::less<>> places_;  // of keys with an effect: where each was last given
  std::vector<std::string> errors_;
  std::vector<std::string> warnings_;
};

/// Every setting that has an effect, as lines "key=value" that SettingsReader reads back.
std::string printed(const Settings& settings);

/// The addresses of a namesrvAddr, blanks removed; kInvalidArgument says what each should be.
Result<std::vector<std::string>> splitNamesrvAddr(std::string_view list);

/// 127.0.0.0/8 or ::1, with or without brackets.
bool isLoopback(std::string_view ip);
/// 0.0.0.0 or ::
bool isAnyAddress(std::string_view ip);
/// "ip:port", an IPv6 one in brackets.
std::string addressOf(std::string_view ip, std::int32_t port);

}  // namespace mqclient::standalone
