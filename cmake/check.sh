#!/usr/bin/env bash
# The parts of `./dev check`, one line each, every part even after one failed. Arguments: --changed, --no-tidy.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top" || exit 1
jobs=$(nproc)
changed=0 tidy=1
for argument in "$@"; do
  case $argument in
    --changed) changed=1 ;;
    --no-tidy) tidy=0 ;;
    *) echo "check does not know $argument; see ./dev check --help" >&2; exit 2 ;;
  esac
done

passed=0 failed=0
part() { # name, command...
  local name=$1 log began=$SECONDS; shift
  log=$(mktemp)
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1)); printf 'ok     %s (%d s): %s\n' "$name" $((SECONDS - began)) "$(tail -n 1 "$log")"
  else
    failed=$((failed + 1)); printf 'FAILED %s (%d s)\n' "$name" $((SECONDS - began)); cat "$log"
  fi
  rm -f "$log"
}

sources() { git ls-files '*.h' '*.cpp'; }

format() {
  local bad
  bad=$(sources | xargs -r -P "$jobs" -n 20 clang-format-14 --dry-run -Werror 2>&1)
  [ -z "$bad" ] || { printf '%s\n' "$bad" | head -n 60; echo "mend with: clang-format-14 -i FILE"; return 1; }
  echo "$(sources | wc -l) files"
}

# The checker itself: a planted misformat must be seen.
format_self_test() {
  ! printf 'int   f( ){return 0 ;}\n' | clang-format-14 --style=file --assume-filename="$top/src/x.cpp" --dry-run -Werror &&
    echo 'seen'
}

# Every file by itself, as preset dev compiles it: clang would take g++'s precompiled header for one of its own.
tidy_database() {
  cmake --preset dev -B build/tidy -DCMAKE_UNITY_BUILD=OFF -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >/dev/null
}

# Files of that database: ours, not generated ones.
tidy_files() {
  local all base
  all=$(git ls-files 'src/*.cpp' 'mock_broker/*.cpp' 'samples/*.cpp' 'benchmarks/*.cpp' 'tools/*.cpp' 'interop/*.cpp' 'tests/*.cpp' ':!tests/consumer_project*')
  if [ "$changed" = 1 ]; then
    base=$(git rev-parse -q --verify origin/main || git rev-parse -q --verify HEAD~10 || git rev-list --max-parents=0 HEAD | tail -n 1)
    # At origin/main itself there is no difference left; then the last ten commits are what changed.
    [ "$base" != "$(git rev-parse HEAD)" ] || base=$(git rev-parse -q --verify HEAD~10 || git rev-list --max-parents=0 HEAD | tail -n 1)
    local touched; touched=$(git diff --name-only "$base")
    all=$(comm -12 <(sort <<<"$all") <(sort <<<"$touched"))
  fi
  local file
  for file in $all; do grep -q "\"file\": \"$top/$file\"" build/tidy/compile_commands.json && echo "$file"; done
  return 0
}

# clang reads g++'s command lines but not all of its flags. Tests count too, but for macros of GoogleTest that trip it.
tidy_run() {
  local files
  tidy_database || return 1
  files=$(tidy_files)
  [ -n "$files" ] || { echo "0 files"; return 0; }
  local bad
  bad=$(xargs -r -P "$jobs" -n 1 clang-tidy-14 --quiet -p build/tidy --extra-arg=-Wno-unknown-warning-option <<<"$files" 2>/dev/null |
    grep -E '(warning|error):|^ +[0-9]* \|' )
  [ -z "$bad" ] || { printf '%s\n' "$bad"; return 1; }
  echo "$(wc -l <<<"$files") files"
}

tidy_self_test() {
  local file; file=$(mktemp --suffix=.cpp)
  printf '#include <string>\n#include <utility>\nint f(std::string s) { std::string t = std::move(s); return static_cast<int>(s.size() + t.size()); }\n' >"$file"
  local out; out=$(clang-tidy-14 --quiet --config-file="$top/.clang-tidy" "$file" -- -std=c++20 2>/dev/null)
  rm -f "$file"
  [[ $out == *bugprone-use-after-move* ]]
}

binaries() {
  local archives programs
  archives=$(ls build/dev/lib/*.a 2>/dev/null)
  programs=$(find build/release/bin -maxdepth 1 -type f -executable 2>/dev/null)
  # shellcheck disable=SC2086  # one word a file
  python3 tests/check/check_binaries.py --archives $archives --programs $programs
}

part 'format, own test' format_self_test
part 'format' format
part 'floors and seams, own test' python3 tests/check/check_tree.py --self-test
part 'floors and seams' python3 tests/check/check_tree.py "$top"
part 'public headers, own test' python3 tests/check/check_headers.py --self-test
part 'public headers' python3 tests/check/check_headers.py "$top"
part 'binaries, own test' python3 tests/check/check_binaries.py --self-test
part 'binaries' binaries
if [ -e tests/check/check_docs.py ]; then
  part 'docs, own test' python3 tests/check/check_docs.py --self-test
  part 'docs' python3 tests/check/check_docs.py "$top"
fi
if [ "$tidy" = 1 ]; then
  part 'tidy, own test' tidy_self_test
  part 'tidy' tidy_run
fi
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
