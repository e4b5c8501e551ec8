"""What is observed of one order: builders of observations with fixed source times, and the picture of what came of
them that must not depend on the order of arrival."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from tests.property.memory_store import START, Bench, channel, location, order_record, rules

Observation = Callable[[Bench], object]
GRACE = 3600
ORDER = "4507"


def version(number: int) -> str:
    return f"2026-11-02T09:0{number}:00.000000Z"


def restated(number: int, *lines: tuple[str, str, int], **changes: Any) -> Observation:
    record = order_record(*lines, source_version=version(number), **changes)
    return lambda bench: bench.order(record)


def partial(number: int, **fields: Any) -> Observation:
    """A restate that carries these fields only."""
    record = {"external_id": ORDER, "source_version": version(number), "currency": "USD", **fields}
    return lambda bench: bench.order(record)


def refunded(key: str, line_id: str, units: int, restock: str = "cancel") -> Observation:
    record = {
        "external_id": key,
        "fact_key": key,
        "order_external_id": ORDER,
        "currency": "USD",
        "amount": str(units * 10),
        "lines": [{"external_line_id": line_id, "quantity": str(units), "restock": restock}],
    }
    return lambda bench: bench.fact("refunds", record)


def cancel_asked(key: str, *lines: tuple[str, int]) -> Observation:
    record: dict[str, Any] = {"fact_key": key, "order_external_id": ORDER}
    if lines:
        record["lines"] = [{"external_line_id": line_id, "quantity": str(units)} for line_id, units in lines]
    return lambda bench: bench.fact("cancel_requests", record)


def shipped_by_hand(key: str, line_id: str, units: int) -> Observation:
    package = {"package": "1", "lines": [{"external_line_id": line_id, "quantity": str(units)}]}
    record = {"fact_key": key, "external_id": key, "order_external_id": ORDER, "packages": [package]}
    return lambda bench: bench.fact("shipments", record)


def counted(at: str, minutes: int, **units: int) -> Observation:
    """A count of a location as of so many minutes after the start, whenever it arrives."""
    as_of = (START + dt.timedelta(minutes=minutes)).isoformat()
    rows = [{"sku": sku, "quantity": str(quantity)} for sku, quantity in units.items()]
    record = {"location": at.upper(), "as_of": as_of, "rows": rows}
    return lambda bench: bench.restate("stock", record, connection=f"wms-{at}")


def told_by_provider(key: str, event: str, amount: str) -> Observation:
    """What a payment provider says of the card."""
    record = {"fact_key": key, "external_id": key, "payment_external_id": "card-1", "event": event, "amount": amount}
    return lambda bench: bench.fact("payments", {**record, "currency": "USD"}, connection="payment")


def refunded_at_provider(key: str, amount: str) -> Observation:
    record = {"fact_key": key, "external_id": key, "payment_external_id": "card-1", "amount": amount, "currency": "USD"}
    return lambda bench: bench.fact("refunds", record, connection="payment")


def item(sku: str) -> Observation:
    return lambda bench: bench.restate("items", {"sku": sku, "external_id": sku, "title": sku.title()})


def furnished() -> Bench:
    """A shop with an hour of grace and two locations that have some of both articles."""
    shop = channel(grace_seconds=GRACE, money="hub")
    network = (location("east"), location("west", priority=2, cost_order=Decimal("3.00")))
    takers = {**rules().takers, **dict.fromkeys(("capture", "refund", "void"), ("payment",))}
    bench = Bench(rules(*network, channels={"shop": shop}, takers=takers))
    for sku, east, west in (("TEE", 3, 9), ("CAP", 2, 1)):
        bench.stock(sku, "east", east)
        bench.stock(sku, "west", west)
    return bench


def work_on(bench: Bench) -> None:
    """What the hub does by itself before anything leaves it."""
    bench.run("allocate", "release_holds")


def played(observations: Sequence[Observation]) -> dict[str, Any]:
    """Everything that must not depend on arrival, after the grace is over."""
    bench = furnished()
    for observe in observations:
        observe(bench)
        work_on(bench)
        bench.later(seconds=1)
    bench.later(seconds=GRACE)
    bench.run("allocate", "release_holds", "confirm")
    return picture(bench)


def picture(bench: Bench) -> dict[str, Any]:
    """The canonical order, its ledgers and the business keys of what is to be sent."""
    order = bench.the_order()
    facts = {
        name: value for name, value in order["document"].items() if name not in ("cancelled", "sourced_for", "raised")
    }
    stamps = ("version", "created_at", "updated_at", "confirmed_at", "grace_until", "document", "effects")
    return {
        "order": {name: value for name, value in order.items() if name not in stamps},
        "facts": facts,
        "lines": bench.lines(),
        "stock": [
            {name: row[name] for name in ("sku", "location", "on_hand", "soft", "firm")}
            for row in bench.store.rows("stock", {}, order_by=("sku", "location"))
        ],
        "open holds": [hold["id"] for hold in bench.store.rows("holds", {"released_at": None}, order_by=("id",))],
        "keys": sorted(bench.effects),
        "money": _money(bench),
        "contacts": {row["role"]: row["data"] for row in bench.store.rows("contacts", {})},
    }


def _money(bench: Bench) -> dict[str, str]:
    """What the journal of money adds up to, and how each payment stands. In how many steps is up to the arrival."""
    sums: dict[str, Decimal] = {}
    for move in bench.store.rows("money_moves", {}):
        sums[move["kind"]] = sums.get(move["kind"], Decimal(0)) + move["amount"]
    found = {kind: str(amount) for kind, amount in sorted(sums.items())}
    for row in bench.store.rows("payments", {}, order_by=("external_id",)):
        columns = ("state", "authorised", "captured", "capturing", "voided", "refunded", "refunding")
        found[str(row["external_id"])] = ", ".join(f"{name} {row[name]}" for name in columns)
    return found
