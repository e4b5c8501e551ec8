"""Whatever write sets come in whatever batches: they act as if one after the other, and every sum stays right."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.domain.ids import IdSource
from hub.domain.writeset import Applied, Insert, StockChange, Update, WriteSet
from hub.store.open import SimulatedDatabase
from hub.store.sql_store import SqlStore
from hub.store.writer import Hooks
from tests.conftest import SettableClock
from tests.store.build import event, line, must_apply, order

ORDERS = ("or-1", "or-2", "or-3")
SKUS = ("A", "B")


@dataclass
class Model:
    """The same state, as plain Python would keep it."""

    versions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ORDERS, 1))
    lines: dict[str, tuple[int, int]] = field(default_factory=lambda: dict.fromkeys(ORDERS, (10, 0)))
    stock: dict[str, tuple[int, int]] = field(default_factory=lambda: dict.fromkeys(SKUS, (6, 0)))
    events: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Want:
    """One decision: bump an order seen at a version, allocate its line, reserve stock, say so once."""

    order: str
    seen: int
    quantity: int
    sku: str
    release: bool
    event: str
    claim: bool

    def writes(self) -> WriteSet:
        moved = Decimal(-self.quantity if self.release else self.quantity)
        return WriteSet(
            [
                Update("orders", {"id": self.order, "version": self.seen}, {"version": self.seen + 1}),
                Update("order_lines", {"id": f"{self.order}/1"}, {}, {"open": -moved, "allocated": moved}),
                StockChange(self.sku, "east", soft=moved, reserve=not self.release),
                Insert("events", event(self.event), claim=self.claim, ignore=not self.claim),
            ]
        )

    def on(self, model: Model) -> bool:
        """Act on the model; False where a precondition fails."""
        moved = -self.quantity if self.release else self.quantity
        open_, allocated = model.lines[self.order]
        on_hand, soft = model.stock[self.sku]
        short = soft + moved < 0 if self.release else on_hand - soft < moved
        refused = (
            model.versions[self.order] != self.seen
            or min(open_ - moved, allocated + moved) < 0
            or short
            or (self.claim and self.event in model.events)
        )
        if refused:
            return False
        model.versions[self.order] += 1
        model.lines[self.order] = (open_ - moved, allocated + moved)
        model.stock[self.sku] = (on_hand, soft + moved)
        model.events.add(self.event)
        return True


wants = st.builds(
    Want,
    order=st.sampled_from(ORDERS),
    seen=st.integers(1, 4),
    quantity=st.integers(1, 4),
    sku=st.sampled_from(SKUS),
    release=st.booleans(),
    event=st.sampled_from(["ev-1", "ev-2", "ev-3", "ev-4"]),
    claim=st.booleans(),
)


def prepared(store: SqlStore) -> None:
    writes = WriteSet()
    for name in ORDERS:
        writes.insert("orders", order(name))
        writes.insert("order_lines", line(name, 1, ordered=Decimal(10), open=Decimal(10)))
    for sku in SKUS:
        writes.stock(StockChange(sku, "east", on_hand=Decimal(6)))
    must_apply(store, writes)


def looked_at(store: SqlStore) -> Model:
    with store.read() as snapshot:
        return Model(
            versions={row["id"]: row["version"] for row in snapshot.rows("orders", {})},
            lines={row["order_id"]: (row["open"], row["allocated"]) for row in snapshot.rows("order_lines", {})},
            stock={row["sku"]: (row["on_hand"], row["soft"]) for row in snapshot.rows("stock", {})},
            events={row["id"] for row in snapshot.rows("events", {})},
        )


def replayed(model: Model, wanted: list[Want]) -> Model | None:
    """The model after all of them, None where one of them fails."""
    return model if all(want.on(model) for want in wanted) else None


def check(store: SqlStore, batches: list[list[Want]]) -> None:
    """What was applied can be replayed one after the other: in the order given or, where the sets share nothing but
    stock, with those that take stock before those that give it back."""
    for batch in batches:
        before = looked_at(store)
        outcomes = store.apply([want.writes() for want in batch])
        applied = [want for want, outcome in zip(batch, outcomes, strict=True) if outcome.applied is Applied.APPLIED]
        after = looked_at(store)
        takers_first = sorted(applied, key=lambda want: want.release)
        assert after in (replayed(copy.deepcopy(before), applied), replayed(before, takers_first))
        assert all(bool(outcome.failed) is (outcome.applied is Applied.CONFLICT) for outcome in outcomes)
        for open_, allocated in after.lines.values():
            assert open_ + allocated == 10
        for on_hand, soft in after.stock.values():
            assert 0 <= soft <= on_hand


def clean(store: SqlStore, batch: list[Want]) -> None:
    """A batch in which nothing fails is applied whole."""
    model = looked_at(store)
    if replayed(model, batch) is not None:
        must_apply(store, *[want.writes() for want in batch])


@given(st.lists(st.lists(wants, min_size=1, max_size=6), max_size=4), st.lists(wants, max_size=3))
@settings(max_examples=150, deadline=None)
def test_batches_act_as_their_write_sets_one_after_the_other(batches: list[list[Want]], last: list[Want]) -> None:
    database = SimulatedDatabase(clock=SettableClock(), ids=IdSource(random.Random(1)), hooks=Hooks())
    store = database.open()
    prepared(store)
    check(store, batches)
    clean(store, last)
    database.close()


@given(data=st.data())
@settings(max_examples=1, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_real_databases_act_alike(store: SqlStore, data: st.DataObject) -> None:
    prepared(store)
    check(store, data.draw(st.lists(st.lists(wants, min_size=1, max_size=6), min_size=12, max_size=20)))
