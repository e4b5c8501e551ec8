"""What a batch will ask is read at once, and asking finds the same rows as without."""

from __future__ import annotations

import pytest

from hub.store.snapshot import SqlSnapshot
from hub.store.sql_store import SqlStore
from tests.store.build import body, inserts, line, must_apply, order


@pytest.fixture
def orders(store: SqlStore) -> list[str]:
    for number in range(3):
        order_id = f"or-{number}"
        writes = inserts("orders", order(order_id, external_id=str(number)))
        for place in (2, 1):
            writes.insert("order_lines", line(order_id, place))
        writes.insert("bodies", body(f"bd-{number}", b"%d" % number))
        must_apply(store, writes)
    return ["or-0", "or-1", "or-2", "or-unknown"]


def forbid_reading(snapshot: SqlSnapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(sql: str, params: object = ()) -> None:
        raise AssertionError(f"read again: {sql}")

    monkeypatch.setattr(snapshot, "query", refuse)
    monkeypatch.setattr(snapshot, "_transaction", type("Closed", (), {"fetch": staticmethod(refuse)}))


def test_rows_read_ahead_are_the_rows_asked_for(
    store: SqlStore, orders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.read() as snapshot:
        wanted = {one: snapshot.rows("order_lines", {"order_id": one}, order_by=("number", "id")) for one in orders}
    with store.read() as snapshot:
        snapshot.prefetch("order_lines", "order_id", orders, order_by=("number", "id"))
        forbid_reading(snapshot, monkeypatch)
        found = {one: snapshot.rows("order_lines", {"order_id": one}, order_by=("number", "id")) for one in orders}
    assert found == wanted
    assert [row["number"] for row in found["or-1"]] == [1, 2]
    assert found["or-unknown"] == []


def test_the_order_in_which_conditions_are_named_does_not_matter(
    store: SqlStore, orders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.read() as snapshot:
        snapshot.prefetch("orders", "external_id", ["0", "1", "1", "9"], where={"channel": "shop", "scope": ""})
        forbid_reading(snapshot, monkeypatch)
        first = snapshot.row("orders", {"channel": "shop", "scope": "", "external_id": "1"})
        none = snapshot.row("orders", {"scope": "", "external_id": "9", "channel": "shop"})
    assert first is not None
    assert first["id"] == "or-1"
    assert none is None


def test_what_was_not_read_ahead_is_read_when_it_is_asked_for(store: SqlStore, orders: list[str]) -> None:
    with store.read() as snapshot:
        snapshot.prefetch("orders", "id", ["or-0"])
        assert len(snapshot.rows("orders", {"id": "or-1"})) == 1
        assert len(snapshot.rows("orders", {"id": "or-0", "status": "received"})) == 1


def test_bodies_are_read_ahead_too(store: SqlStore, orders: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with store.read() as snapshot:
        snapshot.prefetch_bodies(["bd-0", "bd-2", "bd-none", "bd-0"])
        other = snapshot.body("bd-1")
        forbid_reading(snapshot, monkeypatch)
        assert [snapshot.body(one) for one in ("bd-0", "bd-2", "bd-none")] == [b"0", b"2", None]
    assert other == b"1"


def test_several_values_are_answered_by_what_was_read_ahead_of_each(
    store: SqlStore, orders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"id": ("or-0", "or-2", "or-unknown"), "channel": "shop"}
    with store.read() as snapshot:
        wanted = snapshot.rows("orders", asked)
        wanted_in_order = snapshot.rows("orders", asked, order_by=("-id",))
    with store.read() as snapshot:
        snapshot.prefetch("orders", "id", orders, where={"channel": "shop"})
        snapshot.prefetch("orders", "id", orders, where={"channel": "shop"}, order_by=("-id",))
        # An order over several values is the database's to make.
        assert snapshot.rows("orders", asked, order_by=("-id",)) == wanted_in_order
        assert [row["id"] for row in wanted_in_order] == ["or-2", "or-0"]
        forbid_reading(snapshot, monkeypatch)
        assert (
            {row["id"] for row in snapshot.rows("orders", asked)} == {row["id"] for row in wanted} == {"or-0", "or-2"}
        )
        assert len(snapshot.rows("orders", {**asked, "id": ("or-0", "or-0")})) == 1
        (one,) = snapshot.rows("orders", {**asked, "id": ("or-2",)}, order_by=("-id",))
        assert one["id"] == "or-2"


def test_a_value_that_was_not_read_ahead_has_all_of_them_read(store: SqlStore, orders: list[str]) -> None:
    with store.read() as snapshot:
        snapshot.prefetch("orders", "id", ["or-0"])
        assert {row["id"] for row in snapshot.rows("orders", {"id": ("or-0", "or-1")})} == {"or-0", "or-1"}


def test_what_was_read_ahead_tells_what_to_read_next(store: SqlStore, orders: list[str]) -> None:
    with store.read() as snapshot:
        assert snapshot.ahead_of("order_lines", "order_id") == []
        snapshot.prefetch("order_lines", "order_id", ["or-1", "or-2"])
        assert sorted(snapshot.ahead_of("order_lines", "order_id")) == ["or-1", "or-2"]
