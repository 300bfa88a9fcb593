#!/usr/bin/env python3
"""Reads the tracked sources and holds them to the drawing of the floors and to the seams.

  check_tree.py [ROOT]        prints one line a finding, `path:line: what`; exit code 1 if there is any
  check_tree.py --self-test   plants one violation of each kind and sees it found

What it holds true: an include goes to a lower floor (FLOORS); a facade's header is included by its own floor, samples and tests only
(FACADES); public headers include the standard library and each other; threads, locks, clocks, chance and files stay
behind the seams; tests neither sleep nor skip; nothing is left for later; suppressions are few and give a reason.
"""
import os
import re
import subprocess
import sys
import tempfile

# An include goes to a lower floor, never sideways or up.
FLOORS = {"base": 0, "protocol": 1, "filter": 1, "remoting": 2, "sim": 3, "route": 4, "mock_broker": 4, "client": 5,
          "trace": 6, "rebalance": 7, "producer": 8, "consumer": 8, "admin": 8,
          "tools": 9, "samples": 9, "tests": 9, "benchmarks": 9}
# Floors that a floor below their number may not reach all the same.
NEVER = {"sim": {"route", "client", "trace", "rebalance", "producer", "consumer", "admin"},  # the SDK links no simulation
         "mock_broker": {"client", "trace", "rebalance", "producer", "consumer", "admin"},
         "route": {"mock_broker"}}
# Inside mock_broker: faults | store → nameserver | broker → cluster | standalone → control | binding.
BROKER_FLOORS = {"faults": 0, "store": 0, "replication": 1, "nameserver": 2, "broker": 2, "cluster": 3, "console": 3, "standalone": 3,
                 "control": 4, "binding": 4}
# Facades: the floor that implements the header. Every other public header is vocabulary and serves every floor.
FACADES = {"default_mq_producer.h": "producer", "transaction_mq_producer.h": "producer",
           "default_mq_push_consumer.h": "consumer", "default_lite_pull_consumer.h": "consumer",
           "default_mq_admin_ext.h": "admin", "mock_cluster.h": "mock_broker",
           "mock_faults.h": "mock_broker", "mqclient.h": "tests",
           "testing/at_once.h": "mock_broker", "testing/message_ext_builder.h": "mock_broker"}
# Headers for tests lie over GoogleTest and the system: what they cost, only tests pay.
FOR_TESTS = "include/mqclient/testing/"

SEAMS = re.compile(r"std::(jthread|thread\b|mutex|recursive_mutex|shared_mutex|condition_variable|random_device|mt19937|"
                   r"ofstream|ifstream|fstream|this_thread)|(steady|system|high_resolution)_clock::now|\b(getenv|fopen|rand)\(")
SLEEPS = re.compile(r"sleep_fo[r]|sleep_unti[l]|\buslee[p]\(|\bslee[p]\(")
SKIPS = re.compile(r"DISABLE[D]_|GTEST_SKI[P]")
LATER = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|not imple" + "mented|unimple" + "mented")
NOLINT = re.compile(r"NOLINT(NEXTLINE|BEGIN)?\b(\([^)]*\))?")
WORKPLACE = re.compile(r"/wor[k]/|\.\./share[d]|\.librar[y]|far[m]-|subagen[t]|this sessio[n]|\bCE[O]\b|/tmp/b[-]|/tmp/brie[f]")
SUPPRESSION = re.compile(r"no_sanitiz" + r"e|suppression" + r"s?=")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

NOLINT_MAX = 20
LINES_MAX = 700
CPP = (".h", ".hpp", ".cpp", ".cc")
# In public headers these would cost every user; they stay in files of their own that name them.
COSTLY = {"future", "stop_token", "iostream", "regex", "filesystem", "thread", "mutex", "condition_variable", "random",
          "fstream", "sstream"}
COSTLY_ALLOWED = {"std_future.h": {"future"}, "stop.h": {"stop_token"}}
STD = re.compile(r"^[a-z_]+$")


def place(path):
    """The floor a file stands on, and its part of mock_broker: ('remoting', None), ('mock_broker', 'store')."""
    parts = path.split("/")
    if parts[0] == "src" and len(parts) > 2:
        return parts[1], None
    if parts[0] == "mock_broker":
        return "mock_broker", parts[1] if len(parts) > 2 else None
    if parts[0] == "include":
        return "include", None
    return (parts[0], None) if parts[0] in FLOORS else (None, None)


