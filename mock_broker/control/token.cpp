#include "mock_broker/control/token.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "remoting/tcp_socket.h"

namespace mqclient::control {

namespace {

constexpr std::string_view kScheme = "Bearer ";
constexpr mode_t kOthers = S_IRWXG | S_IRWXO;

Error wrong(const std::string& path, const std::string& why) {
  return Error(ErrorCode::kInvalidArgument, path + ": " + why);
}

bool isPrintable(char c) {
  return c > ' ' && c <= '~';
}

}  // namespace

Result<std::string> readTokenFile(const std::string& path) {
  // Not through a link, and without waiting for the other end of a pipe.
  const remoting::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return wrong(path, "cannot be opened: " + remoting::systemText(errno));
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return wrong(path, "cannot be read: " + remoting::systemText(errno));
  if (!S_ISREG(about.st_mode)) return wrong(path, "is no plain file");
  if (about.st_uid != ::geteuid()) return wrong(path, "belongs to another user than the one who starts this");
  if ((about.st_mode & kOthers) != 0) return wrong(path, "may be used by others than its owner; chmod 600 it");
  std::array<char, kTokenBytesMax + 2> bytes;  // the end of its line too
  const ssize_t got = ::read(file.get(), bytes.data(), bytes.size());
  if (got < 0) return wrong(path, "cannot be read: " + remoting::systemText(errno));
  std::string token(bytes.data(), static_cast<std::size_t>(got));
  if (token.ends_with('\n')) token.pop_back();
  if (token.ends_with('\r')) token.pop_back();
  if (token.size() < kTokenBytesMin || token.size() > kTokenBytesMax || !std::ranges::all_of(token, isPrintable)) {
    return wrong(path, "one line of " + std::to_string(kTokenBytesMin) + " to " + std::to_string(kTokenBytesMax) +
                           " printable characters without a blank is expected");
  }
  return token;
}

bool carriesToken(std::string_view authorization, std::string_view token) noexcept {
  if (!authorization.starts_with(kScheme)) return false;
  const std::string_view given = authorization.substr(kScheme.size());
  unsigned differs = given.size() == token.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char wanted = token[i % token.size()];
    differs |= static_cast<unsigned>(given[i] != wanted);
  }
  return differs == 0;
}

}  // namespace mqclient::control
