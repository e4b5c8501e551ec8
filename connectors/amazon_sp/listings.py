"""The quantities that the emulated marketplace shows for SKUs, by fulfilment channel code."""

from __future__ import annotations

import datetime as dt
import json

from hub.sdk.emulator import Ledger
from hub.sdk.lenient import Node

DEFAULT = "DEFAULT"


class Listings:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def submission(self) -> str:
        """A new submission's id."""
        number = int(self._ledger.recall("submissions") or "0") + 1
        self._ledger.remember("submissions", str(number))
        return f"submission-{number:06d}"

    def level(self, sku: str, channel: str = DEFAULT) -> int | None:
        """None where nobody has told one."""
        kept = self._ledger.recall(f"level|{sku}|{channel}")
        return None if kept is None else int(json.loads(kept)["quantity"])

    def show(self, sku: str, quantity: int, now: dt.datetime, channel: str = DEFAULT) -> None:
        kept = {"quantity": quantity, "before": self.level(sku, channel), "at": now.isoformat()}
        self._ledger.remember(f"level|{sku}|{channel}", json.dumps(kept))

    def levels(self) -> dict[str, int]:
        """By SKU, of the default channel."""
        every = [(name.split("|"), json.loads(data)) for name, data in self._ledger.recall_all("level|")]
        return {name[1]: int(kept["quantity"]) for name, kept in every if name[2] == DEFAULT}

    def availability(self, sku: str, seen: dt.datetime) -> list[Node]:
        """As getListingsItem shows it: what was told up to `seen`."""
        shown: list[Node] = []
        for name, data in self._ledger.recall_all(f"level|{sku}|"):
            kept = json.loads(data)
            quantity = kept["quantity"] if dt.datetime.fromisoformat(kept["at"]) <= seen else kept["before"]
            if quantity is not None:
                shown.append({"fulfillmentChannelCode": name.rpartition("|")[2], "quantity": quantity})
        return shown
