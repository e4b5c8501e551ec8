"""Every rule of the lint: its example triggers it at one exact place, and the repaired form triggers nothing."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from hub.config.rules import RULES, Rule, Severity
from hub.config.source import load
from hub.runtime.lint import lint
from hub.runtime.lint_examples import findings_of_example
from tests.lint.site import ENVIRON, GOOD, HERE, registry

TAB_AT_THE_START = "while scanning for the next token, found character that cannot start any token"
ROOT = HERE.parents[1]
EXPECTED = cast("dict[str, list[str]]", load(HERE / "expected.yaml").plain())


def test_the_good_configuration_is_good() -> None:
    found = lint(GOOD, ENVIRON, registry=registry())
    assert found.findings == ()
    assert found.loaded is not None


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_each_rule_is_triggered_by_its_example_at_its_place(rule: Rule) -> None:
    found = findings_of_example(rule, GOOD, ENVIRON, registry=registry())
    assert [str(one) for one in found] == EXPECTED[rule.id]
    assert rule.id in {one.rule for one in found}


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_no_message_is_without_its_why_and_what_to_do(rule: Rule) -> None:
    assert rule.title
    assert rule.why.endswith(".")
    assert rule.remedy.endswith((".", "`."))
    page = (ROOT / "docs" / "reference" / "lint.md").read_text(encoding="utf-8")
    assert f"\n## {rule.id}\n" in page


def test_a_fault_in_one_place_hides_none_in_another(tmp_path: Path) -> None:
    for path in GOOD.rglob("*.yaml"):
        target = tmp_path / path.relative_to(GOOD)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (tmp_path / "policies.yaml").write_text("grace:\n\tdefault: 1m\n")
    (tmp_path / "hub.yaml").write_text("seller: { name: Acme }\n")
    shop = tmp_path / "connections" / "shopify-us.yaml"
    shop.write_text(shop.read_text().replace("location_map:", "locations_map:").replace("rate: 2/s", "rate: 2"))
    wms = tmp_path / "connections" / "wms-east.yaml"
    wms.write_bytes(b"id: wms-east\n# \xff\n")
    own = tmp_path / "mappings" / "shopify" / "orders.in.yaml"
    own.write_text(own.read_text().replace("from: contact_email", "form: contact_email"))
    environ = {name: value for name, value in ENVIRON.items() if name != "ERP_PASSWORD"}
    found = lint(tmp_path, environ, registry=registry())
    assert found.loaded is None
    assert {one.rule for one in found.findings} == {"HUB000", "HUB001", "HUB002", "HUB004", "HUB014", "HUB021"}
    assert [str(one) for one in found.findings if one.rule == "HUB000"] == [
        "connections/wms-east.yaml:2:3: HUB000 byte 0xff is no UTF-8",
        "policies.yaml:2:1: HUB000 no YAML: " + TAB_AT_THE_START,
    ]


def test_an_error_cannot_be_excused_and_a_warning_needs_a_reason(tmp_path: Path) -> None:
    for path in GOOD.rglob("*.yaml"):
        target = tmp_path / path.relative_to(GOOD)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    routing = tmp_path / "routing.yaml"
    text = routing.read_text()

    def told(before: str, after: str) -> list[str]:
        assert before in text
        routing.write_text(text.replace(before, after))
        return [f"{one.line}:{one.column} {one.rule}" for one in lint(tmp_path, ENVIRON, registry=registry()).findings]

    condition = "`30` && method != 'pickup'\", use: together }"
    assert told(condition, '`30`", use: together }') == ["7:28 HUB024"]
    assert told(condition, '`30`", use: together } # hub: ignore[HUB024] pickup goes first') == []
    assert told(condition, '`30`", use: together } # hub: ignore[HUB024]') == ["7:28 HUB024", "7:67 HUB030"]
    assert told("use: together", "use: togehter") == ["7:78 HUB012"]
    assert told("use: together }", "use: togehter } # hub: ignore[HUB012] later") == ["7:78 HUB012", "7:89 HUB030"]
    above = "  # hub: ignore[HUB024] pickup goes first\n  - { id: low-value"
    text = text.replace(" && method != 'pickup'", "")
    assert told("  - { id: low-value", above) == []


@pytest.mark.parametrize("severity", Severity)
def test_every_grade_is_used(severity: Severity) -> None:
    assert any(rule.severity is severity for rule in RULES.values())
