"""Whatever stands in the files, loading ends in a bundle or in findings."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from hub.config.findings import ConfigErrors
from hub.config.load import load_texts
from hub.config.model import ConnectorInfo, StreamOffer
from hub.config.source import Plain, loads

CONNECTORS = {
    "shop": ConnectorInfo(
        "shop",
        {"type": "object", "properties": {"token": {"type": "string", "writeOnly": True}, "page": {"type": "integer"}}},
        {"orders": StreamOffer()},
        frozenset({"push_inventory", "send_fulfilment_request"}),
        effect_options={"push_inventory": {"properties": {"x": {}}}},
    )
}
GOOD: dict[str, str] = {
    "hub.yaml": """\
seller: { name: Acme, default_entity: us, base_currency: USD, entities: { us: { erp_company: "1" } } }
database: sqlite
web: { host: localhost, port: 1, max_body: 10MB, public_url: "https://x", api_keys: ["${env:KEY}"] }
alerts: { after: 5m, to: ["mailto:a@b"], mail: { host: h, port: 25, sender: a@b, password: "${env:KEY}" } }
retention: { receipts: 90d }
""",
    "connections/shop.yaml": """\
id: shop
connector: shop
config: { token: "${env:KEY}", webhook_secrets: ["${env:KEY}"], page: 1 }
streams:
  orders:
    start_from: always
    push: true
    poll: { every: 5m, lookback: 1m }
    files: { directory: /a }
    format: { items: a }
effects_out: { push_inventory: { safety: { mode: lookup, settle: 1s }, location_map: { a: dc }, x: 1 } }
limits: { default: { rate: 2/s, burst: 1, concurrent: 2 } }
""",
    "locations.yaml": """\
calendars: { own: { days: [mon], closed: [2026-12-25] } }
locations:
  - { id: dc, type: dc, gln: "1234567890123", zone: UTC, calendar: own,
      address: { country: US, latitude: 1.5, lines: [a] },
      cut_offs: { standard: "15:00" }, capacity_per_day: 1, wms: shop, costs: { order: 1.1, line: "2" },
      safety_stock: { default: 2 }, clock_skew: 1s, can: [ship] }
""",
    "routing.yaml": """\
strategies:
  a: { objective: cost, max_shipments: 2, split_penalty: 1.5, locations: [dc], types: [dc], time_budget: 1s }
rules: [{ id: r, when: a, use: a }]
fallback: { use: a, when_nothing: hold }
""",
    "policies.yaml": """\
grace: { default: 1m, channels: { shop: 2m } }
validation: { payment: { require: [paid] } }
totals: { difference_up_to: 0.02 }
payment: { managed_by: { shop: channel } }
promise: { threshold: { shop: 1 }, share: { default: "0.5" }, coalesce: 1s }
erp: { submit_to: shop }
waiting: { correlate_within: 1h }
""",
}
ENVIRON = {"KEY": "0123456789abcdef"}
TREES = {name: loads(text).plain() for name, text in GOOD.items()}
NASTY: list[Plain] = [
    None, True, 0, -1, 10**30, "", "0", "x", "${env:KEY}", "${env:NO}", "${", "always", "9999-99-99T99:99:99Z",
    "999999d", "0/s", "\x00", "é" * 300, [], ["a"], [["a"]], [{}], {}, {"a": {}}, {"id": 1}, {"default": "x"},
    "99:99", "NaN", "1e9",
]  # fmt: skip


def places(node: Plain, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path]
    if isinstance(node, dict):
        for name, value in node.items():
            found += places(value, (*path, name))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            found += places(value, (*path, index))
    return found


def replaced(node: Plain, path: Sequence[str | int], value: Plain) -> Plain:
    if not path:
        return value
    if isinstance(node, dict):
        return {k: replaced(v, path[1:], value) if k == path[0] else v for k, v in node.items()}
    assert isinstance(node, list)
    return [replaced(v, path[1:], value) if i == path[0] else v for i, v in enumerate(node)]


def removed(node: Plain, path: Sequence[str | int]) -> Plain:
    if len(path) == 1 and isinstance(node, dict):
        return {k: v for k, v in node.items() if k != path[0]}
    if isinstance(node, dict):
        return {k: removed(v, path[1:]) if k == path[0] else v for k, v in node.items()}
    assert isinstance(node, list)
    return [v if i != path[0] else removed(v, path[1:]) for i, v in enumerate(node) if i != path[0] or len(path) > 1]


def written(tree: Plain) -> str:
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{written(str(k))}: {written(v)}" for k, v in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(written, tree)) + "]"
    if isinstance(tree, str):
        return '"' + "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\u{ord(c):04x}" for c in tree) + '"'
    return "null" if tree is None else str(tree).lower()


def test_the_configuration_that_is_spoilt_below_is_good() -> None:
    assert load_texts(GOOD, environ=ENVIRON, connectors=CONNECTORS).routing.when_nothing == "hold"
    again = {name: written(tree) for name, tree in TREES.items()}
    assert (
        load_texts(again, environ=ENVIRON, connectors=CONNECTORS).revision
        == load_texts(GOOD, environ=ENVIRON, connectors=CONNECTORS).revision
    )


@given(st.data())
def test_a_spoilt_value_anywhere_ends_in_a_bundle_or_in_findings(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(TREES)))
    path = data.draw(st.sampled_from(places(TREES[name])))
    spoilt = replaced(TREES[name], path, data.draw(st.sampled_from(NASTY)))
    survives({**GOOD, name: written(spoilt)})


@given(st.data())
def test_a_missing_key_anywhere_ends_in_a_bundle_or_in_findings(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(TREES)))
    path = data.draw(st.sampled_from([place for place in places(TREES[name]) if place]))
    survives({**GOOD, name: written(removed(TREES[name], path))})


@given(st.sampled_from(sorted(GOOD)), st.text(max_size=40))
def test_any_text_as_a_file_ends_in_a_bundle_or_in_findings(name: str, text: str) -> None:
    survives({**GOOD, name: text})


def survives(files: dict[str, str]) -> None:
    errors: ConfigErrors | None = None
    try:
        load_texts(files, environ=ENVIRON, connectors=CONNECTORS)
    except ConfigErrors as caught:
        errors = caught
    if errors is not None:
        assert errors.findings
        assert ENVIRON["KEY"] not in str(errors)
        assert all(found.line >= 1 and found.message for found in errors.findings)
