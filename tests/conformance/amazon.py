"""What the vendor's own samples of marketplace orders say, read without any of the hub's code, and how they are fed.

    python -m tests.conformance.amazon [--json]

Each file under `extracted/` wraps a request and its answer; the answer's body is fed as it is, a whole page where it is
one. Numbers stay the text that was written. The old version tells an order and its items in bodies of their own; what
an order must end as is the sum of what its bodies say, by field, the newest first.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
CORPORA = CHECKOUT.parent / "shared" / "corpora" / "amazon-sp-api" / "extracted"
SOURCES = {
    "orders-2026-01-01": ("orders_2026-01-01", ("searchOrders", "getOrder")),
    "orders-v0": ("ordersV0", ("getOrders", "getOrder", "getOrderItems")),
}
"""Source -> folder, and the operations whose answers hold orders."""

TAKEN = ("applied", "held", "superseded", "duplicate")
CONNECTION = """
id: {source}
connector: amazon_sp
effects: observe
config:
  region: na
  marketplaces: [ATVPDKIKX0DER]
  client_id: nobody
  client_secret: "${{env:CONFORMANCE_SECRET}}"
  refresh_token: "${{env:CONFORMANCE_TOKEN}}"
streams:
  orders: {{ start_from: 1970-01-01T00:00:00Z, poll: {{ every: 5m }} }}
"""


@dataclass(frozen=True)
class Line:
    """As written; None where the body says nothing."""

    external_line_id: str
    sku: str | None
    quantity: str | None
    unit_price: str | None
    total: str | None


@dataclass(frozen=True)
class Body:
    """One order of a page, or one answer about an order. `version` is its time of change as UTC text, "" without."""

    path: str
    index: int
    external_id: str | None
    version: str
    currency: str | None
    total: str | None
    placed_at: str | None
    pending: bool
    lines: tuple[Line, ...] | None
    defects: tuple[str, ...] = field(default=())

    @property
    def well_formed(self) -> bool:
        """It says which order it is and something of it that an order cannot be without."""
        return not self.defects

    def __str__(self) -> str:
        return f"{self.path}#{self.index}"


def available() -> bool:
    return CORPORA.is_dir()


def files(source: str) -> list[Path]:
    """Answers with a status of 2xx, in the order of feeding: an order before its items."""
    folder, operations = SOURCES[source]
    return [
        path
        for operation in operations
        for path in sorted((CORPORA / folder).glob(f"{operation}.*.json"))
        if path.name.split(".")[1].startswith("2")
    ]


def answer(path: Path) -> Any:
    """The answer's body, numbers as their text."""
    return json.loads(path.read_bytes(), parse_float=str, parse_int=str)["response"]


def bodies(source: str) -> list[Body]:
    return [body for path in files(source) for body in bodies_of(path)]


def bodies_of(path: Path) -> list[Body]:
    tree = answer(path)
    read = _old if "payload" in tree else _new
    inner = tree.get("payload", tree)
    found = inner.get("orders") or inner.get("Orders") or [inner.get("order", inner)]
    return [read(path.name, index, order) for index, order in enumerate(found)]


def _new(path: str, index: int, order: Mapping[str, Any]) -> Body:
    items = order.get("orderItems")
    lines = tuple(
        Line(
            str(item.get("orderItemId")),
            item.get("product", {}).get("sellerSku"),
            item.get("quantityOrdered"),
            _amount(item.get("product", {}).get("price", {}).get("unitPrice")),
            None,
        )
        for item in items or ()
    )
    total = order.get("proceeds", {}).get("grandTotal")
    money = [total, *(item.get("product", {}).get("price", {}).get("unitPrice") for item in items or ())]
    status = order.get("fulfillment", {}).get("fulfillmentStatus", "")
    pending = status in ("PENDING", "PENDING_AVAILABILITY")
    defects = [] if order.get("orderId") else ["no id"]
    if not lines or any(line.quantity is None for line in lines):
        defects.append("no items with id and quantity")
    if not pending and not any(money):
        defects.append("no currency")
    return Body(
        path,
        index,
        order.get("orderId"),
        _version(order.get("lastUpdatedTime")),
        _currency(money),
        _amount(total),
        order.get("createdTime"),
        pending,
        lines if items is not None else None,
        tuple(defects),
    )


