"""One recording: a broker, clients, a packet capture and the list of what was done when."""

import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
from typing import Callable

from networks import Link, Namespace, run

HERE = pathlib.Path(__file__).parent
PATIENCE = 30.0  # Seconds that any awaited condition may take.


class RecordingFailed(Exception):
    """What was awaited did not happen."""


@dataclasses.dataclass
class Scenario:
    name: str
    format: str  # "pcap", "pcap-ns" (nanoseconds) or "pcapng"
    folder: str
    port: int
    link: bool
    interface: str
    filter: str  # What the recorder sees; empty: all packets of the port.
    starts_late: bool  # The scenario itself starts the recorder.
    act: Callable[["Lab"], dict]

    @property
    def file_name(self) -> str:
        return f"{self.name}.{self.format.split('-')[0]}"

    @property
    def summary(self) -> str:
        return " ".join((self.act.__doc__ or "").split())


def deliveries(*, redelivered: int = 0, qos0: int = 0, **states: int) -> dict:
    """How the deliveries of one subscriber end. QoS 0 promises nothing and is counted apart."""
    names = ["acknowledged", "pending", "lost", "ghost", "expired", "rejected", "unknown"]
    assert set(states) <= set(names), states
    counts = {name: states.get(name, 0) for name in names}
    return {"acknowledged": counts.pop("acknowledged"), "redelivered": redelivered,
            **counts, "qos0": qos0}


def expect(subscribers: dict, *findings: tuple[str, str], doubtful: bool = False,
           notes: str = "") -> dict:
    """What a person expects to be found. Doubtful: another reading of it can be defended."""
    return {
        "protocol": "mqtt", "subscribers": subscribers,
        "findings": [{"oracle": oracle, "subscriber": subscriber}
                     for oracle, subscriber in findings],
        "doubtful": doubtful, "notes": " ".join(notes.split()),
    }