def target_of(include):
    parts = include.split("/")
    if parts[0] == "mock_broker":
        return "mock_broker", parts[1] if len(parts) > 2 else None
    if parts[0] in BROKER_FLOORS and parts[0] not in FLOORS:
        return "mock_broker", parts[0]
    return (parts[0], None) if parts[0] in FLOORS else (None, None)


def check_include(path, bracket, include):
    floor, part = place(path)
    if floor is None:
        return None
    if include.startswith("mqclient/"):
        for_tests = path.startswith(FOR_TESTS) or floor in {"tests", "samples", "benchmarks"}
        if include.startswith("mqclient/testing/") and not for_tests and FACADES.get(include[len("mqclient/"):]) != floor:
            return f"{include} is for tests, not for {floor}"
        facade = FACADES.get(include[len("mqclient/"):])
        if facade and floor not in {facade, "include", "samples", "tests", "tools", "benchmarks"}:
            return f"{include} is a facade of {facade}; {floor} may include vocabulary headers only"
        return None
    if path.startswith(FOR_TESTS):
        return None if bracket == "<" else f"a header for tests may include mqclient/ and the system, not {include}"
    if floor == "include":
        if bracket == '"' or not STD.match(include):
            return f"a public header may include the standard library and mqclient/, not {include}"
        if include in COSTLY - COSTLY_ALLOWED.get(os.path.basename(path), set()):
            return f"<{include}> costs every user of this header"
        return None
    if bracket == "<":
        return None
    if "/" not in include and FLOORS[floor] < 9:
        return f'"{include}" carries no folder'
    to, to_part = target_of(include)
    if floor == "samples":
        return f"samples see only include/, not {include}" if to else None
    if to is None or floor in {"tests", "benchmarks", "tools"}:
        return None
    if to == floor:
        if floor == "mock_broker" and part != to_part and BROKER_FLOORS.get(to_part, 9) >= BROKER_FLOORS.get(part, -1):
            return f"{part} may not include {to_part} (store, replication, nameserver|broker, cluster, binding)"
        return None
    if part == "binding" and to == "client":
        return None  # mock:// is where the two halves meet
    if FLOORS[to] >= FLOORS[floor] or floor in NEVER.get(to, ()):
        return f"floor {floor} may not include {to} ({include})"
    return None


def check_file(path, text):
    """Findings of one file as (line, what), and its suppressions."""
    found, nolints = [], 0
    floor, _ = place(path)
    code = path.endswith(CPP)
    ours = path.startswith(("src/", "mock_broker/", "include/"))
    behind_seams = floor in {"base", "sim"}
    for number, line in enumerate(text.split("\n"), 1):
        if WORKPLACE.search(line):
            found.append((number, f"speaks of the workplace, not of the project: {line.strip()[:60]}"))
        if not code:
            continue
        include = INCLUDE.match(line)
        if include:
            wrong = check_include(path, *include.groups())
            if wrong:
                found.append((number, wrong))
        bare = line.split("//")[0]
        if ours and floor != "include" and not behind_seams and SEAMS.search(bare):
            found.append((number, f"threads, locks, clocks, chance and files come from base/: {SEAMS.search(bare).group(0)}"))
        if (floor in {"tests", "samples"}) and SLEEPS.search(bare):
            found.append((number, "waits for real time; await an event or advance a clock"))
        if floor == "tests" and SKIPS.search(line):
            found.append((number, "a test that does not run"))
        if LATER.search(line):
            found.append((number, "left for later"))
        if SUPPRESSION.search(line):
            found.append((number, "a suppression of a sanitizer"))
        nolint = NOLINT.search(line)
        if nolint:
            nolints += 1
            if not nolint.group(2):
                found.append((number, "NOLINT without the check's name"))
            elif not re.search(r"\((bugprone|concurrency|performance|clang)-", nolint.group(0)):
                found.append((number, f"suppresses a check that is not run: {nolint.group(2)}"))
    if code and path.startswith(("src/", "mock_broker/", "include/", "tests/")) and text.count("\n") > LINES_MAX:
        found.append((1, f"{text.count(chr(10))} lines, more than {LINES_MAX}: a file tells one story"))
    return found, nolints


def tracked(root):
    out = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached"], capture_output=True, check=True).stdout
    return sorted(p for p in out.decode().split("\0") if p)


def check(root, paths):
    findings, nolints = [], 0
    for path in paths:
        full = os.path.join(root, path)
        if not os.path.isfile(full):
            continue
        with open(full, "rb") as raw:
            data = raw.read()
        if b"\0" in data:
            continue
        found, count = check_file(path, data.decode(errors="replace"))
        nolints += count
        findings += [f"{path}:{line}: {what}" for line, what in found]
    if nolints > NOLINT_MAX:
        findings.append(f".: {nolints} NOLINTs, at most {NOLINT_MAX} are allowed")
    return findings


