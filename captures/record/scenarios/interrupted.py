"""QoS 2 cut at each of its steps: the subscriber dies just before it writes the next packet."""

from lab import Lab, deliveries, expect
from scenarios import scenario


def interrupted(lab: Lab, identifier: str, step: str) -> None:
    """One message through, then the same client dies at the step; a healthy one takes its place."""
    lab.broker()
    first = lab.subscriber(identifier, qos=2)
    lab.publish("whole", qos=2)
    lab.acknowledged(identifier, 1, "PUBCOMP")
    lab.end(first)
    mortal = lab.paho(identifier, "--qos", "2", "--die-before", step)
    lab.publish("cut", qos=2)
    lab.wait_exit(mortal)
    heir = lab.paho(identifier, "--qos", "2")
    lab.acknowledged(identifier, 2, "PUBCOMP")
    lab.publish("after", qos=2)
    lab.acknowledged(identifier, 3, "PUBCOMP")
    lab.end(heir)


@scenario("qos-2-killed-before-pubrec")
def killed_before_pubrec(lab: Lab) -> dict:
    """The subscriber dies before PUBREC; on resume the PUBLISH comes again with DUP."""
    interrupted(lab, "rec", "pubrec")
    return expect({"rec": deliveries(acknowledged=3, redelivered=1)})


@scenario("qos-2-killed-before-pubrel", "pcapng")
def killed_before_pubrel(lab: Lab) -> dict:
    """The subscriber has sent PUBREC and dies before it looks at the PUBREL; only PUBREL comes
    again."""
    interrupted(lab, "rel", "pubrel")
    return expect({"rel": deliveries(acknowledged=3)},
                  notes="""No PUBLISH with DUP: after PUBREC only PUBREL is sent again. paho
                  hands a message over at PUBREL and keeps nothing on disk, so the new process
                  never saw this one: acknowledged on the wire, never seen by the application. A
                  capture cannot prove that.""")


@scenario("qos-2-killed-before-pubcomp")
def killed_before_pubcomp(lab: Lab) -> dict:
    """The subscriber has handed the message over and dies before PUBCOMP; PUBREL comes again."""
    interrupted(lab, "comp", "pubcomp")
    return expect({"comp": deliveries(acknowledged=3)})


@scenario("qos-2-abandoned-before-pubcomp", "pcapng")
def abandoned_before_pubcomp(lab: Lab) -> dict:
    """The subscriber dies before PUBCOMP and the recording ends before anyone returns."""
    lab.broker()
    mortal = lab.paho("half", "--qos", "2", "--die-before", "pubcomp")
    lab.publish("half-done", qos=2)
    lab.wait_exit(mortal)
    return expect({"half": deliveries(acknowledged=1)}, doubtful=True,
                  notes="""PUBREC was sent: by MQTT-4.3.3-3 (5.0) the message counts as
                  acknowledged, the handshake is unfinished. One may call it pending until
                  PUBCOMP; the message itself is safe in the subscriber's hands.""")


@scenario("killed-before-puback", "pcap")
def killed_before_puback(lab: Lab) -> dict:
    """QoS 1: the subscriber has handed the message over and dies before PUBACK: it comes twice."""
    lab.broker()
    mortal = lab.paho("ack", "--die-before", "puback")
    lab.publish("twice")
    lab.wait_exit(mortal)
    heir = lab.paho("ack")
    lab.acknowledged("ack", 1)
    lab.end(heir)
    return expect({"ack": deliveries(acknowledged=1, redelivered=1)},
                  notes="A duplicate that QoS 1 allows: no finding.")
