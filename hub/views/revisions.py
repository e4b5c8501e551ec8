"""The stored configuration."""

from __future__ import annotations

from sqlalchemy import Connection

from hub.views.query import scalar


def active_bundle(connection: Connection) -> bytes | None:
    """The bytes of the active revision; None where nothing ever ran on this database."""
    found = scalar(
        connection,
        "SELECT r.bundle FROM revisions r JOIN settings s ON s.value = r.hash WHERE s.name = 'active_revision'",
    )
    return None if found is None else bytes(found)
