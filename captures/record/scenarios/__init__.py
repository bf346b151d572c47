"""All scenarios, by name, in the order in which their files are listed here."""

import importlib
from typing import Callable

from lab import Lab, Scenario

GROUPS = ["delivering", "sessions", "mqtt5", "ghosts", "links", "interrupted", "publishers",
          "partial", "encrypted", "websocket"]
_registered: dict[str, Scenario] = {}


def scenario(name: str, format: str = "pcap", *, folder: str = "mqtt", port: int = 1883,
             link: bool = False, interface: str = "", filter: str = "",
             starts_late: bool = False) -> Callable:
    """Registers a function that acts in a lab and returns what a person expects to be found."""
    def register(act: Callable[[Lab], dict]) -> Callable[[Lab], dict]:
        assert name not in _registered, name
        _registered[name] = Scenario(name, format, folder, port, link, interface,
                                     filter, starts_late, act)
        return act
    return register


def all_scenarios() -> dict[str, Scenario]:
    for group in GROUPS:
        importlib.import_module(f"scenarios.{group}")
    return _registered
