#!/usr/bin/env python3
"""Runs every client of interop/ against every home and prints the table: scenario × client at home.

  interop.py BIN [--smoke] [--home HOME]... [--client CLIENT]... [--row ROW]... [--json FILE]

BIN holds our programs. Homes: ours (our nameserver and broker over TCP), 5.5.0, 4.9.7 (Apache RocketMQ, started here from
Maven's jars; any version works). Clients: cpp (ours), java and go (Apache's), node (ali-ons), raw (single frames). Everything listens on
127.0.0.1 at free ports and ends with this program; downloads and state lie in build/interop.

Cells: ok; FAIL; alike: fails, and the same program fails on Apache too; theirs: fails, and nothing of ours is at either end,
which is told but is no failure; absent: the home or the client cannot be had on
this machine (no registry, no JVM, ...), which is told but is no failure; . : not a scenario of this client.
Exit status 1 if any cell is FAIL.
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import apache
import remoting
from apache import BUILD, TOP, Unavailable, die_with_parent, run_quietly, tool

HERE = os.path.join(TOP, "interop")
ROWS = {  # in the order of the table
    "quickstart": "samples/01_quickstart, its last line", "sync": "waiting sends, offsets without gaps",
    "async": "1,000 sends in flight", "oneway": "sends without an answer", "batch": "batches",
    "consume": "every field arrives as sent", "tags": "a tag filter", "share": "two members, then one",
    "resume": "offsets outlive the client", "long-poll": "an idle consumer gets a message at once",
    "new-topic": "the first send makes the topic", "refused": "oversize and bad names",
    "exchange": "reads what every client here wrote",
    "compressed": "likewise, by each codec",
    "codes": "odd requests, answered with 5.5.0's codes"}
CLIENTS = {"cpp": "mqclient", "java": "Java", "go": "Go", "node": "Node", "raw": "frames"}
EVERY_CLIENT = [row for row in ROWS if row not in ("quickstart", "compressed", "codes")]
ROWS_OF = {"cpp": ["quickstart", *EVERY_CLIENT, "compressed"], "java": [*EVERY_CLIENT, "compressed"], "go": EVERY_CLIENT,
           "node": ["sync", "consume", "exchange"], "raw": ["codes"]}
EXCHANGES = {"exchange": ("write", "read"), "compressed": ("write-codecs", "read-codecs")}  # what a client is told to do
HOMES = ["5.5.0", "4.9.7", "ours"]
SMOKE_ROWS = ["quickstart", "sync", "consume"]
# The smoke is about strangers: ours at Apache's, Apache's at ours.
SMOKE_PAIRS = {("cpp", "5.5.0"), ("java", "ours"), ("go", "ours")}
QUICKSTART_LINE = "3000 sent, 3000 consumed, 0 duplicate, 0 out of order"
SECONDS_RUN = 600     # of one client at one home
SECONDS_BUILD = 600


class Broken(Exception):
    """Ours to mend: a program of interop/ that does not build, a server of ours that does not start."""


def say(text):
    print(text, flush=True)


# --- clients: each becomes a command line, to which a name server's address and rows are appended ----------------------

def build(command, log, what, cwd=None):
    with open(log, "w", encoding="utf-8") as out:
        code = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=cwd, check=False,
                              timeout=SECONDS_BUILD, preexec_fn=die_with_parent).returncode
    if code != 0:
        with open(log, encoding="utf-8", errors="replace") as out:
            raise Broken(f"{what} does not build:\n{out.read()[-2000:]}")


def state(name):
    folder = os.path.join(BUILD, name)
    os.makedirs(folder, exist_ok=True)
    return folder


def cpp(bin_dir):
    return [os.path.join(bin_dir, "interop_client")], {}


def java(_):
    source = os.path.join(HERE, "java")
    folder, tools = state("java"), (tool("java"), tool("javac"), tool("mvn"))
    path = os.path.join(folder, "classpath")
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(os.path.join(source, "pom.xml")):
        run_quietly([tools[2], "-q", "-B", "-f", os.path.join(source, "pom.xml"), "dependency:build-classpath",
                     "-DincludeScope=runtime", f"-Dmdep.outputFile={path}.new"], os.path.join(folder, "fetch.log"),
                    apache.SECONDS_FETCH, "fetching the Java client")
        os.replace(path + ".new", path)
    with open(path, encoding="utf-8") as text:
        jars = text.read().strip()
    build([tools[1], "-d", os.path.join(folder, "classes"), "-cp", jars, "--release", "17", "-encoding", "UTF-8",
           "-Xlint:all,-classfile,-processing,-path", "-Werror", os.path.join(source, "Main.java")],
          os.path.join(folder, "build.log"), "the Java program")
    return [tools[0], "-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true",
            "-Drocketmq.client.rebalance.waitInterval=1000",  # not 20 s: else new topics and members take minutes
            f"-Duser.home={folder}/home", "-cp", f"{source}:{folder}/classes:{jars}", "interop.Main"], {}


def go(_):
    folder, source = state("go"), os.path.join(HERE, "go")
    run_quietly([tool("go"), "mod", "download"], os.path.join(folder, "fetch.log"), apache.SECONDS_FETCH,
                "fetching the Go client", cwd=source)
    build([tool("go"), "build", "-o", os.path.join(folder, "client"), "."], os.path.join(folder, "build.log"),
          "the Go program", cwd=source)
    return [os.path.join(folder, "client")], {}


def node(_):
    folder, source = state("node"), os.path.join(HERE, "node")
    if not os.path.isdir(os.path.join(folder, "node_modules", "ali-ons")):
        shutil.copy(os.path.join(source, "package.json"), folder)
        run_quietly([tool("npm"), "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"],
                    os.path.join(folder, "fetch.log"), apache.SECONDS_FETCH, "fetching the Node client", cwd=folder)
    return [tool("node"), os.path.join(source, "client.js")], {"NODE_PATH": os.path.join(folder, "node_modules")}


def raw(_):
    return [sys.executable, os.path.join(HERE, "raw.py")], {}


# --- homes -------------------------------------------------------------------------------------------------------------

def end(child):
    """In order; after a while, at once."""
    child.terminate()
    try:
        child.wait(apache.SECONDS_STOP)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class Ours:
    """Our nameserver and broker as a process."""

    def __init__(self, bin_dir):
        self.bin_dir, self.child, self.address = bin_dir, None, None

    def __enter__(self):
        with open(os.path.join(state("logs"), "ours.err"), "w", encoding="utf-8") as err:
            line = [os.path.join(self.bin_dir, "mqbroker"), "--listen-port", "0", "--namesrv-port", "0"]
            self.child = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, text=True,
                                          start_new_session=True, preexec_fn=die_with_parent)
        self.address = self.child.stdout.readline().strip()
        if not remoting.knows(self.address, "TBW102"):
            self.__exit__()
            raise Broken(f"our server does not start: see {BUILD}/logs/ours.err")
        return self

    def __exit__(self, *_):
        end(self.child)


def home_of(name, bin_dir):
    return Ours(bin_dir) if name == "ours" else apache.Apache(name)


# --- the table ---------------------------------------------------------------------------------------------------------

class Table:
    """What happened: (client, home, row) → (cell, detail)."""

    def __init__(self):
        self.cells, self.reasons = {}, []

    def put(self, client, home, row, cell, detail):
        self.cells[client, home, row] = (cell, detail)
        say(f"   {CLIENTS[client]} at {home}, {row}: {cell}{': ' + detail if detail else ''}")

    def absent(self, pairs, rows, why):
        self.reasons.append(why)
        say(f"   absent: {why}")
        for client, home in pairs:
            for row in rows(client):
                self.cells[client, home, row] = ("absent", why)

    def judge(self):
        """What fails on Apache alike is no fault of ours; what is refused must be refused with Apache's codes."""
        for (client, home, row), (cell, detail) in list(self.cells.items()):
            if client == "cpp" or home != "ours":
                continue
            there, theirs = self.cells.get((client, "5.5.0", row), ("absent", ""))
            if cell == "FAIL" and there == "FAIL":
                self.cells[client, home, row] = ("alike", detail)
            elif row in ("refused", "codes") and cell == there == "ok" and detail != theirs:
                ours, other = detail.split(", "), theirs.split(", ")
                self.cells[client, home, row] = ("FAIL", f"{sorted(set(ours) - set(other))}, at 5.5.0 "
                                                         f"{sorted(set(other) - set(ours))}")

        for (client, home, row), (cell, detail) in list(self.cells.items()):
            if cell == "FAIL" and client != "cpp" and home != "ours" and row not in EXCHANGES:
                self.cells[client, home, row] = ("theirs", detail)

    def print(self, pairs):
        say("")
        say(" " * 12 + "".join(f"{CLIENTS[client]:>9}" for client, _ in pairs))
        say(" " * 12 + "".join(f"{'→ ' + home:>9}" for _, home in pairs))
        for row in ROWS:
            cells = [self.cells.get((client, home, row), (".", ""))[0] for client, home in pairs]
            if any(cell != "." for cell in cells):
                say(f"{row:12}" + "".join(f"{cell:>9}" for cell in cells) + f"   {ROWS[row]}")
        say("")
        for why in self.reasons:
            say(f"absent: {why}")
        counts = {}
        for (client, home, row), (cell, detail) in self.cells.items():
            counts[cell] = counts.get(cell, 0) + 1
            if cell in ("FAIL", "alike", "theirs"):
                say(f"{cell}: {CLIENTS[client]} at {home}, {row}: {detail}")
        say(", ".join(f"{counts[cell]} {cell}" for cell in ("ok", "FAIL", "alike", "theirs", "absent") if cell in counts) or "nothing ran")
        return counts.get("FAIL", 0)


