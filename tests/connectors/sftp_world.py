"""A trading partner with a real SFTP server, and the hub's side of it; the clock is in the test's hand."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connectors.sftp_files.connector import SftpFiles
from connectors.sftp_files.emulator import PartnerEmulator
from hub.sdk.connector import Context, FileRules
from hub.sdk.emulator import Faults, Ledger
from hub.sdk.emulator_server import Server, serve
from hub.sdk.ports import SftpPort
from hub.sdk.records import Batch, Cursor, Effect, Receipt
from hub.transport.http import HttpPolicy, RequestsHttp
from hub.transport.sftp import SftpAccess, SftpPolicy
from hub.transport.sftp import SftpFiles as SftpSession
from tests.conftest import SettableClock
from tests.connectors.declarative_world import Kept

START = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
PASSWORD = "sftp-password"
POLICY = SftpPolicy(connect=3.0, banner=5.0, login=5.0, channel=5.0, read=5.0, total=20.0)


class Partner:
    """The other side: `control` plays its people, `root` is the folder it serves."""

    def __init__(self, server: Server, emulator: PartnerEmulator, clock: SettableClock) -> None:
        self.server, self.emulator, self.clock = server, emulator, clock
        self.http = RequestsHttp(HttpPolicy(read_seconds=5.0), clock)
        told = json.loads(self.http.request("GET", f"{server.url}/_server/status").body)
        self.host, self.port, self.pin = str(told["sftp_host"]), int(told["sftp_port"]), str(told["host_key"])
        self.root = emulator.root

    def control(self, verb: str, **asked: object) -> Any:
        answer = self.http.request("POST", f"{self.server.url}/_control/{verb}", body=json.dumps(asked).encode())
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def put(self, name: str, text: str = "{}", directory: str = "/out") -> str:
        return str(self.control("put", directory=directory, name=name, text=text)["path"])

    def names(self, directory: str) -> list[str]:
        folder = self.root / directory.strip("/")
        return sorted(entry.name for entry in folder.iterdir() if entry.is_file()) if folder.is_dir() else []

    def fault(self, operation: str, kind: str, times: int = 1) -> None:
        self.control("fault", operation=operation, kind=kind, times=times)

    def entries(self, kind: str) -> list[str]:
        return [key for _, key, _, _ in self.emulator.ledger.entries(kind)]

    def config(self, **changes: object) -> dict[str, Any]:
        given = {"host": self.host, "port": self.port, "host_keys": [self.pin], "username": "hub", "password": PASSWORD}
        return {name: value for name, value in (given | changes).items() if value is not None}

    def session(self, policy: SftpPolicy = POLICY, **changes: Any) -> SftpSession:
        config = self.config(**changes)
        return SftpSession(SftpAccess(**config), self.clock, policy)


@contextmanager
def partner(folder: Path, clock: SettableClock, faults: Faults | None = None, **config: str) -> Iterator[Partner]:
    emulator = PartnerEmulator(
        ledger=Ledger(str(folder / "partner.ledger")),
        clock=clock,
        source=random.Random(7),
        faults=faults or Faults(),
        config={"password": PASSWORD, **config},
    )
    server = serve(emulator)
    try:
        yield Partner(server, emulator, clock)
    finally:
        server.close()


class Hub:
    """The connector with what the exchange would keep for it: the cursor, and what was stored."""

    def __init__(self, other: Partner, codec: str = "json", **options: Any) -> None:
        self.other, self.clock = other, other.clock
        self.cursor: Cursor | None = None
        self.stored: dict[tuple[str | None, bytes], Receipt] = {}
        effects: Mapping[str, Mapping[str, Any]] = options.pop("effects", {"push_shipment": {}})
        config = other.config(**options.pop("config", {}))
        rules: dict[str, Any] = {"directory": "/out", "stable_for_seconds": 0.0} | options
        self.through: Callable[[SftpSession], Any] = lambda session: session
        self.connector = SftpFiles(
            Context(
                connection="edi-acme",
                config=config,
                http=other.http,
                clock=other.clock,
                log=Kept(),
                loads=json.loads,
                loads_xml=json.loads,
                soap=_no_soap,
                start_from={},
                sftp=self._open,
                files={"orders": FileRules(**rules)},
                codec=codec,
                effect_options=effects,
            )
        )

    def _open(self, **access: Any) -> SftpPort:
        port: SftpPort = self.through(SftpSession(SftpAccess(**access), self.clock, POLICY))
        return port

    def batches(self) -> Iterator[Batch]:
        return self.connector.read("orders", self.cursor, 250)

    def store(self, batch: Batch) -> None:
        """As the intake does: once for each delivery and content, with the cursor."""
        for receipt in batch.receipts:
            self.stored.setdefault((receipt.delivery_id, receipt.body), receipt)
        self.cursor = batch.next_cursor

    def poll(self, *, dies_before_settling: bool = False) -> list[str]:
        """One poll; the files that it stored for the first time."""
        before = len(self.stored)
        for batch in self.batches():
            self.store(batch)
            if dies_before_settling:
                break
            self.connector.settle(batch)
        return [receipt.headers["x-file"] for receipt in list(self.stored.values())[before:]]

    def effect(self, name: str = "856-1.x12", text: str = "ISA~", attempt: int = 1) -> Effect:
        payload = {"name": name, "text": text, "charset": "ascii"}
        return Effect(payload, f"package/{name}", {}, self.clock.now() + dt.timedelta(seconds=20), attempt)


def _no_soap(*_: object, **__: object) -> Any:
    raise AssertionError("this connector speaks no SOAP")
