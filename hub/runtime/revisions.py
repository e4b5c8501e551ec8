"""Revisions in the database: every one that anything ran under is kept, and one is active.

A process may start or go on while the files are faulty, or after they were rolled back: a stored revision is whole,
with its mappings.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from hub.config.load import load_blob
from hub.config.revision import from_blob
from hub.domain.decision import TaskRequest
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.exchange.decisions import task_row
from hub.exchange.exceptions import audit
from hub.runtime.configuration import Loaded
from hub.runtime.connections import connector_infos, library_of
from hub.runtime.registry import site_registry
from hub.store.sql_store import SqlStore
from hub.views.revisions import active_bundle, bundle_of

ACTIVE = "active_revision"
PREVIOUS = "previous_revision"
"""What was active before: where `hub config rollback` goes back to."""
REFUSED = "rolled_back_revision"
"""What a person went back from: files that still say it are not adopted by a start, only by `hub config apply`."""


LOOKS = ("recheck_held", "push_all")
"""Kinds of the tasks that look at everything again under a new revision: what is held, and what channels were told."""
ADOPTED_BY_THEN = dt.timedelta(seconds=10)
"""The processes of a hub have taken up a new revision by then."""


class NoRevision(Exception):
    """No stored revision is meant; the message says which there are not."""


@dataclass(frozen=True, slots=True)
class Why:
    """Who made a revision the active one, and what for."""

    who: str
    action: str
    reason: str = ""


START = Why("hub", "config.start")


def stored(blob: bytes, home: Path, environ: Mapping[str, str]) -> Loaded:
    """A stored revision on present code.

    The site's own mappings and connectors are written to a folder of these bytes in the home, where library and
    registry read them. Raises ConfigErrors where it does not fit any more, for example because a variable it refers to
    is gone.
    """
    folder = home / "revisions" / hashlib.sha256(blob).hexdigest()[:40]
    files, _, _ = from_blob(blob)
    for name, text in files.items():
        if name.startswith(("mappings/", "connectors/")):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    registry = site_registry(folder)
    bundle = load_blob(blob, environ=environ, connectors=connector_infos(registry))
    return Loaded(bundle, registry, library_of(folder, registry))


def last_good(connection: Connection, home: Path, environ: Mapping[str, str]) -> Loaded | None:
    """The active revision as it is stored; None where nothing ever ran here. Raises ConfigErrors, as `stored`."""
    blob = active_bundle(connection)
    return None if blob is None else stored(blob, home, environ)


def revision_named(connection: Connection, name: str, home: Path, environ: Mapping[str, str]) -> Loaded:
    """The one stored revision whose name begins so. Raises NoRevision and ConfigErrors."""
    found = bundle_of(connection, name)
    if len(found) != 1:
        raise NoRevision(f"{len(found) or 'no'} stored revisions begin with {name}; `hub config revisions` lists them")
    return stored(found[0], home, environ)


def active_revision(snapshot: Snapshot) -> str | None:
    """The name of the revision that is in force."""
    return _setting(snapshot, ACTIVE)


def previous_revision(snapshot: Snapshot) -> str | None:
    """The name of the revision that was in force before."""
    return _setting(snapshot, PREVIOUS)


def refused_revision(snapshot: Snapshot) -> str | None:
    """The name of the revision that a person went back from; None when none was, or it was applied again."""
    return _setting(snapshot, REFUSED) or None


def keep_revision(store: SqlStore, loaded: Loaded, now: dt.datetime) -> None:
    """Store the revision, so that what runs under it can be explained; it does not become the active one."""
    bundle = loaded.bundle
    writes = WriteSet()
    _, _, versions = from_blob(bundle.blob)
    row = {"hash": bundle.revision, "bundle": bundle.blob, "versions": versions, "created_at": now}
    writes.insert("revisions", row, ignore=True)
    store.apply([writes])


def record_revision(
    store: SqlStore, loaded: Loaded, now: dt.datetime, why: Why = START, *, refuse: str | None = None
) -> None:
    """Keep the revision's bundle and make it the active one; ``refuse`` is a revision that a person goes back from."""
    keep_revision(store, loaded, now)
    revision = loaded.bundle.revision
    writes = WriteSet()
    with store.read() as snapshot:
        known = active_revision(snapshot)
        if known != revision:
            if known is None:
                writes.insert("settings", {"name": ACTIVE, "value": revision, "updated_at": now}, ignore=True)
            else:
                # Compare and set: of two processes that adopt at once one computes again.
                writes.update(
                    "settings", {"name": ACTIVE, "value": known}, {"value": revision, "updated_at": now}, expect=None
                )
                _set(snapshot, writes, PREVIOUS, known, now)
                for kind in LOOKS:
                    look = TaskRequest(kind, revision, now + ADOPTED_BY_THEN, f"{kind}/{revision}/{now.isoformat()}")
                    writes.insert("tasks", task_row(look, now), ignore=True)
            audit(writes, why.action, revision, why.who, why.reason, now, {"from": known} if known else {})
        wanted = refuse or ("" if refused_revision(snapshot) == revision else None)
        if wanted is not None:
            _set(snapshot, writes, REFUSED, wanted, now)
    if writes.operations:
        store.apply([writes])


def _setting(snapshot: Snapshot, name: str) -> str | None:
    row = snapshot.row("settings", {"name": name})
    return str(row["value"]) if row else None


def _set(snapshot: Snapshot, writes: WriteSet, name: str, value: str, now: dt.datetime) -> None:
    if _setting(snapshot, name) is None:
        writes.insert("settings", {"name": name, "value": value, "updated_at": now}, ignore=True)
    else:
        writes.update("settings", {"name": name}, {"value": value, "updated_at": now}, expect=None)
