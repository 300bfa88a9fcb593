#include "mock_broker/standalone/command_line.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <system_error>
#include <utility>

#include "mock_broker/standalone/apache_keys.h"
#include "mock_broker/standalone/settings.h"
#include "protocol/limits.h"

namespace mqclient::standalone {
namespace {

enum class Option {
  kConfig,
  kNamesrvConfig,
  kNamesrvAddr,
  kListenPort,
  kNamesrvPort,
  kConf,
  kLog,
  kControlTokenFile,
  kControlPort,
  kPrint,
  kHelp,
  kVersion
};
struct Named {
  std::string_view name;
  Option what;
  bool takes_value{true};
};
// Apache's mqbroker has -c --configFile, -n --namesrvAddr, -p --printConfigItem and -h.
constexpr std::array kSwitches{
    Named{"-c", Option::kConfig},
    Named{"--config", Option::kConfig},
    Named{"--configFile", Option::kConfig},
    Named{"--namesrv-config", Option::kNamesrvConfig},
    Named{"-n", Option::kNamesrvAddr},
    Named{"--namesrvAddr", Option::kNamesrvAddr},
    Named{"--listen-port", Option::kListenPort},
    Named{"--namesrv-port", Option::kNamesrvPort},
    Named{"--conf", Option::kConf},
    Named{"--log", Option::kLog},
    Named{"--test-control-token-file", Option::kControlTokenFile},
    Named{"--test-control-port", Option::kControlPort},
    Named{"-p", Option::kPrint, false},
    Named{"--print-config", Option::kPrint, false},
    Named{"--printConfigItem", Option::kPrint, false},
    Named{"-h", Option::kHelp, false},
    Named{"--help", Option::kHelp, false},
    Named{"--version", Option::kVersion, false},
};

constexpr std::array<std::pair<std::string_view, LogLevel>, 4> kLevels{
    {{"error", LogLevel::kError}, {"warn", LogLevel::kWarn}, {"info", LogLevel::kInfo}, {"debug", LogLevel::kDebug}}};

constexpr std::string_view kHelp = R"(usage: mqbroker [-c broker.conf] [switches]

A RocketMQ nameserver and a broker in one program, for this machine. Clients in any language find it at the address
that is the first line of its standard output, printed once the broker can be found there. Messages are kept in memory
and end with it.

  -c, --config FILE          broker.conf of Apache RocketMQ; keys without effect here cost a warning, unknown ones are
                             refused. See docs/mqbroker.md
      --conf KEY=VALUE       one line of that file, above it; may be repeated
      --listen-port PORT     the broker's (10911); 0: any free one
      --namesrv-port PORT    the nameserver's (9876); 0: any free one
  -n, --namesrvAddr LIST     register with these nameservers, HOST:PORT;HOST:PORT. Without --namesrv-port a nameserver
                             starts only where an address of this machine has none
      --namesrv-config FILE  namesrv.conf: port and address of the nameserver
      --log LEVEL            on standard error: error, warn (as it is), info or debug
      --test-control-token-file FILE
                             faults and inspection as JSON over HTTP on 127.0.0.1, for tests in any language, with the
                             token in FILE; the second line of standard output says where. See docs/mqbroker.md
      --test-control-port PORT
                             where that listens; 0, as it is: any free one
  -p, --print-config         the settings in effect, as a broker.conf; nothing starts
  -h, --help                 this text
      --version

Both listen at 127.0.0.1 unless bindAddress says otherwise. SIGTERM or SIGINT ends it in order, a second one at once.
Exit status 0: ended in order. 1: could not start or end. 2: wrong arguments or configuration.