def _old(path: str, index: int, order: Mapping[str, Any]) -> Body:
    items = order.get("OrderItems")
    lines = tuple(
        Line(
            str(item.get("OrderItemId")),
            item.get("SellerSKU"),
            item.get("QuantityOrdered"),
            None,
            _amount(item.get("ItemPrice"), "Amount"),
        )
        for item in items or ()
    )
    money = [order.get("OrderTotal"), *(item.get("ItemPrice") for item in items or ())]
    pending = order.get("OrderStatus") in ("Pending", "PendingAvailability")
    defects = [] if order.get("AmazonOrderId") else ["no id"]
    if not lines and not order.get("OrderStatus"):
        defects.append("neither an order nor its items")
    if any(line.quantity is None for line in lines):
        defects.append("an item without quantity")
    if not pending and not any(money):
        defects.append("no currency")
    return Body(
        path,
        index,
        order.get("AmazonOrderId"),
        _version(order.get("LastUpdateDate")),
        _currency(money, "CurrencyCode"),
        _amount(order.get("OrderTotal"), "Amount"),
        order.get("PurchaseDate"),
        pending,
        lines if items is not None else None,
        tuple(defects),
    )


@dataclass(frozen=True)
class Wanted:
    """What an order must end as. None: no body says it."""

    currency: str | None
    total: str | None
    placed_at: str | None
    pending: bool
    lines: tuple[Line, ...] | None


def wanted(given: Iterable[Body]) -> dict[str, Wanted]:
    """Field by field, the newest well-formed body that says it; the later fed of equals."""
    by_order: dict[str, list[Body]] = {}
    for body in given:
        if body.well_formed:
            by_order.setdefault(str(body.external_id), []).append(body)
    found = {}
    for external_id, said in by_order.items():
        numbered = sorted(enumerate(said), key=lambda pair: (pair[1].version, pair[0]), reverse=True)
        newest_first = [body for _, body in numbered]
        states = [body for body in newest_first if body.placed_at is not None]
        found[external_id] = Wanted(
            currency=next((body.currency for body in newest_first if body.currency), None),
            total=next((body.total for body in newest_first if body.total), None),
            placed_at=next((body.placed_at for body in newest_first if body.placed_at), None),
            pending=bool(states) and states[0].pending,
            lines=next((body.lines for body in newest_first if body.lines is not None), None),
        )
    return found


def expected_statuses(given: Sequence[Body]) -> list[frozenset[str]]:
    """What may become of each body fed in this order. What is told apart: a body equal to the last, an older one, one
    that cannot be kept, one of a pending order (held), and any other."""
    last: dict[str, Body] = {}
    outcomes: list[frozenset[str]] = []
    for body in given:
        before = last.get(str(body.external_id))
        if not body.well_formed:
            outcomes.append(frozenset({"parked", "held"}))
            continue
        if before is not None and _content(before) == _content(body):
            outcomes.append(frozenset({"duplicate", "held"}))
        elif before is not None and body.version < before.version:
            outcomes.append(frozenset({"superseded", "applied"}))
        elif body.pending or body.lines is None:
            outcomes.append(frozenset({"held", "applied"}))
        else:
            outcomes.append(frozenset({"applied"}))
        if before is None or body.version >= before.version:
            last[str(body.external_id)] = body
    return outcomes


def disagreements(orders: Sequence[Mapping[str, Any]], source: str) -> list[str]:
    """Orders as `hub orders show --json` prints them against what the bodies say."""
    expected = wanted(bodies(source))
    found = {str(order["external_id"]): order for order in orders}
    differences = [f"{name}: missing" for name in expected.keys() - found.keys()]
    differences += [f"{name}: nobody sent it" for name in found.keys() - expected.keys()]
    differences += [
        f"{name}: twice" for name, count in Counter(str(o["external_id"]) for o in orders).items() if count > 1
    ]
    for external_id in sorted(expected.keys() & found.keys()):
        differences += [f"{external_id} {one}" for one in _differences(found[external_id], expected[external_id])]
    return differences


def _differences(order: Mapping[str, Any], want: Wanted) -> Iterator[str]:
    if want.currency is not None and order["currency"] != want.currency:
        yield f"currency: {order['currency']} instead of {want.currency}"
    total = order["document"].get("totals", {}).get("total")
    if total != want.total:
        yield f"total: {total} instead of {want.total}"
    if want.placed_at is not None and _version(order["placed_at"]) != _version(want.placed_at):
        yield f"placed_at: {order['placed_at']} instead of {want.placed_at}"
    held = any(hold["rule"] == "pending" and hold["released_at"] is None for hold in order["holds"])
    if held != (want.pending and order["effects"] != "none"):
        yield f"pending: {held} instead of {want.pending}"
    lines = {line["external_line_id"]: line for line in order["lines"]}
    if len(lines) != len(want.lines or ()):
        yield f"lines: {len(lines)} instead of {len(want.lines or ())}"
    for line in want.lines or ():
        ours = lines.get(line.external_line_id)
        if ours is None:
            yield f"lines.{line.external_line_id}: missing"
            continue
        details = ours["document"]["details"]
        for name, expected, said in (
            ("sku", line.sku, ours["sku"]),
            ("quantity", line.quantity, ours["ordered"]),
            ("unit_price", line.unit_price, details.get("unit_price")),
            ("total", line.total, details.get("total")),
        ):
            if expected is not None and not _same(expected, said):
                yield f"lines.{line.external_line_id}.{name}: {said} instead of {expected}"


