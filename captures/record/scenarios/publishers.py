"""Publishers that send again, because no PUBACK reached them."""

from lab import Lab, deliveries, expect
from scenarios import scenario


@scenario("publisher-killed-before-puback", "pcapng")
def publisher_killed_before_puback(lab: Lab) -> dict:
    """A publisher with its outbox on disk is killed before PUBACK; restarted, it sends again
    (DUP)."""
    broker = lab.broker()
    lab.subscriber("reader")
    outbox = str(lab.folder / "outbox.json")
    gate = lab.folder / "gate"
    publisher = lab.paho_publisher(
        "writer", "--outbox", outbox, "--wait-for", str(gate))
    lab.wait_log("Sending CONNACK to writer")
    lab.stop(broker)
    gate.touch()
    lab.wait_said(publisher, "published")
    lab.kill(publisher)
    lab.resume(broker)
    lab.acknowledged("reader", 1)
    publisher = lab.paho_publisher("writer", "--outbox", outbox)
    lab.wait_exit(publisher)
    lab.acknowledged("reader", 2)
    return expect({"reader": deliveries(acknowledged=2)},
                  notes="""The broker had read it after all, so it delivers it twice: to the broker
                  the second sending is new. Two deliveries of one payload, neither with DUP towards
                  the reader: at least once, no finding. The broker's first PUBACK was written after
                  the publisher had closed, and does not count.""")


@scenario("publisher-resends-with-dup")
def publisher_resends_with_dup(lab: Lab) -> dict:
    """The publisher's connection is reset before PUBACK; the same process reconnects and sends
    again."""
    broker = lab.broker()
    lab.subscriber("reader")
    publisher = lab.paho_publisher("writer", "--count", "4", "--gap", "0.5")
    lab.acknowledged("reader", 1)
    lab.stop(broker)
    lab.pause(1.2, "the publisher goes on without an answer")
    lab.destroy_sockets(publisher)
    lab.resume(broker)
    lab.wait_exit(publisher)
    sent = lab.log_count("Sending PUBLISH to reader")
    lab.acknowledged("reader", sent)
    return expect({"reader": deliveries(acknowledged=sent)},
                  notes="""Four messages. What the broker had read before it saw the RST it delivers
                  again when it comes with DUP: at least once, no finding.""")
