"""A line that its channel states with another article than before.

As long as no location has anything of the line it simply is the other article: what was reserved or promised for it is
given back, and it is sourced anew. After that it stays what it was, because that is what will arrive; a person is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hub.domain.order import OrderLine
from hub.domain.quantity import AT_LOCATION, LEFT, Bucket
from hub.oms.desk.load import Case
from hub.oms.returns.claims import change_claim, claims_of, redeal_soon
from hub.oms.stock.reserve import trim

CAUSE = "goods-changed/"


def take_other_goods(case: Case, line: OrderLine, sku: str) -> bool:
    """Make the line one of this SKU; False where it must stay what it is."""
    if line.sku in (None, sku):
        line.sku = sku
        return True
    if line.is_kit or line.ledger.sum(AT_LOCATION) or line.ledger.sum(LEFT):
        return False
    for claim in claims_of(case, line) if line.ledger[Bucket.PREORDERED] else ():
        change_claim(case, claim, Decimal(0))
        case.decision.tasks.append(redeal_soon(claim.sku, case.now))
    line.ledger.move(Bucket.PREORDERED, Bucket.BACKORDERED, line.ledger[Bucket.PREORDERED])
    line.ledger.move(Bucket.ALLOCATED, Bucket.OPEN, line.ledger[Bucket.ALLOCATED])
    trim(case, line)
    line.sku = sku
    case.order.facts = {name: value for name, value in case.order.facts.items() if name != "sourced_for"}
    return True


def tell_of_other_goods(case: Case, kept: Sequence[tuple[OrderLine, str]]) -> None:
    """Tell a person of lines that stay what they were, with what their channel calls for now."""
    if not kept:
        case.clear_exception(f"{CAUSE}{case.order.id}", case.order.channel)
        return
    said = "; ".join(f"line {line.number}: {line.sku} before, {sku} now" for line, sku in kept)
    case.raise_exception(
        f"{CAUSE}{case.order.id}",
        "goods_changed",
        "The channel changes the article of a line that is worked on",
        f"{said}. What was begun goes on as it was.",
        "Where the other article is meant: take the line back and add the other one. Else correct the channel.",
        f"hub orders edit {case.order.id} --line N=0 --add SKU=QUANTITY@PRICE --reason WHY",
    )