def _same(expected: str, said: object) -> bool:
    if said is None:
        return False
    try:
        return Decimal(expected) == Decimal(str(said))
    except ArithmeticError:
        return expected == said


def _content(body: Body) -> tuple[object, ...]:
    return (body.version, body.currency, body.total, body.placed_at, body.pending, body.lines)


def _amount(money: Any, name: str = "amount") -> str | None:
    return money.get(name) if isinstance(money, dict) else None


def _currency(money: Iterable[Any], name: str = "currencyCode") -> str | None:
    return next((one[name] for one in money if isinstance(one, dict) and one.get(name)), None)


def _version(text: str | None) -> str:
    if not text:
        return ""
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def report(folder: Path) -> list[dict[str, Any]]:
    """One row a source, each fed through a connection of its own."""
    # The hub is run as a process; only the way of running it is shared with the other sources.
    from tests.conformance import feed

    hub = feed.Hub(folder, [])
    for source in SOURCES:
        (hub.config / "connections" / f"{source}.yaml").write_text(CONNECTION.format(source=source), encoding="utf-8")
    rows = []
    for source in SOURCES:
        given, fed = bodies(source), folder / "fed" / source
        fed.mkdir(parents=True)
        paths = []
        for path in files(source):
            # The bytes of the answer, not our reading of them: numbers stay numbers.
            paths.append(fed / path.name)
            paths[-1].write_text(json.dumps(json.loads(path.read_bytes())["response"]), encoding="utf-8")
        items = list(hub.run("ingest", source, *map(str, paths))["items"])
        before = _shown(hub, source)
        again = list(hub.run("ingest", source, *map(str, paths))["items"])
        after = _shown(hub, source)
        outcomes = Counter(item["status"] for item in items)
        pairs = list(zip(given, items, expected_statuses(given), strict=True))
        taken = [body for body, item, _ in pairs if body.well_formed and item["status"] in TAKEN]
        rows.append(
            {
                "source": source,
                "fed": len(items),
                "well_formed": sum(body.well_formed for body in given),
                "share_applied": round(len(taken) / sum(body.well_formed for body in given), 4),
                **{status: outcomes.get(status, 0) for status in (*TAKEN, "parked", "unparsable")},
                "reasons": sorted({str((item["error"] or {}).get("code")) for item in items if item["error"]}),
                "unexpected": [f"{body}: {item['status']}" for body, item, may in pairs if item["status"] not in may],
                "changed_by_feeding_twice": sum(one != other for one, other in zip(before, after, strict=True)),
                "second_feeding": dict(Counter(item["status"] for item in again)),
                "disagreements": disagreements(after, source),
            }
        )
    return rows


def _shown(hub: Any, source: str) -> list[dict[str, Any]]:
    """Orders without what every feeding leaves behind: when, and the timeline."""
    # Read as `hub orders show --json` reads them, without a process for each.
    from hub.store.reading import open_reading
    from hub.views.orders import list_orders, show_order

    kept = ("external_id", "currency", "total", "placed_at", "status", "effects", "lines", "holds", "document")
    with open_reading("hub.db", home=hub.home) as connection:
        listed = list_orders(connection, channel=source, limit=1000)
        orders = [show_order(connection, row["id"]) or {} for row in listed]
    return [json.loads(json.dumps({name: order[name] for name in kept}, default=str)) for order in orders]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not available():
        print(f"the samples are not there: {CORPORA}", file=sys.stderr)
        return 5
    with tempfile.TemporaryDirectory() as folder:
        rows = report(Path(folder))
    if options.json:
        print(json.dumps({"items": rows}))
    else:
        for row in rows:
            print(" ".join(f"{name}={value}" for name, value in row.items()))
    return int(any(row["disagreements"] or row["unexpected"] or row["share_applied"] < 0.9 for row in rows))


if __name__ == "__main__":
    sys.exit(main())
