"""Write the frozen DDL of the newest revision, and the layout, from the tables.

    python -m hub.store.migrations.freeze

Only while that revision is unreleased; afterwards a change is a revision of its own.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from hub.store.migrations import FOLDER, HEAD
from hub.store.shapes import LAYOUT, Kind
from hub.store.tables import metadata
from hub.store.types import Exact, Instant, Json


def ddl(dialect: Any) -> str:
    """CREATE statements of every table and index, in a stable order."""
    parts = []
    for table in metadata.sorted_tables:
        parts.append(str(CreateTable(table).compile(dialect=dialect)).strip())
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        parts += [str(CreateIndex(index).compile(dialect=dialect)).strip() for index in indexes]
    text = ";\n\n".join(parts) + ";\n"
    return "\n".join(line.rstrip() for line in text.replace("\t", "    ").split("\n"))


def frozen() -> dict[str, str]:
    """File name to text."""
    dialects = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}  # type: ignore[no-untyped-call]
    files = {f"versions/{HEAD}_{name}.sql": ddl(dialect) for name, dialect in dialects.items()}
    return {**files, LAYOUT.name: json.dumps(layout(), indent=1) + "\n"}


def layout() -> dict[str, dict[str, Any]]:
    """What the write path must know of every table."""
    return {
        table.name: {
            "key": [column.name for column in table.primary_key.columns],
            "columns": {column.name: kind_of(column) for column in table.columns},
        }
        for table in metadata.sorted_tables
    }


def kind_of(column: Column[Any]) -> Kind:
    kinds: list[tuple[type[Any], Kind]] = [
        (Exact, Kind.EXACT),
        (Instant, Kind.INSTANT),
        (Json, Kind.JSON),
        (Boolean, Kind.FLAG),
        (LargeBinary, Kind.BYTES),
        (BigInteger, Kind.LONG),
        (Integer, Kind.WHOLE),
        (Text, Kind.TEXT),
    ]
    return next(kind for type_, kind in kinds if isinstance(column.type, type_))


if __name__ == "__main__":
    for name, text in frozen().items():
        (FOLDER / name).write_text(text, "utf-8")