def call(line, address, rows, env, name, put):
    """Runs one client's program; `put` hears each row as it ends. Its exit code."""
    with open(os.path.join(state("logs"), name + ".err"), "w", encoding="utf-8") as err:
        child = subprocess.Popen([*line, address, *rows], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err,
                                 text=True, start_new_session=True, env={**os.environ, **env}, preexec_fn=die_with_parent)
    timer = threading.Timer(SECONDS_RUN, child.kill)
    timer.start()
    try:
        for text in child.stdout:
            try:
                got = json.loads(text)
            except ValueError:
                continue
            put(got["row"], got["ok"], got["detail"])
        return child.wait()
    finally:
        timer.cancel()
        if child.poll() is None:
            child.kill()
            child.wait()


def run_exchange(table, row, clients, home, address, commands):
    """Every client writes to one topic, then every client reads all of it."""
    write, read = EXCHANGES[row]
    env = {"INTEROP_TOPIC": f"interop-{row}-{time.time_ns()}"}
    remoting.open_topic(address, env["INTEROP_TOPIC"])
    writers = []

    def wrote(client, ok, detail):
        if ok:
            writers.append(client)
        else:
            table.put(client, home, row, "FAIL", f"writing: {detail}")

    for client in clients:
        line, more = commands[client]
        call(line, address, [write], {**env, **more}, f"{client}-{home}-{write}", lambda _, ok, detail: wrote(client, ok, detail))
    env["INTEROP_WRITERS"] = " ".join(writers)
    for client in writers:
        line, more = commands[client]
        call(line, address, [read], {**env, **more}, f"{client}-{home}-{read}",
             lambda _, ok, detail: table.put(client, home, row, "ok" if ok else "FAIL", detail))
    for client in clients:
        if (client, home, row) not in table.cells:
            table.put(client, home, row, "FAIL", f"no answer; see {BUILD}/logs")


