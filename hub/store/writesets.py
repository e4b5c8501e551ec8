"""Applying write sets: up to fifty in one transaction, each as if in a savepoint of its own.

Values are converted and SQL is chosen in the thread that asks (`prepare`); the writer only runs statements.

Two ways, with the same outcome:
- Write sets that touch different rows are grouped by statement: one `executemany` a statement, its row count
  compared with what the preconditions expect. This is the hot path. Sets that touch the same row come one layer of
  such groups after the other.
- If a count differs or a row is refused, the group is run again in halves and at last one set after the other, each
  in a savepoint, so that only those that must fail do.

On PostgreSQL a group is one round trip: the figures above are compared when all its statements have been sent.

Locks are taken in one order everywhere: subjects that are waited for, rows of `orders` by id, then rows of `stock` by
key. On SQLite the one writer makes them unnecessary.

Whoever waits is woken by the last statement, which sees what others committed until then: a set that begins to wait
and one that makes what it waits for hold the lock of the subject until they have committed.
"""

# ruff: noqa: S608 - statements are put together from our own tables and columns only; values are always bound

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.domain.writeset import Applied, Await, Delete, Insert, Outcome, StockChange, Update, Wake, WriteSet
from hub.store.bodies import BodyShelf
from hub.store.errors import VALUE_ERRORS, Fault, driver_errors, fault_of
from hub.store.shapes import (
    STOCK_BESIDE,
    STOCK_BESIDE_KNOWN,
    STOCK_CHANGE,
    STOCK_CHANGE_KNOWN,
    STOCK_RESERVE,
    InsertShape,
    Params,
    Sequences,
    delete_statement,
    insert_shape,
    stock_statements,
    table_shape,
    update_statement,
)
from hub.store.transaction import Step, Transaction, among
from hub.store.values import instant_to_database

BATCH = 50


@dataclass(frozen=True, slots=True)
class Statement:
    """A precondition: the statement and how many rows it must change (None: any number)."""

    sql: str
    params: Params
    expect: int | None
    says: str
    several: bool
    """It may change more than one row, so that only its own count can be compared."""


@dataclass(slots=True)
class PreparedSet:
    statements: list[Statement] = field(default_factory=list)
    inserts: list[tuple[InsertShape, Params]] = field(default_factory=list)
    orders: dict[str, int | None] = field(default_factory=dict)
    """Orders that it changes, and the version it was computed for."""
    stock: list[tuple[str, str]] = field(default_factory=list)
    touched: list[tuple[str, object]] = field(default_factory=list)
    """(table, key) of each row that preconditions touch; key None where it may be any row of the table."""
    wakes: dict[str, int] = field(default_factory=dict)
    """Subjects that are there now, and since when what waits for them is due."""
    awaits: list[str] = field(default_factory=list)


def prepare(
    write_sets: Sequence[WriteSet], now: dt.datetime, sequences: Sequences, shelf: BodyShelf
) -> list[PreparedSet]:
    """Convert everything. KeyError for unknown tables and columns, TypeError and ValueError for impossible values."""
    instant = instant_to_database(now)
    return [_prepare_one(write_set, now, instant, sequences, shelf) for write_set in write_sets]


def _prepare_one(
    write_set: WriteSet, now: dt.datetime, instant: int, sequences: Sequences, shelf: BodyShelf
) -> PreparedSet:
    prepared = PreparedSet()
    for operation in write_set.operations:
        if operation.__class__ is Insert:
            _prepare_insert(prepared, operation, now, sequences, shelf)
        elif operation.__class__ is Update:
            _prepare_update(prepared, operation)
        elif operation.__class__ is StockChange:
            prepared.stock.append((operation.sku, operation.location))
            says = f"stock of {operation.sku} at {operation.location}"
            for sql, params in stock_statements(operation, instant):
                prepared.statements.append(Statement(sql, params, 1, says, several=False))
        elif operation.__class__ is Wake:
            prepared.wakes |= dict.fromkeys(operation.subjects, instant_to_database(operation.due_at))
        elif operation.__class__ is Await:
            prepared.awaits.append(operation.subject)
        elif operation.__class__ is Delete:
            sql, params = delete_statement(operation)
            prepared.touched.append((operation.table, None))
            says = f"delete from {operation.table}"
            prepared.statements.append(Statement(sql, params, operation.expect, says, several=True))
        else:
            raise TypeError(f"{type(operation).__name__} is no operation of a write set")
    return prepared


