#include <algorithm>
#include <utility>

#include "mock_broker/cluster/cluster.h"

namespace mqclient::cluster {

namespace {

constexpr std::size_t kNameBytesMax = 64;

bool isNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/// What an address asks for must be what lives under its name.
Result<void> checkSame(const Registry::Wanted& wanted, const MockClusterOptions& living) {
  std::string differences;
  const auto compare = [&](bool given, const char* name, int asked, int has) {
    if (!given || asked == has) return;
    if (!differences.empty()) differences += ", ";
    differences += std::string(name) + " is " + std::to_string(has) + ", not " + std::to_string(asked);
  };
  compare(wanted.nameservers_given, "nameservers", wanted.options.nameservers, living.nameservers);
  compare(wanted.brokers_given, "brokers", wanted.options.brokers, living.brokers);
  compare(wanted.queues_given, "queues", wanted.options.defaultTopicQueueNums, living.defaultTopicQueueNums);
  if (differences.empty()) return {};
  return Error(ErrorCode::kInvalidArgument,
               "mock://" + wanted.name + " lives already with other parameters: " + differences +
                   "; use another name, or MockCluster::named(\"" + wanted.name + "\")->reset() first");
}

}  // namespace

std::string complaintAboutName(std::string_view name) {
  if (!name.empty() && name.size() <= kNameBytesMax && std::ranges::all_of(name, isNameCharacter)) return {};
  return "the name in mock://" + std::string(name) + " must have 1 to " + std::to_string(kNameBytesMax) +
         " letters, digits, '-', '_' or '.'";
}

Registry& Registry::instance() {
  static auto* registry = new Registry;  // leaked on purpose: clusters may be used by the user's statics
  return *registry;
}

Result<std::shared_ptr<Cluster>> Registry::named(const Wanted& wanted) {
  if (std::string complaint = complaintAboutName(wanted.name); !complaint.empty()) {
    return Error(ErrorCode::kInvalidArgument, std::move(complaint));
  }
  if (auto valid = validate(wanted.options); !valid) return valid.error();
  {
    base::MutexLock lock(mutex_);
    for (;;) {
      Entry& entry = entries_[wanted.name];
      std::shared_ptr<Cluster> living = entry.kept ? entry.kept : entry.listed.lock();
      if (living) {
        if (auto same = checkSame(wanted, living->options()); !same) return same.error();
        return living;
      }
      if (!entry.being_made) {
        entry.being_made = true;
        break;
      }
      made_.wait(mutex_);
    }
  }
  // Made outside the lock: nodes run on this thread as they start.
  auto made = Cluster::start({.options = wanted.options});
  {
    base::MutexLock lock(mutex_);
    Entry& entry = entries_[wanted.name];
    entry.being_made = false;
    if (made) entry.kept = *made;
  }
  made_.notifyAll();
  return made;
}

std::string Registry::list(const std::shared_ptr<Cluster>& cluster) {
  base::MutexLock lock(mutex_);
  std::erase_if(entries_,
                [](const auto& e) { return !e.second.kept && !e.second.being_made && e.second.listed.expired(); });
  std::string name = "cluster-" + std::to_string(next_number_++);
  entries_[name].listed = cluster;
  return name;
}

void Registry::forget(const std::string& name) {
  std::shared_ptr<Cluster> kept;
  base::MutexLock lock(mutex_);
  const auto entry = entries_.find(name);
  if (entry == entries_.end() || entry->second.being_made) return;
  kept = std::move(entry->second.kept);
  entries_.erase(entry);
}

}  // namespace mqclient::cluster
