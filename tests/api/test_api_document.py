"""openapi/hub.yaml and what is served are one: every operation is there, secured, scoped, and answers by the book."""

from __future__ import annotations

import json

import pytest
import yaml

from hub.actions.keys import SCOPES, with_included
from hub.api.document import Operation, document, operations, resolved
from hub.api.operations import OPERATIONS
from hub.api.surface import build as build_api
from hub.mapping.schemas import schema_folder
from hub.store.clock import SystemClock
from hub.store.reading import ReadingPool
from tests.api.asgi import ask
from tests.api.service import Service, problem_of

EVERY = sorted(operations().values(), key=lambda one: one.id)


def somewhere(operation: Operation) -> str:
    """A path of the operation at which nothing is."""
    path = operation.path
    for one in operation.parameters:
        path = path.replace("{" + one["name"] + "}", "nothing")
    return path


def test_each_operation_of_the_document_is_served_and_no_other() -> None:
    assert set(operations()) == set(OPERATIONS)


def test_the_document_refers_to_nothing_outside_itself() -> None:
    references = [
        word for word in json.dumps(document()).split('"') if word.startswith(("#/", "./", "http://", "https://"))
    ]
    assert [word for word in references if not word.startswith("#/")] == ["https://www.apache.org/licenses/LICENSE-2.0"]
    assert resolved(document()["paths"])


def test_paths_begin_with_the_version_and_there_is_no_base_path() -> None:
    written = yaml.safe_load((schema_folder().parent / "hub.yaml").read_text(encoding="utf-8"))
    assert "servers" not in written
    assert all(path.startswith("/v1/") for path in written["paths"])
    assert written["openapi"] == "3.0.3"


@pytest.mark.parametrize("operation", EVERY, ids=lambda one: one.id)
def test_every_operation_says_what_it_does_and_how_it_fails(operation: Operation) -> None:
    node = document()["paths"][operation.path][operation.method.lower()]
    assert node["summary"]
    assert node["tags"]
    assert node["responses"]["default"] == {"$ref": "#/components/responses/Problem"}
    assert operation.scope in SCOPES


def test_the_scopes_of_the_document_are_those_of_keys() -> None:
    assert set(document()["components"]["schemas"]["Scope"]["enum"]) == set(SCOPES)
    assert with_included(["admin"]) == set(SCOPES)


@pytest.mark.parametrize("operation", EVERY, ids=lambda one: one.id)
def test_nothing_is_done_without_a_key(shared_service: Service, operation: Operation) -> None:
    answer = shared_service.asking(operation.method, somewhere(operation), {"any": "thing"}, key=None)
    problem_of(answer, 401, "unauthorised")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("operation", EVERY, ids=lambda one: one.id)
def test_nothing_is_done_with_a_key_of_other_scopes(shared_service: Service, operation: Operation) -> None:
    others = [name for name in SCOPES if operation.scope not in with_included([name])]
    answer = shared_service.asking(
        operation.method, somewhere(operation), {"any": "thing"}, key=shared_service.key(*others)
    )
    assert operation.scope in problem_of(answer, 403, "forbidden")["detail"]


@pytest.mark.parametrize("operation", EVERY, ids=lambda one: one.id)
def test_the_scope_of_an_operation_is_enough(shared_service: Service, operation: Operation) -> None:
    answer = shared_service.asking(
        operation.method, somewhere(operation), {"any": "thing"}, key=shared_service.key(operation.scope)
    )
    assert answer.status in (200, 400, 404), answer.body


@pytest.mark.parametrize(
    "token",
    ["", "nonsense", "ohk_", "ohk_0000000000_" + "0" * 40, "ohk_ä", "x" * 5_000],
    ids=["empty", "nonsense", "mark", "unknown", "not ASCII", "long"],
)
def test_a_key_that_is_none_opens_nothing(shared_service: Service, token: str) -> None:
    problem_of(shared_service.asking("GET", "/v1/orders", key=token), 401, "unauthorised")


def test_a_key_of_another_kind_of_authorisation_opens_nothing(shared_service: Service) -> None:
    headers = {"authorization": f"Basic {shared_service.key('admin')}"}
    problem_of(shared_service.asking("GET", "/v1/orders", key=None, headers=headers), 401, "unauthorised")


@pytest.mark.parametrize("path", ["/v1/", "/v1/nothing", "/v1/orders/", "/v1/orders/a/b/c", "/v1/orders/a\nb"])
def test_unknown_paths_are_problems(shared_service: Service, path: str) -> None:
    problem_of(shared_service.asking("GET", path), 404, "not-found")


def test_a_wrong_method_is_told_the_right_ones(shared_service: Service) -> None:
    answer = shared_service.asking("DELETE", "/v1/orders")
    problem_of(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"


def test_options_says_what_a_path_takes(shared_service: Service) -> None:
    answer = shared_service.asking("OPTIONS", "/v1/inventory/adjustments", key=None)
    assert (answer.status, answer.headers["allow"], answer.body) == (204, "OPTIONS, POST", b"")


def test_head_is_get_without_its_body(shared_service: Service) -> None:
    got, head = (shared_service.asking(method, "/v1/locations") for method in ("GET", "HEAD"))
    assert head.status == got.status == 200
    assert head.body == b""
    assert head.headers["content-length"] == str(len(got.body))


def test_every_answer_forbids_guessing_and_keeping(shared_service: Service) -> None:
    for answer in (shared_service.asking("GET", "/v1/orders"), shared_service.asking("GET", "/v1/nothing")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-request-id"].startswith("rq_")


def test_what_stands_in_a_problem_is_a_page_here(shared_service: Service) -> None:
    found = problem_of(shared_service.asking("GET", "/v1/nothing"), 404, "not-found")
    page = shared_service.asking("GET", found["type"], key=None)
    assert page.status == 200
    assert found["title"] in page.body.decode()


def test_a_hub_that_is_not_ready_asks_to_come_again() -> None:
    def views() -> ReadingPool:
        raise AssertionError("nothing is looked at")

    api = build_api(lambda: None, views, SystemClock(), max_body_bytes=1)
    answer = ask(api, "GET", "/v1/orders", headers={"authorization": "Bearer ohk_any"})
    problem_of(answer, 503, "unavailable")
    assert answer.headers["retry-after"]