def _prepare_insert(
    prepared: PreparedSet, operation: Insert, now: dt.datetime, sequences: Sequences, shelf: BodyShelf
) -> None:
    table = operation.table
    if table == "bodies":
        operation = Insert(table, shelf.place(operation.row), operation.claim, operation.ignore)
    elif table in ("messages", "deliveries") and "sequence" not in operation.row:
        row = {**operation.row, "sequence": sequences.next(now)}
        operation = Insert(table, row, operation.claim, operation.ignore)
    shape = insert_shape(operation)
    params = shape.params(operation.row)
    if not operation.claim:
        prepared.inserts.append((shape, params))
        return
    key = _key(table, operation.row)
    prepared.touched.append((table, key))
    says = f"{table} {key if key is not None else ''} stands already"
    prepared.statements.append(Statement(shape.sql, params, 1, says, several=False))


def _prepare_update(prepared: PreparedSet, operation: Update) -> None:
    sql, params = update_statement(operation)
    key = _key(operation.table, operation.where)
    prepared.touched.append((operation.table, key))
    if operation.table == "orders" and isinstance(operation.where.get("id"), str):
        version = operation.where.get("version")
        prepared.orders[operation.where["id"]] = version if isinstance(version, int) else None
    several = key is None or any(value.__class__ is tuple for value in key)
    says = f"{operation.table} {key if key is not None else 'by ' + ', '.join(operation.where)}"
    prepared.statements.append(Statement(sql, params, operation.expect, says, several))


def _key(table: str, row: object) -> tuple[object, ...] | None:
    primary = table_shape(table).primary
    try:
        return tuple([row[column] for column in primary])  # type: ignore[index]
    except KeyError:
        return None


def apply(tx: Transaction, prepared: Sequence[PreparedSet]) -> list[Outcome]:
    """Run the batch inside the transaction that is open. Errors that are not of a row leave the caller's savepoint."""
    outcomes = [_APPLIED] * len(prepared)
    _lock_subjects(tx, prepared)
    stale = _stale(prepared, _locked_orders(tx, prepared))
    for number, order in stale.items():
        outcomes[number] = Outcome(Applied.CONFLICT, f"orders {order}: somebody else has changed it")
    stock = _stock_locks(tx, prepared)
    for layer, numbers in enumerate(_layers(prepared)):
        fresh = [number for number in numbers if number not in stale]
        if fresh:
            _run(tx, prepared, fresh, outcomes, stock, splits=layer == 0)
            stock = []
    _wake(tx, [one for one, outcome in zip(prepared, outcomes, strict=True) if outcome.applied is Applied.APPLIED])
    return outcomes


_APPLIED = Outcome(Applied.APPLIED)
SPLIT_DOWN_TO = 8
"""Batches above this size that fail are tried again in halves: usually one set is the reason."""


def _lock_subjects(tx: Transaction, prepared: Sequence[PreparedSet]) -> None:
    """Before anything else, sorted, until the commit."""
    subjects = sorted({subject for one in prepared for subject in (*one.wakes, *one.awaits)})
    if tx.postgresql and subjects:
        tx.fetch(
            "SELECT pg_advisory_xact_lock(hashtextextended(s, 0)) FROM unnest(CAST(? AS text[])) AS s", (subjects,)
        )


def _wake(tx: Transaction, applied: Sequence[PreparedSet]) -> None:
    """What waits for a subject of these sets is due. A row that somebody else holds is being woken by them."""
    wakes = {subject: due for one in applied for subject, due in one.wakes.items()}
    if not wakes:
        return
    held = " FOR UPDATE SKIP LOCKED" if tx.postgresql else ""
    sql, subjects = among(
        tx,
        "UPDATE messages SET state = 'stored', due_at = ? WHERE id IN (SELECT id FROM messages"
        f" WHERE waits_for IN ({{ids}}) AND state = 'waiting'{held})",
        sorted(wakes),
    )
    tx.execute(sql, (max(wakes.values()), *subjects))


