"""Retention: bytes go when their time is over and nothing needs them; rows, hashes and keys stay."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from hub.domain.writeset import WriteSet
from hub.exchange.ports import NewReceipt
from hub.store.sql_store import SqlStore

pytestmark = pytest.mark.filterwarnings("error")


def receipt(body: bytes, at: dt.datetime) -> NewReceipt:
    return NewReceipt("shop", "orders", None, None, {"x": "y"}, body, "application/json", "file", at)


def parsed(store: SqlStore, receipt_id: str) -> None:
    writes = WriteSet()
    writes.update("receipts", {"id": receipt_id}, {"state": "parsed"})
    store.apply([writes])


def test_bytes_of_a_closed_receipt_are_erased_and_its_hash_stays(store: SqlStore) -> None:
    now = dt.datetime.now(dt.UTC)
    (small,) = store.accept([receipt(b'{"id": 1}', now)])
    (large,) = store.accept([receipt(b'"' + b"x" * 2_000_000 + b'"', now)])
    for one in (small, large):
        parsed(store, one.id)
    assert store.erase_bodies("receipt", now + dt.timedelta(days=1), 10) == 2
    with store.read() as snapshot:
        for one in (small, large):
            row = snapshot.row("receipts", {"id": one.id})
            assert row is not None
            assert len(row["body_hash"]) == 64
            assert snapshot.body(row["body_id"]) is None
    assert store.erase_bodies("receipt", now + dt.timedelta(days=1), 10) == 0


def test_bytes_that_are_young_or_still_needed_stay(store: SqlStore) -> None:
    now = dt.datetime.now(dt.UTC)
    (pending,) = store.accept([receipt(b'{"id": 1}', now)])
    assert store.erase_bodies("receipt", now + dt.timedelta(days=1), 10) == 0
    parsed(store, pending.id)
    assert store.erase_bodies("receipt", now - dt.timedelta(days=1), 10) == 0
    with store.read() as snapshot:
        row = snapshot.row("receipts", {"id": pending.id})
        assert row is not None
        assert snapshot.body(row["body_id"]) == b'{"id": 1}'


def test_the_file_of_an_erased_large_body_is_gone(store: SqlStore, tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    (large,) = store.accept([receipt(b'"' + b"x" * 2_000_000 + b'"', now)])
    parsed(store, large.id)
    store.erase_bodies("receipt", now + dt.timedelta(days=1), 10)
    assert list(tmp_path.rglob("*.body")) == []
