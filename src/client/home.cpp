#include "client/home.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/mutex.h"
#include "client/client_options.h"
#include "client/http_top_addressing.h"
#include "protocol/limits.h"
#include "remoting/tcp.h"

namespace mqclient::client {
namespace {

constexpr std::string_view kSchemeMark = "://";
constexpr std::size_t kAddressesMax = 1'024;
constexpr std::size_t kUrlMax = 2'048;
constexpr std::string_view kHttp = "http";
constexpr std::string_view kHttps = "https";
constexpr const char* kNamesrvAddrVariable = "NAMESRV_ADDR";

/// Filled before main by the object files that bring a scheme; read when clients start.
struct Schemes {
  base::Mutex mutex;
  std::map<std::string, SchemeResolver, std::less<>> resolvers MQ_GUARDED_BY(mutex);
};
Schemes& schemes() {
  static Schemes* const all = new Schemes;  // never destroyed: clients may start in static destructors
  return *all;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

template <class F>
void forEachPart(std::string_view text, char separator, F f) {
  while (!text.empty()) {
    const std::size_t at = text.find(separator);
    f(text.substr(0, at));
    text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  }
}

/// What is wrong with one "host:port"; empty: nothing.
std::string complaintAboutAddress(std::string_view entry) {
  const std::string shown = "'" + std::string(entry) + "'";
  const std::size_t colon = entry.rfind(':');
  if (colon == std::string_view::npos || (entry.front() == '[' && entry.back() == ']')) return shown + " has no port";
  const std::string_view host = entry.substr(0, colon);
  const std::string_view port = entry.substr(colon + 1);
  int number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number < 1 || number > protocol::kPortMax) {
    return shown + " has the port '" + std::string(port) + "', which is not a number from 1 to " +
           std::to_string(protocol::kPortMax);
  }
  if (host.empty()) return shown + " has no host";
  if (host.front() == '[') {
    const bool closed = host.size() > 2 && host.back() == ']';
    const bool digits = closed && host.find_first_not_of("0123456789abcdefABCDEF:.%", 1) == host.size() - 1;
    return digits ? std::string() : shown + " is not an IPv6 address in brackets, like [::1]:9876";
  }
  if (host.find(':') != std::string_view::npos)
    return shown + " needs brackets around its IPv6 address, like [::1]:9876";
  const bool name = std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  });
  return name ? std::string() : shown + " has a host with characters other than letters, digits, '.', '-' and '_'";
}

std::string knownSchemes() {
  std::string names;
  base::MutexLock lock(schemes().mutex);
  for (const auto& [scheme, resolver] : schemes().resolvers) complain(names, scheme + "://NAME");
  return names;
}

}  // namespace

void registerScheme(std::string scheme, SchemeResolver resolver) {
  base::MutexLock lock(schemes().mutex);
  schemes().resolvers[std::move(scheme)] = std::move(resolver);
}

Result<SchemeAddress> parseSchemeAddress(std::string_view text) {
  SchemeAddress address;
  address.text = std::string(text);
  const std::size_t mark = text.find(kSchemeMark);
  address.scheme = std::string(text.substr(0, mark));
  const std::string_view rest = text.substr(mark + kSchemeMark.size());
  const std::size_t question = rest.find('?');
  address.name = std::string(rest.substr(0, question));
  std::string wrong;
  if (address.name.empty()) complain(wrong, "the name behind :// is missing");
  if (address.name.find_first_of("/#&=; \t") != std::string::npos) {
    complain(wrong, "the name '" + address.name + "' has one of / # & = ; or a blank in it");
  }
  if (question != std::string_view::npos) {
    forEachPart(rest.substr(question + 1), '&', [&](std::string_view part) {
      const std::size_t equals = part.find('=');
      if (equals == std::string_view::npos || equals == 0) {
        return complain(wrong, "the parameter '" + std::string(part) + "' is not key=value");
      }
      std::string key(part.substr(0, equals));
      const bool twice = std::any_of(address.parameters.begin(), address.parameters.end(),
                                     [&](const auto& p) { return p.first == key; });
      if (twice) return complain(wrong, "the parameter '" + key + "' is given twice");
      address.parameters.emplace_back(std::move(key), std::string(part.substr(equals + 1)));
    });
  }
  if (!wrong.empty()) {
    return Error(ErrorCode::kInvalidArgument, "namesrvAddr '" + address.text + "': " + wrong + "; the form is " +
                                                  address.scheme + "://NAME?key=value&key=value");
  }
  return address;
}

