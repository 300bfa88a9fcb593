#pragma once

#include <string>

#include "mqclient/client.h"

namespace mqclient::client {

/// Everything that is wrong with the shared options but for the address, joined by "; "; empty: nothing.
std::string complaintsAbout(const ClientOptions& options);

}  // namespace mqclient::client
