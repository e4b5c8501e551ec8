"""What a channel's change says of single lines, held against the order: what can be done of it, and why not more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.oms.desk.load import Case
from hub.oms.intake.listings import LISTING

ZERO = Decimal(0)
ADDED = "added"
_FOR_PEOPLE = {
    "dates": "its dates are not changed by a message",
    "terms": "its terms are not changed by a message",
    "other": "nothing here does what is asked of it",
    "replaced": "an item is not replaced in its line: remove the line and add another",
}


@dataclass(frozen=True, slots=True)
class AskedLine:
    """`line` None: a further one, or none that is known. `quantity`: wanted of it in all, None for what it is now.
    `declined`: nothing of it is done; `why` then says why, else what of it is not."""

    said: Mapping[str, Any]
    action: str
    line: OrderLine | None = None
    quantity: Decimal | None = None
    declined: bool = False
    why: str = ""

    @property
    def is_further(self) -> bool:
        return self.line is None and not self.declined

    def answer(self) -> dict[str, Any]:
        """As a change keeps it until it is answered; no personal data."""
        line = self.line
        kept: dict[str, Any] = {"action": self.action, "line": line.id if line is not None else ""}
        kept["external_line_id"] = line.external_line_id if line is not None else self.said.get("external_line_id")
        kept["sku"] = called(line) if line is not None else self.said.get(LISTING, self.said.get("sku"))
        kept["asked"] = decimal_text(self.quantity) if self.quantity is not None else None
        kept |= {"unit": self.said.get("unit"), "why": self.why, "declined": self.declined or None}
        return {name: value for name, value in kept.items() if value}


@dataclass(slots=True)
class Asked:
    """All of a change. `lines` in the order in which they were said."""

    lines: list[AskedLine] = field(default_factory=list)

    @property
    def changed(self) -> dict[str, Decimal]:
        """Line id -> what is wanted of it, where that is something else than now."""
        wanted = {one.line.id: one for one in self.lines if one.line is not None and not one.declined}
        return {
            line_id: one.quantity
            for line_id, one in wanted.items()
            if one.line is not None and one.quantity is not None and one.quantity != one.line.wish
        }

    @property
    def further(self) -> list[AskedLine]:
        return [one for one in self.lines if one.is_further]

    @property
    def problems(self) -> list[str]:
        return [one.why for one in self.lines if one.why]


def called(line: OrderLine) -> str | None:
    """The item as the channel calls it."""
    listing: str | None = line.details.get(LISTING) or line.sku
    return listing


def asked_of(case: Case, record: Mapping[str, Any]) -> Asked:
    """Everything that a change says of lines."""
    asked, present = Asked(), [line for line in case.order.lines if line.as_sold]
    if record.get("cancel"):
        asked.lines = [_removed(line) for line in present if line.wish > 0]
        return asked
    wanted = {line.id: line.wish for line in present}
    for said in record.get("lines") or ():
        one = _read(said, present, wanted)
        if one.line is not None and one.quantity is not None and not one.declined:
            wanted[one.line.id] = one.quantity
        asked.lines.append(one)
    if record.get("complete"):
        named = {one.line.id for one in asked.lines if one.line is not None}
        asked.lines += [_removed(line) for line in present if line.id not in named and line.wish > 0]
    return asked


def _removed(line: OrderLine) -> AskedLine:
    return AskedLine({}, "removed", line, ZERO)


def _read(said: Mapping[str, Any], present: Sequence[OrderLine], wanted: Mapping[str, Decimal]) -> AskedLine:
    told = str(said.get("action", ""))
    action = told or "changed"
    line, problem = _line_of(said, action, present)
    if problem:
        return AskedLine(said, action, line, declined=True, why=problem)
    if line is None:
        return _further(said, told)
    now = wanted[line.id]
    quantity = _quantity(said, action, now)
    problem = _against(said, action, line, now, quantity)
    if problem:
        return AskedLine(said, action, line, quantity, declined=True, why=problem)
    beside = [_FOR_PEOPLE.get(name, f"its {name} are not changed") for name in said.get("also", ())]
    why = f"of line {line.number} only the quantity is changed: {', '.join(beside)}" if beside else ""
    if beside and quantity in (None, now):
        return AskedLine(said, action, line, quantity, declined=True, why=f"line {line.number}: {', '.join(beside)}")
    return AskedLine(said, action, line, quantity, why=why)


def _line_of(said: Mapping[str, Any], action: str, present: Sequence[OrderLine]) -> tuple[OrderLine | None, str]:
    """The line that is meant, and what is wrong with that. A number is compared without leading zeros where it is
    none as it stands; without a number the item tells, if it does."""
    external_id, sku = str(said.get("external_line_id", "")), str(said.get("sku", ""))
    found = [line for line in present if external_id and line.external_line_id == external_id]
    if not found and external_id.strip("0").isdigit():
        found = [line for line in present if line.external_line_id.lstrip("0") == external_id.lstrip("0")]
    if len(found) > 1:
        return None, f"{external_id} may be several lines of the order"
    if found:
        line = found[0]
        others = [one for one in present if one is not line and sku in _names(one)]
        if sku and sku not in _names(line) and others:
            return line, f"line {line.number} is {called(line)}, and the change says {sku}"
        return line, ""
    if action == ADDED or not sku:
        return None, "" if external_id or sku else "a line of the change names neither line nor item"
    same = [line for line in present if sku in _names(line)]
    if external_id and not said.get("action"):
        return None, ""
    if len(same) > 1:
        return None, f"{sku} is on several lines of the order, and the change does not say which"
    return (same[0], "") if same else (None, "")


def _names(line: OrderLine) -> tuple[str, ...]:
    return tuple(name for name in (line.sku, called(line)) if name)


def _further(said: Mapping[str, Any], action: str) -> AskedLine:
    external_id, sku = str(said.get("external_line_id", "")), str(said.get("sku", ""))
    quantity = Decimal(str(said["quantity"])) if "quantity" in said else None
    if action not in ("", ADDED):
        name = external_id or sku
        return AskedLine(said, action, quantity=quantity, declined=True, why=f"the order has no line {name}")
    if not sku or not external_id or quantity is None or quantity <= 0:
        why = f"the further line {external_id or sku} needs a line id, a SKU and a quantity above zero"
        return AskedLine(said, ADDED, quantity=quantity, declined=True, why=why)
    return AskedLine(said, ADDED, quantity=quantity)


def _quantity(said: Mapping[str, Any], action: str, now: Decimal) -> Decimal | None:
    if action == "removed":
        return ZERO
    if action in ("price", "dates", "terms", "unchanged", "replaced", "other"):
        return None
    if "quantity" in said:
        return Decimal(str(said["quantity"]))
    return now + Decimal(str(said["quantity_by"])) if "quantity_by" in said else None


def _against(said: Mapping[str, Any], action: str, line: OrderLine, now: Decimal, quantity: Decimal | None) -> str:
    """Why it cannot be done; empty where it can."""
    name, has = f"line {line.number}", decimal_text(now)
    if action in _FOR_PEOPLE:
        return f"{name}: {_FOR_PEOPLE[action]}"
    if action == ADDED and quantity != now:
        return f"{name} is there already, with {has}"
    price, present = said.get("unit_price"), line.details.get("unit_price")
    asks_price = action in ("price", "price_and_quantity", "changed") and price is not None
    if asks_price and (present is None or Decimal(str(price)) != Decimal(str(present))):
        return f"{name} costs {present or 'what nobody has said'}; another price ({price}) is a person's to agree"
    if action in ("changed", "more", "less", "price_and_quantity") and quantity is None:
        return "" if said.get("also") or asks_price else f"for {name} the change says no quantity"
    if quantity is None:
        return ""
    told = decimal_text(quantity)
    if quantity < 0:
        return f"{name} has {has}, and cannot become {told}"
    unit = line.details.get("unit")
    if action != "removed" and unit and said.get("unit") and said["unit"] != unit:
        return f"{name} is ordered in {unit}, and the change counts in {said['unit']}"
    if (action == "more" and quantity < now) or (action == "less" and quantity > now):
        return f"{name} has {has}; {told} is not {action}. Perhaps the change tells differences where totals are agreed"
    return ""
