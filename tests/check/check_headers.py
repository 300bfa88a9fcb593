#!/usr/bin/env python3
"""Compiles every public header alone, and holds each to its cost.

  check_headers.py [ROOT] [--compiler g++]     exit code 1 if a header fails
  check_headers.py --self-test

The cost of a header is the preprocessed lines it adds to the standard headers that nearly every program includes
(BASELINE). Lines, not seconds: 68 k lines took g++ 12.2 0.42 s (-fsyntax-only), so 0.2 s are 32 k, and a busy machine does
not change the verdict. Headers for tests (testing/) must compile alone too, where GoogleTest is at hand; they have no
budget, being as dear as GoogleTest.
"""
import argparse
import concurrent.futures
import os
import subprocess
import sys
import tempfile

BASELINE = ["string", "vector", "memory", "variant", "optional", "span", "chrono", "coroutine"]
BUDGET_LINES = 32_000
COSTLY_HEADERS = {"std_future.h": 48_000, "stop.h": 48_000}  # apart, so that only who wants them pays
FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wformat=2", "-Wconversion", "-Wsign-conversion",
         "-Wimplicit-fallthrough", "-Wshadow", "-Werror"]


def compiler_run(compiler, include_dir, text, *flags):
    return subprocess.run([compiler, *FLAGS, *flags, "-I", include_dir, "-x", "c++", "-"], input=text, capture_output=True,
                          text=True, check=False)


def lines_of(compiler, include_dir, text):
    return compiler_run(compiler, include_dir, text, "-E").stdout.count("\n")


def for_tests(header):
    return "testing" in header.split("/")[:-1]


def look_at(compiler, include_dir, standard, baseline, header):
    """Answers the lines that the header adds, or None, and what is wrong with it, or None."""
    include = f'#include "{header}"\n'
    done = compiler_run(compiler, include_dir, include + include + "int main() {}\n", "-fsyntax-only")  # twice: the guard
    if done.returncode != 0:
        return None, f"does not compile alone\n{done.stderr}"
    if for_tests(header):
        return None, None
    lines = lines_of(compiler, include_dir, standard + include) - baseline
    budget = COSTLY_HEADERS.get(os.path.basename(header), BUDGET_LINES)
    return lines, f"adds {lines} lines to the standard headers, budget {budget}" if lines > budget else None


def check(compiler, include_dir):
    headers = []
    for folder, _, files in os.walk(include_dir):
        headers += [os.path.relpath(os.path.join(folder, f), include_dir) for f in files if f.endswith(".h")]
    if compiler_run(compiler, include_dir, "#include <gmock/gmock.h>\n", "-E").returncode != 0:
        headers = [h for h in headers if not for_tests(h)]
    headers.sort()
    standard = "".join(f"#include <{h}>\n" for h in BASELINE)
    baseline = lines_of(compiler, include_dir, standard)
    bad, dearest = 0, (0, "")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        looked = pool.map(lambda header: look_at(compiler, include_dir, standard, baseline, header), headers)
        for header, (lines, wrong) in zip(headers, looked):
            dearest = max(dearest, (lines or 0, header))
            if wrong:
                print(f"{header}: {wrong}")
                bad += 1
    print(f"{len(headers)} public headers, {bad} findings; the dearest, {dearest[1]}, adds {dearest[0]} lines")
    return bad


def self_test():
    with tempfile.TemporaryDirectory() as root:
        def write(name, text):
            with open(os.path.join(root, name), "w", encoding="utf-8") as out:
                out.write(text)
        write("fine.h", "#pragma once\n#include <string>\nstruct Fine { std::string s; };\n")
        clean = check("g++", root) == 0
        write("needy.h", "#pragma once\nstd::string forgotten();\n")
        write("unguarded.h", "struct Twice {};\n")
        write("heavy.h", "#pragma once\n#include <regex>\n#include <filesystem>\n#include <iostream>\n#include <future>\n"
                         "#include <random>\n#include <algorithm>\n#include <functional>\n")
        os.mkdir(os.path.join(root, "testing"))
        write("testing/needy.h", "#pragma once\n#include <gtest/gtest.h>\nstd::latch forgotten();\n")
        write("testing/dear.h", "#pragma once\n#include <gmock/gmock.h>\n#include <regex>\n#include <future>\n")
        found = check("g++", root) == 4
    print(f"self-test: {'right' if clean and found else 'WRONG'}")
    return 0 if clean and found else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root", nargs="?", default=".")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    if args.self_test:
        return self_test()
    return 1 if check(args.compiler, os.path.join(args.root, "include")) else 0


if __name__ == "__main__":
    sys.exit(main())
