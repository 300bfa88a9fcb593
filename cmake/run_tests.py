#!/usr/bin/env python3
"""Runs the GoogleTest programs of a build folder and counts their tests.

  run_tests.py BUILD_DIR [--label LABEL] [--repeat N] [--jobs N] [--timeout SECONDS] [--list]

Reads BUILD_DIR/tests.list (name|path|labels). Without --label everything but realtime and slow runs. Programs run side
by side, those labelled long first, and large ones cut into GoogleTest shards. Ends with one line `N passed, M failed`;
exit code 0 only if something passed and nothing failed. A program that dies or hangs counts its unfinished test as
failed, and says which it was.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import time

NOT_BY_DEFAULT = {"realtime", "slow"}
TESTS_PER_SHARD = 40
OUTPUT_KEPT = 60_000  # characters of a failed program's output that are shown

# Not tied to the start of a line: what a test prints may lack its newline.
RUN = re.compile(r"\[ RUN      \] (\S+)$", re.M)
OK = re.compile(r"\[       OK \] (\S+) \(\d+ ms\)$", re.M)
FAILED = re.compile(r"\[  FAILED  \] (\S+?)(?:, where .*)? \(\d+ ms\)$", re.M)
SKIPPED = re.compile(r"\[  SKIPPED \] (\S+) \(\d+ ms\)$", re.M)


def read_list(build):
    path = os.path.join(build, "tests.list")
    programs = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                name, where, labels = line.strip().split("|")
                programs.append((name, os.path.join(build, where), set(filter(None, labels.split(",")))))
    return programs


def choose(programs, label):
    if label:
        chosen = [p for p in programs if label in p[2] or label == p[0]]
    else:
        chosen = [p for p in programs if not p[2] & NOT_BY_DEFAULT]
    return sorted(chosen, key=lambda p: "long" not in p[2])  # started last, it would end alone


def count_tests(binary):
    out = subprocess.run([binary, "--gtest_list_tests"], capture_output=True, text=True, timeout=60, check=True).stdout
    return sum(1 for line in out.splitlines() if line.startswith("  "))


def of_failed(text, failed):
    """What a program printed from the begin of each failed test to its end; all of it if that says nothing."""
    parts = []
    for test in failed:
        begin = text.find(f"[ RUN      ] {test.split(' ')[0]}\n")
        if begin < 0:
            return text[-OUTPUT_KEPT:]
        end = re.compile(r"^\[  FAILED  \] .*\n", re.M).search(text, begin)
        parts.append(text[begin : end.end() if end else len(text)])
    return "".join(parts)[-OUTPUT_KEPT:]


def run_one(job):
    """Runs one shard; answers (name, passed, [failed test names], seconds, output)."""
    name, binary, shard, shards, seconds_allowed = job
    env = dict(os.environ, GTEST_TOTAL_SHARDS=str(shards), GTEST_SHARD_INDEX=str(shard), GTEST_COLOR="no")
    began = time.monotonic()
    trouble = ""
    try:
        done = subprocess.run([binary], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=seconds_allowed, env=env, check=False)
        text, code = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as late:
        text, code = (late.stdout or b"").decode(errors="replace"), -1
        trouble = f"did not end within {seconds_allowed} s"
    except OSError as error:
        return name, 0, [f"{name} ({error})"], 0.0, ""
    passed = OK.findall(text)
    failed = FAILED.findall(text)
    ended = set(passed) | set(failed)
    failed += [test + " (skipped; a test that does not run is no test)" for test in SKIPPED.findall(text)]
    unfinished = [test for test in RUN.findall(text) if test not in ended]
    if code < 0 and unfinished or code != 0 and not failed:
        what = trouble or (f"died of signal {-code}" if code < 0 else f"exit code {code}")
        failed.append(f"{unfinished[-1] if unfinished else name} ({what})")
    return name, len(passed), failed, time.monotonic() - began, text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--label", default="")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--timeout", type=int, default=300, help="seconds for one program or shard")
    parser.add_argument("--list", action="store_true", help="print the programs that would run")
    args = parser.parse_args()

    programs = choose(read_list(args.build), args.label)
    if args.list:
        print("\n".join(name for name, _, _ in programs))
        return 0 if programs else 1
    if not programs:
        labels = sorted(set().union(*(p[2] for p in read_list(args.build))))
        print(f"no test has the label '{args.label}'; labels: {', '.join(labels)}" if args.label else "there is no test")
        print("0 passed, 1 failed")
        return 1

    shown_jobs = 1 if args.label == "realtime" else args.jobs  # what measures real time has the machine to itself
    jobs = []
    for name, binary, _ in programs:
        try:
            tests = count_tests(binary)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"FAILED {name}: cannot list its tests: {error}")
            tests = 1
        shards = max(1, min(args.jobs * 2, -(-tests // TESTS_PER_SHARD)))
        jobs += [(name, binary, i, shards, args.timeout) for i in range(shards)]

    passed, failed, began = 0, [], time.monotonic()
    for turn in range(1, args.repeat + 1):
        turn_passed = 0
        with concurrent.futures.ThreadPoolExecutor(shown_jobs) as pool:
            for (name, _, shard, shards, _), (_, ok, bad, seconds, text) in zip(jobs, pool.map(run_one, jobs)):
                turn_passed += ok
                failed += bad
                part = f" [{shard + 1}/{shards}]" if shards > 1 else ""
                if args.repeat == 1 or bad:
                    print(f"{'FAILED' if bad else 'ok    '} {name}{part}: {ok} passed, {len(bad)} failed, {seconds:.1f} s")
                if bad:
                    print(of_failed(text, bad))
                sys.stdout.flush()
        passed += turn_passed
        if args.repeat > 1:
            print(f"round {turn} of {args.repeat}: {turn_passed} passed, {len(failed)} failed so far", flush=True)
    if failed:
        print("failed:")
        for test in failed:
            print(f"  {test}")
    print(f"took {time.monotonic() - began:.1f} s")
    print(f"{passed} passed, {len(failed)} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
