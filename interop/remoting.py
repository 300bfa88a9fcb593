"""Just enough of the remoting protocol to see that a home is up, and to make a topic there."""
import json
import re
import socket
import struct
import time

ROUTE, SEND = 105, 10


def ask(address, code, fields, body=b"", seconds=5.0):
    """One request with a JSON header: (code, remark, body) of the answer, or None if nobody answers."""
    header = json.dumps({"code": code, "language": "OTHER", "version": 0, "opaque": 1, "flag": 0,
                         "extFields": fields}).encode()
    host, port = address.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), seconds) as to:
            to.settimeout(seconds)
            to.sendall(struct.pack(">II", 4 + len(header) + len(body), len(header)) + header + body)
            got = b""
            while len(got) < 4 or len(got) < 4 + struct.unpack(">I", got[:4])[0]:
                more = to.recv(65536)
                if not more:
                    return None
                got += more
    except OSError:
        return None
    end = 8 + (struct.unpack(">I", got[4:8])[0] & 0xFFFFFF)  # the upper byte names the header's codec
    answer = json.loads(got[8:end])
    return answer["code"], answer.get("remark", ""), got[end:]


def knows(namesrv, topic):
    """Whether a name server has a route for the topic; None if there is no name server."""
    answer = ask(namesrv, ROUTE, {"topic": topic}, seconds=2.0)
    return None if answer is None else answer[0] == 0


def broker_of(namesrv, topic):
    """The address of a master that has the topic."""
    route = ask(namesrv, ROUTE, {"topic": topic})[2].decode()
    # The broker ids are bare numbers, {0:"..."}, which is Apache's habit and no JSON.
    return re.search(r'"brokerAddrs":\{"?0"?:"([^"]+)"', route).group(1)


def send_fields(topic):
    return {"producerGroup": "interop", "topic": topic, "defaultTopic": "TBW102", "defaultTopicQueueNums": "4",
            "queueId": "0", "sysFlag": "0", "bornTimestamp": "0", "flag": "0", "properties": "TAGS\1opener\2",
            "reconsumeTimes": "0", "unitMode": "false", "batch": "false"}


def open_topic(namesrv, topic, seconds=5.0):
    """Sends one message from TBW102's route, as a producer does that names a new topic, and waits for the new route."""
    broker = broker_of(namesrv, "TBW102")
    code, remark, _ = ask(broker, SEND, send_fields(topic), b"opener")
    if code != 0:
        raise RuntimeError(f"{broker} does not make the topic {topic}: {code} {remark}")
    until = time.monotonic() + seconds
    while not knows(namesrv, topic):  # 4.9 tells its name server after it has answered
        if time.monotonic() > until:
            raise RuntimeError(f"{namesrv} has no route for the new topic {topic}")
        time.sleep(0.05)
