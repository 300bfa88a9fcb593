# Programs of the project. All of them land in ${PROJECT_BINARY_DIR}/bin.
#
#   mqclient_test(name [SOURCES ...] [LIBS target...] [LABELS label...])
#       A GoogleTest program (without SOURCES: every *_test.cpp of the folder). Its own folder's name is a label too.
#       `./dev test` runs all of them but the labels realtime and slow; `./dev test LABEL` those with the label.
#       One CTest test per program; `./dev test` counts the GoogleTest tests inside.
#   mqclient_sample(name)           samples/<name>/*.cpp, sees only the public headers and libraries
#   mqclient_benchmark(name ...)    a plain main of benchmarks/
#   mqclient_tool(name ...)         a plain main of tools/ or tests/
#
# The list of test programs is build/PRESET/tests.list: one line each, name|path|labels.

function(_mqclient_program target)
  mqclient_compile_settings(${target})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  if(MQCLIENT_HARDENING)
    target_link_options(${target} PRIVATE -pie)
  endif()
endfunction()

# How all of a test program's own files are compiled.
function(mqclient_test_settings target)
  if(MQCLIENT_SANITIZE STREQUAL "asan")
    target_compile_options(${target} PRIVATE -O0)  # two thirds of the time to compile; the library stays at -O1
  endif()
endfunction()

function(mqclient_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS;LABELS" ${ARGN})
  if(NOT arg_SOURCES AND NOT "SOURCES" IN_LIST arg_KEYWORDS_MISSING_VALUES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS *_test.cpp)
  endif()
  if(NOT arg_SOURCES)
    return()  # a folder without a test yet
  endif()
  get_filename_component(folder "${CMAKE_CURRENT_SOURCE_DIR}" NAME)
  string(REPLACE "_" "-" folder "${folder}")
  if(NOT folder STREQUAL "tests")
    list(APPEND arg_LABELS ${folder})
  endif()
  list(REMOVE_DUPLICATES arg_LABELS)
  add_executable(${name} ${arg_SOURCES})
  _mqclient_program(${name})
  target_link_libraries(${name} PRIVATE mqclient_test_main ${arg_LIBS})
  mqclient_test_settings(${name})
  target_precompile_headers(${name} REUSE_FROM mqclient_test_support)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}")
  list(JOIN arg_LABELS "," labels)
  set_property(GLOBAL APPEND PROPERTY MQCLIENT_TESTS "${name}|bin/${name}|${labels}")
endfunction()

function(mqclient_write_test_list)
  get_property(tests GLOBAL PROPERTY MQCLIENT_TESTS)
  list(JOIN tests "\n" text)
  file(WRITE "${PROJECT_BINARY_DIR}/tests.list" "${text}\n")
endfunction()

function(_mqclient_sources out)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  if(NOT arg_SOURCES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS *.cpp)
  endif()
  set(${out} "${arg_SOURCES}" PARENT_SCOPE)
  set(${out}_libs "${arg_LIBS}" PARENT_SCOPE)
endfunction()

function(mqclient_sample name)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp")
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  _mqclient_program(${name})
  target_link_libraries(${name} PRIVATE mqclient::mqclient)
endfunction()

function(mqclient_benchmark name)
  _mqclient_sources(sources ${ARGN})
  if(sources)
    add_executable(${name} ${sources})
    _mqclient_program(${name})
    target_link_libraries(${name} PRIVATE ${sources_libs})
  endif()
endfunction()

function(mqclient_tool name)
  mqclient_benchmark(${name} ${ARGN})
endfunction()
