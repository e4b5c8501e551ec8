"""Who we are, in every way a connector.yaml can say it; what is secret is told to nobody else."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from hub.runtime.registry import Registry
from hub.sdk.emulator import EmulatedRequest, EmulatedResponse
from hub.sdk.errors import CallFailed, ConfigurationError, Resolution, TransportError
from tests.connectors.declarative_world import BASE, Answer, everything, opened

SECRETS: dict[str, Any] = {"user": "hub", "password": "p:ässword", "token": "tok-en-1", "key": "key-123456"}


def authorised(spec: str) -> str:
    return f"auth: {spec}\n{BASE.lstrip()}"


def empty(_: EmulatedRequest) -> Answer:
    return 200, {"items": []}


@pytest.mark.parametrize(
    ("spec", "header", "value"),
    [
        ("{ kind: none }", "authorization", None),
        (
            "{ kind: basic, username: config.user, password: config.password }",
            "authorization",
            "Basic " + base64.b64encode("hub:p:ässword".encode()).decode(),
        ),
        ("{ kind: bearer, token: config.token }", "authorization", "Bearer tok-en-1"),
        ("{ kind: header, name: X-Api-Key, key: config.key }", "x-api-key", "key-123456"),
    ],
)
def test_a_header_says_who_we_are(tmp_path: Path, spec: str, header: str, value: str | None) -> None:
    with opened(tmp_path, empty) as world:
        everything(world.connector(authorised(spec), **SECRETS))
        assert world.api.asked[0].headers.get(header) == value


def test_a_query_parameter_says_who_we_are_beside_the_requests_own(tmp_path: Path) -> None:
    read = "read: { request: { path: /customers, query: { limit: size } }, records: items }"
    connector = BASE.replace("read: { request: { path: /customers }, records: items }", read).lstrip()
    with opened(tmp_path, empty) as world:
        everything(world.connector(f"auth: {{ kind: query, name: k, key: config.key }}\n{connector}", **SECRETS))
        assert world.api.asked[0].query == {"limit": "100", "k": "key-123456"}


@pytest.mark.parametrize("config", [{}, {"token": ""}, {"token": 5}, {"token": "a\r\nx: y"}])
def test_a_secret_that_is_missing_or_unusable_is_a_fault_of_the_configuration(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    with opened(tmp_path, empty) as world, pytest.raises(ConfigurationError, match=r"config\.token"):
        world.connector(authorised("{ kind: bearer, token: config.token }"), **config)


@pytest.mark.parametrize(
    "spec",
    [
        "{ kind: header, name: X-Api-Key, key: config.key }",
        "{ kind: query, name: k, key: config.key }",
        "{ kind: bearer, token: config.key }",
    ],
)
def test_words_that_repeat_our_secret_are_told_without_it(tmp_path: Path, spec: str) -> None:
    with opened(tmp_path, lambda _: (422, {"message": "bad key key-123456 given"})) as world:
        with pytest.raises(CallFailed) as failed:
            world.connector(authorised(spec), **SECRETS).upsert_customer(world.effect({"a": "b"}))
        assert failed.value.words == "bad key *** given"


def test_a_call_that_fails_on_the_way_does_not_tell_the_key_in_its_address(tmp_path: Path) -> None:
    spec = "{ kind: query, name: k, key: config.key }"
    with opened(tmp_path, lambda _: EmulatedResponse(200, drop=True)) as world:
        with pytest.raises(TransportError) as failed:
            everything(world.connector(authorised(spec), **SECRETS))
        assert "key-123456" not in str(failed.value)


# OAuth 2, client credentials.

OAUTH = (
    "{ kind: oauth2_client_credentials, token_url: \"join('', [config.base_url, '/token'])\","
    " client_id: config.user, client_secret: config.password, scope: \"'read write'\" }"
)


class Issuer:
    """Gives numbered tokens; `refuse` makes the API refuse those below a number."""

    def __init__(self, expires_in: Any = 100, status: int = 200) -> None:
        self.given = 0
        self.valid_from = 0
        self.expires_in = expires_in
        self.status = status
        self.forms: list[tuple[str, str]] = []

    def __call__(self, request: EmulatedRequest) -> Answer:
        if request.path == "/token":
            self.forms.append((request.body.decode(), request.headers.get("authorization", "")))
            if self.status != 200:
                return self.status, {"error": "invalid_client", "error_description": "p:ässword is wrong"}
            self.given += 1
            said = {"access_token": f"t{self.given}", "expires_in": self.expires_in}
            return 200, {name: value for name, value in said.items() if value is not None}
        number = int(request.headers["authorization"].removeprefix("Bearer t"))
        return (200, {"items": [], "id": "1"}) if number >= self.valid_from else (401, {"message": "expired"})


def test_a_token_is_fetched_once_and_used_until_shortly_before_its_end(tmp_path: Path) -> None:
    issuer = Issuer()
    with opened(tmp_path, issuer) as world:
        connector = world.connector(authorised(OAUTH), **SECRETS)
        everything(connector)
        world.clock.advance(89)
        everything(connector)
        assert issuer.given == 1
        world.clock.advance(2)
        everything(connector)
        assert issuer.given == 2


def test_id_and_secret_are_sent_form_encoded_as_the_rfc_has_it(tmp_path: Path) -> None:
    issuer = Issuer()
    with opened(tmp_path, issuer) as world:
        everything(world.connector(authorised(OAUTH), **SECRETS))
        ((form, header),) = issuer.forms
        assert form == "grant_type=client_credentials&scope=read+write"
        assert base64.b64decode(header.removeprefix("Basic ")) == b"hub:p%3A%C3%A4ssword"


def test_id_and_secret_may_stand_in_the_form(tmp_path: Path) -> None:
    issuer = Issuer()
    with opened(tmp_path, issuer) as world:
        everything(world.connector(authorised(OAUTH.replace(" }", ", credentials_in: body }")), **SECRETS))
        ((form, header),) = issuer.forms
        assert form.endswith("client_id=hub&client_secret=p%3A%C3%A4ssword")
        assert header == ""


@pytest.mark.parametrize("expires_in", [None, "100", 0, -5, True, "soon", [1]])
def test_a_token_that_says_nothing_usable_of_its_end_is_kept_a_while(tmp_path: Path, expires_in: Any) -> None:
    issuer = Issuer(expires_in)
    with opened(tmp_path, issuer) as world:
        connector = world.connector(authorised(OAUTH), **SECRETS)
        everything(connector)
        world.clock.advance(60)
        everything(connector)
        assert issuer.given == 1


def test_a_refused_token_is_replaced_when_the_hub_says_so(tmp_path: Path) -> None:
    issuer = Issuer()
    with opened(tmp_path, issuer) as world:
        connector = world.connector(authorised(OAUTH), **SECRETS)
        everything(connector)
        issuer.valid_from = 2
        with pytest.raises(CallFailed) as failed:
            everything(connector)
        assert failed.value.resolution is Resolution.AUTH_FAILED
        connector.refresh()
        assert connector.upsert_customer(world.effect({"a": "b"})).status == 200


@pytest.mark.parametrize(
    ("status", "resolution"),
    [
        (401, Resolution.AUTH_FAILED),
        (400, Resolution.AUTH_FAILED),
        (500, Resolution.RETRY),
        (429, Resolution.RATE_LIMITED),
    ],
)
def test_no_token_means_that_the_call_did_not_happen(tmp_path: Path, status: int, resolution: Resolution) -> None:
    with opened(tmp_path, Issuer(status=status)) as world:
        with pytest.raises(CallFailed) as failed:
            world.connector(authorised(OAUTH), **SECRETS).upsert_customer(world.effect({"a": "b"}))
        assert failed.value.resolution is resolution
        assert "ässword" not in failed.value.words
        assert [request.path for request in world.api.asked] == ["/token"]


@pytest.mark.parametrize(
    "answer",
    [
        EmulatedResponse(200, drop=True),
        (200, b"no json"),
        (200, []),
        (200, {"access_token": ""}),
        (200, {"access_token": "a\nb"}),
    ],
)
def test_a_token_that_cannot_be_had_leaves_nothing_in_doubt(tmp_path: Path, answer: Answer) -> None:
    with opened(tmp_path, lambda _: answer) as world:
        with pytest.raises(CallFailed) as failed:
            world.connector(authorised(OAUTH), **SECRETS).upsert_customer(world.effect({"a": "b"}))
        assert failed.value.resolution is Resolution.RETRY


def test_the_engine_itself_is_no_connector_of_a_connection() -> None:
    registry = Registry()
    with pytest.raises(ConfigurationError, match=r"connector\.yaml"):
        registry.implementation(registry.manifests["declarative"])(None)
