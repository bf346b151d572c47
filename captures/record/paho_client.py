"""A paho-mqtt client that can be told to behave badly: never to acknowledge, or to die by SIGKILL
just before it would send a certain packet. Otherwise it is paho as it comes."""

import argparse
import json
import os
import pathlib
import signal
import ssl
import sys
import threading
import time

from paho.mqtt import client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


class MortalClient(paho.Client):
    """Dies in the moment before it writes the packet that `die_before` names."""

    die_before = ""

    def _die_at(self, packet: str) -> None:
        if self.die_before == packet:
            os.kill(os.getpid(), signal.SIGKILL)

    def _send_puback(self, mid):
        self._die_at("puback")
        return super()._send_puback(mid)

    def _send_pubrec(self, mid):
        self._die_at("pubrec")
        return super()._send_pubrec(mid)

    def _handle_pubrel(self):
        self._die_at("pubrel")  # Before it looks at a PUBREL that has arrived.
        return super()._handle_pubrel()

    def _send_pubcomp(self, mid):
        self._die_at("pubcomp")
        return super()._send_pubcomp(mid)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["subscribe", "publish"])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--id", required=True)
    parser.add_argument("--version", choices=["311", "5"], default="311")
    parser.add_argument("--qos", type=int, default=1)
    parser.add_argument("--topic", default="")
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("--keep-alive", type=int, default=60)
    parser.add_argument("--tls", choices=["1.2", "1.3"])
    parser.add_argument("--ca", type=pathlib.Path)
    parser.add_argument("--keylog", type=pathlib.Path)
    parser.add_argument("--websocket", action="store_true")
    # Subscribers.
    parser.add_argument("--ack", default="at-once", help="at-once, never, or seconds of delay")
    parser.add_argument("--die-before", default="",
                        choices=["", "puback", "pubrec", "pubrel", "pubcomp"])
    parser.add_argument("--receive-maximum", type=int)
    parser.add_argument("--session-expiry", type=int)
    parser.add_argument("--unsubscribe-after", type=int, help="messages until UNSUBSCRIBE")
    # Publishers.
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--size", type=int, default=0, help="pad payloads to so many bytes")
    parser.add_argument("--gap", type=float, default=0, help="seconds between messages")
    parser.add_argument("--stem", default="m")
    parser.add_argument("--wait-for", type=pathlib.Path, help="connect, then wait for this file")
    parser.add_argument("--topic-alias", type=int)
    parser.add_argument("--outbox", type=pathlib.Path, help="what is unacknowledged, kept on disk")
    return parser.parse_args()


def connect_properties(arguments: argparse.Namespace) -> Properties | None:
    if arguments.version != "5":
        return None
    properties = Properties(PacketTypes.CONNECT)
    if arguments.receive_maximum:
        properties.ReceiveMaximum = arguments.receive_maximum
    if arguments.session_expiry is not None:
        properties.SessionExpiryInterval = arguments.session_expiry
    return properties


def make(arguments: argparse.Namespace) -> MortalClient:
    five = arguments.version == "5"
    client = MortalClient(
        paho.CallbackAPIVersion.VERSION2, client_id=arguments.id,
        protocol=paho.MQTTv5 if five else paho.MQTTv311,
        clean_session=None if five else arguments.clean,
        reconnect_on_failure=arguments.role == "publish",
        transport="websockets" if arguments.websocket else "tcp")
    client.die_before = arguments.die_before
    client.reconnect_delay_set(1, 1)
    if arguments.tls:
        context = ssl.create_default_context(cafile=str(arguments.ca))
        context.check_hostname = False
        version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[arguments.tls]
        context.minimum_version = context.maximum_version = version
        context.keylog_filename = str(arguments.keylog)
        client.tls_set_context(context)
    return client


def connect(client: MortalClient, arguments: argparse.Namespace) -> None:
    more = {"clean_start": arguments.clean} if arguments.version == "5" else {}
    client.connect(arguments.host, arguments.port, keepalive=arguments.keep_alive,
                   properties=connect_properties(arguments), **more)


def subscribe(arguments: argparse.Namespace) -> None:
    client = make(arguments)
    client.manual_ack_set(arguments.ack != "at-once")
    seen = 0

    def on_message(_client, _userdata, message):
        nonlocal seen
        seen += 1
        print("message", message.payload[:40].decode(errors="replace"), flush=True)
        if arguments.ack not in ("at-once", "never"):
            threading.Timer(
                float(arguments.ack), client.ack, (message.mid, message.qos)).start()
        if seen == arguments.unsubscribe_after:
            client.unsubscribe(arguments.topic or "t/#")

    def on_connect(*_):
        client.subscribe(arguments.topic or "t/#", qos=arguments.qos)

    client.on_message = on_message
    client.on_connect = on_connect
    signal.signal(signal.SIGTERM, lambda *_: client.disconnect())
    connect(client, arguments)
    client.loop_forever()


def outbox_of(arguments: argparse.Namespace) -> dict[str, str]:
    if arguments.outbox and arguments.outbox.exists():
        return json.loads(arguments.outbox.read_text())
    return {}


def publish(arguments: argparse.Namespace) -> None:
    """Publishes and ends when all is acknowledged. With an outbox, what an earlier process left
    unacknowledged is sent again first: same packet identifiers, DUP set, as a client with a
    persistent store does."""
    client = make(arguments)
    topic, waiting = arguments.topic or "t/x", outbox_of(arguments)
    count = 0 if waiting else arguments.count

    def save():
        if arguments.outbox:
            arguments.outbox.write_text(json.dumps(waiting))

    def on_publish(_client, _userdata, mid, *_):
        waiting.pop(str(mid), None)
        save()

    client.on_publish = on_publish
    for mid, payload in waiting.items():
        message = paho.MQTTMessage(int(mid), topic.encode())
        message.payload, message.qos, message.dup = payload.encode(), arguments.qos, True
        message.state = paho.mqtt_ms_publish
        client._out_messages[int(mid)] = message
        client._last_mid = max(client._last_mid, int(mid))
        client._inflight_messages += 1
    connect(client, arguments)
    client.loop_start()
    while not client.is_connected():
        time.sleep(0.01)
    while arguments.wait_for and not arguments.wait_for.exists():
        time.sleep(0.01)
    for number in range(count):
        payload = f"{arguments.stem}-{number}".ljust(arguments.size, ".")
        properties = None
        if arguments.topic_alias:
            properties = Properties(PacketTypes.PUBLISH)
            properties.TopicAlias = arguments.topic_alias
        shown = "" if arguments.topic_alias and number > 0 else topic
        told = client.publish(shown, payload, qos=arguments.qos, properties=properties)
        waiting[str(told.mid)] = payload
        if told.is_published():
            waiting.pop(str(told.mid))  # At QoS 0 it may be out before publish() returns.
        save()
        time.sleep(arguments.gap)
    print("published", flush=True)
    while waiting:
        time.sleep(0.02)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    chosen = parse()
    sys.exit(subscribe(chosen) if chosen.role == "subscribe" else publish(chosen))
