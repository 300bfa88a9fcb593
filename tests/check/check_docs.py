#!/usr/bin/env python3
"""Holds the documents to the tree.

  check_docs.py [ROOT]        exit code 1 if there is a finding
  check_docs.py --self-test

Links of tracked Markdown files lead somewhere; every row of docs/behaviours.md and docs/promises.md has its number once
and names files that exist, or says `not yet`; the README's program is the one that CI builds; the C++ of docs/testing.md stands,
word for word, in a test.
"""
import os
import re
import subprocess
import sys
import tempfile

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
ROW = re.compile(r"^\| ((?:[DRQL]|\d-|C-)\d+) \|")
# `tests/store/record_test.cpp`, `samples/01_quickstart`: what a row names as its proof.
# `tests/store/log_test.cpp:Name` names a test (or suite) that must stand in the file.
PATH = re.compile(r"`((?:tests|samples|benchmarks|src|docs|cmake|mock_broker|tools|include)/[^`\s:]*)(?::(\w+))?`")
OTHER_ROW = re.compile(r"^(?:as )?(?:[DRQL]|\d-|C-)\d+")
README_PROGRAM = "tests/consumer_project_find_package/main.cpp"
# Documents whose C++ blocks are pieces of a test.
SNIPPETS = {"docs/testing.md": "tests/testing/documented_test.cpp"}


def check_links(root, path, text):
    here = os.path.dirname(os.path.join(root, path))
    return [f"{path}: link to {link}, which is not there" for link in LINK.findall(text)
            if "://" not in link and not link.startswith("mailto:") and not os.path.exists(os.path.join(here, link))]


def check_rows(root, path, text):
    findings, seen = [], set()
    for line in text.splitlines():
        row = ROW.match(line)
        if not row:
            continue
        name = row.group(1)
        if name in seen:
            findings.append(f"{path}: row {name} stands twice")
        seen.add(name)
        proof = line.rstrip().rstrip("|").rsplit("|", 1)[1].strip()
        paths = PATH.findall(proof)
        for proof_path, test in paths:
            full = os.path.join(root, proof_path.rstrip("/"))
            if not os.path.exists(full):
                findings.append(f"{path}: row {name} names {proof_path}, which is not there")
            elif test:
                with open(full, encoding="utf-8") as source:
                    if not re.search(rf"\b{test}\b", source.read()):
                        findings.append(f"{path}: row {name} names {test}, which is not in {proof_path}")
        if not paths and "not yet" not in proof and not LINK.search(proof) and "`./dev " not in proof \
                and not OTHER_ROW.match(proof):
            findings.append(f"{path}: row {name} names no proof and does not say 'not yet'")
    return findings


def check_program(root, readme):
    block = re.search(r"```cpp\n(.*?)```", readme, re.S)
    with open(os.path.join(root, README_PROGRAM), encoding="utf-8") as source:
        program = source.read().split("\n", 1)[1].strip()  # without its opening comment
    return [] if block and block.group(1).strip() == program else [f"README.md: its program is not {README_PROGRAM}"]


def check_snippets(root, path, text):
    with open(os.path.join(root, SNIPPETS[path]), encoding="utf-8") as source:
        test = source.read()
    return [f"{path}: not in {SNIPPETS[path]}: {block.strip().splitlines()[0]} ..."
            for block in re.findall(r"```cpp\n(.*?)```", text, re.S) if block.strip() not in test]


def check(root, paths):
    findings = []
    for path in paths:
        if not os.path.isfile(os.path.join(root, path)):
            continue
        with open(os.path.join(root, path), encoding="utf-8") as doc:
            text = doc.read()
        findings += check_links(root, path, text)
        if path in ("docs/behaviours.md", "docs/promises.md"):
            findings += check_rows(root, path, text)
        if path == "README.md":
            findings += check_program(root, text)
        if path in SNIPPETS:
            findings += check_snippets(root, path, text)
    return findings


def self_test():
    with tempfile.TemporaryDirectory() as root:
        def write(path, text):
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as out:
                out.write(text)
        write(README_PROGRAM, "// comment\nint main() {}\n")
        write("README.md", "[gone](docs/gone.md) [there](docs/promises.md#x)\n```cpp\nint main() { }\n```\n")
        write("docs/promises.md", "| R1 | a | b | not yet |\n| R1 | a | b | `tests/x_test.cpp` |\n| R2 | a | b | surely |\n"
              "| R3 | a | b | `tests/there_test.cpp:Gone` |\n| R4 | a | b | `tests/there_test.cpp:Here` |\n")
        write("tests/there_test.cpp", "TEST(Suite, Here) {}\n")
        write("tests/testing/documented_test.cpp", "TEST(Suite, Said) {\n  EXPECT_TRUE(true);\n}\n")
        write("docs/testing.md", "```cpp\nTEST(Suite, Said) {\n  EXPECT_TRUE(true);\n}\n```\n```cpp\nTEST(Suite, Made) {}\n```\n")
        found = check(root, ["README.md", "docs/promises.md", "docs/testing.md"])
    wanted = ["TEST(Suite, Made)", "docs/gone.md", "its program", "stands twice", "tests/x_test.cpp", "names no proof", "names Gone"]
    right = len(found) == len(wanted) and all(any(w in f for f in found) for w in wanted)
    print("self-test: right" if right else f"self-test: WRONG: {found}")
    return 0 if right else 1


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    out = subprocess.run(["git", "-C", root, "ls-files", "*.md"], capture_output=True, text=True, check=True).stdout
    findings = check(root, out.split())
    print("\n".join(findings + [f"{len(out.split())} documents, {len(findings)} findings"]))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