def self_test():
    planted = {
        "src/base/up.cpp": ('#include "remoting/server.h"', "may not include remoting"),
        "src/producer/sideways.cpp": ('#include "consumer/process_queue.h"', "may not include consumer"),
        "src/client/sim.cpp": ('#include "sim/simulated_engine.h"', "may not include sim"),
        "src/client/broker.cpp": ('#include "mock_broker/store/commit_log.h"', "may not include mock_broker"),
        "mock_broker/store/up.cpp": ('#include "mock_broker/cluster/cluster.h"', "store may not include cluster"),
        "mock_broker/broker/sideways.cpp": ('#include "mock_broker/nameserver/routes.h"', "broker may not include nameserver"),
        "src/route/facade.cpp": ('#include "mqclient/default_mq_producer.h"', "facade"),
        "include/mqclient/heavy.h": ("#include <asio.hpp>", "standard library"),
        "include/mqclient/inside.h": ('#include "base/strand.h"', "standard library"),
        "include/mqclient/costly.h": ("#include <iostream>", "costs"),
        "include/mqclient/needs_testing.h": ('#include "mqclient/testing/matchers.h"', "for tests"),
        "include/mqclient/testing/inside.h": ('#include "base/strand.h"', "a header for tests"),
        "src/consumer/testing.cpp": ('#include "mqclient/testing/message_ext_builder.h"', "for tests"),
        "samples/x/inside.cpp": ('#include "base/strand.h"', "only include/"),
        "src/route/bare.cpp": ('#include "route.h"', "no folder"),
        "src/consumer/seam.cpp": ("std::mutex m;", "from base/"),
        "mock_broker/broker/clock.cpp": ("auto t = std::chrono::steady_clock::now();", "from base/"),
        "tests/base/sleep_test.cpp": ("std::this_thread::sleep_" + "for(1ms);", "real time"),
        "tests/base/skip_test.cpp": ("GTEST_" + "SKIP();", "does not run"),
        "src/base/later.cpp": ("// TO" + "DO: more", "left for later"),
        "src/base/lint.cpp": ("int x;  // NOLINT", "check's name"),
        "src/base/idle_lint.cpp": ("int x;  // NOLINT(google-x)", "not run"),
        "src/base/long.cpp": ("\n" * (LINES_MAX + 1), "more than"),
        "README.md": ("see /wor" + "k/main", "workplace"),
    }
    fine = {"src/base/seam.cpp": "std::mutex m;\n", "src/consumer/down.cpp": '#include "base/strand.h"\n#include <vector>\n',
            "mock_broker/broker/store.cpp": '#include "mock_broker/store/commit_log.h"\n#include "remoting/server.h"\n',
            "include/mqclient/testing/mocks.h": '#include <gmock/gmock.h>\n#include <mutex>\n#include "mqclient/mock_cluster.h"\n',
            "mock_broker/cluster/message_ext_builder.cpp": '#include "mqclient/testing/message_ext_builder.h"\n',
            "tests/base/any_test.cpp": '#include "consumer/process_queue.h"\nauto source = slice;\n'}
    failures = 0
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**{p: t for p, (t, _) in planted.items()}, **fine}.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as out:
                out.write(text + "\n")
        for path, (_, wanted) in planted.items():
            found = check(root, [path])
            if len(found) != 1 or wanted not in found[0]:
                print(f"planted in {path}, wanted '{wanted}', found {found}")
                failures += 1
        for path in fine:
            found = check(root, [path])
            if found:
                print(f"clean file {path}: {found}")
                failures += 1
        os.makedirs(os.path.join(root, "src/base"), exist_ok=True)
        with open(os.path.join(root, "src/base/many.cpp"), "w", encoding="utf-8") as out:
            out.write("int x;  // NOLINT(bugprone-x)\n" * (NOLINT_MAX + 1))
        if not any("NOLINTs" in f for f in check(root, ["src/base/many.cpp"])):
            print("too many NOLINTs were not found")
            failures += 1
    print(f"self-test: {len(planted) + len(fine) + 1 - failures} of {len(planted) + len(fine) + 1} cases right")
    return 1 if failures else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    paths = tracked(root)
    findings = check(root, paths)
    print("\n".join(findings + [f"{len(paths)} files read, {len(findings)} findings"]))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
