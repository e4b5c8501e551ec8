"""Every page, for everything that can stand on it, and for whoever may see it."""

from __future__ import annotations

import re

import pytest

from hub.domain.writeset import WriteSet
from hub.views.states import DELIVERY_STATES, ORDER_STATES
from hub.web.pages import ROUTES
from hub.web.show import text_of
from tests.web.floor import MARKUP, Floor, Visitor

LISTS = (
    "/",
    "/orders",
    "/returns",
    "/payments",
    "/payouts",
    "/exceptions",
    "/deliveries",
    "/inventory",
    "/work",
    "/connections",
)


def addresses(floor: Floor) -> list[str]:
    """Every page there is, with the ids of what is on the floor."""
    found = [*LISTS, "/exceptions?state=resolved", "/deliveries?state=all", "/inventory/sku?sku=SKU-001"]
    found += [f"/orders/{order}" for order in (*floor.orders.values(), floor.hostile)]
    found += [f"/deliveries/{one}" for one in floor.deliveries.values()]
    for table in ("exceptions", "messages", "receipts"):
        found += [f"/{table}/{row['id']}" for row in floor.rows(table)]
    found += [f"/work/{one}" for one in floor.hub.loaded.bundle.locations]
    found += [f"/connections/{one}" for one in floor.hub.loaded.bundle.connections]
    return found


def test_the_floor_holds_every_state(floor: Floor) -> None:
    assert set(floor.orders) == set(ORDER_STATES)
    assert set(floor.deliveries) == set(DELIVERY_STATES)
    assert {row["state"] for row in floor.rows("messages")} > {"parked"}
    assert {row["state"] for row in floor.rows("receipts")} == {"parsed", "unparsable"}


def test_every_page_shows_everything_without_markup_of_senders(floor: Floor) -> None:
    visitor = floor.visitor()
    for address in addresses(floor):
        text = visitor.page(address)
        assert not [mark for mark in MARKUP if mark in text], address
        assert text.count("<script") == 1, address
        assert 'style="' not in text, address
        assert text.count("<h1>") == 1, address


def test_pages_forbid_scripts_frames_and_other_sites(floor: Floor) -> None:
    answer = floor.visitor().get("/orders")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert not re.findall(r"https?://(?!127\.0\.0\.1)", re.sub(r"<pre.*?</pre>", "", answer.text, flags=re.DOTALL))


def test_links_lead_somewhere(floor: Floor) -> None:
    visitor = floor.visitor()
    seen = set()
    for address in (*LISTS, f"/orders/{floor.orders['confirmed']}", f"/orders/{floor.hostile}"):
        for link in re.findall(r'href="(/[^"]*)"', visitor.page(address)):
            if link not in seen:
                seen.add(link)
                answer = visitor.get(link.replace("&amp;", "&"))
                assert answer.status_code == 200, link
    assert len(seen) > 30


@pytest.mark.parametrize("state", ORDER_STATES)
def test_an_order_says_its_state_in_one_sentence(floor: Floor, state: str) -> None:
    text = floor.visitor().page(f"/orders/{floor.orders[state]}")
    lead = re.search(r'<p class="lead">(.*?)</p>', text, re.DOTALL)
    assert lead
    assert lead[1].strip().endswith(".")


def test_quantities_and_money_of_an_order_add_up(floor: Floor) -> None:
    text = re.sub(r"\s+", " ", floor.visitor().page(f"/orders/{floor.orders['confirmed']}"))
    assert re.search(r"= 2 ?</td>", text)
    assert '<td>Goods</td><td class="number">19.90 USD</td>' in text
    assert '<td>Total as the channel states it</td><td class="number">19.90 USD</td>' in text
    assert "do not add up" not in text


@pytest.mark.parametrize("asked", ["PHONE-3", "P3"])
def test_an_order_is_found_by_its_names(floor: Floor, asked: str) -> None:
    answer = floor.visitor().get("/orders", q=asked)
    assert re.search(r"/orders/or_[0-9a-z]+$", answer.url)


def test_an_order_that_its_channel_changed_shows_what_changed(own_floor: Floor) -> None:
    order = own_floor.order("PHONE-CHANGED")
    own_floor.hub.engine.run_until_idle(20)
    less = {"external_line_id": "1", "sku": "SKU-001", "quantity": "1", "unit_price": "9.95"}
    own_floor.order("PHONE-CHANGED", lines=[less], totals={"total": "9.95"})
    text = own_floor.visitor().page(f"/orders/{order}")
    assert "SKU-001: 2 → 1" in text


def test_an_order_is_found_by_its_tracking_number(own_floor: Floor) -> None:
    order, now = own_floor.order("PHONE-1"), own_floor.hub.clock.now()
    package = {"package": "1", "tracking_number": "1Z_999%AA", "lines": []}
    writes = WriteSet()
    row = {"id": "sh_1", "order_id": order, "fulfilment_order_id": "fo_1", "location": "dc-east", "external_id": "S-1"}
    writes.insert("shipments", {**row, "shipped_at": now, "created_at": now, "document": {"packages": [package]}})
    own_floor.hub.store.apply([writes])
    visitor = own_floor.visitor()
    assert visitor.get("/orders", q="1Z_999%AA").url.endswith(f"/orders/{order}")
    assert "1Z_999%AA" in visitor.page(f"/orders/{order}")
    for other in ("1Z_999", "1Zx999%AA", "1Z_999xAA", "%%%%%%%", "_________"):
        assert "No orders fit" in visitor.page("/orders", q=other)


