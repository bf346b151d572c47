"""Network namespaces, links between them and packet filters, all removed again by name."""

import os
import subprocess


def run(*command: str, quiet: bool = False) -> None:
    said = subprocess.DEVNULL if quiet else None
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=said)


class Namespace:
    """A network namespace with a loopback of its own."""

    def __init__(self, suffix: str):
        self.name = f"pb-record-{os.getpid()}{suffix}"
        run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments: str) -> None:
        run("ip", "-n", self.name, *arguments)

    def wrap(self, command: list[str]) -> list[str]:
        """The command, run inside; `ip` replaces itself, so the process id is the command's own."""
        return ["ip", "netns", "exec", self.name, *command]

    def small_segments(self) -> None:
        """Ethernet-sized packets on loopback, so that a large message spans many of them."""
        self.ip("link", "set", "lo", "mtu", "1500", "gso_max_segs", "1")

    def drop_everything(self) -> None:
        """A packet filter that swallows all packets, both ways, and tells nobody."""
        self.filter("table inet f { chain i { type filter hook input priority 0; policy drop; };"
                    " chain o { type filter hook output priority 0; policy drop; }; }")

    def filter(self, rules: str) -> None:
        subprocess.run(self.wrap(["nft", "-f", "-"]), input=rules.encode(), check=True)

    def heal(self) -> None:
        run(*self.wrap(["nft", "flush", "ruleset"]))

    def remove(self) -> None:
        run("ip", "netns", "del", self.name)


class Link:
    """A virtual cable between two namespaces: 10.77.0.1 is the broker's end, 10.77.0.2 the
    client's."""

    def __init__(self, broker: Namespace, client: Namespace):
        self.broker, self.client = broker, client
        broker.ip("link", "add", "cable0", "type", "veth", "peer", "name", "cable1",
                  "netns", client.name)
        for namespace, device, address in (
            (broker, "cable0", "10.77.0.1/24"), (client, "cable1", "10.77.0.2/24")):
            namespace.ip("address", "add", address, "dev", device)
            namespace.ip("link", "set", device, "up")

    def down(self) -> None:
        self.client.ip("link", "set", "cable1", "down")

    def up(self) -> None:
        self.client.ip("link", "set", "cable1", "up")
