#pragma once

// The version these headers belong to. Source compatible within a major, binary compatible within a minor.
#define MQCLIENT_VERSION_MAJOR 0
#define MQCLIENT_VERSION_MINOR 1
#define MQCLIENT_VERSION_PATCH 0
#define MQCLIENT_VERSION "0.1.0"
