#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "protocol/field.h"

namespace mqclient::protocol {

/// UPDATE_AND_CREATE_TOPIC (17)
struct CreateTopicRequestHeader {
  std::string topic{};
  std::string defaultTopic{};
  std::int32_t readQueueNums{};
  std::int32_t writeQueueNums{};
  std::int32_t perm{};                        ///< bits of names.h
  std::string topicFilterType{"SINGLE_TAG"};  ///< SINGLE_TAG or MULTI_TAG
  std::optional<std::int32_t> topicSysFlag{};
  bool order{};
  std::string attributes{};  ///< 5.x: "+key=value,-key"
  std::optional<bool> force{};

  static constexpr std::string_view kName = "CreateTopicRequestHeader";
  static constexpr auto fields() {
    using H = CreateTopicRequestHeader;
    return std::tuple{must("topic", &H::topic),
                      must("defaultTopic", &H::defaultTopic),
                      must("readQueueNums", &H::readQueueNums),
                      must("writeQueueNums", &H::writeQueueNums),
                      must("perm", &H::perm),
                      must("topicFilterType", &H::topicFilterType),
                      may("topicSysFlag", &H::topicSysFlag),
                      may("order", &H::order),
                      may("attributes", &H::attributes),
                      may("force", &H::force)};
  }
  bool operator==(const CreateTopicRequestHeader&) const = default;
};

}  // namespace mqclient::protocol
