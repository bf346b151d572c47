"""Deliveries that nobody acknowledged, made by real faults."""

from lab import Lab, deliveries, expect
from scenarios import scenario


@scenario("stopped-then-killed")
def stopped_then_killed(lab: Lab) -> dict:
    """The subscriber stops reading (SIGSTOP) while its kernel acknowledges, and is killed."""
    lab.broker()
    subscriber = lab.subscriber("gk")
    lab.publish("ok", 2)
    lab.acknowledged("gk", 2)
    lab.stop(subscriber)
    lab.publish("ghost", 4)
    lab.pause(1, "TCP has acknowledged everything, nobody reads")
    lab.kill(subscriber)
    lab.publish("queued", 2)
    lab.subscriber("gk")
    lab.acknowledged("gk", 8)
    return expect({"gk": deliveries(acknowledged=8, redelivered=4)},
                  notes="""Four PUBLISH were TCP-acknowledged and never read; on the next connection
                  they come again with DUP. Nothing was lost: recovered.""")


@scenario("stopped-then-killed-clean-session", "pcapng")
def stopped_then_killed_clean_session(lab: Lab) -> dict:
    """The same with clean session: the broker forgets the four with the connection."""
    lab.broker()
    subscriber = lab.subscriber("gc", clean=True)
    lab.publish("ok", 2)
    lab.acknowledged("gc", 2)
    lab.stop(subscriber)
    lab.publish("ghost", 4)
    lab.pause(1, "TCP has acknowledged everything, nobody reads")
    lab.kill(subscriber)
    lab.wait_log(r"gc (disconnected|closed)")
    lab.publish("nobody", 2)
    lab.subscriber("gc", clean=True)
    lab.publish("after")
    lab.acknowledged("gc", 3)
    return expect({"gc": deliveries(acknowledged=3, ghost=4)}, ("ghost", "gc"), doubtful=True,
                  notes="""Sent, TCP-acknowledged, never acknowledged, and with the clean session
                  the broker is done with them: ghosts. (Or: released, because the session was
                  asked to end with its connection.) The two published while no session existed
                  are owed to nobody.""")


@scenario("zombie-past-keep-alive", "pcapng")
def zombie_past_keep_alive(lab: Lab) -> dict:
    """A stopped subscriber stays connected past 1.5 times its keep-alive of 5 s, then wakes."""
    lab.broker()
    subscriber = lab.subscriber("gz", keep_alive=5)
    lab.publish("ok")
    lab.acknowledged("gz", 1)
    lab.stop(subscriber)
    lab.publish("ghost", 3)
    lab.wait_log(r"gz has exceeded timeout")
    lab.pause(1, "the broker has closed; the client does not know")
    lab.resume(subscriber)
    lab.acknowledged("gz", 4)
    return expect({"gz": deliveries(acknowledged=4, redelivered=3)}, ("zombie", "gz"),
                  notes="""The broker closes later than the 7.5 s it may wait. When the client
                  wakes it writes a PUBACK on the connection that the broker has closed (answer:
                  RST); that does not count. All three are sent again with DUP.""")


@scenario("broker-killed-without-persistence")
def broker_killed_without_persistence(lab: Lab) -> dict:
    """The broker is killed with five accepted messages in its queue, and starts with none."""
    broker = lab.broker()
    subscriber = lab.subscriber("gb")
    lab.end(subscriber)
    lab.publish("lost", 5)
    lab.kill(broker)
    lab.broker()
    lab.subscriber("gb")
    lab.publish("after")
    lab.acknowledged("gb", 1)
    return expect({"gb": deliveries(acknowledged=1, lost=5)}, ("lost", "gb"),
                  notes="""No PUBLISH on any connection is unacknowledged: the loss shows only in
                  the publishers' PUBACKs and in session present = 0.""")


@scenario("broker-killed-in-flight", "pcapng")
def broker_killed_in_flight(lab: Lab) -> dict:
    """The broker is killed while three messages are sent and unacknowledged; no persistence."""
    broker = lab.broker()
    subscriber = lab.subscriber("gf")
    lab.publish("ok")
    lab.acknowledged("gf", 1)
    lab.stop(subscriber)
    lab.publish("gone", 3)
    lab.sent("gf", 4)
    lab.kill(broker)
    lab.kill(subscriber)
    lab.broker()
    lab.subscriber("gf")
    lab.publish("after")
    lab.acknowledged("gf", 2)
    return expect({"gf": deliveries(acknowledged=2, ghost=3)}, ("ghost", "gf"),
                  notes="""Sent, never acknowledged, and the broker that owed them is gone with its
                  memory (session present = 0).""")


@scenario("never-acknowledges")
def never_acknowledges(lab: Lab) -> dict:
    """A client that reads everything, answers pings, and never sends a PUBACK."""
    lab.broker()
    subscriber = lab.paho("mute", "--ack", "never", "--keep-alive", "5")
    lab.publish("unread", 4)
    lab.wait_log("Received PINGREQ from mute", 2)
    lab.end(subscriber)
    return expect({"mute": deliveries(pending=4)},
                  notes="""Alive by its pings, deaf by its acknowledgements. A persistent
                  session: the broker still owes all four when the capture ends.""")
