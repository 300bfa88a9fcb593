#pragma once

// Marks what a shared library shows; everything else is hidden (-fvisibility=hidden).
#if defined(MQCLIENT_STATIC_DEFINE) || !defined(__GNUC__)
#define MQCLIENT_EXPORT
#else
#define MQCLIENT_EXPORT __attribute__((visibility("default")))
#endif