def _locked_orders(tx: Transaction, prepared: Sequence[PreparedSet]) -> dict[str, int]:
    """Locks all orders of the batch, sorted, before anything else; their versions. One writer needs no locks."""
    orders = sorted({order for one in prepared for order in one.orders})
    if not tx.postgresql or not orders:
        return {}
    sql = "SELECT id, version FROM orders WHERE id = ANY(?) ORDER BY id FOR UPDATE"
    return {str(row[0]): int(row[1]) for row in tx.fetch(sql, (orders,))}


def _stale(prepared: Sequence[PreparedSet], versions: dict[str, int]) -> dict[int, str]:
    """Sets that cannot apply because an order has changed since they were computed, by number, with the order.

    They are left out from the start: a batch that finds out on the way is taken back as a whole.
    """
    stale: dict[int, str] = {}
    for number, one in enumerate(prepared):
        for order, wanted in one.orders.items():
            if wanted is not None and order in versions and versions[order] != wanted:
                stale[number] = order
        if number not in stale:
            for order, wanted in one.orders.items():
                if wanted is not None:
                    versions[order] = wanted + 1
    return stale


def _stock_locks(tx: Transaction, prepared: Sequence[PreparedSet]) -> list[Step]:
    """All stock keys of the batch, sorted. Nearly every batch needs the same ones, so they are taken as the last thing
    before they are changed: whoever waits for them waits for the commit alone."""
    stock = sorted({key for one in prepared for key in one.stock})
    if not tx.postgresql or not stock:
        return []
    sql = (
        "SELECT s.sku FROM stock s JOIN unnest(CAST(? AS text[]), CAST(? AS text[])) AS k(sku, location)"
        " ON s.sku = k.sku AND s.location = k.location ORDER BY s.sku, s.location FOR UPDATE OF s"
    )
    return [(sql, [([sku for sku, _ in stock], [location for _, location in stock])])]


def _layers(prepared: Sequence[PreparedSet]) -> list[list[int]]:
    """Numbers of sets: in a layer no row is touched by two, so any order of its statements is a serial one (changes of
    stock commute); of two sets that touch the same row the later is in a later layer."""
    layers: list[list[int]] = []
    rows: dict[tuple[str, object], int] = {}
    whole: dict[str, int] = {}
    tables: dict[str, int] = {}
    for number, one in enumerate(prepared):
        layer = 0
        for table, key in one.touched:
            standing = tables.get(table, -1)
            if key is not None and standing >= layer:
                standing = max(rows.get((table, key), -1), whole.get(table, -1))
            if standing >= layer:
                layer = standing + 1
        for table, key in one.touched:
            if key is None:
                whole[table] = max(whole.get(table, -1), layer)
            else:
                rows[table, key] = layer
            if tables.get(table, -1) < layer:
                tables[table] = layer
        if layer == len(layers):
            layers.append([])
        layers[layer].append(number)
    return layers


def _run(
    tx: Transaction,
    prepared: Sequence[PreparedSet],
    numbers: Sequence[int],
    outcomes: list[Outcome],
    stock: Sequence[Step],
    *,
    splits: bool,
) -> None:
    """One layer. `stock`: the locks to take; `splits`: where it fails, few sets are to be expected to.

    What failed has given its locks of stock back: the parts take them all anew, outside any savepoint, so that they
    are sorted again.
    """
    if len(numbers) > 1:
        if _grouped(tx, [prepared[number] for number in numbers], stock):
            return
        if splits and len(numbers) > SPLIT_DOWN_TO:
            tx.steps(stock)
            half = len(numbers) // 2
            for part in (numbers[:half], numbers[half:]):
                _run(tx, prepared, part, outcomes, (), splits=True)
            return
    for number in numbers:
        outcomes[number] = _one(tx, prepared[number], stock)
        stock = ()


