"""Who may do what: API keys as bearer tokens, one scope an operation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from hub.actions.keys import Caller, caller_of, note_use
from hub.api.call import Call, Doing
from hub.api.document import Operation
from hub.api.problems import Problem
from hub.exchange.ports import StoreUnavailable
from hub.runtime.hub import Hub
from hub.store.reading import ReadingPool

log = logging.getLogger("hub.api")

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="hub"'}
LONGEST_TOKEN = 200


class Door:
    """Lets a request in as a `Call`; connexion asks it before it looks at parameters or body."""

    def __init__(
        self,
        hub: Callable[[], Hub | None],
        views: Callable[[], ReadingPool],
        operations: Mapping[str, Operation],
    ) -> None:
        self._hub, self._views, self._operations = hub, views, operations
        self._doing = Doing()

    def handler(self) -> Any:
        """What connexion's security map wants for the scheme `bearer`: a class whose instances give the check."""
        door = self

        class Handler:
            def get_fn(self, security_scheme: Mapping[str, Any], required_scopes: list[str]) -> Any:
                del security_scheme, required_scopes  # OpenAPI 3.0 has scopes for OAuth only: ours are x-scope
                return door.verify

        return Handler

    async def verify(self, request: Any) -> Any:
        """The caller, as connexion wants to hear of it. Raises Problem."""
        header = request.headers.get("authorization")
        if header is None:
            raise Problem("unauthorised", "The header Authorization: Bearer <key> is missing", headers=CHALLENGE)
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer" or not token.strip() or len(token) > LONGEST_TOKEN:
            raise Problem("unauthorised", "The header Authorization is not of the form Bearer <key>", headers=CHALLENGE)
        hub = self._hub()
        if hub is None:
            raise Problem("unavailable", "The hub is starting or stopping", headers={"Retry-After": "2"})
        caller = await asyncio.to_thread(self._caller, hub, token.strip())
        operation = self._operations[request.scope["extensions"]["connexion_routing"]["operation_id"]]
        if operation.scope not in caller.scopes:
            has = ", ".join(sorted(caller.scopes))
            raise Problem("forbidden", f"{operation.id} needs the scope {operation.scope}; {caller.prefix} has {has}")
        scope = request.scope
        request.context["call"] = Call(
            hub=hub,
            caller=caller,
            operation=operation.id,
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"],
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
            request_id=scope["hub.request_id"],
            views=self._views,
            doing=self._doing,
        )
        return {"sub": caller.who}

    def _caller(self, hub: Hub, token: str) -> Caller:
        with hub.store.read() as snapshot:
            found = caller_of(snapshot, token, hub.clock.now())
        if found is None:
            raise Problem("unauthorised", "The key is unknown, expired or revoked", headers=CHALLENGE)
        caller, stale = found
        if stale:
            try:
                note_use(hub, caller)
            except StoreUnavailable as error:
                log.warning("that the key %s is used could not be noted: %s", caller.prefix, error)
        return caller
