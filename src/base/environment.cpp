#include "base/environment.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

namespace mqclient::base {

namespace {

bool isPrivate(std::uint32_t ip) noexcept {
  return ip >> 24 == 10 || ip >> 20 == (172u << 4 | 1) || ip >> 16 == (192u << 8 | 168) || ip >> 24 == 127;
}

bool isUsable(const ifaddrs& i) {
  constexpr unsigned kWanted = IFF_UP;
  constexpr unsigned kUnwanted = IFF_LOOPBACK | IFF_POINTOPOINT;
  if (!i.ifa_addr || (i.ifa_flags & (kWanted | kUnwanted)) != kWanted) return false;
  return access((std::string("/sys/class/net/") + i.ifa_name + "/bridge").c_str(), F_OK) != 0;
}

void useIpv4(Environment& e, const in_addr& ip) {
  std::array<char, INET_ADDRSTRLEN> text{};
  inet_ntop(AF_INET, &ip, text.data(), text.size());
  e.host_ip = text.data();
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&ip);
  e.host_ip_bytes.assign(bytes, bytes + sizeof ip);
}

void useIpv6(Environment& e, const in6_addr& ip) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(AF_INET6, &ip, text.data(), text.size());
  e.host_ip = std::string("[") + text.data() + "]";
  e.host_ip_bytes.assign(ip.s6_addr, ip.s6_addr + sizeof ip);
}

void findHostIp(Environment& e) {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return;
  std::optional<in_addr> public4;
  std::optional<in_addr> last4;
  std::optional<in6_addr> good6;
  std::optional<in6_addr> first6;
  for (const ifaddrs* i = all; i; i = i->ifa_next) {
    if (!isUsable(*i)) continue;
    if (i->ifa_addr->sa_family == AF_INET) {
      sockaddr_in a;
      std::memcpy(&a, i->ifa_addr, sizeof a);
      last4 = a.sin_addr;
      if (!public4 && !isPrivate(ntohl(a.sin_addr.s_addr))) public4 = a.sin_addr;
    } else if (i->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 a;
      std::memcpy(&a, i->ifa_addr, sizeof a);
      if (!first6) first6 = a.sin6_addr;
      const bool local = IN6_IS_ADDR_LINKLOCAL(&a.sin6_addr) || IN6_IS_ADDR_SITELOCAL(&a.sin6_addr) ||
                         IN6_IS_ADDR_LOOPBACK(&a.sin6_addr) || IN6_IS_ADDR_UNSPECIFIED(&a.sin6_addr);
      if (!good6 && !local) good6 = a.sin6_addr;
    }
  }
  freeifaddrs(all);
  if (last4) {
    useIpv4(e, public4 ? *public4 : *last4);
  } else if (first6) {
    useIpv6(e, good6 ? *good6 : *first6);
  }
}

}  // namespace

Environment realEnvironment() {
  Environment e;
  findHostIp(e);
  e.pid = static_cast<std::uint32_t>(getpid());
  if (getrandom(&e.process_salt, sizeof e.process_salt, GRND_NONBLOCK) != sizeof e.process_salt) {
    e.process_salt = e.pid * 2654435761u;  // without entropy (early boot) any number will do
  }
  e.variable = [](const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody of ours calls setenv
    return value ? std::string(value) : std::string();
  };
  return e;
}

}  // namespace mqclient::base
