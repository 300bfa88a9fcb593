// The body of a pull answer: records one after the other, as the consumer reads them.
#include <algorithm>

#include "protocol/message_access.h"
#include "protocol/message_record.h"
#include "tests/fuzz/naive.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {
namespace {

using detail::MessageAccess;
using protocol::RecordFields;

bool equal(const RecordFields& a, const RecordFields& b) {
  return a.bodyCRC == b.bodyCRC && a.queueId == b.queueId && a.flag == b.flag && a.queueOffset == b.queueOffset &&
         a.physicalOffset == b.physicalOffset && a.sysFlag == b.sysFlag && a.bornTimestamp == b.bornTimestamp &&
         a.bornHost == b.bornHost && a.storeTimestamp == b.storeTimestamp && a.storeHost == b.storeHost &&
         a.reconsumeTimes == b.reconsumeTimes && a.preparedTransactionOffset == b.preparedTransactionOffset &&
         std::ranges::equal(a.body, b.body) && a.topic == b.topic && a.properties == b.properties;
}

void checkRewritten(const RecordFields& fields) {
  const std::size_t size = protocol::recordSize(fields);
  base::BlockWriter block(size);
  protocol::encodeRecord(block.data(), fields);
  const base::Slice bytes = std::move(block).freeze(size);
  const auto again = protocol::decodeRecord(bytes.bytes());
  demand(again.has_value() && again->totalSize == size, "what was read can be written and read again");
  demand(equal(*again, fields), "a record reads the same once written");
}

/// Every record on its own, beside the naive reader.
std::size_t walk(std::string_view bytes) {
  std::size_t readable = 0;
  std::size_t at = 0;
  protocol::RecordIterator records(asBytes(bytes));
  while (auto record = records.next()) {
    const auto expected = naive::record(bytes.substr(at));
    demand(record->has_value() == expected.has_value(), "what the naive reader reads is read, and nothing else");
    demand(!records.current().empty() && at + records.current().size() <= bytes.size(), "the walk goes on, inside");
    at += records.current().size();
    if (!*record) continue;
    demand(equal(**record, *expected), "the naive reader reads the same");
    (void)protocol::bodyCrcMatches(**record);
    if ((*record)->topic.size() <= protocol::kMaxPropertiesSize) checkRewritten(**record);
    ++readable;
  }
  demand(records.done() && at == bytes.size(), "the walk ends at the end");
  return readable;
}

void look(MessageExt& message) {
  (void)message.bornHost();
  (void)message.toMessage();
  demand(message.offsetMsgId().size() == 32 || message.offsetMsgId().size() == 56, "every record has an id");
  demand(!message.msgId().empty(), "and a message one too");
  for (const auto& [name, value] : message.properties())
    demand(!name.empty() && !value.empty(), "properties say something");
  const std::string stored(message.body());
  if (MessageAccess::inflate(message)) MessageAccess::dropInflated(message);
  demand(message.body() == stored, "what is inflated can be dropped");
  demand(message.detached().body() == stored, "a copy has the same body");
}

void run(Input& input) {
  const std::string_view bytes = input.rest();
  const std::size_t readable = walk(bytes);
  std::size_t skipped = 0;
  const auto frame =
      std::make_shared<const detail::MessageFrame>(chop(bytes, 0), MessageQueue{"orders", "broker-a", 0});
  std::vector<MessageExt> messages = MessageAccess::decode(frame, &skipped);
  demand(messages.size() == readable, "every record that can be read is delivered");
  for (MessageExt& message : messages) look(message);
}

const Registration kTarget("records", run);

}  // namespace
}  // namespace mqclient::fuzz
