# mqclient_floor(NAME name [SOURCES ...] [DEPS floor...] [LIBS target...])
#
#   One static library mqclient_<name> per folder, linked in the direction of the floors. The rules:
#   - Without SOURCES every *.cpp of the folder belongs to it, so a new file needs no edit here (CONFIGURE_DEPENDS).
#   - DEPS names the lower floors the folder includes, without the prefix (base, protocol, ...). Never sideways or up:
#     `./dev check` reads the includes against the same drawing.
#   - LIBS names outside libraries; they stay private to the floor unless a header of the floor needs them.
#   - Presets asan, tsan and fuzz compile sixteen files as one: a name in an anonymous namespace belongs to the whole folder.
#   - A folder without a source yet is an empty target, so that whoever depends on it configures.
#   Floors are never installed: cmake/MqclientLibraries.cmake gathers their objects into the public libraries.
#
# mqclient_compile_settings(target): language level, hidden symbols, and, in our presets, warnings as errors, hardening,
# sanitizers. Every target of ours goes through it.

if(NOT DEFINED CMAKE_UNITY_BUILD_BATCH_SIZE)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 16)  # where files are compiled together at all: docs/decisions/0018
endif()

set(MQCLIENT_WARNINGS -Wall -Wextra -Wformat=2 -Wconversion -Wsign-conversion -Wimplicit-fallthrough -Wshadow)

# Position independent everywhere: the same objects go into the static and into the shared library.
add_library(mqclient_settings INTERFACE)
target_compile_features(mqclient_settings INTERFACE cxx_std_20)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # C++14's delete with a size, which clang before 19 has by option only.
  target_compile_options(mqclient_settings INTERFACE -fsized-deallocation)
endif()
if(MQCLIENT_STRICT)
  target_compile_options(mqclient_settings INTERFACE ${MQCLIENT_WARNINGS} -Werror)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    target_compile_options(mqclient_settings INTERFACE -Wthread-safety -Werror=thread-safety)
  endif()
endif()
if(MQCLIENT_HARDENING)
  # OpenSSF Compiler Options Hardening Guide, as far as g++ 12 goes. Without -z nodlopen: it refuses every library that
  # depends on ours as well. Without -fzero-call-used-regs: docs/decisions/0005.
  target_compile_options(mqclient_settings INTERFACE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -D_GLIBCXX_ASSERTIONS -fstack-protector-strong -fstack-clash-protection
    -ftrivial-auto-var-init=zero -Wbidi-chars=any
    "$<$<CXX_COMPILER_ID:GNU>:-Wtrampolines>")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|i[3-6]86")
    # A few hundred bytes that are cleared first cost less in vector stores than by `rep stos`: docs/decisions/0015.
    target_compile_options(mqclient_settings INTERFACE
      -fcf-protection=full
      "$<$<CXX_COMPILER_ID:GNU>:-mmemset-strategy=vector_loop:512:noalign,rep_8byte:-1:noalign>")
  endif()
  target_link_options(mqclient_settings INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
if(MQCLIENT_SANITIZE STREQUAL "asan")
  # Without vptr: that check opens a pipe for each look, and a test leaves the process without a descriptor.
  target_compile_options(mqclient_settings INTERFACE
    -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(mqclient_settings INTERFACE -fsanitize=address,undefined)
elseif(MQCLIENT_SANITIZE STREQUAL "tsan")
  # g++ 12 warns about every std::atomic_thread_fence it meets in library headers under this sanitizer.
  target_compile_options(mqclient_settings INTERFACE -fsanitize=thread -fno-omit-frame-pointer -Wno-error=tsan)
  target_link_options(mqclient_settings INTERFACE -fsanitize=thread)
elseif(MQCLIENT_SANITIZE STREQUAL "fuzz")
  # Coverage for libFuzzer in every object; its main() is linked by mqclient_fuzz_target() alone. vptr: as above.
  set(MQCLIENT_FUZZ_FLAGS -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_compile_options(mqclient_settings INTERFACE ${MQCLIENT_FUZZ_FLAGS})
  target_link_options(mqclient_settings INTERFACE ${MQCLIENT_FUZZ_FLAGS})
elseif(NOT MQCLIENT_SANITIZE STREQUAL "")
  message(FATAL_ERROR "MQCLIENT_SANITIZE is '${MQCLIENT_SANITIZE}'; it may be empty, asan, tsan or fuzz")
endif()

function(mqclient_compile_settings target)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:mqclient_settings>)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
endfunction()

function(mqclient_floor)
  cmake_parse_arguments(arg "" "NAME" "SOURCES;DEPS;LIBS" ${ARGN})
  if(NOT arg_NAME OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "mqclient_floor(NAME name [SOURCES ...] [DEPS floor...] [LIBS target...]): got '${ARGV}'")
  endif()
  if(NOT arg_SOURCES AND NOT "SOURCES" IN_LIST arg_KEYWORDS_MISSING_VALUES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS *.cpp */*.cpp)
  endif()
  set(target mqclient_${arg_NAME})
  list(TRANSFORM arg_DEPS PREPEND mqclient_)
  if(arg_SOURCES)
    add_library(${target} STATIC EXCLUDE_FROM_ALL ${arg_SOURCES})
    mqclient_compile_settings(${target})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE ${arg_LIBS})
    set_target_properties(${target} PROPERTIES ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/floors")
    set_property(GLOBAL APPEND PROPERTY MQCLIENT_FLOORS_BUILT ${arg_NAME})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope}
    "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${target} ${scope} ${arg_DEPS})
endfunction()