Result<void> checkParameters(const SchemeAddress& address, const std::vector<std::string>& allowed) {
  std::string unknown;
  for (const auto& [key, value] : address.parameters) {
    if (std::find(allowed.begin(), allowed.end(), key) == allowed.end()) complain(unknown, "'" + key + "'");
  }
  if (unknown.empty()) return {};
  std::string known;
  for (const std::string& key : allowed) known += (known.empty() ? "" : ", ") + key;
  return Error(ErrorCode::kInvalidArgument, "namesrvAddr '" + address.text + "': unknown parameter " + unknown +
                                                "; allowed are: " + (known.empty() ? "none" : known));
}

namespace {

/// parseAddressList, of a part of what the user wrote.
Result<std::vector<std::string>> listIn(std::string_view text, std::string_view written) {
  std::vector<std::string> addresses;
  std::string wrong;
  forEachPart(text, ';', [&](std::string_view part) {
    const std::string_view entry = trimmed(part);
    if (entry.empty()) return;
    if (std::string complaint = complaintAboutAddress(entry); !complaint.empty()) return complain(wrong, complaint);
    if (std::find(addresses.begin(), addresses.end(), entry) == addresses.end()) addresses.emplace_back(entry);
  });
  if (wrong.empty() && addresses.empty()) wrong = "there is no address in it";
  if (wrong.empty() && addresses.size() > kAddressesMax) {
    wrong = std::to_string(addresses.size()) + " addresses are more than " + std::to_string(kAddressesMax);
  }
  if (!wrong.empty()) {
    const std::string known = knownSchemes();
    return Error(ErrorCode::kInvalidArgument, "namesrvAddr '" + std::string(written) + "': " + wrong +
                                                  "; write host:port;host:port, http://host/PATH of an address server" +
                                                  (known.empty() ? "" : " or " + known));
  }
  return addresses;
}

/// A home on TCP that is without nameservers yet.
Result<Home> tcpHome(const std::string& text, const base::Ref<base::Engine>& engine) {
  if (engine->isVirtualTime()) {
    return Error(
        ErrorCode::kUnsupported,
        "namesrvAddr '" + text +
            "' is reached over TCP, and a runtime with virtual time has no sockets: use mock://NAME, a cluster "
            "in this process, or a runtime on real time");
  }
  Home home;
  home.engine = engine;
  home.transport = remoting::makeTcpTransport();
  return home;
}

Result<Home> listHome(std::string_view list, const std::string& text, const base::Ref<base::Engine>& engine) {
  Result<std::vector<std::string>> addresses = listIn(list, text);
  if (!addresses) return std::move(addresses).error();
  Result<Home> home = tcpHome(text, engine);
  if (!home) return home;
  home->nameservers = *std::move(addresses);
  home->identity = "tcp:";
  for (const std::string& address : home->nameservers) home->identity += address + ";";
  return home;
}

/// The unit as part of a URL's path: what is not plain there as %XX.
std::string escaped(std::string_view unit_name) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text;
  for (const char c : unit_name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      text += c;
    } else {
      text += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return text;
}

/// "http://..." or "https://...".
Result<Home> httpHome(const std::string& text, const base::Ref<base::Engine>& engine, std::string_view unit_name) {
  const std::string_view scheme = std::string_view(text).substr(0, text.find(kSchemeMark));
  const std::string_view rest = std::string_view(text).substr(scheme.size() + kSchemeMark.size());
  const std::size_t slash = rest.find_first_of("/?#");
  // Java keeps what stands behind the last slash: http://host:port is a nameserver, not a server to ask for one.
  if (slash == std::string_view::npos && scheme == kHttp) return listHome(rest, text, engine);

  const std::string_view authority = rest.substr(0, slash);
  const std::string_view behind = slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
  const std::size_t question = behind.find('?');
  const std::string_view path = behind.substr(0, question);
  const bool bracketed = !authority.empty() && authority.back() == ']';
  const bool has_port = !bracketed && authority.find(':') != std::string_view::npos;
  const std::string address = std::string(authority) + (has_port ? "" : scheme == kHttps ? ":443" : ":80");
  const std::size_t at = authority.rfind('@');
  std::string shown = text;
  std::string wrong;
  if (at != std::string_view::npos) {
    shown = std::string(scheme) + "://..." + std::string(rest.substr(at));
    complain(wrong, "a user or password in it would stand in every log");
  } else if (std::string complaint = complaintAboutAddress(address); !complaint.empty()) {
    complain(wrong, complaint);
  }
  if (path.size() < 2) complain(wrong, "an address server needs a path, like /rocketmq/nsaddr");
  const bool printable = std::all_of(behind.begin(), behind.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (!printable || behind.find('#') != std::string_view::npos) {
    complain(wrong, "its path has a blank, a '#' or a character beyond ASCII, which %XX stands for in a URL");
  }
  if (text.size() > kUrlMax) {
    wrong = std::to_string(text.size()) + " characters are more than " + std::to_string(kUrlMax);
  }
  if (!wrong.empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 "namesrvAddr '" + excerptOf(shown) + "': " + wrong +
                     "; write http://host[:port]/PATH for the address server, or host:port;host:port for nameservers");
  }
  std::string url = std::string(scheme) + "://" + std::string(authority) + std::string(path);
  std::string_view query = question == std::string_view::npos ? std::string_view() : behind.substr(question + 1);
  if (!unit_name.empty()) {
    url += "-" + escaped(unit_name) + "?nofix=1" + (query.empty() ? "" : "&");
  } else if (!query.empty()) {
    url += "?";
  }
  url += query;

  Result<Home> home = tcpHome(text, engine);
  if (!home) return home;
  Result<remoting::HostPort> where = remoting::splitAddress(address);
  if (!where) return std::move(where).error();
  Result<base::Ref<TopAddressing>> addressing = makeHttpTopAddressing(engine, url, *std::move(where));
  if (!addressing) return std::move(addressing).error();
  home->addressing = *std::move(addressing);
  home->identity = std::move(url);
  return home;
}

}  // namespace

