"""Money over any number of tenders, shipments, declines, refunds and lapses: to the cent, never more than there is."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.decision import Verdict
from hub.domain.payment import REACHABLE, NotCovered, Payment, PaymentState
from hub.domain.writeset import Update, WriteSet
from hub.oms.money.payment_actions import capture_again, refund_order
from tests.property.memory_store import Bench, order_record
from tests.unit.test_oms_pay import provider, ship

D = Decimal
CENTS = st.integers(1, 3000).map(lambda cents: D(cents) / 100)
ASKED = ("ask_capture", "captured", "declined", "ask_refund", "refunded")
SEEN = ("seen_captured", "voided", "expired", "again", "capture_undone", "refund_undone")
STEP = st.tuples(st.sampled_from((*ASKED, *SEEN)), CENTS)


@settings(max_examples=100, deadline=None)
@given(CENTS, st.lists(STEP, max_size=25))
def test_whatever_is_asked_and_seen_the_ledger_holds_and_the_state_only_goes_forward(
    whole: Decimal, steps: list[tuple[str, Decimal]]
) -> None:
    payment = Payment("py", "or", "payment", "hub", "USD")
    payment.see_authorised(whole)
    captures: list[Decimal] = []
    refunds: list[Decimal] = []
    taken: list[Decimal] = []
    back: list[Decimal] = []
    for step, amount in steps:
        before, proven = payment.state, payment.authorised
        try:
            if step == "ask_capture":
                payment.ask_capture(amount)
                captures.append(amount)
            elif step == "captured" and captures:
                part = captures.pop()
                payment.see_captured(part, asked=part)
                taken.append(part)
            elif step == "declined" and captures:
                payment.capture_failed(captures.pop())
            elif step == "seen_captured":
                payment.see_captured(amount)
                taken.append(amount)
            elif step == "capture_undone" and taken:
                payment.capture_undone(taken.pop())
            elif step == "refund_undone" and back:
                payment.refund_undone(back.pop())
            elif step == "voided":
                payment.see_voided(amount)
            elif step == "expired":
                payment.see_voided(expired=True)
            elif step == "again" and payment.lapsed:
                payment.authorised_again(amount)
            elif step == "ask_refund":
                payment.ask_refund(amount)
                refunds.append(amount)
            elif step == "refunded" and refunds:
                part = refunds.pop()
                payment.see_refunded(part, asked=part)
                back.append(part)
        except NotCovered:
            assert payment.authorised == proven
        assert payment.captured + payment.capturing + payment.voided <= payment.authorised
        assert payment.refunded + payment.refunding <= payment.captured
        assert min(payment.open, payment.capturing, payment.voided, payment.refundable) >= 0
        assert payment.capturing == sum(captures)
        assert payment.refunding == sum(refunds)
        # Only what somebody else captured of a payment that had ended goes another way than the table says.
        assert payment.captured - payment.undone == sum(taken)
        assert payment.refunded + payment.over_refunded == sum(back)
        observed = step in ("seen_captured", "captured", "declined", "capture_undone", "refunded", "refund_undone")
        assert payment.state in {before, *REACHABLE[before]} or observed, (step, before, payment.state)
    journal = {
        kind: sum((m.amount for m in payment.moves if m.kind == kind), D(0)) for kind in ("captured", "refunded")
    }
    assert journal == {"captured": payment.captured, "refunded": payment.refunded + payment.over_refunded}


TOLD: dict[str, Any] = {
    "captured": lambda payment: payment.see_captured(D("6.10")),
    "captured again": lambda payment: payment.see_captured(D("1.05")),
    "refunded": lambda payment: payment.see_refunded(D("2.20")),
    "voided": lambda payment: payment.see_voided(D("2.85")),
    "authorised": lambda payment: payment.see_authorised(D("10.00")),
}


def test_every_arrival_of_what_a_provider_tells_ends_in_one_ledger() -> None:
    ends = set()
    for arrival in itertools.permutations(TOLD):
        payment = Payment("py", "or", "payment", "hub", "USD")
        payment.see_authorised(D("10.00"))
        for name in arrival:
            TOLD[name](payment)
        ends.add((payment.state, payment.captured, payment.voided, payment.refunded, payment.over_refunded))
    assert ends == {(PaymentState.CAPTURED, D("7.15"), D("2.85"), D("2.20"), D(0))}


@settings(max_examples=20, deadline=None)
@given(
    tenders=st.lists(CENTS, min_size=1, max_size=4),
    parts=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    declines=st.lists(st.booleans(), max_size=8),
    backs=st.lists(CENTS, max_size=4),
)
def test_tenders_pay_for_shipments_to_the_cent_and_never_give_back_more(
    tenders: list[Decimal], parts: list[int], declines: list[bool], backs: list[Decimal]
) -> None:
    bench, units = provider(), sum(parts)
    total = sum(tenders, D(0))
    line = {"external_line_id": "L1", "sku": "TEE", "quantity": str(units), "unit_price": str(total / units)[:12]}
    stated = [{"external_id": f"pay-{n}", "amount": str(part)} for n, part in enumerate(tenders)]
    bench.store.apply(WriteSet([Update("stock", {"sku": "TEE"}, {"on_hand": D(100)})]))
    bench.order(order_record(lines=[line], totals={"total": str(total)}, payments=stated))
    bench.run()
    refused = iter(declines)
    for number, part in enumerate(parts):
        ship(bench, part, f"n-{number}")
        _answer(bench, refused)
    while bench.act(capture_again, "op", "tried again").verdict is Verdict.APPLIED:
        _answer(bench, iter(()))
    bench.run()
    _answer(bench, iter(()))
    rows = bench.store.rows("payments", {})
    assert sum(row["captured"] for row in rows) == total
    assert all(row["captured"] == row["authorised"] for row in rows)
    left = total
    for amount in backs:
        done = bench.act(refund_order, "op", "goodwill", amount, {})
        assert (done.verdict is Verdict.APPLIED) == (amount <= left)
        left -= amount if amount <= left else 0
        _answer(bench, iter(()))
    rows = bench.store.rows("payments", {})
    assert sum(row["captured"] - row["refunded"] for row in rows) == left
    moves = bench.store.rows("money_moves", {"kind": ("captured", "refunded")})
    assert sum(move["amount"] if move["kind"] == "captured" else -move["amount"] for move in moves) == left


def _answer(bench: Bench, declines: Any) -> None:
    """The provider answers whatever is unanswered; some captures are declined."""
    for effect in [*bench.sent("capture"), *bench.sent("refund")]:
        row_id = effect.key.rsplit("/", 1)[1]
        row = bench.store.row("captures", {"id": row_id}) or bench.store.row("refunds", {"id": row_id})
        if row is None or row["state"] != "pending":
            continue
        if effect.capability == "capture" and next(declines, False):
            bench.reply(effect, accepted=False, reason="declined")
        else:
            bench.reply(effect, external_id=row_id)
