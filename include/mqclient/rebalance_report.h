#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mqclient/message.h"

namespace mqclient {
inline namespace v1 {

/// "Why is this queue (not) mine?" The inputs of the last allocation and what came of it.
struct RebalanceReport {
  struct Row {
    MessageQueue messageQueue;
    std::string owner{};  ///< client id
    std::string why{};
  };
  std::string strategy{};
  std::string self{};
  std::vector<std::string> members{};     ///< ascending
  std::vector<std::string> divergence{};  ///< what does not fit together; empty: nothing known
  std::uint64_t membersHash{};            ///< equal on two members: they computed from the same list
  std::uint64_t queuesHash{};
  std::vector<Row> rows{};
};

}  // namespace v1
}  // namespace mqclient
