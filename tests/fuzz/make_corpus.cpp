// make_fuzz_corpus DIR: writes DIR/<target>/<name> for every target, and DIR/mqclient.dict: frames, records and bodies
// as peers write them, whole and wrong, for the fuzzer to start from.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "protocol/batch.h"
#include "protocol/compression.h"
#include "protocol/headers/client.h"
#include "protocol/headers/namesrv.h"
#include "protocol/headers/offset.h"
#include "protocol/headers/pull.h"
#include "protocol/headers/send.h"
#include "protocol/headers/topic.h"
#include "protocol/message_id.h"
#include "protocol/message_record.h"
#include "protocol/names.h"
#include "protocol/properties.h"
#include "protocol/subscription.h"
#include "tests/fuzz/body_types.h"
#include "tests/fuzz/frame_checks.h"
#include "tests/fuzz/target.h"
#include "tests/protocol/any_header.h"
#include "tests/protocol/bytes.h"

namespace mqclient::fuzz {
namespace {

using protocol::SerializeType;
using protocol::test::bytesOf;

constexpr std::int64_t kBornMs = 1'700'000'000'000;

class Corpora {
 public:
  explicit Corpora(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void add(std::string_view target, std::string_view name, std::string_view bytes) {
    std::filesystem::create_directories(folder_ / target);
    write(folder_ / target / name, bytes);
  }
  void word(std::string_view text) { words_.emplace(text); }
  /// One word a line, in libFuzzer's quoting.
  void writeDictionary() const {
    std::string out = "# Names of fields, values of figures: written by make_fuzz_corpus.\n";
    for (const std::string& word : words_) {
      out.push_back('"');
      for (const char c : word) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\') {
          out.push_back(c);
          continue;
        }
        char hex[5];
        std::snprintf(hex, sizeof hex, "\\x%02X", byte);
        out += hex;
      }
      out += "\"\n";
    }
    write(folder_ / "mqclient.dict", out);
  }

