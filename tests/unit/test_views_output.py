"""How commands print: exact for programs, readable for people."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest

from hub.cli.output import cell, counted, emit_json, emit_table, money
from hub.views.orders import same_holds
from hub.views.query import instant
from hub.views.timeline import timeline


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("14.9", "USD", "14.90 USD"),
        ("1500", "JPY", "1500 JPY"),
        ("1.5", "KWD", "1.500 KWD"),
        ("0", "EUR", "0.00 EUR"),
        ("0.123456", "EUR", "0.123456 EUR"),
        ("1E+3", "EUR", "1000.00 EUR"),
        ("-5", "EUR", "-5.00 EUR"),
    ],
)
def test_money_has_the_digits_of_its_currency_and_never_fewer_than_it_has(
    amount: str, currency: str, shown: str
) -> None:
    assert money(Decimal(amount), currency) == shown


def test_an_unknown_amount_is_a_dash() -> None:
    assert money(None, "EUR") == "-"
    assert cell(None) == cell("") == "-"


def test_one_is_not_several() -> None:
    assert (counted(1, "attempt"), counted(0, "attempt"), counted(2, "attempt")) == (
        "1 attempt",
        "0 attempts",
        "2 attempts",
    )


def test_json_keeps_amounts_as_text_and_times_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    at = dt.datetime(2026, 3, 2, 10, 0, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    emit_json([{"amount": Decimal("1E+2"), "at": at, "body": b"\xff"}], more=1)
    assert json.loads(capsys.readouterr().out) == {
        "hub_cli": "1.0",
        "items": [{"amount": "100", "at": "2026-03-02T09:00:00Z", "body": "\ufffd"}],
        "more": 1,
    }


def test_a_table_cuts_nothing_and_pads_no_line_end(capsys: pytest.CaptureFixture[str]) -> None:
    emit_table([{"a": "x" * 300, "b": None}, {"a": "y", "b": True}], [("a", "A"), ("b", "B")], empty="none")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "x" * 300 + "  -"
    assert all(line == line.rstrip() for line in lines)


def test_an_empty_table_says_so_to_the_person_and_nothing_to_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    emit_table([], [("a", "A")], empty="Nothing here.")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "Nothing here.\n")


def test_the_far_future_is_never() -> None:
    never = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
    soon = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    assert instant(int(never.timestamp()) * 1_000_000) is None
    assert instant(int(soon.timestamp()) * 1_000_000) == soon


def test_facts_of_a_timeline_show_money_quantities_and_times_as_people_write_them() -> None:
    data = {
        "refund": "rf_1",
        "amount": "12.5",
        "units": "2.000",
        "locations": "dc-east,dc-west",
        "now": "1 by 2026-12-13T00:00:00Z",
        "reason": "late,again",
        "grade": "",
    }
    at = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
    event = {"type": "hub.refund.asked.v1", "at": at, "data": data}
    told = list(timeline({"currency": "USD", "timeline": [event]}, without=("refund",)))
    words = "amount 12.50 USD, units 2, locations dc-east, dc-west, now 1 by 2026-12-13 00:00:00Z, reason late,again"
    assert told == [(at, "refund.asked", words)]
    event["data"] = {"currency": "JPY", "amount": "1500"}
    assert [words for _, _, words in timeline({"currency": "USD", "timeline": [event]})] == ["amount 1500 JPY"]


def test_holds_that_say_the_same_of_many_lines_are_told_once() -> None:
    def hold(path: str, **changes: object) -> dict[str, object]:
        said = {"kind": "validation", "rule": "unknown_sku", "hint": "import it", "until": None, "then": "release"}
        return {**said, "released_at": None, "path": path, **changes}

    told = same_holds([*(hold(f"lines.{line}.sku") for line in range(100)), hold("lines.0.sku", released_at="2026")])
    words = "lines.0.sku, lines.1.sku, lines.2.sku and 97 more"
    assert [(one["count"], one["where"]) for one in told] == [(100, words), (1, "lines.0.sku")]
