"""What a channel hears of a change that it asked for: once, when all of it is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.domain.change import ChangeState
from hub.domain.money import decimal_text
from hub.domain.order import OrderLine
from hub.domain.quantity import LEFT
from hub.oms.desk.load import Case
from hub.oms.desk.times import instant_text
from hub.oms.telling.tell import push

ZERO = Decimal(0)
ACCEPTED, IN_PART, DECLINED = "accepted", "accepted_in_part", "declined"


@dataclass(frozen=True, slots=True)
class Decided:
    """What a change came to. `lines`: line id -> (wanted before, wanted by it); `kept`: line id -> what of it should
    have gone and stays."""

    state: ChangeState
    why: str
    lines: Mapping[str, tuple[Decimal, Decimal]]
    kept: Mapping[str, Decimal]


def hears_of_changes(case: Case) -> bool:
    """The channel is answered line by line."""
    return case.channel is not None and "change_response" in case.channel.capabilities and case.acts


def change_response(case: Case, change_id: str, asked: Mapping[str, Any], decided: Decided) -> None:
    """`asked`: what the change keeps of the channel's own words (reference, cancel, lines)."""
    order = case.order
    lines = [_line(case, said, decided) for said in asked["lines"]]
    record: dict[str, Any] = {
        "change": change_id,
        "order": order.id,
        "order_external_id": order.external_id,
        "order_number": order.number,
        "order_placed_at": instant_text(order.placed_at) if order.placed_at else None,
        "reference": asked.get("reference"),
        "cancel": asked.get("cancel"),
        "decided_at": instant_text(case.now),
        "currency": order.currency,
        "verdict": _verdict(decided, lines),
        "why": decided.why,
        "lines": lines,
    }
    push(case, "change_response", f"change/{change_id}", f"change/{change_id}", record, refs={"change": change_id})


def _verdict(decided: Decided, lines: list[dict[str, Any]]) -> str:
    if decided.state is ChangeState.DECLINED:
        return DECLINED
    return IN_PART if decided.why or any(line["verdict"] != ACCEPTED for line in lines) else ACCEPTED


def _line(case: Case, said: Mapping[str, Any], decided: Decided) -> dict[str, Any]:
    line = next((one for one in case.order.lines if _is(one, said)), None)
    verdict, why = ACCEPTED, str(said.get("why", ""))
    stays = decided.kept.get(line.id, ZERO) if line is not None else ZERO
    if said.get("declined") or decided.state is ChangeState.DECLINED:
        verdict, why = DECLINED, why or decided.why
    elif line is not None and stays > 0:
        before, wanted = decided.lines[line.id]
        verdict = DECLINED if stays >= before - wanted else IN_PART
        why = f"{decimal_text(stays)} cannot be taken back any more"
    elif why:
        verdict = IN_PART
    told: dict[str, Any] = {
        "external_line_id": said.get("external_line_id"),
        "action": said["action"],
        "sku": said.get("sku"),
        "asked": said.get("asked"),
        "unit": said.get("unit"),
        "verdict": verdict,
        "why": why,
    }
    if line is not None:
        told["quantity"] = decimal_text(line.live)
        told["open"] = decimal_text(max(line.live - line.ledger.sum(LEFT), ZERO))
        told["unit"] = line.details.get("unit") or told["unit"]
        told["unit_price"] = line.details.get("unit_price")
    return {name: value for name, value in told.items() if value not in (None, "")}


def _is(line: OrderLine, said: Mapping[str, Any]) -> bool:
    if said.get("line"):
        return bool(line.id == said["line"])
    return not said.get("declined") and line.external_line_id == said.get("external_line_id")
