"""Money by the API: given back once a request, refused with the numbers, seen only by whom it concerns."""

from __future__ import annotations

from tests.api.service import Service, problem_of


def test_a_refund_is_done_once_a_request(service: Service) -> None:
    order = service.write()["order"]
    asked = {"amount": "4.90", "reason": "broken"}
    first = service.post(f"/v1/orders/{order}/refund", asked, once="r-1")
    again = service.post(f"/v1/orders/{order}/refund", asked, once="r-1")
    assert (first.status, first.data) == (200, again.data)
    assert (first.data["amount"], first.data["currency"]) == ("4.9", "USD")
    (refund,) = service.get(f"/v1/orders/{order}")["refunds"]
    assert (refund["state"], refund["amount"]) == ("pending", "4.9")


def test_more_than_was_paid_is_refused_with_the_numbers(service: Service) -> None:
    order = service.write()["order"]
    refused = problem_of(
        service.post(f"/v1/orders/{order}/refund", {"amount": "20", "reason": "broken"}), 409, "refused"
    )
    assert "20.00 USD to refund, 19.90 USD can be" in refused["detail"]
    for wrong in (
        {"reason": "x"},
        {"amount": "1", "lines": {"1": "1"}, "reason": "x"},
        {"amount": "-1", "reason": "x"},
    ):
        assert service.post(f"/v1/orders/{order}/refund", wrong).status == 409


def test_money_has_scopes_of_its_own(service: Service) -> None:
    order = service.write()["order"]
    for path in ("/v1/payments", "/v1/payouts", "/v1/payouts/unmatched"):
        assert service.asking("GET", path, key=service.key("orders:write")).status == 403
        assert service.asking("GET", path, key=service.key("money:read")).data["items"] == []
    refused = service.asking(
        "POST",
        f"/v1/orders/{order}/refund",
        {"amount": "1", "reason": "x"},
        key=service.key("money:read", "orders:write"),
        headers={"idempotency-key": "k"},
    )
    assert refused.status == 403
    assert service.asking("GET", "/v1/payouts/po_404").status == 404
