"""Loading a configuration: a good one becomes values, a bad one a list of places and words."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hub.config.findings import ConfigErrors, render_json, render_text
from hub.config.load import load_blob, load_bundle, load_texts
from hub.config.model import Bundle, ConnectorInfo, EffectsMode, StreamOffer
from hub.config.revision import BlobError
from hub.config.show import show, to_json
from hub.config.source import Plain

SECRET: Plain = {"type": "string", "writeOnly": True, "minLength": 1}
BOTH = StreamOffer(push=True, poll=True)
CONNECTORS = {
    "shop": ConnectorInfo(
        name="shop",
        config_schema={
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "additionalProperties": False,
            "required": ["access_token"],
            "properties": {
                "shop": {"type": "string", "examples": ["acme.example"]},
                "access_token": {"$ref": "#/definitions/secret"},
                "webhook_secrets": {"type": "array", "items": {"$ref": "#/definitions/secret"}},
                "page": {"type": "integer", "minimum": 1, "default": 50},
                "key": {"type": "string"},
                "client_secret": {"type": "string"},
            },
            "definitions": {"secret": SECRET},
        },
        streams={"orders": BOTH, "refunds": StreamOffer(push=True, poll=False), "files": StreamOffer(False, True)},
        capabilities=frozenset({"push_shipment", "push_inventory"}),
        effect_options={"push_inventory": {"properties": {"batch": {"type": "integer"}}}},
    ),
    "wms": ConnectorInfo(
        "wms", {"type": "object"}, {"stock": BOTH}, frozenset({"send_fulfilment_request"}), push_secrets=None
    ),
}
ENVIRON = {"TOKEN": "tok-123456", "HOOK": "hook-abcdef", "PAGE": "25", "DB": "postgresql://hub:pw@db/hub"}

HUB = "seller: { name: Acme, default_entity: acme-us, base_currency: USD }\n"
SHOP = """\
id: shop-us
connector: shop
config:
  shop: acme.example
  access_token: "${env:TOKEN}"
  webhook_secrets: ["${env:HOOK}"]
streams:
  orders: { start_from: 2026-11-01T00:00:00+01:00, push: true, poll: { every: 10m, lookback: 30m } }
effects_out:
  push_inventory: { location_map: { "gid/1": dc-east }, batch: 100 }
limits: { default: { rate: 2/s, burst: 40 } }
"""
WMS = "id: wms-east\nconnector: wms\neffects: observe\neffects_out: { send_fulfilment_request: {} }\n"
LOCATIONS = """\
locations:
  - { id: dc-east, type: dc, zone: America/New_York, calendar: weekdays, wms: wms-east, costs: { order: 1.10 } }
"""
ROUTING = """\
strategies: { cheapest: {}, together: { ship_complete: true } }
rules:
  - { id: pickup, when: "method == 'pickup'", use: chosen_store }
