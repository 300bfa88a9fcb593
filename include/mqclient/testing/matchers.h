#pragma once

#include <gmock/gmock.h>

#include <concepts>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mqclient/default_mq_push_consumer.h"
#include "mqclient/mock_cluster.h"
#include "mqclient/testing/history_checks.h"
#include "mqclient/testing/printers.h"

namespace mqclient {
inline namespace v1 {

// Matchers for messages, results and the facts of a MockCluster. What is compared with may be a value or a matcher; a
// failure says what there was instead.
//
//   EXPECT_CALL(producer, doSend(HasKey("42"), _, _));
//   EXPECT_THAT(producer.send(message), IsOk());
//   EXPECT_THAT(cluster, Stored("orders", ElementsAre(AllOf(HasBody("{}"), HasTag("paid")))));
//   EXPECT_TRUE(eventually(cluster, 5s, CommittedAt("billing", MessageQueue("orders", "broker-a", 0), 3)));

namespace detail {

inline std::string_view bodyOf(const Message& m) {
  return m.body().text();
}
inline std::string_view bodyOf(const MessageExt& m) {
  return m.body();
}
/// Empty: it has none (nobody can have an empty one).
inline std::string_view propertyOf(const Message& m, const std::string& name) {
  return m.property(name);
}
inline std::string_view propertyOf(const MessageExt& m, const std::string& name) {
  return m.property(name).value_or("");
}

/// Keys are words joined by a blank.
inline std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> all;
  while (!text.empty()) {
    const std::size_t end = text.find(' ');
    if (end != 0) all.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return all;
}

template <class Value, class Inner>
std::string describe(const Inner& inner, bool negation) {
  return ::testing::DescribeMatcher<Value>(inner, negation);
}

}  // namespace detail

/// Of a Message or a MessageExt.
MATCHER_P(HasBody, body, "has a body that " + detail::describe<std::string>(body, negation)) {
  const std::string found(detail::bodyOf(arg));
  *result_listener << "whose body is " << detail::shownBody(found);
  return ::testing::ExplainMatchResult(body, found, result_listener);
}

MATCHER_P(HasTag, tag, "has a tag that " + detail::describe<std::string>(tag, negation)) {
  const std::string found(detail::propertyOf(arg, "TAGS"));
  *result_listener << (found.empty() ? std::string("which has no tag") : "whose tag is \"" + found + '"');
  return ::testing::ExplainMatchResult(tag, found, result_listener);
}

/// One of its keys is this one.
MATCHER_P(HasKey, key,
          std::string(negation ? "has no key that " : "has a key that ") + detail::describe<std::string>(key, false)) {
  const std::vector<std::string> found = detail::words(detail::propertyOf(arg, "KEYS"));
  *result_listener << (found.empty() ? "which has no keys" : "whose keys are " + ::testing::PrintToString(found));
  return ::testing::Value(found, ::testing::Contains(key));
}

/// A property of yours, or one of RocketMQ's by its name on the wire.
MATCHER_P2(HasProperty, name, value,
           std::string("has property ") + name + ", which " + detail::describe<std::string>(value, negation)) {
  const std::string found(detail::propertyOf(arg, name));
  *result_listener << "whose property " << name << " is ";
  if (found.empty()) {
    *result_listener << "not there";
    return false;
  }
  *result_listener << '"' << found << '"';
  return ::testing::ExplainMatchResult(value, found, result_listener);
}

/// Of any Result.
MATCHER(IsOk, negation ? "is an error" : "is a success") {
  if (!arg) *result_listener << "which is the error " << arg.error();
  return arg.has_value();
}

MATCHER_P(IsOkAnd, value, "is a success whose value matches") {
  if (!arg) {
    *result_listener << "which is the error " << arg.error();
    return false;
  }
  return ::testing::ExplainMatchResult(value, *arg, result_listener);
}

MATCHER(IsError, negation ? "is a success" : "is an error") {
  if (!arg) *result_listener << "which is the error " << arg.error();
  return !arg.has_value();
}

/// Of an Error: its code.
MATCHER_P(HasErrorCode, code, "has the code that " + detail::describe<ErrorCode>(code, negation)) {
  *result_listener << "which is " << arg;
  return ::testing::Value(arg.code(), code);
}

/// Of any Result: an error with this code.
MATCHER_P(IsError, code, "is an error whose code " + detail::describe<ErrorCode>(code, negation)) {
  if (arg) {
    *result_listener << "which is a success";
    return false;
  }
  return ::testing::ExplainMatchResult(HasErrorCode(code), arg.error(), result_listener);
}

/// The same, and its text.
MATCHER_P2(IsError, code, message,
           "is an error whose code " + detail::describe<ErrorCode>(code, negation) + " and whose text " +
               detail::describe<std::string>(message, negation)) {
  return ::testing::ExplainMatchResult(IsError(code), arg, result_listener) &&
         ::testing::ExplainMatchResult(message, arg.error().message(), result_listener);
}

/// Of a CheckReport (history.h): nothing was violated.
MATCHER(Holds, negation ? "is violated" : "is kept") {
  return static_cast<bool>(arg);
}

// ---- of a MockCluster

/// What its brokers hold of a topic, by broker, queue and offset, matches.
MATCHER_P2(Stored, topic, messages,
           std::string("stores messages of ") + topic + " which, as a list, " +
               detail::describe<std::vector<MessageExt>>(messages, negation)) {
  const std::vector<MessageExt> found = arg.messages(topic);
  *result_listener << "which stores " << found.size() << " of them: " << ::testing::PrintToString(found) << ' ';
  return ::testing::ExplainMatchResult(messages, found, result_listener);
}

/// The frames that fit, oldest first, match: requests to the nodes unless `match` names a direction. Of a cluster that
/// records: MockClusterTest's, or one with recordFromStart.
///   EXPECT_THAT(cluster, Received(Match{.code = RequestCode::HEART_BEAT}, SizeIs(Ge(1))));
MATCHER_P2(Received, match, frames,
           "received frames which, as a list, " + detail::describe<std::vector<Captured>>(frames, negation)) {
  Match wanted = match;
  if (!wanted.direction) wanted.direction = FrameDirection::kToNode;
  const std::vector<Captured> found = arg.requests(wanted);
  *result_listener << "which received " << found.size() << " of them: " << ::testing::PrintToString(found) << ' ';
  return ::testing::ExplainMatchResult(frames, found, result_listener);
}

/// The broker's committed offset of a group in a queue; -1: it has none.
MATCHER_P3(CommittedAt, group, queue, offset,
           std::string("has an offset of group ") + group + " in " + ::testing::PrintToString(queue) + " that " +
               detail::describe<std::int64_t>(offset, negation)) {
  const std::int64_t found = arg.committedOffset(group, queue);
  *result_listener << "where " << (found < 0 ? std::string("nothing is committed") : "it is " + std::to_string(found));
  return ::testing::Value(found, ::testing::SafeMatcherCast<std::int64_t>(offset));
}

namespace detail {
MATCHER_P(IsAssignedToThat, consumer, negation ? "is not that consumer's" : "is that consumer's") {
  for (const QueueProgress& queue : consumer->progress()) {
    if (queue.messageQueue == arg) return true;
  }
  for (const RebalanceReport::Row& row : consumer->explain(arg.topic()).rows) {
    if (row.messageQueue == arg) {
      *result_listener << "which is " << (row.owner.empty() ? "nobody's" : row.owner + "'s") << ' ' << row.why;
      return false;
    }
  }
  *result_listener << "which " << consumer->clientId() << " does not know";
  return false;
}
}  // namespace detail

/// Of a MessageQueue: it is among those that this consumer has now. The consumer must outlive the matcher.
inline auto IsAssignedTo(const MQPushConsumer& consumer) {
  return detail::IsAssignedToThat(&consumer);
}

// ---- time

namespace detail {
inline ::testing::AssertionResult notWithin(Millis within) {
  return ::testing::AssertionFailure() << "not within " << within.count() << " ms of the cluster's time";
}
}  // namespace detail

/// Lets the cluster's time pass until `condition()` holds, at most `within`: virtual time jumps, so nobody waits.
/// For EXPECT_TRUE; the text of a failure says how long.
template <std::predicate C>
::testing::AssertionResult eventually(MockCluster& cluster, Millis within, C condition) {
  if (cluster.waitUntil(std::ref(condition), within)) return ::testing::AssertionSuccess();
  return detail::notWithin(within) << "; the condition still does not hold";
}

/// The same until `subject` matches; looked at again after every event. A failure says what there was at the end.
///   EXPECT_TRUE(eventually(cluster, 20s, queue, IsAssignedTo(second)));
template <class S, class M>
::testing::AssertionResult eventually(MockCluster& cluster, Millis within, const S& subject, const M& matcher) {
  const ::testing::Matcher<const S&> wanted = ::testing::SafeMatcherCast<const S&>(matcher);
  if (cluster.waitUntil([&] { return wanted.Matches(subject); }, within)) return ::testing::AssertionSuccess();
  ::testing::StringMatchResultListener found;
  wanted.MatchAndExplain(subject, &found);
  return detail::notWithin(within) << "\nexpected: " << ::testing::PrintToString(subject) << ' '
                                   << ::testing::DescribeMatcher<const S&>(wanted) << "\n  actual: " << found.str();
}

/// The same for a fact of the cluster itself: eventually(cluster, 5s, Stored("orders", SizeIs(3))).
template <class M>
requires(!std::predicate<M&>)::testing::AssertionResult
    eventually(MockCluster& cluster, Millis within, const M& matcher) {
  return eventually(cluster, within, std::as_const(cluster), matcher);
}

}  // namespace v1
}  // namespace mqclient
