"""What only MQTT 5 has: expiry of messages and sessions, receive maximum, server keep-alive…"""

from lab import Lab, deliveries, expect
from scenarios import scenario


@scenario("queue-expired-message", "pcapng")
def queue_expired_message(lab: Lab) -> dict:
    """Three of five queued messages expire after 2 s, before the subscriber is back."""
    lab.broker()
    subscriber = lab.subscriber("m5", "-x", "30", version="5")
    lab.publish("on", 2, version="5")
    lab.acknowledged("m5", 2)
    lab.kill(subscriber)
    lab.publish("exp", 3, "-D", "publish", "message-expiry-interval", "2", version="5")
    lab.publish("keep", 2, "-D", "publish", "message-expiry-interval", "60",
                "-D", "publish", "user-property", "a", "b", version="5")
    lab.pause(4, "the message expiry interval of 2 s passes")
    subscriber = lab.subscriber("m5", "-x", "30", version="5")
    lab.acknowledged("m5", 4)
    lab.end(subscriber)
    return expect({"m5": deliveries(acknowledged=4, expired=3)},
                  notes="Expired is what the publisher asked for: no finding.")


@scenario("session-expired")
def session_expired(lab: Lab) -> dict:
    """The session expires after 3 s; its subscriber comes back later and finds nothing."""
    lab.broker()
    subscriber = lab.subscriber("me", "-x", "3", version="5")
    lab.kill(subscriber)
    lab.publish("vanish", 4, version="5")
    lab.pause(10, "the session expiry interval of 3 s passes, and the broker's sweep after it")
    lab.subscriber("me", "-x", "3", version="5")
    return expect({"me": deliveries(expired=4)}, doubtful=True,
                  notes="""Session present is 0. The subscriber itself asked for an expiry of 3
                  s, so the deliveries are expired and not lost; Clean Start was 0, so the client
                  may well have hoped for them: the reason (session expired) must be told.""")


@scenario("session-expiry-returned-in-time", "pcapng")
def session_expiry_returned_in_time(lab: Lab) -> dict:
    """The same, but the subscriber returns within its session expiry of 30 s."""
    lab.broker()
    subscriber = lab.subscriber("back", "-x", "30", version="5")
    lab.kill(subscriber)
    lab.publish("kept", 4, version="5")
    lab.pause(1, "an outage shorter than the expiry")
    subscriber = lab.subscriber("back", "-x", "30", version="5")
    lab.acknowledged("back", 4)
    lab.end(subscriber)
    return expect({"back": deliveries(acknowledged=4)})


@scenario("receive-maximum")
def receive_maximum(lab: Lab) -> dict:
    """A window of two: ten messages at once, each acknowledged after 100 ms."""
    lab.broker()
    subscriber = lab.paho("window", "--version", "5", "--receive-maximum", "2", "--ack", "0.1")
    publisher = lab.paho_publisher("burst", "--version", "5", "--count", "10")
    lab.wait_exit(publisher)
    lab.acknowledged("window", 10)
    lab.end(subscriber)
    return expect({"window": deliveries(acknowledged=10)}, ("protocol", "window"),
                  notes="""mosquitto 2.0.11 does not keep to the window: after a PUBACK it sends
                  more than that made room for, so that three and more PUBLISH to the subscriber
                  are unacknowledged (MQTT-3.3.4-9). The client's timers may also bring two PUBACKs
                  in the wrong order (MQTT-4.6.0-2).""")


@scenario("receive-maximum-blocked", "pcapng")
def receive_maximum_blocked(lab: Lab) -> dict:
    """A window of two and a subscriber that never acknowledges: eight of ten are never sent."""
    lab.broker()
    subscriber = lab.paho("blocked", "--version", "5", "--receive-maximum", "2", "--ack", "never",
                          "--session-expiry", "600")
    publisher = lab.paho_publisher("burst", "--version", "5", "--count", "10")
    lab.wait_exit(publisher)
    lab.sent("blocked", 2)
    lab.pause(2, "nothing more comes")
    lab.end(subscriber)
    return expect({"blocked": deliveries(pending=10)},
                  notes="""Two were sent and not acknowledged, eight never sent; the session
                  lives for 600 s and the capture ends before: the broker still owes all ten.""")


@scenario("server-keep-alive")
def server_keep_alive(lab: Lab) -> dict:
    """The client asks for a keep-alive of 60 s, the broker answers 10 s, and 10 s it is."""
    lab.broker("max_keepalive 10")
    lab.subscriber("told", keep_alive=60, version="5", clean=True)
    lab.wait_log("Received PINGREQ from told", 2)
    lab.publish("hello", version="5")
    lab.acknowledged("told", 1)
    return expect({"told": deliveries(acknowledged=1)},
                  notes="Server Keep Alive in CONNACK replaces the client's value (MQTT-3.2.2-21).")


@scenario("topic-alias", "pcapng")
def topic_alias(lab: Lab) -> dict:
    """A publisher names its topic once and then uses alias 3 with an empty topic name."""
    lab.broker()
    subscriber = lab.paho("aliased", "--version", "5")
    publisher = lab.paho_publisher("short", "--version", "5", "--count", "4", "--topic-alias", "3")
    lab.wait_exit(publisher)
    lab.acknowledged("aliased", 4)
    lab.end(subscriber)
    return expect({"aliased": deliveries(acknowledged=4)})


@scenario("publish-not-authorised", "pcapng")
def publish_not_authorised(lab: Lab) -> dict:
    """The broker's access list refuses one topic: PUBACK with reason code 0x87."""
    access = lab.folder / "access"
    access.write_text("topic readwrite t/open\ntopic read t/#\n")
    lab.broker(f"acl_file {access}")
    lab.subscriber("reader", version="5", clean=True)
    lab.publish("fine", 2, topic="t/open", version="5")
    lab.publish("refused", 2, topic="t/closed", version="5")
    lab.acknowledged("reader", 2)
    return expect({"reader": deliveries(acknowledged=2, rejected=2)}, doubtful=True,
                  notes="""Rejected is an answer and no finding. The two never became deliveries at
                  the broker; they match the subscription all the same.""")


@scenario("publish-not-authorised-3.1.1", "pcap")
def publish_not_authorised_311(lab: Lab) -> dict:
    """The same in MQTT 3.1.1, which has no code for it: the broker acknowledges and drops."""
    access = lab.folder / "access"
    access.write_text("topic readwrite t/open\ntopic read t/#\n")
    lab.broker(f"acl_file {access}")
    subscriber = lab.subscriber("reader", clean=True)
    lab.publish("fine", 2, topic="t/open")
    lab.publish("swallowed", 2, topic="t/closed")
    lab.acknowledged("reader", 2)
    lab.pause(2, "connected, nothing in flight, and nothing more comes")
    lab.end(subscriber)
    return expect({"reader": deliveries(acknowledged=2, lost=2)}, ("lost", "reader"), doubtful=True,
                  notes="""MQTT-3.3.5-2 allows it (acknowledge normally, or close), so it is a legal
                  silent loss; on the wire it cannot be told from a broker that forgets.""")
