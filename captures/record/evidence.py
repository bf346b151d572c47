"""A second opinion on a recording: what tshark sees in it, against what the scenario expects.

Counts only what can be counted without any theory: distinct deliveries that were acknowledged, and
PUBLISH packets with DUP, for each client identifier over all of its connections."""

import collections
import json
import pathlib
import subprocess

PUBLISH, PUBACK, PUBREC, CONNECT = 3, 4, 5, 1


def frames(capture: pathlib.Path, port: int) -> list[dict]:
    """The layers of every frame that carries MQTT, or ends a direction."""
    said = subprocess.run(
        ["tshark", "-r", str(capture), "-d", f"tcp.port=={port},mqtt",
         "-Y", "mqtt || tcp.flags.fin == 1", "-T", "json", "--no-duplicate-keys", "-J", "tcp mqtt"],
        check=True, capture_output=True, text=True).stdout
    return [frame["_source"]["layers"] for frame in json.loads(said or "[]")]


def fields_of(value: dict, into: dict | None = None) -> dict:
    """All fields of a nested layer by name."""
    into = {} if into is None else into
    for key, inner in value.items():
        if isinstance(inner, dict):
            fields_of(inner, into)
        else:
            into[key] = inner
    return into


def count(capture: pathlib.Path, port: int) -> dict[str, collections.Counter]:
    identifiers: dict[str, str] = {}
    done: set[tuple[str, str]] = set()  # (client, packet id): acknowledged since its last PUBLISH.
    closed: set[str] = set()  # Streams that the broker has closed: no acknowledgement counts there.
    counts: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for layers in frames(capture, port):
        tcp = fields_of(layers["tcp"])
        stream, upward = tcp["tcp.stream"], int(tcp["tcp.dstport"]) == port
        messages = layers.get("mqtt", [])
        for message in messages if isinstance(messages, list) else [messages]:
            fields = fields_of(message)
            kind = int(fields.get("mqtt.msgtype", 0))
            if kind == CONNECT:
                identifiers[stream] = fields.get("mqtt.clientid", "")
            client = identifiers.get(stream, "?")
            number = (client, fields.get("mqtt.msgid", ""))
            if not upward and kind == PUBLISH and fields.get("mqtt.qos") == "0":
                counts[client]["qos0"] += 1
            elif not upward and kind == PUBLISH:
                counts[client]["dup"] += fields.get("mqtt.dupflag") in ("1", "True", True)
                done.discard(number)
            elif upward and kind in (PUBACK, PUBREC) and stream not in closed:
                # tshark does not dissect what arrives first in a retransmission, so that a PUBLISH
                # may be missing here; its acknowledgement still counts, once.
                counts[client]["acknowledged"] += number not in done
                done.add(number)
        if not upward and tcp.get("tcp.flags.fin") in ("1", "True", True):
            closed.add(stream)
    return counts


def check(truth: dict, capture: pathlib.Path) -> list[str]:
    """What differs, in words; nothing when all is as expected. Encrypted and partial ones are not
    looked at."""
    if truth["expected"].get("blind"):
        return []
    seen = count(capture, truth["port"])
    doubts = []
    for subscriber, states in truth["expected"]["subscribers"].items():
        compared = {"acknowledged": "acknowledged", "redelivered": "dup", "qos0": "qos0"}
        for name, what in compared.items():
            if states[name] != seen[subscriber][what]:
                doubts.append(f"{subscriber}: {name} {seen[subscriber][what]} seen,"
                              f" {states[name]} expected")
    return doubts
