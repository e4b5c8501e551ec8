"""What the purchase orders (850) of public samples say, read without any of the hub's code.

A splitter of forty lines, text only. It knows where separators stand in an ISA, and nothing of loops: a PO1 is a line,
what stands between BEG and SE belongs to the order.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
CORPORA = CHECKOUT.parent / "shared" / "corpora"
FOLDERS = ("edi", "edi-net")


@dataclass(frozen=True)
class Line:
    """`price` None: not stated. `items` are all the numbers the line names its goods by."""

    id: str
    quantity: str
    price: str | None
    items: frozenset[str]


@dataclass(frozen=True)
class PurchaseOrder:
    """One 850. `version` is when its group was made. `copy`: its interchange came before in this source, the same."""

    source: str
    path: str
    position: int
    sender: str
    number: str
    date: str
    version: str
    currency: str | None
    lines: tuple[Line, ...]
    copy: bool
    defects: tuple[str, ...]

    @property
    def identity(self) -> tuple[str, str, str]:
        """Buyer, year and number."""
        return self.sender, self.date[:4], self.number

    @property
    def well_formed(self) -> bool:
        return not self.defects


def available() -> bool:
    return all((CORPORA / folder).is_dir() for folder in FOLDERS)


def sources() -> dict[str, list[Path]]:
    """Source folder -> its files that hold an 850, in order of names."""
    found: dict[str, list[Path]] = {}
    for folder in FOLDERS:
        for path in sorted((CORPORA / folder).rglob("*")):
            if path.is_file() and path.name != "SOURCE.txt" and _has_850(path.read_bytes()):
                parts = path.relative_to(CORPORA).parts
                found.setdefault(parts[1] if parts[0] == "edi" else parts[0], []).append(path)
    return found


def _has_850(body: bytes) -> bool:
    return b"ISA" in body[:4000] and re.search(rb"(?<![A-Za-z0-9])ST[^A-Za-z0-9 ]850[^A-Za-z0-9 ]", body) is not None


def text_of(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("latin-1")


def segments(text: str) -> list[list[list[str]]]:
    """Interchanges, each a list of segments, each a list of tag and elements."""
    found = []
    starts = [match.start() for match in re.finditer(r"ISA(?=[^A-Za-z0-9 ])", text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        part = text[start:end]
        separator = part[3]
        ends = [match.start() for match in re.finditer(re.escape(separator), part)][:16]
        component, rest = part[ends[15] + 1], part[ends[15] + 2 :]
        blanks = len(rest) - len(rest.lstrip(" "))
        terminator = rest[blanks] if blanks and rest[blanks] in "\r\n" else rest[0]
        cut = []
        for piece in part.split(terminator):
            clean = piece.strip() if terminator in "\r\n" else piece.replace("\r", "").replace("\n", "").strip()
            if clean:
                cut.append([element.rstrip(component).strip() for element in clean.split(separator)])
        found.append(cut)
    return found


def orders(source: str, files: Sequence[Path]) -> list[PurchaseOrder]:
    """Every 850 of a source, in the order of feeding."""
    found: list[PurchaseOrder] = []
    seen: set[str] = set()
    for path in files:
        position = 0
        for interchange in segments(text_of(path.read_bytes())):
            digest = hashlib.sha256(repr(interchange).encode()).hexdigest()
            copy = digest in seen
            seen.add(digest)
            sender, group = interchange[0][6], ["GS"] + [""] * 8
            body: list[list[str]] | None = None
            for segment in interchange:
                if segment[0] == "GS":
                    group = segment + [""] * 8
                elif segment[0] == "ST":
                    position += 1
                    body = [] if segment[1] == "850" else None
                elif segment[0] == "SE" and body is not None:
                    found.append(_order(source, path, position, sender, group, body, copy))
                    body = None
                elif body is not None:
                    body.append(segment)
    return found


def _order(
    source: str, path: Path, position: int, sender: str, group: list[str], body: list[list[str]], copy: bool
) -> PurchaseOrder:
    beg = next((segment + [""] * 6 for segment in body if segment[0] == "BEG"), [""] * 6)
    currency = next((segment[2] for segment in body if segment[0] == "CUR"), None)
    lines: list[Line] = []
    defects: list[str] = []
    for segment in body:
        if segment[0] == "PO1":
            lines.append(_line(segment + [""] * 6, len(lines) + 1))
    if not beg[3]:
        defects.append("no BEG03")
    if not lines:
        defects.append("no PO1")
    if any(_number(line.quantity) is None for line in lines):
        defects.append("a line without quantity")
    return PurchaseOrder(
        source=source,
        path=str(path.relative_to(CORPORA)),
        position=position,
        sender=sender,
        number=beg[3],
        date=_date(beg[5]),
        version=_date(group[4]) + group[5][:4],
        currency=currency,
        lines=tuple(lines),
        copy=copy,
        defects=tuple(defects),
    )


def _line(segment: list[str], ordinal: int) -> Line:
    items = frozenset(value for value in segment[7::2] if value)
    return Line(segment[1] or str(ordinal), segment[2], segment[4] or None, items)


def _date(text: str) -> str:
    if len(text) == 6:
        return ("19" if int(text[:2]) > 68 else "20") + text
    return text


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def expected(given: Sequence[PurchaseOrder]) -> list[str]:
    """What must become of each, fed in this order: taken, duplicate (its interchange came before, the same) or parked
    (it has no number, or another date under a number that its buyer has used this year)."""
    dates: dict[tuple[str, str, str], str] = {}
    outcomes = []
    for order in given:
        if order.copy:
            outcomes.append("duplicate")
        elif not order.number or dates.setdefault(order.identity, order.date) != order.date:
            outcomes.append("parked")
        else:
            outcomes.append("taken")
    return outcomes


def final_orders(given: Sequence[PurchaseOrder]) -> dict[tuple[str, str, str], PurchaseOrder]:
    """The 850 that states each order in the end: the newest, the later fed of equals."""
    newest: dict[tuple[str, str, str], PurchaseOrder] = {}
    for order, outcome in zip(given, expected(given), strict=True):
        if outcome != "taken":
            continue
        before = newest.get(order.identity)
        if before is None or order.version >= before.version:
            newest[order.identity] = order
    return newest


def compare(applied: Mapping[tuple[str, str, str], Mapping[str, object]], given: Sequence[PurchaseOrder]) -> list[str]:
    """Applied orders by identity (currency, and lines as (id, sku, quantity, price) texts) against what was fed. A line
    that is wanted no more stands with the quantity 0."""
    wanted = final_orders(given)
    differences = [f"{key}: missing" for key in wanted if key not in applied]
    differences += [f"{key}: nobody sent it" for key in applied if key not in wanted]
    for key, order in wanted.items():
        if key in applied:
            differences += [f"{key} {what}" for what in _differences(applied[key], order)]
    return differences


def _differences(found: Mapping[str, object], order: PurchaseOrder) -> list[str]:
    different = []
    if order.currency is not None and found["currency"] != order.currency:
        different.append(f"currency {found['currency']} instead of {order.currency}")
    assert isinstance(found["lines"], list)
    lines = [line for line in found["lines"] if Decimal(line[2])]
    stated = [line for line in order.lines if Decimal(line.quantity)]
    if len(lines) != len(stated):
        different.append(f"{len(lines)} lines instead of {len(stated)}")
        return different
    for line, (line_id, sku, quantity, price) in zip(stated, lines, strict=True):
        if line_id != line.id:
            different.append(f"line {line_id} instead of {line.id}")
        if Decimal(quantity) != Decimal(line.quantity):
            different.append(f"line {line.id}: quantity {quantity} instead of {line.quantity}")
        if (price is None) != (line.price is None) or (price and Decimal(price) != Decimal(line.price or "0")):
            different.append(f"line {line.id}: price {price} instead of {line.price}")
        if line.items and sku not in line.items:
            different.append(f"line {line.id}: sku {sku} is none of {sorted(line.items)}")
    return different
