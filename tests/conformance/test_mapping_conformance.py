"""Every order body of the public samples through the mapping, held against an oracle that shares no code with it."""

import json
from collections.abc import Iterator

import pytest

from hub.formats import json as exact_json
from hub.mapping import Mapped, MappingError, MappingLibrary
from tests.conformance import oracle

pytestmark = pytest.mark.skipif(
    not oracle.available(), reason=f"the samples are not there: {oracle.CORPORA} beside the checkout"
)


@pytest.fixture(scope="module")
def library() -> MappingLibrary:
    return MappingLibrary()


def mapped_bodies(library: MappingLibrary, source: str) -> Iterator[tuple[oracle.Body, Mapped]]:
    mapping = library.get("shopify/orders.in")
    for body in oracle.bodies(source):
        yield body, mapping.run(exact_json.loads(body.raw))


SOURCES = {"shopify-app-js": (30, 29), "shopify-python-api": (1, 1), "go-shopify": (3, 3)}
"""Source -> (order bodies, well-formed ones), counted by hand."""


@pytest.mark.parametrize("source", SOURCES)
def test_the_list_names_every_order_body(source: str) -> None:
    bodies = oracle.bodies(source)
    assert (len(bodies), sum(body.well_formed for body in bodies)) == SOURCES[source]


@pytest.mark.parametrize("source", SOURCES)
def test_every_body_with_an_id_maps_and_says_what_the_oracle_reads(source: str, library: MappingLibrary) -> None:
    differences = []
    for body, mapped in mapped_bodies(library, source):
        differences += [f"{body}: {difference}" for difference in oracle.compare_order(mapped.record, body)]
        if mapped.record.get("source_version", "") != body.version:
            differences.append(f"{body}: version {mapped.record.get('source_version')} instead of {body.version}")
    assert differences == []


@pytest.mark.parametrize("source", SOURCES)
def test_holds_are_on_missing_skus_and_on_nothing_else(source: str, library: MappingLibrary) -> None:
    for body, mapped in mapped_bodies(library, source):
        without = [f"lines.{index}.sku" for index, line in enumerate(body.lines or ()) if line.sku is None]
        assert [(hold.field, hold.rule) for hold in mapped.holds] == [(field, "missing_sku") for field in without]
        assert mapped.notes == []


@pytest.mark.parametrize("source", SOURCES)
def test_what_a_body_does_not_say_the_record_does_not_say(source: str, library: MappingLibrary) -> None:
    for body, mapped in mapped_bodies(library, source):
        assert ("currency" in mapped.record) == (body.currency is not None)
        assert ("lines" in mapped.record) == (body.lines is not None)
        assert set(oracle.TOTALS) & set(mapped.record.get("totals", {})) == set(body.totals)  # type: ignore[call-overload]


@pytest.mark.parametrize("source", SOURCES)
def test_nothing_of_a_body_is_lost(source: str, library: MappingLibrary) -> None:
    """Each scalar of the body is somewhere in the record: converted, or verbatim in the rest."""
    for body, mapped in mapped_bodies(library, source):
        record = json.dumps(mapped.record, ensure_ascii=False, default=str).lower()
        for path, text in scalars(json.loads(body.raw, parse_float=str, parse_int=str), ""):
            assert any(form in record for form in forms(path, text)), f"{body}: {path}"


CONVERTED = ("_at", "financial_status", "fulfillment_status", ".country", "tags")
"""Fields whose text changes on the way: instants, value tables, countries by code, tags cut at commas."""


def scalars(tree: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from scalars(value, f"{path}.{key}")
    elif isinstance(tree, list):
        for value in tree:
            yield from scalars(value, path)
    elif isinstance(tree, str) and tree.strip() and not path.endswith(CONVERTED):
        yield path, tree


def forms(path: str, text: str) -> list[str]:
    return [json.dumps(text.strip(), ensure_ascii=False)[1:-1].lower()]


def test_the_oracle_finds_a_changed_amount_a_lost_line_and_a_missing_order(library: MappingLibrary) -> None:
    source = "go-shopify"
    newest = oracle.final_orders(oracle.bodies(source))
    mapping = library.get("shopify/orders.in")
    records = [json.loads(json.dumps(mapping.run(json.loads(b.raw)).record, default=str)) for b in newest.values()]
    assert oracle.compare(records, source) == []
    assert [d.field for d in oracle.compare([], source)] == ["order"]
    assert [d.field for d in oracle.compare(records * 2, source)] == ["order"]
    records[0]["totals"]["total"] = "10.01"
    del records[0]["lines"][0]
    assert [d.field for d in oracle.compare(records, source)] == ["totals.total", "lines", "lines.254721536"]


def test_the_oracle_orders_bodies_of_one_id_by_their_version() -> None:
    given = [body for body in oracle.bodies("shopify-app-js") if body.external_id == "450789469"]
    assert oracle.expected_outcomes([given[0], given[0]]) == ["applied", "duplicate"]
    by_version = sorted((body for body in given if body.well_formed), key=lambda body: body.version)
    oldest, latest = by_version[0], by_version[-1]
    assert oracle.expected_outcomes([latest, oldest, latest]) == ["applied", "superseded", "duplicate"]
    assert oracle.expected_outcomes([oldest, latest, oldest]) == ["applied", "applied", "superseded"]
    newest = oracle.final_orders(given)["450789469"]
    assert newest.version == max(body.version for body in given)
    assert oracle.final_orders(reversed(given))["450789469"].version == newest.version


def test_bodies_that_name_no_order_are_refused_with_their_reason(library: MappingLibrary) -> None:
    mapping = library.get("shopify/orders.in")
    with pytest.raises(MappingError) as caught:
        mapping.run({"currency": "USD", "line_items": []})
    assert (caught.value.field, caught.value.code) == ("external_id", "required")


REFUNDS = {
    "shopify-app-js/extracted/refund/00.json": ["509562969"],
    "shopify-app-js/extracted/refund/01.json": ["929361472"],
    "shopify-app-js/extracted/refund/02.json": ["929361471"],
    "shopify-app-js/extracted/refund/03.json": ["509562969"],
    "shopify-python-api/test/fixtures/refund.json": ["509562969"],
}


@pytest.mark.parametrize("path", REFUNDS)
def test_refunds_map_with_the_amount_that_was_paid_back(path: str, library: MappingLibrary) -> None:
    mapping = library.get("shopify/refunds.in")
    data = (oracle.CORPORA / path).read_bytes()
    texts = json.loads(data, parse_float=str, parse_int=str)
    tree = exact_json.loads(data)
    assert isinstance(tree, dict)
    refunds = tree.get("refunds") or [tree["refund"]]
    assert isinstance(refunds, list)
    for refund, raw in zip(refunds, texts.get("refunds") or [texts["refund"]], strict=True):
        record = mapping.run(refund).record
        assert record["fact_key"] == record["external_id"] == raw["id"]
        assert record["order_external_id"] == raw["order_id"]
        assert record.get("amount") == (raw["transactions"][0]["amount"] if raw["transactions"] else None)
    assert [raw["id"] for raw in texts.get("refunds") or [texts["refund"]]] == REFUNDS[path]
