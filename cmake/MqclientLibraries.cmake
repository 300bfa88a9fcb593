# The public libraries, made of the floors' objects, and how they are installed.
#
#   mqclient::client    the SDK: base to consumer, without the simulation
#   mqclient::broker    nameserver, broker, store, MockCluster, simulation
#   mqclient::mqclient  both, and the object file that binds mock:// (a registration inside an archive would be dropped)
#   mqclient::testing   GoogleTest beside mqclient::mqclient; the headers for tests hang here
#
# Static (the default): libmqclient_client.a and libmqclient_broker.a; the broker's archive takes the lower floors from
# the client's. Shared (BUILD_SHARED_LIBS=ON): one libmqclient.so behind all names: internals are hidden, and a process
# must have one runtime, so the two halves cannot live in libraries that each carry their own lower floors.

set(MQCLIENT_SDK_FLOORS base protocol filter remoting route client trace rebalance producer consumer admin)
set(MQCLIENT_BROKER_FLOORS sim store faults replication nameserver broker_core cluster)
set(MQCLIENT_CODECS Libdeflate::Libdeflate LZ4::LZ4 Zstd::Zstd)  # what floor protocol stands on

get_property(_floors_built GLOBAL PROPERTY MQCLIENT_FLOORS_BUILT)
function(_mqclient_objects out)
  set(objects "")
  foreach(floor ${ARGN})
    if(floor IN_LIST _floors_built)
      list(APPEND objects $<TARGET_OBJECTS:mqclient_${floor}>)
    endif()
  endforeach()
  set(${out} "${objects}" PARENT_SCOPE)
endfunction()
_mqclient_objects(_sdk_objects ${MQCLIENT_SDK_FLOORS})
_mqclient_objects(_broker_objects ${MQCLIENT_BROKER_FLOORS})
set(_binding_objects "")
if(TARGET mqclient_mock_binding)
  set(_binding_objects $<TARGET_OBJECTS:mqclient_mock_binding>)
endif()

# For tests and benchmarks, which look inside: every floor at once.
add_library(mqclient_everything INTERFACE)
foreach(floor ${MQCLIENT_BROKER_FLOORS} admin consumer producer rebalance trace client route remoting filter protocol base)
  if(TARGET mqclient_${floor})
    target_link_libraries(mqclient_everything INTERFACE mqclient_${floor})
  endif()
endforeach()
target_link_libraries(mqclient_everything INTERFACE ${_binding_objects})

function(_mqclient_public target export_name)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${export_name} LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib" LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
  add_library(mqclient::${export_name} ALIAS ${target})
  set_property(GLOBAL APPEND PROPERTY MQCLIENT_PUBLIC_TARGETS ${target})
endfunction()

function(_mqclient_interface target scope)
  target_compile_features(${target} ${scope} cxx_std_20)
  target_include_directories(${target} ${scope}
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()

set(_lib mqclient_lib)  # prefix of the public targets; the floors have the plain names
if(BUILD_SHARED_LIBS)
  add_library(${_lib} SHARED ${_sdk_objects} ${_broker_objects} ${_binding_objects})
  set_target_properties(${_lib} PROPERTIES OUTPUT_NAME mqclient)
  mqclient_compile_settings(${_lib})
  _mqclient_interface(${_lib} PUBLIC)
  target_link_libraries(${_lib} PRIVATE ${MQCLIENT_CODECS} CURL::libcurl PUBLIC Threads::Threads)
  # dlclose must not unmap code that a thread of ours still runs.
  target_link_options(${_lib} PRIVATE -Wl,-z,nodelete)
  _mqclient_public(${_lib} mqclient)
  foreach(name client broker)
    add_library(${_lib}_${name} INTERFACE)
    target_link_libraries(${_lib}_${name} INTERFACE ${_lib})
    _mqclient_public(${_lib}_${name} ${name})
  endforeach()
else()
  add_library(${_lib}_client STATIC ${_sdk_objects})
  set_target_properties(${_lib}_client PROPERTIES OUTPUT_NAME mqclient_client)
  mqclient_compile_settings(${_lib}_client)
  _mqclient_interface(${_lib}_client PUBLIC)
  target_link_libraries(${_lib}_client PRIVATE ${MQCLIENT_CODECS} CURL::libcurl PUBLIC Threads::Threads)
  _mqclient_public(${_lib}_client client)

  if(_broker_objects)
    add_library(${_lib}_broker STATIC ${_broker_objects})
    set_target_properties(${_lib}_broker PROPERTIES OUTPUT_NAME mqclient_broker)
    mqclient_compile_settings(${_lib}_broker)
    target_link_libraries(${_lib}_broker PUBLIC ${_lib}_client)
  else()
    add_library(${_lib}_broker INTERFACE)
    target_link_libraries(${_lib}_broker INTERFACE ${_lib}_client)
  endif()
  _mqclient_public(${_lib}_broker broker)

  add_library(${_lib} INTERFACE)
  target_link_libraries(${_lib} INTERFACE ${_lib}_broker ${_lib}_client)
  if(_binding_objects)
    _mqclient_public(mqclient_mock_binding mock_binding)
    # As a link item, by the name it also has when installed: only so do the objects reach whoever links mqclient::mqclient.
    target_link_libraries(${_lib} INTERFACE $<TARGET_OBJECTS:mqclient::mock_binding>)
  endif()
  _mqclient_public(${_lib} mqclient)
endif()

# GoogleTest is looked up where the target is used, so that installing it on a machine without is no error.
add_library(${_lib}_testing INTERFACE)
target_link_libraries(${_lib}_testing INTERFACE ${_lib})
if(MQCLIENT_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
if(TARGET GTest::gmock)
  target_link_libraries(${_lib}_testing INTERFACE GTest::gtest GTest::gmock)
else()
  target_link_libraries(${_lib}_testing INTERFACE "$<TARGET_NAME_IF_EXISTS:GTest::gmock>")
endif()
add_library(mqclient::testing ALIAS ${_lib}_testing)

if(MQCLIENT_INSTALL)
  include(MqclientInstall)
endif()
