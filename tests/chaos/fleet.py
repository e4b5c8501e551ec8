"""The hub's processes of a run, and the monkey that kills and stops them."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hub.demo.processes import HubProcess, ProcessFailed, call
from tests.chaos.hub import SABOTAGE
from tests.chaos.scenario import Monkey

READY_TIMEOUT_SECONDS = 60.0
PROBE_SECONDS = 0.05
OWN_PORTS = range(20_000, 32_000)
"""Below the ports that operating systems give to outgoing connections."""
MODULE = ("-m", "tests.chaos.hub")


class Member:
    """One process. Without the web it is ready when its log says so."""

    def __init__(self, name: str, process: HubProcess, *, web: bool) -> None:
        self.name = name
        self.process = process
        self.web = web
        self._read_from = 0

    def start(self) -> None:
        self._read_from = self.process.log.stat().st_size if self.process.log.exists() else 0
        self.process.start()

    def await_ready(self) -> float:
        """Seconds until it was ready. Raises ProcessFailed."""
        if self.web:
            return self.process.wait_ready(READY_TIMEOUT_SECONDS)
        started = time.monotonic()
        while time.monotonic() - started < READY_TIMEOUT_SECONDS:
            with self.process.log.open("rb") as log:
                log.seek(self._read_from)
                if b"ready after" in log.read():
                    return time.monotonic() - started
            if not self.process.alive:
                break
            time.sleep(0.02)
        raise ProcessFailed(f"{self.name} was not ready; its log is {self.process.log}")


def roles_of(processes: int) -> list[tuple[str, tuple[str, ...]]]:
    """One does all; else one for the web, one that also keeps the schedules, and workers."""
    if processes <= 1:
        return [("hub", ())]
    found: list[tuple[str, tuple[str, ...]]] = [("web", ("web",)), ("worker-1", ("worker", "scheduler"))]
    found += [(f"worker-{number}", ("worker",)) for number in range(2, processes)]
    return found


def own_port() -> int:
    """A free port that no outgoing connection is given: it must still be free after each kill."""
    for port in random.SystemRandom().sample(OWN_PORTS, 100):
        with socket.socket() as attempt:
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("a hundred ports were taken")


class Fleet:
    """All processes on one database; the first answers HTTP."""

    def __init__(
        self, config: Path, home: Path, environ: Mapping[str, str], *, processes: int, sabotage: str | None
    ) -> None:
        given = {**environ, "PYTHONPATH": _checkout_path()}
        if sabotage:
            given[SABOTAGE] = sabotage
        self.port = own_port()
        self.members: list[Member] = []
        for name, roles in roles_of(processes):
            own_home = home if processes <= 1 else home / name
            arguments = [word for role in roles for word in ("--only", role)]
            web = not roles or "web" in roles
            port = self.port if web else own_port()
            process = HubProcess(config, own_home, port=port, environ=given, arguments=arguments, module=MODULE)
            self.members.append(Member(name, process, web=web))

    def start(self) -> None:
        for member in self.members:
            member.start()
            member.await_ready()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        try:
            return call(self.port, "GET", "/readyz")[0] == 200
        except OSError:
            return False

    def stop(self) -> list[int]:
        return [member.process.stop() for member in reversed(self.members)]


@dataclass(slots=True)
class Blows:
    """What the monkey did."""

    kills: int = 0
    stops: int = 0
    restarts: list[float] = field(default_factory=list)


def rampage(fleet: Fleet, monkey: Monkey, blows: Blows, stop: threading.Event, source: random.Random) -> None:
    """Until `stop`: wait one to three seconds with everything ready, then hit one process, and bring it back."""
    while not stop.wait(source.uniform(monkey.calm_seconds, monkey.patience_seconds)):
        workers = [member for member in fleet.members if len(fleet.members) > 1 and member.name.startswith("worker")]
        if workers and source.random() < monkey.stops:
            _suspend(source.choice(workers), monkey.stop_seconds, stop)
            blows.stops += 1
            continue
        member = source.choice(fleet.members)
        member.process.kill()
        blows.kills += 1
        member.start()
        blows.restarts.append(member.await_ready())


def _suspend(member: Member, seconds: float, stop: threading.Event) -> None:
    """Stop a process for longer than its leases last, then let it go on with what it thinks it holds."""
    os.kill(member.process.pid, signal.SIGSTOP)
    try:
        stop.wait(seconds)
    finally:
        os.kill(member.process.pid, signal.SIGCONT)


class UpProbe:
    """Asks readiness twenty times a second; `share` is the part of the answers that were yes."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._stop = threading.Event()
        self._asked = self._ready = 0
        self._thread = threading.Thread(target=self._probe, name="up-probe", daemon=True)
        self._thread.start()

    def close(self) -> float:
        self._stop.set()
        self._thread.join(15)
        return self._ready / self._asked if self._asked else 0.0

    def _probe(self) -> None:
        while not self._stop.wait(PROBE_SECONDS):
            self._asked += 1
            self._ready += self._fleet.ready()


def _checkout_path() -> str:
    checkout = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join([checkout, *filter(None, [os.environ.get("PYTHONPATH")])])
