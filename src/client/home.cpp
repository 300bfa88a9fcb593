#include "client/home.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/mutex.h"

namespace mqclient::client {

namespace {

constexpr std::string_view kSchemeEnd = "://";

struct Schemes {
  base::Mutex mutex;
  std::map<std::string, SchemeResolver, std::less<>> resolvers MQ_GUARDED_BY(mutex);
};
Schemes& schemes() {
  static auto* all = new Schemes;  // leaked on purpose: filled before main, used until the very end
  return *all;
}

Error invalid(std::string text) {
  return Error(ErrorCode::kInvalidArgument, std::move(text));
}

std::string joined(const std::vector<std::string>& words, const char* separator) {
  std::string text;
  for (const std::string& word : words) text += text.empty() ? word : separator + word;
  return text;
}

std::string quoted(std::string_view text) {
  return '"' + std::string(text) + '"';
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// "" or what is wrong with one host:port.
std::string complaintAbout(std::string_view entry) {
  const std::size_t colon = entry.rfind(':');
  if (colon == std::string_view::npos) return quoted(entry) + " has no port: host:port is expected";
  const std::string_view host = entry.substr(0, colon);
  const std::string_view port_text = entry.substr(colon + 1);
  int port = 0;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  constexpr int kPortMax = 65'535;
  if (error != std::errc() || end != port_text.data() + port_text.size() || port < 1 || port > kPortMax) {
    return quoted(entry) + ": the port must be a number from 1 to 65535";
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') return {};
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  };
  if (host.empty() || !std::ranges::all_of(host, fits)) {
    return quoted(entry) + ": the host must be a name, an IPv4 address or an IPv6 address in brackets";
  }
  return {};
}

}  // namespace

void registerScheme(std::string scheme, SchemeResolver resolver) {
  Schemes& all = schemes();
  base::MutexLock lock(all.mutex);
  all.resolvers[std::move(scheme)] = std::move(resolver);
}

Result<SchemeAddress> parseSchemeAddress(std::string_view text) {
  SchemeAddress address;
  address.text = std::string(text);
  const std::size_t scheme_end = text.find(kSchemeEnd);
  if (scheme_end == std::string_view::npos) return invalid(quoted(text) + " has no scheme");
  address.scheme = std::string(text.substr(0, scheme_end));
  std::string_view rest = text.substr(scheme_end + kSchemeEnd.size());
  const std::size_t question = rest.find('?');
  address.name = std::string(rest.substr(0, question));
  if (address.name.empty()) return invalid(address.text + " has no name: " + address.scheme + "://NAME is expected");
  if (question == std::string_view::npos) return address;
  rest.remove_prefix(question + 1);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view parameter = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t equals = parameter.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return invalid(address.text + ": the parameter " + quoted(parameter) + " is not of the form key=value");
    }
    std::string key(parameter.substr(0, equals));
    if (std::ranges::find(address.parameters, key, &std::pair<std::string, std::string>::first) !=
        address.parameters.end()) {
      return invalid(address.text + ": " + key + " is given twice");
    }
    address.parameters.emplace_back(std::move(key), std::string(parameter.substr(equals + 1)));
  }
  return address;
}

Result<void> checkParameters(const SchemeAddress& address, const std::vector<std::string>& allowed) {
  std::vector<std::string> unknown;
  for (const auto& [key, value] : address.parameters) {
    if (std::ranges::find(allowed, key) == allowed.end()) unknown.push_back(key);
  }
  if (unknown.empty()) return {};
  return invalid(address.text + ": unknown parameter " + joined(unknown, ", ") + "; allowed are " +
                 joined(allowed, ", "));
}

Result<std::vector<std::string>> parseAddressList(std::string_view text) {
  std::vector<std::string> addresses;
  std::vector<std::string> complaints;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(';'), text.size());
    const std::string_view entry = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (entry.empty()) continue;
    if (std::string complaint = complaintAbout(entry); !complaint.empty()) {
      complaints.push_back(std::move(complaint));
    } else if (std::ranges::find(addresses, entry) == addresses.end()) {
      addresses.emplace_back(entry);
    }
  }
  if (!complaints.empty()) return invalid("namesrvAddr: " + joined(complaints, "; "));
  if (addresses.empty())
    return invalid("namesrvAddr has no address: \"host:port;host:port\" or mock://NAME is expected");
  return addresses;
}

Result<Home> resolveHome(std::string_view namesrv_addr, const base::Ref<base::Engine>& engine) {
  std::string from_environment;
  std::string_view text = trimmed(namesrv_addr);
  if (text.empty()) {
    const auto& variable = engine->environment().variable;
    if (variable) from_environment = variable("NAMESRV_ADDR");
    text = trimmed(from_environment);
  }
  if (text.empty()) {
    return Error(ErrorCode::kNoNameServer,
                 "no nameserver is configured: set namesrvAddr (\"mock://demo\" for a cluster inside this process), or "
                 "the environment variable NAMESRV_ADDR");
  }
  if (text.find(kSchemeEnd) != std::string_view::npos) {
    auto address = parseSchemeAddress(text);
    if (!address) return address.error();
    SchemeResolver resolver;
    std::string known;
    {
      Schemes& all = schemes();
      base::MutexLock lock(all.mutex);
      const auto found = all.resolvers.find(address->scheme);
      if (found != all.resolvers.end()) resolver = found->second;
      for (const auto& [name, r] : all.resolvers) known += (known.empty() ? "" : ", ") + name + "://";
    }
    if (resolver) return resolver(*address, engine);
    return invalid(address->text + ": unknown scheme " + address->scheme + "; known are " +
                   (known.empty() ? "none (mock:// comes with the library mqclient::mqclient)" : known));
  }
  auto list = parseAddressList(text);
  if (!list) return list.error();
  return Error(ErrorCode::kUnsupported, "namesrvAddr " + quoted(text) +
                                            ": this version has no TCP transport yet; use mock://NAME for a cluster "
                                            "inside this process");
}

}  // namespace mqclient::client
