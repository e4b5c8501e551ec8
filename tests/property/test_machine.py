"""Some stories of the state machine over the whole order management, and stories that a broken one does not survive."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import hypothesis
import pytest
from hypothesis import Phase
from hypothesis.stateful import run_state_machine_as_test

from hub.domain.payment import Payment
from hub.oms.desk.load import Case
from hub.oms.fulfilment import ship
from hub.oms.money import payment_answers
from tests.property.machine import Oms, machine_settings


def stories(examples: int, steps: int) -> None:
    machine = hypothesis.seed(4507)(Oms)
    run_state_machine_as_test(machine, settings=machine_settings(examples, steps, (Phase.generate,)))


def test_whatever_is_done_next_nothing_is_lost_doubled_or_forgotten() -> None:
    stories(5, 40)


def test_goods_that_leave_without_leaving_the_stock_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ship, "take_from_stock", lambda *given, **said: None)
    with pytest.raises(AssertionError, match="lie there"):
        stories(40, 60)


def test_a_capture_that_is_booked_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    booked = payment_answers.capture_succeeded

    def twice(case: Case, payment: Payment, capture: Any, amount: Decimal, external_id: str | None) -> None:
        booked(case, payment, capture, amount, external_id)
        payment.see_captured(amount, external_id)

    monkeypatch.setattr(payment_answers, "capture_succeeded", twice)
    with pytest.raises(AssertionError):
        stories(40, 60)
