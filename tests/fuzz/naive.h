#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/batch.h"
#include "protocol/limits.h"
#include "protocol/message_record.h"
#include "protocol/properties.h"
#include "protocol/remoting_command.h"

/// Second readers of what the wire carries, to hold the library's against: written apart from those, as plain as can
/// be, with a copy of everything, and no care for time. They share nothing with the library but its figures.
namespace mqclient::fuzz::naive {

/// A stream cut into frames.
struct Frames {
  std::vector<std::string> whole{};
  bool broken = false;  ///< what follows can be no frame
};
Frames cut(std::string_view stream, const protocol::FrameLimits& limits);

struct Command {
  int code = 0;
  int version = 0;
  int opaque = 0;
  int flag = 0;
  std::string remark{};
  std::vector<std::pair<std::string, std::string>> ext{};
  std::string body{};
  bool operator==(const Command&) const = default;
};
Command of(const protocol::RemotingCommand& command);

enum class Verdict {
  kRead,
  kRefused,  ///< nobody may read it
  kUnsaid,   ///< JSON beyond RFC 8259 and the plain cases: the library may take it or not
};
struct Read {
  Verdict verdict = Verdict::kRefused;
  Command command{};
};
/// A frame of either kind.
Read frame(std::string_view bytes);

std::optional<protocol::RecordFields> record(std::string_view bytes);
/// The elements up to the first that cannot be read, and whether there is one.
std::pair<std::vector<protocol::BatchElement>, bool> batch(std::string_view bytes);
std::map<std::string, std::string> properties(std::string_view text);
bool isName(std::string_view name, std::size_t longest);

}  // namespace mqclient::fuzz::naive
