"""A trading partner with an SFTP server: it drops purchase orders, takes what we put, and answers our notices.

The folder has /out (the partner's files for us), /in (ours for the partner) and whatever is made in them. Over HTTP it
is controlled only; its status tells `sftp_host`, `sftp_port` and `host_key`.

Configuration: `folder` (default: beside the ledger), `sftp_port` (0 = a free one), `username`, `password`,
`public_key`, `partner_qualifier`, `partner_id`, `hub_qualifier`, `hub_id`, `hub_group`, `usage`, `buyer`, `currency`,
`acknowledge` ("off": our documents get no 997), `order_prefix`.

Controls: `place` {po?, lines: [{sku, quantity, price, unit?, title?}], ship_to?, currency?, name?} drops an 850 and
answers {id, name, total_price}; `change` {po, lines?: [{line, code, quantity?, unit?, price?, sku?}], sequence?} drops
an 860, without lines one that cancels all; `inbox` lists what the hub has put; `files` {directory} and `read` {path};
`put` {directory, name, text, age_seconds?} drops any file; `orders`; `fault` {operation, kind, times?} plans faults of
the next calls of an operation (login, list, read, write, rename, remove); `drop` ends all sessions; `allow`
{path, mode} changes a file's mode.

Faults beside the common ones: refuse_login, permission_denied, partial_file (half of it, then the line is cut),
drop_before. A late_commit is a cut line without the work.

Ledger: order_placed (PO), order_changed (PO/change), acknowledgement (group), shipment_notice (PO/package),
order_answer (PO), change_answer (PO/change), invoice (PO/number), acknowledged (group), file_written,
file_taken, repeated_interchange, unreadable.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import posixpath
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from decimal import InvalidOperation
from pathlib import Path
from typing import Any

import paramiko

from connectors.sftp_files import paper
from connectors.sftp_files.server import FolderServer
from hub.sdk.emulator import EmulatedRequest, EmulatedResponse, Emulator

OUT, IN = "/out", "/in"
TEMPORARY = (".tmp", ".part")
SHIP_TO = {
    "name": "Riverside DC",
    "line": "1 Dock Road",
    "city": "Riverside",
    "region": "CA",
    "postal_code": "92501",
    "country": "US",
}


_DOCUMENTS: Mapping[str, tuple[str, str]] = {
    "997": ("acknowledgement", "{answers}"),
    "856": ("shipment_notice", "{po}/{package}"),
    "855": ("order_answer", "{po}"),
    "865": ("change_answer", "{po}/{change}"),
    "810": ("invoice", "{po}/{invoice}"),
}
"""What is taken of the hub, by its set: how the ledger calls it, and its key there."""


class PartnerEmulator(Emulator):
    """Served by hub.sdk.emulator_server; the SFTP side runs from `open` to `close`."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._lock = threading.RLock()
        self._planned: dict[str, deque[str]] = {}
        self.root = self._folder()
        for name in (OUT, IN):
            (self.root / name.strip("/")).mkdir(parents=True, exist_ok=True)
        self._server: FolderServer | None = None
        self._names = paper.Names(
            self.config.get("partner_qualifier", "01"),
            self.config.get("partner_id", "049351117"),
            self.config.get("hub_qualifier", "ZZ"),
            self.config.get("hub_id", "ACME"),
            self.config.get("hub_group", "ACME"),
            self.config.get("usage", "P"),
        )

    def open(self) -> None:
        self._server = FolderServer(
            self.root,
            self._host_key(),
            username=self.config.get("username", "hub"),
            password=self.config.get("password", "sftp-password"),
            public_key=self.config.get("public_key", ""),
            port=int(self.config.get("sftp_port", "0")),
            fault=self._fault_of,
            seen=self._seen,
            delay_seconds=lambda: self.random.random() * self.faults.delay_seconds,
        )
        self._server.start()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def details(self) -> Mapping[str, object]:
        if self._server is None:
            return {}
        return {"sftp_host": "127.0.0.1", "sftp_port": self._server.port, "host_key": self._server.pin}

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        verb = request.path.removeprefix("/_control/")
        control = self._controls().get(verb)
        if request.method != "POST" or control is None or verb == request.path:
            return _answer(404, {"error": f"there are {', '.join(sorted(self._controls()))}"})
        try:
            asked = json.loads(request.body) if request.body else {}
            with self._lock:
                return _answer(200, control(asked))
        except (ValueError, KeyError, TypeError, AttributeError, OSError, InvalidOperation) as error:
            return _answer(400, {"error": f"{type(error).__name__}: {error}"})

    def _controls(self) -> dict[str, Callable[[Mapping[str, Any]], object]]:
        return {
            "address": lambda _: dict(self.details()),
            "place": self._place,
            "change": self._change,
            "inbox": lambda _: {"files": self._inbox()},
            "orders": lambda _: {"orders": [json.loads(data) for *_, data in self.ledger.entries("order_placed")]},
            "files": lambda asked: {"files": self._listed(str(asked["directory"]))},
            "read": lambda asked: {"text": self._real(str(asked["path"])).read_bytes().decode("latin-1")},
            "put": self._put,
            "fault": self._plan,
            "drop": self._drop,
            "allow": self._allow,
        }

    # What people at the partner do.

    def _place(self, asked: Mapping[str, Any]) -> object:
        control = self._next_control()
        po = str(asked.get("po") or f"{self.config.get('order_prefix', 'PO')}-{control:06d}")
        lines = [{name: str(value) for name, value in line.items()} for line in asked["lines"]]
        order = {
            "po": po,
            "currency": str(asked.get("currency") or self.config.get("currency", "USD")),
            "buyer": self.config.get("buyer", "Big Box Stores"),
            "ship_to": {**SHIP_TO, **(asked.get("ship_to") or {})},
        }
        now = self.clock.now()
        text = paper.interchange(self._names, "PO", paper.purchase_order(order, lines, now), control, now)
        name = str(asked.get("name") or f"{po}-{control:09d}.850")
        total = str(paper.total_of(lines))
        self._write(posixpath.join(OUT, name), text.encode("ascii"))
        told = {"id": po, "name": name, "total_price": total, "currency": order["currency"], "control": control}
        self.ledger.add(now, "order_placed", po, name, json.dumps({**told, "lines": lines}))
        return told

    def _change(self, asked: Mapping[str, Any]) -> object:
        control, po = self._next_control(), str(asked["po"])
        lines = [{name: str(value) for name, value in line.items()} for line in asked.get("lines", ())]
        sequence, now = str(asked.get("sequence") or control), self.clock.now()
        body = paper.purchase_order_change(po, lines, sequence, now)
        name = str(asked.get("name") or f"{po}-{control:09d}.860")
        self._write(posixpath.join(OUT, name), paper.interchange(self._names, "PC", body, control, now).encode("ascii"))
        told = {"id": po, "change": sequence, "name": name, "control": control}
        self.ledger.add(now, "order_changed", f"{po}/{sequence}", name, json.dumps({**told, "lines": lines}))
        return told

    def _inbox(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        for name in self._listed(IN):
            body = (self.root / IN.strip("/") / name).read_bytes()
            received = paper.read(body.decode("latin-1"))
            sets = paper.told(received) if received is not None else [{"set": None}]
            found.extend({"name": name, "bytes": len(body), **one} for one in sets)
        return found

    def _put(self, asked: Mapping[str, Any]) -> object:
        path = posixpath.join(str(asked.get("directory", OUT)), str(asked["name"]))
        self._real(path).parent.mkdir(parents=True, exist_ok=True)
        self._write(path, str(asked["text"]).encode("latin-1"))
        if age := float(asked.get("age_seconds", 0)):
            os.utime(self._real(path), (time.time() - age, time.time() - age))
        return {"path": path}

    def _plan(self, asked: Mapping[str, Any]) -> object:
        planned = self._planned.setdefault(str(asked["operation"]), deque())
        planned.extend([str(asked["kind"])] * int(asked.get("times", 1)))
        return {"planned": len(planned)}

    def _drop(self, asked: Mapping[str, Any]) -> object:
        del asked
        if self._server is not None:
            self._server.drop_all()
        return {}

    def _allow(self, asked: Mapping[str, Any]) -> object:
        self._real(str(asked["path"])).chmod(int(str(asked["mode"]), 8))
        return {}

    # What its machines do.

    def _fault_of(self, operation: str, path: str) -> str | None:
        with self._lock:
            if operation == "write" and posixpath.dirname(path) != IN:
                return None
            planned = self._planned.get(operation)
            if planned:
                kind = planned.popleft()
                self.ledger.count_fault(kind)
                return kind
            return self.fault()

    def _seen(self, what: str, path: str, to: str) -> None:
        """A file was written, renamed, read or removed by the hub."""
        with self._lock:
            now = self.clock.now()
            if what == "written":
                self.ledger.add(now, "file_written", path, "", "{}")
            elif what == "renamed" and posixpath.dirname(to) == IN:
                self._arrived(to)
            elif what in ("renamed", "removed") and posixpath.dirname(path) == OUT:
                self.ledger.add(now, "file_taken", posixpath.basename(path), to, "{}")
            elif what == "read":
                self.ledger.add(now, "file_read", path, "", "{}")

    def _arrived(self, path: str) -> None:
        """A whole file of the hub: note what it says, and answer a document with a 997."""
        now, body = self.clock.now(), self._real(path).read_bytes()
        name = posixpath.basename(path)
        received = paper.read(body.decode("latin-1"))
        if received is None:
            kind = "document" if not name.endswith(".x12") else "unreadable"
            self.ledger.add(now, kind, name, hashlib.sha256(body).hexdigest(), "{}")
            return
        if self.ledger.recall(f"interchange|{received.control}") is not None:
            self.ledger.add(now, "repeated_interchange", received.control, name, "{}")
            return
        self.ledger.remember(f"interchange|{received.control}", name)
        answered = False
        for one in paper.told(received):
            data = json.dumps({"name": name, **one})
            kind, key = _DOCUMENTS.get(str(one["set"]), ("document", "{set}/{control}"))
            answered = answered or kind not in ("acknowledgement", "document")
            self.ledger.add(now, kind, key.format(**one), name, data)
        if answered and self.config.get("acknowledge", "on") != "off":
            control = self._next_control()
            text = paper.interchange(self._names, "FA", paper.acknowledgement(received), control, now)
            answer = f"ack-{control:09d}.997"
            self._write(posixpath.join(OUT, answer), text.encode("ascii"))
            self.ledger.add(now, "acknowledged", f"{received.functional_id}/{received.group}", answer, "{}")

    def _next_control(self) -> int:
        control = int(self.ledger.recall("control") or "0") + 1
        self.ledger.remember("control", str(control))
        return control

    def _folder(self) -> Path:
        given = self.config.get("folder")
        if given:
            return Path(given).resolve()
        if self.ledger.path == ":memory:":
            return Path(tempfile.mkdtemp(prefix="hub-partner-")).resolve()
        return Path(f"{self.ledger.path}.files").resolve()

    def _real(self, path: str) -> Path:
        return self.root / posixpath.normpath("/" + path).lstrip("/")

    def _listed(self, directory: str) -> list[str]:
        folder = self._real(directory)
        return sorted(
            entry.name for entry in folder.iterdir() if entry.is_file() and not entry.name.endswith(TEMPORARY)
        )

    def _write(self, path: str, body: bytes) -> None:
        """As careful partners do: nobody sees half of it."""
        real = self._real(path)
        temporary = real.with_name(f"{real.name}.tmp")
        temporary.write_bytes(body)
        temporary.replace(real)

    def _host_key(self) -> paramiko.PKey:
        """The same key after a restart: it lies in the ledger."""
        text = self.ledger.recall("host_key")
        if text is None:
            made = io.StringIO()
            paramiko.ECDSAKey.generate().write_private_key(made)
            text = made.getvalue()
            self.ledger.remember("host_key", text)
        return paramiko.ECDSAKey.from_private_key(io.StringIO(text))


def _answer(status: int, tree: object) -> EmulatedResponse:
    return EmulatedResponse(status, json.dumps(tree).encode(), {"content-type": "application/json"})