_STOCK = frozenset({STOCK_RESERVE, STOCK_CHANGE, STOCK_CHANGE_KNOWN, STOCK_BESIDE, STOCK_BESIDE_KNOWN})


def _grouped(tx: Transaction, prepared: Sequence[PreparedSet], stock: Sequence[Step]) -> bool:
    """All of them by statement, stock last, or nothing."""
    groups: dict[str, list[Params]] = {}
    expected: dict[str, int | None] = {}
    single: list[Statement] = []
    for one in prepared:
        for statement in one.statements:
            if statement.several and statement.expect is not None:
                single.append(statement)
                continue
            groups.setdefault(statement.sql, []).append(statement.params)
            so_far = expected.get(statement.sql, 0)
            known = statement.expect is not None and so_far is not None
            expected[statement.sql] = so_far + statement.expect if known else None  # type: ignore[operator]
    # Conditional takings first of what changes stock: they see what stood before this batch gave anything back.
    changing = sorted((sql for sql in groups if sql in _STOCK), key=lambda sql: sql != STOCK_RESERVE)
    others = [sql for sql in groups if sql not in _STOCK]
    bulk = _bulk(prepared)
    steps: list[Step] = [(statement.sql, [statement.params]) for statement in single]
    steps += [(sql, groups[sql]) for sql in others]
    steps += [*bulk, *stock]
    steps += [(sql, groups[sql]) for sql in changing]
    wanted = [statement.expect for statement in single] + [expected[sql] for sql in others]
    wanted += [None] * (len(bulk) + len(stock)) + [expected[sql] for sql in changing]
    return _guarded(tx, (), steps, wanted) is None


def _one(tx: Transaction, one: PreparedSet, before: Sequence[Step]) -> Outcome:
    checked: list[Step] = [(statement.sql, [statement.params]) for statement in one.statements]
    wanted = [statement.expect for statement in one.statements]
    failed = _guarded(tx, before, checked, wanted, _bulk((one,)))
    if failed is None:
        return _APPLIED
    if isinstance(failed, Exception):
        words = f"refused by the database: {type(failed).__name__}: {str(failed).splitlines()[0]}"
    else:
        number, changed = failed
        words = f"{one.statements[number].says}: {changed} rows instead of {wanted[number]}"
    return Outcome(Applied.CONFLICT, words)


def _bulk(prepared: Sequence[PreparedSet]) -> list[Step]:
    bulk: dict[int, tuple[InsertShape, list[Params]]] = {}
    for one in prepared:
        for shape, params in one.inserts:
            entry = bulk.get(id(shape))
            if entry is None:
                entry = bulk[id(shape)] = (shape, [])
            entry[1].append(params)
    return list(bulk.values())


def _guarded(
    tx: Transaction,
    locks: Sequence[Step],
    steps: Sequence[Step],
    wanted: Sequence[int | None],
    after: Sequence[Step] = (),
) -> Exception | tuple[int, int] | None:
    """Run the steps, and `after` only if the first of them changed as many rows as `wanted`: None. Else they are taken
    back, and the answer is the database's refusal, or the number of the first precondition that failed and its count.
    """
    failed: Exception | tuple[int, int] | None = None
    try:
        counts = tx.steps([*locks, ("SAVEPOINT part", [()]), *steps])[len(locks) + 1 :]
        for number, (changed, expect) in enumerate(zip(counts, wanted, strict=False)):
            if expect is not None and changed != expect:
                failed = number, changed
                break
        else:
            if after:
                tx.steps(after)
    except (*driver_errors(), *VALUE_ERRORS) as error:
        if fault_of(error) is not Fault.ROW:
            raise
        failed = error
    if failed is not None:
        tx.execute("ROLLBACK TO SAVEPOINT part")
    if failed is not None or not tx.postgresql:  # PostgreSQL's goes with the commit, which is a round trip less
        tx.execute("RELEASE SAVEPOINT part")
    return failed
