#include "tests/fuzz/frame_checks.h"

#include <map>

#include "protocol/remoting_command.h"
#include "tests/fuzz/naive.h"
#include "tests/fuzz/target.h"

namespace mqclient::fuzz {

using protocol::RemotingCommand;
using protocol::SerializeType;

namespace {

constexpr std::size_t kLogTextBound = 2'048;

bool isCorrupt(const Result<RemotingCommand>& read) {
  return !read && read.error().code() == ErrorCode::kCorrupt && !read.error().message().empty();
}

void checkFind(const RemotingCommand& command) {
  std::map<std::string_view, std::string_view> last;
  for (const auto& e : command.ext) last.insert_or_assign(e.key, e.value);
  for (const auto& [key, value] : last) demand(command.ext.find(key) == value, "the last of equal fields is found");
}

/// The format follows the frame's code, and the 16 MiB of a header are not reached.
void checkRewritten(RemotingCommand command, SerializeType type) {
  command.serializeType = type;
  const auto again = protocol::decodeFrame(protocol::encode(command));
  demand(again.has_value(), "what was read can be written and read again");
  demand(naive::of(*again) == naive::of(command), "what was read reads the same once written");
  const bool known = command.language != protocol::LanguageCode::UNKNOWN;  // goes as OTHER
  demand(!known || again->language == command.language, "the language survives");
}

}  // namespace

std::string frameOf(int type, std::string_view header, std::string_view body) {
  std::string out(protocol::kFramePrefix, '\0');
  base::putBe32(out.data(), static_cast<std::uint32_t>(4 + header.size() + body.size()));
  base::putBe32(out.data() + 4, static_cast<std::uint32_t>(type) << 24 | static_cast<std::uint32_t>(header.size()));
  return out.append(header).append(body);
}

void checkFrame(std::string_view bytes, std::uint8_t sizes) {
  const auto whole = protocol::decodeFrame(chop(bytes, 0));
  const auto pieces = protocol::decodeFrame(chop(bytes, sizes));
  demand(whole.has_value() == pieces.has_value(), "slices do not decide whether a frame is read");
  const naive::Read expected = naive::frame(bytes);
  if (!whole) {
    demand(isCorrupt(whole) && isCorrupt(pieces), "what cannot be read is corrupt");
    demand(expected.verdict != naive::Verdict::kRead, "what the naive reader reads is read");
    return;
  }
  demand(expected.verdict != naive::Verdict::kRefused, "what the naive reader refuses is refused");
  demand(naive::of(*whole) == naive::of(*pieces), "slices do not decide what is read");
  if (expected.verdict == naive::Verdict::kRead) {
    demand(expected.command == naive::of(*whole), "the naive reader reads the same");
  }
  checkFind(*whole);
  demand(whole->toString().size() <= kLogTextBound, "a line of the log is bounded");
  for (const SerializeType type : {SerializeType::JSON, SerializeType::ROCKETMQ}) checkRewritten(*whole, type);
}

}  // namespace mqclient::fuzz
