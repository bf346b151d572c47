"""MQTT over WebSocket, in the clear and over TLS."""

from lab import Lab, deliveries, expect
from scenarios import scenario
from scenarios.encrypted import certificates, client


def listeners(lab: Lab) -> list[str]:
    """mosquitto 2.0.11 ends when it has no listener but those for WebSocket."""
    return ["protocol websockets", *certificates_of(lab), f"listener {lab.port + 1} 127.0.0.1"]


def certificates_of(lab: Lab) -> list[str]:
    return certificates(lab) if "tls" in lab.scenario.name else []


@scenario("websocket", folder="mqtt-websocket", port=8080)
def websocket(lab: Lab) -> dict:
    """WebSocket: three messages at QoS 0, three at QoS 1, and one of 70 kB at QoS 2."""
    lab.broker(*listeners(lab))
    subscriber = lab.paho("ws", "--qos", "2", "--websocket")
    for qos, count, size in (("0", "3", "20"), ("1", "3", "200"), ("2", "1", "70000")):
        lab.wait_exit(lab.paho_publisher(
            "wp", "--websocket", "--qos", qos, "--count", count, "--size", size))
    lab.acknowledged("ws", 1, "PUBCOMP")
    lab.end(subscriber)
    return {**expect({"ws": deliveries(acknowledged=4, qos0=3)},
                     notes="""The publisher's 70 kB are a frame with a length of eight bytes. tshark
                     4.0 does not look for MQTT in WebSocket."""),
            "blind": True}


@scenario("websocket-tls-1.3", "pcapng", folder="mqtt-websocket", port=8443)
def websocket_tls(lab: Lab) -> dict:
    """WebSocket in TLS 1.3: the subscriber is stopped, four messages are sent, it is killed and
    replaced."""
    lab.keylog.unlink(missing_ok=True)
    lab.broker(*listeners(lab))
    options = ["--websocket", *client(lab, "1.3")]
    subscriber = lab.paho("ws", *options)
    lab.wait_exit(lab.paho_publisher("wp", "--count", "2", "--stem", "ok", *options))
    lab.acknowledged("ws", 2)
    lab.stop(subscriber)
    lab.wait_exit(lab.paho_publisher("wp", "--count", "4", "--stem", "ghost", *options))
    lab.kill(subscriber)
    subscriber = lab.paho("ws", *options)
    lab.acknowledged("ws", 6)
    lab.end(subscriber)
    return {**expect({"ws": deliveries(acknowledged=6, redelivered=4)},
                     notes="As stopped-then-killed, in WebSocket in TLS."), "blind": True}
