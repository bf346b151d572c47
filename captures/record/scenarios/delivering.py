"""What works: every quality of service, and the features that decide who gets a message."""

from lab import Lab, deliveries, expect
from scenarios import scenario


@scenario("qos-0-1-2")
def qos_0_1_2(lab: Lab) -> dict:
    """Three messages at each quality of service to one subscriber."""
    lab.broker()
    subscriber = lab.subscriber("subA", qos=2, clean=True)
    for qos in (0, 1, 2):
        lab.publish(f"q{qos}", 3, qos=qos)
    lab.acknowledged("subA", 3, "PUBCOMP")
    lab.end(subscriber)
    return expect({"subA": deliveries(acknowledged=6, qos0=3)})


@scenario("keep-alive-pings", "pcapng")
def keep_alive_pings(lab: Lab) -> dict:
    """A quiet connection held by PINGREQ every 5 s; one message in the middle."""
    lab.broker()
    lab.subscriber("subK", keep_alive=5, clean=True)
    lab.wait_log("Received PINGREQ from subK", 1)
    lab.publish("hello")
    lab.wait_log("Sending PINGRESP to subK", 3)
    return expect({"subK": deliveries(acknowledged=1)})


@scenario("qos-2-paho", "pcap-ns")
def qos_2_paho(lab: Lab) -> dict:
    """Thirty QoS 2 messages from a paho publisher to a paho subscriber, 20 ms apart."""
    lab.broker()
    subscriber = lab.paho("ph", "--qos", "2")
    publisher = lab.paho_publisher(
        "pp", "--qos", "2", "--count", "30", "--gap", "0.02", "--size", "200")
    lab.wait_exit(publisher)
    lab.acknowledged("ph", 30, "PUBCOMP")
    lab.end(subscriber)
    return expect({"ph": deliveries(acknowledged=30)},
                  notes="Time stamps in nanoseconds.")


@scenario("several-subscribers")
def several_subscribers(lab: Lab) -> dict:
    """Four subscribers with other filters and QoS see the same four QoS 2 messages, or not."""
    lab.broker()
    lab.subscriber("all0", qos=0, clean=True)
    lab.subscriber("all1", qos=1, topic="t/+", clean=True)
    lab.subscriber("all2", qos=2, topic="t/x", clean=True)
    lab.subscriber("other", qos=2, topic="u/#", clean=True)
    lab.publish("m", 4, qos=2)
    lab.acknowledged("all2", 4, "PUBCOMP")
    lab.acknowledged("all1", 4)
    return expect({
        "all0": deliveries(qos0=4), "all1": deliveries(acknowledged=4),
        "all2": deliveries(acknowledged=4), "other": deliveries()},
        notes="The granted QoS of the subscription bounds that of the delivery.")


@scenario("retained-message", "pcapng")
def retained_message(lab: Lab) -> dict:
    """A message is retained before anybody subscribes, handed to a late subscriber, then
    cleared."""
    lab.broker()
    lab.publish("kept", 1, "-r")
    lab.subscriber("late", clean=True)
    lab.acknowledged("late", 1)
    lab.publish("live")
    lab.acknowledged("late", 2)
    lab.note("publish", command="mosquitto_pub -n -r: clears the retained message")
    lab.publish("", 1, "-r")
    lab.acknowledged("late", 3)
    lab.subscriber("later", clean=True)
    return expect({"late": deliveries(acknowledged=3), "later": deliveries()},
                  notes="""The first delivery carries RETAIN and has its publisher before the
                  subscription; the clearing message is delivered with an empty payload.""")


@scenario("unsubscribed", "pcap")
def unsubscribed(lab: Lab) -> dict:
    """A subscriber unsubscribes after two messages; two more are published and are not its own."""
    lab.broker()
    subscriber = lab.paho("quits", "--unsubscribe-after", "2")
    lab.publish("wanted", 2)
    lab.wait_log("Received UNSUBSCRIBE from quits")
    lab.publish("unwanted", 2)
    lab.end(subscriber)
    return expect({"quits": deliveries(acknowledged=2)},
                  notes="Nothing is owed after the UNSUBACK.")


@scenario("shared-subscription", "pcapng")
def shared_subscription(lab: Lab) -> dict:
    """MQTT 5: two members of one shared subscription split six messages; each goes to one of
    them."""
    lab.broker()
    for member in ("member1", "member2"):
        lab.subscriber(member, topic="$share/group/t/#", version="5", clean=True)
    lab.publish("m", 6, version="5")
    lab.wait_log("Received PUBACK from member", 6)
    halves = {name: lab.log_count(f"Received PUBACK from {name}")
              for name in ("member1", "member2")}
    return expect({name: deliveries(acknowledged=half) for name, half in halves.items()},
                  notes="Six deliveries, not twelve: the group is owed each message once.")


@scenario("will-after-kill")
def will_after_kill(lab: Lab) -> dict:
    """A client with a will is killed; the broker publishes the will to a watching subscriber."""
    lab.broker()
    lab.subscriber("watcher", topic="status/#", clean=True)
    doomed = lab.subscriber("doomed", clean=True, will=("status/doomed", "gone"))
    lab.publish("one")
    lab.acknowledged("doomed", 1)
    lab.kill(doomed)
    lab.acknowledged("watcher", 1)
    return expect({"watcher": deliveries(acknowledged=1), "doomed": deliveries(acknowledged=1)},
                  notes="""The will has no PUBLISH from a publisher: it was accepted with the
                  CONNECT.""")


@scenario("will-withdrawn", "pcapng")
def will_withdrawn(lab: Lab) -> dict:
    """The same client says DISCONNECT; its will must not be published."""
    lab.broker()
    lab.subscriber("watcher", topic="status/#", clean=True)
    polite = lab.subscriber("polite", clean=True, will=("status/polite", "gone"))
    lab.publish("one")
    lab.acknowledged("polite", 1)
    lab.end(polite)
    lab.wait_log("Received DISCONNECT from polite")
    return expect({"watcher": deliveries(), "polite": deliveries(acknowledged=1)})


@scenario("large-payload", port=28765)
def large_payload(lab: Lab) -> dict:
    """One message of 100 kB over some seventy segments, on a port nobody expects."""
    lab.broker_side.small_segments()
    lab.broker()
    subscriber = lab.paho("big", "--qos", "1")
    publisher = lab.paho_publisher("bp", "--size", "100000")
    lab.wait_exit(publisher)
    lab.acknowledged("big", 1)
    lab.end(subscriber)
    return expect({"big": deliveries(acknowledged=1)})


@scenario("ipv6-loopback", "pcapng")
def ipv6_loopback(lab: Lab) -> dict:
    """Everything over ::1."""
    lab.host = "::1"
    lab.broker(listener="::1")
    lab.subscriber("six", qos=2, clean=True)
    lab.publish("q1", 2, qos=1)
    lab.publish("q2", 2, qos=2)
    lab.acknowledged("six", 2, "PUBCOMP")
    return expect({"six": deliveries(acknowledged=4)})


@scenario("any-interface", link=True, interface="any")
def any_interface(lab: Lab) -> dict:
    """Recorded on the pseudo-interface "any": Linux cooked headers (SLL2) instead of Ethernet."""
    lab.broker()
    lab.subscriber("cooked", clean=True)
    lab.publish("m", 3)
    lab.acknowledged("cooked", 3)
    return expect({"cooked": deliveries(acknowledged=3)},
                  notes="The publishers are on loopback, the subscriber at the end of a link.")
