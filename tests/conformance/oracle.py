"""What the raw order bodies of public samples say, read without any of the hub's code.

Every number stays the text that was written. The oracle gives each body's identity, amounts and lines, what must become
of it when the bodies of a source are fed in order, and the state that each order must end in; `compare` holds applied
orders against that.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
CORPORA = CHECKOUT.parent / "shared" / "corpora"
LIST = Path(__file__).with_name("files.yaml")

TOTALS = {
    "lines": "total_line_items_price",
    "discounts": "total_discounts",
    "subtotal": "subtotal_price",
    "tax": "total_tax",
    "total": "total_price",
    "current_total": "current_total_price",
    "outstanding": "total_outstanding",
}
"""Our word for a total -> the vendor's."""


@dataclass(frozen=True)
class Line:
    """Quantities and price as written; None where the body says nothing."""

    external_line_id: str
    sku: str | None
    quantity: str | None
    current_quantity: str | None
    unit_price: str | None


@dataclass(frozen=True)
class Body:
    """One order body; `raw` is what is fed, a bare object as a webhook carries it.

    `version` is its updated_at as UTC text with microseconds, "" where it has none. `defects` say why it is no order in
    full.
    """

    source: str
    path: str
    index: int
    raw: bytes
    digest: str
    external_id: str | None
    currency: str | None
    version: str
    totals: Mapping[str, str]
    lines: tuple[Line, ...] | None
    defects: tuple[str, ...] = field(default=())

    @property
    def well_formed(self) -> bool:
        """An order in full: id, currency, and lines with id and quantity."""
        return not self.defects

    def __str__(self) -> str:
        return f"{self.path}#{self.index}"


@dataclass(frozen=True)
class Disagreement:
    external_id: str
    field: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.external_id} {self.field}: {self.found} instead of {self.expected}"


def available() -> bool:
    return CORPORA.is_dir()


def sources() -> dict[str, list[tuple[str, str]]]:
    """Source -> (path below the corpora, key to unwrap), in the order of feeding."""
    listed = yaml.safe_load(LIST.read_text(encoding="utf-8"))["sources"]
    return {name: [(entry["path"], entry["unwrap"]) for entry in source["files"]] for name, source in listed.items()}


def bodies(source: str) -> list[Body]:
    """Every order body of a source, in the order of feeding."""
    found: list[Body] = []
    for path, unwrap in sources()[source]:
        data = (CORPORA / path).read_bytes()
        texts = _unwrapped(json.loads(data, parse_float=str, parse_int=str), unwrap)
        values = _unwrapped(json.loads(data), unwrap)
        for index, (order, value) in enumerate(zip(texts, values, strict=True)):
            raw = json.dumps(value, ensure_ascii=False).encode()
            if json.loads(raw, parse_float=str, parse_int=str) != order:
                raise ValueError(f"{path}#{index} cannot be written again as it was")
            found.append(_body(source, path, index, raw, order))
    return found


def _unwrapped(tree: dict[str, Any], key: str) -> list[dict[str, Any]]:
    content = tree[key]
    return content if isinstance(content, list) else [content]


def expected_outcomes(given: Sequence[Body]) -> list[str]:
    """What becomes of each body fed in this order: applied, duplicate, superseded, or parked (no identity or currency).

    A body equal to the last applied one of its order is a duplicate; an older version is superseded; an equal version
    with other content is applied, the later received wins. A body without version counts as older than any.
    """
    last: dict[str, Body] = {}
    outcomes: list[str] = []
    for body in given:
        if body.external_id is None:
            outcomes.append("parked")
            continue
        before = last.get(body.external_id)
        if before is None:
            outcomes.append("applied" if body.currency else "parked")
            if body.currency:
                last[body.external_id] = body
        elif before.digest == body.digest:
            outcomes.append("duplicate")
        elif body.version < before.version:
            outcomes.append("superseded")
        else:
            outcomes.append("applied")
            last[body.external_id] = body
    return outcomes


def final_orders(given: Iterable[Body]) -> dict[str, Body]:
    """The body that states each order in the end: the newest well-formed one, the later received of equals."""
    newest: dict[str, Body] = {}
    for body in given:
        if body.external_id is None or not body.well_formed:
            continue
        before = newest.get(body.external_id)
        if before is None or body.version >= before.version:
            newest[body.external_id] = body
    return newest


