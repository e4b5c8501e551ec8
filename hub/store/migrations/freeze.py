"""Write the frozen DDL of the newest revision from the tables: `python -m hub.store.migrations.freeze`.

Only while that revision is unreleased; afterwards a change is a revision of its own.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from hub.store.migrations import FOLDER, HEAD
from hub.store.tables import metadata


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
    return {f"{HEAD}_{name}.sql": ddl(dialect) for name, dialect in dialects.items()}


if __name__ == "__main__":
    for name, text in frozen().items():
        (FOLDER / "versions" / name).write_text(text, "utf-8")
