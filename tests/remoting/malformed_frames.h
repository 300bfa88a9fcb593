#pragma once

#include <string>
#include <vector>

#include "base/buffer.h"

namespace mqclient::remoting {

/// Bytes that are no frame, one row for each condition of RemotingCommand's malformed input, for both sides.
struct MalformedFrame {
  const char* name;
  std::string bytes;
};

/// length i32 | type u8, headerLen u24 | rest
inline std::string frameBytes(std::int64_t length, std::uint32_t type, std::uint32_t header_length, std::string rest) {
  std::string bytes(8, '\0');
  base::putBe32(bytes.data(), static_cast<std::uint32_t>(length));
  base::putBe32(bytes.data() + 4, type << 24 | header_length);
  return bytes + rest;
}
inline std::string frameBytes(std::uint32_t type, std::string header) {
  const std::size_t size = header.size();
  return frameBytes(static_cast<std::int64_t>(4 + size), type, static_cast<std::uint32_t>(size), std::move(header));
}

inline std::vector<MalformedFrame> malformedFrames() {
  const std::string good_json = R"({"code":34,"flag":0,"language":"JAVA","opaque":7,"version":401})";
  std::string binary(21, '\0');
  binary[1] = 34;
  std::string long_remark = binary;
  base::putBe32(long_remark.data() + 13, 1'000);
  std::string negative_remark = binary;
  base::putBe32(negative_remark.data() + 13, 0xFFFF'FFFF);
  std::string long_fields = binary;
  base::putBe32(long_fields.data() + 17, 1'000);
  std::string long_key = binary + std::string("\x7F\xFFkey", 5);
  base::putBe32(long_key.data() + 17, 5);
  return {
      {"LengthNegative", frameBytes(-1, 1, 21, binary)},
      {"LengthMostNegative", frameBytes(INT32_MIN, 1, 21, binary)},
      {"LengthZero", std::string(4, '\0')},
      {"LengthBelowFour", frameBytes(3, 1, 0, "")},
      {"LengthOverTheLimit", frameBytes((16 << 20) - 3, 1, 21, binary)},
      {"LengthTwoGibibytes", frameBytes(INT32_MAX, 1, 21, binary)},
      {"LengthLongerThanTheBytes", frameBytes(26, 1, 21, binary)},
      {"LengthShorterThanTheBytes", frameBytes(25, 1, 21, binary + "x")},
      {"BytesEndInTheLength", std::string(3, '\0')},
      {"BytesEndInTheHeader", frameBytes(25, 1, 21, binary.substr(0, 10))},
      {"HeaderLongerThanTheFrame", frameBytes(25, 1, 22, binary)},
      {"TypeUnknown", frameBytes(2, good_json)},
      {"TypeOfAllOnes", frameBytes(0xFF, good_json)},
      {"JsonEmpty", frameBytes(0, "")},
      {"JsonGarbage", frameBytes(0, "hello, broker")},
      {"JsonCutShort", frameBytes(0, good_json.substr(0, good_json.size() - 1))},
      {"JsonTooDeep", frameBytes(0, "{\"x\":" + std::string(100, '[') + std::string(100, ']') + "}")},
      {"JsonArray", frameBytes(0, "[1,2,3]")},
      {"BinaryBelowItsMinimum", frameBytes(1, binary.substr(0, 20))},
      {"BinaryRemarkTooLong", frameBytes(1, long_remark)},
      {"BinaryRemarkNegative", frameBytes(1, negative_remark)},
      {"BinaryFieldsTooLong", frameBytes(1, long_fields)},
      {"BinaryKeyTooLong", frameBytes(1, long_key)},
      {"HttpRequest", "GET / HTTP/1.1\r\nHost: broker\r\n\r\n"},
      {"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"TlsClientHello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)},
  };
}

}  // namespace mqclient::remoting
