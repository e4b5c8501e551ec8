"""Revisions in the database: every one that anything ran under is kept, and one is active.

A process may start or go on while the files are faulty: the last good revision is there, whole, with its mappings.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection

from hub.config.findings import ConfigErrors
from hub.config.load import load_blob
from hub.config.revision import from_blob
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.runtime.configuration import Loaded, load_configuration
from hub.runtime.connections import connector_infos, library_of
from hub.runtime.mapping_check import mapping_findings
from hub.runtime.registry import Registry
from hub.store.sql_store import SqlStore
from hub.views.revisions import active_bundle

ACTIVE = "active_revision"


def checked_configuration(folder: Path, environ: Mapping[str, str]) -> Loaded:
    """Load and check everything, mappings included. Raises ConfigErrors with every finding."""
    loaded = load_configuration(folder, environ)
    findings = mapping_findings(loaded)
    if findings:
        raise ConfigErrors(findings)
    return loaded


def last_good(connection: Connection, home: Path, environ: Mapping[str, str]) -> Loaded | None:
    """The active revision as it is stored, on present code; None where nothing ever ran here.

    The site's own mappings are written to `home`/revision, where the library reads them. Raises ConfigErrors where the
    revision does not fit any more, for example because a variable it refers to is gone.
    """
    blob = active_bundle(connection)
    if blob is None:
        return None
    registry = Registry()
    bundle = load_blob(blob, environ=environ, connectors=connector_infos(registry))
    folder = home / "revision"
    shutil.rmtree(folder, ignore_errors=True)
    files, _, _ = from_blob(blob)
    for name, text in files.items():
        if name.startswith("mappings/"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return Loaded(bundle, registry, library_of(folder, registry))


def active_revision(snapshot: Snapshot) -> str | None:
    row = snapshot.row("settings", {"name": ACTIVE})
    return str(row["value"]) if row else None


def keep_revision(store: SqlStore, loaded: Loaded, now: dt.datetime) -> None:
    """Store the revision, so that what runs under it can be explained; it does not become the active one."""
    bundle = loaded.bundle
    writes = WriteSet()
    row = {"hash": bundle.revision, "bundle": bundle.blob, "versions": {}, "created_at": now}
    writes.insert("revisions", row, ignore=True)
    store.apply([writes])


def record_revision(store: SqlStore, loaded: Loaded, now: dt.datetime) -> None:
    """Keep the revision's bundle and make it the active one."""
    keep_revision(store, loaded, now)
    revision = loaded.bundle.revision
    writes = WriteSet()
    with store.read() as snapshot:
        known = active_revision(snapshot)
    if known is None:
        writes.insert("settings", {"name": ACTIVE, "value": revision, "updated_at": now}, ignore=True)
    elif known != revision:
        writes.update("settings", {"name": ACTIVE}, {"value": revision, "updated_at": now})
    if writes.operations:
        store.apply([writes])
