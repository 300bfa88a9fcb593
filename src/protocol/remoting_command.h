#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "mqclient/codes.h"
#include "mqclient/error.h"
#include "protocol/ext_fields.h"
#include "protocol/header_codec.h"
#include "protocol/limits.h"

namespace mqclient::protocol {

/// What a reply must repeat of its request.
struct RequestIdentity {
  int opaque{};
  SerializeType serializeType{SerializeType::ROCKETMQ};  ///< a reply goes in the request's format
};

/// One request or response, decoded.
///
/// Frame    length i32 (bytes that follow) | type u8, headerLen u24 | header | body; all big-endian
/// Lifetime remark(), `ext` and `body` share the received frame; copies share it too. What is kept for long copies the
///          few fields it needs instead of the command.
/// Source   RemotingCommand.java, RocketMQSerializable.java
class RemotingCommand {
 public:
  int code{};
  LanguageCode language{LanguageCode::CPP};
  int version{kVersion};
  int opaque{};
  int flag{};  ///< kResponseFlag | kOnewayFlag
  SerializeType serializeType{SerializeType::ROCKETMQ};
  ExtFields ext;
  base::Chain body;  ///< empty: none; the wire cannot tell an empty body from no body

  bool isResponse() const noexcept { return (flag & kResponseFlag) != 0; }
  bool isOneway() const noexcept { return (flag & kOnewayFlag) != 0; }
  RequestCode requestCode() const noexcept { return static_cast<RequestCode>(code); }
  ResponseCode responseCode() const noexcept { return static_cast<ResponseCode>(code); }
  RequestIdentity identity() const noexcept { return {opaque, serializeType}; }

  /// Human text; empty when there is none.
  std::string_view remark() const noexcept { return remark_.text(); }
  void setRemark(std::string_view text) { remark_ = base::Slice::copyOf(text); }
  void setRemark(base::Slice text) noexcept { remark_ = std::move(text); }

  /// For logs: code, opaque, flag, remark, the first fields and the size of the body. At most kLogTextMax bytes or so.
  std::string toString() const;

 private:
  base::Slice remark_;
};

/// Reads a whole frame, its length field included. The header's own type byte decides how; the body is the rest of the
/// frame's slices, not a copy. Pure; reads nothing outside `frame`.
///
/// Errors   kCorrupt, with what was found and where: a length that is negative, below 4, over the limit or not that of
///          the frame; a header longer than the frame; a type byte other than 0 and 1; any header that cannot be read.
Result<RemotingCommand> decodeFrame(base::Chain&& frame, const FrameLimits& limits = {});
inline Result<RemotingCommand> decodeFrame(const base::Chain& frame, const FrameLimits& limits = {}) {
  return decodeFrame(base::Chain(frame), limits);
}

/// A frame from a command as it stands. Goes as JSON when its code or version does not fit the binary header.
base::Chain encode(const RemotingCommand& command);

/// No ext fields at all.
struct NoHeader {
  static constexpr std::string_view kName = "NoHeader";
  static constexpr auto fields() { return std::tuple<>(); }
};

enum class Oneway { kNo, kYes };

struct RequestHead {
  RequestCode code{};
  int opaque{};
  Oneway oneway{Oneway::kNo};
  SerializeType type{SerializeType::ROCKETMQ};
  LanguageCode language{LanguageCode::CPP};
  int version{kVersion};
  std::string_view remark{};
};

/// A request's frame: length, type and header in one block (one allocation), the body's slices behind it as they are.
/// Codes above 32,767 go as JSON whatever `head.type` says. The header must stay below 16 MiB.
template <class Header>
base::Chain encodeRequest(const RequestHead& head, const Header& header, base::Chain body = {}) {
  return detail::encodeFrame(detail::FixedPart{static_cast<int>(head.code), head.language, head.version, head.opaque,
                                               head.oneway == Oneway::kYes ? kOnewayFlag : 0, head.remark, head.type},
                             header, std::move(body));
}

/// The frame of a reply, in the request's format.
template <class Header>
base::Chain encodeResponse(const RequestIdentity& to, ResponseCode code, std::string_view remark, const Header& header,
                           base::Chain body = {}) {
  return detail::encodeFrame(detail::FixedPart{static_cast<int>(code), LanguageCode::CPP, kVersion, to.opaque,
                                               kResponseFlag, remark, to.serializeType},
                             header, std::move(body));
}
template <class Header>
base::Chain encodeResponse(const RemotingCommand& request, ResponseCode code, std::string_view remark,
                           const Header& header, base::Chain body = {}) {
  return encodeResponse(request.identity(), code, remark, header, std::move(body));
}
inline base::Chain encodeResponse(const RequestIdentity& to, ResponseCode code, std::string_view remark = {}) {
  return encodeResponse(to, code, remark, NoHeader{});
}

/// Fills a header where it lies: `to` is a new Header, or what all of Header's fields are members of.
/// Errors   as decodeHeader().
template <class Header, class To>
std::optional<Error> decodeHeaderInto(const ExtFields& ext, To& to) {
  if constexpr (detail::kFieldCount < Header >> 0) {
    std::uint64_t seen = 0;
    constexpr std::uint64_t required = detail::requiredFields<Header>();
    if (detail::fillInOrder<Header>(ext, to, seen) && (seen & required) == required) return std::nullopt;
    return detail::fillHeader(Header::kName, detail::kFieldRows<Header, To>, ext, &to);
  }
  return std::nullopt;
}

/// The typed header from a command's ext fields. Unknown fields are ignored; of a field that comes twice the last
/// counts. Members of type string_view point into `ext` and live as long as its storage.
///
/// Errors   kInvalidArgument, naming header, field and text: a required field is missing, or a value is not of its
/// type.
template <class Header>
Result<Header> decodeHeader(const ExtFields& ext) {
  Result<Header> out(std::in_place);
  if (auto error = decodeHeaderInto<Header>(ext, *out)) out = Result<Header>(*std::move(error));
  return out;
}

}  // namespace mqclient::protocol
