#!/usr/bin/env python3
"""Runs the fuzz targets of a build folder, each for some seconds, from its committed corpus and what it found before.

  run_fuzz.py BUILD_DIR CORPORA [TARGET...] [--seconds N] [--jobs N] [--keep] [--list]

Reads BUILD_DIR/fuzz.list (name|path|longest input). New inputs gather in BUILD_DIR/found/TARGET; findings (what crashed,
leaked, was slow or broke a demand) in BUILD_DIR/findings, each with the command that replays it. --keep: no fuzzing;
what was found moves into the committed corpus, minimized: the smallest inputs that reach all that all of them reach.
Ends with `N passed, M failed` (targets); exit code 0 only if something ran and nothing failed.
"""
import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

# One input may take a second; the sanitizers and a machine that is shared take their part of this.
SECONDS_AN_INPUT = 10
# The library's bound is on what it allocates; the rest of these is the sanitizer's (shadow, quarantine).
RSS_MAX_MB = 256
MALLOC_MAX_MB = 64
# Beyond its seconds: loading a corpus, ending.
GRACE_SECONDS = 120
OUTPUT_KEPT = 6_000
SANITIZERS = {
    "ASAN_OPTIONS": "quarantine_size_mb=8:detect_stack_use_after_return=0:strict_string_checks=1:detect_leaks=1:"
                    "allocator_may_return_null=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}
STAT = re.compile(r"^stat::(\w+):\s+(\d+)$", re.M)
PROGRESS = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)/")
LINE = "{:<6} {:<19} {:>11} executions {:>7}/s  corpus {:>5}  coverage {:>6}  peak {:>4} MiB  findings {}"


def read_list(build):
    with open(os.path.join(build, "fuzz.list"), encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                name, path, longest = line.strip().split("|")
                yield name, os.path.join(build, path), longest


def folder(*parts):
    path = os.path.join(*parts)
    os.makedirs(path, exist_ok=True)
    return path


def run(command, seconds):
    """Exit code and output; a program that does not end is killed."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   env={**os.environ, **SANITIZERS})
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = -1
        out.seek(0)
        return code, out.read().decode("utf-8", "replace")


def fuzz(target, build, corpora, seconds):
    """True if there was no finding; the text to print."""
    name, program, longest = target
    findings = folder(build, "findings")
    before = set(os.listdir(findings))
    command = [program, f"-max_total_time={seconds}", f"-max_len={longest}", f"-timeout={SECONDS_AN_INPUT}",
               f"-rss_limit_mb={RSS_MAX_MB}", f"-malloc_limit_mb={MALLOC_MAX_MB}", "-print_final_stats=1", "-reload=0",
               f"-dict={os.path.join(corpora, 'mqclient.dict')}", f"-artifact_prefix={findings}/{name}-",
               folder(build, "found", name), os.path.join(corpora, name)]
    code, output = run(command, seconds + GRACE_SECONDS)
    stats = dict(STAT.findall(output))
    progress = PROGRESS.findall(output)
    coverage, _, corpus = progress[-1] if progress else ("0", "0", "0")
    executions = int(stats.get("number_of_executed_units", 0))
    new = sorted(f for f in set(os.listdir(findings)) - before if f.startswith(name + "-"))
    good = code == 0 and not new and executions > 0
    lines = [LINE.format("ok" if good else "FAILED", name, executions, stats.get("average_exec_per_sec", "0"), corpus,
                         coverage, stats.get("peak_rss_mb", "0"), len(new))]
    if not good:
        lines.append(output[-OUTPUT_KEPT:])
        lines.append(f"{name}: exit code {code}")
    for finding in new:
        path = os.path.join(findings, finding)
        lines.append(f"finding {path}\nreplay  {program} -timeout={SECONDS_AN_INPUT} {path}")
    return good, "\n".join(lines)


def keep(target, build, corpora, _seconds):
    name, program, longest = target
    corpus = folder(corpora, name)
    with tempfile.TemporaryDirectory() as smallest:
        code, output = run([program, "-set_cover_merge=1", f"-max_len={longest}", f"-timeout={SECONDS_AN_INPUT}",
                            f"-rss_limit_mb={RSS_MAX_MB}", smallest, corpus, folder(build, "found", name)], 1_200)
        kept = os.listdir(smallest)
        if code != 0 or not kept:
            return False, f"FAILED {name}: exit code {code}\n{output[-OUTPUT_KEPT:]}"
        shutil.rmtree(corpus)
        shutil.copytree(smallest, corpus)
    size = sum(os.path.getsize(os.path.join(corpus, f)) for f in kept)
    return True, f"ok     {name}: {len(kept)} inputs, {size} bytes"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("corpora")
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    every = list(read_list(arguments.build))
    names = [name for name, _, _ in every]
    if arguments.list:
        print("\n".join(names))
        return 0
    unknown = [t for t in arguments.targets if t not in names]
    if unknown:
        sys.exit(f"there is no target {', '.join(unknown)}; there are: {', '.join(names)}")
    chosen = [t for t in every if not arguments.targets or t[0] in arguments.targets]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        work = [pool.submit(keep if arguments.keep else fuzz, t, arguments.build, arguments.corpora, arguments.seconds)
                for t in chosen]
        for one in work:
            good, text = one.result()
            print(text, flush=True)
            passed, failed = passed + good, failed + (not good)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
