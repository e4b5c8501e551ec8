"""The dashboard on PostgreSQL: every page, what is done on it, and imports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.actions import imports
from hub.runtime.configuration import Loaded
from hub.views.states import DELIVERY_STATES, ORDER_STATES
from tests.api.service import a_service
from tests.cli.site import SECRETS, SHOP
from tests.web.floor import Floor, a_floor, furnished
from tests.web.test_pages import addresses

pytestmark = pytest.mark.postgresql


@pytest.fixture
def floor(tmp_path: Path, with_pages: Loaded, postgresql_url: str) -> Iterator[Floor]:
    with (
        a_service(tmp_path, with_pages, None, SECRETS, postgresql_url) as service,
        a_floor(service, postgresql_url) as it,
    ):
        yield it


def test_every_page_is_there_and_its_forms_work(floor: Floor) -> None:
    furnished(floor, ORDER_STATES, DELIVERY_STATES)
    visitor = floor.visitor()
    for address in (*addresses(floor), "/orders?q=SKU-001", "/orders?q=TRACK-100200", "/orders?q=P3", "/orders?q=%00a"):
        assert visitor.get(address).status_code == 200, address
    page = f"/orders/{floor.hostile}"
    assert "goes on" in visitor.press(page, f"{page}/release", reason="all is well").text
    assert visitor.post("/logout", {"csrf": visitor.csrf()}).url.endswith("/login")


def test_imports_go_on_where_they_were(floor: Floor) -> None:
    stock = [
        {"index": number, "row": number, "values": {"sku": f"A-{number}", "location": "dc-east", "quantity": "1.5"}}
        for number in range(1, 151)
    ]
    job = imports.begin(floor.hub, "test", "stock", "stock.csv", "f" * 64, 150)["job"]
    assert imports.take(floor.hub, "test", job, stock[:70])["position"] == 70
    assert imports.take(floor.hub, "test", job, stock)["changed"] == 150
    assert imports.finish(floor.hub, "test", job)["state"] == "done"
    line = {"external_line_id": "1", "sku": "A-1", "quantity": "1", "unit_price": "5.00"}
    order = {"external_id": "OLD-1", "placed_at": "2025-01-01T00:00:00Z", "currency": "USD", "lines": [line]}
    options = {"channel": SHOP}
    job = imports.begin(floor.hub, "test", "orders", "o.json", "e" * 64, 1, options)["job"]
    done = imports.take(floor.hub, "test", job, [{"index": 1, "row": 1, "values": order}], options)
    assert (done["changed"], done["refused"]) == (1, 0)
    assert [row["effects"] for row in floor.rows("orders")] == ["none"]
