"""Where the database is, without loading more than hub.yaml: readers start fast."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hub.config.secrets import Secrets
from hub.config.source import SourceError, load


def database_address(folder: Path, environ: Mapping[str, str]) -> str:
    """What hub.yaml says of the database, alone: `hub.db` in the home for `sqlite`, else a URL."""
    try:
        plain = load(folder / "hub.yaml").plain()
    except (OSError, SourceError):
        return SQLITE_FILE
    given = plain.get("database", "sqlite") if isinstance(plain, dict) else "sqlite"
    address = Secrets(environ).resolve(str(given))
    return SQLITE_FILE if address == "sqlite" else address


SQLITE_FILE = "hub.db"
"""The database's name in the home where hub.yaml says `sqlite`."""


def is_postgres(address: str) -> bool:
    """Whether several processes may share it."""
    return address.startswith("postgres")
