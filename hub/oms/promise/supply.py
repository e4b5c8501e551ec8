"""Dated supply: purchase orders and announced deliveries, as their sender states them.

What a channel may sell ahead and what lines are promised follow from it: a change asks for both to be looked at again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, EventRequest, Incoming, Verdict
from hub.domain.events import Fact
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text
from hub.domain.snapshot import Snapshot
from hub.oms.desk.save import push_tasks
from hub.oms.desk.times import instant, instant_text
from hub.oms.ports import LocationRule, Rules
from hub.oms.returns.claims import redeal

ZERO = Decimal(0)


def handle_supply(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `supply`."""

    def apply_notice(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        record = incoming.record
        rule = location_called(rules, incoming.connection, str(record["location"]))
        if rule is None:
            message = f"no location is called {record['location']} at {incoming.connection}"
            return Decision(Verdict.PARKED, code="unknown_location", error_field="location", message=message)
        if not record.get("external_id"):
            return Decision(Verdict.PARKED, code="required", error_field="external_id", message="it has no id")
        wrong = _not_possible(record)
        if wrong:
            return Decision(Verdict.PARKED, code="not_possible", error_field=wrong, message=f"{wrong} is below zero")
        return state_supply(snapshot, rules, now, incoming.id, incoming.connection, rule.id, record)

    return apply_notice


def location_called(rules: Rules, connection: str, code: str) -> LocationRule | None:
    """The location that a connection means by a code: its own name for it, or ours."""
    for rule in sorted(rules.locations.values(), key=lambda rule: rule.id):
        if connection in (rule.wms, rule.stock_authority) and code in (rule.wms_code, rule.id):
            return rule
    return rules.locations.get(code)


def state_supply(
    snapshot: Snapshot,
    rules: Rules,
    now: dt.datetime,
    cause: str,
    connection: str,
    location: str,
    record: Mapping[str, Any],
) -> Decision:
    """Take over what a SupplyNotice says as a whole; nothing where it says what stands."""
    sku, external_id = str(record["sku"]), str(record["external_id"])
    supply_id = derived_id("sp", connection, external_id)
    expected_at = instant(str(record["expected_at"]))
    assert expected_at is not None, "the record's schema requires it"
    wanted: dict[str, Any] = {
        "reference": str(record.get("reference") or external_id),
        "sku": sku,
        "location": location,
        "expected_at": expected_at,
        "quantity": Decimal(str(record["quantity"])),
        "received": Decimal(str(record.get("received", "0"))),
        "status": str(record.get("status", "open")),
    }
    decision = Decision(subject=supply_id)
    known = snapshot.row("supply", {"id": supply_id})
    if known is not None and all(known[name] == value for name, value in wanted.items()):
        return decision
    if known is None:
        row = {
            "id": supply_id,
            "connection": connection,
            "external_id": external_id,
            **wanted,
            "promised": ZERO,
            "fulfilled": ZERO,
        }
        stamps = {"version": 1, "created_at": now, "updated_at": now}
        decision.writes.insert("supply", {**row, **stamps}, claim=True)
    else:
        where = {"id": supply_id, "version": known["version"]}
        values = {**wanted, "version": known["version"] + 1, "updated_at": now}
        decision.writes.update("supply", where, values)
    for one in sorted({sku, str(known["sku"])} if known is not None else {sku}):
        decision.tasks.append(redeal(one, now, cause))
    decision.tasks += push_tasks(rules, now, [sku])
    data = {
        "reference": wanted["reference"],
        "sku": sku,
        "location": location,
        "expected_at": instant_text(expected_at),
        "to_come": decimal_text(max(ZERO, wanted["quantity"] - wanted["received"])),
        "status": wanted["status"],
    }
    decision.events.append(EventRequest(Fact.SUPPLY_STATED.value, supply_id, f"supply/{cause}", None, data))
    return decision


def _not_possible(record: Mapping[str, Any]) -> str:
    """The field that no supply can have so."""
    return next((name for name in ("quantity", "received") if Decimal(str(record.get(name, "0"))) < 0), "")
