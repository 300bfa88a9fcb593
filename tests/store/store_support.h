#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "mock_broker/store/message_store.h"
#include "protocol/hash.h"
#include "protocol/message_record.h"

namespace mqclient::store {

inline constexpr std::int64_t kStoreMs = 1'700'000'000'123;

/// A record as a broker encodes it before the log has seen it.
inline std::vector<std::byte> encoded(std::string_view topic, std::int32_t queue_id, std::string_view body,
                                      std::string_view properties = {}) {
  protocol::RecordFields fields;
  fields.queueId = queue_id;
  fields.bornTimestamp = 1'700'000'000'000;
  fields.bornHost = protocol::RecordHost::v4(127, 0, 0, 1, 50000);
  fields.storeHost = protocol::RecordHost::v4(127, 0, 0, 1, 10911);
  fields.body = std::as_bytes(std::span(body));
  fields.bodyCRC = protocol::crc32Masked(body);
  fields.topic = topic;
  fields.properties = properties;
  std::vector<std::byte> bytes(protocol::recordSize(fields));
  protocol::encodeRecord(bytes.data(), fields);
  return bytes;
}

/// A store in memory with one queue in sight.
struct StoreUnderTest {
  explicit StoreUnderTest(MessageStoreOptions options = {}, std::int32_t queue_id = 3)
      : store(makeMemoryFileSystem(), options), queue(store.queueOf("TopicTest", queue_id)) {}
  /// On files of before.
  StoreUnderTest(std::shared_ptr<FileSystem> files, MessageStoreOptions options)
      : store(std::move(files), options),
        recovered(store.recover().value()),
        queue(store.queueOf("TopicTest", kQueueId)) {}

  PutResult put(std::string_view body, std::string_view tag = {}, std::int64_t ms = kStoreMs) {
    return putInto(*queue, body, tag, ms);
  }
  PutResult putInto(ConsumeQueue& to, std::string_view body, std::string_view tag = {}, std::int64_t ms = kStoreMs) {
    const std::string properties = tag.empty() ? "" : "TAGS\x01" + std::string(tag) + "\x02";
    std::vector<std::byte> image = encoded(to.topic(), to.queueId(), body, properties);
    const MessageStore::Part part{static_cast<std::int32_t>(image.size()), protocol::tagsCode(tag)};
    return store.put(to, {.head = image}, {&part, 1}, ms);
  }
  GetMessageResult get(std::int64_t offset, std::int32_t count = 32, const TagFilter* filter = nullptr) const {
    return store.getMessage(queue.get(), offset, count, kAnyBytes, filter);
  }
  /// Fills segments until `n` of them have been dropped.
  void dropSegments(std::uint64_t n) {
    while (store.log().segmentsDropped() < n) ASSERT_EQ(put(std::string(500, 'x')).status, PutStatus::PUT_OK);
    while (store.trimSome()) {
    }
  }
  static constexpr std::int64_t kAnyBytes = 128 << 20;
  static constexpr std::int32_t kQueueId = 3;

  MessageStore store;
  RecoveryReport recovered;
  base::Ref<ConsumeQueue> queue;
};

inline MessageStoreOptions smallLog(std::size_t segments = 2) {
  MessageStoreOptions options;
  options.log.segment_bytes = 4096;
  options.log.bytes_max = segments * options.log.segment_bytes;
  options.units_per_file = 4;
  return options;
}

/// Bodies of a pull answer.
inline std::vector<std::string> bodies(const base::Chain& records) {
  std::vector<std::string> found;
  const base::Slice bytes = records.flatten();
  protocol::RecordIterator it(bytes.bytes());
  while (auto record = it.next()) {
    EXPECT_TRUE(*record) << record->error().message();
    if (!*record) break;
    found.emplace_back(reinterpret_cast<const char*>((*record)->body.data()), (*record)->body.size());
  }
  return found;
}

}  // namespace mqclient::store