def run_client(table, client, home, address, command, rows, bin_dir):
    line, env = command
    if "quickstart" in rows:
        with open(os.path.join(state("logs"), f"quickstart-{home}.log"), "w", encoding="utf-8") as log:
            out = subprocess.run([os.path.join(bin_dir, "01_quickstart"), "--namesrv", address], stdout=subprocess.PIPE,
                                 stderr=log, stdin=subprocess.DEVNULL, text=True, timeout=SECONDS_RUN, check=False,
                                 preexec_fn=die_with_parent).stdout
        last = (out.strip().split("\n") or [""])[-1]
        table.put(client, home, "quickstart", "ok" if last == QUICKSTART_LINE else "FAIL", last)
    wanted = [row for row in rows if row != "quickstart" and row not in EXCHANGES]
    if not wanted:
        return
    if client == "node":
        env = {**env, "INTEROP_TOPIC": f"interop-node-{time.time_ns()}"}
        remoting.open_topic(address, env["INTEROP_TOPIC"])
    code = call(line, address, wanted, env, f"{client}-{home}",
                lambda row, ok, detail: table.put(client, home, row, "ok" if ok else "FAIL", detail))
    for row in wanted:
        if (client, home, row) not in table.cells:
            table.put(client, home, row, "FAIL", f"no answer; the program ended with {code} (its words: {BUILD}/logs/{client}-{home}.err)")


