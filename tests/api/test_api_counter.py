"""Sales over a counter, written by the API: receipt numbers that come again belong to another store or day."""

from __future__ import annotations

from typing import Any

from tests.api.service import Service, an_order


def receipt(scope: str, **changes: Any) -> dict[str, Any]:
    record = an_order("0001", number=f"{scope}/0001", scope=scope, sold_at="dc-east", **changes)
    record.pop("ship_to")
    return record


def test_one_receipt_number_on_two_days_is_two_sales(service: Service) -> None:
    first = service.write(receipt("store-7/2026-11-20"))
    second = service.write(receipt("store-7/2026-11-21", placed_at="2026-11-21T09:30:00+01:00"))
    assert first["order"] != second["order"]
    assert service.write(receipt("store-7/2026-11-20"))["outcome"] == "unchanged"
    found = service.get(f"/v1/orders/{first['order']}")
    assert found["status"] == "closed"
    assert found["lines"][0]["quantities"] == {"handed_over": "2"}
    level = service.get("/v1/inventory/SKU-001")
    assert [(row["location"], row["on_hand"]) for row in level["locations"]] == [("dc-east", "-4")]
