"""API keys as people see them: never the key, never its hash."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection

from hub.views.query import rows


def list_keys(connection: Connection) -> list[dict[str, Any]]:
    """Oldest first, revoked and expired ones included."""
    found = rows(
        connection,
        """SELECT id, name, prefix, scopes, created_at, created_by, expires_at, used_at, revoked_at, revoked_by
             FROM api_keys ORDER BY id LIMIT 1000""",
        instants=("created_at", "expires_at", "used_at", "revoked_at"),
    )
    for row in found:
        row["scopes"] = json.loads(row["scopes"])
    return found