class Lab:
    def __init__(self, scenario: Scenario, folder: pathlib.Path, output: pathlib.Path):
        self.scenario, self.folder, self.output = scenario, folder, output
        self.port = scenario.port
        self.events: list[dict] = []
        self.running: list[subprocess.Popen] = []
        self.namespaces = [Namespace("b")]
        self.host, self.cable = "127.0.0.1", None
        if scenario.link:
            self.namespaces.append(Namespace("c"))
            self.cable = Link(*self.namespaces)
            self.host = "10.77.0.1"
        self.broker_log = folder / "broker.log"
        self.keylog = output / f"{scenario.name}.keylog"
        self.recorder: subprocess.Popen | None = None

    @property
    def broker_side(self) -> Namespace:
        return self.namespaces[0]

    @property
    def client_side(self) -> Namespace:
        return self.namespaces[-1]

    # What was done, and when.

    def note(self, what: str, **details: object) -> None:
        self.events.append({"time": round(time.time(), 6), "what": what, **details})

    def _shown(self, command: list[str]) -> str:
        words = (str(word).replace(str(self.folder), "DIR").replace(str(HERE) + "/", "")
                 .replace(str(self.output), "OUTPUT").replace(sys.executable, "python3")
                 for word in command)
        return " ".join(word if len(word) < 200 else f"{word[:20]}…" for word in words)

    # Processes.

    def spawn(self, command: list[str], namespace: Namespace, tag: str) -> subprocess.Popen:
        said = self.folder / f"{tag}.{len(self.running)}.log"
        with open(said, "wb") as log:
            process = subprocess.Popen(
                namespace.wrap(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.running.append(process)
        self.note("start", tag=tag, command=self._shown(command))
        process.tag, process.said = tag, said
        return process

    def signal(self, process: subprocess.Popen, number: signal.Signals, wait: bool = True) -> None:
        self.note("signal", tag=process.tag, signal=number.name)
        process.send_signal(number)
        if wait and number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            process.wait(PATIENCE)

    def kill(self, process: subprocess.Popen) -> None:
        self.signal(process, signal.SIGKILL)

    def stop(self, process: subprocess.Popen) -> None:
        self.signal(process, signal.SIGSTOP)

    def resume(self, process: subprocess.Popen) -> None:
        self.signal(process, signal.SIGCONT)

    def end(self, process: subprocess.Popen) -> None:
        """A proper end: mosquitto_sub and the paho client both send DISCONNECT on SIGTERM."""
        self.signal(process, signal.SIGTERM)

    def wait_exit(self, process: subprocess.Popen) -> None:
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise RecordingFailed(f"{process.tag} does not end")
        self.note("exit", tag=process.tag, code=process.returncode)

    def wait_said(self, process: subprocess.Popen, text: str) -> None:
        self.wait(lambda: text in process.said.read_text(), f"{process.tag} to say {text!r}")

    def destroy_sockets(self, process: subprocess.Popen) -> None:
        """Takes a process's TCP connections away from it: its kernel sends RST."""
        listed = subprocess.run(
            self.broker_side.wrap(["ss", "-Htnp"]), capture_output=True, text=True, check=True)
        for line in listed.stdout.splitlines():
            if f"pid={process.pid}," in line and line.split()[4].endswith(f":{self.port}"):
                port = line.split()[3].rsplit(":", 1)[1]
                run(*self.broker_side.wrap(["ss", "-tK", "sport", "=", f":{port}"]), quiet=True)
        self.note("fault", kind="sockets destroyed: RST", tag=process.tag)

    # The broker.

    def broker(self, *settings: str, persistence: bool = False,
               listener: str = "") -> subprocess.Popen:
        configuration = self.folder / "mosquitto.conf"
        lines = [
            "user root", "allow_anonymous true", "log_dest stderr", "log_type all",
            f"listener {self.port} {listener or ('10.77.0.1' if self.cable else '')}".strip(),
            f"persistence {'true' if persistence else 'false'}",
            f"persistence_location {self.folder}/", *settings]
        configuration.write_text("\n".join(lines) + "\n")
        before = self.log_count(r"mosquitto version .* running")
        with open(self.broker_log, "ab") as log:
            process = subprocess.Popen(
                self.broker_side.wrap(["mosquitto", "-c", str(configuration)]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        process.tag = "broker"
        self.running.append(process)
        self.note("start", tag="broker", command="mosquitto -c DIR/mosquitto.conf",
                  settings=[line.replace(str(self.folder), "DIR") for line in lines])
        self.wait_log(r"mosquitto version .* running", before + 1)
        return process

    def log_count(self, pattern: str) -> int:
        text = self.broker_log.read_text(errors="replace") if self.broker_log.exists() else ""
        return len(re.findall(pattern, text))

    def wait_log(self, pattern: str, count: int = 1) -> None:
        """Waits until the broker's log, from its start on, holds the pattern so many times."""
        self.wait(lambda: self.log_count(pattern) >= count,
                  f"{count}× {pattern} in the broker's log")

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        limit = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > limit:
                raise RecordingFailed(f"waited {PATIENCE:.0f} s for {what}")
            time.sleep(0.02)

    def pause(self, seconds: float, why: str) -> None:
        """Only where time itself is the subject: a keep-alive, an expiry, a retransmission."""
        self.note("pause", seconds=seconds, why=why)
        time.sleep(seconds)

    # Clients.

    def subscriber(self, identifier: str, *more: str, topic: str = "t/#", qos: int = 1,
                   version: str = "311", keep_alive: int = 60, clean: bool = False,
                   will: tuple[str, str] | None = None) -> subprocess.Popen:
        """A mosquitto_sub; returns when the broker has answered its SUBSCRIBE."""
        command = ["mosquitto_sub", "-h", self.host, "-p", str(self.port), "-i", identifier,
                   "-q", str(qos), "-V", version, "-t", topic, "-k", str(keep_alive), "-v"]
        command += [] if clean else ["-c"]
        if will:
            command += ["--will-topic", will[0], "--will-payload", will[1], "--will-qos", "1"]
        return self._subscribed(command + list(more), identifier)

    def paho(self, identifier: str, *more: str, wait: bool = True) -> subprocess.Popen:
        """A paho-mqtt subscriber (paho_client.py); returns when its SUBSCRIBE was answered."""
        command = self._paho_command("subscribe", identifier, *more)
        if not wait:
            return self.spawn(command, self.client_side, identifier)
        return self._subscribed(command, identifier)

    def paho_publisher(self, identifier: str, *more: str) -> subprocess.Popen:
        return self.spawn(
            self._paho_command("publish", identifier, *more), self.broker_side, identifier)

    def _paho_command(self, role: str, identifier: str, *more: str) -> list[str]:
        return [sys.executable, str(HERE / "paho_client.py"), role, "--host", self.host,
                "--port", str(self.port), "--id", identifier, *more]

    def _subscribed(self, command: list[str], identifier: str) -> subprocess.Popen:
        pattern = rf"Sending SUBACK to {re.escape(identifier)}\b"
        before = self.log_count(pattern)
        process = self.spawn(command, self.client_side, identifier)
        self.wait_log(pattern, before + 1)
        return process

    def publish(self, stem: str, count: int = 1, *more: str, topic: str = "t/x", qos: int = 1,
                version: str = "311", host: str = "") -> None:
        """`count` mosquitto_pub, one after the other: stem-0, stem-1… (a single one: just stem)."""
        for number in range(count):
            payload = stem if count == 1 else f"{stem}-{number}"
            command = ["mosquitto_pub", "-h", host or self.host, "-p", str(self.port),
                       "-q", str(qos), "-V", version, "-t", topic, "-m", payload, *more]
            self.note("publish", command=self._shown(command))
            done = subprocess.run(
                self.broker_side.wrap(command), stdin=subprocess.DEVNULL, timeout=PATIENCE,
                capture_output=True, text=True)
            if done.returncode != 0:
                self.note("publish refused", code=done.returncode, said=done.stderr.strip())

    def acknowledged(self, identifier: str, count: int, packet: str = "PUBACK") -> None:
        """Waits until the broker has got so many acknowledgements from a subscriber, in all."""
        self.wait_log(rf"Received {packet} from {re.escape(identifier)}\b", count)

    def sent(self, identifier: str, count: int) -> None:
        """Waits until the broker has sent so many PUBLISH to a subscriber, in all."""
        self.wait_log(rf"Sending PUBLISH to {re.escape(identifier)}\b", count)

    # The recorder.

    def start_recording(self) -> None:
        target = self.output / self.scenario.file_name
        filter = self.scenario.filter or f"tcp port {self.port}"
        interface = self.scenario.interface or ("cable0" if self.cable else "lo")
        if self.scenario.format == "pcapng":
            command = ["dumpcap", "-q", "-i", interface, "-f", filter, "-w", str(target)]
            ready = "File: "
        else:
            command = ["tcpdump", "-i", interface, "-U", "--immediate-mode", "-s", "65535",
                       "-B", "65536", "-Z", "root", "-w", str(target), filter]
            command += ["--time-stamp-precision=nano"] if self.scenario.format == "pcap-ns" else []
            ready = "listening on"
        target.unlink(missing_ok=True)
        log = self.folder / "recorder.log"
        with open(log, "wb") as stream:
            self.recorder = subprocess.Popen(
                self.broker_side.wrap(command), stdin=subprocess.DEVNULL, stdout=stream,
                stderr=stream)
        self.note("record", command=self._shown(command))
        self.wait(lambda: ready in log.read_text(), "the recorder")

    def stop_recording(self) -> None:
        """Lets the last packets reach the file: it must not grow for a while, then SIGINT
        flushes."""
        target, size = self.output / self.scenario.file_name, -1
        while (now := target.stat().st_size) != size:
            size = now
            time.sleep(0.6)
        self.note("end")
        self.recorder.send_signal(signal.SIGINT)
        self.recorder.wait(PATIENCE)
        target.chmod(0o644)

    def close(self) -> None:
        for process in [*self.running, self.recorder]:
            if process and process.poll() is None:
                process.kill()
                process.wait()
        for namespace in reversed(self.namespaces):
            namespace.remove()


def programs() -> dict:
    """The versions of everything that took part."""
    import paho.mqtt

    def first_line(*command: str) -> str:
        said = subprocess.run(command, capture_output=True, text=True)
        return (said.stdout + said.stderr).split("\n")[0].strip()

    return {
        "mosquitto": first_line("mosquitto", "-h"), "tcpdump": first_line("tcpdump", "--version"),
        "dumpcap": first_line("dumpcap", "--version"), "nft": first_line("nft", "--version"),
        "paho-mqtt": paho.mqtt.__version__, "kernel": os.uname().release,
        "python": sys.version.split()[0],
    }


def record(scenario: Scenario, output: pathlib.Path) -> dict:
    """Runs one scenario; writes its capture and its truth. Returns the truth."""
    output = output.resolve() / scenario.folder
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pb-record-") as folder:
        lab = Lab(scenario, pathlib.Path(folder), output)
        try:
            if not scenario.starts_late:
                lab.start_recording()
            expected = scenario.act(lab)
            lab.stop_recording()
        except RecordingFailed as failure:
            kept = output / f"{scenario.name}.failed"
            kept.write_bytes(lab.broker_log.read_bytes() if lab.broker_log.exists() else b"")
            raise RecordingFailed(f"{failure} (the broker's log: {kept})")
        finally:
            lab.close()
    truth = {
        "name": scenario.name, "file": scenario.file_name,
        "summary": scenario.summary,
        "port": scenario.port, "programs": programs(), "events": lab.events,
        "expected": expected,
    }
    text = json.dumps(truth, indent=1, ensure_ascii=False)
    (output / f"{scenario.name}.truth.json").write_text(text + "\n")
    return truth