fallback: { use: cheapest }
"""
POLICIES = "grace: { default: 10m, channels: { shop-us: 0 } }\n"
GOOD = {
    "hub.yaml": HUB,
    "connections/shop-us.yaml": SHOP,
    "connections/wms-east.yaml": WMS,
    "locations.yaml": LOCATIONS,
    "routing.yaml": ROUTING,
    "policies.yaml": POLICIES.replace("shop-us: 0 }", 'shop-us: "0" }'),
}


def bundle(files: Mapping[str, str] | None = None, **changed: str) -> Bundle:
    return load_texts({**GOOD, **(files or {})}, environ={**ENVIRON, **changed}, connectors=CONNECTORS)


def findings(name: str, before: str, after: str) -> list[str]:
    """What is found when one piece of one good file is replaced."""
    assert before in GOOD[name]
    with pytest.raises(ConfigErrors) as caught:
        bundle({name: GOOD[name].replace(before, after, 1)})
    return [str(found) for found in caught.value.findings]


def test_a_good_configuration_becomes_values() -> None:
    loaded = bundle()
    shop = loaded.connections["shop-us"]
    orders = shop.streams["orders"]
    assert orders.start_from == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert orders.poll is not None
    assert (orders.poll.every, orders.poll.lookback) == (timedelta(minutes=10), timedelta(minutes=30))
    assert shop.seller_entity == "acme-us"
    assert shop.config["access_token"] == "${env:TOKEN}"
    assert shop.config["page"] == 50
    assert shop.effects_out["push_inventory"].location_map == {"gid/1": "dc-east"}
    assert shop.effects_out["push_inventory"].options == {"batch": 100}
    assert shop.effects_out["push_inventory"].give_up_after == timedelta(days=7)
    assert shop.limits["default"].rate.per_second == 2
    assert loaded.connections["wms-east"].effects is EffectsMode.OBSERVE
    east = loaded.locations["dc-east"]
    assert east.costs.order == Decimal("1.10")
    assert (east.wms, east.stock_authority, east.wms_code) == ("wms-east", "wms-east", "dc-east")
    assert east.calendar.days == frozenset(range(5))
    assert loaded.routing.strategies["together"].ship_complete
    assert (loaded.routing.fallback, loaded.routing.when_nothing) == ("cheapest", "backorder")
    assert loaded.policies.grace("shop-us") == timedelta(0)
    assert loaded.policies.grace("other") == timedelta(minutes=10)
    assert loaded.policies.totals_difference_up_to == Decimal("0.02")
    assert loaded.policies.payment_require == {"authorised", "paid"}
    assert loaded.hub.web.max_body_bytes == 10_000_000
    assert loaded.hub.database == "sqlite"
    assert [c.id for c in loaded.offering("send_fulfilment_request")] == ["wms-east"]


def test_hub_yaml_alone_is_a_configuration() -> None:
    loaded = load_texts({"hub.yaml": HUB}, environ={}, connectors={})
    assert loaded.connections == {}
    assert loaded.routing.fallback == "cheapest"
    assert loaded.policies.unknown_sku == "hold_line"
    assert loaded.policies.share("any") == 1


@pytest.mark.parametrize(
    ("name", "before", "after", "expected"),
    [
        (
            "connections/shop-us.yaml",
            "webhook_secrets",
            "webhok_secrets",
            'connections/shop-us.yaml:6:3: HUB001 unknown key "webhok_secrets"; did you mean "webhook_secrets"?',
        ),
        (
            "hub.yaml",
            "seller:",
            "sellr: {}\nseller:",
            'hub.yaml:1:1: HUB001 unknown key "sellr"; did you mean "seller"?',
        ),
        (
            "locations.yaml",
            "type: dc",
            "type: dc, gln: 0123456789012, postal: 1",
            'locations.yaml:2:50: HUB001 unknown key "postal"',
        ),
        (
            "connections/shop-us.yaml",
            "shop: acme.example",
            "shop: 5",
            "connections/shop-us.yaml:4:9: HUB002 config.shop must be text, not 5; quote it: '5'",
        ),
        (
            "connections/shop-us.yaml",
            "start_from: 2026-11-01T00:00:00+01:00, push",
            "start_from: , push",
            "connections/shop-us.yaml:8:25: HUB002 streams.orders.start_from has no value; for example 2026-11-01T00",
        ),
        (
            "connections/shop-us.yaml",
            "every: 10m",
            "every: 10 min",
            "connections/shop-us.yaml:8:79: HUB002 streams.orders.poll.every: '10 min' is no duration; write",
        ),
        (
            "connections/shop-us.yaml",
            "2026-11-01T00",
            "2026-13-01T00",
            "connections/shop-us.yaml:8:25: HUB002 '2026-13-01T00:00:00+01:00' is no time that exists",
        ),
        ("connections/shop-us.yaml", "2/s", "0/s", "connections/shop-us.yaml:11:28: HUB002 '0/s' would never send"),
        (
            "connections/wms-east.yaml",
            "observe",
            "observ",
            "connections/wms-east.yaml:3:10: HUB002 effects must be one of on, observe, not 'observ'; did",
        ),
        ("routing.yaml", "fallback: {", "fallback: [", "routing.yaml:4:27: HUB000 no YAML"),
        (
            "locations.yaml",
            "America/New_York",
            "America/NewYork",
            'locations.yaml:2:36: HUB002 "America/NewYork" is no time zone; did you mean "America/New_York"?',
        ),
        (
            "connections/shop-us.yaml",
            '"${env:TOKEN}"',
            "shpat_0123456789",
            "connections/shop-us.yaml:5:17: HUB003 config.access_token is a secret written out; write ${env:NAME}",
        ),
        (
            "connections/shop-us.yaml",
            '"${env:HOOK}"',
            "12345",
            "connections/shop-us.yaml:6:21: HUB003 config.webhook_secrets.0 is a secret written out",
        ),
        (
            "connections/shop-us.yaml",
            "shop: acme.example",
            "client_secret: abc",
            "connections/shop-us.yaml:4:18: HUB003 config.client_secret is a secret written out",
        ),
        (
            "hub.yaml",
            "seller:",
            "database: postgresql://hub:hunter2@db/hub\nseller:",
            "hub.yaml:1:11: HUB003 database holds a password written out",
        ),
        (
            "connections/shop-us.yaml",
            "${env:TOKEN}",
            "${env:TOKEM}",
            "connections/shop-us.yaml:5:17: HUB004 the variable TOKEM is not set",
        ),
        (
            "connections/shop-us.yaml",
            "${env:TOKEN}",
            "${file:/no/such/file}",
            "connections/shop-us.yaml:5:17: HUB004 the secret file /no/such/file cannot be read: No such file",
        ),
        (
            "connections/shop-us.yaml",
            "connector: shop",
            "connector: shpo",
            'connections/shop-us.yaml:2:12: HUB005 there is no connector "shpo"; did you mean "shop"?',
        ),
        (
            "connections/shop-us.yaml",
            "  orders:",
            "  order:",
            'connections/shop-us.yaml:8:3: HUB006 the connector shop has no stream "order"; did you mean "orders"?',
        ),
        (
            "connections/shop-us.yaml",
            "push_inventory",
            "push_inventry",
            'connections/shop-us.yaml:10:3: HUB007 the connector shop does not offer "push_inventry"; did you',
        ),
        (
            "locations.yaml",
            "locations:\n",
            "locations:\n  - { id: dc-east, type: dc }\n",
            'locations.yaml:3:11: HUB008 the location "dc-east" exists already',
        ),
        (
            "connections/wms-east.yaml",
            "id: wms-east",
            "id: shop-us",
            'connections/wms-east.yaml:1:5: HUB008 the connection "shop-us" exists already; in',
        ),
        (
            "connections/shop-us.yaml",
            "start_from: 2026-11-01T00:00:00+01:00, ",
            "",
            "connections/shop-us.yaml:8:3: HUB009 the stream orders has no start_from; ",
        ),
        (
            "connections/shop-us.yaml",
            '  webhook_secrets: ["${env:HOOK}"]\n',
            "",
            "connections/shop-us.yaml:7:58: HUB010 webhooks for orders could not be verified; add config.",
        ),
        ("routing.yaml", "fallback: { use: cheapest }\n", "", 'routing.yaml:1:1: HUB011 the file has no "fallback"; '),
        (
            "routing.yaml",
            "use: chosen_store",
            "use: cheepest",
            'routing.yaml:3:52: HUB012 there is no strategy "cheepest"; did you mean "cheapest"?',
        ),
        (
            "locations.yaml",
            "wms: wms-east",
            "wms: wms-west",
            'locations.yaml:2:79: HUB013 the wms of dc-east is no connection: "wms-west"; did you mean "wms-east"?',
        ),
        (
            "locations.yaml",
            "wms: wms-east",
            "wms: shop-us",
            'locations.yaml:2:79: HUB013 the connection "shop-us" takes no fulfilment requests',
        ),
        (
            "connections/wms-east.yaml",
            "connector: wms\n",
            "",
            'connections/wms-east.yaml:1:1: HUB014 the file has no "c',
        ),
        (
            "connections/shop-us.yaml",
            '  access_token: "${env:TOKEN}"\n',
            "",
            'connections/shop-us.yaml:4:3: HUB014 config has no "access_token"',
        ),
        (
            "connections/shop-us.yaml",
            "shop: acme.example",
            'shop: "${vault:x}"',
            "connections/shop-us.yaml:4:9: HUB015 ${vault:x} is no reference",
        ),
        (
            "policies.yaml",
            "shop-us",
            "shop-uk",
            'policies.yaml:1:36: HUB016 there is no connection "shop-uk"; did you mean "shop-us"?',
        ),
        (
            "connections/shop-us.yaml",
            '"gid/1": dc-east',
            '"gid/1": dc-eats',
            'connections/shop-us.yaml:10:46: HUB016 there is no location "dc-eats"; did you mean "dc-east"?',
        ),
        (
            "locations.yaml",
            "calendar: weekdays",
            "calendar: weekday",
            'locations.yaml:2:64: HUB016 there is no calendar "weekday"; did you mean "weekdays"?',
        ),
        ("routing.yaml", "method == 'pickup'", "method = 'pickup'", "routing.yaml:3:25: HUB017 this is no JMESPath"),
        ("routing.yaml", "method == 'pickup'", "total > `30.5`", "routing.yaml:3:25: HUB017 a literal with a point"),
        (
            "connections/shop-us.yaml",
            "  orders:",
            "  refunds: { poll: { every: 5m } }\n  orders:",
            "connections/shop-us.yaml:8:20: HUB019 shop cannot be polled for refunds",
        ),
        (
            "connections/shop-us.yaml",
            "  orders:",
            "  files: { push: true }\n  orders:",
            "connections/shop-us.yaml:8:18: HUB019 shop sends no webhooks for files",
        ),
    ],
)
def test_each_fault_is_told_with_its_place_and_what_to_do(name: str, before: str, after: str, expected: str) -> None:
    assert any(found.startswith(expected) for found in findings(name, before, after)), findings(name, before, after)


def test_all_faults_are_told_at_once_in_the_order_of_files_and_lines() -> None:
    with pytest.raises(ConfigErrors) as caught:
        bundle({"connections/shop-us.yaml": SHOP.replace("rate", "rat"), "routing.yaml": ROUTING.replace("use", "us")})
    places = [(found.file, found.line) for found in caught.value.findings]
    assert places == sorted(places)
    assert len({found.file for found in caught.value.findings}) == 2
    assert render_text(caught.value.findings).endswith(" faults in 2 files")


def test_findings_are_rendered_for_machines() -> None:
    with pytest.raises(ConfigErrors) as caught:
        bundle({"routing.yaml": "strategies: {}\n"})
    rendered = json.loads(render_json(caught.value.findings))
    assert rendered["hub_cli"] == "1.0"
    assert (
        rendered["items"][0].items()
        >= {
            "rule": "HUB011",
            "severity": "error",
            "file": "routing.yaml",
            "line": 1,
            "column": 1,
            "message": 'the file has no "fallback"',
            "why": "An order for which no rule holds would go nowhere.",
            "docs": "docs/reference/lint.md#hub011",
        }.items()
    )
    assert render_text([]) == "configuration is good"


def test_a_missing_hub_yaml_and_a_missing_directory_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"hub\.yaml:1:1: HUB018 the file is missing"):
        load_bundle(tmp_path, environ={}, connectors={})
    with pytest.raises(ConfigErrors, match="HUB018 there is no such directory"):
        load_bundle(tmp_path / "none", environ={}, connectors={})


def test_a_directory_is_read_whole_and_a_bad_byte_is_placed(tmp_path: Path) -> None:
    for name, text in GOOD.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "mappings" / "shop").mkdir(parents=True)
    (tmp_path / "mappings" / "shop" / "orders.in.yaml").write_text("mapping: shop/orders.in\n")
    shipped = {"shop/orders.in": "mapping: shipped\n", "shop/refunds.in": "mapping: shop/refunds.in\n"}
    loaded = load_bundle(tmp_path, environ=ENVIRON, connectors=CONNECTORS, mappings=shipped)
    assert loaded.mappings == {**shipped, "shop/orders.in": "mapping: shop/orders.in\n"}
    again = load_blob(loaded.blob, environ=ENVIRON, connectors=CONNECTORS)
    assert (again.revision, again.blob, again.mappings) == (loaded.revision, loaded.blob, loaded.mappings)
    (tmp_path / "policies.yaml").write_bytes(b"grace: {}\n# \xff\n")
    with pytest.raises(ConfigErrors, match=r"policies\.yaml:2:3: HUB000 byte 0xff is no UTF-8"):
        load_bundle(tmp_path, environ=ENVIRON, connectors=CONNECTORS)


def test_a_revision_is_what_the_files_mean() -> None:
    first = bundle()
    commented = bundle({"policies.yaml": "# why\n" + GOOD["policies.yaml"], "locations.yaml": LOCATIONS + "\n\n"})
    assert commented.revision == first.revision
    assert commented.blob != first.blob
    assert bundle({"policies.yaml": "grace: { default: 11m }\n"}).revision != first.revision


def test_a_revision_and_its_blob_hold_references_and_never_values() -> None:
    first = bundle({"hub.yaml": HUB + 'database: "${env:DB}"\n'})
    assert bundle({"hub.yaml": HUB + 'database: "${env:DB}"\n'}, TOKEN="rotated-token").revision == first.revision
    shown = to_json(show(first, CONNECTORS))
    for value in ENVIRON.values():
        if len(value) > 4:
            assert value.encode() not in first.blob
            assert value not in shown
            assert value not in repr(first)
    assert "${env:TOKEN}" in shown
    assert '"difference_up_to": "0.02"' in shown


def test_no_message_holds_the_value_of_a_secret() -> None:
    for before, after in (
        ('"${env:TOKEN}"', "shpat_top_secret"),
        ('"${env:TOKEN}"', "[shpat_top_secret]"),
        ("shop: acme.example", "client_secret: shpat_top_secret"),
    ):
        assert "shpat_top_secret" not in "\n".join(findings("connections/shop-us.yaml", before, after))
    with pytest.raises(ConfigErrors) as caught:
        bundle({"hub.yaml": HUB + 'database: "${env:DB}"\n'}, DB="mysql://root:top-secret@db/hub")
    assert "top-secret" not in str(caught.value)
    assert "HUB002 database is not written as expected, not '${env:DB}'" in str(caught.value)


def test_a_number_may_come_from_a_variable_and_must_still_be_one() -> None:
    text = SHOP.replace("shop: acme.example", 'page: "${env:PAGE}"')
    assert bundle({"connections/shop-us.yaml": text}).connections["shop-us"].config["page"] == "${env:PAGE}"
    with pytest.raises(ConfigErrors, match=r"4:9: HUB002 config\.page must be a whole number"):
        bundle({"connections/shop-us.yaml": text}, PAGE="many")


@pytest.mark.parametrize("blob", [b"", b"{}", b"\xff", b"[]", b'{"format": 9}', b'{"format": 1, "files": []}'])
def test_bytes_that_are_no_stored_configuration_are_refused(blob: bytes) -> None:
    with pytest.raises(BlobError):
        load_blob(blob, environ={}, connectors={})


def test_a_yml_ending_is_not_silently_ignored(tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text(HUB)
    (tmp_path / "connections").mkdir()
    (tmp_path / "connections" / "shop-us.yml").write_text(SHOP)
    with pytest.raises(ConfigErrors, match=r"HUB018 files end in \.yaml"):
        load_bundle(tmp_path, environ=ENVIRON, connectors=CONNECTORS)


def test_a_misspelt_file_is_told_and_a_foreign_one_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text(HUB)
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    assert load_bundle(tmp_path, environ=ENVIRON, connectors=CONNECTORS).connections == {}
    (tmp_path / "location.yaml").write_text(LOCATIONS)
    with pytest.raises(ConfigErrors, match=r'location\.yaml:1:1: HUB018 .* did you mean "locations"\?'):
        load_bundle(tmp_path, environ=ENVIRON, connectors=CONNECTORS)


def test_any_shape_of_a_file_is_a_finding_and_never_a_crash() -> None:
    for name in GOOD:
        for text in ("[]", "5", "a: b", "locations: 5", "rules: {a: 1}", "streams: [a]", "id: [1]\nconnector: {}"):
            with pytest.raises(ConfigErrors):
                bundle({name: text})
