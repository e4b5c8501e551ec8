"""The API put together: connexion with our validation, security and problems behind the gate, and its pages."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from functools import wraps
from typing import Any

from connexion import AsyncApp
from connexion.datastructures import MediaTypeDict
from connexion.lifecycle import ConnexionResponse
from connexion.middleware.context import ContextMiddleware
from connexion.middleware.request_validation import RequestValidationMiddleware
from connexion.middleware.routing import RoutingMiddleware
from connexion.middleware.security import SecurityMiddleware
from connexion.resolver import Resolver

from hub.api.document import document, operations
from hub.api.gate import Gate
from hub.api.ingress import Application, Receive, Scope, Send
from hub.api.operations import OPERATIONS
from hub.api.pages import pages
from hub.api.security import Door
from hub.api.validation import Body, Parameters
from hub.domain.ids import IdSource
from hub.runtime.hub import Hub
from hub.sdk.ports import Clock
from hub.store.reading import ReadingPool

log = logging.getLogger("hub.api")

VALIDATORS = {"parameter": Parameters, "body": MediaTypeDict({"application/json": Body})}

MIDDLEWARES = [RoutingMiddleware, SecurityMiddleware, RequestValidationMiddleware, ContextMiddleware]
"""connexion's own without its error pages and its user interface: the gate writes problems, hub.api.pages the pages."""


def build(
    hub: Callable[[], Hub | None],
    views: Callable[[], ReadingPool],
    clock: Clock,
    *,
    max_body_bytes: int,
) -> Application:
    """Everything under /v1, and its pages. Raises where document and operations do not fit each other."""
    door = Door(hub, views, operations())
    app = AsyncApp(
        "hub",
        middlewares=list(MIDDLEWARES),
        validator_map=VALIDATORS,
        security_map={"bearer": door.handler()},
        resolver=Resolver(lambda name: endpoint(OPERATIONS[name])),
    )
    app.add_api(document())
    gate = Gate(app, clock, IdSource(random.SystemRandom()), max_body_bytes=max_body_bytes)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await (gate if scope["path"].startswith("/v1/") else pages)(scope, receive, send)

    return application


def endpoint(operation: Callable[..., Any]) -> Callable[..., ConnexionResponse]:
    """The operation as connexion calls it, in a thread of its own; its answer as the bytes that they are."""

    @wraps(operation)
    def run(**arguments: Any) -> ConnexionResponse:
        answer = operation(**arguments)
        return ConnexionResponse(
            status_code=answer.status,
            content_type=answer.content_type,
            body=answer.bytes(),
            headers=dict(answer.headers),
        )

    return run
