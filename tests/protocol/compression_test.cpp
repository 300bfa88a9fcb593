#include "protocol/compression.h"

#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "base/random.h"
#include "bytes.h"
#include "protocol/limits.h"
#include "protocol/names.h"
#include "tests/support/slack.h"

namespace mqclient::protocol {
namespace {

using test::asBytes;
using test::bytesOf;

struct Codec {
  const char* name;
  std::int32_t type;
  std::int32_t flag() const { return kCompressedFlag | type; }
};
constexpr Codec kCodecs[] = {{"zlib", kCompressionZlib}, {"LZ4", kCompressionLz4}, {"ZSTD", kCompressionZstd}};

/// What clients of interop/ send: every byte value, in a period of 256.
std::string bodyOf(int number) {
  std::string body(static_cast<std::size_t>(number) * 997 + 1, '\0');
  for (std::size_t k = 0; k < body.size(); ++k) body[k] = static_cast<char>(k * 31 + static_cast<std::size_t>(number));
  return body;
}

/// Words of a few bytes again and again: 0 is all the same, 255 is noise.
std::string bodyOf(base::Xoshiro256& random, std::size_t size, std::uint64_t variety) {
  std::string body(size, '\0');
  for (char& c : body) c = static_cast<char>(random.below(variety + 1));
  return body;
}

std::string compressed(const Codec& codec, std::string_view plain) {
  const auto made = compressBody(codec.type, asBytes(plain));
  EXPECT_TRUE(made) << codec.name;
  return made ? std::string(made->text()) : std::string();
}

void expectInflates(const Codec& codec, std::string_view bytes, std::string_view plain) {
  const auto body = decompressBody(codec.flag(), asBytes(bytes), kMaxInflatedBodySize);
  ASSERT_TRUE(body) << codec.name << ": " << body.error();
  EXPECT_EQ(body->text(), plain) << codec.name;
}

void expectCorrupt(const Codec& codec, std::string_view bytes, std::size_t max_size = kMaxInflatedBodySize) {
  const auto body = decompressBody(codec.flag(), asBytes(bytes), max_size);
  ASSERT_FALSE(body) << codec.name << ": " << body->size() << " bytes";
  EXPECT_EQ(body.error().code(), ErrorCode::kCorrupt);
  EXPECT_TRUE(body.error().message().starts_with(codec.name)) << body.error();
}

// ---- recorded bytes: Java's compressors, the zstd command

TEST(Compression, GoldenVectors) {
  const std::string plain(64, 'a');
  const std::string zlib = bytesOf("785e4b4ca40c0000148d1841");
  expectInflates({"zlib", kCompressionZlib}, zlib, plain);
  expectInflates({"zlib, from before there was a choice", 0}, zlib, plain);
  expectInflates({"LZ4", kCompressionLz4}, bytesOf("04224d186070730b0000001f6101002750616161616100000000"), plain);
  expectInflates({"ZSTD", kCompressionZstd}, bytesOf("28b52ffd00584500001061610100930016"), plain);
  // Java closes a frame with a block of its own that is empty.
  expectInflates({"ZSTD", kCompressionZstd}, bytesOf("28b52ffd00584400001061610100930016010000"), plain);
}

TEST(Compression, GoldenVectorsOfALongerBody) {
  // The first 256 bytes as they stand, then what each codec says of the rest.
  const std::string period = bodyOf(5).substr(0, 256);
  expectInflates({"LZ4", kCompressionLz4},
                 bytesOf("04224d186070731d010000fff1") + period +
                     bytesOf("0001ffffffffffffffffffffffffffffffffffff7450304f6e8dac00000000"),
                 bodyOf(5));
  expectInflates({"ZSTD", kCompressionZstd},
                 bytesOf("28b52ffd00585408000410") + period + bytesOf("0100007732d0af29010000"), bodyOf(5));
}

TEST(Compression, GoldenLz4OfTheCommand) {
  // Blocks of 64 KiB that look back into one another, which Java refuses: `lz4 -BD -B4 --no-frame-crc`.
  const std::string frame = bytesOf("04224d184040c00b0100001f610100") + std::string(256, '\xff') +
                            bytesOf("e75061616161610b0000001f6101004b50616161616100000000");
  expectInflates({"LZ4", kCompressionLz4}, frame, std::string(65'636, 'a'));
}

TEST(Compression, WritesWhatJavaReads) {
  const std::string plain = bodyOf(5);
  EXPECT_EQ(compressed(kCodecs[0], plain)[0], '\x78');  // RFC 1950
  // LZ4: version 1, blocks independent (Java refuses others), no checksums, no size; the block size that is enough.
  EXPECT_EQ(compressed(kCodecs[1], plain).substr(0, 6), bytesOf("04224d186040"));
  EXPECT_EQ(compressed(kCodecs[1], std::string(3u << 20, 'z')).substr(0, 6), bytesOf("04224d186070"));
  const std::string zstd = compressed(kCodecs[2], plain);
  EXPECT_EQ(zstd.substr(0, 4), bytesOf("28b52ffd"));
  EXPECT_EQ(zstd[4] & 0x07, 0) << "neither checksum nor dictionary";
}

// ---- there and back

TEST(Compression, BodiesComeBackFromEveryCodec) {
  base::Xoshiro256 random(20);
  for (const Codec& codec : kCodecs) {
    for (const std::size_t size : {2u, 3u, 64u, 1000u, 4096u, 65'536u, 70'000u, 300'000u, 5'000'000u}) {
      for (const std::uint64_t variety : {0u, 1u, 20u, 255u}) {
        if (size > 1'000'000 && variety != 1) continue;  // enough to see LZ4's second block
        const std::string plain = bodyOf(random, size, variety);
        const auto made = compressBody(codec.type, asBytes(plain));
        if (!made) continue;
        EXPECT_LT(made->size(), plain.size());
        expectInflates(codec, made->text(), plain);
      }
    }
  }
}

TEST(Compression, RandomBodiesComeBackAndRandomBytesAreRefused) {
  base::Xoshiro256 random(7);
  for (int round = 0; round < 400; ++round) {
    const Codec& codec = kCodecs[random.below(3)];
    const std::string plain = bodyOf(random, random.below(20'000) + 1000, random.below(4));
    std::string bytes = compressed(codec, plain);
    expectInflates(codec, bytes, plain);
    const std::size_t max_size = random.below(30'000);
    for (int wrong = 0; wrong < 8; ++wrong) {
      bytes[random.below(bytes.size())] = static_cast<char>(random.next());
      const auto body = decompressBody(codec.flag(), asBytes(bytes), max_size);
      if (body) {
        EXPECT_LE(body->size(), max_size);
      }
    }
    const std::string noise = bodyOf(random, random.below(300), 255);
    EXPECT_FALSE(decompressBody(codec.flag(), asBytes(noise), kMaxInflatedBodySize));
  }
}

TEST(Compression, WhatWouldNotShrinkStaysAsItIs) {
  base::Xoshiro256 random(3);
  for (const Codec& codec : kCodecs) {
    EXPECT_FALSE(compressBody(codec.type, asBytes(bodyOf(random, 10'000, 255)))) << codec.name;
    EXPECT_FALSE(compressBody(codec.type, asBytes("x"))) << codec.name;
    EXPECT_FALSE(compressBody(codec.type, {})) << codec.name;
  }
}

TEST(Compression, FramesFollowOneAnother) {
  const std::string skipped = bytesOf("502a4d1803000000616263");
  for (const Codec& codec : {kCodecs[1], kCodecs[2]}) {
    const std::string first = compressed(codec, bodyOf(4));
    const std::string second = compressed(codec, std::string(100'000, 'z'));
    expectInflates(codec, first + second, bodyOf(4) + std::string(100'000, 'z'));
    expectInflates(codec, skipped + first + skipped + second + skipped, bodyOf(4) + std::string(100'000, 'z'));
    expectInflates(codec, skipped, "");
    expectCorrupt(codec, first + "x");
    expectCorrupt(codec, first + first.substr(0, first.size() - 1));
  }
}

// ---- bounds

TEST(Compression, BoundIsExact) {
  base::Xoshiro256 random(5);
  for (const Codec& codec : kCodecs) {
    for (const std::size_t size : {1000u, 4095u, 4096u, 10'000u, 131'072u, 131'073u, 400'000u}) {
      for (const std::uint64_t variety : {0u, 2u}) {
        const std::string plain = bodyOf(random, size, variety);
        const std::string bytes = compressed(codec, plain);
        const auto at = [&](std::size_t max_size) { return decompressBody(codec.flag(), asBytes(bytes), max_size); };
        EXPECT_TRUE(at(size)) << codec.name << ' ' << size;
        EXPECT_TRUE(at(size + 1)) << codec.name << ' ' << size;
        for (const std::size_t less : {size - 1, size / 2, std::size_t{1}, std::size_t{0}}) {
          const auto refused = at(less);
          ASSERT_FALSE(refused) << codec.name << ' ' << size << ' ' << less;
          EXPECT_NE(refused.error().message().find(" " + std::to_string(less) + " bytes allowed"), std::string::npos)
              << refused.error();
        }
      }
    }
  }
  EXPECT_TRUE(inflateZlib(deflateZlib({}).bytes(), 0));
}

std::int64_t cpuNanos() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

/// The most memory that the process has had resident, in KiB; counted anew from here on if `again`.
std::int64_t residentPeak(bool again) {
  if (again) std::ofstream("/proc/self/clear_refs") << '5';
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    if (word == "VmHWM:") break;
  }
  std::int64_t kib = -1;
  status >> kib;
  return kib;
}

/// Refused within 10 ms of processor time, and at no moment more than `kib_max` of memory.
void expectCheapRefusal(const Codec& codec, const std::string& bomb, std::int64_t kib_max) {
  constexpr int kTries = 5;  // the best of them: processor time grows with what others do to caches and memory
  std::int64_t took = std::numeric_limits<std::int64_t>::max();
  const std::int64_t before = residentPeak(true);
  for (int i = 0; i < kTries; ++i) {
    const std::int64_t began = cpuNanos();
    const auto refused = decompressBody(codec.flag(), asBytes(bomb), kMaxInflatedBodySize);
    took = std::min(took, cpuNanos() - began);
    ASSERT_FALSE(refused) << codec.name;
    EXPECT_EQ(refused.error().code(), ErrorCode::kCorrupt);
  }
  const std::int64_t grown = residentPeak(false) - before;
  const std::string name = codec.name + std::to_string(bomb.size());
  EXPECT_LE(took, 10'000'000 * testing::slack()) << name;
  EXPECT_LE(grown, kib_max * testing::slack()) << name;
  ::testing::Test::RecordProperty(name, std::to_string(took / 1000) + " us, " + std::to_string(grown) + " KiB");
}

/// LZ4 blocks of some 4 MiB of one letter, 16 KiB each.
std::string lz4Bomb(int blocks) {
  constexpr std::size_t kLengthBytes = 16'440;  // 255 more of the match each
  const std::string block =
      bytesOf("1f610100") + std::string(kLengthBytes, '\xff') + bytesOf("00") + bytesOf("506161616161");
  std::string size(4, '\0');
  base::putBe32(size.data(), __builtin_bswap32(static_cast<std::uint32_t>(block.size())));
  std::string bomb = bytesOf("04224d18607073");
  for (int i = 0; i < blocks; ++i) bomb += size + block;
  return bomb + bytesOf("00000000");
}

/// ZSTD blocks of 128 KiB of one letter, 4 bytes each.
std::string zstdBomb(int blocks) {
  std::string bomb = bytesOf("28b52ffd0058");
  for (int i = 0; i < blocks; ++i) bomb += bytesOf(i + 1 == blocks ? "03001061" : "02001061");
  return bomb;
}

TEST(Compression, TheBombsAreWhole) {
  EXPECT_EQ(decompressBody(kCodecs[1].flag(), asBytes(lz4Bomb(2)), kMaxInflatedBodySize)->size(), 2 * 4'192'225u);
  EXPECT_EQ(decompressBody(kCodecs[2].flag(), asBytes(zstdBomb(128)), kMaxInflatedBodySize)->size(), 16u << 20);
}

TEST(Compression, ABombIsRefused) {
  constexpr std::int64_t kBoundKib = kMaxInflatedBodySize / 1024;
  constexpr std::int64_t kPassBeforeKib = kBoundKib / 4 + 1024;  // freed, but the heap may keep it
  const std::string zeros(64u << 20, '\0');
  const base::Slice zlib = deflateZlib(asBytes(zeros), 9);
  ASSERT_LT(zlib.size(), zeros.size() / 900);
  expectCheapRefusal(kCodecs[0], std::string(zlib.text()), kBoundKib + kPassBeforeKib);
  expectCheapRefusal(kCodecs[1], lz4Bomb(5), kBoundKib + kPassBeforeKib + 4096);  // and a block of its own
  expectCheapRefusal(kCodecs[2], zstdBomb(129), kBoundKib + kPassBeforeKib);
  expectCheapRefusal(kCodecs[2], zstdBomb(100'000), kBoundKib + kPassBeforeKib);
}

TEST(Compression, AClaimCostsNothing) {
  // Of 1 KiB each, that say they are 1 GiB.
  const std::string lz4 = bytesOf("04224d1868700000004000000000e5") + lz4Bomb(1).substr(7, 1000);
  const std::string zstd = bytesOf("28b52ffda000000040") + zstdBomb(250).substr(6);
  expectCheapRefusal(kCodecs[1], lz4, 512);
  expectCheapRefusal(kCodecs[2], zstd, 512);
  EXPECT_NE(decompressBody(kCodecs[2].flag(), asBytes(zstd), kMaxInflatedBodySize).error().message().find("allowed"),
            std::string::npos);
  // And a window of 128 MiB for 64 bytes.
  expectInflates(kCodecs[2], bytesOf("28b52ffd00884500001061610100930016"), std::string(64, 'a'));
  // A ZSTD frame that says 16 MiB, and has nothing.
  expectCheapRefusal(kCodecs[2], bytesOf("28b52ffda000000001010000"), 512);
}

// ---- damage

TEST(Compression, CutAnywhereIsAnError) {
  base::Xoshiro256 random(11);
  for (const Codec& codec : kCodecs) {
    for (const std::size_t size : {64u, 5000u, 200'000u}) {
      const std::string whole = compressed(codec, bodyOf(random, size, size < 100 ? 0 : 3));
      const std::size_t step = size > 5000 ? whole.size() / 300 : 1;
      for (std::size_t n = 0; n < whole.size(); n += step) {
        const std::string cut = whole.substr(0, n);  // memory of its own: reading past it is seen
        EXPECT_FALSE(decompressBody(codec.flag(), asBytes(cut), kMaxInflatedBodySize)) << codec.name << ' ' << n;
        EXPECT_FALSE(decompressBody(codec.flag(), asBytes(cut), size)) << codec.name << ' ' << n;
      }
    }
  }
}

TEST(Compression, AFlippedBitIsAnErrorOrStaysWithinTheBound) {
  const std::string plain = bodyOf(2);
  for (const Codec& codec : kCodecs) {
    const std::string whole = compressed(codec, plain);
    int noticed = 0;
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      std::string wrong = whole;
      wrong[bit / 8] = static_cast<char>(wrong[bit / 8] ^ (1 << bit % 8));
      const auto body = decompressBody(codec.flag(), asBytes(wrong), 2 * plain.size());
      if (!body) {
        ++noticed;
      } else if (codec.type == kCompressionZlib) {
        EXPECT_EQ(body->text(), plain) << "zlib has a checksum; bit " << bit;
      } else {
        EXPECT_LE(body->size(), 2 * plain.size());
      }
    }
    EXPECT_GT(noticed, 0) << codec.name;
  }
}

TEST(Compression, WhatIsNoneOfItIsRefused) {
  for (const Codec& codec : kCodecs) {
    for (const std::string& none : {std::string(), std::string("x"), std::string("not compressed at all"), bodyOf(1)}) {
      expectCorrupt(codec, none);
      expectCorrupt(codec, none, 0);
    }
  }
  expectCorrupt(kCodecs[2], bytesOf("27b52ffd00584500001061610100930016"));    // a format from before 1.0
  expectCorrupt(kCodecs[2], bytesOf("28b52ffd0158014500001061610100930016"));  // a dictionary that nobody has
  for (const std::int32_t flag : {0x401, 0x501, 0x601, 0x701}) {
    EXPECT_EQ(decompressBody(flag, asBytes("x"), kMaxMessageSize).error().code(), ErrorCode::kCorrupt);
  }
}

}  // namespace
}  // namespace mqclient::protocol
