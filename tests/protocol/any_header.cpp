#include "tests/protocol/any_header.h"

#include <array>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>

#include "protocol/headers/back.h"
#include "protocol/headers/client.h"
#include "protocol/headers/namesrv.h"
#include "protocol/headers/offset.h"
#include "protocol/headers/pull.h"
#include "protocol/headers/query.h"
#include "protocol/headers/relay.h"
#include "protocol/headers/reply.h"
#include "protocol/headers/send.h"
#include "protocol/headers/topic.h"
#include "protocol/headers/transaction.h"

namespace mqclient::protocol::test {
namespace {

using Headers =
    std::tuple<ConsumerSendMsgBackRequestHeader, HeartbeatResponseHeader, UnregisterClientRequestHeader,
               GetConsumerListByGroupRequestHeader, NotifyConsumerIdsChangedRequestHeader, LockBatchMqRequestHeader,
               UnlockBatchMqRequestHeader, RegisterBrokerRequestHeader, RegisterBrokerResponseHeader,
               UnRegisterBrokerRequestHeader, GetRouteInfoRequestHeader, QueryDataVersionRequestHeader,
               QueryDataVersionResponseHeader, QueryConsumerOffsetRequestHeader, QueryConsumerOffsetResponseHeader,
               UpdateConsumerOffsetRequestHeader, SearchOffsetRequestHeader, SearchOffsetResponseHeader,
               GetMaxOffsetRequestHeader, GetMaxOffsetResponseHeader, GetMinOffsetRequestHeader,
               GetMinOffsetResponseHeader, GetEarliestMsgStoretimeRequestHeader, GetEarliestMsgStoretimeResponseHeader,
               PullMessageRequestHeader, PullMessageResponseHeader, QueryMessageRequestHeader,
               QueryMessageResponseHeader, ViewMessageRequestHeader, ResetOffsetRequestHeader,
               GetConsumerStatusRequestHeader, GetConsumerRunningInfoRequestHeader,
               ConsumeMessageDirectlyResultRequestHeader, ReplyMessageRequestHeader, SendMessageRequestHeader,
               SendMessageRequestHeaderV2, SendMessageResponseHeader, CreateTopicRequestHeader,
               EndTransactionRequestHeader, CheckTransactionStateRequestHeader>;

/// A value for the n-th field: never the initializer, so that a field that is not carried is seen.
void sample(int n, std::string& to) {
  to = "text \"" + std::to_string(n) + "\"\x01\xC3\xA9";
}
void sample(int n, std::int32_t& to) {
  to = n % 2 == 0 ? -1000000000 - n : 2147483647 - n;
}
void sample(int n, std::int64_t& to) {
  to = n % 2 == 0 ? -9000000000000000000 - n : 9223372036854775807 - n;
}
void sample(int, bool& to) {
  to = !to;
}
template <class T>
void sample(int n, std::optional<T>& to) {
  sample(n, to.emplace());
}

template <class Header>
const Header& as(const AnyHeader& header) {
  return *static_cast<const Header*>(header.get());
}

template <class Header>
AnyHeader filled(Which which) {
  auto out = std::make_shared<Header>();
  int n = 0;
  std::apply(
      [&](const auto&... field) {
        ((++n, which == Which::kAll || field.need == Need::kRequired ? sample(n, *out.*field.member) : void()), ...);
      },
      Header::fields());
  return out;
}

template <class Header>
base::Chain encodeRequestOf(const RequestHead& head, const AnyHeader& header) {
  return encodeRequest(head, as<Header>(header));
}

template <class Header>
Result<AnyHeader> decode(const ExtFields& ext) {
  auto header = decodeHeader<Header>(ext);
  if (!header) return header.error();
  return AnyHeader(std::make_shared<const Header>(*std::move(header)));
}

template <class Header>
bool equal(const AnyHeader& a, const AnyHeader& b) {
  return as<Header>(a) == as<Header>(b);
}

template <class... Header>
constexpr auto typesOf(std::type_identity<std::tuple<Header...>>) {
  return std::array{HeaderType{Header::kName, detail::kFieldRows<Header>, &filled<Header>, &encodeRequestOf<Header>,
                               &decode<Header>, &equal<Header>}...};
}
constexpr auto kTypes = typesOf(std::type_identity<Headers>());

}  // namespace

std::span<const HeaderType> headerTypes() {
  return kTypes;
}

}  // namespace mqclient::protocol::test
