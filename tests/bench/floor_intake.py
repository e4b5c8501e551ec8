"""The floor of `intake`: the smallest ASGI program that verifies, stores durably in shared commits and answers 202.

python -m tests.bench.floor_intake --port 0 --database FILE --secret S      serves; prints {"port": N}
python -m tests.bench.floor_intake --database FILE --count                  how many bodies are really there
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import queue
import socket
import threading
import time
from typing import Any

try:
    from pysqlite3 import dbapi2 as sqlite3
except ImportError:
    import sqlite3

BATCH = 200


class Writer(threading.Thread):
    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self.jobs: queue.SimpleQueue[tuple[tuple[Any, ...], asyncio.Future[bool], asyncio.AbstractEventLoop]] = (
            queue.SimpleQueue()
        )
        self.path = path

    def run(self) -> None:
        database = sqlite3.connect(self.path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            database.execute(f"PRAGMA {pragma}")
        database.execute(
            "CREATE TABLE IF NOT EXISTS receipts(id INTEGER PRIMARY KEY, connection TEXT NOT NULL, delivery_id TEXT,"
            " body_hash TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL, received_at INTEGER NOT NULL,"
            " state TEXT NOT NULL, UNIQUE(connection, delivery_id, body_hash))"
        )
        while True:
            batch = [self.jobs.get()]
            while len(batch) < BATCH:
                try:
                    batch.append(self.jobs.get_nowait())
                except queue.Empty:
                    break
            database.execute("BEGIN IMMEDIATE")
            database.executemany(
                "INSERT INTO receipts(connection, delivery_id, body_hash, headers, body, received_at, state)"
                " VALUES (?, ?, ?, ?, ?, ?, 'pending') ON CONFLICT DO NOTHING",
                [job[0] for job in batch],
            )
            database.execute("COMMIT")
            for _, future, loop in batch:
                loop.call_soon_threadsafe(future.set_result, True)


def application(writer: Writer, secret: bytes) -> Any:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        signature = base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest()).decode()
        status = 401
        if hmac.compare_digest(signature, headers.get("x-shopify-hmac-sha256", "")):
            loop = asyncio.get_running_loop()
            future: asyncio.Future[bool] = loop.create_future()
            digest = hashlib.sha256(body).hexdigest()
            delivery = headers.get("x-shopify-webhook-id")
            row = ("shop", delivery, digest, json.dumps(headers), body, time.time_ns() // 1000)
            writer.jobs.put((row, future, loop))
            await future
            status = 202
        answer = b'{"stored":true}'
        fields = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": answer})

    return app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--database", required=True)
    parser.add_argument("--secret", default="")
    parser.add_argument("--count", action="store_true")
    args = parser.parse_args()
    if args.count:
        print(sqlite3.connect(args.database).execute("SELECT COUNT(*) FROM receipts").fetchone()[0])
        return
    import uvicorn

    writer = Writer(args.database)
    writer.start()
    listener = socket.create_server(("127.0.0.1", args.port))
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    config = uvicorn.Config(application(writer, args.secret.encode()), log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