 private:
  static void write(const std::filesystem::path& file, std::string_view bytes) {
    std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  const std::filesystem::path folder_;
  std::set<std::string> words_;
};

/// A text of one byte's length, as Input::text() reads it.
std::string counted(std::string_view text) {
  return std::string(1, static_cast<char>(text.size())).append(text);
}

template <class Header>
std::string request(RequestCode code, const Header& header, std::string_view body = {},
                    SerializeType type = SerializeType::ROCKETMQ, int opaque = 7) {
  return protocol::encodeRequest({.code = code, .opaque = opaque, .type = type}, header,
                                 base::Chain(base::Slice::copyOf(body)))
      .toString();
}

// ---- what peers say

std::string record(std::string_view topic, std::string_view body, std::string_view properties, std::int64_t offset,
                   std::int32_t sys_flag = 0, const char* host = "127.0.0.1:10911") {
  protocol::RecordFields f;
  f.queueOffset = offset;
  f.physicalOffset = offset * 256;
  f.sysFlag = sys_flag;
  f.bornTimestamp = f.storeTimestamp = kBornMs;
  f.bornHost = f.storeHost = *protocol::RecordHost::parse(host);
  f.body = asBytes(body);
  f.topic = topic;
  f.properties = properties;
  std::string out(protocol::recordSize(f), '\0');
  protocol::encodeRecord(reinterpret_cast<std::byte*>(out.data()), f);
  return out;
}

std::string propertiesText() {
  std::string out;
  protocol::appendProperty(out, protocol::kPropertyTags, "TagA");
  protocol::appendProperty(out, protocol::kPropertyKeys, "k1 k2");
  protocol::appendProperty(out, protocol::kPropertyUniqClientMessageIdKeyIdx, "7F0000010BCD18B4AAC2123456780001");
  return out;
}

std::string batchBody() {
  const std::string properties = propertiesText();
  const std::string_view bodies[] = {"one", "two", ""};
  std::vector<protocol::BatchElement> elements;
  for (const std::string_view body : bodies) {
    elements.push_back({.flag = 3, .body = asBytes(body), .properties = properties});
  }
  return std::string(protocol::encodeBatch(elements).text());
}

std::string heartbeat() {
  protocol::HeartbeatData data;
  data.clientID = "127.0.0.1@1#2";
  data.producerDataSet.push_back({"producers"});
  protocol::ConsumerData consumer;
  consumer.groupName = "consumers";
  consumer.subscriptionDataSet.push_back(*protocol::buildSubscriptionData("TopicTest", "TagA || TagB", 1));
  data.consumerDataSet.push_back(std::move(consumer));
  return data.encode();
}

protocol::TopicRouteData route() {
  protocol::TopicRouteData out;
  protocol::QueueData queues;
  queues.brokerName = "broker-a";
  queues.readQueueNums = queues.writeQueueNums = 4;
  queues.perm = 6;
  out.queueDatas.push_back(queues);
  protocol::BrokerData data;
  data.cluster = "DefaultCluster";
  data.brokerName = "broker-a";
  data.brokerAddrs[0] = "127.0.0.1:10911";
  out.brokerDatas.push_back(data);
  return out;
}

std::string registration() {
  protocol::RegisterBrokerBody body;
  protocol::TopicConfig topic;
  topic.topicName = "TopicTest";
  body.topicConfigSerializeWrapper.topicConfigTable["TopicTest"] = topic;
  return body.encode();
}

std::string sendRequest(std::string_view body, std::int32_t queue, SerializeType type = SerializeType::ROCKETMQ) {
  protocol::SendMessageRequestHeaderV2 h;
  h.producerGroup = "producers";
  h.topic = "TopicTest";
  h.defaultTopic = protocol::kAutoCreateTopicKeyTopic;
  h.queueId = queue;
  h.bornTimestamp = kBornMs;
  h.properties = propertiesText();
  return request(RequestCode::SEND_MESSAGE_V2, h, body, type, 8);
}
std::string batchRequest() {
  protocol::SendMessageRequestHeaderV2 h;
  h.producerGroup = "producers";
  h.topic = "TopicTest";
  h.defaultTopic = protocol::kAutoCreateTopicKeyTopic;
  h.batch = true;
  return request(RequestCode::SEND_BATCH_MESSAGE, h, batchBody(), SerializeType::ROCKETMQ, 9);
}
std::string pullRequest(std::int64_t offset, std::int32_t flags) {
  protocol::PullMessageRequestHeader h;
  h.consumerGroup = "consumers";
  h.topic = "TopicTest";
  h.queueOffset = offset;
  h.maxMsgNums = 32;
  h.sysFlag = flags;
  h.suspendTimeoutMillis = 1'000;
  h.subscription = "TagA || TagB";
  return request(RequestCode::PULL_MESSAGE, h, {}, SerializeType::ROCKETMQ, 10);
}
std::string offsetRequests() {
  protocol::UpdateConsumerOffsetRequestHeader update;
  update.consumerGroup = "consumers";
  update.topic = "TopicTest";
  update.commitOffset = 1;
  protocol::QueryConsumerOffsetRequestHeader query;
  query.consumerGroup = "consumers";
  query.topic = "TopicTest";
  protocol::GetMaxOffsetRequestHeader max;
  max.topic = "TopicTest";
  protocol::GetMinOffsetRequestHeader min;
  min.topic = "TopicTest";
  protocol::SearchOffsetRequestHeader search;
  search.topic = "TopicTest";
  search.timestamp = kBornMs;
  return request(RequestCode::UPDATE_CONSUMER_OFFSET, update, {}, SerializeType::ROCKETMQ, 11) +
         request(RequestCode::QUERY_CONSUMER_OFFSET, query, {}, SerializeType::ROCKETMQ, 12) +
         request(RequestCode::GET_MAX_OFFSET, max, {}, SerializeType::ROCKETMQ, 13) +
         request(RequestCode::GET_MIN_OFFSET, min, {}, SerializeType::ROCKETMQ, 14) +
         request(RequestCode::SEARCH_OFFSET_BY_TIMESTAMP, search, {}, SerializeType::JSON, 15);
}
std::string clientRequests() {
  protocol::UnregisterClientRequestHeader leave;
  leave.clientID = "127.0.0.1@1#2";
  leave.consumerGroup = "consumers";
  protocol::GetConsumerListByGroupRequestHeader list;
  list.consumerGroup = "consumers";
  return request(RequestCode::HEART_BEAT, protocol::NoHeader{}, heartbeat(), SerializeType::ROCKETMQ, 16) +
         request(RequestCode::GET_CONSUMER_LIST_BY_GROUP, list, {}, SerializeType::ROCKETMQ, 17) +
         request(RequestCode::UNREGISTER_CLIENT, leave, {}, SerializeType::ROCKETMQ, 18);
}
std::string topicRequest() {
  protocol::CreateTopicRequestHeader h;
  h.topic = "TopicTest";
  h.defaultTopic = protocol::kAutoCreateTopicKeyTopic;
  h.readQueueNums = h.writeQueueNums = 2;
  h.perm = 6;
  h.topicFilterType = "SINGLE_TAG";
  return request(RequestCode::UPDATE_AND_CREATE_TOPIC, h, {}, SerializeType::ROCKETMQ, 19);
}
std::string registerRequest() {
  protocol::RegisterBrokerRequestHeader h;
  h.brokerName = "broker-a";
  h.brokerAddr = "127.0.0.1:10911";
  h.clusterName = "DefaultCluster";
  return request(RequestCode::REGISTER_BROKER, h, registration(), SerializeType::ROCKETMQ, 20);
}
std::string routeRequest(SerializeType type = SerializeType::ROCKETMQ) {
  protocol::GetRouteInfoRequestHeader h;
  h.topic = "TopicTest";
  return request(RequestCode::GET_ROUTEINFO_BY_TOPIC, h, {}, type, 21);
}

// ---- the corpora

void addFrames(Corpora& to) {
  const std::string json = R"({"code":105,"extFields":{"topic":"TopicTest"},"flag":0,"language":"JAVA","opaque":7,)"
                           R"("serializeTypeCurrentRPC":"JSON","version":479})";
  const std::string binary =
      bytesOf("0069 00 01df 00000007 00000000 00000000 00000014 0005 746f706963 00000009 546f70696354657374");
  to.add("json_header", "java_route", json);
  to.add("json_header", "cpp_numbers",
         R"({"code":11,"flag":0,"language":"CPP","opaque":1,"extFields":{"queueId":3,"b":true}})");
  to.add("json_header", "dialect", R"({code:1,'remark':'it\u0027s',"language":12,"extFields":{"a":null,'b':'c'}})");
  to.add("json_header", "answer",
         R"({"code":0,"flag":1,"language":"JAVA","opaque":7,"remark":"\u00e9\n","version":479})");
  to.add("binary_header", "java_route", binary);
  to.add("binary_header", "remark", bytesOf("0000 00 01df 00000007 00000001 00000002 6f6b 00000000"));
  const std::pair<const char*, std::string> frames[] = {
      {"send", sendRequest("hello", 0)}, {"send_json", sendRequest("hello", 0, SerializeType::JSON)},
      {"batch", batchRequest()},         {"pull", pullRequest(0, 0)},
      {"route", routeRequest()},         {"route_json", routeRequest(SerializeType::JSON)},
      {"heartbeat", clientRequests()},
  };
  for (const auto& [name, frame] : frames) {
    to.add("differential", name, std::string(1, '\3') + frame);
    to.add("frame_splitter", name, std::string(1, '\5') + frame + frame);
  }
  for (const auto& [name, bytes] : {std::pair{"http", "GET / HTTP/1.1\r\n"}, {"tls", "\x16\x03\x01\x02"}}) {
    to.add("frame_splitter", name, std::string(1, '\1') + routeRequest() + bytes);
  }
}

void addHeaders(Corpora& to) {
  char place = 0;
  for (const auto& type : protocol::test::headerTypes()) {
    std::string lines(1, place++);
    for (const auto& field : type.fields) {
      lines.append(field.name).append(field.kind == std::string_view("text") ? "=text\n" : "=1\n");
      to.word(field.name);
    }
    to.add("custom_headers", type.name, lines);
  }
}

template <class T>
void addWords(Corpora& to) {
  std::apply([&](const auto&... field) { (to.word(field.name), ...); }, T::fields());
}

template <class... Body>
void addBodies(Corpora& to, std::type_identity<std::tuple<Body...>>) {
  int place = 1;  // 0: the compressed registration
  const auto one = [&]<class B>(std::type_identity<B>) {
    const int at = place++;
    to.add("bodies", "empty_" + std::to_string(at), std::string(1, static_cast<char>(at)) + B{}.encode());
    addWords<B>(to);
  };
  (one(std::type_identity<Body>()), ...);
  to.add("bodies", "heartbeat", "\1" + heartbeat());
  to.add("bodies", "route", "\2" + route().encode());
  to.add("bodies", "route_bare", "\2" + route().encode(protocol::JsonDialect::kFastjsonBareKeys));
  to.add("bodies", "reset_offset",
         "\3"
         R"({"offsetTable":{{"brokerName":"b","queueId":0,"topic":"t"}:5}})");
  to.add("bodies", "reset_offset_array",
         "\3"
         R"({"offsetTable":[{"brokerName":"b","queueId":0,"topic":"t","offset":5}]})");
  to.add("bodies", "consumer_status",
         "\4"
         R"({"messageQueueTable":{'{"brokerName":"b","queueId":0,"topic":"t"}':7}})");
  to.add("bodies", "registration", "\5" + registration());
  const std::string plain = registration();
  to.add("bodies", "registration_zlib", std::string(1, '\0').append(protocol::deflateZlib(asBytes(plain)).text()));
}

void addMessages(Corpora& to) {
  const std::string properties = propertiesText();
  const std::string whole = record("TopicTest", "hello", properties, 0);
  const std::string plain(600, 'a');
  const auto zlib = *protocol::compressBody(protocol::kCompressionZlib, asBytes(plain));
  to.add("records", "two", whole + record("TopicTest", "", "", 1));
  to.add("records", "ipv6", record("TopicTest", "hello", properties, 2, 0, "[::1]:10911"));
  to.add("records", "long_topic", record("%RETRY%" + std::string(150, 'g'), "hello", properties, 3));
  to.add("records", "compressed",
         record("TopicTest", zlib.text(), properties, 4, protocol::kCompressedFlag | protocol::kCompressionZlib));
  to.add("records", "cut", whole + whole.substr(0, whole.size() / 2));
  to.add("batch", "three", batchBody());
  to.add("properties", "usual", counted("TAGS") + properties);
  to.add("properties", "odd", counted("a") + std::string("a\001b\002\001x\002c\001\002k\001v\001w\002a\001z"));
  char how = 4 * 10;  // a bound of 1 KiB
  for (const auto& [name, type] : {std::pair{std::string("lz4"), protocol::kCompressionLz4},
                                   {"zstd", protocol::kCompressionZstd},
                                   {"zlib", protocol::kCompressionZlib}}) {
    ++how;
    to.add("decompress", name, std::string(1, how).append(protocol::compressBody(type, asBytes(plain))->text()));
    to.add("decompress", name + "_plain", std::string(1, how) + plain);
  }
  to.add("round_trip", "request", std::string(1, '\0') + counted("group") + counted("topic") + counted("TBW102"));
  to.add("round_trip", "record", std::string(1, '\1') + std::string(60, '\2') + counted("body") + counted("topic"));
  to.add("round_trip", "batch", std::string(2, '\2') + std::string(4, '\0') + counted("body") + counted(properties));
  to.add("round_trip", "properties", std::string(1, '\3') + counted("name") + counted("value"));
}

void addNames(Corpora& to) {
  const std::pair<const char*, std::string> rows[] = {
      {"id", "7F00000100002A9F0000000000000000"},
      {"id_ipv6",
       "20010DB8000000000000000000000001"
       "00002A9F0000000000000000"},
      {"host", "127.0.0.1:10911"},
      {"host_ipv6", "[2001:db8::1]:10911"},
      {"topic", "%RETRY%group-1_a|b"},
      {"namespace", "ns\n%DLQ%group"},
      {"tags", "TagA || TagB||TagC"},
      {"bad", "a topic/\x01"},
  };
  for (const auto& [name, text] : rows) to.add("names", name, text);
}

/// A byte of tenths of a second, a byte of chunking.
std::string session(char pause, const std::string& stream) {
  return std::string{pause, '\7'} + stream;
}

void addSessions(Corpora& to) {
  constexpr std::int32_t kAll = protocol::kPullSuspend | protocol::kPullSubscription | protocol::kPullCommitOffset;
  to.add("broker_session", "send_and_pull",
         session(0, topicRequest() + sendRequest("hello", 0) + sendRequest("again", 1) + pullRequest(0, kAll)));
  to.add("broker_session", "held", session(5, sendRequest("x", 0) + pullRequest(1, kAll) + sendRequest("y", 0)));
  to.add("broker_session", "batch", session(0, batchRequest() + pullRequest(0, protocol::kPullSubscription)));
  to.add("broker_session", "clients", session(0, clientRequests() + offsetRequests()));
  to.add("broker_session", "offsets", session(0, sendRequest("x", 0) + offsetRequests()));
  to.add("nameserver_session", "register",
         session(0, registerRequest() + routeRequest() + routeRequest(SerializeType::JSON)));
  to.add("nameserver_session", "expire", session(9, registerRequest() + routeRequest()));
  const std::string records = record("orders", "hello", propertiesText(), 0) + record("orders", "again", "", 1);
  const std::string counted_records{static_cast<char>(records.size() >> 8), static_cast<char>(records.size() & 0xFF)};
  to.add("client_session", "healthy_producer", std::string(8, '\0'));
  to.add("client_session", "healthy_consumer", "\1" + std::string(8, '\0'));
  for (char step = 1; step < 9; ++step) {
    for (char lead = 0; lead < 2; ++lead) {
      to.add("client_session", (lead ? "consumer_" : "producer_") + std::to_string(step),
             std::string(1, lead) + std::string(2, '\0') + step + counted(R"(offset=1)") + counted(route().encode()));
    }
  }
  for (char before = 4; before < 9; ++before) {
    to.add("client_session", "messages_" + std::to_string(before),
           "\1" + std::string(static_cast<std::size_t>(before), '\0') + "\7\2" + counted_records + records);
  }
}

void addWordsOfTheirOwn(Corpora& to) {
  for (const char* word : {"code",
                           "flag",
                           "language",
                           "opaque",
                           "version",
                           "remark",
                           "extFields",
                           "JAVA",
                           "CPP",
                           "serializeTypeCurrentRPC",
                           "true",
                           "false",
                           "null",
                           "TBW102",
                           "%RETRY%",
                           "%DLQ%",
                           "||",
                           "TopicTest",
                           "orders",
                           "producers",
                           "consumers",
                           "TagA",
                           "CONSUME_PASSIVELY",
                           "CLUSTERING",
                           "CONSUME_FROM_LAST_OFFSET",
                           "2147483648",
                           "-9223372036854775808",
                           "\\u0000"}) {
    to.word(word);
  }
  for (const char* hex : {"daa320a7", "daa320ab", "cbd43194", "04224d18", "28b52ffd", "785e", "7fffffff", "80000000",
                          "ffffffff", "01000015", "00000000"}) {
    to.word(bytesOf(hex));
  }
  to.word(std::string(1, protocol::kNameValueSeparator));
  to.word(std::string(1, protocol::kPropertySeparator));
}

void write(Corpora& to) {
  addFrames(to);
  addHeaders(to);
  addBodies(to, std::type_identity<BodyTypes>());
  addMessages(to);
  addNames(to);
  addSessions(to);
  addWordsOfTheirOwn(to);
  to.writeDictionary();
}

}  // namespace
}  // namespace mqclient::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_fuzz_corpus DIR\n");
    return 2;
  }
  mqclient::fuzz::Corpora corpora(argv[1]);
  mqclient::fuzz::write(corpora);
  return 0;
}
