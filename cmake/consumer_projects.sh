#!/usr/bin/env bash
# Builds and runs the projects of tests/consumer_project_* and samples/testing: see ./dev consumer --help.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
shared=0
[ "${1:-}" != --shared ] || shared=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { printf '== %s\n' "$*"; }

quietly() { # what, command...
  local what=$1; shift
  "$@" >"$work/log" 2>&1 </dev/null || { cat "$work/log"; say "FAILED: $what"; exit 1; }
}
configure() { quietly "configuring $2" cmake -G Ninja -S "$1" -B "$2" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO='-O1 -g1' "${@:3}"; }
program() { say "running $(basename "$1")"; timeout 60 "$1" </dev/null || { say "FAILED: $1 (exit $?)"; exit 1; }; }

# What a user would do with a test project of their own; ctest says how long the ten programs take together.
recipes() { # static|shared
  [ -e "$work/find-$1/tests_with_mqclient" ] || { say "no GoogleTest: without samples/testing"; return; }
  say "samples/testing, $1"
  configure "$top/samples/testing" "$work/recipes-$1" -DCMAKE_PREFIX_PATH="$work/prefix-$1"
  quietly "building the recipes" cmake --build "$work/recipes-$1"
  quietly "running the recipes" ctest --test-dir "$work/recipes-$1" --output-on-failure --no-tests=error --timeout 60
  grep 'Total Test time' "$work/log"
}

# What a packager would install: preset release, whose objects are in the compiler's cache when they were built before.
# Folders below build/ are equally deep, so that the cache sees the same relative paths.
installed() { # static|shared
  local kind=$1 options=(${MQCLIENT_FEW_UNITS:+"$MQCLIENT_FEW_UNITS"}) dir=$top/build/installed-$1
  say "install, $kind"
  [ "$kind" = static ] || options+=(-DBUILD_SHARED_LIBS=ON)
  quietly "configuring $dir" cmake -S "$top" --preset release -B "$dir" -DCMAKE_INSTALL_PREFIX="$work/prefix-$kind" \
    -DMQCLIENT_BUILD_TESTS=OFF -DMQCLIENT_BUILD_SAMPLES=OFF -DMQCLIENT_BUILD_BENCHMARKS=OFF -DMQCLIENT_BUILD_TOOLS=OFF \
    "${options[@]}"
  quietly "building the $kind libraries" cmake --build "$dir"
  quietly "installing the $kind libraries" cmake --install "$dir"
  # Only the prefix is looked at: the sources could not be reached from the package.
  ! grep -rq "$top" "$work/prefix-$kind"/lib*/cmake || { say "FAILED: the installed package names the source folder"; exit 1; }
  say "project with find_package, $kind"
  configure "$top/tests/consumer_project_find_package" "$work/find-$kind" -DCMAKE_PREFIX_PATH="$work/prefix-$kind"
  quietly "building the project" cmake --build "$work/find-$kind"
  local name
  for name in finds_mqclient client_only broker_only tests_with_mqclient; do
    [ "$name" != tests_with_mqclient ] || [ -e "$work/find-$kind/$name" ] || { say "no GoogleTest: without mqclient::testing"; continue; }
    [ "$kind$name" != sharedclient_only ] || continue # the shared library has both halves
    program "$work/find-$kind/$name"
  done
  recipes "$kind"
  say "the same program with pkg-config, $kind"
  local flags
  flags=$(PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix-$kind" -name mqclient.pc)") pkg-config --cflags --libs mqclient)
  # shellcheck disable=SC2086  # one word a flag
  quietly "building with pkg-config" g++ -std=c++20 "$top/tests/consumer_project_find_package/main.cpp" $flags -o "$work/pc-$kind"
  LD_LIBRARY_PATH=$(dirname "$(find "$work/prefix-$kind" -name 'libmqclient*' | head -n 1)") program "$work/pc-$kind"
}

installed static
[ "$shared" = 0 ] || installed shared

say "project with add_subdirectory"
# A host may compile all that it carries in few units.
configure "$top/tests/consumer_project_add_subdirectory" "$work/sub" -DMQCLIENT_SOURCES="$top" -DCMAKE_UNITY_BUILD=ON
quietly "building the project" cmake --build "$work/sub" --target carries_mqclient
program "$work/sub/carries_mqclient"
say "the consumer projects build and run"
