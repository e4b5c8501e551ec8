"""The rules of the pipeline: each finding says which rule, where, and what to do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.domain.postal import POSTAL_CODES, missing_parts, wrong_postal_code
from hub.domain.validation import CHECKS, HOLD_KINDS, Facts, Finding, HoldKind, Policy, Rule, check
from tests.property.memory_store import order_record

POLICY = Policy(value_limits={"USD": Decimal(100)})


def found(policy: Policy = POLICY, doubles: tuple[str, ...] = (), **changes: Any) -> list[tuple[str, str]]:
    record = order_record(("L1", "TEE", 2), **changes)
    return [(finding.rule, finding.path) for finding in findings(record, policy, doubles)]


def findings(record: dict[str, Any], policy: Policy, doubles: tuple[str, ...] = ()) -> list[Finding]:
    return check(Facts(record, record, policy, {"TEE"}, doubles))


def test_a_plain_order_has_no_findings() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"lines": []}, (Rule.NO_LINES, "lines")),
        ({"lines": [{"external_line_id": "1", "quantity": "1"}], "totals": {}}, (Rule.NO_SKU, "lines.0.sku")),
        (
            {"lines": [{"external_line_id": "1", "sku": "CAP", "quantity": "1"}], "totals": {}},
            (Rule.UNKNOWN_SKU, "lines.0.sku"),
        ),
        (
            {"lines": [{"external_line_id": "1", "sku": "TEE", "quantity": "-1"}], "totals": {}},
            (Rule.VALUES, "lines.0.quantity"),
        ),
        (
            {"lines": [{"external_line_id": "1", "sku": "TEE", "quantity": "1", "unit_price": "-1"}], "totals": {}},
            (Rule.VALUES, "lines.0.unit_price"),
        ),
        ({"ship_to": {}}, (Rule.ADDRESS, "ship_to")),
        ({"payment_state": "pending"}, (Rule.PAYMENT, "payment_state")),
        ({"totals": {"total": "25"}}, (Rule.TOTALS, "totals.total")),
        (
            {
                "lines": [{"external_line_id": "1", "sku": "TEE", "quantity": "11", "unit_price": "10"}],
                "totals": {"total": "110"},
            },
            (Rule.VALUE_LIMIT, "totals.total"),
        ),
    ],
)
def test_each_rule_names_its_place(changes: dict[str, Any], finding: tuple[str, str]) -> None:
    policy = Policy(value_limits={"USD": Decimal(100)}, payment_require=("paid",))
    assert found(policy, **changes) == [finding]


def test_every_finding_says_what_to_do() -> None:
    record = order_record(("L1", "NEW", 2), ship_to={"country": "US"}, payment_state="voided")
    for finding in findings(record, Policy(payment_require=("paid",)), ("#1000",)):
        assert finding.hint
        assert finding.kind in set(HoldKind)


def test_an_order_placed_twice_is_somebody_s_to_look_at() -> None:
    assert found(doubles=("#1000",)) == [(Rule.DUPLICATE, "lines")]


def test_a_policy_that_accepts_finds_nothing() -> None:
    accepting = Policy(unknown_sku="accept", address="accept", totals_otherwise="accept", values="accept")
    assert found(accepting, ship_to={}, totals={"total": "9"}, placed_at="1970-01-19T07:03:58Z")[1:] == []


@pytest.mark.parametrize(
    ("country", "good", "bad"),
    [
        ("US", ["12207", "12207-1234", "122071234"], ["1220", "ABCDE"]),
        ("CA", ["K1A 0B1", "K1A0B1", "k1a 0b1"], ["D1A 0B1", "K1A"]),
        ("GB", ["SW1A 1AA", "M1 2AB", "GIR 0AA", "BFPO 1234"], ["SW1A", "12345"]),
        ("DE", ["01067"], ["1067", "D-01067"]),
        ("FR", ["75001"], ["7500"]),
        ("AT", ["1010"], ["0101", "10100"]),
        ("CH", ["8001"], ["80010"]),
        ("NL", ["1012 AB", "1012AB"], ["1012", "0123 AB"]),
        ("ES", ["28001", "01001"], ["99001"]),
        ("IT", ["00118"], ["118"]),
        ("AU", ["2000", "0800"], ["200"]),
        ("JP", ["150-0002", "1500002"], ["150-002"]),
    ],
)
def test_a_postal_code_has_the_form_of_its_country(country: str, good: list[str], bad: list[str]) -> None:
    assert [code for code in good if wrong_postal_code({"country": country, "postal_code": code})] == []
    assert [code for code in bad if not wrong_postal_code({"country": country, "postal_code": code})] == []
    assert not wrong_postal_code({"country": country, "postal_code": POSTAL_CODES[country].looks.split(" or ")[0]})


def test_a_country_whose_form_is_not_known_takes_any_code() -> None:
    assert wrong_postal_code({"country": "KE", "postal_code": "anything"}) is None


def test_what_a_parcel_needs_depends_on_its_country() -> None:
    whole = {"lines": ["1 Main St"], "locality": "X", "country": "US"}
    assert missing_parts(whole) == ["postal_code", "admin_area"]
    assert missing_parts({**whole, "country": "HK"}) == []
    assert missing_parts({**whole, "country": "DE", "postal_code": "10115"}) == []
    assert missing_parts({}) == ["country", "locality", "lines", "postal_code"]


ADDRESSES = [
    # Real forms of addresses: what may be missing there, and is not missing.
    ("HK", "", "Kowloon", ""),
    ("SG", "", "", "048616"),
    ("AE", "", "Dubai", ""),
    ("IE", "Cork", "", ""),
    ("IE", "Dublin", "", "D02 AF30"),
    ("JP", "", "Tokyo", "150-0002"),
    ("JP", "Shibuya", "", "150-0002"),
    ("US", "APO", "AE", "09499"),
    ("US", "DPO", "Armed Forces Pacific", "96521-0001"),
    ("US", "Reno", "Nevada", "89501"),
    ("US", "Washington", "D.C.", "20001"),
    ("US", "Newark", "US-NJ", "07114"),
    ("US", "San Juan", "PR", "00901"),
    ("PR", "San Juan", "", "00901"),
    ("CA", "Montr\u00e9al", "qu\u00e9bec", "H2Y 1C6"),
    ("GB", "London", "England", "SW1A 1AA"),
    ("GI", "", "", "GX11 1AA"),
    ("JE", "St Helier", "", "JE2 3AB"),
    ("CN", "Shenzhen", "", "518000"),
    ("CO", "Bogot\u00e1", "", ""),
    ("CL", "Santiago", "", ""),
    ("VN", "Hanoi", "", ""),
    ("SA", "Riyadh", "", ""),
    ("EG", "Cairo", "", ""),
    ("NG", "Lagos", "", ""),
    ("KE", "Nairobi", "", ""),
    ("QA", "Doha", "", ""),
    ("BR", "S\u00e3o Paulo", "SP", "01310-100"),
    ("KR", "", "Seoul", "06236"),
    ("XK", "Pristina", "", "10000"),
    ("NZ", "Auckland", "", "1010"),
]


@pytest.mark.parametrize(("country", "town", "area", "code"), ADDRESSES)
def test_an_address_that_mail_reaches_is_not_held(country: str, town: str, area: str, code: str) -> None:
    parts = {"lines": ["PO Box 12"], "locality": town, "admin_area": area, "postal_code": code, "country": country}
    assert address_findings({name: value for name, value in parts.items() if value}) == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"country": "UK"}, "ship_to.country"),
        ({"country": "XX"}, "ship_to.country"),
        ({"country": "USA"}, "ship_to.country"),
        ({"admin_area": "ZZ"}, "ship_to.admin_area"),
        ({"admin_area": "Ontario"}, "ship_to.admin_area"),
        ({"postal_code": "K2P 0B0"}, "ship_to.postal_code"),
        ({"postal_code": ""}, "ship_to.postal_code"),
        ({"locality": ""}, "ship_to.locality"),
        ({"lines": ["", ""]}, "ship_to.lines"),
    ],
)
def test_an_address_that_no_carrier_takes_is_held_by_the_part_that_is_wrong(changes: dict[str, Any], path: str) -> None:
    good = {"lines": ["1 Main St"], "locality": "Reno", "admin_area": "NV", "postal_code": "89501", "country": "US"}
    assert address_findings(good) == []
    assert address_findings({**good, **changes}) == [path]


def address_findings(address: dict[str, Any]) -> list[str]:
    record = {"ship_to": address, "lines": [{"external_line_id": "1", "sku": "A", "quantity": "1"}]}
    return [one.path for one in check(Facts(record, record, Policy())) if one.rule == "address"]


def test_every_kind_of_hold_and_every_rule_of_the_pipeline_is_named() -> None:
    assert set(HOLD_KINDS) == set(HoldKind)
    assert set(CHECKS) <= set(Rule)
