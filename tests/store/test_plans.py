"""How SQLite finds what is asked all the time: by an index that fits, never by going through a table that grows.

Plans do not depend on what is in the database, for statistics are never gathered; so an empty one tells them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from hub.domain.ids import IdSource
from hub.store.open import open_store
from hub.store.reading import open_reading
from hub.store.sql_store import SqlStore
from hub.store.transaction import SqliteTransaction, SqlRow
from hub.views.promises import PROMISES
from tests.bench.growth import LISTS
from tests.conftest import SettableClock

GROWING = (
    "orders",
    "order_lines",
    "receipts",
    "messages",
    "deliveries",
    "fulfilment_orders",
    "events",
    "tasks",
    "bodies",
)
IN_ORDER = ("orders", "orders by status", "orders of a channel", "receipts", "receipts of a connection", "messages")
"""Lists whose rows have no bound: they come in the order of an index. What is open or not understood is sorted."""
CLAIMS: dict[str, Callable[[SqlStore], object]] = {
    "ix_receipts_state": lambda store: store.claim_receipts(10),
    "ix_messages_open": lambda store: store.claim_messages(10),
    "ix_tasks_due": lambda store: store.claim_tasks(10),
    "ix_deliveries_due": lambda store: store.claim_deliveries("erp", 10),
}


@pytest.fixture
def home(tmp_path: Path, clock: SettableClock, ids: IdSource) -> Path:
    open_store("hub.db", home=tmp_path, clock=clock, ids=ids).close()
    return tmp_path


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_found_by_an_index(home: Path, name: str) -> None:
    asked: list[tuple[str, Any]] = []
    with open_reading("hub.db", home=home) as connection:

        def note(_c: Any, _cursor: Any, sql: str, values: Any, _context: Any, _many: bool) -> None:
            asked.append((sql, values))

        event.listen(connection, "before_cursor_execute", note)
        LISTS[name](connection)
        event.remove(connection, "before_cursor_execute", note)
        plans = [
            row[3] for sql, values in asked for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
        ]
    assert plans
    through = [plan for plan in plans if re.match(rf"SCAN ({'|'.join(GROWING)}|[ormdf])\b", plan)]
    if name.startswith("counted:"):
        assert all("COVERING INDEX" in plan for plan in through), through
    else:
        assert [plan for plan in through if "USING" not in plan] == []
    if name in IN_ORDER:
        assert not [plan for plan in plans if "TEMP B-TREE FOR ORDER BY" in plan], plans


@pytest.mark.parametrize("index", CLAIMS)
def test_a_claim_goes_by_what_is_due(
    home: Path, clock: SettableClock, ids: IdSource, monkeypatch: pytest.MonkeyPatch, index: str
) -> None:
    plans: list[str] = []
    fetch = SqliteTransaction.fetch

    def explained(self: SqliteTransaction, sql: str, params: Any = ()) -> list[SqlRow]:
        plans.extend(row[3] for row in fetch(self, f"EXPLAIN QUERY PLAN {sql}", params))
        return fetch(self, sql, params)

    monkeypatch.setattr(SqliteTransaction, "fetch", explained)
    # Connections with open messages are looked up first; there are none here.
    monkeypatch.setattr("hub.store.claims._OPEN_CONNECTIONS", "SELECT 'shop'")
    store = open_store("hub.db", home=home, clock=clock, ids=ids)
    try:
        plans.clear()
        CLAIMS[index](store)
    finally:
        store.close()
    assert any(index in plan for plan in plans), plans


def test_a_promise_goes_through_no_growing_table_for_every_row(home: Path) -> None:
    """One that did never ended among 100,000 orders."""
    slow = {}
    with open_reading("hub.db", home=home) as connection:
        for promise in PROMISES:
            plan = connection.execute(text(f"EXPLAIN QUERY PLAN {promise.sql}")).all()
            if again := _gone_through_again(plan):
                slow[promise.name] = again
    # Asked only of deliveries acknowledged without any attempt, and of settlements without a refund.
    assert slow.keys() <= {"acknowledged_by_attempt", "settlements_paid"}, slow


def _gone_through_again(plan: Sequence[Any]) -> list[str]:
    """Whole tables that grow, inside what is asked for every row."""
    nodes = {node: (parent, said) for node, parent, _, said in plan}
    found = []
    for node, (parent, said) in nodes.items():
        above = [parent]
        while above[-1] in nodes:
            above.append(nodes[above[-1]][0])
        for_every_row = any(nodes[one][1].startswith("CORRELATED") for one in above if one in nodes)
        if for_every_row and re.match(r"SCAN (\w)\b(?! VIRTUAL)", said):
            found.append(f"{node}: {said}")
    return found


@pytest.mark.postgresql
def test_the_lists_and_the_promises_are_understood_by_postgresql(
    postgresql_url: str, tmp_path: Path, clock: SettableClock, ids: IdSource
) -> None:
    open_store(postgresql_url, home=tmp_path, clock=clock, ids=ids).close()
    with open_reading(postgresql_url, home=tmp_path) as connection:
        for look in LISTS.values():
            look(connection)
        for promise in PROMISES:
            assert connection.execute(text(promise.sql)).all() == [], promise.name
