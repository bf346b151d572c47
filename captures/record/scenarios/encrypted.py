"""The same over TLS, with the client's key log beside the capture."""

import subprocess

from lab import Lab, deliveries, expect
from scenarios import scenario


def certificates(lab: Lab) -> list[str]:
    """A self-signed certificate; returns the broker's settings."""
    key, certificate = lab.folder / "key.pem", lab.folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "3650",
         "-subj", "/CN=broker.example"], check=True, capture_output=True)
    return [f"certfile {certificate}", f"keyfile {key}"]


def client(lab: Lab, version: str) -> list[str]:
    return ["--tls", version, "--ca", str(lab.folder / "certificate.pem"),
            "--keylog", str(lab.keylog)]


@scenario("tls-1.2", "pcapng", folder="mqtt-tls", port=8883)
def tls_12(lab: Lab) -> dict:
    """TLS 1.2: ten QoS 1 and ten QoS 2 messages."""
    return twenty_messages(lab, "1.2")


@scenario("tls-1.3", folder="mqtt-tls", port=8883)
def tls_13(lab: Lab) -> dict:
    """TLS 1.3: ten QoS 1 and ten QoS 2 messages."""
    return twenty_messages(lab, "1.3")


def twenty_messages(lab: Lab, version: str) -> dict:
    lab.keylog.unlink(missing_ok=True)
    lab.broker(*certificates(lab))
    subscriber = lab.paho("tl", "--qos", "2", *client(lab, version))
    for qos in ("1", "2"):
        publisher = lab.paho_publisher("tp", "--qos", qos, "--count", "10", *client(lab, version))
        lab.wait_exit(publisher)
    lab.acknowledged("tl", 10, "PUBCOMP")
    lab.end(subscriber)
    return {**expect({"tl": deliveries(acknowledged=20)},
                     notes="Without the key log: encrypted, nothing can be said of any delivery."),
            "blind": True}


@scenario("tls-1.3-stopped-then-killed", "pcapng", folder="mqtt-tls", port=8883)
def tls_13_stopped_then_killed(lab: Lab) -> dict:
    """TLS 1.3: the subscriber is stopped, four messages are sent, it is killed and replaced."""
    lab.keylog.unlink(missing_ok=True)
    lab.broker(*certificates(lab))
    options = client(lab, "1.3")
    subscriber = lab.paho("tl", *options)
    lab.wait_exit(lab.paho_publisher("tp", "--count", "2", "--stem", "ok", *options))
    lab.acknowledged("tl", 2)
    lab.stop(subscriber)
    lab.wait_exit(lab.paho_publisher("tp", "--count", "4", "--stem", "ghost", *options))
    lab.kill(subscriber)
    subscriber = lab.paho("tl", *options)
    lab.acknowledged("tl", 6)
    lab.end(subscriber)
    return {**expect({"tl": deliveries(acknowledged=6, redelivered=4)},
                     notes="""As stopped-then-killed, inside TLS; CONNACK and the four PUBLISH
                     may share one record."""),
            "blind": True}
