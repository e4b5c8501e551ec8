"""The demo's stage: emulated systems and the hub as processes, connected; all end with us."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hub.demo.environment import make_environment, read_environment
from hub.demo.goods import CATALOGUE, EXPECTED, LOCATIONS, items, shelves
from hub.demo.processes import EmulatorProcess, HubProcess, ProcessFailed, call
from hub.demo.story import BEHAVIOUR, BLOCKED_IN_ERP
from hub.demo.systems import ERP, SYSTEMS, WMS
from hub.runtime.control import ActionRefused, OwnerUnreachable, call_owner

Say = Callable[[str], None]

DEFAULT_PORT = 8770
PORTS_TO_TRY = 50


class PortTaken(Exception):
    """Somebody listens on the port that was asked for."""

    def __init__(self, port: int, owner: str) -> None:
        super().__init__(f"Port {port} is taken{' by ' + owner if owner else ''}.")
        self.port = port


def choose_port(wanted: int | None, say: Say) -> int:
    """The port asked for, or the first free one from DEFAULT_PORT on. Raises PortTaken."""
    if wanted is not None:
        if wanted and not _is_free(wanted):
            raise PortTaken(wanted, port_owner(wanted))
        return wanted
    for port in range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TO_TRY):
        if _is_free(port):
            if port != DEFAULT_PORT:
                owner = port_owner(DEFAULT_PORT)
                say(f"Port {DEFAULT_PORT} is taken{' by ' + owner if owner else ''}; taking {port}.")
            return port
    raise PortTaken(DEFAULT_PORT, port_owner(DEFAULT_PORT))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def port_owner(port: int) -> str:
    """Name and id of the process that listens on a loopback port, where this system lets us read it; else empty."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for row in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                columns = row.split()
                if columns[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{columns[9]}]")
    if not inodes:
        return ""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(str(entry.readlink()) in inodes for entry in (folder / "fd").iterdir()):
                return f"{(folder / 'comm').read_text(encoding='utf-8').strip()} (process {folder.name})"
    return ""


class Stage:
    """Use as a context manager; leaving it ends every process. Raises ProcessFailed where one does not start."""

    def __init__(self, home: Path, config: Path, *, seed: int, port: int) -> None:
        self.home, self.config = home, config
        self._seed = seed
        self._port = port
        self._systems: dict[str, EmulatorProcess] = {}
        self.hub: HubProcess | None = None
        self._key = ""

    @property
    def wms(self) -> EmulatorProcess:
        return self._systems[WMS]

    @property
    def erp(self) -> EmulatorProcess:
        return self._systems[ERP]

    @property
    def systems(self) -> dict[str, EmulatorProcess]:
        return dict(self._systems)

    @property
    def url(self) -> str:
        assert self.hub is not None
        return self.hub.url

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open_systems(self) -> None:
        """Start the emulated systems; their addresses and secrets go to a file that only this user may read."""
        environ = read_environment(self.home) or make_environment(self.home, {})
        for number, system in enumerate(SYSTEMS):
            name = system.connection
            path = self.home / f"{name}.log"
            ledger, seed = self.home / f"{name}.ledger", self._seed * 10 + number
            settings = system.settings(environ)
            try:
                with path.open("ab") as log:
                    self._systems[name] = EmulatorProcess(system.emulator, ledger, seed=seed, config=settings, log=log)
            except ProcessFailed as error:
                words = path.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
                raise ProcessFailed("\n".join([str(error), *words])) from error
            environ[system.address] = self._systems[name].url
            said = self._systems[name].status() if system.tells else {}
            environ |= {variable: str(said[what]) for variable, what in system.tells.items()}
        self._environ = make_environment(self.home, environ)

    def open_hub(self) -> float:
        """Start the hub and tell the systems where their webhooks go; seconds until it was ready."""
        self.hub = HubProcess(self.config, self.home, port=self._port, environ=self._environ)
        self.hub.start()
        seconds = self.hub.wait_ready()
        for name, system in self._systems.items():
            system.connect_hub(self.hub.url, name)
        return seconds

    def furnish(self, factor: int) -> int:
        """Items into the hub, goods onto shelves and their count told, articles into the shop; how many articles."""
        file = self.home / "items.json"
        file.write_text(json.dumps(items(), indent=1), encoding="utf-8")
        self.act("import.items", file=str(file))
        rows = [{"warehouse": name, "sku": sku, "quantity": str(units)} for name, sku, units in shelves(factor)]
        self.wms.control("set_stock", {"rows": rows})
        for name in LOCATIONS:
            self.wms.control("snapshot", {"warehouse": name})
        for rule in BEHAVIOUR:
            self.wms.control("behave", dict(rule))
        self.erp.control("refuse", dict(BLOCKED_IN_ERP))
        self._announce()
        return len(CATALOGUE)

    def _announce(self) -> None:
        """Tell the hub of goods that are on their way."""
        today = dt.datetime.now(dt.UTC).date()
        rows = [
            {
                "index": number,
                "row": number,
                "values": {
                    "reference": reference,
                    "sku": sku,
                    "location": location,
                    "quantity": str(units),
                    "expected_at": (today + dt.timedelta(days=days)).isoformat(),
                },
            }
            for number, (reference, sku, location, units, days) in enumerate(EXPECTED, 1)
        ]
        job = self.act("import.begin", kind="supply", subject="the demo", fingerprint="demo", total=len(rows))["job"]
        self.act("import.rows", job=job, rows=rows)
        self.act("import.finish", job=job)

    def act(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Do something as a person at the running hub. Raises ProcessFailed with its words."""
        try:
            return call_owner(self.home, action, {**arguments, "who": "cli:demo"})
        except OwnerUnreachable as error:
            raise ProcessFailed(f"the hub does not answer: {error}") from error
        except ActionRefused as error:
            raise ProcessFailed(f"the hub refused {action}: {error}") from error

    def take_by_telephone(self, channel: str, order: Mapping[str, Any]) -> None:
        """Write an order through the hub's API, as the call centre's program does. Raises ProcessFailed."""
        assert self.hub is not None
        if not self._key:
            self._key = str(self.act("keys.create", name="call-centre", scopes=["orders:write"])["token"])
        headers = {"authorization": f"Bearer {self._key}", "idempotency-key": str(order["external_id"])}
        status, answer = call(self.hub.port, "POST", f"/v1/orders?channel={channel}", order, headers)
        if status not in (200, 201):
            raise ProcessFailed(f"the hub took no order by telephone: {status} {answer}")

    def check(self) -> None:
        """Raises ProcessFailed where the hub has died."""
        if self.hub is not None and not self.hub.alive:
            raise ProcessFailed(f"the hub ended by itself; the end of {self.hub.log} says why")

    def close(self) -> None:
        """End everything; the hub first, so that it can finish what it is at."""
        if self.hub is not None:
            self.hub.stop()
        for system in self._systems.values():
            system.stop()

    def answers(self, path: str) -> bool:
        assert self.hub is not None
        try:
            return call(self.hub.port, "GET", path)[0] == 200
        except OSError:
            return False


@contextlib.contextmanager
def stage(home: Path, config: Path, *, seed: int, port: int, say: Say) -> Iterator[Stage]:
    """Everything started and furnished."""
    with Stage(home, config, seed=seed, port=port) as opened:
        opened.open_systems()
        ports = "   ".join(f"{name} :{system.port}" for name, system in opened.systems.items())
        say(f"Emulated systems   {ports}")
        seconds = opened.open_hub()
        say(f"Hub                {opened.url}   ready after {seconds:.1f} s")
        yield opened
