"""Bytes that break parsers, to the door for webhooks and to the API, over real HTTP: answers, never a 5xx."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from tests.api.bodies import READABLE, UNREADABLE
from tests.api.service import LIMIT, Service
from tests.cli.site import SHOP, signed

BODIES = {**UNREADABLE, **READABLE}
WRITING = ("/v1/orders", "/v1/inventory/adjustments", "/v1/keys", "/v1/orders/or_nothing/hold")
ODD_PATHS = (
    "/v1/orders/%00",
    "/v1/orders/%ff%fe",
    "/v1/orders/%C3%28",
    "/v1/orders/..%2f..%2fetc%2fpasswd",
    "/v1/orders/%0d%0aSet-Cookie:x=y",
    "/v1/orders/" + "a" * 4_000,
    "/v1//orders",
    "/v1/orders/%",
    "/v1/orders/%zz",
    "/v1/orders?cursor=%00",
    "/v1/orders?cursor=%ff",
    "/v1/orders?reference=%ed%a0%80",
    "/v1/orders?limit=" + "9" * 5_000,
    "/v1/orders?limit=1e3",
    "/v1/orders?limit=%D9%A3",
    "/v1/orders?limit[]=1&limit[a][b]=2",
    "/v1/orders?" + "&".join(f"a{number}=1" for number in range(500)),
    "/v1/orders?limit=1&limit=2",
    "/v1/inventory/%2e%2e/%2e%2e",
    "/v1/inventory/%F0%9F%92%A9",
    "/openapi.json/../../etc/passwd",
    "/docs/../app.py",
    "/docs/%2e%2e/%2e%2e/app.py",
    "/docs/problems/<script>",
    "/in/%00/%00",
    "/in/",
)


@pytest.fixture(scope="module")
def url(shared_service: Service) -> Iterator[str]:
    with shared_service.served() as url:
        yield url


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_no_body_breaks_the_door_for_webhooks(url: str, body: bytes) -> None:
    answer = requests.post(f"{url}/in/{SHOP}", body, headers=signed(body), timeout=30)
    assert answer.status_code in (202, 413), answer.text


@pytest.mark.parametrize("path", WRITING)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_no_body_breaks_the_api(shared_service: Service, url: str, path: str, body: bytes) -> None:
    headers = {
        "authorization": f"Bearer {shared_service.key('admin')}",
        "content-type": "application/json",
        "idempotency-key": "raw",
    }
    answer = requests.post(url + path, body, headers=headers, timeout=30)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"]


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_no_body_matters_without_a_key(url: str, body: bytes) -> None:
    answer = requests.post(f"{url}/v1/orders", body, headers={"content-type": "application/json"}, timeout=30)
    assert answer.status_code == 401


def spoken(url: str, raw: bytes) -> bytes:
    """What the server says to these very bytes, up to the end of its headers or of the connection."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as connection:
        connection.sendall(raw)
        said = b""
        while b"\r\n\r\n" not in said and (part := connection.recv(65_536)):
            said += part
        return said


def status(said: bytes) -> int:
    return int(said.split(b" ", 2)[1]) if said else 400


@pytest.mark.parametrize("path", ODD_PATHS, ids=range(len(ODD_PATHS)))
def test_no_address_breaks_anything(shared_service: Service, url: str, path: str) -> None:
    head = f"Host: x\r\nAuthorization: Bearer {shared_service.key('admin')}\r\nConnection: close\r\n\r\n"
    said = spoken(url, f"GET {path} HTTP/1.1\r\n{head}".encode())
    assert 400 <= status(said) < 500, said


HEADERS = {
    "a content type of noise": b"Content-Type: \xff\xfe;;;=\r\n",
    "a character set that is none": b"Content-Type: application/json; charset=klingon\r\n",
    "a boundary without parts": b"Content-Type: multipart/form-data\r\n",
    "a length that is none": b"Content-Length: ten\r\n",
    "two lengths": b"Content-Length: 2\r\nContent-Length: 3\r\n",
    "a length below zero": b"Content-Length: -1\r\n",
    "a length beyond all bounds": b"Content-Length: 99999999999999999999\r\n",
    "length and chunks": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
    "a version to match that is none": b'If-Match: W/"\xff"\r\n',
    "a name of the request that is none": b"Idempotency-Key: \xff\xff\r\n",
    "many headers": b"".join(b"X-%d: y\r\n" % number for number in range(90)),
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
@pytest.mark.parametrize("path", ["/v1/orders", "/v1/orders/or_nothing/hold", f"/in/{SHOP}"])
def test_no_header_breaks_anything(shared_service: Service, url: str, path: str, header: bytes) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shared_service.key('admin')}\r\n"
    said = spoken(url, head.encode() + header + b"Connection: close\r\n\r\n{}")
    assert 400 <= status(said) < 500, said


def test_a_chunked_body_is_a_body(shared_service: Service, url: str) -> None:
    headers = {
        "authorization": f"Bearer {shared_service.key('admin')}",
        "content-type": "application/json",
        "idempotency-key": "chunks",
    }
    pieces = iter([b'{"external_id": "', b"CHUNKS-1", b'", "currency": "EUR"}'])
    answer = requests.post(f"{url}/v1/orders", pieces, headers=headers, timeout=30)
    assert answer.status_code == 201, answer.text


def test_a_chunked_body_above_the_limit_is_cut_off(shared_service: Service, url: str) -> None:
    head = (
        f"POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shared_service.key('admin')}\r\n"
        "Idempotency-Key: large\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    said = spoken(url, head.encode() + piece * (LIMIT // 0x10000 + 1))
    assert status(said) == 413


def test_after_all_that_it_still_answers(shared_service: Service, url: str) -> None:
    headers = {"authorization": f"Bearer {shared_service.key('admin')}"}
    assert requests.get(f"{url}/v1/verify", headers=headers, timeout=30).json()["ok"]
