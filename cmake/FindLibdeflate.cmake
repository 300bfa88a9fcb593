# Finds libdeflate. Defines Libdeflate::Libdeflate.
include("${CMAKE_CURRENT_LIST_DIR}/MqclientFindLibrary.cmake")
mqclient_find_library(Libdeflate libdeflate.h deflate libdeflate-dev)
