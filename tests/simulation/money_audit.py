"""Holds the hub's books of money against those of the payment provider and of the ERP, as `audit` does for goods."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from connectors.payment_rest.emulator import PaymentEmulator
from hub.runtime.simulation import Simulation
from hub.sdk.emulator import Ledger
from tests.simulation.audit import MILLION, ZERO

ONCE = ("capture", "refund", "void")
GOODS_ONLY = (
    "cancel_too_late",
    "conflicting_edit",
    "not_collected",
    "pickup_turned_down",
    "resource_limit",
    "return_unexpected",
    "return_unsettled",
)
"""What people are told of that excuses no amount."""
Row = tuple[Any, ...]


def money_audit(simulation: Simulation) -> list[str]:
    """Everything that differs; empty for a healthy hub."""
    return list(_Money(simulation).differences())


class _Money:
    def __init__(self, simulation: Simulation) -> None:
        self._database = simulation.database.connection
        emulators = {peer.connection: peer.emulator for peer in simulation.peers}
        provider = emulators["payment"]
        assert isinstance(provider, PaymentEmulator)
        self._provider, self._erp = provider.ledger, emulators["erp"].ledger
        self._told = {
            row[0]
            for row in self._select(
                "SELECT s.order_id FROM exception_subjects s JOIN exceptions e ON e.id = s.exception_id"
                f" WHERE e.state = 'open' AND s.cleared_at IS NULL AND e.kind NOT IN {GOODS_ONLY}"
            )
        }
        self._notes = self._erp.entries("credit_note")
        self._taken, self._back = _sums(self._provider, "capture"), _sums(self._provider, "refund")

    def _select(self, sql: str) -> list[Row]:
        return list(self._database.execute(sql).fetchall())

    def differences(self) -> Iterator[str]:
        yield from self._doubled()
        yield from self._payments()
        yield from self._kept()
        yield from self._credited()

    def _doubled(self) -> Iterator[str]:
        for kind in ONCE:
            for key, many in Counter(key for _, key, _, _ in self._provider.entries(kind)).items():
                if key and many > 1:  # what people over there do has no key
                    yield f"the provider has {many} entries {kind} of {key}"

    def _payments(self) -> Iterator[str]:
        """Payment by payment: what was taken and given back there is what the hub counts."""
        rows = self._select(
            "SELECT external_id, order_id, captured, refunded + over_refunded, capturing + refunding FROM payments"
            " WHERE managed_by = 'hub' AND external_id IS NOT NULL"
        )
        known = {str(row[0]) for row in rows}
        for external_id, order_id, captured, refunded, under_way in rows:
            theirs = self._taken[external_id], self._back[external_id]
            ours = Decimal(captured) / MILLION, Decimal(refunded) / MILLION
            if theirs != ours:
                words = "of {} of order {} {} were captured and {} refunded, the hub counts {} and {}"
                yield words.format(external_id, order_id, *theirs, *ours)
            if under_way and order_id not in self._told:
                yield f"of {external_id} something is asked for and not answered, and nobody is told of {order_id}"
        for payment in (set(self._taken) | set(self._back)) - known:
            yield f"money moved on {payment}, which the hub does not know"

    def _kept(self) -> Iterator[str]:
        """What the provider keeps of an order, and of those that were made out of it, is what their invoices come to,
        less what was given back of it, in money or in other goods."""
        family: dict[str, str] = {}
        unfinished: set[str] = set()
        for order_id, external_id, status in self._select("SELECT id, external_id, status FROM orders"):
            family[order_id] = external_id.partition("/")[0]
            if order_id in self._told or status not in ("closed", "cancelled"):
                unfinished.add(family[order_id])
        kept: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for external_id, order_id in self._select("SELECT external_id, order_id FROM payments"):
            kept[family[order_id]] += self._taken[external_id] - self._back[external_id]
        invoiced: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for _, _, order_id, data in self._erp.entries("invoice"):
            invoiced[family[order_id]] += Decimal(json.loads(data)["amount"])
        back: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for order_id, amount in self._select(
            # What was taken for nothing was never invoiced; what an exchange costs less is part of its worth.
            "SELECT order_id, amount FROM refunds WHERE state = 'succeeded' AND purpose <> 'overpaid'"
            " AND key NOT LIKE 'exchange/%'"
            " UNION ALL SELECT order_id, amount FROM return_settlements WHERE kind = 'exchange'"
        ):
            back[family[order_id]] += Decimal(amount) / MILLION
        for root in sorted(set(family.values()) - unfinished):
            if kept[root] != invoiced[root] - back[root]:
                yield (
                    f"of order {root} and what was made out of it the provider keeps {kept[root]};"
                    f" {invoiced[root]} were invoiced and {back[root]} given back"
                )

    def _credited(self) -> Iterator[str]:
        """What the hub owes its customers by its journal is what the ERP was told, to the cent; whatever came back and
        was worth something has its credit note."""
        refused = {
            row[0]
            for row in self._select(
                "SELECT order_id FROM deliveries WHERE capability = 'post_credit_note' AND state <> 'acknowledged'"
            )
            if row[0] in self._told
        }
        notes = {key.rpartition("return/")[2]: Decimal(json.loads(data)["amount"]) for _, key, _, data in self._notes}
        for settlement, order_id, amount in self._select("SELECT id, order_id, amount FROM return_settlements"):
            worth, told = Decimal(amount) / MILLION, notes.get(settlement, ZERO)
            if worth != told and order_id not in refused:
                yield f"{worth} were given for a return of order {order_id}, the ERP's credit note says {told}"
        theirs = _sums(self._erp, "credit_note")
        ours: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for order_id, amount in self._select("SELECT order_id, amount FROM money_moves WHERE kind = 'credited'"):
            ours[order_id] += Decimal(amount) / MILLION
        for order_id in sorted(theirs.keys() | ours.keys()):
            if theirs[order_id] != ours[order_id] and order_id not in refused:
                yield f"order {order_id}: {ours[order_id]} are credited here, {theirs[order_id]} in the ERP"


def _sums(ledger: Ledger, kind: str) -> dict[str, Decimal]:
    """By subject."""
    found: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for _, _, subject, data in ledger.entries(kind):
        found[subject] += Decimal(json.loads(data)["amount"])
    return found
