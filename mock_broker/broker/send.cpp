// SEND_MESSAGE, SEND_MESSAGE_V2, SEND_BATCH_MESSAGE. SendMessageProcessor.java
#include "mock_broker/broker/send.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>
#include <tuple>
#include <utility>

#include "protocol/batch.h"
#include "protocol/hash.h"
#include "protocol/limits.h"
#include "protocol/names.h"
#include "protocol/properties.h"

namespace mqclient::broker {
namespace {

constexpr std::int32_t kRetryQueues = 1;  // of a %RETRY% topic made by a plain send, and of a %DLQ% topic
constexpr std::string_view kDeadLetterDelay = "-1";
/// How long a sender inside the process waits for another one to leave the log, before it lays its message there and
/// goes on: an append takes less than a microsecond, a thread that lost its core comes back later.
constexpr std::int64_t kLogPatienceNanos = 40'000;

/// What a refused send is told besides code and remark.
struct RegionHeader {
  std::string_view region;
  std::string_view trace;
  static constexpr auto fields() {
    return std::tuple{protocol::must(protocol::kPropertyMsgRegion, &RegionHeader::region),
                      protocol::must(protocol::kPropertyTraceSwitch, &RegionHeader::trace)};
  }
};

std::string_view boolText(bool b) {
  return b ? "true" : "false";
}

/// The properties a send is decided by, found in one pass.
struct Noted {
  std::string_view tags;
  std::string_view uniq_key;
  std::string_view delay;
  bool transaction = false;
  bool timer = false;
  bool rewrite = false;  ///< carries what the broker itself adds or takes out
};

Noted note(std::string_view properties) {
  Noted noted;
  for (const auto& [name, value] : protocol::PropertiesView(properties)) {
    switch (name.size()) {
      case 4:
        if (name == protocol::kPropertyTags) noted.tags = value;
        break;
      case 5:
        if (name == protocol::kPropertyDelayTimeLevel) noted.delay = value;
        break;
      case 6:
        noted.rewrite |= name == protocol::kPropertyPopCk;
        break;
      case 7:
        noted.rewrite |= name == protocol::kPropertyCluster;
        break;
      case 8:
        if (name == protocol::kPropertyUniqClientMessageIdKeyIdx) noted.uniq_key = value;
        noted.rewrite |= name == protocol::kPropertyTraceSwitch;
        noted.transaction |= name == protocol::kPropertyTransactionPrepared && value == "true";
        break;
      case 10:
        noted.rewrite |= name == protocol::kPropertyMsgRegion;
        break;
      default:
        noted.timer |= name == protocol::kPropertyTimerDelaySec || name == protocol::kPropertyTimerDelayMs ||
                       name == protocol::kPropertyTimerDeliverMs;
    }
  }
  return noted;
}

bool isDelayed(std::string_view level) {
  int value = 0;
  const auto [end, error] = std::from_chars(level.data(), level.data() + level.size(), value);
  return error == std::errc() && end == level.data() + level.size() && value > 0;
}

struct OffsetDigits {
  std::array<char, 16> digits;
  explicit OffsetDigits(std::int64_t offset) noexcept {
    const auto value = static_cast<std::uint64_t>(offset);
    protocol::putHex32(protocol::putHex32(digits.data(), static_cast<std::uint32_t>(value >> 32)),
                       static_cast<std::uint32_t>(value));
  }
};

}  // namespace

void BrokerCore::refuseSend(remoting::Responder responder, const Refusal& refusal) const {
  std::move(responder).answer(refusal.code, refusal.remark,
                              RegionHeader{options_.regionId, boolText(options_.traceOn)});
}

void BrokerCore::sendMessage(remoting::Request&& request, remoting::Responder&& responder) {
  const auto header = protocol::decodeSendHeader(request.command);
  if (!header) {
    return refuseSend(std::move(responder), {ResponseCode::SYSTEM_ERROR, header.error().message()});
  }
  const Topic* const topic = knownTopic(*request.peer, header->topic);
  if (topic && !topic->retry) [[likely]] {
    return storeMessage(*topic, *header, false, request, std::move(responder));
  }
  // The topic has to be made, or the group's retries are counted: *tables* decides, and the record is encoded outside.
  inTables([this, request = std::move(request), responder = std::move(responder)]() mutable {
    Refusal refusal{};
    base::Ref<const Topic> made;
    bool dead_letter = false;
    {
      const auto again = protocol::decodeSendHeader(request.command);  // the views moved with the request
      made = topicForSend(*again, refusal);
      if (!made) return refuseSend(std::move(responder), refusal);
      dead_letter = protocol::isDlqTopic(made->config.topicName) && !protocol::isDlqTopic(again->topic);
    }
    base::after(*engine_, self(),
                [this, made = std::move(made), dead_letter, request = std::move(request),
                 responder = std::move(responder)]() mutable {
                  const auto again = protocol::decodeSendHeader(request.command);
                  storeMessage(*made, *again, dead_letter, request, std::move(responder));
                });
  });
}

const Topic* BrokerCore::knownTopic(remoting::Peer& peer, std::string_view name) const {
  /// The topic that a connection sent to last: as a rule it sends there again.
  struct LastTopic final : base::Object {
    base::Ref<const Topic> topic;
    std::uint64_t changes = 0;  // of the table when it was found
  };
  if (!peer.memo) peer.memo = base::makeRef<LastTopic>();
  auto& last = static_cast<LastTopic&>(*peer.memo);
  const std::uint64_t changes = topics_.changes();
  if (!last.topic || last.changes != changes || last.topic->config.topicName != name) {
    last.topic = topics_.find(name);
    last.changes = changes;
  }
  return last.topic.get();
}

base::Ref<const Topic> BrokerCore::topicForSend(const protocol::SendMessageView& header, Refusal& refusal) {
  const auto no = [&refusal](ResponseCode code, std::string remark) {
    refusal = {code, std::move(remark)};
    return base::Ref<const Topic>();
  };
  const auto make = [this, &no](TopicConfig config) {
    const std::string name = config.topicName;
    if (const auto refused = putTopic(std::move(config))) return no(refused->code, refused->remark);
    return topics_.find(name);
  };
  if (stopping_) return no(ResponseCode::SERVICE_NOT_AVAILABLE, "the broker is shutting down");
  const std::string name(header.topic);
  if (const auto complaint = protocol::complaintAboutTopic(name)) {
    return no(ResponseCode::INVALID_PARAMETER, *complaint);
  }
  if (protocol::isRetryTopic(name)) {
    const std::string_view group_name = header.topic.substr(protocol::kRetryGroupTopicPrefix.size());
    const protocol::SubscriptionGroupConfig* group = groups_.find(group_name);
    if (!group) {
      return no(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, "subscription group not exist, " + std::string(group_name));
    }
    if (header.reconsumeTimes.value_or(0) > header.maxReconsumeTimes.value_or(group->retryMaxTimes)) {
      TopicConfig dead;
      dead.topicName = protocol::dlqTopic(group_name);
      if (auto existing = topics_.find(dead.topicName)) return existing;
      dead.readQueueNums = dead.writeQueueNums = kRetryQueues;
      return make(std::move(dead));
    }
    if (auto existing = topics_.find(name)) return existing;
    TopicConfig retry;
    retry.topicName = name;
    retry.readQueueNums = retry.writeQueueNums = kRetryQueues;
    return make(std::move(retry));
  }
  if (auto existing = topics_.find(name)) return existing;  // made by a send just before this one
  const base::Ref<const Topic> origin = topics_.find(header.defaultTopic);
  if (!origin || !protocol::isInherited(origin->config.perm) || protocol::isNotAllowedSendTopic(name)) {
    return no(ResponseCode::TOPIC_NOT_EXIST, "topic[" + name + "] not exist, apply first please!");
  }
  TopicConfig config;
  config.topicName = name;
  config.writeQueueNums = config.readQueueNums =
      std::max(0, std::min(header.defaultTopicQueueNums, origin->config.writeQueueNums));
  config.perm = origin->config.perm & ~protocol::kPermInherit;
  config.multiTag = origin->config.multiTag;
  return make(std::move(config));
}

void BrokerCore::storeMessage(const Topic& topic, const protocol::SendMessageView& header, bool dead_letter,
                              remoting::Request& request, remoting::Responder responder) {
  const TopicConfig& config = topic.config;
  Refusal refusal{};
  const auto refuse = [&](ResponseCode code, std::string remark) {
    refuseSend(std::move(responder), {code, std::move(remark)});
  };
  if (topic.send_forbidden) {
    return refuse(ResponseCode::NO_PERMISSION, "Sending message to topic[" + config.topicName + "] is forbidden.");
  }
  if (config.order && !protocol::isWriteable(options_.brokerPermission)) {
    return refuse(ResponseCode::NO_PERMISSION, "the broker[" + options_.address + "] sending message is forbidden");
  }
  const std::int32_t queues = std::max(config.readQueueNums, config.writeQueueNums);
  if (header.queueId >= queues || (header.queueId < 0 && config.writeQueueNums <= 0)) {
    return refuse(ResponseCode::INVALID_PARAMETER,
                  "request queueId[" + std::to_string(header.queueId) + "] is illegal, topic[" + config.topicName +
                      "] has " + std::to_string(queues) + " queues, producer: " + request.peer->address());
  }
  protocol::RecordFields record;
  record.queueId = header.queueId;
  if (header.queueId < 0 || dead_letter) {
    record.queueId =
        static_cast<std::int32_t>(engine_->random() % static_cast<std::uint64_t>(std::max(1, config.writeQueueNums)));
  }
  base::Slice body = std::move(request.command.body).flatten();
  record.body = body.bytes();
  record.topic = config.topicName;
  record.flag = header.flag;
  record.sysFlag = header.sysFlag | (config.multiTag ? protocol::kMultiTagsFlag : 0);
  record.bornTimestamp = header.bornTimestamp;
  record.bornHost = request.peer->host();
  record.storeHost = store_host_;
  record.reconsumeTimes = header.reconsumeTimes.value_or(0);
  SendTask* task = nullptr;
  if ((header.sysFlag & protocol::kTransactionMask) != protocol::kTransactionNotType) {
    refusal = {header.batch ? ResponseCode::MESSAGE_ILLEGAL : ResponseCode::NO_PERMISSION,
               "the broker[" + options_.address + "] sending transaction message is forbidden"};
  } else if (header.batch) {
    task = encodeBatch(topic, header, record, refusal);
  } else {
    task = encodeSingle(header, record, dead_letter, refusal);
    if (task) task->body = std::move(body);  // its bytes stay where they are
  }
  if (!task) return refuseSend(std::move(responder), refusal);
  task->core = this;
  task->responder = std::move(responder);
  task->queue = &topic.queue(store_, record.queueId);
  task->alive = self();
  log_.postPatiently(*task, kLogPatienceNanos);
}

SendTask* BrokerCore::encodeSingle(const protocol::SendMessageView& header, protocol::RecordFields& record,
                                   bool dead_letter, Refusal& refusal) {
  const auto no = [&refusal](ResponseCode code, std::string remark) {
    refusal = {code, std::move(remark)};
    return nullptr;
  };
  // An empty body arrives as none, and Java's broker ends so.
  if (record.body.empty()) return no(ResponseCode::SYSTEM_ERROR, "the message has no body");
  if (record.body.size() > static_cast<std::size_t>(options_.maxMessageSize)) {
    return no(ResponseCode::MESSAGE_ILLEGAL,
              "the message is illegal, maybe msg body or properties length not matched."
              " msg body length limit " +
                  std::to_string(options_.maxMessageSize) + "B, found " + std::to_string(record.body.size()));
  }
  Noted noted = note(header.properties);
  std::string rewritten;
  std::string_view given = header.properties;
  if (noted.rewrite || dead_letter) [[unlikely]] {
    rewritten = given;
    for (const std::string_view name : {protocol::kPropertyPopCk, protocol::kPropertyMsgRegion,
                                        protocol::kPropertyTraceSwitch, protocol::kPropertyCluster}) {
      protocol::removeProperty(rewritten, name);
    }
    if (dead_letter) protocol::setProperty(rewritten, protocol::kPropertyDelayTimeLevel, kDeadLetterDelay);
    given = rewritten;
    noted = note(given);
  }
  if (noted.transaction) {
    return no(ResponseCode::NO_PERMISSION,
              "the broker[" + options_.address + "] sending transaction message is forbidden");
  }
  // Delivering them at once would be silent; their services are not part of this broker yet.
  if (isDelayed(noted.delay)) {
    return no(ResponseCode::MESSAGE_ILLEGAL, "this broker does not offer delay levels (property DELAY)");
  }
  if (noted.timer) return no(ResponseCode::SYSTEM_ERROR, "accurate timer message is not enabled");

  std::array<char, protocol::UniqIdGenerator::kSizeMax> made_id;
  const std::string_view uniq_name = protocol::kPropertyUniqClientMessageIdKeyIdx;
  const bool make_id = noted.uniq_key.empty();
  if (make_id) uniq_ids_.nextTo(made_id.data(), wallMillis());
  const std::string_view made(made_id.data(), make_id ? uniq_ids_.size() : 0);
  const bool separate = !given.empty() && given.back() != protocol::kPropertySeparator;
  const std::size_t size = given.size() + (separate ? 1 : 0) + added_properties_.size() +
                           (make_id ? protocol::propertySize(uniq_name, made) : 0);
  if (size > protocol::kMaxPropertiesSize) {
    return no(ResponseCode::MESSAGE_ILLEGAL,
              "the message is illegal, maybe msg body or properties length not matched."
              " msg properties length limit " +
                  std::to_string(protocol::kMaxPropertiesSize) + "B, found " + std::to_string(size) +
                  " with those of the broker");
  }
  record.bodyCRC = protocol::crc32Masked(record.body);
  const std::size_t head = protocol::recordHeadSize(record);
  const std::size_t tail = protocol::recordTailSize(record, size);
  SendTask* task = SendTask::make(head, tail);
  protocol::encodeRecordHead(task->head(), record, size);
  char* const begin = reinterpret_cast<char*>(protocol::encodeRecordTail(task->tail(), record, size));
  char* to = begin;
  const auto append = [&to](std::string_view text) { to += text.copy(to, text.size()); };
  append(given);
  if (separate) *to++ = protocol::kPropertySeparator;
  append(added_properties_);
  std::size_t uniq_at = make_id ? 0 : static_cast<std::size_t>(noted.uniq_key.data() - given.data());
  if (make_id) {
    append(uniq_name);
    *to++ = protocol::kNameValueSeparator;
    uniq_at = static_cast<std::size_t>(to - begin);
    append(made);
    *to++ = protocol::kPropertySeparator;
  }
  assert(to == begin + size);
  task->single = {static_cast<std::int32_t>(head + record.body.size() + tail), protocol::tagsCode(noted.tags)};
  task->uniq_at = tail - size + uniq_at;  // the properties end the record
  task->uniq_size = make_id ? made.size() : noted.uniq_key.size();
  return task;
}

SendTask* BrokerCore::encodeBatch(const Topic& topic, const protocol::SendMessageView& header,
                                  protocol::RecordFields& record, Refusal& refusal) {
  const auto no = [&refusal](ResponseCode code, std::string remark) {
    refusal = {code, std::move(remark)};
    return nullptr;
  };
  if (topic.retry || topic.config.topicName.size() > protocol::kMaxTopicLength) {
    return no(ResponseCode::MESSAGE_ILLEGAL, "batch request does not support retry group " + topic.config.topicName);
  }
  if (record.body.size() > static_cast<std::size_t>(options_.maxMessageSize)) {
    return no(ResponseCode::SYSTEM_ERROR, "message body size exceeded, limit " +
                                              std::to_string(options_.maxMessageSize) + "B, found " +
                                              std::to_string(record.body.size()));
  }
  if (isDelayed(note(header.properties).delay)) {
    return no(ResponseCode::MESSAGE_ILLEGAL, "a batch cannot be delayed");
  }
  const std::span<const std::byte> body = record.body;
  std::vector<store::MessageStore::Part> parts;
  std::size_t image_bytes = 0;
  const auto forEach = [&](auto&& use) {
    protocol::BatchIterator elements(body, options_.batch_messages_max);
    while (auto element = elements.next()) {
      if (!*element) {
        refusal = {ResponseCode::MESSAGE_ILLEGAL, element->error().message()};
        return false;
      }
      record.flag = (*element)->flag;
      record.body = (*element)->body;
      record.properties = (*element)->properties;
      use();
    }
    return true;
  };
  if (!forEach([&] {
        const std::size_t bytes = protocol::recordSize(record);
        parts.push_back({static_cast<std::int32_t>(bytes), protocol::tagsCode(note(record.properties).tags)});
        image_bytes += bytes;
      })) {
    return nullptr;
  }
  if (parts.empty()) return no(ResponseCode::MESSAGE_ILLEGAL, "the batch holds no message");
  SendTask* task = SendTask::make(image_bytes, 0);
  std::byte* to = task->head();
  std::size_t next = 0;
  forEach([&] {
    record.bodyCRC = protocol::crc32Masked(record.body);
    protocol::encodeRecord(to, record);
    to += parts[next++].size;
  });
  task->batch = std::move(parts);
  return task;
}

base::Next SendTask::run() noexcept {
  if (!appended) {
    appended = true;
    core->append(*this);
    const bool held = core->flusher_.holds(*this);
    if (held || !batch.empty() || !core->log_.nothingWaits()) {
      alive = base::Ref<base::Object>(core);
      if (!held) core->answerLater(*this);
      return base::Next::kDone;
    }
  }
  core->answerSend(*this);
  destroy();
  return base::Next::kDone;
}

void BrokerCore::append(SendTask& task) {
  if (log_closed_ || flusher_.broken()) {
    task.result.status = store::PutStatus::SERVICE_NOT_AVAILABLE;
    return;
  }
  task.result = store_.put(*task.queue, task.image(), task.parts(), wallMillis());
  if (task.result.status != store::PutStatus::PUT_OK) return;
  flusher_.appended();
  messages_stored_.store(messages_stored_.load(std::memory_order_relaxed) + task.parts().size(),
                         std::memory_order_relaxed);  // written in *log* only
  // Published, then asked who waits: a hold does it in the other order (B6).
  if (task.queue->waiters.load(std::memory_order_seq_cst) > 0) listArrival(*task.queue);
  if (const std::uint64_t dropped = store_.log().segmentsDropped(); dropped != trimmed_segments_) [[unlikely]] {
    trimmed_segments_ = dropped;
    log_.post(self(), [this] { return store_.trimSome() ? base::Next::kAgain : base::Next::kDone; });
  }
}

void BrokerCore::listArrival(store::ConsumeQueue& queue) {
  if (!queue.arrival_listed) {
    queue.arrival_listed = true;
    arrivals_.emplace_back(&queue);
  }
  if (std::exchange(flush_posted_, true)) return;
  // Runs behind the appends that are queued now: one wake for all of them.
  log_.post(self(), [this] {
    flush_posted_ = false;
    for (const auto& arrived : arrivals_) arrived->arrival_listed = false;
    inTables([this, arrivals = std::exchange(arrivals_, {})] { wake(arrivals); });
  });
}

/// Encoding the answer is not the log's business (B2).
void BrokerCore::answerLater(SendTask& task) {
  answers_.post(task);
}

void BrokerCore::answerSend(SendTask& task) {
  const store::PutResult& result = task.result;
  ResponseCode code = ResponseCode::SUCCESS;
  switch (result.status) {
    case store::PutStatus::PUT_OK:
      break;
    case store::PutStatus::FLUSH_DISK_TIMEOUT:
      code = ResponseCode::FLUSH_DISK_TIMEOUT;
      break;
    case store::PutStatus::MESSAGE_ILLEGAL:
      return refuseSend(
          std::move(task.responder),
          {ResponseCode::MESSAGE_ILLEGAL, "the message is illegal: it takes " + std::to_string(task.image().size()) +
                                              " bytes in the log, which is more than a segment holds"});
    case store::PutStatus::SERVICE_NOT_AVAILABLE:
      return refuseSend(
          std::move(task.responder),
          {ResponseCode::SERVICE_NOT_AVAILABLE, "service not available now. Either the disk of " + options_.brokerName +
                                                    " is full or failed, or the broker is shut down"});
    case store::PutStatus::CREATE_MAPPED_FILE_FAILED:
      return refuseSend(std::move(task.responder),
                        {ResponseCode::SYSTEM_ERROR, "create mapped file failed, server is busy or broken."});
  }
  protocol::SendMessageResponseHeaderView header;
  header.queueId = task.queue->queueId();
  header.queueOffset = result.queueOffset;
  header.transactionId = task.uniqKey();
  header.msgRegion = options_.regionId;
  header.traceOn = boolText(options_.traceOn);
  std::array<char, protocol::UniqIdGenerator::kSizeMax> id;
  std::string ids;
  if (task.batch.empty()) {
    const OffsetDigits digits(result.physicalOffset);
    std::memcpy(id.data(), msg_id_prefix_.data(), msg_id_prefix_.size());
    std::memcpy(id.data() + msg_id_prefix_.size(), digits.digits.data(), digits.digits.size());
    header.msgId = {id.data(), msg_id_prefix_.size() + digits.digits.size()};
  } else {
    ids.reserve(task.batch.size() * (msg_id_prefix_.size() + sizeof(OffsetDigits) + 1));
    std::int64_t physical = result.physicalOffset;
    for (const auto& part : task.batch) {
      if (!ids.empty()) ids += ',';
      const OffsetDigits digits(physical);
      ids.append(msg_id_prefix_).append(digits.digits.data(), digits.digits.size());
      physical += part.size;
    }
    header.msgId = ids;
  }
  std::move(task.responder).answer(code, {}, header);
}

}  // namespace mqclient::broker