def test_orders_are_found_by_a_sku_and_filtered(floor: Floor) -> None:
    visitor = floor.visitor()
    assert visitor.page("/orders", q="SKU-001").count('<tr><td><a href="/orders/or_') >= len(ORDER_STATES)
    assert "No orders fit" in visitor.page("/orders", q="nothing has this name")
    for state in ORDER_STATES:
        shown = visitor.page("/orders", status=state)
        assert floor.orders[state] in shown
    assert "No orders fit" in visitor.page("/orders", channel="erp-soap")


def test_pages_of_a_list_hold_every_order_once(own_floor: Floor) -> None:
    made = {own_floor.order(f"X-{number}") for number in range(53)}
    visitor = own_floor.visitor()
    seen: list[str] = []
    address = "/orders"
    while address:
        text = visitor.page(address)
        seen += re.findall(r'<tr><td><a href="/orders/(or_[^"]+)"', text)
        more = re.search(r'class="pages"><a href="([^"]+)"', text)
        address = more[1].replace("&amp;", "&") if more else ""
    assert len(seen) == 53
    assert set(seen) == made


ODD = [
    "%00",
    "%ff%fe",
    "'",
    "' OR 1=1 --",
    "x" * 1_000,
    "%0d%0aSet-Cookie:a=b",
    "-1",
    "..%2f..",
    "{{7*7}}",
    "%F0%9F%92%A9",
    "",
]


@pytest.mark.parametrize("odd", ODD)
def test_odd_addresses_get_pages_and_never_a_failure(floor: Floor, odd: str) -> None:
    visitor = floor.visitor()
    for name in ("q", "status", "channel", "before", "after", "at", "state", "kind", "destination", "sku", "location"):
        for path in (*LISTS, "/inventory/sku"):
            answer = visitor.get(f"{path}?{name}={odd}&{name}={odd}")
            assert answer.status_code < 500, (path, name, odd)
            assert "49" not in re.findall(r'value="(\d+)"', answer.text)
    for path in ("orders", "exceptions", "deliveries", "connections", "messages", "receipts", "static", "nowhere"):
        assert visitor.get(f"/{path}/{odd or '-'}").status_code in (400, 404, 414)


def test_methods_that_a_page_does_not_take_are_refused(floor: Floor) -> None:
    visitor = floor.visitor()
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "POST"):
        answer = visitor.session.request(method, f"{floor.url}/orders", timeout=20, data={"a": "b"})
        assert answer.status_code == 405
    head = visitor.session.head(f"{floor.url}/orders", timeout=20)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * 70_000, 413),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(600)), 400),
        ("application/x-www-form-urlencoded", b"\xff\xfe=%zz&csrf=%ff", 403),
        ("application/x-www-form-urlencoded", "csrf=ä".encode(), 403),
    ],
)
def test_bodies_that_are_no_forms_are_refused(floor: Floor, kind: str, body: bytes, status: int) -> None:
    visitor = floor.visitor()
    answer = visitor.session.post(
        f"{floor.url}/exceptions/retry", data=body, headers={"Content-Type": kind}, timeout=20
    )
    assert answer.status_code == status


def test_bytes_are_shown_as_text_and_saved_as_a_file(floor: Floor) -> None:
    visitor = floor.visitor()
    broken = next(row for row in floor.rows("receipts") if row["state"] == "unparsable")
    text = visitor.page(f"/receipts/{broken['id']}")
    assert "&lt;script&gt;alert(2)" in text
    saved = visitor.get(f"/receipts/{broken['id']}/body")
    assert saved.content == b"<script>alert(2)"
    assert saved.headers["content-type"] == "application/octet-stream"
    assert saved.headers["content-disposition"].startswith("attachment")


def test_numbers_of_a_payload_keep_their_digits() -> None:
    shown = text_of(b'{"a": 1.10, "b": 12345678901234567890, "c": "1.10", "d": 1E+2}')
    assert '"a": 1.10' in shown
    assert '"b": 12345678901234567890' in shown
    assert '"c": "1.10"' in shown
    assert '"d": 1E+2' in shown
    assert text_of(b"{broken") == "{broken"
    assert text_of(b"[" * 100_000).endswith("bytes more")


def test_pages_without_a_login_say_nothing(floor: Floor) -> None:
    stranger = Visitor(floor.url)
    for address in addresses(floor):
        answer = stranger.get(address, follow=False)
        assert (answer.status_code, answer.headers["location"], answer.text) == (303, "/login", ""), address
    for route in ROUTES:
        if route.method == "POST" and not route.open:
            path = re.sub(r"\(\?P<\w+>[^)]*\)", "x", route.pattern.pattern)
            assert stranger.post(path, {"csrf": "0" * 64}).status_code == 403, path


def test_a_key_opens_the_pages_of_its_scopes(floor: Floor) -> None:
    seller = floor.visitor("orders:read")
    assert seller.get("/orders").status_code == 200
    assert "What you can do" not in seller.page(f"/orders/{floor.orders['confirmed']}")
    assert seller.get("/").url.endswith("/orders")
    assert seller.post("/logout", {"csrf": seller.csrf()}).url.endswith("/login")
    seller = floor.visitor("orders:read")
    for path in ("/exceptions", "/deliveries", "/inventory", "/connections"):
        assert seller.get(path).status_code == 403
    assert floor.visitor("bodies:read").get("/").status_code == 403
    watcher = floor.visitor("monitor")
    delivery = next(iter(floor.deliveries.values()))
    assert "you would need the scope bodies:read" in watcher.page(f"/deliveries/{delivery}")
    assert watcher.get(f"/deliveries/{delivery}/body").status_code == 403
    assert '<form method="post" action="/deliveries' not in watcher.page(f"/deliveries/{delivery}")
