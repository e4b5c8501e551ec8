"""What the shop shows of its stock, item by item and location by location."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.shopify import queries
from connectors.shopify.admin_api import AdminApi
from connectors.shopify.gids import legacy_id
from hub.sdk.lenient import decimal_at, node_at, nodes_at, text_at
from hub.sdk.records import ShownLevel

_ITEMS_PER_PAGE = 50


def shown_levels(api: AdminApi, location: str) -> Iterator[ShownLevel]:
    """`location`: of the connection, where it tells its stock at one alone. Items without a SKU are left out."""
    after: str | None = None
    while True:
        variables = {"first": _ITEMS_PER_PAGE, "after": after}
        page = node_at(api.read("InventoryLevels", queries.INVENTORY_LEVELS, variables, None).data, "inventoryItems")
        for item in nodes_at(page, "nodes"):
            sku = text_at(item, "sku")
            for level in nodes_at(node_at(item, "inventoryLevels"), "nodes") if sku else ():
                place = text_at(node_at(level, "location"), "id") or ""
                number = str(legacy_id(place) or "")
                known = [decimal_at(one, "quantity") for one in nodes_at(level, "quantities")]
                if sku and known and known[0] is not None:
                    own = ("",) if location and location in (place, number) else ()
                    yield ShownLevel(sku, (place, number, *own), known[0])
        info = node_at(page, "pageInfo")
        after = text_at(info, "endCursor")
        if info.get("hasNextPage") is not True or after is None:
            return
