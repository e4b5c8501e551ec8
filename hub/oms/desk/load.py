"""One order on the desk: the aggregate read from a snapshot, and everything decided about it so far.

Parts that a decision does not touch are not read: work, reservations and contacts are fetched on first use.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from hub.domain.decision import Decision, ExceptionClear, ExceptionRequest, TaskRequest
from hub.domain.fulfilment import FulfilmentOrder, Method
from hub.domain.ids import derived_id, numbered_id
from hub.domain.masking import masked, private_texts
from hub.domain.order import Effects, Hold, Order, OrderLine
from hub.domain.package import CarriedPackage, CarrierLabel
from hub.domain.payment import Capture, Payment, Refund
from hub.domain.reservation import Reservation, ReservationState
from hub.domain.returns import Return
from hub.domain.snapshot import BatchSnapshot, Snapshot
from hub.domain.supply import Claim, SupplyChange
from hub.domain.transit import Transit
from hub.domain.writeset import StockChange
from hub.oms.desk import money_rows, package_rows, return_rows, rows, supply_rows
from hub.oms.desk.rows import Row
from hub.oms.ports import Channel, LocationRule, Rules

T = TypeVar("T")
_LIVE = {"state": (ReservationState.SOFT.value, ReservationState.FIRM.value, ReservationState.UNASSIGNED.value)}


@dataclass(slots=True)
class Case:
    """`cause` is the message, task or action that is being applied; ids of new rows derive from it.

    `loaded` keeps the rows as they were read, by table and id, so that saving writes the difference only.
    """

    order: Order
    rules: Rules
    snapshot: Snapshot
    now: dt.datetime
    cause: str
    new: bool = False
    decision: Decision = field(default_factory=Decision)
    stock: list[StockChange] = field(default_factory=list)
    journal: list[Row] = field(default_factory=list)
    loaded: dict[str, dict[str, Row]] = field(default_factory=dict)
    _work: list[FulfilmentOrder] | None = None
    _reservations: list[Reservation] | None = None
    _contacts: dict[str, dict[str, Any]] | None = None
    _packages: list[CarriedPackage] | None = None
    _transits: list[Transit] | None = None
    _labels: list[CarrierLabel] | None = None
    _payments: list[Payment] | None = None
    _captures: list[Capture] | None = None
    _refunds: list[Refund] | None = None
    _returns: list[Return] | None = None
    _items: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    counter: int = 0
    cancel_reason: str = ""
    """Why what this decision cancels is cancelled, for those who are told."""
    linked: list[Case] = field(default_factory=list)
    """Orders made in the same decision (hub.oms.intake.linked); they are saved with this one."""
    _claims: list[Claim] | None = None
    supply: list[SupplyChange] = field(default_factory=list)
    settled_moves: dict[str, int] = field(default_factory=dict)
    """Line -> how many moves of its ledger its claims on supply have followed already."""
    due_to_others: dict[str, Decimal] = field(default_factory=dict)
    """SKU -> what is free but due to orders before this one in its queue (desk.waiting); none where nothing is."""
    part: str = ""
    """Tells the ids of one cause's several orders apart; empty for the first."""

    @property
    def channel(self) -> Channel | None:
        """The channel's configuration; None for an order whose connection was removed."""
        return self.rules.channels.get(self.order.channel)

    @property
    def acts(self) -> bool:
        """Whether anything may be done for the order (it was not captured without effects)."""
        return self.order.effects != Effects.NONE and self.order.known

    @property
    def work(self) -> list[FulfilmentOrder]:
        """All fulfilment orders, oldest first. Work exists only after confirmation."""
        if self._work is None:
            found: list[FulfilmentOrder] = []
            if not self.new and self.order.confirmed_at is not None:
                found = self._read("fulfilment_orders", rows.work_from, rows.work_row, order_by=("created_at", "id"))
            self._work = found
        return self._work

    @property
    def reservations(self) -> list[Reservation]:
        """Live and unassigned reservations; finished ones are history."""
        if self._reservations is None:
            found: list[Reservation] = []
            if not self.new:
                found = self._read("reservations", rows.reservation_from, rows.reservation_row, where=_LIVE)
            self._reservations = found
        return self._reservations

    @property
    def contacts(self) -> dict[str, dict[str, Any]]:
        """Role (buyer, bill_to, ship_to) -> what the source said."""
        if self._contacts is None:
            where = {"order_id": self.order.id}
            found = [] if self.new else self.snapshot.rows("contacts", where, order_by=("id",))
            self.loaded["contacts"] = {row["id"]: row for row in found}
            self._contacts = {row["role"]: row["data"] for row in found}
        return self._contacts

    @property
    def packages(self) -> list[CarriedPackage]:
        """Packages that are followed, oldest first. There are none where nobody follows packages."""
        if self._packages is None:
            found: list[CarriedPackage] = []
            if not self.new and self.rules.follows_packages:
                make, unmake = package_rows.package_from, package_rows.package_row
                found = self._read("packages", make, unmake, order_by=("created_at", "id"))
            self._packages = found
        return self._packages

    @property
    def labels(self) -> list[CarrierLabel]:
        """Labels that the hub asked for, oldest first."""
        if self._labels is None:
            found: list[CarrierLabel] = []
            if not self.new and self.rules.follows_packages:
                make, unmake = package_rows.label_from, package_rows.label_row
                found = self._read("labels", make, unmake, order_by=("created_at", "number", "id"))
            self._labels = found
        return self._labels

    @property
    def payments(self) -> list[Payment]:
        """How the order is paid, as far as anybody said; the first by priority first."""
        if self._payments is None:
            make, unmake = money_rows.payment_from, money_rows.payment_row
            self._payments = self._read("payments", make, unmake, order_by=("priority", "id")) if not self.new else []
        return self._payments

    @property
    def captures(self) -> list[Capture]:
        """What was charged or asked to be, oldest first."""
        if self._captures is None:
            make, unmake = money_rows.capture_from, money_rows.capture_row
            self._captures = self._read("captures", make, unmake, order_by=("at", "id")) if not self.new else []
        return self._captures

    @property
    def refunds(self) -> list[Refund]:
        """What was given back or asked to be, oldest first."""
        if self._refunds is None:
            make, unmake = money_rows.refund_from, money_rows.refund_row
            self._refunds = self._read("refunds", make, unmake, order_by=("at", "id")) if not self.new else []
        return self._refunds

    @property
    def touched_payments(self) -> list[Payment]:
        return self._payments or []

    @property
    def touched_captures(self) -> list[Capture]:
        return self._captures or []

    @property
    def touched_refunds(self) -> list[Refund]:
        return self._refunds or []

    @property
    def transits(self) -> list[Transit]:
        """Goods on their way to another location, in the order in which they left. Only transfers have any."""
        if self._transits is None:
            found: list[Transit] = []
            if any(work.method == Method.TRANSFER for work in self.work):
                found = self._read("transits", rows.transit_from, rows.transit_row, order_by=("created_at", "id"))
            self._transits = found
        return self._transits

    @property
    def touched_transits(self) -> list[Transit]:
        return self._transits or []

    def items(self, skus: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What is known of these SKUs, by SKU; each is read once."""
        asked = tuple(sorted({sku for sku in skus if sku not in self._items}))
        if asked:
            self._items.update(dict.fromkeys(asked))
            self._items.update({row["sku"]: row["document"] for row in self.snapshot.rows("items", {"sku": asked})})
        return {sku: document for sku in skus if (document := self._items.get(sku)) is not None}

    @property
    def claims(self) -> list[Claim]:
        """What of the order was promised from supply, those that are over included."""
        if self._claims is None:
            found: list[Claim] = []
            if not self.new:
                found = self._read("supply_claims", supply_rows.claim_from, supply_rows.claim_row)
            self._claims = found
        return self._claims

    @property
    def touched_claims(self) -> list[Claim]:
        return self._claims or []

    @property
    def returns(self) -> list[Return]:
        """Returns of the order's goods, oldest first; most orders have none, which costs nothing."""
        if self._returns is None:
            found: list[Return] = []
            if not self.new and self.order.facts.get("returns"):
                where = {"order_id": self.order.id}
                lines = self.snapshot.rows("return_lines", where, order_by=("return_id", "number"))
                found = [
                    return_rows.return_from(row, [one for one in lines if one["return_id"] == row["id"]])
                    for row in self.snapshot.rows("returns", where, order_by=("created_at", "id"))
                ]
                self.loaded["returns"] = {one.id: return_rows.return_row(one) for one in found}
                self.loaded["return_lines"] = {
                    line.id: return_rows.line_row(one, line) for one in found for line in one.lines
                }
            self._returns = found
        return self._returns

    @property
    def touched_returns(self) -> list[Return]:
        return self._returns or []

    @property
    def touched_packages(self) -> list[CarriedPackage]:
        return self._packages or []

    @property
    def touched_labels(self) -> list[CarrierLabel]:
        return self._labels or []

    @property
    def touched_work(self) -> list[FulfilmentOrder]:
        return self._work or []

    @property
    def touched_reservations(self) -> list[Reservation]:
        return self._reservations or []

    @property
    def touched_contacts(self) -> dict[str, dict[str, Any]]:
        return self._contacts or {}

    def discreet(self, words: str) -> str:
        """What somebody outside said, without what it says of the order's people: fit for rows, events, exceptions."""
        return masked(words, private_texts(self.contacts.values())) if words else words

    def location(self, location_id: str) -> LocationRule | None:
        return self.rules.locations.get(location_id)

    def new_id(self, prefix: str, *parts: str) -> str:
        """An id that computing the same cause again mints again."""
        self.counter += 1
        told_apart = (self.part,) if self.part else ()
        return derived_id(prefix, self.cause, *told_apart, str(self.counter), *parts)

    def task(
        self, kind: str, subject: str, due_at: dt.datetime, *parts: str, payload: Mapping[str, Any] | None = None
    ) -> None:
        """Ask for a task, once for this cause."""
        dedupe_key = "/".join((kind, subject, *parts, self.cause))
        self.decision.tasks.append(TaskRequest(kind, subject, due_at, dedupe_key, payload or {}))

    def raise_exception(self, cause_key: str, kind: str, title: str, detail: str, next_step: str, hint: str) -> None:
        """Raise an exception about this order; what is raised is remembered, so that clearing asks only for it."""
        order = self.order
        raised = order.facts.get("raised", [])
        if cause_key not in raised:
            order.facts = {**order.facts, "raised": sorted([*raised, cause_key])}
        self.decision.exceptions.append(
            ExceptionRequest(
                cause_key, kind, title, detail, next_step, hint, "order", order.id, order.id, connection=order.channel
            )
        )

    def clear_exception(self, prefix: str, by: str) -> None:
        """Clear what was raised about this order under keys that begin with `prefix`; costs nothing if nothing was."""
        self.forget([cause_key for cause_key in self.raised if cause_key.startswith(prefix)], by)

    @property
    def raised(self) -> list[str]:
        """Keys of what was raised about this order and not cleared since."""
        return list(self.order.facts.get("raised", []))

    def forget(self, cause_keys: Sequence[str], by: str) -> None:
        """Clear exactly these."""
        left = [cause_key for cause_key in self.raised if cause_key not in cause_keys]
        if left == self.raised:
            return
        for cause_key in cause_keys:
            self.decision.clears.append(ExceptionClear(cause_key, "order", self.order.id, by))
        facts = {name: value for name, value in self.order.facts.items() if name != "raised"}
        self.order.facts = {**facts, "raised": left} if left else facts

    def _read(
        self,
        table: str,
        make: Callable[[Mapping[str, Any]], T],
        unmake: Callable[[T], Row],
        *,
        where: Mapping[str, Any] | None = None,
        order_by: tuple[str, ...] = ("id",),
    ) -> list[T]:
        found = self.snapshot.rows(table, {"order_id": self.order.id, **(where or {})}, order_by=order_by)
        things = [make(row) for row in found]
        self.loaded[table] = {row["id"]: unmake(thing) for row, thing in zip(found, things, strict=True)}
        return things


def preload(snapshot: BatchSnapshot, order_ids: Sequence[str]) -> None:
    """Read what `open_case` and the parts of a case will ask for these orders, a table at a time; not their contacts,
    which few ask for."""
    snapshot.prefetch("orders", "id", order_ids)
    snapshot.prefetch("order_lines", "order_id", order_ids, order_by=("number", "id"))
    snapshot.prefetch("holds", "order_id", order_ids, order_by=("id",))
    snapshot.prefetch("fulfilment_orders", "order_id", order_ids, order_by=("created_at", "id"))
    snapshot.prefetch("reservations", "order_id", order_ids, where=_LIVE, order_by=("id",))


def open_case(snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, order_id: str) -> Case | None:
    """The order of that id, or None."""
    row = snapshot.row("orders", {"id": order_id})
    return None if row is None else _case(row, snapshot, rules, now, cause)


def find_case(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, channel: str, scope: str, external_id: str
) -> Case | None:
    """The order its channel knows by that id, or None."""
    row = snapshot.row("orders", {"channel": channel, "scope": scope, "external_id": external_id})
    return None if row is None else _case(row, snapshot, rules, now, cause)


def new_case(
    snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str, channel: Channel, scope: str, external_id: str
) -> Case:
    """An order that the hub sees for the first time."""
    order = Order(
        id=numbered_id("or", external_id, channel.id, scope),
        channel=channel.id,
        scope=scope,
        external_id=external_id,
        seller_entity=channel.seller_entity,
        created_at=now,
    )
    return Case(order, rules, snapshot, now, cause, new=True)


def order_key(channel: str, scope: str, external_id: str) -> str:
    """What a message that knows only the channel's id waits for."""
    return f"order|{channel}|{scope}|{external_id}"


def tracking_key(tracking_number: str) -> str:
    """What a scan of a number that nobody knows yet waits for."""
    return f"tracking|{tracking_number}"


def work_key(fulfilment_order_id: str) -> str:
    return f"fulfilment_order|{fulfilment_order_id}"


def _case(row: Mapping[str, Any], snapshot: Snapshot, rules: Rules, now: dt.datetime, cause: str) -> Case:
    order = rows.order_from(row)
    lines = snapshot.rows("order_lines", {"order_id": order.id}, order_by=("number", "id"))
    holds = snapshot.rows("holds", {"order_id": order.id}, order_by=("id",))
    order.lines = [rows.line_from(line) for line in lines]
    order.holds = [rows.hold_from(hold) for hold in holds]
    case = Case(order, rules, snapshot, now, cause)
    case.loaded["orders"] = {order.id: rows.order_row(order)}
    case.loaded["order_lines"] = {line.id: _copy(rows.line_row(line)) for line in order.lines}
    case.loaded["holds"] = {hold.id: rows.hold_row(hold) for hold in order.holds}
    return case


def _copy(row: Row) -> Row:
    return {**row, "document": dict(row["document"])}


def lines_by_id(order: Order) -> dict[str, OrderLine]:
    return {line.id: line for line in order.lines}


def new_hold(case: Case, kind: str, rule: str, path: str, hint: str, line_id: str | None, key: str) -> Hold:
    """An open hold; its id names order, rule and what it is about, so that placing it twice is placing it once."""
    return Hold(f"{case.order.id}/{rule}/{key}", case.order.id, line_id, kind, rule, path, hint, case.now)


ZERO = Decimal(0)
