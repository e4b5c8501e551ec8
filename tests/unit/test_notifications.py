"""Templates of notifications: which one is taken, what it shows, and what a wrong one is told."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest

from hub.config.model import NotificationTemplate
from hub.config.notifications import GENERAL, OWN, chosen, fields_of, holes, shipped, written
from hub.config.schemas import schema_of
from hub.config.source import loads

ROOT = Path(__file__).parents[2]
RECORD = {
    "template": "shipped",
    "channel": "shop",
    "to": {"email": "b@shop.example", "name": "A <Buyer>"},
    "order_number": "#1001",
    "placed_at": "2026-11-02T09:00:00Z",
    "lines": [{"title": "Mug & saucer", "quantity": "2"}, {"sku": "TEE", "quantity": "1.5"}],
    "ship_to": {"name": "A. Buyer", "lines": ["1 Example Street"], "postal_code": "12207", "locality": "Albany"},
    "data": {"tracking_number": "TN1"},
}


def template(text: str = "", **changes: str | None) -> NotificationTemplate:
    made: dict[str, str | None] = {"name": "shipped", "subject": "s", "text": text, "html": None, "locale": "en"}
    return NotificationTemplate(**{**made, **changes})  # type: ignore[arg-type]


def test_a_template_of_every_name_comes_with_the_hub_and_shows_its_own_fields_only() -> None:
    assert [one.name for one in shipped()] == list(OWN)
    for one in shipped():
        shown = {name for text in (one.subject, one.text, one.html or "") for _, _, name in holes(text)}
        assert shown <= set(fields_of(one.name)), one.name
        assert set(OWN[one.name]) - {"line"} <= shown, f"{one.name} leaves out a field of its own"
        assert not set(OWN[one.name]) & set(GENERAL)


def test_every_notification_that_the_rules_write_has_its_template_and_shows_what_they_say() -> None:
    calls = [
        (found[1], re.findall(r"\b(\w+)=", found[2]))
        for path in sorted((ROOT / "hub" / "oms").rglob("*.py"))
        for found in re.finditer(r'\bnotify\(\s*case,\s*"(\w+)",(.*)', path.read_text(encoding="utf-8"))
    ]
    assert len(calls) > 3
    for name, data in calls:
        assert name in OWN
        assert set(data) <= {*OWN[name], "fulfilment_order"}, name


def test_lines_whose_fields_are_all_empty_are_left_out() -> None:
    said = written(
        template("Number: $tracking_number\nFollow: $tracking_url\n$carrier $tracking_number\nFree: $$5"), RECORD
    )
    assert said.text == "Number: TN1\n TN1\nFree: $5"


def test_times_are_shown_as_dates_and_lists_as_lines() -> None:
    said = written(template("$placed_at\n$lines\n$ship_to"), RECORD)
    assert said.text.splitlines() == [
        "2026-11-02",
        "2 x Mug & saucer",
        "1.5 x TEE",
        "A. Buyer",
        "1 Example Street",
        "12207 Albany",
    ]


def test_a_time_inside_a_text_is_shown_as_a_date() -> None:
    record = {
        **RECORD,
        "template": "promise_moved",
        "data": {"now": "3 by 2026-12-01T08:00:00.000000Z, 2 by 2026-12-24T08:00:00Z"},
    }
    assert written(template("$now", name="promise_moved"), record).text == "3 by 2026-12-01, 2 by 2026-12-24"


def test_values_in_html_are_escaped_and_those_in_text_are_not() -> None:
    said = written(template("$name", html="<b>$name</b><p>$lines</p>"), RECORD)
    assert said.text == "A <Buyer>"
    assert said.html == "<b>A &lt;Buyer&gt;</b><p>2 x Mug &amp; saucer<br>1.5 x TEE</p>"


def test_a_subject_is_one_line() -> None:
    assert written(template(subject="Order $order_number\n of $name"), RECORD).subject == "Order #1001 of A <Buyer>"


def test_what_a_value_holds_is_not_filled_in_again() -> None:
    record = {**RECORD, "order_number": "$name"}
    assert written(template("$order_number"), record).text == "$name"


@pytest.mark.parametrize(
    ("channel", "brand", "locale", "wanted"),
    [
        ("shop", "", "en", "site"),
        ("shop", "acme", "en", "brand"),
        ("outlet", "acme", "en", "channel"),
        ("shop", "acme", "de-AT", "german"),
        ("shop", "", "fr", "site"),
    ],
)
def test_language_comes_first_then_channel_then_brand(channel: str, brand: str, locale: str, wanted: str) -> None:
    own = (
        template("site"),
        template("brand", brand="acme"),
        template("channel", channel="outlet"),
        template("german", locale="de"),
    )
    assert chosen(own, "shipped", channel, brand, locale).text == wanted


def test_without_templates_of_a_site_the_shipped_one_is_taken() -> None:
    assert chosen((), "delayed", "shop", "", "de") in shipped()
    with pytest.raises(KeyError):
        chosen((), "nothing", "shop", "", "en")


def test_the_template_of_the_how_to_page_is_one() -> None:
    page = (ROOT / "docs" / "how-to" / "notifications.md").read_text(encoding="utf-8")
    (block,) = [one for one in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if one.startswith("# config/notif")]
    tree = loads(block.encode(), name="shipped-de.yaml").plain()
    assert isinstance(tree, dict)
    assert list(jsonschema.Draft7Validator(dict(schema_of("notification"))).iter_errors(tree)) == []
    for key in ("subject", "text", "html"):
        assert {name for _, _, name in holes(str(tree[key]))} <= set(fields_of("shipped"))
    for name in OWN:
        assert f"`{name}`" in page
