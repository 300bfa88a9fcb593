// mqbench_rdkafka BODY_BYTES: librdkafka producing to its own mock broker in this process, acks=1.
// Prints the messages acknowledged a second, in a round after one that warms up.
#include <librdkafka/rdkafka.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

namespace {

constexpr int kMessages = 1'000'000;
constexpr int kQueued = 100'000;

int g_acknowledged = 0;
int g_failed = 0;

void onDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  ++(message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? g_acknowledged : g_failed);
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "mqbench_rdkafka: %s\n", what);
  std::exit(3);
}

}  // namespace

int main(int argc, char** argv) {
  const int bytes = argc == 2 ? std::atoi(argv[1]) : 0;
  if (bytes <= 0) {
    std::fputs("usage: mqbench_rdkafka BODY_BYTES\n", stderr);
    return 2;
  }
  std::array<char, 512> error{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const std::string queued = std::to_string(kQueued);
  for (const auto& [key, value] : {std::pair{"test.mock.num.brokers", "1"}, std::pair{"acks", "1"},
                                   std::pair{"queue.buffering.max.messages", queued.c_str()}}) {
    if (rd_kafka_conf_set(conf, key, value, error.data(), error.size()) != RD_KAFKA_CONF_OK) fail(error.data());
  }
  rd_kafka_conf_set_dr_msg_cb(conf, onDelivery);
  rd_kafka_t* producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
  if (!producer) fail(error.data());
  std::string body(static_cast<std::size_t>(bytes), 'x');
  double rate = 0;
  for (int round = 0; round < 2; ++round) {
    g_acknowledged = 0;
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < kMessages; ++i) {
      while (rd_kafka_producev(producer, RD_KAFKA_V_TOPIC("bench"), RD_KAFKA_V_VALUE(body.data(), body.size()),
                               RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                               RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_poll(producer, 10);  // its queue is full
      }
      rd_kafka_poll(producer, 0);
    }
    rd_kafka_flush(producer, 60'000);
    if (g_failed > 0 || g_acknowledged != kMessages) fail("not every message was acknowledged");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    rate = kMessages / took.count();
  }
  rd_kafka_destroy(producer);
  std::printf("%.0f\n", rate);
}
