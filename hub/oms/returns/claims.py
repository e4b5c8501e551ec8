"""Claims on supply follow the ledger: the claims of a line sum to what of it is preordered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

from hub.domain.decision import TaskRequest
from hub.domain.order import OrderLine
from hub.domain.quantity import Bucket
from hub.domain.supply import Claim, SupplyChange
from hub.oms.desk.load import Case

ZERO = Decimal(0)
REDEAL = "redeal_supply"
"""Kind of the task that deals the supply of a SKU anew to those who wait; its subject is the SKU."""


def settle_claims(case: Case) -> None:
    """Follow the moves that were made since: goods that came end the earliest claims, what is no longer wanted the
    latest. (Moves between preordered and backordered are made with their claims.)"""
    for line in case.order.lines:
        moves = line.ledger.moves
        begin = case.settled_moves.get(line.id, 0)
        case.settled_moves[line.id] = len(moves)
        for move in moves[begin:]:
            if move.source is Bucket.PREORDERED and move.target is Bucket.ALLOCATED:
                _end(case, claims_of(case, line), move.quantity, fulfilled=True)
            elif move.source is Bucket.PREORDERED and move.target is not Bucket.BACKORDERED:
                _end(case, reversed(claims_of(case, line)), move.quantity, fulfilled=False)


def claims_of(case: Case, line: OrderLine) -> list[Claim]:
    """What the line is promised, earliest first."""
    found = [claim for claim in case.claims if claim.line_id == line.id and claim.quantity > 0]
    return sorted(found, key=lambda claim: (claim.due_at, claim.id))


def change_claim(case: Case, claim: Claim, quantity: Decimal, version: int | None = None) -> None:
    """Make a claim this much; `version`: of the supply, where the claim grows on what that version had left."""
    if claim.supply_id and quantity != claim.quantity:
        grows = version if quantity > claim.quantity else None
        case.supply.append(SupplyChange(claim.supply_id, quantity - claim.quantity, ZERO, grows))
    claim.quantity = quantity


def _end(case: Case, claims: Iterable[Claim], units: Decimal, *, fulfilled: bool) -> None:
    for claim in claims:
        part = min(units, claim.quantity)
        if part > 0:
            change_claim(case, claim, claim.quantity - part)
            if fulfilled and claim.supply_id:
                case.supply.append(SupplyChange(claim.supply_id, ZERO, part))
            units -= part
            case.decision.tasks.append(redeal_soon(claim.sku, case.now))


def redeal(sku: str, now: dt.datetime, cause: str) -> TaskRequest:
    """Ask for the supply of a SKU to be dealt anew, at once."""
    return TaskRequest(REDEAL, sku, now, f"{REDEAL}/{sku}/{cause}", {"sku": sku})


def redeal_soon(sku: str, now: dt.datetime) -> TaskRequest:
    """The same for what changes often: once a minute."""
    minute = now.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
    return TaskRequest(REDEAL, sku, minute, f"{REDEAL}/{sku}/{minute.isoformat()}", {"sku": sku})
