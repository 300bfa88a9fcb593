#!/usr/bin/env python3
"""Drives clients of other languages through faults: two processes of mqbroker under test control, the clients unchanged.

  faults.py BIN [--row ROW]...

BIN holds mqbroker. The rows: what is asked of the brokers, what the client has to make of it. Everything listens on
127.0.0.1 at free ports and ends with this program. Exit status 1 if a row is FAIL; absent: the client cannot be had on this
machine.
"""
import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import interop
from apache import Unavailable, die_with_parent

TOPIC = "DefaultCluster"  # every broker of the cluster has this topic from the start
SENDS = 100
SEND = "SEND_MESSAGE_V2"
SECONDS_VERB = 30


class Broker:
    """One mqbroker under test control. With namesrv it joins that nameserver, else it has its own."""

    def __init__(self, bin_dir, name, namesrv=None):
        folder = interop.state("faults")
        self.token, path = secrets.token_hex(16), os.path.join(folder, f"{name}.token")
        if os.path.exists(path):
            os.remove(path)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self.token + "\n")
        place = ["-n", namesrv] if namesrv else ["--namesrv-port", "0"]
        self.errors = os.path.join(folder, f"{name}.err")
        with open(self.errors, "w", encoding="utf-8") as err:
            self.child = subprocess.Popen(
                [os.path.join(bin_dir, "mqbroker"), "--listen-port", "0", *place, "--conf", f"brokerName={name}",
                 "--test-control-token-file", path],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, text=True, start_new_session=True,
                preexec_fn=die_with_parent)
        self.namesrv = self.child.stdout.readline().strip()
        second = self.child.stdout.readline().split()
        if second[:2] != ["test", "control"]:
            self.__exit__()
            raise interop.Broken(f"mqbroker does not start under test control: see {self.errors}")
        self.control = second[2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        interop.end(self.child)

    def ask(self, verb, **arguments):
        """What a verb answers. An error is an exception with its text."""
        request = urllib.request.Request(f"http://{self.control}/{verb}", json.dumps(arguments).encode(),
                                         {"Authorization": f"Bearer {self.token}"})
        try:
            with urllib.request.urlopen(request, timeout=SECONDS_VERB) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            raise RuntimeError(f"{verb}: {refused.code} {refused.read().decode()}") from None

    def stored(self):
        return self.ask("messages", topic=TOPIC, limit=4 * SENDS)["messages"]


def expect(holds, otherwise):
    if not holds:
        raise AssertionError(otherwise)


def busy(a, b, send):
    """A is always busy: every send is stored on B."""
    fault = a.ask("inject", match={"code": SEND, "topic": TOPIC}, action={"verb": "reply", "code": "SYSTEM_BUSY"})
    said = send(SENDS)
    fired = a.ask("fired", **fault)["fired"]
    on_a, on_b = len(a.stored()), len(b.stored())
    expect((on_a, on_b) == (0, SENDS), f"stored: {on_a} on A, {on_b} on B; {said}")
    expect(fired >= 1, "A was never asked")
    return f"{on_b} of {SENDS} stored on B, A refused {fired}"


def once_more(a, b, send):
    """A stores a send and the connection ends in place of the answer: the retry makes one duplicate.

    Of the second send: at its first one this client has now and then not noticed that the new connection ended, and waited for
    its own timeout, with its next heartbeat answered over another connection meanwhile.
    """
    fault = a.ask("inject", match={"code": SEND, "topic": TOPIC, "nth": 2}, action={"verb": "disconnectAfter"})
    b.ask("stopBroker")  # so that every send and the retry are A's
    said = send(2)
    keys = sorted(message["properties"]["KEYS"] for message in a.stored())
    fired = a.ask("fired", **fault)["fired"]
    expect(fired == 1, f"fired {fired} times")
    expect(keys == ["key-0", "key-1", "key-1"], f"stored {keys}; {said}")
    return "2 sent and acknowledged, one of them stored twice"


ROWS = {"busy": busy, "once-more": once_more}


def sender(java, namesrv):
    """A function that lets the Java client send; it answers what the client said, and raises what it could not do."""
    line, env = java

    def send(count):
        heard = []
        interop.call(line, namesrv, ["send"], {**env, "INTEROP_TOPIC": TOPIC, "INTEROP_SENDS": str(count)}, "java-faults",
                     lambda _, ok, detail: heard.append((ok, detail)))
        expect(heard and heard[0][0], f"the client: {heard or 'no answer; see ' + interop.BUILD + '/logs/java-faults.err'}")
        return heard[0][1]

    return send


def main():
    parser = argparse.ArgumentParser(prog="./dev interop faults", description=__doc__.split("\n")[0])
    parser.add_argument("bin", metavar="BIN", help=argparse.SUPPRESS)
    parser.add_argument("--row", action="append", choices=list(ROWS), help="only this one; may be repeated")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))  # leaves by way of every `with`
    try:
        java = interop.java(arguments.bin)
    except Unavailable as why:
        print(f"absent: {why}")
        return 0
    failed = 0
    for row in arguments.row or ROWS:
        began = time.monotonic()
        with Broker(arguments.bin, "broker-a") as a, Broker(arguments.bin, "broker-b", a.namesrv) as b:
            try:
                cell, detail = "ok", ROWS[row](a, b, sender(java, a.namesrv))
            except (AssertionError, RuntimeError) as why:
                cell, detail, failed = "FAIL", str(why), failed + 1
        print(f"{cell:6} Java, {row} ({time.monotonic() - began:.1f} s): {detail}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except interop.Broken as why:
        print(f"faults: {why}", file=sys.stderr)
        sys.exit(1)
