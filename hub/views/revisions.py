"""The stored configurations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from hub.views.query import rows, scalar


def active(connection: Connection) -> tuple[str, bytes] | None:
    """The name and the bytes of the active revision; None where nothing ever ran on this database."""
    sql = (
        "SELECT r.hash, r.bundle FROM revisions r JOIN settings s ON s.value = r.hash WHERE s.name = 'active_revision'"
    )
    found = rows(connection, sql)
    return (str(found[0]["hash"]), bytes(found[0]["bundle"])) if found else None


def active_bundle(connection: Connection) -> bytes | None:
    """The bytes of the active revision; None where nothing ever ran on this database."""
    found = active(connection)
    return None if found is None else found[1]


def refused(connection: Connection) -> str | None:
    """The revision that a person went back from, where nobody has applied it again."""
    return scalar(connection, "SELECT value FROM settings WHERE name = 'rolled_back_revision'") or None


def bundle_of(connection: Connection, name: str) -> list[bytes]:
    """The bytes of the revisions whose name begins so; at most two, for two are one too many."""
    sql = "SELECT bundle FROM revisions WHERE substr(hash, 1, :length) = :name ORDER BY hash LIMIT 2"
    return [bytes(row["bundle"]) for row in rows(connection, sql, {"name": name, "length": len(name)})]


def list_revisions(connection: Connection) -> list[dict[str, Any]]:
    """Every stored revision, the latest first: when it was first seen, whether it is in force, when it last became so
    and by whom."""
    sql = """
        SELECT r.hash AS revision, r.created_at AS first_seen,
               CASE WHEN s.value = r.hash THEN 'active' WHEN b.value = r.hash THEN 'rolled back' ELSE '' END AS state,
               a.at AS adopted_at, a.who AS adopted_by, a.action AS by_way_of, a.reason AS reason
        FROM revisions r
        LEFT JOIN settings s ON s.name = 'active_revision'
        LEFT JOIN settings b ON b.name = 'rolled_back_revision'
        LEFT JOIN audit a ON a.subject = r.hash AND a.action LIKE 'config.%' AND NOT EXISTS (
            SELECT 1 FROM audit later WHERE later.subject = r.hash AND later.action LIKE 'config.%'
                AND (later.at > a.at OR (later.at = a.at AND later.id > a.id)))
        ORDER BY r.created_at DESC, r.hash
        LIMIT 500
    """
    return rows(connection, sql, instants=("first_seen", "adopted_at"))
