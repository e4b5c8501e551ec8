"""/docs and /openapi.json: complete without any other server, and strict about what may run in them."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import re
import threading

import pytest

from hub.actions.keys import SCOPES
from hub.api.document import document
from hub.api.ingress import Application, Receive, Scope, Send, answer
from hub.api.later import Later
from hub.api.pages import FILES, FOLDER, INDEX
from hub.api.problems import KINDS
from hub.cli.keys import SCOPES as SCOPES_OF_THE_COMMAND
from tests.api.asgi import Answer, ask, asking
from tests.api.service import Service


def get(service: Service, path: str) -> Answer:
    return service.asking("GET", path, key=None)


def test_the_document_is_served_whole(shared_service: Service) -> None:
    found = get(shared_service, "/openapi.json")
    assert found.headers["content-type"] == "application/json"
    assert found.data == document()


def test_the_page_asks_only_for_files_of_this_hub(shared_service: Service) -> None:
    page = get(shared_service, "/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    asked = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
    assert len(asked) == 4
    for path in asked:
        assert path.startswith("/docs/")
        assert get(shared_service, path).status == 200, path
    assert b"<style" not in INDEX
    assert re.search(rb"<script>|\son[a-z]+=|style=", INDEX) is None


def test_nothing_but_these_files_may_run(shared_service: Service) -> None:
    policy = get(shared_service, "/docs").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_the_files_are_those_that_were_published() -> None:
    """Renewed on purpose only; the version stands in ORIGIN.md."""
    bundle = hashlib.sha256((FOLDER / "swagger-ui-bundle.js").read_bytes()).hexdigest()
    assert bundle == "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2"
    assert {path.name for path in FOLDER.iterdir()} == {*FILES, "LICENSE", "NOTICE", "ORIGIN.md"}


def test_large_files_are_sent_packed_to_who_takes_them(shared_service: Service) -> None:
    path = "/docs/swagger-ui-bundle.js"
    plain = get(shared_service, path)
    packed = shared_service.asking("GET", path, key=None, headers={"accept-encoding": "gzip, br"})
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 2


@pytest.mark.parametrize(
    "path", ["/docs/nothing", "/docs/problems/nothing", "/docs/ORIGIN.md", "/docsx", "/openapi.jsonx"]
)
def test_there_is_nothing_else(shared_service: Service, path: str) -> None:
    assert get(shared_service, path).status == 404


def test_pages_are_only_read(shared_service: Service) -> None:
    assert shared_service.asking("POST", "/docs", key=None).status == 405


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_problem_has_its_page(shared_service: Service, kind: str) -> None:
    page = get(shared_service, f"/docs/problems/{kind}")
    assert page.status == 200
    assert str(KINDS[kind].status) in page.body.decode()


def test_the_command_line_offers_the_scopes_that_there_are() -> None:
    assert set(SCOPES_OF_THE_COMMAND) == set(SCOPES)


# --- loaded later ---


async def _small(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await answer(send, 200, b'"here"')


def test_before_the_hub_is_ready_the_api_asks_for_patience() -> None:
    later = Later(lambda: _small)
    found = ask(later, "GET", "/v1/orders")
    assert (found.status, found.headers["retry-after"]) == (503, "2")


def test_the_first_request_loads_the_api_and_waits_for_it() -> None:
    made = threading.Event()

    def make() -> Application:
        made.set()
        return _small

    later = Later(make)
    later.begin()
    assert not made.is_set()
    assert json.loads(ask(later, "GET", "/v1/orders").body) == "here"


def test_an_api_that_cannot_be_loaded_says_so(caplog: pytest.LogCaptureFixture) -> None:
    def make() -> Application:
        raise ValueError("the document is broken")

    later = Later(make)
    later.begin()
    found = ask(later, "GET", "/v1/orders")
    assert found.status == 503
    assert "log" in found.data["detail"]
    assert "the document is broken" in caplog.text


def test_many_first_requests_wait_for_one_loading() -> None:
    loads: list[int] = []

    def make() -> Application:
        loads.append(1)
        return _small

    later = Later(make)
    later.begin()

    async def several() -> list[int]:
        return [one.status for one in await asyncio.gather(*(asking(later, "GET", "/v1/orders") for _ in range(5)))]

    assert asyncio.run(several()) == [200] * 5
    assert loads == [1]
