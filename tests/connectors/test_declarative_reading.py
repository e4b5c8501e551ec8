"""Reading a list that a connector.yaml describes: every page once, no circle, no end missed, no other host."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.sdk.emulator import EmulatedRequest, EmulatedResponse
from hub.sdk.errors import CallFailed, DataError, Resolution, TransportError
from hub.sdk.records import Cursor, Missing, Window
from tests.connectors.declarative_world import BASE, Answer, Script, everything, opened, records_of

ROWS = [{"id": str(number), "updated_at": f"2026-11-01T00:00:{number:02}Z"} for number in range(7)]
READ = "read: { request: { path: /customers }, records: items }"


def described(read: str) -> str:
    return BASE.replace(READ, f"read: {read}")


def paged(kind: str, **pages: str) -> str:
    more = "".join(f", {name}: {value}" for name, value in pages.items())
    pages_ = f"{{ kind: {kind}, size: 3{more} }}"
    return described(
        f"{{ request: {{ path: /customers, query: {{ limit: size }} }}, records: items, pages: {pages_} }}"
    )


def by_number(request: EmulatedRequest) -> Answer:
    start = (int(request.query.get("page", "1")) - 1) * 3
    return 200, {"items": ROWS[start : start + 3]}


def by_offset(request: EmulatedRequest) -> Answer:
    start = int(request.query.get("skip", "0"))
    return 200, {"items": ROWS[start : start + 3], "more": start + 3 < len(ROWS)}


def by_cursor(request: EmulatedRequest) -> tuple[int, dict[str, Any]]:
    start = int(request.query.get("after", "0"))
    return 200, {"items": ROWS[start : start + 3], "next": str(start + 3) if start + 3 < len(ROWS) else None}


def by_link(request: EmulatedRequest) -> Answer:
    _, answer = by_cursor(request)
    link = f'</customers?limit=3&after={answer["next"]}>; rel="next last", </customers>; rel=first'
    headers = {"content-type": "application/json"} | ({"link": link} if answer["next"] else {})
    return EmulatedResponse(200, json.dumps(answer).encode(), headers)


def by_address(request: EmulatedRequest) -> Answer:
    _, answer = by_cursor(request)
    target = f"http://{request.headers['host']}/customers?after={answer['next']}" if answer["next"] else ""
    return 200, {"items": answer["items"], "links": {"next": target}}


@pytest.mark.parametrize(
    ("connector", "script", "calls"),
    [
        (paged("page_number", parameter="page"), by_number, 4),
        (paged("offset", parameter="skip"), by_offset, 4),
        (paged("offset", parameter="skip", more="more"), by_offset, 3),
        (paged("cursor", parameter="after", next="next"), by_cursor, 3),
        (paged("link"), by_link, 3),
        (paged("next_url", next="links.next"), by_address, 3),
    ],
    ids=["page_number", "offset", "offset that says more", "cursor", "link", "next_url"],
)
def test_a_list_is_read_whole_and_once(tmp_path: Path, connector: str, script: Script, calls: int) -> None:
    with opened(tmp_path, script) as world:
        records, _ = everything(world.connector(connector))
        assert records == ROWS
        assert len(world.api.asked) == calls


def test_a_list_in_one_answer_needs_no_description_of_pages(tmp_path: Path) -> None:
    with opened(tmp_path, lambda _: (200, {"items": ROWS})) as world:
        assert everything(world.connector())[0] == ROWS


@pytest.mark.parametrize(
    ("connector", "answer"),
    [
        (paged("cursor", parameter="after", next="next"), {"items": ROWS[:3], "next": "again"}),
        (paged("page_number", parameter="page"), {"items": ROWS[:3]}),
        (paged("offset", parameter="skip"), {"items": ROWS[:3]}),
        (paged("next_url", next="next"), {"items": ROWS[:3], "next": "/customers?page=2"}),
    ],
    ids=["the same cursor", "the page is ignored", "the offset is ignored", "the same address"],
)
def test_a_list_that_turns_in_a_circle_is_stopped(tmp_path: Path, connector: str, answer: object) -> None:
    with opened(tmp_path, lambda _: (200, answer)) as world:
        with pytest.raises(DataError, match="turns in a circle"):
            everything(world.connector(connector))
        assert len(world.api.asked) <= 3


def test_a_list_without_end_is_stopped_at_its_cap(tmp_path: Path) -> None:
    def endless(request: EmulatedRequest) -> Answer:
        page = int(request.query.get("page", "1"))
        return 200, {"items": [{"id": str(page)}]}

    with opened(tmp_path, endless) as world:
        connector = world.connector(paged("page_number", parameter="page", at_most="5"))
        with pytest.raises(DataError, match="did not end within 5 pages"):
            everything(connector)
        assert len(world.api.asked) == 5


def test_the_cap_counts_on_in_a_pass_that_was_cut_off(tmp_path: Path) -> None:
    with opened(tmp_path, by_number) as world:
        connector = world.connector(paged("page_number", parameter="page", at_most="3"))
        first = next(connector.read("customers", None, 100))
        with pytest.raises(DataError, match="within 3 pages"):
            everything(connector, first.next_cursor)


@pytest.mark.parametrize(
    "target",
    [
        "http://other.example/customers",
        "//other.example/customers",
        "https://{host}/customers",
        "http://{host}@other.example/customers",
        "http://user:pass@{host}/customers",
        "http://127.0.0.1:1/customers",
        "file:///etc/passwd",
        "http://[::1/customers",
    ],
)
@pytest.mark.parametrize("kind", ["next_url", "link"])
def test_a_next_address_on_another_host_is_refused(tmp_path: Path, kind: str, target: str) -> None:
    def leading(request: EmulatedRequest) -> Answer:
        address = target.format(host=request.headers["host"])
        headers = {"content-type": "application/json", "link": f'<{address}>; rel="next"'}
        return EmulatedResponse(200, b'{"items": [{"id": "1"}], "next": "%s"}' % address.encode(), headers)

    with opened(tmp_path, leading) as world:
        connector = world.connector(paged(kind, next="next") if kind == "next_url" else paged(kind))
        with pytest.raises(DataError, match=r"another host|cannot be read"):
            everything(connector)
        assert len(world.api.asked) == 1


def test_a_kept_address_is_refused_when_the_configuration_leads_elsewhere_now(tmp_path: Path) -> None:
    with opened(tmp_path, by_address) as world:
        cursor = Cursor('{"page":"http://other.example/customers?after=3","pages":1}')
        with pytest.raises(DataError, match="another host"):
            everything(world.connector(paged("next_url", next="links.next")), cursor)
        assert world.api.asked == []


def test_our_key_is_not_kept_with_an_address_that_repeats_it(tmp_path: Path) -> None:
    def repeating(request: EmulatedRequest) -> Answer:
        assert request.query["api_key"] == "secret-key"
        more = "after" not in request.query
        return 200, {"items": ROWS[:1] if more else ROWS[1:], "next": "?after=1&api_key=secret-key" if more else None}

    auth = "auth: { kind: query, name: api_key, key: config.api_key }\n"
    with opened(tmp_path, repeating) as world:
        connector = world.connector(auth + paged("next_url", next="next").lstrip(), api_key="secret-key")
        batches = list(connector.read("customers", None, 100))
        assert [len(records_of(connector, batch)) for batch in batches] == [1, 6]
        assert "secret-key" not in "".join(batch.next_cursor.value for batch in batches)


@pytest.mark.parametrize("answer", [{"message": "please log in"}, [], {"items": None}, {"items": "none"}])
def test_an_answer_without_the_list_is_no_empty_list(tmp_path: Path, answer: object) -> None:
    with opened(tmp_path, lambda _: (200, answer)) as world, pytest.raises(DataError, match="no records"):
        everything(world.connector())


def test_an_empty_list_is_no_error(tmp_path: Path) -> None:
    with opened(tmp_path, lambda _: (200, {"items": []})) as world:
        records, cursor = everything(world.connector())
        assert records == []
        assert cursor is not None


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_failed_page_is_a_failure_and_says_so(tmp_path: Path, status: int) -> None:
    with opened(tmp_path, lambda _: (status, {"message": "down"})) as world:
        with pytest.raises(CallFailed) as failed:
            everything(world.connector())
        assert (failed.value.resolution, failed.value.words) == (Resolution.RETRY, "down")


# Incremental.

SINCE = described(
    "{ request: { path: /customers, query: { since: since } }, records: items,"
    " pages: { kind: cursor, parameter: after, next: next, size: 3 },"
    " since: { from: updated_at, lookback_seconds: 10 } }"
)


def test_a_pass_asks_from_where_the_last_one_ended_less_the_lookback(tmp_path: Path) -> None:
    with opened(tmp_path, by_cursor) as world:
        connector = world.connector(SINCE)
        _, cursor = everything(connector)
        assert "since" not in world.api.asked[0].query
        everything(connector, cursor)
        assert world.api.asked[3].query["since"] == "2026-10-31T23:59:56.000000Z"


def test_the_first_pass_asks_from_start_from_and_no_pass_from_before_it(tmp_path: Path) -> None:
    start = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    with opened(tmp_path, by_cursor) as world:
        connector = world.connector(SINCE, start_from={"customers": start})
        _, cursor = everything(connector)
        everything(connector, cursor)
        assert {request.query["since"] for request in world.api.asked} == {"2026-11-01T00:00:00.000000Z"}


@pytest.mark.parametrize("broken_at", [1, 2, 3])
def test_a_pass_that_fails_at_any_page_goes_on_with_nothing_lost(tmp_path: Path, broken_at: int) -> None:
    calls = 0

    def failing_once(request: EmulatedRequest) -> Answer:
        nonlocal calls
        calls += 1
        return (500, {"message": "oh"}) if calls == broken_at else by_cursor(request)

    with opened(tmp_path, failing_once) as world:
        connector = world.connector(SINCE)
        seen: list[Any] = []
        cursor: Cursor | None = None
        for _ in range(2):
            try:
                for batch in connector.read("customers", cursor, 100):
                    seen += records_of(connector, batch)
                    cursor = batch.next_cursor
                break
            except CallFailed:
                continue
        assert seen == ROWS
        assert cursor == Cursor('{"since":"2026-11-01T00:00:06.000000Z"}')


def test_the_cursor_stays_behind_while_a_pass_is_under_way(tmp_path: Path) -> None:
    with opened(tmp_path, by_cursor) as world:
        connector = world.connector(SINCE)
        first = next(connector.read("customers", Cursor('{"since":"2026-10-01T00:00:00.000000Z"}'), 100))
        assert '"since":"2026-10-01T00:00:00.000000Z"' in first.next_cursor.value


def test_a_pass_whose_page_is_gone_begins_anew(tmp_path: Path) -> None:
    def forgetful(request: EmulatedRequest) -> Answer:
        return (410, {"message": "expired"}) if request.query.get("after") == "old" else by_cursor(request)

    errors = "rules: [{ status: 410, resolution: gone }]"
    with opened(tmp_path, forgetful) as world:
        connector = world.connector(SINCE, errors=errors)
        records, _ = everything(connector, Cursor('{"page":"old","pages":2,"since":"2026-10-31T23:00:00.000000Z"}'))
        assert records == ROWS
        assert world.api.asked[1].query["since"] == "2026-10-31T22:59:50.000000Z"


@pytest.mark.parametrize("stamp", ["2999-01-01T00:00:00Z", "yesterday", 5, None])
def test_one_record_with_a_wrong_time_leads_past_no_other(tmp_path: Path, stamp: object) -> None:
    rows = [*ROWS, {"id": "x", "updated_at": stamp}]
    with opened(tmp_path, lambda _: (200, {"items": rows})) as world:
        records, cursor = everything(world.connector(SINCE))
        assert records == rows
        assert cursor is not None
        assert cursor.value <= '{"since":"2026-11-02T09:00:00.000000Z"}'


def test_a_sequence_is_read_from_its_highest_number(tmp_path: Path) -> None:
    rows = [{"id": "a", "n": 9}, {"id": "b", "n": 10}, {"id": "c", "n": "2"}]
    sequence = described(
        "{ request: { path: /customers, query: { from: since } }, records: items, since: { from: n, kind: sequence } }"
    )
    with opened(tmp_path, lambda _: (200, {"items": rows})) as world:
        connector = world.connector(sequence)
        _, cursor = everything(connector)
        everything(connector, cursor)
        assert [request.query.get("from") for request in world.api.asked] == [None, "10"]


@pytest.mark.parametrize("value", ["", "12", "null", '{"since":{}}', '{"pages":"many"}', "[1]", "offset=4"])
def test_a_cursor_of_another_connector_counts_as_none(tmp_path: Path, value: str) -> None:
    with opened(tmp_path, lambda _: (200, {"items": ROWS})) as world:
        assert everything(world.connector(), Cursor(value))[0] == ROWS


# One entity, and ids of a time.


def test_an_entity_is_fetched_by_its_escaped_id(tmp_path: Path) -> None:
    with opened(tmp_path, lambda _: (200, {"id": "a/b?c"})) as world:
        connector = world.connector()
        receipt = connector.fetch("customers", "a/b?c")
        assert world.wire.addresses == [f"{world.url}/customers/a%2Fb%3Fc"]
        (record,) = connector.parse(receipt)
        assert (record.body, record.whole) == ({"id": "a/b?c"}, True)


def test_what_errors_yaml_calls_gone_is_missing_and_nothing_else_is(tmp_path: Path) -> None:
    answers = iter([(404, {"code": "no_such_customer"}), (404, {"code": "no_such_address"})])
    errors = "rules: [{ status: 404, code: no_such_customer, resolution: gone }]"
    with opened(tmp_path, lambda _: next(answers)) as world:
        connector = world.connector(errors=errors)
        assert connector.fetch("customers", "7") == Missing("7")
        with pytest.raises(CallFailed):
            connector.fetch("customers", "7")


def test_ids_and_versions_of_a_time_are_listed(tmp_path: Path) -> None:
    listing = (
        "list_ids: { request: { path: /customers, query: { a: from, b: to } }, records: items,"
        " pages: { kind: cursor, parameter: after, next: next }, id: id, version: updated_at }"
    )
    with opened(tmp_path, by_cursor) as world:
        connector = world.connector(BASE.replace(READ, f"{READ}\n    {listing}"))
        day = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
        found = list(connector.list_ids("customers", Window(day, day + dt.timedelta(days=1))))
        assert [one.external_id for one in found] == [row["id"] for row in ROWS]
        assert found[0].version == ROWS[0]["updated_at"]
        assert world.api.asked[0].query["b"] == "2026-11-02T00:00:00.000000Z"


def test_a_body_that_a_person_hands_in_is_a_page_or_a_record(tmp_path: Path) -> None:
    with opened(tmp_path, lambda _: (200, {"items": ROWS})) as world:
        connector = world.connector()
        (receipt,) = next(connector.read("customers", None, 10)).receipts
        assert len(connector.parse(replace(receipt, headers={}))) == 7
        assert len(connector.parse(replace(receipt, headers={}, body=b'{"id": "1"}'))) == 1


def test_a_connector_has_only_what_it_describes(tmp_path: Path) -> None:
    bare = "base_url: config.base_url\ncheck: [{ name: it answers, request: { path: /ping } }]\n"
    with opened(tmp_path, lambda _: (200, b"")) as world:
        connector = world.connector(bare, "name: declared\ntitle: Nothing\n")
        offered = [
            name for name in ("read", "fetch", "lookup", "verify", "upsert_customer") if hasattr(connector, name)
        ]
        assert offered == []
        assert connector.check().ok


def test_the_check_asks_every_probe_and_says_what_each_came_to(tmp_path: Path) -> None:
    probes = "[{ name: it answers, request: { path: /ping } }, { name: it knows us, request: { path: /me } }]"
    script: Callable[[EmulatedRequest], Answer] = lambda r: (200, {}) if r.path == "/ping" else (403, {"message": "no"})  # noqa: E731
    with opened(tmp_path, script) as world:
        report = world.connector(BASE.replace("[{ name: it answers, request: { path: /ping } }]", probes)).check()
        assert [(probe.name, probe.ok) for probe in report.probes] == [("it answers", True), ("it knows us", False)]
        assert "no" in report.probes[1].detail


def test_nobody_home_is_told_without_an_exception(tmp_path: Path) -> None:
    with opened(tmp_path, lambda _: (200, {})) as world:
        connector = world.connector(base_url="http://127.0.0.1:1")
        assert not connector.check().ok
        with pytest.raises(TransportError):
            everything(connector)
