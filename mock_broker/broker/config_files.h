#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "mock_broker/broker/group_table.h"
#include "mock_broker/broker/offset_table.h"
#include "mock_broker/broker/topic_table.h"
#include "mock_broker/store/file_system.h"

namespace mqclient::broker {

/// The tables that outlive a broker, as Apache's files: config/topics.json, subscriptionGroup.json,
/// consumerOffset.json.
///
/// Writing  the whole table aside, synced, put in the place of the old, directory synced: whatever the moment the
///          machine stops, one of the two is there. A write that fails is logged; the next change tries again.
/// Reading  a file that is missing, empty or cannot be read gives way to NAME.bak, which Apache's brokers leave;
/// without
///          one the table begins empty.
/// Threads  *tables*; load() before the broker serves. The calls block if the file system does.
/// Source   ConfigManager.java, TopicConfigManager.java, SubscriptionGroupManager.java, ConsumerOffsetManager.java
class ConfigFiles {
 public:
  /// Null `files`: nothing is read or written.
  ConfigFiles(std::shared_ptr<store::FileSystem> files, base::Ref<base::Log> log);

  bool kept() const noexcept { return static_cast<bool>(files_); }
  void load(const BrokerOptions& options, TopicTable& topics, GroupTable& groups, OffsetTable& offsets);
  void write(const TopicTable& topics);
  void write(const GroupTable& groups);
  void write(const OffsetTable& offsets);

  static constexpr char kDirectory[] = "config";

 private:
  template <class Table>
  std::optional<Table> read(const std::string& name);
  void replace(const std::string& name, const std::string& text);

  const std::shared_ptr<store::FileSystem> files_;
  const base::Ref<base::Log> log_;
};

}  // namespace mqclient::broker
