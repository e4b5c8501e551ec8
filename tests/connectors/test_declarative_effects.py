"""Calls that a connector.yaml describes: what goes over the wire, what an answer came to, and whether it happened."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.declarative.effects import within
from hub.sdk.capabilities import Capability
from hub.sdk.emulator import EmulatedRequest, EmulatedResponse
from hub.sdk.errors import CallFailed, DataError, Resolution, TransportError
from hub.sdk.records import Found, NotFound, Unsure
from tests.connectors.declarative_world import BASE, MANIFEST, Answer, World, opened

SEND = "send: { request: { method: POST, path: /customers }, external_id: id }"
LOOKUP = "lookup: { request: { path: /customers, query: { reference: key } }, records: items, external_id: id }"
ADA = {"reference": "r1", "name": "Ada Example", "score": "17"}


def sends(send: str) -> str:
    return BASE.replace(SEND, f"send: {send}")


def looks(lookup: str) -> str:
    return BASE.replace(LOOKUP, f"lookup: {lookup}")


def made(request: EmulatedRequest) -> Answer:
    return 201, {"id": "c-1", "got": json.loads(request.body or b"null")}


def test_the_payload_is_the_body_and_the_answer_names_what_was_made(tmp_path: Path) -> None:
    with opened(tmp_path, made) as world:
        reply = world.connector().upsert_customer(world.effect(ADA))
        assert (reply.status, reply.external_id) == (201, "c-1")
        assert json.loads(reply.raw)["got"] == ADA
        assert world.api.asked[0].headers["content-type"] == "application/json"


def test_numbers_are_written_digit_for_digit(tmp_path: Path) -> None:
    with opened(tmp_path, made) as world:
        world.connector().upsert_customer(world.effect({"total": Decimal("10.10"), "count": 3}))
        assert world.api.asked[0].body == b'{"total":"10.10","count":3}'


def test_path_query_and_headers_come_from_the_effect_and_are_escaped(tmp_path: Path) -> None:
    send = (
        '{ request: { method: PUT, path: "/c/{ref}/x", parameters: { ref: payload.reference },'
        " query: { q: payload.name, tags: payload.tags, none: payload.nothing, fixed: \"'a b'\", n: 5, yes: true },"
        " headers: { Idempotency-Key: key } } }"
    )
    payload = {"reference": "ä/../b?c#d", "name": "Ä & B", "tags": ["x", "y"]}
    with opened(tmp_path, made) as world:
        world.connector(sends(send)).upsert_customer(world.effect(payload, "customer/Ä\r\nx: y"))
        (address,) = world.wire.addresses
        path, query = address.removeprefix(world.url).split("?")
        assert path == "/c/%C3%A4%2F..%2Fb%3Fc%23d/x"
        assert query == "q=%C3%84+%26+B&tags=x&tags=y&fixed=a+b&n=5&yes=true"
        assert world.api.asked[0].headers["idempotency-key"] == "customer/%C3%84%0D%0Ax: y"


@pytest.mark.parametrize("reference", [None, "", ".", "..", ["a"], {"a": 1}])
def test_a_path_that_cannot_be_filled_is_refused_before_anything_is_sent(tmp_path: Path, reference: Any) -> None:
    send = '{ request: { method: PUT, path: "/c/{ref}", parameters: { ref: payload.reference } } }'
    with opened(tmp_path, made) as world:
        with pytest.raises(CallFailed, match="nothing was sent") as failed:
            world.connector(sends(send)).upsert_customer(world.effect({"reference": reference}))
        assert failed.value.resolution is Resolution.REJECTED
        assert world.api.asked == []


def test_a_form_is_flat_and_repeats_what_is_a_list(tmp_path: Path) -> None:
    send = "{ request: { method: POST, path: /form, encode: form } }"
    with opened(tmp_path, lambda _: (200, b"")) as world:
        connector = world.connector(sends(send))
        reply = connector.upsert_customer(world.effect({"a": "1 2", "b": ["x", "y"], "c": None, "d": Decimal("1.50")}))
        assert world.api.asked[0].body == b"a=1+2&b=x&b=y&d=1.50"
        assert reply.raw == b"{}"
        with pytest.raises(CallFailed, match="nothing was sent"):
            connector.upsert_customer(world.effect({"a": {"deep": 1}}))


def test_a_body_can_be_put_together(tmp_path: Path) -> None:
    send = '{ request: { method: POST, path: /c, body: "{ customer: payload, ref: key }" } }'
    with opened(tmp_path, made) as world:
        world.connector(sends(send)).upsert_customer(world.effect(ADA, "k1"))
        assert json.loads(world.api.asked[0].body) == {"customer": ADA, "ref": "k1"}


def test_a_status_that_only_promises_makes_an_asynchronous_reply(tmp_path: Path) -> None:
    send = "{ request: { method: POST, path: /c }, asynchronous: [202] }"
    with opened(tmp_path, lambda _: (202, {})) as world:
        assert world.connector(sends(send)).upsert_customer(world.effect(ADA)).asynchronous


ERRORS = """
rules:
  - { status: 422, resolution: rejected }
  - { status: 400, code: BUSY, resolution: retry, not_processed: nothing was stored }
  - { status: 400, body: "credit limit", resolution: rejected }
  - { status: 200, code: LIMIT, resolution: rate_limited }
