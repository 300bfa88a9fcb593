#pragma once

#include <string>

#include "client/top_addressing.h"
#include "remoting/tcp_socket.h"

namespace mqclient::client {

/// An address server asked with GET, on lane `net`. Only status 200 counts; redirects are not followed, proxies of the
/// environment are not used, certificates and host names are verified: docs/decisions/0007.
///
/// url      http:// or https://, of printable ASCII; `where` is its host and port.
/// Bounds   64 KiB of answer and as much of header; the deadline of the call.
/// Process  libcurl is initialised once and stays so (and OpenSSL with it). Made on the thread that starts a client, so
///          that what they do at exit comes after the destructor of a static client.
/// Errors   kInternal: libcurl cannot be initialised.
Result<base::Ref<TopAddressing>> makeHttpTopAddressing(base::Ref<base::Engine> engine, std::string url,
                                                       remoting::HostPort where);

}  // namespace mqclient::client
