#include "mock_broker/broker/config_files.h"

#include <span>
#include <utility>

#include "protocol/body/offsets.h"
#include "protocol/body/topic_config.h"

namespace mqclient::broker {
namespace {

constexpr char kTopics[] = "topics.json";
constexpr char kGroups[] = "subscriptionGroup.json";
constexpr char kOffsets[] = "consumerOffset.json";
constexpr char kAside[] = ".tmp";
constexpr char kBackup[] = ".bak";

std::string pathOf(const std::string& name) {
  return std::string(ConfigFiles::kDirectory) + '/' + name;
}

Result<void> putInPlace(store::FileSystem& files, const std::string& path, const std::string& text) {
  const std::string aside = path + kAside;
  (void)files.remove(aside);  // what an attempt of before has left; mostly there is none
  if (auto written = files.append(aside, std::as_bytes(std::span(text))); !written) return written;
  if (auto synced = files.sync(aside); !synced) return synced;
  if (auto renamed = files.rename(aside, path); !renamed) return renamed;
  return files.syncDir(ConfigFiles::kDirectory);
}

}  // namespace

ConfigFiles::ConfigFiles(std::shared_ptr<store::FileSystem> files, base::Ref<base::Log> log)
    : files_(std::move(files)), log_(std::move(log)) {}

template <class Table>
std::optional<Table> ConfigFiles::read(const std::string& name) {
  for (const char* suffix : {"", kBackup}) {
    const auto text = files_->read(pathOf(name) + suffix);
    if (!text || text->empty()) continue;
    if (auto table = Table::decode(*text)) return *std::move(table);
    log_->write(LogLevel::kWarn, "broker", pathOf(name) + suffix + " cannot be read and is left aside");
  }
  return std::nullopt;
}

void ConfigFiles::load(const BrokerOptions& options, TopicTable& topics, GroupTable& groups, OffsetTable& offsets) {
  if (!kept()) return;
  if (const auto table = read<protocol::TopicConfigSerializeWrapper>(kTopics)) topics.restore(*table, options);
  if (const auto table = read<protocol::SubscriptionGroupWrapper>(kGroups)) groups.restore(*table);
  if (const auto table = read<protocol::ConsumerOffsetSerializeWrapper>(kOffsets)) offsets.restore(*table);
}

void ConfigFiles::replace(const std::string& name, const std::string& text) {
  const auto replaced = putInPlace(*files_, pathOf(name), text);
  if (replaced) return;
  log_->writeLimited(LogLevel::kError, "broker", name, base::kLogPeriod,
                     pathOf(name) + " could not be written: " + replaced.error().message());
}

void ConfigFiles::write(const TopicTable& topics) {
  if (!kept()) return;
  protocol::TopicConfigSerializeWrapper table;
  table.dataVersion = topics.version();
  for (const auto& topic : topics.all()) table.topicConfigTable.emplace(topic->config.topicName, toWire(topic->config));
  replace(kTopics, table.encode());
}

void ConfigFiles::write(const GroupTable& groups) {
  if (kept()) replace(kGroups, groups.toWire().encode());
}

void ConfigFiles::write(const OffsetTable& offsets) {
  if (kept()) replace(kOffsets, offsets.toWire().encode());
}

}  // namespace mqclient::broker
