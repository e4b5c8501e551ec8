"""What a channel that wants documents hears of its order: whether it is taken, and the invoice of what left."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.oms.change.cancel_by_hand import cancel_lines
from tests.property.memory_store import Bench, channel, location, order_record, rules

D = Decimal
WANTS = frozenset({"push_shipment", "order_response", "push_invoice"})


def bench_of(*lines: tuple[str, str, int | str], grace: float = 0, **changes: Any) -> Bench:
    shop = channel(capabilities=WANTS, grace_seconds=grace)
    bench = Bench(rules(location("east"), channels={"shop": shop}, **changes))
    bench.stock("MUG", "east", 10)
    bench.stock("CAP", "east", 0)
    bench.order(order_record(*lines))
    bench.run("allocate", "confirm")
    return bench


def test_a_confirmed_order_is_answered_once_with_what_waits() -> None:
    bench = bench_of(("1", "MUG", 4), ("2", "CAP", 3))
    (answer,) = [effect.record for effect in bench.sent("order_response")]
    assert answer["verdict"] == "accepted"
    assert [(line["verdict"], line["accepted"], line["backordered"]) for line in answer["lines"]] == [
        ("accepted", "4", "0"),
        ("backordered", "0", "3"),
    ]
    bench.later(days=1)
    bench.run()
    assert len(bench.sent("order_response")) == 1


def test_an_order_that_is_cancelled_here_before_it_is_taken_is_declined() -> None:
    bench = bench_of(("1", "MUG", 4), grace=1800)
    assert bench.sent("order_response") == []
    order = bench.the_order()["id"]
    decision, _ = cancel_lines(bench.store, bench.rules, bench.now, "ac_1", order, "ann", "sold out")
    bench.commit(decision)
    (answer,) = [effect.record for effect in bench.sent("order_response")]
    assert (answer["verdict"], answer["lines"][0]["declined"]) == ("declined", "4")


def test_an_order_that_its_buyer_cancels_is_answered_by_nothing() -> None:
    bench = bench_of(("1", "MUG", 4), grace=1800)
    bench.fact("cancel_requests", {"fact_key": "c", "order_external_id": "4507"})
    bench.run()
    assert bench.sent("order_response") == []


def shipped(bench: Bench) -> None:
    work = bench.sent("send_fulfilment_request")[-1].record
    notice = {
        "fact_key": "s-1",
        "fulfilment_order": work["fulfilment_order"],
        "external_id": "s-1",
        "shipped_at": "2026-11-02T12:00:00Z",
        "packages": [{"package": "P1", "lines": [{"line": work["lines"][0]["line"], "sku": "MUG", "quantity": "4"}]}],
    }
    bench.fact("shipments", notice, connection="wms-east")


def test_an_invoice_waits_for_the_number_that_the_books_give_it() -> None:
    bench = bench_of(("1", "MUG", 4))
    shipped(bench)
    (posted,) = bench.sent("post_invoice")
    assert bench.sent("push_invoice") == []
    bench.reply(posted, external_id="IV-7", accepted=True)
    (told,) = [effect.record for effect in bench.sent("push_invoice")]
    assert (told["number"], told["amount"], told["order_external_id"]) == ("IV-7", "40", "4507")
    assert told["lines"] == [
        {
            "line": bench.line_id("1"),
            "external_line_id": "1",
            "sku": "MUG",
            "quantity": "4",
            "amount": "40",
            "unit_price": "10.00",
        }
    ]


def test_an_invoice_that_nothing_posts_has_a_number_of_ours() -> None:
    bench = bench_of(("1", "MUG", 4), takers={})
    shipped(bench)
    (told,) = [effect.record for effect in bench.sent("push_invoice")]
    assert told["number"] == "#1001-1"
