"""Recordings that do not hold everything: no ghost may ever be made out of what is missing."""

from lab import Lab, deliveries, expect
from scenarios import scenario


def partial(subscribers: dict, notes: str) -> dict:
    return {**expect(subscribers, notes=notes), "blind": True}


@scenario("joined-mid-stream", starts_late=True)
def joined_mid_stream(lab: Lab) -> dict:
    """The recorder starts when the subscriber has long been connected: no SYN, no CONNECT."""
    lab.broker()
    subscriber = lab.subscriber("unseen")
    lab.publish("before", 2)
    lab.acknowledged("unseen", 2)
    lab.start_recording()
    lab.publish("seen", 3)
    lab.acknowledged("unseen", 5)
    lab.end(subscriber)
    return partial({}, """One connection begins in the middle: its version and its subscriber are
                   unknown, and so is what was published before. Three publishers, three PUBLISH and
                   three PUBACK are there.""")


@scenario("one-direction-only", "pcapng", filter="tcp dst port 1883")
def one_direction_only(lab: Lab) -> dict:
    """Only what goes to the broker was recorded, as with a mirror port of one direction."""
    lab.broker()
    lab.subscriber("half")
    lab.publish("m", 3)
    lab.acknowledged("half", 3)
    return partial({"half": deliveries(unknown=3)}, """The PUBACKs are there, the PUBLISHes that
                   they answer are not. Nothing can be said: unknown, and no finding.""")


@scenario("large-packets-missing", filter="tcp port 1883 and less 1200")
def large_packets_missing(lab: Lab) -> dict:
    """The recorder missed every large packet: holes in both directions of two connections."""
    lab.broker_side.small_segments()
    lab.broker()
    lab.subscriber("holes")
    lab.publish("small")
    lab.acknowledged("holes", 1)
    lab.wait_exit(lab.paho_publisher("bp", "--size", "5000"))
    lab.acknowledged("holes", 2)
    lab.publish("after")
    lab.acknowledged("holes", 3)
    return partial({"holes": deliveries(acknowledged=2, unknown=1)},
                   """The PUBLISH of 5000 bytes lacks its first segments on both sides of the
                   broker; its PUBACKs are there. Gaps, never a ghost.""")
