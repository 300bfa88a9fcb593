#include "consumer/offset_requests.h"

#include <chrono>
#include <utility>

#include "client/response_error.h"
#include "mqclient/codes.h"
#include "protocol/headers/offset.h"
#include "protocol/remoting_command.h"

namespace mqclient::consumer {
namespace {

using protocol::RemotingCommand;

client::BrokerTarget masterOf(const MessageQueue& queue) {
  return {.broker_name = queue.brokerName(), .broker_id = 0, .only_this = client::OnlyThis::kNo};
}

std::string what(const char* request, const MessageQueue& queue) {
  return std::string(request) + " of " + queue.toString();
}

/// A request whose answer carries one offset.
template <class ResponseHeader, class Header>
void askOffset(client::MQClientInstance& instance, const MessageQueue& queue, RequestCode code, const char* request,
               const Header& header, base::SteadyTime deadline, base::Completion<std::int64_t> done) {
  instance.invokeBroker(masterOf(queue), code, header, {}, deadline,
                        base::Completion<RemotingCommand>::of([text = what(request, queue), done = std::move(done)](
                                                                  Result<RemotingCommand>&& answer) mutable {
                          if (!answer) return std::move(done)(std::move(answer).error());
                          if (answer->responseCode() != ResponseCode::SUCCESS) {
                            return std::move(done)(client::responseError(*answer, text));
                          }
                          Result<ResponseHeader> found = protocol::decodeHeader<ResponseHeader>(answer->ext);
                          if (!found) return std::move(done)(std::move(found).error());
                          std::move(done)(found->offset);
                        }));
}

}  // namespace

void queryOffset(client::MQClientInstance& instance, const std::string& group, const MessageQueue& queue,
                 base::SteadyTime deadline, base::Completion<std::optional<std::int64_t>> done) {
  protocol::QueryConsumerOffsetRequestHeader header;
  header.consumerGroup = group;
  header.topic = queue.topic();
  header.queueId = queue.queueId();
  header.bname = queue.brokerName();
  instance.invokeBroker(
      masterOf(queue), RequestCode::QUERY_CONSUMER_OFFSET, header, {}, deadline,
      base::Completion<RemotingCommand>::of(
          [text = what("offset query", queue), done = std::move(done)](Result<RemotingCommand>&& answer) mutable {
            if (!answer) return std::move(done)(std::move(answer).error());
            if (answer->responseCode() == ResponseCode::QUERY_NOT_FOUND) {
              return std::move(done)(std::optional<std::int64_t>());
            }
            if (answer->responseCode() != ResponseCode::SUCCESS) {
              return std::move(done)(client::responseError(*answer, text));
            }
            auto found = protocol::decodeHeader<protocol::QueryConsumerOffsetResponseHeader>(answer->ext);
            if (!found) return std::move(done)(std::move(found).error());
            if (found->offset < 0) {
              return std::move(done)(
                  Error(ErrorCode::kCorrupt, text + ": the broker answered offset " + std::to_string(found->offset)));
            }
            std::move(done)(std::optional<std::int64_t>(found->offset));
          }));
}

void commitOffset(client::MQClientInstance& instance, const std::string& group, const MessageQueue& queue,
                  std::int64_t offset, base::SteadyTime deadline, base::Completion<void> done) {
  protocol::UpdateConsumerOffsetRequestHeader header;
  header.consumerGroup = group;
  header.topic = queue.topic();
  header.queueId = queue.queueId();
  header.commitOffset = offset;
  header.bname = queue.brokerName();
  instance.invokeBroker(masterOf(queue), RequestCode::UPDATE_CONSUMER_OFFSET, header, {}, deadline,
                        base::Completion<RemotingCommand>::of([text = what("commit", queue), done = std::move(done)](
                                                                  Result<RemotingCommand>&& answer) mutable {
                          if (!answer) return std::move(done)(std::move(answer).error());
                          if (answer->responseCode() != ResponseCode::SUCCESS) {
                            return std::move(done)(client::responseError(*answer, text));
                          }
                          std::move(done)(Result<void>());
                        }));
}

void queryMaxOffset(client::MQClientInstance& instance, const MessageQueue& queue, base::SteadyTime deadline,
                    base::Completion<std::int64_t> done) {
  protocol::GetMaxOffsetRequestHeader header;
  header.topic = queue.topic();
  header.queueId = queue.queueId();
  header.bname = queue.brokerName();
  askOffset<protocol::GetMaxOffsetResponseHeader>(instance, queue, RequestCode::GET_MAX_OFFSET, "max offset", header,
                                                  deadline, std::move(done));
}

void queryMinOffset(client::MQClientInstance& instance, const MessageQueue& queue, base::SteadyTime deadline,
                    base::Completion<std::int64_t> done) {
  protocol::GetMinOffsetRequestHeader header;
  header.topic = queue.topic();
  header.queueId = queue.queueId();
  header.bname = queue.brokerName();
  askOffset<protocol::GetMinOffsetResponseHeader>(instance, queue, RequestCode::GET_MIN_OFFSET, "min offset", header,
                                                  deadline, std::move(done));
}

void searchOffset(client::MQClientInstance& instance, const MessageQueue& queue, WallTime time,
                  base::SteadyTime deadline, base::Completion<std::int64_t> done) {
  protocol::SearchOffsetRequestHeader header;
  header.topic = queue.topic();
  header.queueId = queue.queueId();
  header.timestamp = std::chrono::duration_cast<Millis>(time.time_since_epoch()).count();
  header.bname = queue.brokerName();
  askOffset<protocol::SearchOffsetResponseHeader>(instance, queue, RequestCode::SEARCH_OFFSET_BY_TIMESTAMP,
                                                  "offset search", header, deadline, std::move(done));
}

}  // namespace mqclient::consumer
