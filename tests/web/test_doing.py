"""What a person does on a page: once, by a form of their own session, audited with their name."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

import pytest

from hub.domain.writeset import WriteSet
from hub.web.pages import ROUTES
from tests.cli.site import SHOP
from tests.web.floor import HOSTILE, Floor, Visitor, handed_over


def said(text: str) -> str:
    found = re.search(r'<p class="said[^>]*>(.*?)</p>', text, re.DOTALL)
    assert found, "the page says nothing of what was done"
    return found[1]


def forms() -> list[str]:
    """Every address that a form of a session goes to."""
    return [
        re.sub(r"\(\?P<\w+>[^)]*\)", "x", route.pattern.pattern)
        for route in ROUTES
        if route.method == "POST" and not route.open
    ]


def test_an_order_is_held_released_and_cancelled_with_a_reason(own_floor: Floor) -> None:
    order = own_floor.order("PHONE-1")
    page = f"/orders/{order}"
    visitor = own_floor.visitor()
    held = visitor.press(page, f"{page}/hold", reason="they called")
    assert "is held" in said(held.text)
    assert "said" not in re.findall(r'class="(said[^"]*)"', visitor.page(page)), "it is said once"
    assert "goes on" in said(visitor.press(page, f"{page}/release", reason="all is well").text)
    assert "is being cancelled" in said(visitor.press(page, f"{page}/cancel", reason="no longer wanted").text)
    rows = own_floor.rows("audit", subject=order)
    done = [(row["action"], row["reason"]) for row in rows if row["who"].startswith("web:")]
    assert sorted(done) == [
        ("orders.cancel", "no longer wanted"),
        ("orders.hold", "they called"),
        ("orders.release", "all is well"),
    ]
    assert "they called" in visitor.page(page)


ENTRY = {
    "sku-1": "SKU-001",
    "quantity-1": "2",
    "price-1": "9.95",
    "shipping": "4.90",
    "currency": "usd",
    "payment_state": "paid",
    "buyer_name": "B. Caller",
    "name": "B. Caller",
    "lines": "5 Side Street",
    "locality": "Newark",
    "admin_area_code": "NJ",
    "postal_code": "07101",
    "country": "us",
}


def test_an_order_is_taken_by_telephone_once(own_floor: Floor) -> None:
    visitor = own_floor.visitor()
    page = visitor.page("/orders/new")
    found = re.search(r'name="id" value="(co_[0-9a-z]+)"><input type="hidden" name="placed_at" value="([^"]+)"', page)
    assert found
    fields = {"csrf": visitor.csrf("/orders/new"), "id": found[1], "placed_at": found[2], **ENTRY}
    wrong = visitor.post("/orders/new", {**fields, "quantity-1": "two"})
    assert wrong.status_code == 422
    assert "is no decimal number" in said(wrong.text)
    assert 'value="5 Side Street"' in wrong.text, "what was typed is kept"
    unknown = visitor.post("/orders/new", {**fields, "currency": "XX"})
    assert unknown.status_code == 422
    taken = visitor.post("/orders/new", fields)
    assert "The order was taken" in said(taken.text)
    again = visitor.post("/orders/new", fields)
    assert "The order was taken" in said(again.text)
    (row,) = own_floor.rows("orders", external_id=found[1])
    assert (row["channel"], row["currency"], str(row["total"])) == ("phone-desk", "USD", "24.8")
    authors = [one["who"] for one in own_floor.rows("audit", subject=row["id"], action="orders.write")]
    assert authors
    assert all(who.startswith("web:") for who in authors)
    assert "orders.write" in again.text


def test_an_order_is_edited_on_its_page(own_floor: Floor) -> None:
    order = own_floor.order("PHONE-1")
    page = f"/orders/{order}"
    visitor = own_floor.visitor()
    (row,) = own_floor.rows("orders", id=order)
    fields = {"version": str(row["version"]), "quantity-1": "5", "postal_code": "07102", "reason": "they called"}
    assert "is accepted" in said(visitor.press(page, f"{page}/edit", **fields).text)
    again = visitor.press(page, f"{page}/edit", **{**fields, "quantity-1": "6"})
    assert "by now, not" in said(again.text), "somebody was faster"
    shown = visitor.page(page)
    assert "2 → 5" in shown
    assert "address (postal_code)" in shown


def test_what_is_refused_says_why_and_changes_nothing(own_floor: Floor) -> None:
    order = own_floor.order("PHONE-1")
    visitor = own_floor.visitor()
    visitor.post(f"/orders/{order}/cancel", {"csrf": visitor.csrf(), "reason": "gone"})
    again = visitor.post(f"/orders/{order}/cancel", {"csrf": visitor.csrf(), "reason": "gone"})
    assert "the order is cancelled" in said(again.text)
    assert visitor.post(f"/orders/{order}/hold", {"csrf": visitor.csrf(), "reason": " "}).status_code == 400
    assert visitor.post("/orders/or_none/hold", {"csrf": visitor.csrf(), "reason": "x"}).status_code in (200, 404)


def test_stock_is_corrected_and_explained(own_floor: Floor) -> None:
    visitor = own_floor.visitor()
    fields = {"csrf": visitor.csrf(), "sku": HOSTILE, "location": "dc-east", "delta": "2.5", "reason": HOSTILE}
    done = visitor.post("/inventory/adjust", fields)
    assert "on hand changed by 2.5" in said(done.text)
    assert "Available to promise" in done.text
    assert "<script>alert" not in done.text
    for wrong in ("many", "NaN", "Infinity", "1e99", "0", "9" * 40):
        answer = visitor.post("/inventory/adjust", {**fields, "delta": wrong})
        assert answer.status_code == 200
        assert 'class="said bad"' in answer.text, wrong
    assert [str(row["on_hand"]) for row in own_floor.rows("stock", sku=HOSTILE)] == ["2.5"]


def test_a_connection_whose_reading_waits_says_until_when_and_why(own_floor: Floor) -> None:
    now, visitor = own_floor.hub.clock.now(), own_floor.visitor()
    poll = {"id": "tk_1", "kind": "poll", "subject": "shopify-us|orders", "dedupe_key": "poll/1", "state": "pending"}
    what = {"connection": SHOP, "stream": "orders"}
    writes = WriteSet()
    later = {"due_at": now + dt.timedelta(minutes=20), "created_at": now, "error": "it asks us to wait: 429"}
    writes.insert("tasks", {**poll, "payload": what, **later})
    own_floor.hub.store.apply([writes])
    for page in ("/connections", f"/connections/{SHOP}", "/"):
        assert "it asks us to wait: 429" in visitor.page(page), page


def test_a_connection_is_paused_resumed_and_asked(own_floor: Floor) -> None:
    visitor = own_floor.visitor()
    page = "/connections/wms-east"
    assert "is paused" in said(visitor.press(page, f"{page}/pause", reason="moving house").text)
    assert "moving house" in visitor.page(page)
    assert "goes on" in said(visitor.press(page, f"{page}/resume").text)
    asked = visitor.press(page, f"{page}/check")
    assert "does not answer as it should" in asked.text
    assert visitor.get(f"{page}/check").url.endswith(page)


def test_an_unknown_outcome_has_exactly_three_verbs(own_floor: Floor) -> None:
    own_floor.act("import.items", file=str(own_floor.service.site.write("items.json", [{"sku": "SKU-001"}])))
    own_floor.act("inventory.adjust", sku="SKU-001", location="dc-east", delta="50", reason="count")
    own_floor.order("PHONE-1")
    own_floor.hub.engine.run_until_idle(40)
    delivery = own_floor.rows("deliveries", capability="submit_order")[0]["id"]
    own_floor.set("deliveries", delivery, state="unknown")
    visitor = own_floor.visitor()
    page = f"/deliveries/{delivery}"
    actions = re.findall(r'action="/deliveries/[^"/]+/([a-z-]+)"', visitor.page(page))
    assert sorted(actions) == ["abandon", "did-not-happen", "happened"]
    done = visitor.press(page, f"{page}/happened", external_id="SO-1")
    assert "counts as done, as SO-1" in said(done.text)
    assert own_floor.rows("deliveries", id=delivery)[0]["state"] == "acknowledged"


def test_all_exceptions_of_one_cause_are_tried_again(own_floor: Floor) -> None:
    for number in range(3):
        own_floor.order(f"PHONE-{number}")
    visitor = own_floor.visitor()
    page = visitor.page("/exceptions")
    kind = re.search(r'name="kind" value="([^"]+)"', page)
    connection = re.search(r'name="connection" value="([^"]*)"', page)
    assert kind
    assert connection
    fields = {"csrf": visitor.csrf(), "kind": kind[1], "connection": connection[1]}
    assert "exceptions" in said(visitor.post("/exceptions/retry", fields).text)
    exception = own_floor.rows("exceptions", state="open")[0]["id"]
    assert "belongs to anna" in said(
        visitor.press(f"/exceptions/{exception}", f"/exceptions/{exception}/assign", owner="anna").text
    )
    done = visitor.press(f"/exceptions/{exception}", f"/exceptions/{exception}/resolve", reason="by telephone")
    assert "is resolved" in said(done.text)


# --- forms ---


@pytest.mark.parametrize("path", forms())
def test_a_form_without_the_sessions_own_mark_does_nothing(floor: Floor, path: str) -> None:
    visitor, other = floor.visitor(), floor.visitor()
    for fields in ({"a": "b"}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": other.csrf()}, {"csrf": "ü"}):
        answer = visitor.post(path, fields)
        assert answer.status_code == 403, (path, fields)
        assert "not one of your session" in answer.text
    elsewhere = visitor.post(path, {"csrf": visitor.csrf()}, **{"Sec-Fetch-Site": "cross-site"})
    assert elsewhere.status_code == 403
    assert "another site" in elsewhere.text


def test_a_login_form_of_another_site_is_refused(floor: Floor) -> None:
    answer = Visitor(floor.url).post("/login", {"key": floor.service.key("admin")}, **{"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


# --- sessions ---


def test_a_session_is_a_strict_cookie_that_no_script_reads_and_is_not_the_key(own_floor: Floor) -> None:
    visitor = Visitor(own_floor.url)
    key = own_floor.service.key("admin")
    answer = visitor.session.post(f"{own_floor.url}/login", data={"key": key}, allow_redirects=False, timeout=20)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert key not in cookie
    token = cookie.partition("=")[2].partition(";")[0]
    assert all(token not in str(row) and key not in str(row) for row in own_floor.rows("web_sessions"))


def test_a_wrong_key_opens_nothing_and_a_revoked_one_nothing_more(own_floor: Floor) -> None:
    stranger = Visitor(own_floor.url)
    for wrong in ("", "ohk_0000000000_x", "x" * 500, "\u20ac", "' OR 1=1"):
        assert stranger.log_in(wrong).status_code == 403
    made = own_floor.act("keys.create", name="short", scopes=["admin"])
    visitor = Visitor(own_floor.url)
    visitor.log_in(made["token"])
    assert visitor.get("/orders", follow=False).status_code == 200
    own_floor.act("keys.revoke", key=made["id"])
    assert visitor.get("/orders", follow=False).headers["location"] == "/login"


def test_logging_out_ends_the_session_there_too(own_floor: Floor) -> None:
    visitor = own_floor.visitor()
    token = visitor.session.cookies["hub_session"]
    visitor.post("/logout", {"csrf": visitor.csrf()})
    thief = Visitor(own_floor.url)
    thief.session.cookies["hub_session"] = token
    assert thief.get("/", follow=False).headers["location"] == "/login"


def test_a_link_logs_one_browser_in_once(own_floor: Floor) -> None:
    path = own_floor.act("web.link")["path"]
    first, second = Visitor(own_floor.url), Visitor(own_floor.url)
    entered = first.get(path)
    assert 'http-equiv="refresh"' in entered.text
    assert first.get("/", follow=False).status_code == 200
    assert second.get(path).status_code == 403
    assert second.get("/", follow=False).status_code == 303
    assert "test" in first.page("/"), "the pages say who is there"


def test_a_store_works_on_its_page_until_the_buyer_has_it(own_floor: Floor) -> None:
    own_floor.act("import.items", file=str(own_floor.service.site.write("items.json", [{"sku": "SKU-001"}])))
    own_floor.act("inventory.adjust", sku="SKU-001", location="store-14", delta="9", reason="counted")
    order = own_floor.order("PICK-1", method="pickup", pickup_location="store-14")
    own_floor.hub.engine.run_until_idle(30)
    (work,) = own_floor.rows("fulfilment_orders", order_id=order)
    visitor, page = own_floor.visitor("fulfilment:write"), "/work/store-14"
    action = f"{page}/{work['id']}"
    assert "Pick" in visitor.page(page)
    visitor.press(page, action, status="picked", line=work["document"]["lines"][0]["line"], quantity="1")
    assert "is no number" in said(visitor.press(page, action, status="picked", line="x", quantity="two").text)
    assert "not 7" in said(visitor.press(page, action, status="picked", line="SKU-001", quantity="7").text)
    visitor.press(page, action, status="picked")
    own_floor.act("orders.arrived", reference=order, note="blue car, row 3")
    shown = visitor.page(page)
    assert "blue car, row 3" in shown
    assert ">Ready<" in shown
    visitor.press(page, action, status="ready_for_pickup")
    assert ">Hand over<" in visitor.page(page)
    visitor.press(page, action, status="handed_over", proof="code 4411")
    assert own_floor.rows("orders", id=order)[0]["status"] == "closed"
    assert "blue car" not in visitor.page(page)


def test_a_return_goes_its_whole_way_on_pages(own_floor: Floor) -> None:
    order = handed_over(own_floor)
    (line,) = own_floor.rows("order_lines", order_id=order)
    visitor, units = own_floor.visitor("orders:write"), f"units-{line['id']}"
    page = f"/orders/{order}"
    assert "at least one line" in visitor.press(page, f"{page}/returns", reason="too small").text
    asked = said(visitor.press(page, f"{page}/returns", reason="too small", wants="refund", **{units: "1"}).text)
    assert "approved" in asked
    (found,) = own_floor.rows("returns")
    page = f"/returns/{found['id']}"
    assert "the goods" in visitor.page("/returns")
    assert found["number"] in visitor.page("/returns", q="PICK-2"), "one hit leads to its page"
    assert "does not receive returns" in visitor.press(page, f"{page}/receive", location="moon", **{units: "1"}).text
    visitor.press(page, f"{page}/receive", location="store-14", **{units: "1"})
    assert "inspection at store-14" in visitor.page(page)
    assert 'action="' + page + '/close"' not in visitor.page(page), "goods that nobody has inspected"
    visitor.press(page, f"{page}/inspect", location="store-14", disposition="restock", grade="A", **{units: "1"})
    (ended,) = own_floor.rows("returns")
    assert ended["state"] == "settled"
    text = visitor.page(page)
    assert "1 restocked" in text
    assert 'action="' + page + '/receive"' not in text
    assert "Waits for its refund." in text, "nobody knows what it was paid with"
    assert "9.95 USD" in text


def test_what_a_payout_pays_for_is_shown_and_what_nobody_knows_with_its_age(own_floor: Floor) -> None:
    now = own_floor.hub.clock.now()
    writes, kept = WriteSet(), {"document": {}, "created_at": now}
    paid = {"id": "po_1", "connection": "payment", "external_id": "PAYOUT-7", "currency": "EUR", "paid_at": now}
    writes.insert("payouts", {**paid, "amount": Decimal("1200.5"), "lines_amount": Decimal(1201), **kept})
    line = {"id": "po_1/1", "payout_id": "po_1", "number": 1, "type": "charge", "currency": "EUR", "matched": "nothing"}
    amounts = {"gross": Decimal(1210), "fee": Decimal(9), "net": Decimal(1201)}
    named = {"reference": HOSTILE, "order_reference": "4711", "order_id": None, "internal_id": None}
    writes.insert("payout_lines", {**line, **amounts, **named, "at": now - dt.timedelta(days=3, hours=1)})
    own_floor.hub.store.apply([writes])
    visitor = own_floor.visitor("money:write")
    text = visitor.page("/payouts")
    assert "3 days" in text
    assert "1,201.00 EUR" in text
    assert "-0.50 EUR" in text
    assert HOSTILE not in text
    assert "0 lines of payouts are matched" in said(visitor.press("/payouts", "/payouts/match").text)
    assert "do not explain -0.50 EUR" in visitor.page("/payouts/po_1")
    assert own_floor.visitor("orders:read").get("/payouts").status_code == 403


def test_a_transfer_is_sent_on_one_page_and_received_on_the_other(own_floor: Floor) -> None:
    own_floor.act("inventory.adjust", sku="SKU-001", location="dc-east", delta="9", reason="counted")
    arguments = {"sku": "SKU-001", "source": "dc-east", "destination": "store-14", "quantity": "3", "reason": "refill"}
    order = own_floor.act("inventory.transfer", **arguments)["order"]
    (work,) = own_floor.rows("fulfilment_orders", order_id=order)
    visitor = own_floor.visitor()
    visitor.press("/work/dc-east", f"/work/dc-east/{work['id']}", status="shipped")
    here = f"/work/store-14/{work['id']}"
    assert "coming from dc-east" in visitor.page("/work/store-14")
    visitor.press("/work/store-14", here, status="received", line="SKU-001", quantity="2")
    assert "3 × SKU-001" in visitor.page("/work/store-14")
    visitor.press("/work/store-14", here, status="received")
    assert own_floor.rows("fulfilment_orders", id=work["id"])[0]["state"] == "completed"
    assert visitor.get("/work/nowhere").status_code == 404
    assert "SKU-001" in visitor.page(f"/work/dc-east/{work['id']}/packing-slip")
    assert "Nothing to pick" in visitor.page("/work/dc-east/pick-list")
    assert visitor.get(f"/work/store-14/{work['id']}/packing-slip").status_code == 404


def test_a_slip_is_printed_for_an_address_without_company_and_state(own_floor: Floor) -> None:
    address = {"lines": ["Marktplatz 1"], "locality": "Bremen", "postal_code": "28195", "country": "DE"}
    own_floor.act("import.items", file=str(own_floor.service.site.write("items.json", [{"sku": "SKU-001"}])))
    own_floor.act("inventory.adjust", sku="SKU-001", location="store-14", delta="9", reason="counted")
    order = own_floor.order("SLIP-1", method="pickup", pickup_location="store-14", ship_to=address)
    own_floor.hub.engine.run_until_idle(30)
    (work,) = own_floor.rows("fulfilment_orders", order_id=order)
    page = own_floor.visitor().page(f"/work/store-14/{work['id']}/packing-slip")
    assert "Collected at store-14" in page
    assert "28195 Bremen" in page
