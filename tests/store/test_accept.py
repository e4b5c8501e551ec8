"""The intake keeps what came, once, and says so only when it is durable."""

from __future__ import annotations

import datetime as dt

import pytest

from hub.exchange.ports import NewReceipt
from hub.store.sql_store import SqlStore
from tests.conftest import START
from tests.store.build import must_apply, receipt, task


def count(store: SqlStore, table: str) -> int:
    with store.read() as snapshot:
        return len(snapshot.rows(table, {}))


def test_the_same_delivery_twice_is_one_receipt(store: SqlStore) -> None:
    first = store.accept_soon(receipt()).result(10)
    second = store.accept_soon(receipt()).result(10)
    assert (first.duplicate, second.duplicate) == (False, True)
    assert second.id == first.id
    assert (count(store, "receipts"), count(store, "bodies")) == (1, 1)


def test_the_same_delivery_id_with_other_bytes_is_another_receipt(store: SqlStore) -> None:
    ids = {store.accept_soon(receipt(body=body)).result(10).id for body in (b"A", b"B", b"A")}
    assert len(ids) == 2


def test_the_same_bytes_without_a_delivery_id_are_new_every_time(store: SqlStore) -> None:
    accepted = store.accept([receipt(None), receipt(None)])
    assert [one.duplicate for one in accepted] == [False, False]


def test_duplicates_within_one_page_are_found(store: SqlStore) -> None:
    accepted = store.accept([receipt("a"), receipt("b"), receipt("a"), receipt(None)])
    assert [one.duplicate for one in accepted] == [False, False, True, False]
    assert accepted[2].id == accepted[0].id
    assert (count(store, "receipts"), count(store, "bodies")) == (3, 3)


def test_a_page_and_its_cursor_are_stored_together(store: SqlStore) -> None:
    store.accept([receipt("a")], cursor=("shop|orders", "page-2"))
    store.accept([], cursor=("shop|orders", "page-3"))
    with store.read() as snapshot:
        cursor = snapshot.row("cursors", {"id": "shop|orders"})
    assert cursor is not None
    assert (cursor["value"], cursor["updated_at"]) == ("page-3", START)


def test_many_at_once_are_each_answered_with_their_own_receipt(store: SqlStore) -> None:
    waiting = [store.accept_soon(receipt(f"d{number % 150}", b"%d" % (number % 150))) for number in range(300)]
    accepted = [future.result(30) for future in waiting]
    assert len({one.id for one in accepted}) == 150
    assert sum(one.duplicate for one in accepted) == 150
    with store.read() as snapshot:
        ids = {row["delivery_id"]: row["id"] for row in snapshot.rows("receipts", {})}
    assert [one.id for one in accepted] == [ids[f"d{number % 150}"] for number in range(300)]


def test_a_receipt_of_three_mebibytes_comes_back_whole(store: SqlStore) -> None:
    content = b"0123456789abcdef" * (3 * 65536)
    store.accept([receipt(body=content)])
    assert store.claim_receipts(1)[0].body == content


def test_a_receipt_whose_time_has_no_zone_is_refused(store: SqlStore) -> None:
    with pytest.raises(ValueError, match="without zone"):
        store.accept([receipt(received_at=dt.datetime(2026, 1, 1))])  # noqa: DTZ001
    assert count(store, "receipts") == 0


def test_a_thread_that_waits_is_woken_by_what_was_committed_since_it_looked(store: SqlStore) -> None:
    store.wait(0)
    assert store.wait(0) is False
    store.accept([receipt()])
    assert store.wait(10) is True
    store.wake()
    assert store.wait(0) is True


def test_claiming_wakes_nobody(store: SqlStore) -> None:
    from hub.domain.writeset import WriteSet

    writes = WriteSet()
    writes.insert("tasks", task("t1"))
    must_apply(store, writes)
    while store.wait(0.2):
        pass
    assert len(store.claim_tasks(1)) == 1
    assert store.wait(0.05) is False


def test_headers_come_back_as_they_were_whatever_is_in_them(store: SqlStore) -> None:
    headers = {"plain": "a", "accent": "M\u00fcller", "nul": "a\x00b", "surrogate": "\ud800", "quote": '"\\'}
    now = dt.datetime.now(dt.UTC)
    for name, value in headers.items():
        new = NewReceipt("shop", "orders", None, name, {name: value}, b"{}", "application/json", "file", now)
        assert not store.accept_soon(new).result(10).duplicate
    claimed = store.claim_receipts(10)
    assert {name: value for one in claimed for name, value in one.headers.items()} == headers
