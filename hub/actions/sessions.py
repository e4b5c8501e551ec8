"""Who is at the dashboard: logging in with an API key or by a link that works once, and logging out.

A browser holds a random token, the database its hash. A session ends by itself, with its API key, or by logging out.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.actions.keys import caller_of, note_use, with_included
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import Delete, WriteSet
from hub.exchange.decisions import Writer
from hub.exchange.exceptions import audit
from hub.exchange.verbs import Refused
from hub.runtime.hub import Hub

SESSION_FOR = dt.timedelta(hours=12)
LINK_FOR = dt.timedelta(hours=1)
SESSION, LINK = "session", "link"
ENTRANCE = "/enter"
FORGOTTEN_AT_ONCE = 500
LONGEST_TOKEN = 200


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at the dashboard; `scopes` as those of API keys, with everything they include."""

    session: str
    who: str
    scopes: frozenset[str]


def log_in(hub: Hub, key: str) -> str:
    """A session's token for an API key. Raises Refused for a key that opens nothing."""
    with hub.store.read() as snapshot:
        found = caller_of(snapshot, key, hub.clock.now())
    if found is None:
        raise Refused("this key is unknown, expired or revoked")
    caller, stale = found
    if stale:
        note_use(hub, caller)
    token = secrets.token_urlsafe(32)
    row = _row(token, SESSION, f"web:{caller.name} ({caller.prefix})", caller.scopes, hub.clock.now(), SESSION_FOR)
    _keep(hub, {**row, "key_id": caller.key}, "web.log-in")
    return token


def link(hub: Hub, who: str, scopes: tuple[str, ...] = ("admin",)) -> dict[str, Any]:
    """A path that logs one browser in, once, within an hour: for those who may do everything here anyway."""
    token = secrets.token_urlsafe(32)
    _keep(hub, _row(token, LINK, who, with_included(scopes), hub.clock.now(), LINK_FOR), "web.link")
    minutes = int(LINK_FOR.total_seconds() // 60)
    words = f"the link logs one browser in, once, within {minutes} minutes"
    return {"path": f"{ENTRANCE}?link={token}", "url": hub.url, "message": words}


def enter(hub: Hub, token: str) -> str:
    """The session's token for a link, which is used up by this. Raises Refused."""
    fresh = secrets.token_urlsafe(32)

    def compute(writer: Writer) -> WriteSet:
        row = writer.snapshot.row("web_sessions", {"id": _hash(token), "kind": LINK})
        if row is None or row["expires_at"] <= writer.now:
            raise Refused("this link has been used or is too old; make another with `hub dashboard`")
        writes = WriteSet()
        writes.operations.append(Delete("web_sessions", {"id": row["id"]}, expect=1))
        new = _row(fresh, SESSION, str(row["who"]), frozenset(row["scopes"]), writer.now, SESSION_FOR)
        writes.insert("web_sessions", new, claim=True)
        audit(writes, "web.log-in", "dashboard", str(row["who"]), "", writer.now)
        return writes

    hub.commit(compute, "web.enter")
    return fresh


def visitor(snapshot: Snapshot, token: str, now: dt.datetime) -> Visitor | None:
    """Whose session a token is; None where it is over."""
    if not token or len(token) > LONGEST_TOKEN:
        return None
    row = snapshot.row("web_sessions", {"id": _hash(token), "kind": SESSION})
    if row is None or row["expires_at"] <= now:
        return None
    if row["key_id"] is not None and not _still(snapshot.row("api_keys", {"id": row["key_id"]}), now):
        return None
    return Visitor(str(row["id"]), str(row["who"]), frozenset(row["scopes"]))


def log_out(hub: Hub, session: str) -> None:
    """End a session by its id; one that is over already stays so."""
    writes = WriteSet()
    writes.operations.append(Delete("web_sessions", {"id": session}))
    hub.store.apply([writes])


def _still(key: Mapping[str, Any] | None, now: dt.datetime) -> bool:
    return key is not None and key["revoked_at"] is None and (key["expires_at"] is None or key["expires_at"] > now)


def _keep(hub: Hub, row: Mapping[str, Any], action: str) -> None:
    """Also forgets what is over, so that no schedule is needed for it."""

    def compute(writer: Writer) -> WriteSet:
        writes = WriteSet()
        kept = writer.snapshot.rows("web_sessions", {}, order_by=("expires_at",), limit=FORGOTTEN_AT_ONCE)
        over = tuple(str(old["id"]) for old in kept if old["expires_at"] <= writer.now)
        if over:
            writes.operations.append(Delete("web_sessions", {"id": over}))
        writes.insert("web_sessions", row, claim=True)
        audit(writes, action, "dashboard", str(row["who"]), "", writer.now)
        return writes

    hub.commit(compute, action)


def _row(
    token: str, kind: str, who: str, scopes: frozenset[str], now: dt.datetime, lasts: dt.timedelta
) -> dict[str, Any]:
    return {
        "id": _hash(token),
        "kind": kind,
        "key_id": None,
        "who": who,
        "scopes": sorted(scopes),
        "created_at": now,
        "expires_at": now + lasts,
    }


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
