"""The systems that the flow calls, without work of their own: they answer like the real ones and note what came.

    python -m tests.bench.sink --targets erp,east,west --record FILE

prints {"ports": {target: port}}; `GET /count` on any port answers {"calls": N}. The record is one JSON object a line:
{"target", "path", "headers", "body"}, in order of arrival, so that a floor can send the same again.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import IO

_REFERENCE = re.compile(rb"<(?:\w+:)?Reference>([^<]*)<")
_SOAP = (
    b"<?xml version='1.0' encoding='utf-8'?>\n"
    b'<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
    b'<sales:SubmitOrderResponse xmlns:sales="urn:erp:sales:1"><sales:Status>booked</sales:Status>'
    b"<sales:DocumentNumber>SO-%d</sales:DocumentNumber><sales:Reference>%s</sales:Reference>"
    b"</sales:SubmitOrderResponse></soap:Body></soap:Envelope>"
)
KEPT_HEADERS = ("authorization", "accept", "content-type", "soapaction", "user-agent")


class Sink:
    """Counts and records; one for all targets. `record` None: only answers."""

    def __init__(self, record: IO[str] | None) -> None:
        self._record = record
        self._numbers = itertools.count(1)
        self.calls = 0

    async def serve(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length") or 0))
                writer.write(_http(*self.answer(target, first.split()[1], headers, body)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def answer(self, target: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        """(status, content type, body)"""
        if path == "/count":
            return 200, "application/json", json.dumps({"calls": self.calls}).encode()
        self.calls += 1
        if self._record is not None:
            kept = {name: headers[name] for name in KEPT_HEADERS if name in headers}
            line = {"target": target, "path": path, "headers": kept, "body": body.decode("utf-8")}
            self._record.write(json.dumps(line) + "\n")
            self._record.flush()
        if body.startswith(b"<"):
            found = _REFERENCE.search(body)
            return 200, "text/xml; charset=utf-8", _SOAP % (next(self._numbers), found[1] if found else b"")
        request = json.loads(body)
        document = {
            "id": f"FR-{next(self._numbers):06d}",
            "status": "received",
            "request": request,
            "lines": [{"reference": line["line_reference"], "ordered": line["quantity"]} for line in request["lines"]],
        }
        return 201, "application/json", json.dumps(document, separators=(",", ":")).encode()


def _http(status: int, content_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {content_type}\r\n"
    return head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body


async def run(targets: list[str], record: IO[str] | None) -> None:
    sink = Sink(record)
    servers = []
    for target in targets:

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str = target) -> None:
            await sink.serve(target, reader, writer)

        servers.append(await asyncio.start_server(accept, "127.0.0.1", 0))
    ports = {target: server.sockets[0].getsockname()[1] for target, server in zip(targets, servers, strict=True)}
    print(json.dumps({"ports": ports}), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--targets", required=True)
    parser.add_argument("--record", type=Path)
    args = parser.parse_args()
    record = args.record.open("w", encoding="utf-8") if args.record else None
    asyncio.run(run(args.targets.split(","), record))


if __name__ == "__main__":
    main()
