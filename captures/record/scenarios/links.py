"""The network fails, not a program: packet filters and cables between two namespaces."""

from lab import Lab, deliveries, expect
from scenarios import scenario


@scenario("half-open-packet-filter", "pcapng", link=True)
def half_open_packet_filter(lab: Lab) -> dict:
    """A filter swallows all packets of the client's side; both ends believe that they are
    connected."""
    lab.broker()
    subscriber = lab.subscriber("gh", keep_alive=5)
    lab.publish("ok", 2)
    lab.acknowledged("gh", 2)
    lab.note("fault", kind="packet filter drops both directions")
    lab.client_side.drop_everything()
    lab.publish("ghost", 3)
    lab.wait_log("gh has exceeded timeout")
    lab.kill(subscriber)
    lab.note("heal")
    lab.client_side.heal()
    lab.subscriber("gh", keep_alive=5)
    lab.acknowledged("gh", 5)
    return expect({"gh": deliveries(acknowledged=5, redelivered=3)}, doubtful=True,
                  notes="""Three were sent into a half-open connection and retransmitted in other
                  segment borders; TCP did not acknowledge them. By its log the broker kept the
                  silent peer a little longer than 1.5 × 5 s, but its close was swallowed too:
                  the packets do not prove a zombie.""")


@scenario("link-down-and-up", link=True)
def link_down_and_up(lab: Lab) -> dict:
    """The cable is pulled for three seconds; TCP retransmits and the connection lives on."""
    lab.broker()
    lab.subscriber("cable")
    lab.publish("before", 2)
    lab.acknowledged("cable", 2)
    lab.note("fault", kind="link down")
    lab.cable.down()
    lab.publish("during", 3, host="10.77.0.1")
    lab.pause(3, "the link is down")
    lab.note("heal", kind="link up")
    lab.cable.up()
    lab.acknowledged("cable", 5)
    lab.publish("after")
    lab.acknowledged("cable", 6)
    return expect({"cable": deliveries(acknowledged=6)},
                  notes="""Late, not lost: the same connection, retransmitted segments, no DUP.""")


@scenario("one-way-loss", "pcap-ns", link=True)
def one_way_loss(lab: Lab) -> dict:
    """Only the client's packets are swallowed for two seconds: it reads, its PUBACKs do not
    arrive."""
    lab.broker()
    lab.subscriber("oneway")
    lab.publish("before")
    lab.acknowledged("oneway", 1)
    lab.note("fault", kind="packet filter drops client to broker")
    lab.client_side.filter("table inet f { chain o { type filter hook output priority 0;"
                           " policy drop; }; }")
    lab.publish("during", 3)
    lab.pause(2, "the broker retransmits what has long arrived")
    lab.note("heal")
    lab.client_side.heal()
    lab.acknowledged("oneway", 4)
    return expect({"oneway": deliveries(acknowledged=4)},
                  notes="Retransmissions of data that the client has already read.")


@scenario("reset-after-silence", link=True)
def reset_after_silence(lab: Lab) -> dict:
    """The client dies behind a packet filter, its RST is swallowed; healed, its host answers with
    RST."""
    lab.broker()
    subscriber = lab.subscriber("rst")
    lab.publish("ok")
    lab.acknowledged("rst", 1)
    lab.stop(subscriber)
    lab.publish("unread", 2)
    lab.note("fault", kind="packet filter drops both directions")
    lab.client_side.drop_everything()
    lab.publish("into-the-void", 2)
    lab.kill(subscriber)
    lab.pause(1, "the broker retransmits")
    lab.note("heal")
    lab.client_side.heal()
    lab.wait_log("(Client|client) rst.*(disconnect|closed|error|timeout)")
    lab.subscriber("rst")
    lab.acknowledged("rst", 5)
    return expect({"rst": deliveries(acknowledged=5, redelivered=4)},
                  notes="Two were TCP-acknowledged and never read, two never arrived.")
