#include "protocol/body/route.h"

#include "protocol/body/json_fields.h"

namespace mqclient::protocol {

std::string TopicRouteData::encode(JsonDialect dialect) const {
  return json::encode(*this, dialect);
}
Result<TopicRouteData> TopicRouteData::decode(std::string_view text) {
  return json::decode<TopicRouteData>(text, "TopicRouteData");
}

}  // namespace mqclient::protocol
