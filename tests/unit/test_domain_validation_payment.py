"""Which payment states let an order go on."""

from __future__ import annotations

import pytest

from hub.domain.validation import Facts, Policy, Rule, check

POLICY = Policy(
    unknown_sku="accept", address="accept", totals_otherwise="accept", payment_require=("authorised", "paid")
)


def holds(state: str) -> bool:
    record = {"payment_state": state, "lines": [{"external_line_id": "1", "sku": "TEE", "quantity": "1"}]}
    return any(finding.rule is Rule.PAYMENT for finding in check(Facts(record, record, POLICY)))


@pytest.mark.parametrize("state", ["pending", "voided", "refunded"])
def test_money_that_is_not_there_holds(state: str) -> None:
    assert holds(state)


@pytest.mark.parametrize("state", ["authorised", "paid", "partially_refunded"])
def test_money_that_is_there_or_was_given_back_in_part_does_not_hold(state: str) -> None:
    """The restate with the refund may be the first that arrives; the order must end where it ends otherwise."""
    assert not holds(state)