Result<std::vector<std::string>> parseAddressList(std::string_view text) {
  return listIn(text, text);
}

Result<Home> resolveHome(std::string_view namesrv_addr, const base::Ref<base::Engine>& engine,
                         std::string_view unit_name) {
  std::string text(trimmed(namesrv_addr));
  if (text.empty() && engine->environment().variable) {
    text = std::string(trimmed(engine->environment().variable(kNamesrvAddrVariable)));
  }
  if (text.empty()) {
    return Error(
        ErrorCode::kNoNameServer,
        "no nameserver is configured: set ClientOptions::namesrvAddr or the environment variable NAMESRV_ADDR");
  }
  const std::size_t mark = text.find(kSchemeMark);
  if (mark == std::string::npos) return listHome(text, text, engine);
  const std::string_view scheme = std::string_view(text).substr(0, mark);
  if (scheme == kHttp || scheme == kHttps) return httpHome(text, engine, unit_name);

  Result<SchemeAddress> address = parseSchemeAddress(text);
  if (!address) return std::move(address).error();
  SchemeResolver resolver;
  {
    base::MutexLock lock(schemes().mutex);
    const auto found = schemes().resolvers.find(address->scheme);
    if (found != schemes().resolvers.end()) resolver = found->second;
  }
  if (!resolver) {
    const std::string known = knownSchemes();
    return Error(ErrorCode::kUnsupported,
                 "namesrvAddr '" + text + "': this program has no scheme '" + address->scheme + "'; it has " +
                     (known.empty() ? "none: for mock://NAME link mqclient::mqclient" : known));
  }
  Result<Home> home = resolver(*address, engine);
  if (home && !home->engine) home->engine = engine;
  return home;
}

}  // namespace mqclient::client
