// Values, not bytes: what the input makes is written and must read the same.
#include <algorithm>
#include <vector>

#include "protocol/batch.h"
#include "protocol/frame_splitter.h"
#include "protocol/headers/send.h"
#include "protocol/message_record.h"
#include "protocol/names.h"
#include "protocol/properties.h"
#include "tests/fuzz/naive.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {
namespace {

using protocol::RecordHost;
using protocol::SerializeType;

constexpr std::size_t kElementsMax = 8;

protocol::SendMessageRequestHeaderV2 sendHeader(Input& input) {
  protocol::SendMessageRequestHeaderV2 h;
  h.producerGroup = input.text();
  h.topic = input.text();
  h.defaultTopic = input.text();
  h.defaultTopicQueueNums = static_cast<std::int32_t>(input.be32());
  h.queueId = static_cast<std::int32_t>(input.be32());
  h.sysFlag = static_cast<std::int32_t>(input.be32());
  h.bornTimestamp = static_cast<std::int64_t>(input.be64());
  h.flag = static_cast<std::int32_t>(input.be32());
  h.properties = input.text();
  const std::uint8_t bits = input.byte();
  if (bits & 1) h.reconsumeTimes = static_cast<std::int32_t>(input.be32());
  if (bits & 2) h.maxReconsumeTimes = static_cast<std::int32_t>(input.be32());
  h.unitMode = (bits & 4) != 0;
  h.batch = (bits & 8) != 0;
  h.bname = input.text();
  return h;
}

void checkRequest(Input& input) {
  const auto header = sendHeader(input);
  const bool json = input.byte() & 1;
  const protocol::RequestHead head{.code = RequestCode::SEND_MESSAGE_V2,
                                   .opaque = static_cast<int>(input.be32()),
                                   .type = json ? SerializeType::JSON : SerializeType::ROCKETMQ};
  const std::uint8_t sizes = input.byte();
  const std::string_view body = input.text();
  const base::Chain frame = protocol::encodeRequest(head, header, chop(body, sizes));
  protocol::FrameSplitter splitter;
  const base::Chain stream = chop(frame.toString(), sizes);
  for (std::size_t i = 0; i < stream.count(); ++i) splitter.feed(stream[i]);
  auto cut = splitter.next();
  demand(cut && *cut, "a frame that was written is one");
  const auto command = protocol::decodeFrame(**std::move(cut));
  demand(command && command->opaque == head.opaque && command->body.toString() == body, "and reads the same");
  const auto read = protocol::decodeSendHeader(*command);
  if (header.producerGroup.empty() || header.topic.empty() || header.defaultTopic.empty()) return;  // not sent
  demand(read.has_value(), "its header can be read");
  demand(read->producerGroup == header.producerGroup && read->topic == header.topic &&
             read->defaultTopic == header.defaultTopic && read->properties == header.properties &&
             read->bname == header.bname,
         "with the same texts");
  demand(read->queueId == header.queueId && read->sysFlag == header.sysFlag && read->flag == header.flag &&
             read->bornTimestamp == header.bornTimestamp && read->reconsumeTimes == header.reconsumeTimes &&
             read->maxReconsumeTimes == header.maxReconsumeTimes && read->unitMode == header.unitMode &&
             read->batch == header.batch && read->defaultTopicQueueNums == header.defaultTopicQueueNums,
         "and the same figures");
}

RecordHost host(Input& input) {
  RecordHost out;
  out.v6 = (input.byte() & 1) != 0;
  const std::string_view ip = input.take(out.ipSize());
  for (std::size_t i = 0; i < ip.size(); ++i) out.ip[i] = static_cast<std::byte>(ip[i]);
  out.port = static_cast<std::int32_t>(input.be32());
  return out;
}

void checkRecord(Input& input) {
  protocol::RecordFields f;
  f.bodyCRC = input.be32();
  f.queueId = static_cast<std::int32_t>(input.be32());
  f.queueOffset = static_cast<std::int64_t>(input.be64());
  f.physicalOffset = static_cast<std::int64_t>(input.be64());
  f.sysFlag = static_cast<std::int32_t>(input.be32()) & ~(protocol::kBornHostV6Flag | protocol::kStoreHostV6Flag);
  f.bornHost = host(input);
  f.storeHost = host(input);
  const std::string_view body = input.text();
  f.body = asBytes(body);
  f.topic = input.text();
  f.properties = input.text();
  const std::size_t size = protocol::recordSize(f);
  base::BlockWriter block(size);
  protocol::encodeRecord(block.data(), f);
  const base::Slice bytes = std::move(block).freeze(size);
  const auto read = protocol::decodeRecord(bytes.bytes());
  const auto expected = naive::record(bytes.text());
  demand(read && expected, "a record that was written is one");
  demand(read->topic == f.topic && read->properties == f.properties && std::ranges::equal(read->body, f.body),
         "and reads the same");
  demand(read->bornHost == f.bornHost && read->storeHost == f.storeHost && expected->bornHost == f.bornHost &&
             expected->storeHost == f.storeHost,
         "with the same hosts");
  demand(read->queueOffset == f.queueOffset && read->physicalOffset == f.physicalOffset && read->queueId == f.queueId,
         "in the same place");
}

void checkBatch(Input& input) {
  std::vector<protocol::BatchElement> elements(input.choice(kElementsMax));
  for (protocol::BatchElement& e : elements) {
    e.flag = static_cast<std::int32_t>(input.be32());
    e.body = asBytes(input.text());
    e.properties = input.text();
  }
  const base::Slice bytes = protocol::encodeBatch(elements);
  const auto [read, broken] = naive::batch(bytes.text());
  demand(!broken && std::ranges::equal(read, elements,
                                       [](const auto& a, const auto& b) {
                                         return a.flag == b.flag && std::ranges::equal(a.body, b.body) &&
                                                a.properties == b.properties;
                                       }),
         "a batch that was written is one");
}

void checkProperties(Input& input) {
  std::map<std::string, std::string> properties;
  while (!input.empty() && properties.size() < kElementsMax) {
    const std::string_view name = input.text();
    const std::string_view value = input.text();
    if (name.empty() || value.empty() || !protocol::isPropertyText(name) || !protocol::isPropertyText(value)) continue;
    properties.insert_or_assign(std::string(name), value);
  }
  demand(naive::properties(protocol::formatProperties(properties)) == properties, "properties read the same");
}

const Registration kTarget("round_trip", [](Input& input) {
  constexpr void (*kChecks[])(Input&) = {checkRequest, checkRecord, checkBatch, checkProperties};
  kChecks[input.choice(std::size(kChecks))](input);
});

}  // namespace
}  // namespace mqclient::fuzz
