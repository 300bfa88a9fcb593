#!/usr/bin/env python3
"""A real Apache RocketMQ on 127.0.0.1: one name server and one broker, from the jars that Maven's repositories hold.

  apache.py VERSION [--dir DIR] [--conf KEY=VALUE]...    runs it until interrupted; first line: the name server's address

The folder (build/interop/apache-VERSION/home-PID) keeps settings and logs; the store is empty at the start and goes with
the end. As a module: Apache(), a context manager, and Unavailable, raised when Java, Maven or the jars cannot be had
(which is nobody's fault here).
"""
import argparse
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import remoting

SECONDS_FETCH = 600
SECONDS_START = 90
SECONDS_STOP = 30
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, "build", "interop")

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>mqclient.interop</groupId><artifactId>server</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-namesrv</artifactId><version>{0}</version></dependency>
    <dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-broker</artifactId><version>{0}</version></dependency>
  </dependencies>
</project>
"""
# 4.x ends at once without a logging file of its own; 5.x has one in its jars.
LOGBACK = """<configuration>
  <appender name="f" class="ch.qos.logback.core.FileAppender"><file>{0}</file>
    <encoder><pattern>%d %p %t - %m%n</pattern></encoder></appender>
  <root level="INFO"><appender-ref ref="f"/></root>
</configuration>
"""
# 5.x unmaps its files by reflection, which Java closed off with 9.
OPENS = ["--add-opens=java.base/java.nio=ALL-UNNAMED", "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
         "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED"]


class Unavailable(Exception):
    """What a run needs and this machine does not give: a tool, or what a registry holds."""


def tool(name):
    path = shutil.which(name)
    if not path:
        raise Unavailable(f"there is no {name}")
    return path


def die_with_parent():
    """In a child, before exec: whatever ends this process, ends the child too."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def run_quietly(command, log, seconds, what, cwd=None):
    """Runs a tool that talks to a registry. Unavailable, with its last lines, if it fails or takes too long."""
    with open(log, "w", encoding="utf-8") as out:
        try:
            code = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=cwd,
                                  timeout=seconds, check=False, preexec_fn=die_with_parent).returncode
        except subprocess.TimeoutExpired:
            raise Unavailable(f"{what}: no end after {seconds} s") from None
    if code != 0:
        with open(log, encoding="utf-8", errors="replace") as out:
            lines = [line.strip() for line in out if line.strip()]
        telling = [line for line in lines if "ERROR" in line or "error" in line.lower()] or lines
        raise Unavailable(f"{what}: {(telling or ['no reason given'])[0][:200]} (all of it: {log})")


def class_path(version):
    folder = os.path.join(BUILD, f"apache-{version}")
    os.makedirs(folder, exist_ok=True)
    file = os.path.join(folder, "classpath")
    if not os.path.exists(file):
        tool("java")
        pom = os.path.join(folder, "pom.xml")
        with open(pom, "w", encoding="utf-8") as out:
            out.write(POM.format(version))
        run_quietly([tool("mvn"), "-q", "-B", "-f", pom, "dependency:build-classpath", "-DincludeScope=runtime",
                     f"-Dmdep.outputFile={file}.new"], os.path.join(folder, "fetch.log"), SECONDS_FETCH,
                    f"fetching Apache RocketMQ {version}")
        os.replace(file + ".new", file)
    with open(file, encoding="utf-8") as text:
        return text.read().strip()


def free_ports(*distances):
    """A port P such that P plus each of `distances` is free, below the range that outgoing connections take."""
    first = 20000 + os.getpid() * 16 % 10000
    for base in range(first, first + 2000):
        try:
            for distance in distances:
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", base + distance))
            return base
        except OSError:
            continue
    raise Unavailable("no free ports")


def remove_homes_of_the_dead(folder):
    for name in os.listdir(folder):
        if name.startswith("home-") and not os.path.exists(f"/proc/{name[5:]}"):
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


