#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace mqclient::simulation {

/// What one seed must at least put the system through; a seed that does less counts as failed.
inline constexpr std::size_t kMessagesMin = 300;          ///< acknowledged
inline constexpr std::size_t kMembershipChangesMin = 10;  ///< consumers that joined or left
inline constexpr std::size_t kLinkFaultsMin = 5;          ///< cuts, black holes and refused connects
inline constexpr std::int64_t kVirtualMillisMin = 60'000;

/// What one seed did. Equal for equal seeds, in every process.
struct Figures {
  std::uint64_t trace_hash = 0;     ///< over every frame's bytes, time and fate
  std::uint64_t schedule_hash = 0;  ///< over every choice of the scheduler
  std::uint64_t events = 0;
  std::uint64_t frames = 0;
  std::int64_t virtual_millis = 0;
  std::size_t sends = 0;
  std::size_t messages = 0;  ///< acknowledged
  std::size_t deliveries = 0;
  std::size_t repeated = 0;  ///< deliveries after the first one
  std::size_t membership_changes = 0;
  std::size_t abrupt_leaves = 0;
  std::size_t link_faults = 0;
  std::map<std::string, std::uint64_t> faults{};  ///< how often each kind happened; every kind has an entry
  std::vector<std::string> violations{};          ///< empty: every promise was kept
};

struct Observer {
  std::function<void(const std::string& line)> narrate{};     ///< hears what happens, if set
  std::function<void(const std::string& report)> on_stuck{};  ///< just before a process that cannot go on is aborted
  bool with_log = false;                                      ///< the clients' log lines too
};

/// Two nameservers, two brokers, three producers and four consumers of one group that join and leave, over links that
/// delay, swallow and cut, on nodes that die and come back, with every fault of mqclient/mock_faults.h among the frames
/// (troubles.h), all by `seed`. Then the faults stop, everything drains, and the history is judged.
/// Threads  one run at a time in a process.
Figures runSeed(std::uint64_t seed, const Observer& observer = {});

}  // namespace mqclient::simulation
