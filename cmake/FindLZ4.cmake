# Finds lz4. Defines LZ4::LZ4.
include("${CMAKE_CURRENT_LIST_DIR}/MqclientFindLibrary.cmake")
mqclient_find_library(LZ4 lz4frame.h lz4 liblz4-dev)
