"""API keys by the API."""

from __future__ import annotations

from hub.api.answers import Answer
from hub.api.call import Call
from hub.api.problems import Problem
from hub.views.keys import list_keys


def list_(call: Call) -> Answer:
    with call.reading() as connection:
        return Answer({"items": list_keys(connection)})


def create(call: Call) -> Answer:
    given = call.body
    made = call.act("keys.create", name=given["name"], scopes=given["scopes"], expires_at=given.get("expires_at"))
    return Answer(made, 201)


def revoke(call: Call, key: str) -> Answer:
    with call.hub.store.read() as snapshot:
        if snapshot.row("api_keys", {"id": key}) is None:
            raise Problem("not-found", f"There is no key {key}")
    return Answer(call.act("keys.revoke", key=key))
