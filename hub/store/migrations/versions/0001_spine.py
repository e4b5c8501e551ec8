"""Everything of the first release, as frozen DDL: one file a database, so that no later change of code changes it."""

from __future__ import annotations

from alembic import op

from hub.store.migrations import statements

revision = "0001"
down_revision = None


def upgrade() -> None:
    connection = op.get_bind()
    for statement in statements(revision, connection.dialect.name):
        connection.exec_driver_sql(statement)
