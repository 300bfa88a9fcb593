// Rows of the codec: one SEND_MESSAGE_V2 of 1 KB with the binary header, as our client writes it; a body of 64 KiB
// compressed and inflated.
#include <cstring>
#include <string>

#include "base/buffer.h"
#include "base/random.h"
#include "protocol/compression.h"
#include "protocol/hash.h"
#include "protocol/headers/send.h"
#include "protocol/limits.h"
#include "protocol/names.h"
#include "protocol/remoting_command.h"
#include "report.h"

namespace mqbench {

using namespace mqclient;

namespace {

constexpr int kRounds = 400'000;
constexpr int kRepeats = 5;
constexpr std::size_t kCompressedBytes = 64 << 10;
constexpr int kCompressedRounds = 200;

/// Nanoseconds a round: the best of several, since whatever disturbs only adds.
template <class F>
double nanosPerRound(F round, int rounds = kRounds) {
  for (int i = 0; i < rounds / 10; ++i) round(i);
  double best = 1e18;
  for (int r = 0; r < kRepeats; ++r) {
    const auto start = Clock::now();
    for (int i = 0; i < rounds; ++i) round(i);
    best = std::min(best, microsSince(start) * 1e3 / rounds);
  }
  return best;
}

template <class T>
void keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

protocol::SendMessageRequestHeaderV2View sampleHeader() {
  protocol::SendMessageRequestHeaderV2View h;
  h.producerGroup = "bench-producers";
  h.topic = "BenchmarkTopic";
  h.defaultTopic = "TBW102";
  h.queueId = 3;
  h.bornTimestamp = 1'700'000'000'000;
  h.properties = "UNIQ_KEY\0010A00000904D218B4AAC2000000000001\002WAIT\001true\002";
  h.reconsumeTimes = 0;
  h.bname = "broker-a";
  return h;
}

base::Chain encodeSample(int opaque, const base::Slice& body) {
  return protocol::encodeRequest(protocol::RequestHead{.code = RequestCode::SEND_MESSAGE_V2, .opaque = opaque},
                                 sampleHeader(), body);
}

std::vector<Row> codec() {
  const base::Slice body = base::Slice::copyOf(std::string(1024, 'x'));
  const base::Chain frame = encodeSample(7, body);
  const base::Slice flat = frame.flatten();

  const double encode = nanosPerRound([&](int i) { keep(encodeSample(i, body)); });
  const double decode = nanosPerRound([&](int) {
    auto command = protocol::decodeFrame(frame);
    if (!command) fail("decode");
    auto header = protocol::decodeSendHeader(*command);
    if (!header || header->queueId != 3) fail("decode header");
    keep(*header);
  });
  std::vector<char> to(flat.size());
  const double copy = nanosPerRound([&](int) {
    std::memcpy(to.data(), flat.data(), flat.size());
    keep(to);
  });
  const double crc = nanosPerRound([&](int) { keep(protocol::crc32Masked(flat.bytes())); });
  const std::string beside =
      "memcpy of the same bytes " + std::to_string(copy) + " ns, CRC " + std::to_string(crc) + " ns";
  return {Row{.name = "codec.send_1k.encode",
              .value = encode,
              .unit = "ns",
              .reference = copy + crc,
              .bound = atMost(400, 250),
              .note = beside},
          Row{.name = "codec.send_1k.decode",
              .value = decode,
              .unit = "ns",
              .reference = copy + crc,
              .bound = atMost(400, 250),
              .note = beside}};
}

/// Orders as JSON, one a line.
std::string orders() {
  base::Xoshiro256 random(1);
  std::string body;
  while (body.size() < kCompressedBytes) {
    body += R"({"order":)" + std::to_string(random.below(1'000'000)) + R"(,"state":"paid","cents":)" +
            std::to_string(random.below(100'000)) + "}\n";
  }
  body.resize(kCompressedBytes);
  return body;
}

std::vector<Row> compression() {
  const base::Slice body = base::Slice::of(orders());
  std::vector<char> to(body.size());
  const double copy = nanosPerRound([&](int) {
                        std::memcpy(to.data(), body.data(), body.size());
                        keep(to);
                      }) /
                      1e3;
  const struct {
    const char* name;
    std::int32_t type;
  } codecs[] = {
      {"zlib", protocol::kCompressionZlib}, {"lz4", protocol::kCompressionLz4}, {"zstd", protocol::kCompressionZstd}};
  std::vector<Row> rows;
  for (const auto& [name, type] : codecs) {
    const auto made = protocol::compressBody(type, body.bytes());
    if (!made) fail("compress");
    const double compress =
        nanosPerRound([&, t = type](int) { keep(protocol::compressBody(t, body.bytes())); }, kCompressedRounds);
    const double inflate = nanosPerRound(
        [&, t = type](int) {
          keep(must(protocol::decompressBody(t, made->bytes(), protocol::kMaxInflatedBodySize), "inflate").size());
        },
        kCompressedRounds);
    const std::string row = std::string("codec.body_64k.") + name;
    const std::string note = std::to_string(body.size()) + " bytes in " + std::to_string(made->size());
    rows.push_back({.name = row + ".compress",
                    .value = compress / 1e3,
                    .unit = "us",
                    .reference = copy,
                    .bound = {},
                    .note = note});
    rows.push_back(
        {.name = row + ".inflate", .value = inflate / 1e3, .unit = "us", .reference = copy, .bound = {}, .note = note});
  }
  return rows;
}

}  // namespace

std::vector<Measurement> codecMeasurements() {
  return {{"codec.send_1k", codec}, {"codec.body_64k", compression}};
}

}  // namespace mqbench