def compare(applied_orders: Sequence[Mapping[str, Any]], source: str) -> list[Disagreement]:
    """Applied orders of one source against its bodies. An order is a plain dict: external_id, currency, totals, lines
    with external_line_id, sku and quantity; amounts and quantities as text. Missing and surplus orders disagree."""
    wanted = final_orders(bodies(source))
    found = {str(order.get("external_id")): order for order in applied_orders}
    differences = [Disagreement(i, "order", "applied", "missing") for i in wanted if i not in found]
    differences += [Disagreement(i, "order", "no such order", "applied") for i in found if i not in wanted]
    differences += [
        Disagreement(str(order.get("external_id")), "order", "one", "twice") for order in _repeated(applied_orders)
    ]
    for external_id, body in wanted.items():
        if external_id in found:
            differences += compare_order(found[external_id], body)
    return differences


def compare_order(order: Mapping[str, Any], body: Body) -> list[Disagreement]:
    """One order against the body that states it, field by field. Texts compare as texts, amounts as numbers."""
    external_id = body.external_id or ""
    differences: list[Disagreement] = []

    def check(name: str, expected: str | None, found: object, *, number: bool = False) -> None:
        same = _same_number(expected, found) if number else expected == found
        if not same:
            differences.append(Disagreement(external_id, name, str(expected), str(found)))

    check("external_id", body.external_id, order.get("external_id"))
    check("currency", body.currency, order.get("currency"))
    totals = order.get("totals") or {}
    for name, amount in body.totals.items():
        check(f"totals.{name}", amount, totals.get(name), number=True)
    if body.lines is None:
        return differences
    lines = {line.get("external_line_id"): line for line in order.get("lines") or []}
    check("lines", str(len(body.lines)), str(len(order.get("lines") or [])))
    for line in body.lines:
        where = f"lines.{line.external_line_id}"
        if line.external_line_id not in lines:
            differences.append(Disagreement(external_id, where, "a line", "nothing"))
            continue
        ours = lines[line.external_line_id]
        check(f"{where}.sku", line.sku, ours.get("sku"))
        check(f"{where}.quantity", line.quantity, ours.get("quantity"), number=True)
        for name, value in (("current_quantity", line.current_quantity), ("unit_price", line.unit_price)):
            if name in ours:
                check(f"{where}.{name}", value, ours[name], number=True)
    return differences


def _body(source: str, path: str, index: int, raw: bytes, order: dict[str, Any]) -> Body:
    lines = order.get("line_items")
    external_id = order.get("id")
    defects = []
    if not external_id:
        defects.append("no id")
    if not order.get("currency"):
        defects.append("no currency")
    if not lines:
        defects.append("no lines")
    elif any(not line.get("id") or line.get("quantity") is None for line in lines):
        defects.append("a line without id or quantity")
    return Body(
        source=source,
        path=path,
        index=index,
        raw=raw,
        digest=hashlib.sha256(json.dumps(order, sort_keys=True).encode()).hexdigest(),
        external_id=str(external_id) if external_id else None,
        currency=order.get("currency"),
        version=_utc(order.get("updated_at")),
        totals={ours: str(order[theirs]) for ours, theirs in TOTALS.items() if order.get(theirs) is not None},
        lines=None if lines is None else tuple(map(_line, lines)),
        defects=tuple(defects),
    )


def _line(line: dict[str, Any]) -> Line:
    def text(name: str) -> str | None:
        value = line.get(name)
        return None if value is None or value == "" else str(value)

    return Line(str(line.get("id")), text("sku"), text("quantity"), text("current_quantity"), text("price"))


def _utc(text: str | None) -> str:
    if not text:
        return ""
    moment = dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").astimezone(dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"


def _same_number(expected: str | None, found: object) -> bool:
    if expected is None or found is None:
        return expected is None and found is None
    return isinstance(found, str) and Decimal(expected) == Decimal(found)


def _repeated(orders: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    seen: set[object] = set()
    again = []
    for order in orders:
        if order.get("external_id") in seen:
            again.append(order)
        seen.add(order.get("external_id"))
    return again
