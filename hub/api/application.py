"""One ASGI application: the ingress first, then health, readiness and metrics. Small, so that it answers early."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from hub.api.ingress import Application, ClientGone, Ingress, Receive, Scope, Send, answer, problem
from hub.api.metrics import Metrics

log = logging.getLogger("hub.web")

Readiness = Callable[[], Mapping[str, Any]]
"""Returns {"ready": bool, ...details without secrets}."""


OF_THE_API = ("/v1/", "/docs", "/openapi.json")


def build(
    ingress: Ingress,
    metrics: Metrics,
    readiness: Readiness,
    *,
    api: Application | None = None,
    rest: Application | None = None,
) -> Application:
    """`api` gets /v1, /docs and /openapi.json, `rest` every path that is none of ours (the dashboard)."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if path.startswith("/in/"):
            try:
                await ingress(scope, receive, send)
            except ClientGone:
                log.info("a sender went away before its request was complete")
        elif path == "/healthz":
            await answer(send, 200, b'{"status":"alive"}')
        elif path == "/readyz":
            state = dict(readiness())
            await answer(send, 200 if state.get("ready") else 503, json.dumps(state, default=str).encode())
        elif path == "/metrics":
            text = await asyncio.to_thread(metrics.render)
            await answer(send, 200, text.encode(), b"text/plain; version=0.0.4; charset=utf-8")
        elif api is not None and path.startswith(OF_THE_API):
            await api(scope, receive, send)
        elif rest is not None:
            await rest(scope, receive, send)
        else:
            await problem(send, 404, f"There is nothing at {path}")

    return application


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
