"""Keys of the API: made, revoked, and known again. What is kept is a hash; the key itself is shown once."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.domain.ids import ALPHABET
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.exchange.decisions import Writer
from hub.exchange.exceptions import audit
from hub.exchange.verbs import Refused
from hub.runtime.hub import Hub

SCOPES: Mapping[str, str] = {
    "orders:read": "see orders, what holds them and where they went, without personal data",
    "orders:write": "write, hold, release and cancel orders; includes orders:read",
    "inventory:read": "see stock and locations",
    "inventory:write": "correct stock; includes inventory:read",
    "fulfilment:read": "see the work of locations, without personal data",
    "fulfilment:write": "report on it as the people of a location do; includes fulfilment:read",
    "money:read": "see payments, refunds and payouts",
    "money:write": "refund, capture again and match payouts; includes money:read",
    "monitor": "see receipts, messages, deliveries, exceptions, connections, schedules, jobs, and verify",
    "operate": "settle deliveries and exceptions, try again, pause and resume; includes monitor",
    "bodies:read": "download the bytes of receipts, messages and deliveries, which hold personal data",
    "admin": "everything, API keys included",
}
INCLUDES: Mapping[str, tuple[str, ...]] = {
    "orders:write": ("orders:read",),
    "inventory:write": ("inventory:read",),
    "fulfilment:write": ("fulfilment:read",),
    "money:write": ("money:read",),
    "operate": ("monitor",),
    "admin": tuple(name for name in SCOPES if name != "admin"),
}

MARK = "ohk_"
PREFIX_LETTERS = 10
SECRET_LETTERS = 40
"""Of 32 letters: 200 bits, so that a plain hash is enough."""
USED_TO_WITHIN = dt.timedelta(minutes=10)
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `scopes` with everything they include."""

    key: str
    name: str
    prefix: str
    scopes: frozenset[str]

    @property
    def who(self) -> str:
        """As the audit names it."""
        return f"api:{self.name} ({self.prefix})"


def with_included(scopes: Iterable[str]) -> frozenset[str]:
    found = set(scopes)
    for scope in tuple(found):
        found.update(INCLUDES.get(scope, ()))
    return frozenset(found)


def create(
    hub: Hub, who: str, name: str, scopes: Iterable[str], expires_at: dt.datetime | str | None = None
) -> dict[str, Any]:
    """A new key; the answer is the only place where it ever stands."""
    chosen = sorted(set(scopes))
    unknown = [scope for scope in chosen if scope not in SCOPES]
    if unknown:
        raise Refused(f"there is no scope {', '.join(unknown)}; there are {', '.join(SCOPES)}")
    if not chosen:
        raise Refused(f"a key needs a scope; there are {', '.join(SCOPES)}")
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused(f"a key needs a name of at most {LONGEST_NAME} characters")
    until = _instant(expires_at)
    now = hub.clock.now()
    if until is not None and until <= now:
        raise Refused("the time at which the key ends is past")
    prefix = MARK + _letters(PREFIX_LETTERS)
    token = f"{prefix}_{_letters(SECRET_LETTERS)}"
    key = hub.ids.new("ky", now)
    row = {
        "id": key,
        "name": name.strip(),
        "prefix": prefix,
        "hash": _hash(token),
        "scopes": chosen,
        "created_at": now,
        "created_by": who,
        "expires_at": until,
    }

    def compute(writer: Writer) -> WriteSet:
        writes = WriteSet()
        writes.insert("api_keys", row, claim=True)
        audit(writes, "keys.create", key, who, "", writer.now, {"name": name, "prefix": prefix, "scopes": chosen})
        return writes

    hub.commit(compute, key)
    words = f"{name} may {', '.join(chosen)}. The key is shown this once: keep it where secrets are kept."
    return {
        "id": key,
        "name": name.strip(),
        "prefix": prefix,
        "scopes": chosen,
        "expires_at": until.isoformat().replace("+00:00", "Z") if until else None,
        "token": token,
        "message": words,
    }


def revoke(hub: Hub, who: str, key: str, reason: str = "") -> dict[str, Any]:
    """End a key at once, by its id or its first characters."""
    found: list[str] = []

    def compute(writer: Writer) -> WriteSet:
        row = writer.snapshot.row("api_keys", {"id": key}) or writer.snapshot.row("api_keys", {"prefix": key})
        if row is None:
            raise Refused(f"there is no key {key!r}")
        if row["revoked_at"] is not None:
            raise Refused(f"{row['prefix']} is revoked already")
        found[:] = [row["prefix"]]
        writes = WriteSet()
        gone = {"revoked_at": writer.now, "revoked_by": who}
        writes.update("api_keys", {"id": row["id"], "revoked_at": None}, gone)
        audit(writes, "keys.revoke", str(row["id"]), who, reason, writer.now, {"prefix": row["prefix"]})
        return writes

    hub.commit(compute, key)
    return {"key": found[0], "message": f"{found[0]} opens nothing any more"}


def caller_of(snapshot: Snapshot, token: str, now: dt.datetime) -> tuple[Caller, bool] | None:
    """Who a key is of, and whether it is time to note that it is used; None for a key that opens nothing.

    The comparison takes as long whether there is such a prefix or not.
    """
    prefix = token[: len(MARK) + PREFIX_LETTERS]
    row = snapshot.row("api_keys", {"prefix": prefix}) if token.startswith(MARK) and token.isascii() else None
    fits = hmac.compare_digest(_hash(token), row["hash"] if row is not None else _NOBODY)
    if row is None or not fits or row["revoked_at"] is not None:
        return None
    if row["expires_at"] is not None and row["expires_at"] <= now:
        return None
    stale = row["used_at"] is None or row["used_at"] + USED_TO_WITHIN <= now
    return Caller(str(row["id"]), str(row["name"]), str(row["prefix"]), with_included(row["scopes"])), stale


def note_use(hub: Hub, caller: Caller) -> None:
    """That the key is used, to within some minutes."""
    writes = WriteSet()
    writes.update("api_keys", {"id": caller.key}, {"used_at": hub.clock.now()}, expect=None)
    hub.store.apply([writes])


def _letters(number: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(number))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _instant(given: dt.datetime | str | None) -> dt.datetime | None:
    if given is None or isinstance(given, dt.datetime):
        return given
    try:
        found = dt.datetime.fromisoformat(given)
    except ValueError as error:
        raise Refused(f"{given!r} is no time as in 2027-01-31T00:00:00Z") from error
    if found.tzinfo is None:
        raise Refused("a time needs its zone, as in 2027-01-31T00:00:00Z")
    return found.astimezone(dt.UTC)


_NOBODY = _hash("")
