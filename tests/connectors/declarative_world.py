"""An API on a real socket that a test scripts, and a connector written in YAML that talks to it."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

from hub.formats.registry import codec
from hub.formats.tree import FormatError
from hub.runtime.declared import expression
from hub.runtime.registry import Registry
from hub.sdk.connector import Context
from hub.sdk.emulator import EmulatedRequest, EmulatedResponse, Emulator, Faults, Ledger
from hub.sdk.emulator_server import serve
from hub.sdk.errors import DataError
from hub.sdk.ports import HttpResponse
from hub.sdk.records import Batch, Cursor, Effect, Tree
from hub.transport.http import HttpPolicy, RequestsHttp
from tests.conftest import SettableClock

START = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
Answer = tuple[int, Any] | EmulatedResponse
Script = Callable[[EmulatedRequest], Answer]
MANIFEST = """
name: declared
title: A system described in a test
streams: { customers: { poll: true, fetch: true, push: true, topics: [customer.changed] } }
capabilities: { upsert_customer: { safety: lookup } }
"""
BASE = """
base_url: config.base_url
check: [{ name: it answers, request: { path: /ping } }]
streams:
  customers:
    read: { request: { path: /customers }, records: items }
    fetch: { request: { path: "/customers/{id}", parameters: { id: id } } }
effects:
  upsert_customer:
    send: { request: { method: POST, path: /customers }, external_id: id }
    lookup: { request: { path: /customers, query: { reference: key } }, records: items, external_id: id }
webhooks: { signature: { header: x-signature } }
"""


class ScriptedApi(Emulator):
    """Answers as the test says; keeps what it was asked."""

    def __init__(self, script: Script) -> None:
        clock = SettableClock(START)
        source = random.Random(1)
        super().__init__(ledger=Ledger(":memory:"), clock=clock, source=source, faults=Faults(), config={})
        self.script = script
        self.asked: list[EmulatedRequest] = []

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        self.asked.append(request)
        answer = self.script(request)
        if isinstance(answer, EmulatedResponse):
            return answer
        status, content = answer
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return EmulatedResponse(status, body, {"content-type": "application/json"})


class Wire(RequestsHttp):
    """Keeps the addresses as they went over the wire: a server shows them unescaped."""

    def __init__(self, clock: SettableClock) -> None:
        super().__init__(HttpPolicy(read_seconds=5.0), clock)
        self.addresses: list[str] = []
        self.reused: list[bool] = []

    def request(self, method: str, url: str, **options: Any) -> HttpResponse:
        self.addresses.append(url)
        self.reused.append(options.get("reuse_idle", True))
        return super().request(method, url, **options)


class Kept:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, message: str, **fields: object) -> None:
        self.lines.append(f"{message} {fields}")

    warning = info


def loads(name: str, body: bytes) -> Tree:
    try:
        return codec(name).loads(body)
    except FormatError as error:
        raise DataError(str(error)) from error


def folder_of(root: Path, connector: str, manifest: str = MANIFEST, errors: str = "") -> Path:
    """A connector's folder as its author would write it."""
    folder = root / "declared"
    folder.mkdir(exist_ok=True)
    (folder / "manifest.yaml").write_text(dedent(manifest), encoding="utf-8")
    (folder / "connector.yaml").write_text(dedent(connector), encoding="utf-8")
    if errors:
        (folder / "errors.yaml").write_text(dedent(errors), encoding="utf-8")
    return folder


def problem(root: Path) -> str:
    """What is wrong with the connector in a folder, as `hub connectors list` says it."""
    registry = Registry((root,))
    assert "declared" not in registry.manifests
    (broken,) = registry.broken
    return broken.error


@dataclass
class World:
    root: Path
    api: ScriptedApi
    url: str
    clock: SettableClock = field(default_factory=lambda: SettableClock(START))
    log: Kept = field(default_factory=Kept)
    wire: Wire = field(init=False)

    def __post_init__(self) -> None:
        self.wire = Wire(self.clock)

    def connector(
        self,
        connector: str = BASE,
        manifest: str = MANIFEST,
        errors: str = "",
        start_from: Mapping[str, dt.datetime] | None = None,
        **config: Any,
    ) -> Any:
        """An instance made as the hub makes it. Fails where the description is wrong."""
        folder_of(self.root, connector, manifest, errors)
        registry = Registry((self.root,))
        assert registry.broken == ()
        made = context(self, start_from, **config)
        return registry.implementation(registry.manifests["declared"])(made)

    def effect(self, payload: Tree, key: str = "customer/1") -> Effect:
        return Effect(payload, key, {}, self.clock.now() + dt.timedelta(seconds=30))


def context(world: World, start_from: Mapping[str, dt.datetime] | None = None, **config: Any) -> Context:
    """What a connector of that world is given."""
    return Context(
        connection="crm",
        config={"base_url": world.url, **config},
        http=world.wire,
        clock=world.clock,
        log=world.log,
        loads=lambda body: loads("json", body),
        loads_xml=lambda body: loads("xml", body),
        soap=_no_soap,
        start_from=start_from or {},
        expression=expression,
    )


@contextmanager
def opened(root: Path, script: Script) -> Iterator[World]:
    api = ScriptedApi(script)
    with serve(api) as server:
        yield World(root, api, server.url)


def everything(connector: Any, cursor: Cursor | None = None, limit: int = 100) -> tuple[list[Tree], Cursor | None]:
    """All records of one pass and where it ended."""
    records: list[Tree] = []
    for batch in connector.read("customers", cursor, limit):
        records += records_of(connector, batch)
        cursor = batch.next_cursor
    return records, cursor


def records_of(connector: Any, batch: Batch) -> list[Tree]:
    return [record.body for receipt in batch.receipts for record in connector.parse(receipt)]


def _no_soap(*_: object, **__: object) -> Any:
    raise AssertionError("this connector speaks no SOAP")
