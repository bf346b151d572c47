"""Session state that outlives a connection: offline queues, takeover, clean starts, restarts."""

from lab import Lab, deliveries, expect
from scenarios import scenario


@scenario("offline-queue")
def offline_queue(lab: Lab) -> dict:
    """A persistent session: four QoS 1 and three QoS 2 messages wait while the subscriber is
    away."""
    lab.broker()
    subscriber = lab.subscriber("subP", qos=2)
    lab.publish("online", 2)
    lab.acknowledged("subP", 2)
    lab.end(subscriber)
    lab.publish("off1", 4, qos=1)
    lab.publish("off2", 3, qos=2)
    subscriber = lab.subscriber("subP", qos=2)
    lab.acknowledged("subP", 3, "PUBCOMP")
    lab.end(subscriber)
    return expect({"subP": deliveries(acknowledged=9)},
                  notes="Seven of the nine were late: sent only after the second CONNECT.")


@scenario("takeover-in-flight", "pcapng")
def takeover_in_flight(lab: Lab) -> dict:
    """A second client takes over the identifier of one that has acknowledged nothing."""
    lab.broker()
    lab.paho("dup", "--ack", "never")
    lab.publish("held", 3)
    lab.sent("dup", 3)
    second = lab.subscriber("dup")
    lab.acknowledged("dup", 3)
    lab.end(second)
    return expect({"dup": deliveries(acknowledged=3, redelivered=3)},
                  notes="""The broker closes the first connection; the second gets all three with
                  DUP.""")


@scenario("clean-start-drops-queue")
def clean_start_drops_queue(lab: Lab) -> dict:
    """Three messages wait for a subscriber that then comes back with clean session set."""
    lab.broker()
    subscriber = lab.subscriber("fresh")
    lab.end(subscriber)
    lab.publish("dropped", 3)
    lab.subscriber("fresh", clean=True)
    lab.publish("after")
    lab.acknowledged("fresh", 1)
    return expect({"fresh": deliveries(acknowledged=1, lost=3)}, ("lost", "fresh"), doubtful=True,
                  notes="""The subscriber itself asked for it (MQTT-3.1.2-6), so the broker
                  is not to blame; but the publisher was told that they were accepted, and nobody
                  will ever send them again. A person wants to be told, with that reason.""")


@scenario("broker-restarted-with-persistence", "pcapng")
def broker_restarted_with_persistence(lab: Lab) -> dict:
    """The broker is ended and started again; its store brings five queued messages back."""
    broker = lab.broker(persistence=True)
    subscriber = lab.subscriber("gp")
    lab.kill(subscriber)
    lab.publish("kept", 5)
    lab.end(broker)
    lab.broker(persistence=True)
    lab.subscriber("gp")
    lab.acknowledged("gp", 5)
    return expect({"gp": deliveries(acknowledged=5)})


@scenario("queue-overflow", "pcapng")
def queue_overflow(lab: Lab) -> dict:
    """The broker keeps at most two queued messages for a subscriber; it acknowledges all five."""
    lab.broker("max_queued_messages 2", "max_inflight_messages 1")
    subscriber = lab.subscriber("full")
    lab.kill(subscriber)
    lab.publish("m", 5)
    subscriber = lab.subscriber("full")
    lab.wait_log("Received PUBACK from full", 2)
    kept = lab.log_count("Received PUBACK from full")
    lab.pause(2, "connected, nothing in flight, and nothing more comes")
    lab.end(subscriber)
    return expect({"full": deliveries(acknowledged=kept, lost=5 - kept)}, ("lost", "full"),
                  notes="""PUBACK to the publisher for all five, the newest are dropped in silence.
                  The subscriber has got the others, stays two seconds and gets nothing more.""")


@scenario("pending-at-the-end")
def pending_at_the_end(lab: Lab) -> dict:
    """The recording ends while three messages wait for a subscriber that has not come back."""
    lab.broker()
    subscriber = lab.subscriber("away")
    lab.publish("got", 2)
    lab.acknowledged("away", 2)
    lab.end(subscriber)
    lab.publish("waiting", 3)
    return expect({"away": deliveries(acknowledged=2, pending=3)},
                  notes="The broker still owes them: no finding.")
