"""Write sets: applied together or not at all, and one that fails fails alone."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from hub.domain.writeset import Applied, Delete, Insert, StockChange, Update, WriteSet
from hub.store.sql_store import SqlStore
from tests.conftest import START, SettableClock
from tests.store.build import (
    apply_one,
    body,
    change,
    delivery,
    event,
    inserts,
    line,
    message,
    must_apply,
    order,
    stock,
    task,
)


def kinds(store: SqlStore, write_sets: list[WriteSet]) -> list[str]:
    return [outcome.applied.value for outcome in store.apply(write_sets)]


def captured(order_id: str) -> WriteSet:
    """A captured order as the OMS writes it."""
    writes = WriteSet()
    writes.insert("orders", order(order_id), claim=True)
    for number in (1, 2, 3):
        writes.insert("order_lines", line(order_id, number))
    writes.insert("events", event(f"ev-{order_id}"), ignore=True)
    for number in range(4):
        name = f"{order_id}-{number}"
        writes.insert("bodies", body(f"bd-{name}", b"x" * 200))
        writes.insert("deliveries", delivery(name, body_id=f"bd-{name}"))
    return writes


def test_fifty_orders_are_captured_in_one_batch(store: SqlStore) -> None:
    must_apply(store, *[captured(f"or-{number}") for number in range(50)])
    with store.read() as snapshot:
        assert len(snapshot.rows("orders", {})) == 50
        assert len(snapshot.rows("order_lines", {})) == 150
        assert snapshot.body("bd-or-7-2") == b"x" * 200
        read = snapshot.row("orders", {"id": "or-7"})
    assert read is not None
    assert read["total"] == Decimal("12.34")
    assert read["placed_at"] is None
    assert read["created_at"] == START
    assert read["document"] == {"links": []}


def test_capturing_an_order_twice_conflicts_and_writes_nothing(store: SqlStore) -> None:
    must_apply(store, captured("or-1"))
    again = captured("or-1")
    again.insert("events", event("ev-second"))
    outcome = apply_one(store, again)
    assert outcome.applied is Applied.CONFLICT
    assert "orders" in outcome.failed
    with store.read() as snapshot:
        assert snapshot.rows("events", {"id": "ev-second"}) == []


def test_the_same_claim_twice_in_one_batch_is_given_once(store: SqlStore) -> None:
    assert kinds(store, [captured("or-1"), captured("or-1"), captured("or-2")]) == ["applied", "conflict", "applied"]


def test_an_update_whose_version_moved_on_conflicts_alone(store: SqlStore) -> None:
    must_apply(store, captured("or-1"), captured("or-2"))
    stale = change("orders", {"id": "or-1", "version": 7}, {"status": "held", "version": 8})
    stale.insert("events", event("ev-stale"))
    good = change("orders", {"id": "or-2", "version": 1}, {"status": "held", "version": 2})
    good.insert("events", event("ev-good"))
    assert kinds(store, [stale, good]) == ["conflict", "applied"]
    with store.read() as snapshot:
        assert [row["id"] for row in snapshot.rows("events", {"id": ("ev-stale", "ev-good")})] == ["ev-good"]
        assert [row["status"] for row in snapshot.rows("orders", {}, order_by=["id"])] == ["received", "held"]


def test_two_updates_of_one_order_in_a_batch_do_not_lose_one(store: SqlStore) -> None:
    must_apply(store, captured("or-1"))
    first = change("orders", {"id": "or-1", "version": 1}, {"status": "held", "version": 2})
    second = change("orders", {"id": "or-1", "version": 1}, {"status": "cancelled", "version": 2})
    assert kinds(store, [first, second]) == ["applied", "conflict"]


def test_sets_of_a_batch_that_share_rows_are_applied_in_their_order(store: SqlStore) -> None:
    must_apply(store, captured("or-1"), captured("or-2"), captured("or-3"))
    batch = [
        change("orders", {"id": "or-1"}, {"status": "first"}),
        change("orders", {"id": "or-2"}, {"status": "first"}),
        change("orders", {"status": "first"}, {"status": "all"}, expect=2),
        change("orders", {"id": "or-1"}, {"status": "second"}),
        change("orders", {"id": "or-3"}, {"status": "only"}),
        change("orders", {"id": "or-1", "status": "first"}, {"status": "too late"}),
    ]
    assert kinds(store, batch) == ["applied"] * 5 + ["conflict"]
    with store.read() as snapshot:
        statuses = [row["status"] for row in snapshot.rows("orders", {}, order_by=("id",))]
    assert statuses == ["second", "all", "only"]


def test_a_line_whose_buckets_do_not_sum_is_refused_with_its_whole_write_set(store: SqlStore) -> None:
    bad = inserts("order_lines", line("or-1", 1, open=Decimal(1)))
    bad.insert("events", event("ev-bad"))
    assert kinds(store, [bad, captured("or-2")]) == ["conflict", "applied"]
    with store.read() as snapshot:
        assert snapshot.rows("events", {"id": "ev-bad"}) == []
        assert len(snapshot.rows("order_lines", {})) == 3


def test_moving_quantity_between_buckets_adds_to_columns(store: SqlStore) -> None:
    must_apply(store, captured("or-1"))
    moves = WriteSet(
        [Update("order_lines", {"id": "or-1/1"}, {}, {"open": Decimal("-1.5"), "allocated": Decimal("1.5")})]
    )
    must_apply(store, moves)
    with store.read() as snapshot:
        row = snapshot.row("order_lines", {"id": "or-1/1"})
    assert row is not None
    assert (row["open"], row["allocated"]) == (Decimal("0.5"), Decimal("1.5"))


def test_an_update_may_name_one_of_several_states_and_expect_any_number(store: SqlStore) -> None:
    must_apply(
        store, inserts("messages", message("m1"), message("m2", state="waiting"), message("m3", state="applied"))
    )
    must_apply(store, change("messages", {"state": ("stored", "waiting")}, {"state": "ignored"}, expect=None))
    must_apply(store, change("messages", {"state": "nothing like it"}, {"state": "ignored"}, expect=None))
    with store.read() as snapshot:
        assert [row["state"] for row in snapshot.rows("messages", {}, order_by=["id"])] == [
            "ignored",
            "ignored",
            "applied",
        ]


def test_an_update_without_values_is_a_bare_precondition(store: SqlStore) -> None:
    must_apply(store, inserts("tasks", task("t1")))
    must_apply(store, change("tasks", {"id": "t1", "error": None}, {}))
    assert apply_one(store, change("tasks", {"id": "t1", "state": "done"}, {})).applied is Applied.CONFLICT


def test_a_delete_that_must_find_its_row_conflicts_without_it(store: SqlStore) -> None:
    must_apply(store, inserts("tasks", task("t1")))
    assert apply_one(store, WriteSet([Delete("tasks", {"id": "t2"}, expect=1)])).applied is Applied.CONFLICT
    must_apply(store, WriteSet([Delete("tasks", {"id": "t1"}, expect=1)]))
    with store.read() as snapshot:
        assert snapshot.rows("tasks", {}) == []


def test_an_ignoring_insert_leaves_the_standing_row(store: SqlStore) -> None:
    must_apply(store, inserts("events", event("ev-1", subject="first")))
    must_apply(store, WriteSet([Insert("events", event("ev-1", subject="second"), ignore=True)]))
    with store.read() as snapshot:
        row = snapshot.row("events", {"id": "ev-1"})
    assert row is not None
    assert row["subject"] == "first"


def test_a_plain_insert_of_a_standing_row_fails_its_write_set_only(store: SqlStore) -> None:
    must_apply(store, inserts("events", event("ev-1")))
    assert kinds(store, [inserts("events", event("ev-1")), inserts("events", event("ev-2"))]) == ["conflict", "applied"]


def test_stock_is_reserved_only_while_it_lasts(store: SqlStore) -> None:
    must_apply(store, stock(on_hand=Decimal(5)))
    reserve = [stock(soft=Decimal(2), reserve=True) for _ in range(3)]
    assert kinds(store, reserve) == ["applied", "applied", "conflict"]
    with store.read() as snapshot:
        row = snapshot.row("stock", {"sku": "SKU-1", "location": "east"})
    assert row is not None
    assert (row["on_hand"], row["soft"], row["firm"]) == (Decimal(5), Decimal(4), Decimal(0))


def test_safety_stock_is_not_reserved(store: SqlStore) -> None:
    must_apply(store, stock(on_hand=Decimal(5)))
    keeps = [stock(soft=Decimal(1), safety=Decimal(4), reserve=True) for _ in range(2)]
    assert kinds(store, keeps) == ["applied", "conflict"]


def test_a_reserve_of_unknown_stock_is_refused(store: SqlStore) -> None:
    assert kinds(store, [stock(sku="UNKNOWN", soft=Decimal(1), reserve=True)]) == ["conflict"]


def test_an_order_of_two_skus_reserves_both_or_none(store: SqlStore) -> None:
    must_apply(store, stock("A", on_hand=Decimal(1)), stock("B", on_hand=Decimal(0)))
    both = stock("A", soft=Decimal(1), reserve=True)
    both.stock(StockChange("B", "east", soft=Decimal(1), reserve=True))
    assert kinds(store, [both]) == ["conflict"]
    with store.read() as snapshot:
        assert [row["soft"] for row in snapshot.rows("stock", {})] == [Decimal(0), Decimal(0)]


def test_reservations_never_become_negative(store: SqlStore) -> None:
    must_apply(store, stock(on_hand=Decimal(5)), stock(soft=Decimal(1), reserve=True))
    assert kinds(store, [stock(soft=Decimal(-2))]) == ["conflict"]
    assert kinds(store, [stock("UNKNOWN", firm=Decimal(-1))]) == ["conflict"]
    must_apply(store, stock(soft=Decimal(-1), firm=Decimal(1)))
    must_apply(store, stock(firm=Decimal(-1), on_hand=Decimal(-1)))


def test_goods_beside_those_on_hand_are_counted_and_never_below_zero(store: SqlStore) -> None:
    must_apply(store, stock(on_hand=Decimal(5), quarantine=Decimal(2), in_transit=Decimal(1)))
    must_apply(store, stock(quarantine=Decimal(-1), damaged=Decimal(1)))
    must_apply(store, stock(on_hand=Decimal(1), in_transit=Decimal(-1)))
    assert kinds(store, [stock(quarantine=Decimal(-2)), stock("UNKNOWN", damaged=Decimal(-1))]) == ["conflict"] * 2
    assert kinds(store, [stock(soft=Decimal(7), reserve=True)]) == ["conflict"], "nobody is promised what is beside"
    with store.read() as snapshot:
        row = snapshot.row("stock", {"sku": "SKU-1", "location": "east"})
    assert row is not None
    counters = [row[name] for name in ("on_hand", "quarantine", "damaged", "in_transit")]
    assert counters == [Decimal(6), Decimal(1), Decimal(1), Decimal(0)]


def test_a_reserve_changes_no_goods_beside_those_on_hand(store: SqlStore) -> None:
    with pytest.raises(ValueError, match="a reserve"):
        kinds(store, [stock(soft=Decimal(1), quarantine=Decimal(1), reserve=True)])


def test_stock_shipped_beyond_the_books_is_recorded_as_negative_on_hand(store: SqlStore) -> None:
    must_apply(store, stock(on_hand=Decimal(-1)))
    with store.read() as snapshot:
        row = snapshot.row("stock", {"sku": "SKU-1", "location": "east"})
    assert row is not None
    assert row["on_hand"] == Decimal(-1)


@pytest.mark.parametrize(
    ("writes", "error"),
    [
        (inserts("no_such_table", {"id": "1"}), KeyError),
        (inserts("events", event("ev-1", colour="red")), KeyError),
        (change("events", {"id": "1"}, {"colour": "red"}), KeyError),
        (inserts("orders", order("or-1", total=12.34)), TypeError),
        (inserts("orders", order("or-1", total=Decimal("0.0000001"))), ValueError),
        (inserts("orders", order("or-1", total=Decimal("NaN"))), ValueError),
        (inserts("orders", order("or-1", total=Decimal(10) ** 13)), OverflowError),
        (inserts("orders", order("or-1", created_at=dt.datetime(2026, 1, 1))), ValueError),  # noqa: DTZ001
        (inserts("orders", order("or-1", external_id=4711)), TypeError),
        (inserts("orders", order("or-1", version="1")), TypeError),
        (inserts("messages", message("m1", held=1)), TypeError),
        (inserts("bodies", body("b1", body="text")), TypeError),
    ],
)
def test_what_no_row_can_hold_is_refused_before_anything_is_written(
    store: SqlStore, writes: WriteSet, error: type[Exception]
) -> None:
    with pytest.raises(error):
        store.apply([captured("or-2"), writes])
    with store.read() as snapshot:
        assert snapshot.rows("orders", {}) == []


@pytest.mark.parametrize(
    "amount", ["0.000001", "-0.000001", "9223372036854.775807", "-9223372036854.775807", "1234567890123.4567", "0"]
)
def test_amounts_come_back_exactly(store: SqlStore, amount: str) -> None:
    must_apply(store, inserts("orders", order("or-1", total=Decimal(amount))))
    with store.read() as snapshot:
        row = snapshot.row("orders", {"id": "or-1"})
    assert row is not None
    assert row["total"] == Decimal(amount)


def test_times_come_back_to_the_microsecond_in_utc(store: SqlStore) -> None:
    elsewhere = dt.datetime(2026, 3, 29, 2, 59, 59, 999999, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=45)))
    must_apply(store, inserts("orders", order("or-1", placed_at=elsewhere)))
    with store.read() as snapshot:
        row = snapshot.row("orders", {"id": "or-1"})
    assert row is not None
    assert row["placed_at"] == elsewhere
    assert row["placed_at"].tzinfo is dt.UTC


def test_json_keeps_what_no_text_column_takes(store: SqlStore) -> None:
    document = {"lone": "\ud800", "nul": "a\x00b", "exact": Decimal("1.10"), "at": START}
    must_apply(store, inserts("orders", order("or-1", document=document)))
    with store.read() as snapshot:
        row = snapshot.row("orders", {"id": "or-1"})
    assert row is not None
    assert row["document"] == {"lone": "\ud800", "nul": "a\x00b", "exact": "1.10", "at": START.isoformat()}


def test_text_no_database_takes_fails_its_write_set_only(store: SqlStore) -> None:
    bad = inserts("orders", order("or-1", number="\ud800"))
    assert kinds(store, [bad, captured("or-2"), captured("or-3")]) == ["conflict", "applied", "applied"]


def test_a_body_of_two_mebibytes_is_kept_and_read_back(store: SqlStore) -> None:
    content = bytes(range(256)) * 8192
    must_apply(store, inserts("bodies", body("bd-large", content)))
    with store.read() as snapshot:
        assert snapshot.body("bd-large") == content
        assert snapshot.body("bd-none") is None


def test_a_snapshot_does_not_see_what_is_written_after_its_first_look(store: SqlStore) -> None:
    must_apply(store, inserts("tasks", task("t1")))
    with store.read() as snapshot:
        before = snapshot.rows("tasks", {})
        must_apply(store, inserts("tasks", task("t2")))
        assert snapshot.rows("tasks", {}) == before
    with store.read() as snapshot:
        assert len(snapshot.rows("tasks", {})) == 2


def test_row_refuses_to_choose_between_two(store: SqlStore) -> None:
    must_apply(store, inserts("tasks", task("t1"), task("t2")))
    with store.read() as snapshot, pytest.raises(LookupError, match="more than one row of tasks by kind"):
        snapshot.row("tasks", {"kind": "allocate"})


def test_rows_come_in_the_order_asked_for_and_no_more_than_asked(store: SqlStore) -> None:
    must_apply(store, inserts("tasks", *[task(f"t{number}") for number in range(5)]))
    with store.read() as snapshot:
        assert [row["id"] for row in snapshot.rows("tasks", {}, order_by=["-id"], limit=2)] == ["t4", "t3"]
        assert snapshot.rows("tasks", {"id": ()}) == []


def test_applying_nothing_is_nothing(store: SqlStore, clock: SettableClock) -> None:
    assert store.apply([]) == []
    assert kinds(store, [WriteSet(), WriteSet()]) == ["applied", "applied"]
