#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>

#include "mqclient/default_mq_producer.h"
#include "mqclient/message.h"
#include "mqclient/mock_cluster.h"

namespace mqclient {
inline namespace v1 {

// How GoogleTest shows what is ours when an expectation fails. Found by the type's namespace; nobody calls them. Where
// files of one program include this and others do not, GoogleTest may show bytes in either.

namespace detail {

/// Of a body so much is shown.
inline constexpr std::size_t kBodyShown = 80;

inline std::string shownBody(std::string_view body) {
  const std::string_view head = body.substr(0, kBodyShown);
  const bool readable = std::all_of(head.begin(), head.end(), [](unsigned char c) { return std::isprint(c) != 0; });
  std::string text = readable ? '"' + std::string(head) + '"' : ::testing::PrintToString(std::string(head));
  if (head.size() < body.size()) text += "... (" + std::to_string(body.size()) + " bytes)";
  return text;
}

/// `, name "value"`, or nothing.
inline std::string shownIfAny(const char* name, std::string_view value) {
  return value.empty() ? std::string() : std::string(", ") + name + " \"" + std::string(value) + '"';
}

}  // namespace detail

inline void PrintTo(const Message& message, std::ostream* out) {
  *out << "message to " << message.topic() << ", body " << detail::shownBody(message.body().text())
       << detail::shownIfAny("tag", message.property("TAGS")) << detail::shownIfAny("keys", message.property("KEYS"));
}

inline void PrintTo(const MessageExt& message, std::ostream* out) {
  *out << "message of " << message.topic() << " in " << message.messageQueue().brokerName() << '/'
       << message.messageQueue().queueId() << '@' << message.queueOffset() << ", body "
       << detail::shownBody(message.body()) << detail::shownIfAny("tag", message.tags())
       << detail::shownIfAny("keys", message.keys());
}

inline void PrintTo(const Captured& frame, std::ostream* out) {
  *out << (frame.responseCode < 0 ? "request " : "reply to ") << toString(frame.code);
  if (frame.responseCode >= 0) *out << " with code " << frame.responseCode;
  *out << (frame.direction == FrameDirection::kToNode ? " to " : " of ") << frame.node
       << detail::shownIfAny("client", frame.clientId) << detail::shownIfAny("topic", frame.topic)
       << detail::shownIfAny("group", frame.group);
  if (frame.queueId >= 0) *out << ", queue " << frame.queueId;
  *out << ", at " << frame.at.count() << " ms" << detail::shownIfAny("fault", frame.fault);
}

inline void PrintTo(const SendResult& result, std::ostream* out) {
  *out << toString(result.sendStatus) << detail::shownIfAny("id", result.msgId);
  if (result.messageQueue) *out << " in " << *result.messageQueue << '@' << result.queueOffset;
}

inline void PrintTo(const SendOptions& options, std::ostream* out) {
  *out << "timeout " << (options.timeout ? std::to_string(options.timeout->count()) + " ms" : "the producer's")
       << ", retries " << (options.retryTimes ? std::to_string(*options.retryTimes) : "the producer's");
}

inline void PrintTo(const MessageQueueSelector& selector, std::ostream* out) {
  if (const MessageQueue* queue = selector.messageQueue()) {
    *out << *queue;
  } else {
    *out << "a selecting function";
  }
}

inline void PrintTo(const CloseReport& report, std::ostream* out) {
  *out << report.toString();
}

inline void PrintTo(const MockCluster& cluster, std::ostream* out) {
  *out << "cluster " << cluster.namesrvAddr();
}

template <class T>
void PrintTo(const Result<T>& result, std::ostream* out) {
  if (!result) {
    *out << "error: " << result.error();
  } else if constexpr (std::is_void_v<T>) {
    *out << "success";
  } else {
    *out << "success: " << ::testing::PrintToString(*result);
  }
}

}  // namespace v1
}  // namespace mqclient
