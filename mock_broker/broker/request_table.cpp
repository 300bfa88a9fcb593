// Request code → handler → permission. A code without a row does not exist.
#include <algorithm>
#include <iterator>
#include <utility>

#include "mock_broker/broker/core.h"

namespace mqclient::broker {

/// What a caller needs to be allowed, once callers have names. Every row says one.
enum class Permission { kPublish, kSubscribe, kClient, kAdmin };

struct RequestTable {
  using Handler = void (*)(BrokerCore&, remoting::Request&&, remoting::Responder&&);

  struct Row {
    constexpr Row(RequestCode c, Handler h, Permission p) : code(c), handle(h), permission(p) {}
    RequestCode code;
    Handler handle;
    Permission permission;
  };

  template <auto Method>
  static void raw(BrokerCore& core, remoting::Request&& request, remoting::Responder&& responder) {
    (core.*Method)(std::move(request), std::move(responder));
  }

  /// For handlers of a typed header: what cannot be read is answered here.
  template <class Header, auto Method>
  static void typed(BrokerCore& core, remoting::Request&& request, remoting::Responder&& responder) {
    auto header = protocol::decodeHeader<Header>(request.command.ext);
    if (!header) return std::move(responder).answer(ResponseCode::SYSTEM_ERROR, header.error().message());
    (core.*Method)(*std::move(header), std::move(request), std::move(responder));
  }

  static const Row* find(RequestCode code) noexcept {
    const auto row = std::lower_bound(std::begin(kRows), std::end(kRows), code,
                                      [](const Row& r, RequestCode c) { return r.code < c; });
    return row != std::end(kRows) && row->code == code ? row : nullptr;
  }

  static const Row kRows[18];
};

using Core = BrokerCore;
namespace p = protocol;

// Ascending by code.
constexpr RequestTable::Row RequestTable::kRows[] = {
    {RequestCode::SEND_MESSAGE, &raw<&Core::sendMessage>, Permission::kPublish},
    {RequestCode::PULL_MESSAGE, &raw<&Core::pullMessage>, Permission::kSubscribe},
    {RequestCode::QUERY_CONSUMER_OFFSET, &typed<p::QueryConsumerOffsetRequestHeader, &Core::queryConsumerOffset>,
     Permission::kSubscribe},
    {RequestCode::UPDATE_CONSUMER_OFFSET, &typed<p::UpdateConsumerOffsetRequestHeader, &Core::updateConsumerOffset>,
     Permission::kSubscribe},
    {RequestCode::UPDATE_AND_CREATE_TOPIC, &typed<p::CreateTopicRequestHeader, &Core::updateAndCreateTopic>,
     Permission::kAdmin},
    {RequestCode::GET_BROKER_CONFIG, &raw<&Core::getBrokerConfig>, Permission::kAdmin},
    {RequestCode::GET_BROKER_RUNTIME_INFO, &raw<&Core::getBrokerRuntimeInfo>, Permission::kAdmin},
    {RequestCode::SEARCH_OFFSET_BY_TIMESTAMP, &typed<p::SearchOffsetRequestHeader, &Core::searchOffset>,
     Permission::kSubscribe},
    {RequestCode::GET_MAX_OFFSET, &typed<p::GetMaxOffsetRequestHeader, &Core::getMaxOffset>, Permission::kSubscribe},
    {RequestCode::GET_MIN_OFFSET, &typed<p::GetMinOffsetRequestHeader, &Core::getMinOffset>, Permission::kSubscribe},
    {RequestCode::GET_EARLIEST_MSG_STORETIME,
     &typed<p::GetEarliestMsgStoretimeRequestHeader, &Core::getEarliestMsgStoretime>, Permission::kSubscribe},
    {RequestCode::HEART_BEAT, &raw<&Core::heartBeat>, Permission::kClient},
    {RequestCode::UNREGISTER_CLIENT, &typed<p::UnregisterClientRequestHeader, &Core::unregisterClient>,
     Permission::kClient},
    {RequestCode::GET_CONSUMER_LIST_BY_GROUP,
     &typed<p::GetConsumerListByGroupRequestHeader, &Core::getConsumerListByGroup>, Permission::kSubscribe},
    {RequestCode::CHECK_CLIENT_CONFIG, &raw<&Core::checkClientConfig>, Permission::kSubscribe},
    {RequestCode::SEND_MESSAGE_V2, &raw<&Core::sendMessage>, Permission::kPublish},
    {RequestCode::SEND_BATCH_MESSAGE, &raw<&Core::sendMessage>, Permission::kPublish},
    {RequestCode::LITE_PULL_MESSAGE, &raw<&Core::pullMessage>, Permission::kSubscribe},
};

void BrokerCore::handle(remoting::Request&& request, remoting::Responder&& responder) noexcept {
  if (const RequestTable::Row* row = RequestTable::find(request.command.requestCode())) {
    return row->handle(*this, std::move(request), std::move(responder));
  }
  std::move(responder).answer(ResponseCode::REQUEST_CODE_NOT_SUPPORTED,
                              " request type " + std::to_string(request.command.code) + " not supported");
}

}  // namespace mqclient::broker
