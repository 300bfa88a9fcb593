#pragma once

#include "base/engine.h"

namespace mqclient::base {

/// What this process and machine say about themselves. Reads the interfaces once: some 100 µs.
///
/// host_ip   among the interfaces that are up and not loopback, point-to-point or a bridge: the first IPv4 outside
///           10/8, 172.16/12, 192.168/16 and 127/8, else the last IPv4; without any IPv4 the first IPv6 that is neither
///           link-local nor site-local, else the first, in brackets; else 127.0.0.1. NetworkUtil.java
Environment realEnvironment();

}  // namespace mqclient::base