"""


@pytest.mark.parametrize(
    ("status", "body", "headers", "resolution", "words"),
    [
        (422, {"message": "no such country"}, {}, Resolution.REJECTED, "no such country"),
        (
            400,
            {"code": "BUSY", "message": "Busy: nothing was stored"},
            {},
            Resolution.RETRY,
            "Busy: nothing was stored",
        ),
        (400, {"code": "BUSY", "message": "Busy"}, {}, Resolution.AMBIGUOUS, "Busy"),
        (400, b"<p>over the credit limit</p>", {}, Resolution.REJECTED, "<p>over the credit limit</p>"),
        (429, {"message": "slow"}, {"retry-after": "7"}, Resolution.RATE_LIMITED, "slow"),
        (401, {"message": "who?"}, {}, Resolution.AUTH_FAILED, "who?"),
        (500, {"message": "oh"}, {}, Resolution.AMBIGUOUS, "oh"),
        (503, {"message": "oh"}, {}, Resolution.AMBIGUOUS, "oh"),
        (302, b"", {"location": "http://other.example/"}, Resolution.AMBIGUOUS, "HTTP 302 without a word"),
    ],
)
def test_what_an_answer_came_to_is_read_from_errors_yaml_then_from_the_defaults(
    tmp_path: Path, status: int, body: Any, headers: dict[str, str], resolution: Resolution, words: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = EmulatedResponse(status, content, {"content-type": "application/json", **headers})
    with opened(tmp_path, lambda _: answer) as world:
        with pytest.raises(CallFailed) as failed:
            world.connector(errors=ERRORS).upsert_customer(world.effect(ADA))
        assert (failed.value.resolution, failed.value.words) == (resolution, words)
        assert failed.value.retry_after_seconds == (7.0 if headers.get("retry-after") else None)


FAILURE = "failure: { when: errors, code: 'errors[0].code', words: 'errors[0].message' }\n"


def test_a_failure_inside_a_success_is_one_in_the_vendors_words(tmp_path: Path) -> None:
    answer = {"errors": [{"code": "LIMIT", "message": "too many points"}]}
    with opened(tmp_path, lambda _: (200, answer)) as world:
        with pytest.raises(CallFailed) as failed:
            world.connector(FAILURE + BASE.lstrip(), errors=ERRORS).upsert_customer(world.effect(ADA))
        assert (failed.value.resolution, failed.value.words) == (Resolution.RATE_LIMITED, "too many points")


def test_a_success_without_failures_inside_stays_one(tmp_path: Path) -> None:
    with opened(tmp_path, lambda _: (200, {"id": "c-9", "errors": []})) as world:
        connector = world.connector(FAILURE + BASE.lstrip())
        assert connector.upsert_customer(world.effect(ADA)).external_id == "c-9"


def test_a_success_that_cannot_be_read_is_no_success_and_no_refusal(tmp_path: Path) -> None:
    with opened(tmp_path, lambda _: (200, b"<html>welcome</html>")) as world, pytest.raises(DataError):
        world.connector().upsert_customer(world.effect(ADA))


def test_a_lost_answer_is_told_as_such(tmp_path: Path) -> None:
    with opened(tmp_path, lambda _: EmulatedResponse(200, drop=True)) as world:
        with pytest.raises(TransportError) as failed:
            world.connector().upsert_customer(world.effect(ADA))
        assert not failed.value.before_first_byte


# Unknown outcomes.

MATCHING = (
    "{ request: { path: /customers, query: { q: payload.reference } }, records: items, external_id: id,"
    " match: [{ theirs: ref, ours: payload.reference }],"
    " same: [{ theirs: name, ours: payload.name }, { theirs: score, ours: payload.score }] }"
)
THEIRS = {"id": "c-1", "ref": "r1", "name": "Ada Example", "score": 17.0}


def asked(world: World, connector: str = "", errors: str = "") -> Any:
    return world.connector(connector or looks(MATCHING), errors=errors).lookup(
        Capability.UPSERT_CUSTOMER, world.effect(ADA)
    )


def test_a_record_that_matches_is_found_with_its_id_and_content(tmp_path: Path) -> None:
    other = {**THEIRS, "ref": "r11", "id": "c-2"}
    with opened(tmp_path, lambda _: (200, {"items": [other, THEIRS]})) as world:
        found = asked(world)
        assert isinstance(found, Found)
        assert (found.reply.external_id, found.same_content) == ("c-1", True)
        assert json.loads(found.reply.raw)["ref"] == "r1"


def test_a_record_with_other_content_is_a_conflict(tmp_path: Path) -> None:
    with opened(tmp_path, lambda _: (200, {"items": [{**THEIRS, "name": "Bob"}]})) as world:
        assert asked(world).same_content is False


def test_what_is_not_compared_is_said_not_to_be(tmp_path: Path) -> None:
    with opened(tmp_path, lambda _: (200, {"items": [THEIRS]})) as world:
        assert asked(world, BASE).same_content is None


@pytest.mark.parametrize("items", [[], [{**THEIRS, "ref": "r2"}], [{"id": "c-1"}]])
def test_no_matching_record_means_that_it_did_not_happen(tmp_path: Path, items: list[Any]) -> None:
    with opened(tmp_path, lambda _: (200, {"items": items})) as world:
        assert asked(world) == NotFound()


def test_several_matching_records_say_nothing(tmp_path: Path) -> None:
    with opened(tmp_path, lambda _: (200, {"items": [THEIRS, {**THEIRS, "id": "c-2"}]})) as world:
        assert asked(world) == Unsure("2 records over there fit what was sent")


def test_a_plain_no_is_not_found_only_where_errors_yaml_knows_it(tmp_path: Path) -> None:
    errors = "rules: [{ status: 404, code: none, resolution: gone }]"
    with opened(tmp_path, lambda _: (404, {"code": "none"})) as world:
        assert asked(world, errors=errors) == NotFound()
    with opened(tmp_path, lambda _: (404, {"code": "no_route"})) as world:
        assert isinstance(asked(world, errors=errors), Unsure)


@pytest.mark.parametrize(
    "answer", [(500, {}), (429, {}), (200, {"message": "maintenance"}), (200, b"<html/>"), (401, {})]
)
def test_an_answer_that_says_nothing_leaves_it_unsure(tmp_path: Path, answer: Answer) -> None:
    with opened(tmp_path, lambda _: answer) as world:
        assert isinstance(asked(world), Unsure)


def test_nobody_home_leaves_it_unsure(tmp_path: Path) -> None:
    with opened(tmp_path, made) as world:
        connector = world.connector(base_url="http://127.0.0.1:1")
        assert isinstance(connector.lookup(Capability.UPSERT_CUSTOMER, world.effect(ADA)), Unsure)


def test_calls_that_nobody_deduplicates_reuse_no_old_connection(tmp_path: Path) -> None:
    with opened(tmp_path, made) as world:
        for safety in ("lookup", "none", "idempotency_key"):
            manifest = MANIFEST.replace("safety: lookup", f"safety: {safety}")
            world.connector(manifest=manifest).upsert_customer(world.effect(ADA))
        assert world.wire.reused == [False, False, True]


# When ours stands in theirs.

SCALARS = st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=4)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
)


@given(TREES)
def test_everything_stands_in_itself(tree: Any) -> None:
    assert within(tree, tree)


@given(st.dictionaries(st.text(max_size=2), TREES, max_size=3), st.dictionaries(st.text(min_size=3), TREES, max_size=3))
def test_what_stands_beside_ours_does_not_matter(ours: dict[str, Any], beside: dict[str, Any]) -> None:
    assert within(ours, {**ours, **beside})


@pytest.mark.parametrize(
    ("ours", "theirs", "agrees"),
    [
        ("12.50", Decimal("12.5"), True),
        (12, "12", True),
        ("007", "7", False),
        ("007", 7, True),
        ("", None, True),
        (None, "x", False),
        ("x", None, False),
        (True, 1, False),
        (False, None, False),
        ({"a": None, "b": {}}, None, True),
        ({"a": 1}, None, False),
        ([], None, True),
        ([1, 2], [1], False),
        ("a", ["a"], False),
        ("1e3", 1000, True),
        ("NaN", "NaN", True),
        ("x", 5, False),
    ],
)
def test_equal_is_what_a_person_would_call_so(ours: Any, theirs: Any, agrees: bool) -> None:
    assert within(ours, theirs) is agrees
