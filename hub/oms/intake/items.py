"""Items: what a SKU is. A new item releases the holds that waited for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from hub.domain.decision import Decision, DueTask, Incoming, TaskRequest, Verdict
from hub.domain.ids import derived_id
from hub.domain.kit import components_of, wrong_with
from hub.domain.snapshot import Snapshot
from hub.domain.validation import Rule
from hub.domain.writeset import Delete
from hub.oms.desk.load import open_case
from hub.oms.desk.save import push_tasks, save
from hub.oms.intake.holds import release_known_skus
from hub.oms.ports import Rules
from hub.oms.stock.reserve import UNASSIGNED

_IDENTITY = ("external_id", "source_version")
CHUNK = 500
MOST = 1_000_000
"""Orders that may wait for one SKU: whoever connects a channel before importing items has all of them wait."""


def handle_item(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `items`."""

    def import_item(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        sku = str(incoming.record.get("sku", ""))
        if not sku:
            return Decision(Verdict.PARKED, code="required", error_field="sku", message="an item needs a SKU")
        refused = _no_kit(incoming, snapshot, sku)
        if refused is not None:
            return refused
        decision = Decision(subject=sku)
        document = {name: value for name, value in incoming.record.items() if name not in _IDENTITY}
        if snapshot.row("items", {"sku": sku}) is None:
            decision.writes.insert("items", {"sku": sku, "document": document, "updated_at": now}, claim=True)
            decision.tasks.append(TaskRequest("release_holds", sku, now, f"release_holds/{sku}/{incoming.id}"))
        else:
            decision.writes.update("items", {"sku": sku}, {"document": document, "updated_at": now})
        _remember_parts(decision, snapshot, sku, [part.sku for part in components_of(incoming.record)])
        decision.tasks += push_tasks(rules, now, [sku])
        return decision

    return import_item


def _remember_parts(decision: Decision, snapshot: Snapshot, kit: str, parts: list[str]) -> None:
    """So that a component whose stock changes finds its kits."""
    known = {row["sku"]: row["id"] for row in snapshot.rows("kit_parts", {"kit": kit})}
    for sku in sorted(known.keys() - set(parts)):
        decision.writes.operations.append(Delete("kit_parts", {"id": known[sku]}))
    for sku in sorted(set(parts) - known.keys()):
        row = {"id": derived_id("kp", kit, sku), "kit": kit, "sku": sku}
        decision.writes.insert("kit_parts", row, ignore=True)


def _no_kit(incoming: Incoming, snapshot: Snapshot, sku: str) -> Decision | None:
    """Why a kit cannot be one: its components make no sense, or a kit is inside a kit."""
    parts = components_of(incoming.record)
    if not parts:
        return None
    wrong = wrong_with(parts)
    names = tuple(sorted(part.sku for part in parts))
    outer = sorted({row["kit"] for row in snapshot.rows("kit_parts", {"sku": sku})} - {sku})
    if outer:
        wrong = f"it is a component of {', '.join(outer)}, and a component is never a kit itself"
    inner = [row["sku"] for row in snapshot.rows("items", {"sku": names}) if row["document"].get("components")]
    if sku in names or inner:
        wrong = f"a component is never a kit itself: {', '.join([*inner, *([sku] if sku in names else [])])}"
    if not wrong:
        return None
    return Decision(Verdict.PARKED, subject=sku, code="kit", error_field="components", message=wrong)


def handle_release_holds(rules: Rules) -> Callable[[DueTask, Snapshot, dt.datetime], Decision]:
    """The task `release_holds`: subject is a SKU that is known now, also as a channel's name of an item, or (with
    payload `order`) one order that waited.

    The SKU's task only finds the orders and asks for one task each, so that no decision touches many orders.
    """

    def release_holds(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Decision:
        order_id = task.payload.get("order")
        if order_id is not None:
            case = open_case(snapshot, rules, now, task.id, str(order_id))
            if case is None:
                return Decision(Verdict.IGNORED, message="there is no such order any more")
            release_known_skus(case)
            return save(case)
        decision = Decision(subject=task.subject)
        for waiting in sorted(_waiting_for(snapshot, task.subject)):
            payload = {"order": waiting}
            key = f"release_holds/{task.subject}/{waiting}/{task.id}"
            decision.tasks.append(TaskRequest("release_holds", task.subject, now, key, payload))
        return decision

    return release_holds


def _waiting_for(snapshot: Snapshot, sku: str) -> set[str]:
    """Orders that may be held for a SKU: those whose demand is counted, and those held just now, before it was."""
    counted = {row["order_id"] for row in snapshot.rows("reservations", {**UNASSIGNED, "sku": sku}, limit=MOST)}
    where = {"rule": Rule.UNKNOWN_SKU.value, "released_at": None}
    fresh = [row["order_id"] for row in snapshot.rows("holds", where, order_by=("-placed_at",))]
    uncounted = sorted({*fresh} - counted)
    for start in range(0, len(uncounted), CHUNK):
        lines = snapshot.rows("order_lines", {"order_id": tuple(uncounted[start : start + CHUNK]), "sku": sku})
        counted |= {row["order_id"] for row in lines}
    return counted
