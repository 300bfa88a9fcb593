#!/usr/bin/env python3
"""Looks at what was linked: no call that starts a process or overruns a buffer, and the hardening that was asked for.

  check_binaries.py --archives A.a... --programs P...     exit code 1 for a finding
  check_binaries.py --self-test
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

# There is no way from the wire to a process start, and none of the C functions that cannot be used safely.
BANNED = re.compile(r"^(system|popen|posix_spawnp?|exec(l|lp|le|v|ve|vp|vpe|veat)|fexecve|strcpy|stpcpy|strcat|v?sprintf|"
                    r"gets|atoi|atol|tmpnam|tempnam|mktemp)$")


def undefined(archive):
    out = subprocess.run(["nm", "--undefined-only", "-A", archive], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        where, _, symbol = line.rpartition(" ")
        yield where.split(":")[1] if ":" in where else where, symbol.split("@")[0]


def check_archive(path):
    return [f"{path}: {member} calls {symbol}" for member, symbol in undefined(path) if BANNED.match(symbol)]


def check_program(path):
    read = subprocess.run(["readelf", "-W", "-h", "-l", "-d", path], capture_output=True, text=True, check=True).stdout
    wants = {
        "position independent": re.search(r"Type:\s+DYN", read),
        "RELRO": "GNU_RELRO" in read,
        "bound at start": re.search(r"\bNOW\b", read),
        "stack not executable": re.search(r"GNU_STACK.*\bRW\b", read),
        "no RPATH": not re.search(r"\((RPATH|RUNPATH)\)", read),
    }
    return [f"{path}: not {what}" for what, ok in wants.items() if not ok]


def self_test():
    with tempfile.TemporaryDirectory() as root:
        source, obj, lib = (os.path.join(root, n) for n in ("a.c", "a.o", "a.a"))
        with open(source, "w", encoding="utf-8") as out:
            out.write('#include <stdlib.h>\nint f(void) { return system("true"); }\nint main(void) { return 0; }\n')
        subprocess.run(["gcc", "-c", source, "-o", obj], check=True)
        subprocess.run(["ar", "rcs", lib, obj], check=True)
        weak = os.path.join(root, "weak")
        subprocess.run(["gcc", "-no-pie", "-z", "execstack", "-z", "norelro", "-Wl,-rpath,/nowhere", obj, "-o", weak], check=True)
        right = len(check_archive(lib)) == 1 and len(check_program(weak)) == 5
    print(f"self-test: {'right' if right else 'WRONG'}")
    return 0 if right else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--archives", nargs="*", default=[])
    parser.add_argument("--programs", nargs="*", default=[])
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    if args.self_test:
        return self_test()
    if not args.archives or not args.programs:
        print("nothing to look at: give --archives and --programs")
        return 1
    findings = [f for a in args.archives for f in check_archive(a)] + [f for p in args.programs for f in check_program(p)]
    print("\n".join(findings + [f"{len(args.archives)} archives, {len(args.programs)} programs, {len(findings)} findings"]))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