  mqbroker --listen-port 0 --namesrv-port 0      somewhere free; read the address from its first line
  mqbroker --conf autoCreateTopicEnable=false    at 127.0.0.1:9876, topics on request only
)";

std::optional<Error> wrong(std::string what) {
  return Error(ErrorCode::kInvalidArgument, std::move(what));
}

const Named* find(std::string_view name) {
  const auto found = std::ranges::find(kSwitches, name, &Named::name);
  return found == kSwitches.end() ? nullptr : &*found;
}

std::optional<Error> unknown(std::string_view argument) {
  std::string text = "'" + std::string(argument) + "' is no switch of mqbroker";
  if (!argument.starts_with('-')) return wrong(text + "; a configuration file goes after -c");
  std::vector<std::string_view> names;
  for (const Named& one : kSwitches) {
    if (one.name.starts_with("--")) names.push_back(one.name);
  }
  const std::string_view nearest = nearestOf(argument, names);
  if (!nearest.empty()) text += "; was " + std::string(nearest) + " meant?";
  return wrong(text + " See --help");
}

std::optional<Error> apply(const Named& named, const std::string& value, CommandLine& line) {
  const std::string place(named.name);
  switch (named.what) {
    case Option::kConfig:
      line.config_file = value;
      break;
    case Option::kNamesrvConfig:
      line.namesrv_config_file = value;
      break;
    case Option::kNamesrvAddr:
      line.broker.push_back({"namesrvAddr", value, place});
      break;
    case Option::kListenPort:
      line.broker.push_back({"listenPort", value, place});
      break;
    case Option::kNamesrvPort:
      line.namesrv.push_back({"listenPort", value, place});
      break;
    case Option::kConf: {
      const std::size_t at = value.find('=');
      if (at == std::string::npos || at == 0) return wrong(place + " " + value + ": expected KEY=VALUE");
      line.broker.push_back({value.substr(0, at), value.substr(at + 1), place});
      break;
    }
    case Option::kLog: {
      const auto level = std::ranges::find(kLevels, value, [](const auto& l) { return l.first; });
      if (level == kLevels.end()) return wrong(place + " " + value + ": expected error, warn, info or debug");
      line.log_level = level->second;
      break;
    }
    case Option::kControlTokenFile:
      if (value.empty()) return wrong(place + ": expected a file");
      line.test_control_token_file = value;
      break;
    case Option::kControlPort: {
      const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), line.test_control_port);
      const bool is_port = failed == std::errc{} && end == value.data() + value.size() && line.test_control_port >= 0 &&
                           line.test_control_port <= protocol::kPortMax;
      if (!is_port)
        return wrong(place + " " + value + ": expected a number from 0 to " + std::to_string(protocol::kPortMax));
      break;
    }
    case Option::kPrint:
      line.action = CommandLine::Action::kPrintConfig;
      break;
    case Option::kHelp:
      line.action = CommandLine::Action::kHelp;
      break;
    case Option::kVersion:
      line.action = CommandLine::Action::kVersion;
      break;
  }
  return std::nullopt;
}

}  // namespace

Result<CommandLine> parseCommandLine(std::span<const char* const> arguments) {
  CommandLine line;
  bool has_control_port = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view argument = arguments[i];
    std::optional<std::string> value;
    // --switch=value
    if (const std::size_t at = argument.find('='); argument.starts_with("--") && at != std::string_view::npos) {
      value = argument.substr(at + 1);
      argument = argument.substr(0, at);
    }
    const Named* const named = find(argument);
    if (!named) return *unknown(argument);
    if (!named->takes_value && value) return *wrong(std::string(argument) + " takes no value");
    if (named->takes_value && !value) {
      if (++i == arguments.size()) return *wrong(std::string(argument) + " needs a value. See --help");
      value = arguments[i];
    }
    if (auto error = apply(*named, value.value_or(""), line)) return *error;
    has_control_port = has_control_port || named->what == Option::kControlPort;
    // Whatever else was said, who asks for help gets it.
    if (line.action == CommandLine::Action::kHelp || line.action == CommandLine::Action::kVersion) return line;
  }
  if (has_control_port && line.test_control_token_file.empty()) {
    return *wrong("--test-control-port needs --test-control-token-file. See --help");
  }
  return line;
}

std::string_view helpText() {
  return kHelp;
}

}  // namespace mqclient::standalone