class Apache:
    """with Apache("5.5.0") as home: home.address"""

    def __init__(self, version, folder=None, conf=(), heap="512m"):
        self.version, self.conf, self.heap = version, list(conf), heap
        self.folder = os.path.abspath(folder or os.path.join(BUILD, f"apache-{version}", f"home-{os.getpid()}"))
        self.children = []  # (name, Popen), in the order started
        self.address = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        path = class_path(self.version)
        remove_homes_of_the_dead(os.path.join(BUILD, f"apache-{self.version}"))
        shutil.rmtree(self.folder, ignore_errors=True)
        for part in ("conf", "logs", "store"):
            os.makedirs(os.path.join(self.folder, part))
        namesrv_port = free_ports(0)
        address = f"127.0.0.1:{namesrv_port}"
        broker_port = free_ports(100, 98, 101) + 100  # it also binds the "fast" port, 2 below, and the one for slaves
        if self.version.startswith("4."):
            for part in ("namesrv", "broker"):
                self.write(f"conf/logback_{part}.xml", LOGBACK.format(os.path.join(self.folder, "logs", part + ".log")))
        self.write("conf/namesrv.conf", f"listenPort={namesrv_port}\nbindAddress=127.0.0.1\n")
        self.write("conf/broker.conf", "\n".join([
            "brokerClusterName=DefaultCluster", "brokerName=broker-a", "brokerId=0", "brokerRole=ASYNC_MASTER",
            f"namesrvAddr=127.0.0.1:{namesrv_port}",
            # Without these the routes name the machine's outer interface.
            "brokerIP1=127.0.0.1", "brokerIP2=127.0.0.1", "bindAddress=127.0.0.1",
            f"listenPort={broker_port}", f"haListenPort={broker_port + 1}",
            f"storePathRootDir={self.folder}/store", f"storePathCommitLog={self.folder}/store/commitlog",
            "mappedFileSizeCommitLog=134217728", "mappedFileSizeConsumeQueue=1200000",  # the latter: a multiple of 20
            "diskMaxUsedSpaceRatio=95", "autoCreateTopicEnable=true", "autoCreateSubscriptionGroup=true",
            "enablePropertyFilter=true", *self.conf, ""]))
        self.launch("namesrv", "128m", "namesrv.NamesrvStartup", path)
        self.wait("namesrv", lambda: remoting.knows(address, "TBW102") is not None)
        self.launch("broker", self.heap, "broker.BrokerStartup", path)
        # TBW102 is registered by the broker: from then on a client finds it.
        self.wait("broker", lambda: remoting.knows(address, "TBW102"))
        self.address = address

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as out:
            out.write(text)

    def launch(self, name, heap, main, path):
        home = os.path.join(self.folder, "logs", name)  # 5.x logs below user.home
        os.makedirs(home, exist_ok=True)
        with open(os.path.join(self.folder, "logs", name + ".out"), "w", encoding="utf-8") as out:
            child = subprocess.Popen(
                [tool("java"), f"-Xms{heap}", f"-Xmx{heap}", "-XX:+UseSerialGC", f"-Duser.home={home}", *OPENS,
                 "-Djava.net.preferIPv4Stack=true",  # ids of 32 digits also on a machine that prefers IPv6
                 # A disk that is nearly full would have it refuse messages, and delete its own.
                 "-Drocketmq.broker.diskSpaceWarningLevelRatio=0.97", "-Drocketmq.broker.diskSpaceCleanForciblyRatio=0.96",
                 "-cp", os.path.join(self.folder, "conf") + ":" + path, "org.apache.rocketmq." + main,
                 "-c", os.path.join(self.folder, "conf", name + ".conf")],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                preexec_fn=die_with_parent, env={**os.environ, "ROCKETMQ_HOME": self.folder})
        self.children.append((name, child))

    def wait(self, name, ready):
        child, until = self.children[-1][1], time.monotonic() + SECONDS_START
        while not ready():
            if child.poll() is not None or time.monotonic() > until:
                with open(os.path.join(self.folder, "logs", name + ".out"), encoding="utf-8", errors="replace") as out:
                    last = [line.strip() for line in out if line.strip()][-3:]
                raise Unavailable(f"Apache RocketMQ {self.version}: its {name} did not start: {' | '.join(last)}")
            time.sleep(0.1)

    def stop(self):
        for _, child in reversed(self.children):  # the broker first: it signs off at its name server
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(SECONDS_STOP)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
        self.children.clear()
        shutil.rmtree(os.path.join(self.folder, "store"), ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version")
    parser.add_argument("--dir")
    parser.add_argument("--conf", action="append", default=[])
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        with Apache(arguments.version, arguments.dir, arguments.conf) as home:
            print(home.address, flush=True)
            while all(child.poll() is None for _, child in home.children):
                time.sleep(0.2)
            print("apache.py: a part of it ended by itself", file=sys.stderr)
            return 1
    except Unavailable as why:
        print(f"apache.py: {why}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
