#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <span>
#include <string_view>

#include "mqclient/error.h"
#include "protocol/remoting_command.h"

namespace mqclient::protocol::test {

/// A typed header whose type only its HeaderType knows: what holds for all of them is compiled once, not forty times.
using AnyHeader = std::shared_ptr<const void>;

enum class Which : std::uint8_t { kAll, kRequired };

struct HeaderType {
  std::string_view name;
  std::span<const detail::FieldRow> fields;
  /// All fields or the required ones differ from their initializers.
  AnyHeader (*filled)(Which);
  base::Chain (*encodeRequest)(const RequestHead&, const AnyHeader&);
  Result<AnyHeader> (*decode)(const ExtFields&);
  bool (*equal)(const AnyHeader&, const AnyHeader&);

  friend std::ostream& operator<<(std::ostream& to, const HeaderType& type) { return to << type.name; }
};

/// Every typed header of the protocol, by file. The fuzzer's corpus names them by their place: append.
std::span<const HeaderType> headerTypes();

}  // namespace mqclient::protocol::test
