"""What holds after every step of the state machine, and what holds when nothing is left to do: ledgers of the hub held
against each other and against those of the town."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.domain.decision import Verdict
from hub.domain.quantity import LEFT
from tests.property.memory_store import Bench
from tests.property.town import Town

ZERO = Decimal(0)
OPEN_STATUS = ("received", "held", "confirmed")
WORK_ENDED = ("completed", "cancelled", "rejected", "partially_completed")
RETURN_ENDED = ("refused", "expired", "cancelled", "closed")
MOVING = frozenset({"pending", "in_flight", "unknown", "refused", "sent"})
"""Under way, or shown to a person by the exchange's own exception."""
BESIDE = {"quarantine": "quarantined", "damaged": "scrapped"}
"""Bucket of goods that nobody is promised -> the stage of returns that puts them there."""


def after_a_step(bench: Bench, town: Town) -> None:
    nothing_is_refused(bench)
    stock_is_conserved(bench, town)
    money_taken_less_money_given_back_is_kept(bench, town)
    promises_stand_on_supply(bench)
    no_order_is_silent(bench, town)


def when_all_is_done(bench: Bench, town: Town) -> None:
    after_a_step(bench, town)
    for payment in bench.store.rows("payments", {"managed_by": "hub"}):
        told = bench.store.rows("orders", {"id": payment["order_id"]})[0]["document"].get("raised", ())
        assert payment["capturing"] == payment["refunding"] == 0, payment
        account = town.accounts.get(str(payment["external_id"]))
        if account is not None:
            kept = payment["captured"] - payment["refunded"]
            assert kept == account.captured - account.refunded, (payment, account, told)
    kept_is_invoiced(bench)
    labels_are_accounted_for(bench, town)
    kits_left_whole_or_somebody_knows(bench)
    nothing_is_between_two_locations(bench)


def nothing_is_refused(bench: Bench) -> None:
    parked = [one for one in bench.decisions[-5:] if one.verdict is Verdict.PARKED]
    assert not parked, parked


def stock_is_conserved(bench: Bench, town: Town) -> None:
    """The hub's stock is what lies there, is on its way or was put aside there, and what its journal adds up to."""
    journal: dict[tuple[str, str, str], Decimal] = {}
    for one in bench.store.rows("stock_events", {}):
        key = (one["location"], one["sku"], one["bucket"])
        journal[key] = journal.get(key, ZERO) + one["delta"]
    aside: dict[tuple[str, str], Decimal] = {}
    for row in bench.store.rows("stock", {}):
        place = (row["location"], row["sku"])
        there = town.goods[place]
        assert row["on_hand"] == there, f"{row['sku']} at {row['location']}: {row['on_hand']}, {there} lie there"
        coming = town.transit.get(place, ZERO)
        assert row["in_transit"] == coming, f"{row['in_transit']} on their way to {place}, really {coming}"
        for bucket in ("on_hand", "quarantine", "damaged", "in_transit"):
            booked = journal.get((*place, bucket), ZERO)
            assert row[bucket] == booked, f"{bucket} at {place}: {row[bucket]}, journal {booked}"
        for bucket in BESIDE:
            aside[row["sku"], bucket] = aside.get((row["sku"], bucket), ZERO) + row[bucket]
    for line in bench.store.rows("return_lines", {}):
        for bucket, stage in BESIDE.items():
            kept = (line["sku"], bucket)
            aside[kept] = aside.get(kept, ZERO) - line[stage]
    assert not {key: units for key, units in aside.items() if units}, f"put aside and not returned: {aside}"


def money_taken_less_money_given_back_is_kept(bench: Bench, town: Town) -> None:
    moves: dict[tuple[str, str], Decimal] = {}
    for move in bench.store.rows("money_moves", {}):
        key = (move["payment_id"], move["kind"])
        moves[key] = moves.get(key, ZERO) + move["amount"]
    for payment in bench.store.rows("payments", {}):
        for kind in ("captured", "refunded"):
            booked = moves.get((payment["id"], kind), ZERO)
            assert payment[kind] == booked, f"{payment['external_id']}: {kind} {payment[kind]}, journal {booked}"
        account = town.accounts.get(str(payment["external_id"]))
        if account is None or payment["managed_by"] != "hub":
            continue
        assert payment["captured"] <= account.captured <= payment["captured"] + payment["capturing"], payment
        assert payment["refunded"] <= account.refunded <= payment["refunded"] + payment["refunding"], payment


def promises_stand_on_supply(bench: Bench) -> None:
    """What is preordered has claims on supply, and every supply counts the claims on it, never more than it brings."""
    claims = bench.store.rows("supply_claims", {})
    by_line: dict[str, Decimal] = {}
    by_supply: dict[str, Decimal] = {}
    for claim in claims:
        by_line[claim["line_id"]] = by_line.get(claim["line_id"], ZERO) + claim["quantity"]
        by_supply[claim["supply_id"]] = by_supply.get(claim["supply_id"], ZERO) + claim["quantity"]
    for line in bench.store.rows("order_lines", {}):
        claimed = by_line.get(line["id"], ZERO)
        assert claimed == line["preordered"], f"{line['id']}: {line['preordered']} preordered, {claimed} claimed"
    for one in bench.store.rows("supply", {}):
        claimed = by_supply.get(one["id"], ZERO)
        assert one["promised"] == claimed, f"{one['reference']}: {one['promised']} promised, {claimed} claimed"


