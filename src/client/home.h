#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/engine.h"
#include "client/top_addressing.h"
#include "mqclient/error.h"
#include "remoting/transport.h"

namespace mqclient::client {

/// An address server is asked again so often. MQClientInstance.java, fetchNameServerAddr.
inline constexpr base::Millis kFetchNSAddrInterval{120'000};

/// Where a client's requests go: what a namesrvAddr becomes. The one place that turns an address into a transport.
struct Home {
  base::Ref<base::Engine> engine;  ///< the client's own, or the home's when the home brings one (virtual time)
  base::Ref<remoting::Transport> transport;
  std::vector<std::string> nameservers;  ///< addresses that `transport` can connect to; none: `addressing` tells
  base::Ref<TopAddressing> addressing;   ///< null: `nameservers` are all there are
  base::Millis addressing_period{kFetchNSAddrInterval};
  std::shared_ptr<void> keep_alive;  ///< held as long as a client uses the home; may be null
  std::string identity;              ///< equal for equal homes: part of what decides whether clients share
};

/// scheme://name?key=value&key=value, taken apart but not judged.
struct SchemeAddress {
  std::string text;  ///< as given, for error messages
  std::string scheme;
  std::string name;
  std::vector<std::pair<std::string, std::string>> parameters;  ///< in order, each key once
};

/// Makes a home of an address. `engine` is the one of the client that asks; the resolver may answer with another.
/// Errors   kInvalidArgument naming what was found and what is allowed.
/// Threads  any.
using SchemeResolver = std::function<Result<Home>(const SchemeAddress& address, const base::Ref<base::Engine>& engine)>;

/// Binds a scheme ("mock") to its resolver; called once per scheme, before main, by the object file that brings it.
void registerScheme(std::string scheme, SchemeResolver resolver);

/// The home of a namesrvAddr; an empty one means the engine's NAMESRV_ADDR. `unit_name` becomes part of the URL of an
/// address server: "http://host/path-UNIT?nofix=1" (DefaultTopAddressing.java).
///
/// Shape    "scheme://name?parameters" of a registered scheme, "host:port;host:port", the same behind "http://" (so in
///          Java), or the URL of an address server: "http://host[:port]/path", "https://host[:port]/path".
/// Errors   kNoNameServer: nothing is configured. kInvalidArgument: the text cannot be an address; every complaint at
///          once. kUnsupported: a well-formed address whose transport this program or the engine does not have.
/// Threads  any.
Result<Home> resolveHome(std::string_view namesrv_addr, const base::Ref<base::Engine>& engine,
                         std::string_view unit_name = {});

/// Takes "scheme://name?k=v" apart. kInvalidArgument: no name, a parameter without '=', a key given twice.
Result<SchemeAddress> parseSchemeAddress(std::string_view text);

/// Checks the keys of an address against the allowed ones; the error lists what was found and what is allowed.
Result<void> checkParameters(const SchemeAddress& address, const std::vector<std::string>& allowed);

/// "host:port;host:port" → the list; hosts are names, IPv4 or [IPv6], ports 1 to 65535. Blanks around entries and
/// empty entries are skipped. kInvalidArgument lists every bad entry.
Result<std::vector<std::string>> parseAddressList(std::string_view text);

}  // namespace mqclient::client
