"""Importing: stock, supply, orders as history, cross-references. Row by row, with a job that knows how far.

What is written of a row and that it is behind the job are one commit, so that an import that was stopped goes on where
it was, and the same file again does nothing. A row that cannot be taken is refused with its field and reason; the
others are taken.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from hub.domain.decision import Decision, TaskRequest, Verdict
from hub.domain.ids import derived_id
from hub.domain.listing import Listing, clash
from hub.domain.writeset import WriteSet
from hub.exchange.connections import Connections, ConnectionView, StreamView
from hub.exchange.decisions import Writer, decision_rows
from hub.exchange.exceptions import audit
from hub.exchange.mappings import MappedStream
from hub.exchange.ports import NewReceipt
from hub.exchange.verbs import Refused
from hub.exchange.written import NotTaken, written
from hub.formats import json
from hub.mapping.errors import MappingError
from hub.oms.desk.save import push_tasks
from hub.oms.desk.times import instant_text
from hub.oms.handlers import build as build_handlers
from hub.oms.intake.listings import listings_of
from hub.oms.people import adjust_stock
from hub.oms.promise.supply import state_supply
from hub.runtime.hub import Hub

CANONICAL_ORDERS = "api/orders.in"
TOGETHER = 100
"""Rows of one commit, where rows cannot be in each other's way."""
MOST_REFUSED = 10_000
MOST_AT_ONCE = 1_000
LARGEST = Decimal(10) ** 9
NEVER = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
LISTING = "listing"
ENTITIES = ("order", "fulfilment_order", "item", "location", "shipment", "customer")
ROLES = ("primary", "alias")
SUPPLY_STATES = ("open", "closed", "cancelled")

Row = Mapping[str, Any]
"""`index` counts rows of the file from 1, `row` is the line for people, `values` what stands there."""


class RowRefused(Exception):
    """`field` of the row, "" for the whole, and words without its values."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field, self.message = field, message


Plan = Callable[[Hub, Writer, Row, str], WriteSet]
"""What a row writes, nothing where all stands already. Raises RowRefused. The text is why: the job and the file."""


def check(
    hub: Hub, who: str, kind: str, rows: Sequence[Row], options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Which of these rows would be refused, and how many would change something; writes nothing."""
    del who
    plan = _plan_of(hub, kind, options or {})
    changed, refused = 0, []
    for row in rows[:MOST_AT_ONCE]:
        with hub.store.read() as snapshot:
            try:
                changed += bool(plan(hub, hub.writer(snapshot, "import.check"), row, "").operations)
            except RowRefused as error:
                refused.append(_told(row, error))
    return {"changed": changed, "refused": refused, "message": f"{len(rows)} rows looked at"}


