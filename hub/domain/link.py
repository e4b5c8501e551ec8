"""How orders belong together: one row a pair, told from the order that came later."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class LinkRole(enum.StrEnum):
    """What an order is to the other. Rows are written in the first column's words; the inverse is derived."""

    REPLACES = "replaces"
    REPLACED_BY = "replaced_by"
    REPLACEMENT_FOR = "replacement_for"
    REPLACEMENT = "replacement"
    EXCHANGE_FOR = "exchange_for"
    EXCHANGE = "exchange"
    TRANSFER_FOR = "transfer_for"
    TRANSFER = "transfer"
    SPLIT_OF = "split_of"
    SPLIT = "split"


R = LinkRole

INVERSE: dict[LinkRole, LinkRole] = {
    R.REPLACES: R.REPLACED_BY,
    R.REPLACEMENT_FOR: R.REPLACEMENT,
    R.EXCHANGE_FOR: R.EXCHANGE,
    R.TRANSFER_FOR: R.TRANSFER,
    R.SPLIT_OF: R.SPLIT,
}
"""Role as it is kept -> what the other order is to this one."""

MEANINGS: dict[LinkRole, str] = {
    R.REPLACES: "the channel edited the other order by placing this one",
    R.REPLACED_BY: "the channel edited this order by placing the other",
    R.REPLACEMENT_FOR: "sends goods of the other order again, for nothing",
    R.REPLACEMENT: "sends goods of this order again, for nothing",
    R.EXCHANGE_FOR: "sends other goods for what came back of the other order",
    R.EXCHANGE: "sends other goods for what came back of this order",
    R.TRANSFER_FOR: "brings goods to where the other order is handed over",
    R.TRANSFER: "brings goods to where this order is handed over",
    R.SPLIT_OF: "was part of the other order",
    R.SPLIT: "was split off this order",
}


@dataclass(frozen=True, slots=True)
class OrderLink:
    """`order_id` is `role` (one of INVERSE's keys) to `other_order_id`."""

    order_id: str
    other_order_id: str
    role: LinkRole

    @property
    def id(self) -> str:
        return f"{self.order_id}/{self.role}/{self.other_order_id}"


def link_of(order_id: str, role: LinkRole, other_order_id: str) -> OrderLink:
    """The link as it is kept, whichever side tells it."""
    if role in INVERSE:
        return OrderLink(order_id, other_order_id, role)
    kept = next(one for one, inverse in INVERSE.items() if inverse is role)
    return OrderLink(other_order_id, order_id, kept)


def role_of(order_id: str, link: OrderLink) -> LinkRole:
    """What `order_id` is to the other order of the link."""
    return link.role if order_id == link.order_id else INVERSE[link.role]


LETTERS: dict[LinkRole, str] = {
    R.REPLACES: "N",
    R.REPLACEMENT_FOR: "R",
    R.EXCHANGE_FOR: "X",
    R.TRANSFER_FOR: "T",
    R.SPLIT_OF: "S",
}
"""In the number that people see of an order made here: #1001-X1."""
