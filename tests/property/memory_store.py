"""The smallest store and exchange that honour a write set's preconditions, for tests of rules without a database.

`MemoryStore` is a Snapshot and applies write sets all or nothing. `Bench` feeds records to the OMS handlers as the
exchange would: restates merged, facts once, waiting messages woken, tasks and effects kept.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from hub.domain.decision import Decision, DueTask, EffectRequest, ExceptionRequest, Incoming, MappingHold, Verdict
from hub.domain.ids import derived_id
from hub.domain.quantity import Bucket
from hub.domain.restate import View, merge, view_from_json, view_to_json
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Delete, Insert, Operation, StockChange, Update, WriteSet
from hub.oms.handlers import build
from hub.oms.ports import Channel, LocationRule, Rules, Strategy

Row = dict[str, Any]
T = TypeVar("T")
ZERO = Decimal(0)
START = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)

UNIQUE: dict[str, tuple[str, ...]] = {
    "orders": ("channel", "scope", "external_id"),
    "order_lines": ("order_id", "external_line_id"),
    "stock": ("sku", "location"),
    "items": ("sku",),
    "pushed_stock": ("subject",),
    "location_days": ("location", "day"),
}

STOCK_COUNTERS = ("on_hand", "soft", "firm", "quarantine", "damaged", "in_transit")


class Conflict(Exception):
    """A precondition failed; nothing of the write set was applied."""


class MemoryStore:
    """Tables as lists of rows. A row is never changed, only replaced: what was read stays as it was."""

    def __init__(self) -> None:
        self.tables: dict[str, list[Row]] = {}

    def rows(
        self, table: str, where: Mapping[str, Any], *, order_by: Sequence[str] = (), limit: int = 10_000
    ) -> list[Row]:
        found = [_copied(row) for row in self.tables.get(table, []) if _matches(row, where)]
        for name in reversed(order_by):
            found.sort(key=lambda row: row[name.removeprefix("-")], reverse=name.startswith("-"))
        return found[:limit]

    def row(self, table: str, where: Mapping[str, Any]) -> Row | None:
        found = self.rows(table, where)
        assert len(found) <= 1, f"{table}: more than one row for {where}"
        return found[0] if found else None

    def count(self, table: str, where: Mapping[str, Any]) -> int:
        return sum(1 for row in self.tables.get(table, []) if _matches(row, where))

    def body(self, body_id: str) -> bytes | None:
        return None

    def once(self, key: tuple[str, ...], work_out: Callable[[], T]) -> T:
        return work_out()  # its rows change between two questions

    def apply(self, writes: WriteSet) -> None:
        before = {table: list(rows) for table, rows in self.tables.items()}
        try:
            for operation in writes.operations:
                self._apply(operation)
            self._check()
        except Exception:
            self.tables = before
            raise

    def _apply(self, operation: Operation) -> None:
        if isinstance(operation, Insert):
            self._insert(operation)
        elif isinstance(operation, Update):
            rows = self.tables.get(operation.table, [])
            found = [number for number, row in enumerate(rows) if _matches(row, operation.where)]
            if operation.expect is not None and len(found) != operation.expect:
                raise Conflict(f"{operation.table}: {len(found)} rows for {dict(operation.where)}")
            for number in found:
                added = {name: rows[number][name] + amount for name, amount in operation.add.items()}
                rows[number] = {**rows[number], **_copied(dict(operation.values)), **added}
        elif isinstance(operation, Delete):
            rows = self.tables.get(operation.table, [])
            self.tables[operation.table] = [row for row in rows if not _matches(row, operation.where)]
        elif isinstance(operation, StockChange):
            self._stock(operation)

    def _insert(self, operation: Insert) -> None:
        rows = self.tables.setdefault(operation.table, [])
        row: Row = _copied(dict(operation.row))
        if operation.table == "stock":
            row = {**dict.fromkeys(STOCK_COUNTERS, ZERO), "as_of": None, "sequence": None, **row}
        keys: list[tuple[str, ...]] = [("id",)] if "id" in row else []
        keys += [UNIQUE[operation.table]] if operation.table in UNIQUE else []
        if any(_matches(known, {name: row[name] for name in key}) for known in rows for key in keys):
            if operation.ignore:
                return
            raise Conflict(f"{operation.table}: {row} stands already")
        rows.append(row)

    def _stock(self, change: StockChange) -> None:
        rows = self.tables.setdefault("stock", [])
        where = {"sku": change.sku, "location": change.location}
        number = next((number for number, row in enumerate(rows) if _matches(row, where)), len(rows))
        if number == len(rows):
            if change.reserve:
                raise Conflict(f"{change.sku} is not at {change.location}")
            new: Row = {**where, **dict.fromkeys(STOCK_COUNTERS, ZERO)}
            rows.append(new | {"as_of": None, "sequence": None, "updated_at": None})
        row = rows[number]
        free = row["on_hand"] - row["soft"] - row["firm"] - change.safety
        if change.reserve and free < change.soft + change.firm:
            raise Conflict(f"{change.sku} at {change.location}: {free} free")
        row = rows[number] = {**row, **{name: row[name] + getattr(change, name) for name in STOCK_COUNTERS}}
        if any(row[name] < 0 for name in STOCK_COUNTERS if name != "on_hand"):
            raise Conflict(f"{change.sku} at {change.location}: a counter below zero")

    def _check(self) -> None:
        for line in self.tables.get("order_lines", []):
            buckets = [line[bucket.value] for bucket in Bucket]
            assert sum(buckets) == line["ordered"], f"buckets of {line['id']} do not sum to what is ordered"
            assert all(units >= 0 for units in buckets), f"a bucket of {line['id']} is negative"
        for reservation in self.tables.get("reservations", []):
            assert reservation["quantity"] >= 0
        for one in self.tables.get("payments", []):
            assert one["captured"] + one["capturing"] + one["voided"] <= one["authorised"], (
                f"{one['id']}: over-captured"
            )
            assert one["refunded"] + one["refunding"] + one["store_credit"] <= one["captured"], (
                f"{one['id']}: over-refunded"
            )
            assert min(one[name] for name in ("capturing", "voided", "refunded", "refunding")) >= 0, one


def _copied(value: Any) -> Any:
    """Dicts and lists anew; everything else in a row never changes."""
    if value.__class__ is dict:
        return {name: _copied(one) for name, one in value.items()}
    if value.__class__ is list:
        return [_copied(one) for one in value]
    return value


def _matches(row: Row, where: Mapping[str, Any]) -> bool:
    for name, wanted in where.items():
        value = row.get(name)
        if value not in wanted if wanted.__class__ is tuple else value != wanted:
            return False
    return True


def channel(**changes: Any) -> Channel:
    made = Channel(
        id="shop",
        seller_entity="acme",
        effects=True,
        start_from=None,
        grace_seconds=0,
        capabilities=frozenset({"push_shipment", "push_inventory"}),
    )
    return replace(made, **changes)


def location(location_id: str, **changes: Any) -> LocationRule:
    made = LocationRule(
        id=location_id,
        type="dc",
        wms=f"wms-{location_id}",
        wms_code=location_id.upper(),
        stock_authority=f"wms-{location_id}",
        country="US",
        admin_area="NY",
        latitude=None,
        longitude=None,
        priority=1,
        capacity_per_day=None,
        cost_order=Decimal("1.10"),
        cost_line=Decimal("0.20"),
        cost_unit=Decimal("0.05"),
        safety_stock=ZERO,
        can=frozenset({"ship"}),
    )
    return replace(made, **changes)


def rules(*locations: LocationRule, **changes: Any) -> Rules:
    made = Rules(
        revision="r1",
        channels={"shop": channel()},
        locations={rule.id: rule for rule in locations},
        strategies={"cheapest": Strategy("cheapest")},
        routing=(),
        fallback="cheapest",
        when_nothing="backorder",
        takers=dict.fromkeys(("submit_order", "update_order", "cancel_order", "post_invoice"), ("erp",)),
    )
    return replace(made, **changes)


def order_record(*lines: tuple[str, str, int | str], **changes: Any) -> Row:
    """A canonical Order of (line id, SKU, quantity) at 10.00 each whose totals add up."""
    total = sum(Decimal(str(quantity)) * 10 for _, _, quantity in lines)
    record: Row = {
        "external_id": "4507",
        "source_version": "2026-11-02T09:00:00.000000Z",
        "number": "#1001",
        "placed_at": "2026-11-02T08:59:00Z",
        "currency": "USD",
        "payment_state": "paid",
        "buyer": {"external_id": "c-1", "name": "A. Buyer", "email": "buyer@example.com"},
        "ship_to": {
            "name": "A. Buyer",
            "lines": ["1 Example Street"],
            "locality": "Albany",
            "admin_area_code": "NY",
            "postal_code": "12207",
            "country": "US",
        },
        "totals": {"lines": str(total), "total": str(total)},
        "lines": [
            {"external_line_id": line_id, "sku": sku, "quantity": str(quantity), "unit_price": "10.00"}
            for line_id, sku, quantity in lines
        ],
    }
    return {**record, **changes}


class Tables(Snapshot, Protocol):
    """A store as the bench needs it: read, and apply a write set or raise Conflict."""

    def apply(self, writes: WriteSet) -> None: ...


@dataclass(slots=True)
class Bench:
    """The OMS with everything around it in memory. `now` moves only when told."""

    rules: Rules
    store: Tables = field(default_factory=MemoryStore)
    now: dt.datetime = START
    effects: dict[str, EffectRequest] = field(default_factory=dict)
    exceptions: list[ExceptionRequest] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    tasks: dict[str, DueTask] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _facts: set[str] = field(default_factory=set)
    _views: dict[str, View] = field(default_factory=dict)
    _waiting: list[tuple[str, Incoming]] = field(default_factory=list)
    _count: int = 0

    def stock(self, sku: str, location_id: str, on_hand: int | str) -> None:
        row = {"sku": sku, "location": location_id, "on_hand": Decimal(str(on_hand))}
        self.store.apply(WriteSet([Insert("stock", row)]))
        if self.store.row("items", {"sku": sku}) is None:
            self.store.apply(WriteSet([Insert("items", {"sku": sku, "document": {}, "updated_at": self.now})]))

    def order(self, record: Row, *, holds: Sequence[MappingHold] = (), connection: str = "shop") -> Decision:
        """Restate an order, as the exchange would: merged into the view of its source."""
        entity = f"{connection}|{record['external_id']}"
        before = self._views.get(entity)
        self._count += 1
        version = str(record.get("source_version", ""))
        partial = any(hold.field == "lines" and hold.rule == "mapping" for hold in holds)
        merged = merge(before, record, version, f"{self._count:08}", partial=partial)
        incoming = self._incoming(connection, "orders", merged.view.record(), str(record["external_id"]))
        incoming = replace(
            incoming,
            restate=record,
            previous=before.record() if before else None,
            highest=merged.view.highest,
            newest=merged.newest,
            holds=tuple(holds),
            source_version=merged.view.newest[0],
        )
        decision = self._handle(incoming)
        if decision.verdict is not Verdict.PARKED:
            self._views[entity] = view_from_json(*view_to_json(merged.view))
        return decision

    def fact(self, stream: str, record: Row, *, connection: str = "shop") -> Decision | None:
        """Something that happened once; None when its key was applied before."""
        key = f"{connection}|{stream}|{record['fact_key']}"
        if key in self._facts:
            return None
        incoming = self._incoming(connection, stream, record, str(record.get("order_external_id", "")))
        decision = self._handle(replace(incoming, fact_key=str(record["fact_key"])))
        if decision.verdict is Verdict.APPLIED:
            self._facts.add(key)
        return decision

    def restate(self, stream: str, record: Row, *, connection: str = "shop") -> Decision:
        """A snapshot or an item."""
        return self._handle(self._incoming(connection, stream, record, str(record.get("external_id", ""))))

    def reply(self, effect: EffectRequest, resolution: str = "success", **said: Any) -> Decision:
        record = {
            "delivery": f"{effect.destination}/{effect.capability}/{effect.key}",
            "capability": effect.capability,
            "destination": effect.destination,
            "key": effect.key,
            "resolution": resolution,
            "order_id": effect.order_id,
            "reply": said,
            "external_id": said.get("external_id"),
            "words": said.get("reason", ""),
        }
        return self._handle(self._incoming(effect.destination, "replies", record, effect.key))

    def act(self, verb: Callable[..., Decision], *said: Any) -> Decision:
        """A person does something to the one order: `verb` is a function of hub.oms, `said` what follows the order."""
        self._count += 1
        cause = derived_id("ac", str(self._count))
        decision = verb(self.store, self.rules, self.now, cause, self.the_order()["id"], *said)
        self.commit(decision)
        return decision

    def commit(self, decision: Decision) -> None:
        """Take over what a use case decided that no handler stands for."""
        self._commit(decision)

    def send(self) -> None:
        """Everything that waits to leave is on its way: from here on it can only be cancelled by asking."""
        self.store.apply(WriteSet([Update("deliveries", {"attempts": 0}, {"attempts": 1, "state": "sent"}, {}, None)]))

    def _delivery(self, key: str, effect: EffectRequest) -> Row:
        return {
            "id": derived_id("dl", key),
            "destination": effect.destination,
            "capability": effect.capability,
            "aggregate": effect.aggregate,
            "lane": effect.lane,
            "business_key": key,
            "subject": effect.subject,
            "order_id": effect.order_id,
            "state": "pending",
            "safety": "none",
            "body_id": "",
            "body_hash": "",
            "refs": {},
            "requires": list(effect.requires),
            "due_at": self.now,
            "give_up_at": self.now,
            "attempts": 0,
            "cause": "test",
            "created_at": self.now,
        }

    def _withdraw(self, *keys: str) -> None:
        for key in keys:
            update = Update("deliveries", {"business_key": key}, {"state": "withdrawn"})
            self.store.apply(WriteSet([update]))
            self.effects.pop(key, None)

    def run(self, *kinds: str) -> None:
        """Run every task that is due, and those that they cause, until none is left."""
        while due := [
            task for task in self.tasks.values() if task.due_at <= self.now and (not kinds or task.kind in kinds)
        ]:
            task = min(due, key=lambda task: (task.due_at, task.id))
            del self.tasks[task.id]
            self._commit(build(self.rules).tasks[task.kind](task, self.store, self.now))

    def later(self, **ahead: float) -> None:
        self.now += dt.timedelta(**ahead)

    def sent(self, capability: str) -> list[EffectRequest]:
        return [effect for effect in self.effects.values() if effect.capability == capability]

    def the_order(self) -> Row:
        (row,) = self.store.rows("orders", {})
        return row

    def lines(self) -> dict[str, dict[str, Decimal]]:
        """External line id -> buckets that hold something."""
        names = [bucket.value for bucket in Bucket]
        return {
            row["external_line_id"]: {name: row[name] for name in names if row[name]}
            for row in self.store.rows("order_lines", {}, order_by=("number",))
        }

    def line_id(self, external_line_id: str) -> str:
        row = self.store.row("order_lines", {"external_line_id": external_line_id})
        assert row is not None
        return str(row["id"])

    def raised(self) -> list[str]:
        return [raised.kind for raised in self.exceptions]

    def check_reservations(self) -> None:
        """Counters equal live reservations; soft ones equal what is allocated, firm ones what the work holds."""
        live: dict[tuple[str, str, str], Decimal] = {}
        for row in self.store.rows("reservations", {"state": ("soft", "firm")}):
            key = (row["sku"], row["location"], row["state"])
            live[key] = live.get(key, ZERO) + row["quantity"]
        for row in self.store.rows("stock", {}):
            for state in ("soft", "firm"):
                assert row[state] == live.pop((row["sku"], row["location"], state), ZERO), (row, state)
        assert not {key: units for key, units in live.items() if units}, "reservations without stock"
        for line in self.store.rows("order_lines", {}):
            reserved = {"soft": ZERO, "firm": ZERO}
            for row in self.store.rows("reservations", {"line_id": line["id"], "state": ("soft", "firm")}):
                reserved[row["state"]] += row["quantity"]
            assert reserved["soft"] == line["allocated"], line
            held = ZERO
            for work in self.store.rows("fulfilment_orders", {"order_id": line["order_id"]}):
                for part in work["document"]["lines"]:
                    if part["line"] == line["id"]:
                        names = ("released", "accepted", "picked", "packed", "ready_for_pickup")
                        held += sum((Decimal(part["buckets"].get(name, "0")) for name in names), ZERO)
            assert reserved["firm"] == held, line

    def check_transits(self) -> None:
        """Goods in transit are what transfers have under way; what lines claim of them is packed and not reserved."""
        under_way: dict[tuple[str, str], Decimal] = {}
        claimed: dict[str, Decimal] = {}
        for row in self.store.rows("transits", {}):
            key = (row["sku"], row["destination"])
            under_way[key] = under_way.get(key, ZERO) + row["quantity"]
            claimed[row["line_id"]] = claimed.get(row["line_id"], ZERO) + row["claimed"]
            assert ZERO <= row["claimed"] <= row["quantity"], row
        for row in self.store.rows("stock", {}):
            assert row["in_transit"] == under_way.pop((row["sku"], row["location"]), ZERO), row
        assert not {key: units for key, units in under_way.items() if units}, "goods on their way to nowhere"
        for line in self.store.rows("order_lines", {"id": tuple(claimed)}):
            reserved = self.store.rows("reservations", {"line_id": line["id"], "state": ("soft", "firm")})
            held = ("allocated", "released", "accepted", "picked", "packed", "ready_for_pickup")
            total = sum((row["quantity"] for row in reserved), claimed[line["id"]])
            assert total == sum((line[name] for name in held), ZERO), line

    def _incoming(self, connection: str, stream: str, record: Row, external_id: str) -> Incoming:
        self._count += 1
        return Incoming(
            id=derived_id("ms", str(self._count)),
            connection=connection,
            stream=stream,
            record=_copied(record),
            restate=record,
            previous=None,
            highest={},
            newest=True,
            scope="",
            external_id=external_id,
            fact_key="",
            holds=(),
            source_version="",
            received_at=self.now,
            source="webhook",
            effects=True,
        )

    def _handle(self, incoming: Incoming) -> Decision:
        decision = build(self.rules).messages[incoming.stream](incoming, self.store, self.now)
        if decision.verdict is Verdict.WAITING:
            self._waiting.append((decision.waits_for, incoming))
        self._commit(decision)
        return decision

    def _commit(self, decision: Decision) -> None:
        self.decisions.append(decision)
        self.exceptions += decision.exceptions
        if decision.verdict is not Verdict.APPLIED:
            return
        self.store.apply(decision.writes)
        self.check_reservations()
        self.check_transits()
        for effect in decision.effects:
            key = f"{effect.destination}/{effect.capability}/{effect.key}"
            assert key not in self.effects, f"{key} was asked for twice"
            self.effects[key] = effect
            self.store.apply(WriteSet([Insert("deliveries", self._delivery(key, effect))]))
            for delivery in self.store.rows("deliveries", {"attempts": 0}):
                if any(delivery["business_key"].startswith(prefix) for prefix in effect.withdraws):
                    self._withdraw(delivery["business_key"], key)
        for request in decision.tasks:
            if request.dedupe_key not in self._done:
                self._done.add(request.dedupe_key)
                task_id = derived_id("tk", request.dedupe_key)
                self.tasks[task_id] = DueTask(task_id, request.kind, request.subject, request.payload, request.due_at)
        woken = [incoming for waits_for, incoming in self._waiting if waits_for in decision.wakes]
        self._waiting = [pair for pair in self._waiting if pair[0] not in decision.wakes]
        for incoming in woken:
            self._handle(incoming)