def begin(
    hub: Hub, who: str, kind: str, subject: str, fingerprint: str, total: int, options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The job of this file: a new one, or the one that was begun before with how far it is."""
    _plan_of(hub, kind, options or {})
    name = f"import.{kind}"
    fresh = hub.ids.new("jb", hub.clock.now())

    def compute(writer: Writer) -> WriteSet:
        writes = WriteSet()
        known = writer.snapshot.row("jobs", {"kind": name, "fingerprint": fingerprint})
        if known is not None and known["state"] != "cancelled":
            return writes
        if known is not None:
            going = {"state": "running", "finished_at": None, "updated_at": writer.now}
            writes.update("jobs", {"id": known["id"], "state": "cancelled"}, going)
        else:
            row: dict[str, Any] = {"id": fresh, "kind": name, "subject": subject, "fingerprint": fingerprint}
            row |= {"state": "running", "who": who, "position": 0, "total": total, "changed": 0, "refused": []}
            writes.insert("jobs", {**row, "started_at": writer.now, "updated_at": writer.now}, claim=True)
        audit(writes, name, str(known["id"] if known else fresh), who, "", writer.now, {"file": subject})
        return writes

    hub.commit(compute, fresh)
    with hub.store.read() as snapshot:
        job = snapshot.row("jobs", {"kind": name, "fingerprint": fingerprint})
    assert job is not None
    return {**_state(job), "message": f"{job['id']}: {job['position']} of {job['total']} rows are done"}


def take(hub: Hub, who: str, job: str, rows: Sequence[Row], options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Write these rows; those that are behind the job already are passed over. Raises Refused once it is cancelled."""
    del who
    known = _job(hub, job)
    kind = str(known["kind"]).removeprefix("import.")
    plan = _plan_of(hub, kind, options or {})
    size = TOGETHER if kind == "stock" else 1
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        hub.commit(lambda writer, some=some: _rows(hub, writer, job, plan, some), job)  # type: ignore[misc]
    hub.store.wake()
    return _state(_job(hub, job))


def _rows(hub: Hub, writer: Writer, job: str, plan: Plan, rows: Sequence[Row]) -> WriteSet:
    known = writer.snapshot.row("jobs", {"id": job})
    if known is None or known["state"] != "running":
        raise Refused(f"the import {job} is {known['state'] if known else 'gone'}")
    todo = [row for row in rows if row["index"] > known["position"]]
    writes = WriteSet()
    if not todo:
        return writes
    if todo[0]["index"] != known["position"] + 1:
        raise Refused(f"the import {job} is at row {known['position']}, not before {todo[0]['index']}")
    refused, changed = list(known["refused"]), known["changed"]
    for row in todo:
        try:
            found = plan(hub, writer, row, f"{job}, {known['subject']}")
        except RowRefused as error:
            refused.append(_told(row, error))
            continue
        changed += bool(found.operations)
        writes.extend(found)
    values = {"position": todo[-1]["index"], "changed": changed, "refused": refused[:MOST_REFUSED]}
    guard = {"id": job, "state": "running", "position": known["position"]}
    writes.update("jobs", guard, {**values, "updated_at": writer.now})
    return writes


def finish(hub: Hub, who: str, job: str) -> dict[str, Any]:
    """Every row is behind it. Raises Refused where one is not."""
    known = _end(hub, who, job, "done", lambda row: row["position"] >= row["total"], "rows are left")
    words = f"{known['changed']} of {known['total']} rows changed something, {len(known['refused'])} refused"
    return {**_state(known), "problems": known["refused"], "message": words}


def cancel(hub: Hub, who: str, job: str, reason: str = "") -> dict[str, Any]:
    """Stop an import where it is; what is written stays. The same file again goes on from there."""
    known = _end(hub, who, job, "cancelled", lambda row: True, "", reason)
    return {**_state(known), "message": f"{job} is cancelled after {known['position']} of {known['total']} rows"}


def _end(
    hub: Hub, who: str, job: str, state: str, may: Callable[[Row], bool], why_not: str, reason: str = ""
) -> dict[str, Any]:
    def compute(writer: Writer) -> WriteSet:
        row = writer.snapshot.row("jobs", {"id": job})
        if row is None:
            raise Refused(f"There is no job {job!r}")
        if row["state"] != "running":
            raise Refused(f"{job} is {row['state']} already")
        if not may(row):
            raise Refused(f"{job} cannot be {state}: {why_not}")
        writes = WriteSet()
        values = {"state": state, "finished_at": writer.now, "updated_at": writer.now}
        writes.update("jobs", {"id": job, "state": "running", "position": row["position"]}, values)
        audit(writes, f"jobs.{state}", job, who, reason, writer.now)
        return writes

    hub.commit(compute, job)
    return _job(hub, job)


def _job(hub: Hub, job: str) -> dict[str, Any]:
    with hub.store.read() as snapshot:
        row = snapshot.row("jobs", {"id": job})
    if row is None:
        raise Refused(f"There is no job {job!r}")
    return row


def _state(row: Row) -> dict[str, Any]:
    shown = {name: row[name] for name in ("kind", "subject", "state", "position", "total", "changed")}
    return {"job": row["id"], **shown, "refused": len(row["refused"])}


def _told(row: Row, error: RowRefused) -> dict[str, Any]:
    return {"row": row["row"], "index": row["index"], "field": error.field, "message": error.message}


def _plan_of(hub: Hub, kind: str, options: Mapping[str, Any]) -> Plan:
    """Raises Refused where there is no such kind, or its options do not fit."""
    if kind == "stock":
        return _stock
    if kind == "supply":
        return _supply
    if kind == "crossreferences":
        return _cross_reference
    if kind == "orders":
        return _Orders(hub, str(options.get("channel") or ""), live=bool(options.get("live"))).plan
    raise Refused(f"there is no import of {kind!r}")


def _text(row: Row, field: str, longest: int = 200) -> str:
    found = row["values"].get(field)
    text = found.strip() if isinstance(found, str) else "" if found is None else str(found)
    if not text:
        raise RowRefused(field, "is missing")
    if len(text) > longest or not text.isprintable():
        raise RowRefused(field, f"is no text of at most {longest} characters")
    return text


def _stock(hub: Hub, writer: Writer, row: Row, why: str) -> WriteSet:
    """A first count: what is on hand becomes this much; the next count of the location takes over again."""
    sku, location, said = _text(row, "sku"), _text(row, "location"), _text(row, "quantity")
    if location not in hub.rules.locations:
        raise RowRefused("location", f"there is no location of this name; there are {', '.join(hub.rules.locations)}")
    quantity = _quantity("quantity", said)
    known = writer.snapshot.row("stock", {"sku": sku, "location": location})
    delta = quantity - (known["on_hand"] if known is not None else Decimal(0))
    if not delta:
        return WriteSet()
    cause = f"{writer.cause}/{row['index']}"
    who = f"import {why}"
    decision = adjust_stock(writer.snapshot, hub.rules, writer.now, cause, sku, location, delta, who, "imported")
    if decision.verdict is not Verdict.APPLIED:
        raise RowRefused("", decision.message)
    return decision_rows(decision, writer)


def _quantity(field: str, said: str) -> Decimal:
    try:
        quantity = Decimal(said)
    except InvalidOperation as error:
        raise RowRefused(field, "is no decimal number such as 12 or 1.5") from error
    if not quantity.is_finite() or not 0 <= quantity < LARGEST or quantity != round(quantity, 6):
        raise RowRefused(field, "is not between 0 and 999999999 with at most 6 digits after the point")
    return quantity


def _supply(hub: Hub, writer: Writer, row: Row, why: str) -> WriteSet:
    """A line of a purchase order as it stands now; the same id again takes its place."""
    del why
    values = row["values"]
    sku, location, reference = _text(row, "sku"), _text(row, "location"), _text(row, "reference")
    if location not in hub.rules.locations:
        raise RowRefused("location", f"there is no location of this name; there are {', '.join(hub.rules.locations)}")
    record = {
        "external_id": str(values.get("external_id") or f"{reference}/{sku}/{location}"),
        "reference": reference,
        "sku": sku,
        "expected_at": instant_text(_day(row, "expected_at")),
        "quantity": str(_quantity("quantity", _text(row, "quantity"))),
        "received": str(_quantity("received", str(values.get("received") or "0"))),
        "status": str(values.get("status") or "open"),
    }
    if record["status"] not in SUPPLY_STATES:
        raise RowRefused("status", f"is none of {', '.join(SUPPLY_STATES)}")
    cause = f"{writer.cause}/{row['index']}"
    decision = state_supply(writer.snapshot, hub.rules, writer.now, cause, "import", location, record)
    return decision_rows(decision, writer)


def _day(row: Row, field: str) -> dt.datetime:
    """A day (its beginning, UTC) or a time with its zone."""
    said = _text(row, field)
    try:
        at = dt.datetime.fromisoformat(said)
    except ValueError as error:
        raise RowRefused(
            field, "is neither a day such as 2026-12-24 nor a time such as 2026-12-24T08:00:00Z"
        ) from error
    if at.tzinfo is None and len(said) > len("2026-12-24"):
        raise RowRefused(field, "has no zone; write 2026-12-24T08:00:00Z")
    return at.astimezone(dt.UTC) if at.tzinfo else at.replace(tzinfo=dt.UTC)


def _cross_reference(hub: Hub, writer: Writer, row: Row, why: str) -> WriteSet:
    """Another system's name of something that the hub has."""
    del why
    system, entity = _text(row, "system"), _text(row, "entity")
    if entity == LISTING:
        return _listing(hub, writer, row, system)
    external_id, internal_id = _text(row, "external_id"), _text(row, "internal_id")
    role = str(row["values"].get("role") or ROLES[0])
    if system not in hub.loaded.bundle.connections:
        raise RowRefused("system", "is none of the configured connections")
    if entity not in ENTITIES:
        raise RowRefused("entity", f"is none of {', '.join(ENTITIES)}")
    if role not in ROLES:
        raise RowRefused("role", f"is none of {', '.join(ROLES)}")
    _there(hub, writer, entity, internal_id)
    key = {"system": system, "entity": entity, "external_id": external_id, "role": role}
    known = writer.snapshot.row("cross_references", key)
    writes = WriteSet()
    if known is None:
        row_id = derived_id("xr", system, entity, external_id, *(() if role == ROLES[0] else (role,)))
        values = {"internal_id": internal_id, "valid_from": writer.now, "valid_to": None}
        writes.insert("cross_references", {"id": row_id, **key, **values}, claim=True)
    elif known["internal_id"] != internal_id:
        raise RowRefused("external_id", "stands for something else already")
    return writes


def _listing(hub: Hub, writer: Writer, row: Row, system: str) -> WriteSet:
    """What a channel calls an item, from `valid_from` to `valid_to`; another of that name at one time is refused."""
    channel = hub.rules.channels.get(system)
    if channel is None:
        raise RowRefused("system", "is no channel that orders come from")
    theirs, ours = _text(row, "external_id"), _text(row, "internal_id")
    if writer.snapshot.row("items", {"sku": ours}) is None:
        raise RowRefused("internal_id", "the hub has no item of this id")
    new = Listing(theirs, ours, _instant(row, "valid_from"), _instant(row, "valid_to"))
    if new.valid_from is not None and new.valid_to is not None and new.valid_from >= new.valid_to:
        raise RowRefused("valid_to", "is not after valid_from")
    known = listings_of(writer.snapshot, channel, theirs)
    other = clash(new, known)
    if other is not None:
        raise RowRefused("external_id", f"means {other.ours} at a time when this row says {ours}")
    if new in known:
        return WriteSet()
    parts = (system, theirs, ours, str(new.valid_from), str(new.valid_to))
    times = {"valid_from": new.valid_from, "valid_to": new.valid_to, "at": writer.now}
    kept = {"id": derived_id("ls", *parts), "connection": system, "theirs": theirs, "ours": ours, **times}
    decision = Decision(subject=ours)
    decision.writes.insert("listings", kept, claim=True)
    decision.tasks += push_tasks(hub.rules, writer.now, [ours])  # the channel is told its levels under this name
    decision.tasks.append(TaskRequest("release_holds", theirs, writer.now, f"release_holds/{theirs}/{kept['id']}"))
    return decision_rows(decision, writer)


def _instant(row: Row, field: str) -> dt.datetime | None:
    said = row["values"].get(field)
    if not said:
        return None
    try:
        at = dt.datetime.fromisoformat(str(said))
    except ValueError as error:
        raise RowRefused(field, "is no time such as 2026-11-01T00:00:00Z") from error
    if at.tzinfo is None:
        raise RowRefused(field, "names no zone; write Z or an offset")
    return at.astimezone(dt.UTC)


def _there(hub: Hub, writer: Writer, entity: str, internal_id: str) -> None:
    if entity == "location" and internal_id not in hub.rules.locations:
        raise RowRefused("internal_id", "is no location of the configuration")
    tables = {"item": ("items", "sku"), "order": ("orders", "id"), "fulfilment_order": ("fulfilment_orders", "id")}
    if entity in tables:
        table, column = tables[entity]
        if writer.snapshot.row(table, {column: internal_id}) is None:
            raise RowRefused("internal_id", f"the hub has no {entity.replace('_', ' ')} of this id")


class _Orders:
    """Canonical orders of a channel. Unless `live`, as history: kept, found and shown, but nothing is done for them."""

    def __init__(self, hub: Hub, channel: str, *, live: bool) -> None:
        view = hub.connections.get(channel)
        rules = hub.rules
        if view is None or channel not in rules.channels or "orders" not in view.streams:
            raise Refused(f"{channel!r} is no channel that orders come from; there are {', '.join(rules.channels)}")
        mapping = hub.loaded.library.find(CANONICAL_ORDERS)
        if mapping is None:
            raise Refused(f"There is no mapping {CANONICAL_ORDERS}")
        self._live, self._channel = live, channel
        stream = StreamView("orders", mapping=MappedStream(mapping, "orders", hub.loaded.library, {}))
        self._view = dataclasses.replace(view, streams={"orders": stream})
        self._connections = _WithOne(hub.connections, self._view)
        if not live:
            kept = dataclasses.replace(rules.channels[channel], start_from=NEVER)
            rules = dataclasses.replace(rules, channels={**rules.channels, channel: kept})
        self._handlers = build_handlers(rules)

    def plan(self, hub: Hub, writer: Writer, row: Row, why: str) -> WriteSet:
        order = dict(row["values"])
        external_id = _text(row, "external_id")
        if not self._live and not order.get("placed_at"):
            raise RowRefused("placed_at", "is missing; history needs it")
        try:
            body = json.dumps_canonical(order)
        except ValueError as error:
            raise RowRefused("", "is no order in canonical form") from error
        ids = (
            derived_id("rc", writer.cause, str(row["index"]), external_id),
            derived_id("ms", writer.cause, str(row["index"]), external_id),
        )
        receipt = NewReceipt(
            connection=self._channel,
            stream="orders",
            topic=None,
            delivery_id=f"{writer.cause}/{row['index']}",
            headers={"x-import": why} if why else {},
            body=body,
            content_type="application/json",
            source="file",
            received_at=writer.now,
        )
        own = dataclasses.replace(writer, connections=self._connections)
        try:
            done = written(receipt, self._view, self._handlers, own, ids)
        except NotTaken as error:
            raise RowRefused(error.field, error.message) from error
        except MappingError as error:
            raise RowRefused(error.field, error.message) from error
        return done.writes if done.verdict == Verdict.APPLIED else WriteSet()


class _WithOne:
    """The connections with another view of one of them."""

    def __init__(self, others: Connections, view: ConnectionView) -> None:
        self._others, self._view = others, view

    @property
    def revision(self) -> str:
        return self._others.revision

    def get(self, connection: str) -> ConnectionView | None:
        return self._view if connection == self._view.id else self._others.get(connection)

    def ids(self) -> Sequence[str]:
        return self._others.ids()
