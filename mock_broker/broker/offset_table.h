#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "mock_broker/broker/topic_table.h"
#include "protocol/body/offsets.h"

namespace mqclient::broker {

/// Where each group will go on in each queue: the next offset to consume. *tables* strand. ConsumerOffsetManager.java
///
/// Bounds  the caller lets in known groups, known topics and queue ids of theirs only.
class OffsetTable {
 public:
  /// Smaller values than before are taken: a group may be set back.
  void commit(std::string_view group, std::string_view topic, std::int32_t queue_id, std::int64_t offset);
  std::optional<std::int64_t> find(std::string_view group, std::string_view topic, std::int32_t queue_id) const;

  /// config/consumerOffset.json
  protocol::ConsumerOffsetSerializeWrapper toWire() const;
  void restore(const protocol::ConsumerOffsetSerializeWrapper& table);

 private:
  TextMap<TextMap<std::map<std::int32_t, std::int64_t>>> offsets_;  // group → topic → queue → offset
};

}  // namespace mqclient::broker
