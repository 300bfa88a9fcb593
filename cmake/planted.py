#!/usr/bin/env python3
"""Shows that the simulation finds bugs: plants one after another and lets seeds look for it.

  planted.py TOP [N | NAME] [--seeds N] [--seed S]

tests/planted/*.patch are small bugs that somebody might make. Each is applied to a copy of the sources in
TOP/build/planted/source, mqsim is built there, and must fail within so many seeds. The seed must fail twice with the bug
and pass without it: a run that the machine disturbed finds nothing. N: the first so many; NAME: that one alone (its
beginning will do). --seed S runs one seed with the one bug, telling what happens.
Prints a line for each, ends with `N passed, M failed`. Exit code 0 only if every bug was found.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

SEEDS = 1000
FAILED_SEED = re.compile(r"^seed (\d+) FAILED$", re.M)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def copy_tree(top, source):
    """Makes `source` what is in `top`; only what differs is written, so that only that is built again."""
    listed = subprocess.run(["git", "-C", top, "ls-files", "-z", "-co", "--exclude-standard"], capture_output=True,
                            check=True).stdout.decode()
    wanted = {name for name in listed.split("\0") if name and os.path.isfile(os.path.join(top, name))}
    for name in wanted:
        old, new = os.path.join(top, name), os.path.join(source, name)
        if os.path.isfile(new) and read(old) == read(new):
            continue
        os.makedirs(os.path.dirname(new), exist_ok=True)
        shutil.copyfile(old, new)  # its time is now: newer than what was built from it
        shutil.copymode(old, new)
    for folder, folders, files in os.walk(source):
        if folder == source:
            folders[:] = [name for name in folders if name != "build"]
        for file in files:
            if os.path.relpath(os.path.join(folder, file), source) not in wanted:
                os.remove(os.path.join(folder, file))


def apply(source, patch, *how):
    # Inside another repository git would look for the patch's files there, and skip them without a word.
    env = dict(os.environ, GIT_CEILING_DIRECTORIES=os.path.dirname(source))
    return subprocess.run(["git", "apply", *how, patch], cwd=source, env=env, capture_output=True, text=True, check=False)


def build(source):
    return subprocess.run([os.path.join(source, "dev"), "build", "release", "mqsim"], capture_output=True, text=True,
                          check=False)


def fails(program, seed):
    return subprocess.run([program, "--seed", str(seed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False).returncode != 0


def look_for(program, without, seeds):
    """Answers the seed that finds the bug, or why none did."""
    ran = subprocess.run([program, "--seeds", str(seeds), "--until-failure"], capture_output=True, text=True,
                         check=False)
    for seed in FAILED_SEED.findall(ran.stdout):
        if fails(program, seed) and not fails(without, seed):
            return seed, ""
        return None, f"seed {seed} failed, but not again, or without the bug, too"
    return None, f"no seed of {seeds} noticed it" if ran.returncode == 0 else ran.stdout[-2000:] + ran.stderr[-2000:]


class Garden:
    """The copy of the sources, and what is planted there."""

    def __init__(self, top):
        self.source = os.path.join(top, "build", "planted", "source")
        self.program = os.path.join(self.source, "build", "release", "bin", "mqsim")
        self.without = os.path.join(top, "build", "planted", "mqsim_without")
        os.makedirs(self.source, exist_ok=True)
        copy_tree(top, self.source)
        built = build(self.source)
        if built.returncode != 0:
            sys.exit(f"planted.py: the sources do not build without a bug:\n{built.stdout}{built.stderr}")
        shutil.copy(self.program, self.without)

    def with_bug(self, patch, work):
        """work() while the bug is planted; answers (its answer, ""), or (None, why it could not be planted)."""
        applied = apply(self.source, patch)
        if applied.returncode != 0:
            return None, "it does not apply: " + applied.stderr.strip()
        try:
            built = build(self.source)
            if built.returncode != 0:
                return None, "it does not build:\n" + (built.stdout + built.stderr)[-2000:]
            return work(), ""
        finally:
            apply(self.source, patch, "--reverse")


def chosen(top, which):
    folder = os.path.join(top, "tests", "planted")
    names = sorted(name[:-len(".patch")] for name in os.listdir(folder) if name.endswith(".patch"))
    if which.isdigit():
        names = names[:int(which)]
    elif which:
        names = [name for name in names if name.startswith(which)]
    if not names:
        sys.exit(f"planted.py: there is no bug '{which}' in {folder}")
    return [(name, os.path.join(folder, name + ".patch")) for name in names]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("top")
    parser.add_argument("which", nargs="?", default="")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    top = os.path.abspath(arguments.top)
    bugs = chosen(top, arguments.which)
    if arguments.seed is not None and len(bugs) != 1:
        sys.exit("planted.py: --seed wants one bug by its name")
    garden = Garden(top)
    if arguments.seed is not None:
        code, why = garden.with_bug(bugs[0][1], lambda: subprocess.run(
            [garden.program, "--seed", str(arguments.seed)], check=False).returncode)
        print(why or ("the bug was found" if code else "the bug was not found"), flush=True)
        sys.exit(0 if code else 1)

    passed = 0
    for name, patch in bugs:
        answer, why = garden.with_bug(patch, lambda: look_for(garden.program, garden.without, arguments.seeds))
        seed, why = answer or (None, why)
        if seed is None:
            print(f"{name}: NOT FOUND: {why}", flush=True)
            continue
        passed += 1
        print(f"{name}: found at seed {seed}   ./dev simulate --planted {name} --seed {seed}", flush=True)
    print(f"{passed} passed, {len(bugs) - passed} failed")
    sys.exit(0 if passed == len(bugs) else 1)


if __name__ == "__main__":
    main()