def main():
    parser = argparse.ArgumentParser(prog="./dev interop", description=__doc__.split("\n")[0],
                                     epilog="\n".join(__doc__.split("\n")[4:]),
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", metavar="BIN", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--smoke", action="store_true", help="what CI runs: ours at 5.5.0, Java and Go at ours; send, consume")
    parser.add_argument("--home", action="append", help=f"only this home; may be repeated. {', '.join(HOMES)}")
    parser.add_argument("--client", action="append", choices=list(CLIENTS), help="only this client; may be repeated")
    parser.add_argument("--row", action="append", choices=list(ROWS), help="only this scenario; may be repeated")
    parser.add_argument("--json", metavar="FILE", help="one object a line: client, home, row, cell, detail")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))  # leaves by way of every `with`

    homes = arguments.home or HOMES
    asked = arguments.row or (SMOKE_ROWS if arguments.smoke else list(ROWS))

    def rows(client):
        return [row for row in asked if row in ROWS_OF[client]]

    pairs = [(client, home) for client in CLIENTS for home in homes
             if (not arguments.client or client in arguments.client) and rows(client)
             and (not arguments.smoke or (client, home) in SMOKE_PAIRS)]
    table, commands = Table(), {}
    for client in dict.fromkeys(client for client, _ in pairs):
        say(f"== making the client {CLIENTS[client]} ready")
        try:
            commands[client] = {"cpp": cpp, "java": java, "go": go, "node": node, "raw": raw}[client](arguments.bin)
        except Unavailable as why:
            table.absent([pair for pair in pairs if pair[0] == client], rows, str(why))
    for home in homes:
        here = [pair for pair in pairs if pair[1] == home and pair[0] in commands]
        if not here:
            continue
        say(f"== starting {home}")
        began = time.monotonic()
        try:
            with home_of(home, arguments.bin) as at:
                say(f"   at {at.address} after {time.monotonic() - began:.1f} s")
                for client, _ in here:
                    run_client(table, client, home, at.address, commands[client], rows(client), arguments.bin)
                for row in EXCHANGES:
                    if exchanging := [client for client, _ in here if row in rows(client)]:
                        run_exchange(table, row, exchanging, home, at.address, commands)
        except Unavailable as why:
            table.absent(here, rows, str(why))
    table.judge()
    failed = table.print(pairs)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as out:
            for (client, home, row), (cell, detail) in table.cells.items():
                out.write(json.dumps({"client": client, "home": home, "row": row, "cell": cell, "detail": detail}) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as why:
        print(f"interop: {why}", file=sys.stderr)
        sys.exit(1)
