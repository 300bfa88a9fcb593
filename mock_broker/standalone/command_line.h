#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mock_broker/standalone/properties.h"
#include "mqclient/error.h"
#include "mqclient/log.h"

namespace mqclient::standalone {

/// What mqbroker was asked for. The switches that set something are properties, weaker ones first.
struct CommandLine {
  enum class Action { kRun, kHelp, kVersion, kPrintConfig } action{Action::kRun};
  std::string config_file{};          ///< empty: none
  std::string namesrv_config_file{};  ///< empty: none
  std::vector<Property> broker{};     ///< above the configuration file
  std::vector<Property> namesrv{};    ///< above the nameserver's
  LogLevel log_level{LogLevel::kWarn};
  std::string test_control_token_file{};  ///< empty: no test control
  std::int32_t test_control_port{0};      ///< 0: any free one
};

/// kInvalidArgument: what is wrong with which argument, and which switch was meant.
Result<CommandLine> parseCommandLine(std::span<const char* const> arguments);

/// What --help prints.
std::string_view helpText();

}  // namespace mqclient::standalone
