#pragma once

#include <string>

#include "mqclient/client.h"

namespace mqclient::client {

/// Adds one complaint to `all`, behind "; " if it is not the first.
void complain(std::string& all, const std::string& one);
/// Everything that is wrong with the shared options but for the address, joined by "; "; empty: nothing.
std::string complaintsAbout(const ClientOptions& options);

}  // namespace mqclient::client
