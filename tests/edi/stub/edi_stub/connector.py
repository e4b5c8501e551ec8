"""Writes frozen documents as files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from hub.sdk.connector import Context
from hub.sdk.records import Batch, CheckReport, Cursor, Effect, ExternalVersion, Missing, Reply, Window


class Folder:
    def __init__(self, context: Context) -> None:
        self._folder = Path(str(context.config["folder"]))

    def check(self) -> CheckReport:
        return CheckReport(())

    def read(self, stream: str, cursor: Cursor | None, limit: int) -> Iterator[Batch]:
        del stream, cursor, limit
        return iter(())

    def settle(self, batch: Batch) -> None:
        del batch

    def fetch(self, stream: str, external_id: str) -> Missing:
        del stream
        return Missing(external_id)

    def list_ids(self, stream: str, window: Window) -> Iterator[ExternalVersion]:
        del stream, window
        return iter(())

    def acknowledge(self, effect: Effect) -> Reply:
        return self._write(effect)

    def push_shipment(self, effect: Effect) -> Reply:
        return self._write(effect)

    def order_response(self, effect: Effect) -> Reply:
        return self._write(effect)

    def change_response(self, effect: Effect) -> Reply:
        return self._write(effect)

    def push_invoice(self, effect: Effect) -> Reply:
        return self._write(effect)

    def _write(self, effect: Effect) -> Reply:
        payload = cast("dict[str, Any]", effect.payload)
        path = self._folder / payload["name"]
        path.write_bytes(payload["text"].encode(payload["charset"]))
        body = json.dumps({"file": path.name}).encode()
        return Reply(body, "application/json", 200, path.name)
