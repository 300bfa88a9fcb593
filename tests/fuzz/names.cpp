// Message ids, addresses, names of topics and groups, tag expressions: each takes the whole text.
#include <algorithm>
#include <cctype>

#include "protocol/message_id.h"
#include "protocol/message_record.h"
#include "protocol/names.h"
#include "protocol/subscription.h"
#include "tests/fuzz/naive.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {
namespace {

constexpr std::size_t kComplaintBound = 512;

void checkId(std::string_view text) {
  const auto id = protocol::parseOffsetMsgId(text);
  const bool hex = std::ranges::all_of(text, [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; });
  demand(id.has_value() == (hex && (text.size() == 32 || text.size() == 56)), "32 or 56 hex digits are an id");
  if (!id) return;
  std::string upper(text);
  std::ranges::transform(upper, upper.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
  demand(protocol::createOffsetMsgId(id->storeHost, id->commitLogOffset) == upper, "an id says the same once written");
}

void checkHost(std::string_view text) {
  const auto host = protocol::RecordHost::parse(text);
  if (!host) return;
  const auto again = protocol::RecordHost::parse(host->toString());
  demand(again == host, "an address reads the same once written");
}

void checkNames(std::string_view text) {
  const bool prefixed = protocol::isRetryTopic(text) || protocol::isDlqTopic(text);
  const std::size_t longest = prefixed ? protocol::kMaxRetryTopicLength : protocol::kMaxTopicLength;
  const auto topic = protocol::complaintAboutTopic(text);
  const auto group = protocol::complaintAboutGroup(text);
  demand(topic.has_value() != naive::isName(text, longest), "a topic is what the alphabet and the length allow");
  demand(group.has_value() != naive::isName(text, protocol::kMaxGroupLength), "a group too");
  for (const auto& complaint : {topic, group}) {
    if (!complaint) continue;
    demand(!complaint->empty() && complaint->size() <= kComplaintBound, "a complaint is a short text");
    demand(std::ranges::none_of(*complaint, [](char c) { return static_cast<unsigned char>(c) < 0x20; }),
           "that nobody's terminal minds");
  }
  (void)protocol::isSystemTopic(text);
  (void)protocol::isReservedProperty(text);
  demand(protocol::isRetryTopic(protocol::retryTopic(text)), "a group's retry topic is one");
}

void checkNamespace(std::string_view ns, std::string_view name) {
  const std::string wrapped = protocol::wrapNamespace(ns, name);
  if (ns.find('%') != std::string_view::npos) return;  // no namespace has one: it is the separator
  demand(protocol::wrapNamespace(ns, wrapped) == wrapped, "a namespace is put on once");
  demand(wrapped == name || protocol::withoutNamespace(wrapped, ns) == name, "and comes off");
}

void checkTags(std::string_view text) {
  const auto data = protocol::buildSubscriptionData("topic", text, 1);
  if (!data) return;
  demand(data->codeSet.size() <= data->tagsSet.size(), "tags of equal hashes share them");
  for (const std::string& tag : data->tagsSet) demand(protocol::matchesTag(*data, tag), "a tag matches itself");
  for (const std::int32_t code : data->codeSet) demand(protocol::matchesTagsCode(*data, code), "and so does its hash");
}

void run(Input& input) {
  const std::string_view text = input.rest();
  checkId(text);
  checkHost(text);
  checkNames(text);
  const std::size_t middle = text.find('\n');
  if (middle != std::string_view::npos) checkNamespace(text.substr(0, middle), text.substr(middle + 1));
  checkTags(text);
}

const Registration kTarget("names", run);

}  // namespace
}  // namespace mqclient::fuzz
