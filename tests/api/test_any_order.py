"""Whatever order the document allows: it is taken or refused in words, and every promise of the hub still holds."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.api.service import Service

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
AMOUNT = st.one_of(
    st.decimals("-99999", "99999", places=2).map(lambda number: format(number, "f")),
    st.sampled_from(["0", "-0", "0.0000001", "999999999999.999999", "9" * 30, "1." + "3" * 30, "-" + "9" * 20]),
)
WHEN = st.sampled_from(
    ["2026-11-20T09:30:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999999Z", "2026-02-31T25:61:61Z"]
)
NAME = st.sampled_from(["A", "B", "C", "=1+1", "a|b/c#d", "\u202e"])


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


TAXES = st.lists(st.fixed_dictionaries({"amount": AMOUNT}, optional={"name": TEXT, "rate": AMOUNT}), max_size=2)
ADJUSTMENT = st.fixed_dictionaries({"type": st.sampled_from(["discount", "duty"]), "amount": AMOUNT})
LINE = st.fixed_dictionaries(
    {"external_line_id": NAME, "quantity": AMOUNT},
    optional={
        "sku": NAME,
        "unit_price": AMOUNT,
        "current_quantity": AMOUNT,
        "price_base_quantity": AMOUNT,
        "fulfilled_quantity": AMOUNT,
        "fulfilled_by": st.sampled_from(["us", "channel", "vendor"]),
        "method": st.sampled_from(["ship", "pickup", "digital"]),
        "requires_shipping": st.booleans(),
        "promised_by": WHEN,
        "taxes": TAXES,
        "adjustments": st.lists(ADJUSTMENT, max_size=2),
        "properties": some(colour=TEXT, depth=st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False))),
    },
)
ORDER = st.fixed_dictionaries(
    {"external_id": NAME, "currency": st.sampled_from(["USD", "JPY", "KWD", "XXX"])},
    optional={
        "scope": NAME,
        "number": TEXT,
        "source_version": NAME,
        "order_type": st.sampled_from(["sale", "b2b", "transfer", "exchange"]),
        "placed_at": WHEN,
        "cancelled_at": WHEN,
        "test": st.booleans(),
        "payment_state": st.sampled_from(["pending", "paid", "refunded", "voided"]),
        "fulfilment_state": st.sampled_from(["unfulfilled", "partial", "fulfilled"]),
        "buyer": some(email=TEXT, name=TEXT, phone=TEXT),
        "ship_to": some(name=TEXT, country=TEXT, latitude=AMOUNT, lines=st.lists(TEXT, max_size=3)),
        "lines": st.lists(LINE, max_size=4),
        "adjustments": st.lists(ADJUSTMENT, max_size=2),
        "totals": some(total=AMOUNT, tax=AMOUNT, shipping=AMOUNT, current_total=AMOUNT),
        "tags": st.lists(TEXT, max_size=2),
        "attributes": some(note=TEXT),
    },
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ORDER)
def test_any_order_is_taken_or_refused_and_the_promises_hold(shared_service: Service, order: dict[str, Any]) -> None:
    answer = shared_service.post("/v1/orders", order)
    event(f"answered {answer.status}")
    assert answer.status in (200, 201, 409, 422), answer.body
    if answer.status in (200, 201):
        assert shared_service.get(f"/v1/orders/{answer.data['order']}")["external_id"] == order["external_id"]
    for _ in range(3):
        shared_service.hub.engine.decide(50)
    verified = shared_service.get("/v1/verify")
    assert verified["ok"], verified["items"]
