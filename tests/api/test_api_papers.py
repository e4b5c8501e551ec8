"""What people of a location print: what to pick, and what lies in the parcel."""

from __future__ import annotations

from typing import Any

from tests.api.service import Service
from tests.api.test_api_work import PLACE, submitted


def the_work(service: Service) -> dict[str, Any]:
    order = submitted(service)["order_id"]
    found: dict[str, Any] = service.get("/v1/fulfilment-orders", order=order)["items"][0]
    return found


def report(service: Service, work: dict[str, Any], status: str, **said: Any) -> None:
    answer = service.post(f"/v1/fulfilment-orders/{work['id']}/reports", {"status": status, **said}, once=status)
    assert answer.status == 200, answer.body


def test_what_is_to_pick_is_summed_by_article_and_shrinks_as_it_is_picked(service: Service) -> None:
    work = the_work(service)
    (item,) = service.get(f"/v1/locations/{PLACE}/pick-list")["items"]
    assert (item["sku"], item["quantity"]) == ("SKU-001", "2")
    assert [one["fulfilment_order"] for one in item["of"]] == [work["id"]]
    report(service, work, "picked", lines=[{"line": "SKU-001", "quantity": "1"}])
    (item,) = service.get(f"/v1/locations/{PLACE}/pick-list", order=work["order_id"])["items"]
    assert item["quantity"] == "1"
    assert service.asking("GET", "/v1/locations/nowhere/pick-list").status == 404


def test_the_slip_of_a_parcel_has_its_quantities_and_no_prices(service: Service) -> None:
    work = the_work(service)
    path = f"/v1/fulfilment-orders/{work['id']}/packing-slip"
    assert [line["quantity"] for line in service.get(path)["lines"]] == ["2"]
    lines = [{"line": "SKU-001", "quantity": "1"}]
    report(service, work, "shipped", lines=lines, carrier="Bike", tracking_number="B-1")
    slip = service.get(path, package="B-1")
    assert [(line["sku"], line["quantity"]) for line in slip["lines"]] == [("SKU-001", "1")]
    assert (slip["tracking_number"], slip["ship_to"]["name"]) == ("B-1", "A. Buyer")
    assert "price" not in str(slip)
    assert service.asking("GET", f"{path}?package=B-2").status == 404
