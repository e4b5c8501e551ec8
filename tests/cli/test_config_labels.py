"""Labels that the hub buys, in locations.yaml: what is checked, where, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.cli.site import ERP, SECRETS, SHOP, WMS, Site

CARRIER = """
id: carrier
connector: carrier_rest
config:
  base_url: "http://127.0.0.1:9"
  api_key: "${env:DEMO_CARRIER_TOKEN}"
  webhook_secrets: ["${env:DEMO_CARRIER_SECRET}"]
streams: { tracking: { push: true, poll: { every: 10m } } }
effects_out: { buy_label: {}, void_label: {} }
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path, {**SECRETS, "DEMO_CARRIER_TOKEN": "token", "DEMO_CARRIER_SECRET": "secret"})
    for other in (made.config / "connections").iterdir():
        if other.stem not in (SHOP, WMS, ERP):
            other.unlink()
    (made.config / "connections" / "carrier.yaml").write_text(CARRIER.lstrip())
    return made


def label(site: Site, text: str) -> int:
    """Give the first location labels; the line they stand on."""
    path = site.config / "locations.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if line.strip().startswith("wms:"))
    lines.insert(at, f"    labels: {text}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return at + 1


def test_the_example_of_the_page_is_good(site: Site) -> None:
    label(
        site,
        "{ by: hub, carrier: carrier, service: cheapest, services: { express: fastest }, format: pdf, at_most: 40 }",
    )
    done = site.hub("config", "check")
    assert done.code == 0, done.out + done.err


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("{ by: hub, carrier: carier }", 33, 'HUB013 the carrier of the labels is no connection: "carier"'),
        ("{ by: hub, carrier: wms-east }", 33, 'HUB013 the connection "wms-east" buys no labels'),
        ("{ by: location, carrier: carrier }", 19, "HUB002"),
        ("{ by: hub }", 13, 'has no "carrier"'),
    ],
)
def test_a_mistake_is_found_where_it_stands(site: Site, text: str, column: int, says: str) -> None:
    line = label(site, text)
    done = site.hub("config", "check")
    assert done.code == 1
    told = done.out + done.err
    assert says in told
    assert f"locations.yaml:{line}:{column}" in told


def test_the_page_and_the_readme_show_configuration_that_can_be_read() -> None:
    root = Path(__file__).parents[2]
    for page in ("docs/how-to/ship-with-hub-labels.md", "connectors/carrier_rest/README.md"):
        blocks = (root / page).read_text(encoding="utf-8").split("```yaml\n")[1:]
        assert all(isinstance(yaml.safe_load(block.split("```")[0]), dict) for block in blocks), page