def no_order_is_silent(bench: Bench, town: Town) -> None:
    """Every open order has a task, a call under way, a hold, work at a location, a shortage or an exception."""
    subjects = {task.subject for task in bench.tasks.values()}
    for row in bench.store.rows("orders", {"status": OPEN_STATUS}):
        if row["effects"] == "none" or row["id"] in subjects or row["document"].get("raised"):
            continue
        where = {"order_id": row["id"]}
        calls = bench.store.rows("deliveries", where)
        moving = any(town.states.get(one["business_key"], one["state"]) in MOVING for one in calls)
        moving |= bool(bench.store.rows("holds", {**where, "released_at": None}))
        moving |= any(one["state"] not in WORK_ENDED for one in bench.store.rows("fulfilment_orders", where))
        moving |= any(one["state"] not in RETURN_ENDED for one in bench.store.rows("returns", where))
        lines = bench.store.rows("order_lines", where)
        moving |= any(one["backordered"] + one["preordered"] > 0 for one in lines)
        assert moving, f"{row['external_id']} is {row['status']} and nothing moves it: {lines}"


def kept_is_invoiced(bench: Bench) -> None:
    """Where nobody has to look at an order of the shop any more, what its provider kept is what was invoiced less what
    was credited. What an exchange costs more or less stands between two orders: those that are linked count together.
    """
    booked: dict[str, Decimal] = {}
    for effect in bench.effects.values():
        if effect.capability in ("post_invoice", "post_credit_note") and effect.order_id:
            amount = Decimal(str(effect.record["amount"])) * (1 if effect.capability == "post_invoice" else -1)
            booked[effect.order_id] = booked.get(effect.order_id, ZERO) + amount
    for group in _linked(bench):
        if any(row["status"] in OPEN_STATUS or row["document"].get("raised") for row in group):
            continue
        payments = bench.store.rows("payments", {"order_id": tuple(row["id"] for row in group)})
        kept = sum((one["captured"] - one["refunded"] for one in payments), ZERO)
        wanted = sum((booked.get(row["id"], ZERO) for row in group), ZERO)
        names = ", ".join(row["external_id"] for row in group)
        assert kept == wanted, f"{names}: {kept} kept, {wanted} invoiced and not credited"


def _linked(bench: Bench) -> list[list[dict[str, Any]]]:
    """The orders of the shop, those together that are linked, directly or by others."""
    rows = {row["id"]: row for row in bench.store.rows("orders", {"channel": "shop"})}
    groups = {order_id: [row] for order_id, row in rows.items()}
    for link in bench.store.rows("order_links", {}):
        one, other = groups.get(link["order_id"]), groups.get(link["other_order_id"])
        if one is None or other is None or one is other:
            continue
        one += other
        groups |= {row["id"]: one for row in other}
    return [group for order_id, group in groups.items() if group[0]["id"] == order_id]


def labels_are_accounted_for(bench: Bench, town: Town) -> None:
    """A label that was bought is on a parcel, given back, or a cost that is shown."""
    rows = {row["external_id"]: row for row in bench.store.rows("labels", {})}
    for key, state in town.labels.items():
        number = town.done[key]["label"]["external_id"]
        row = rows[number]
        assert row["cost"] == Decimal("7.10"), row
        if state == "bought":
            shown = _told(bench, row["order_id"]) or row["state"] in ("void_refused", "voiding")
            assert shown or _still_packed(bench, row), f"{number} was bought for nothing and nobody knows: {row}"


def _still_packed(bench: Bench, label: Mapping[str, Any]) -> bool:
    (package,) = bench.store.rows("packages", {"id": label["package_id"]})
    return package["state"] in ("labelled", "label_pending")


def _told(bench: Bench, order_id: str) -> bool:
    return bool(bench.store.rows("orders", {"id": order_id})[0]["document"].get("raised"))


def kits_left_whole_or_somebody_knows(bench: Bench) -> None:
    """Of a kit its components left in whole kits, or the rest was taken back, is still wanted, or a person was told."""
    lines = bench.store.rows("order_lines", {})
    for kit in lines:
        parts = [line for line in lines if line["document"].get("kit") == kit["id"]]
        left = {part["sku"]: _left(part) / Decimal(part["document"]["per_kit"]) for part in parts}
        whole = len(set(left.values())) <= 1
        taken_back = any(part["cancelled"] > 0 for part in parts)
        wanted = any(part["ordered"] - part["cancelled"] > _left(part) for part in parts)
        assert whole or taken_back or wanted or _told(bench, kit["order_id"]), f"{kit['id']}: {left} kits left"
        if parts:
            told = sum((kit[bucket.value] for bucket in LEFT), ZERO)
            early = taken_back or wanted  # what was given up and is wanted again had counted as left with the rest
            assert told <= min(left.values()) + kit["over_shipped"] or early, f"{kit['id']}: {told} of {left}"


def _left(line: Mapping[str, Any]) -> Decimal:
    return sum((line[bucket.value] for bucket in LEFT), ZERO)


def nothing_is_between_two_locations(bench: Bench) -> None:
    """What was sent from one location of ours to another has come, or is written off."""
    left = [row for row in bench.store.rows("transits", {}) if row["quantity"] > 0]
    assert not left, left
