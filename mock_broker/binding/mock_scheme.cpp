// Binds mock:// addresses to clusters inside this process. An object file of its own, because a static archive drops a
// registration that nobody refers to; it stands above both the client and the broker.
#include <charconv>
#include <memory>
#include <string>
#include <utility>

#include "client/home.h"
#include "client/top_addressing.h"
#include "mock_broker/cluster/cluster.h"

namespace mqclient::cluster {
namespace {

/// Knows the nameservers that the cluster wants to be known.
class AddressServer final : public client::TopAddressing {
 public:
  AddressServer(std::string name, const std::shared_ptr<Cluster>& cluster)
      : name_(std::move(name)), cluster_(cluster) {}

  const std::string& name() const noexcept override { return name_; }
  void fetchNSAddr(base::SteadyTime, base::Completion<std::string> done) override {
    const std::shared_ptr<Cluster> cluster = cluster_.lock();
    if (!cluster) return std::move(done)(Error(ErrorCode::kUnreachable, "is gone with its cluster"));
    std::string list;
    for (const std::string& address : cluster->namesrvList()) list += (list.empty() ? "" : ";") + address;
    std::move(done)(std::move(list));
  }
  void close() noexcept override {}

 private:
  const std::string name_;
  const std::weak_ptr<Cluster> cluster_;
};

Result<client::Home> resolve(const client::SchemeAddress& address, const base::Ref<base::Engine>& engine) {
  if (auto known = client::checkParameters(address, {"nameservers", "brokers", "queues", "addressing"}); !known) {
    return known.error();
  }
  bool discovers = false;
  Registry::Wanted wanted;
  wanted.name = address.name;
  for (const auto& [key, text] : address.parameters) {
    if (key == "addressing") {
      if (text != "server") {
        return Error(ErrorCode::kInvalidArgument, address.text + ": addressing=" + text + "; it may be server");
      }
      discovers = true;
      continue;
    }
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
      return Error(ErrorCode::kInvalidArgument,
                   address.text + ": " + key + "=" + text + " is not a number; for example " + key + "=2");
    }
    if (key == "nameservers") {
      wanted.options.nameservers = value;
      wanted.nameservers_given = true;
    } else if (key == "brokers") {
      wanted.options.brokers = value;
      wanted.brokers_given = true;
    } else {
      wanted.options.defaultTopicQueueNums = value;
      wanted.queues_given = true;
    }
  }
  auto cluster = Registry::instance().named(wanted);
  if (!cluster) return cluster.error();
  client::Home home;
  // A cluster with virtual time brings its engine: its clients live in its time.
  home.engine = (*cluster)->engine()->isVirtualTime() ? (*cluster)->engine() : engine;
  home.transport = (*cluster)->transport();
  home.identity = "mock://" + address.name;
  if (discovers) {
    home.identity += "?addressing=server";
    home.addressing = base::makeRef<AddressServer>(home.identity, *cluster);
  } else {
    home.nameservers = (*cluster)->nameserverAddresses();
  }
  return home;
}

[[maybe_unused]] const bool kRegistered = [] {
  client::registerScheme("mock", resolve);
  return true;
}();

}  // namespace
}  // namespace mqclient::cluster
