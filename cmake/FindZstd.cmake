# Finds zstd. Defines Zstd::Zstd.
include("${CMAKE_CURRENT_LIST_DIR}/MqclientFindLibrary.cmake")
mqclient_find_library(Zstd zstd.h zstd libzstd-dev)
