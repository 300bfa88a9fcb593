#include "producer/stored_send.h"

#include <string>

namespace mqclient::producer {

bool StoredSend::keep(SendStatus status, std::int32_t queue_id, std::int64_t queue_offset,
                      const Texts& texts) noexcept {
  status_ = status;
  queue_id_ = queue_id;
  queue_offset_ = queue_offset;
  std::size_t end = 0;
  std::size_t i = 0;
  for (const std::string_view text :
       {texts.topic, texts.broker_name, texts.msg_id, texts.offset_msg_id, texts.region_id}) {
    if (text.size() > chars_.size() - end) return false;
    end += text.copy(chars_.data() + end, text.size());
    ends_[i++] = static_cast<std::uint16_t>(end);
  }
  return true;
}

Result<SendResult> StoredSend::take() noexcept {
  std::size_t i = 0;
  std::size_t at = 0;
  const auto next = [&] {
    const std::size_t begin = at;
    at = ends_[i++];
    return std::string_view(chars_.data() + begin, at - begin);
  };
  SendResult result;
  result.sendStatus = status_;
  result.queueOffset = queue_offset_;
  const std::string_view topic = next();
  const std::string_view broker_name = next();
  result.messageQueue.emplace(topic, broker_name, queue_id_);
  result.brokersTried.emplace_back(broker_name);
  result.msgId = next();
  result.offsetMsgId = next();
  result.regionId = next();
  delete this;
  return result;
}

}  // namespace mqclient::producer
