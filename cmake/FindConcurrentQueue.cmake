# Finds moodycamel's concurrentqueue (headers only; needed to build mqclient, never to use it). Defines ConcurrentQueue::ConcurrentQueue,
# with which the header is <concurrentqueue/concurrentqueue.h>.
find_path(ConcurrentQueue_INCLUDE_DIR NAMES concurrentqueue/concurrentqueue.h)
mark_as_advanced(ConcurrentQueue_INCLUDE_DIR)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  ConcurrentQueue REQUIRED_VARS ConcurrentQueue_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "on Debian and Ubuntu: apt-get install libconcurrentqueue-dev")
if(ConcurrentQueue_FOUND AND NOT TARGET ConcurrentQueue::ConcurrentQueue)
  add_library(ConcurrentQueue::ConcurrentQueue INTERFACE IMPORTED)
  set_target_properties(ConcurrentQueue::ConcurrentQueue PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${ConcurrentQueue_INCLUDE_DIR}")
endif()
