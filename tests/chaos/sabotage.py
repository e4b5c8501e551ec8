"""Twelve ways to spoil a hub. Each makes the audit find a broken promise, or the audit is worth nothing.

Every one patches the hub inside the chaos wrapper's process, before the modules that use what is patched are imported.
Where a fault of this kind only shows in a gap of microseconds, the gap is widened: the order of the steps is the fault.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

GAP_SECONDS = 0.25
POLL_GAP_SECONDS = 1.0


def spoil(name: str) -> None:
    """Must run before the modules that use what is patched are imported. KeyError for a name that is none."""
    SABOTAGES[name]()


def _patch(owner: object, name: str, replacement: object) -> None:
    """AttributeError where the hub has no such part any more: a sabotage that does nothing proves nothing."""
    getattr(owner, name)
    setattr(owner, name, replacement)


def _skip_dedupe() -> None:
    """A fact is applied as often as it comes."""
    import hub.exchange.kinds as kinds

    _patch(kinds, "_fact", lambda message, incoming, snapshot: kinds.Guarded())


def _skip_attempt() -> None:
    """The attempt is written after the call instead of before it."""
    from hub.domain.writeset import Insert, Update, WriteSet
    from hub.exchange.ports import NewAttempt
    from hub.store.sql_store import SqlStore

    begun: dict[str, dict[str, Any]] = {}
    apply = SqlStore.apply

    def start_attempts(store: SqlStore, attempts: Sequence[NewAttempt]) -> list[bool]:
        for attempt in attempts:
            identity = f"{attempt.delivery_id}/{attempt.number}"
            begun[identity] = {
                "id": identity,
                "delivery_id": attempt.delivery_id,
                "number": attempt.number,
                "kind": attempt.kind,
                "token": attempt.token,
                "started_at": store._clock.now(),
                "deadline": attempt.deadline,
            }
        return [True] * len(attempts)

    def late(store: SqlStore, write_sets: Sequence[WriteSet]) -> Any:
        for writes in write_sets:
            for operation in list(writes.operations):
                if isinstance(operation, Update) and operation.table == "attempts":
                    row = begun.get(str(operation.where.get("id")))
                    if row is not None:
                        count = Update(
                            "deliveries", {"id": row["delivery_id"]}, {"attempts": row["number"]}, expect=None
                        )
                        writes.operations[:0] = [Insert("attempts", row, claim=True), count]
        return apply(store, write_sets)

    _patch(SqlStore, "start_attempts", start_attempts)
    _patch(SqlStore, "apply", late)


def _no_fencing() -> None:
    """Who lost his lease goes on as if he had it."""
    import hub.exchange.drain as drain
    import hub.store.leases as leases
    from hub.exchange.settlement import settle_rows
    from hub.exchange.unknown import Probed

    def start(tx: Any, attempts: Sequence[leases.PreparedAttempt]) -> list[bool]:
        counted = "UPDATE deliveries SET attempts = ? WHERE id = ? AND attempts < ?"
        for _, delivery_id, number, *_ in attempts:
            tx.steps([(counted, [(number, delivery_id, number)])])
        for attempt in attempts:
            tx.steps([(leases._START, [attempt[:-1]])])
        return [True] * len(attempts)

    rows_of: Any = drain._rows_of

    def unfenced(ended: Any, writer: Any, **named: Any) -> Any:
        row = writer.snapshot.row("deliveries", {"id": ended.delivery.id})
        if isinstance(ended, Probed) or row is None or row["lease_token"] == ended.delivery.token:
            return rows_of(ended, writer, **named)
        return settle_rows(replace(ended, delivery=replace(ended.delivery, token=row["lease_token"])), writer)

    _patch(leases, "start_attempts", start)
    _patch(drain, "_rows_of", unfenced)


def _settle_zero() -> None:
    """An unknown outcome is looked up at once, before the other side's reads have caught up."""
    import hub.exchange.resolution as resolution

    waiting = resolution.unknown

    def at_once(mode: Any, situation: Any, breaker: Any = resolution.Counts.NOTHING) -> Any:
        coming = waiting(mode, situation, breaker)
        if coming.probe_after is None:
            return coming
        return replace(coming, due_at=situation.now, probe_after=situation.now)

    _patch(resolution, "unknown", at_once)


def _split_outbox() -> None:
    """Decisions and what they send are committed one after the other."""
    from hub.domain.writeset import Applied, Insert, WriteSet
    from hub.store.sql_store import SqlStore

    apply = SqlStore.apply

    def outgoing(operation: Any) -> bool:
        if not isinstance(operation, Insert):
            return False
        own_body = operation.table == "bodies" and operation.row.get("owner_kind") == "delivery"
        return operation.table == "deliveries" or own_body

    def split(store: SqlStore, write_sets: Sequence[WriteSet]) -> Any:
        first = [WriteSet([one for one in writes.operations if not outgoing(one)]) for writes in write_sets]
        second = [WriteSet([one for one in writes.operations if outgoing(one)]) for writes in write_sets]
        outcomes = apply(store, first)
        rest = [
            writes
            for writes, outcome in zip(second, outcomes, strict=True)
            if writes.operations and outcome.applied is Applied.APPLIED
        ]
        if rest:
            time.sleep(GAP_SECONDS)
            apply(store, rest)
        return outcomes

    _patch(SqlStore, "apply", split)


def _drop_reply() -> None:
    """Answers settle deliveries and are told to nobody."""
    import hub.exchange.settlement as settlement

    _patch(settlement, "_report", lambda writes, ended, body_id, writer: None)


def _cursor_first() -> None:
    """A poll commits where it stands before it commits what it read."""
    import hub.exchange.polls as polls

    def store(self: polls.Polls, view: Any, name: str, batch: Any) -> None:
        if batch.next_cursor is not None:
            self.store.accept([], cursor=(name, batch.next_cursor.value))
        receipts = [polls.new_receipt(view.id, receipt, "poll") for receipt in batch.receipts]
        if receipts:
            time.sleep(POLL_GAP_SECONDS)
            self.store.accept(receipts)

    _patch(polls.Polls, "_store", store)


def _double_reserve() -> None:
    """Stock is promised without looking at what is promised already, and taken without a condition."""
    import hub.oms.sourcing.candidates as candidates_found
    import hub.oms.sourcing.source as source
    import hub.store.writesets as writesets
    from hub.domain.writeset import StockChange
    from hub.store.shapes import stock_statements as statements

    candidates = candidates_found.find_candidates

    class Blind:
        def __init__(self, snapshot: Any) -> None:
            self._snapshot = snapshot

        def rows(self, table: str, *arguments: Any, **options: Any) -> list[dict[str, Any]]:
            rows = self._snapshot.rows(table, *arguments, **options)
            if table != "stock":
                return list(rows)
            return [{**row, "soft": Decimal(0), "firm": Decimal(0)} for row in rows]

        def __getattr__(self, name: str) -> Any:
            return getattr(self._snapshot, name)

    def generous(case: Any, *arguments: Any) -> Any:
        seen = case.snapshot
        case.snapshot = Blind(seen)
        try:
            return candidates(case, *arguments)
        finally:
            case.snapshot = seen

    def unconditional(operation: StockChange, instant: int) -> Any:
        return statements(replace(operation, reserve=False), instant)

    _patch(source, "find_candidates", generous)
    _patch(writesets, "stock_statements", unconditional)


def _float_money() -> None:
    """Amounts go through binary floating point and are cut to cents."""
    import hub.mapping.conversions as conversions

    exact = conversions._PLAIN["decimal"]
    conversions._PLAIN["decimal"] = lambda value, scope: _cut(exact(value, scope))


def _cut(found: Any) -> Any:
    """19.99 times a hundred is 1998.9999999999998 in binary, and 1998 cents when cut."""
    if isinstance(found, Decimal):
        return Decimal(int(float(found) * 100)) / 100
    if isinstance(found, str):
        return str(Decimal(int(float(found) * 100)) / 100)
    return found


def _swallow_park() -> None:
    """What cannot go on is put aside and nobody is told."""
    import hub.exchange.exceptions as exceptions

    _patch(exceptions, "raise_rows", lambda writes, snapshot, requests, cause, now: None)


def _no_echo() -> None:
    """What we told the channel is taken for news when it comes back."""
    import hub.exchange.echo as echo
    from hub.domain.order import OrderLine

    def news(line: OrderLine) -> Decimal:
        return max(max(line.channel_shipped, line.stated_shipped) - line.hand_shipped, Decimal(0))

    _patch(OrderLine, "unseen_hand_shipments", news)
    _patch(echo, "match_echo", lambda incoming, writer: None)


def _free_on_silence() -> None:
    """A location that says nothing is taken to have nothing: its work is given to another."""
    import hub.oms.fulfilment.fulfil as fulfil
    import hub.oms.fulfilment.work as desk
    from hub.domain.decision import Decision, Verdict
    from hub.domain.fulfilment import FINISHED, WorkState
    from hub.oms.desk.save import save

    def handle_silence(rules: Any) -> Any:
        def silence(task: Any, snapshot: Any, now: Any) -> Decision:
            found = desk.open_work(snapshot, rules, now, task.id, task.subject)
            if found is None:
                return Decision(Verdict.IGNORED)
            case, work = found
            if work.state in FINISHED or work.state not in (WorkState.SENT, WorkState.UNKNOWN):
                return Decision(Verdict.IGNORED, subject=case.order.id)
            fulfil.report(case, work, "rejected", {"reason": "silence"})
            return save(case)

        return silence

    _patch(fulfil, "handle_silence", handle_silence)


SABOTAGES: Mapping[str, Callable[[], None]] = {
    "skip-dedupe": _skip_dedupe,
    "skip-attempt": _skip_attempt,
    "no-fencing": _no_fencing,
    "settle-zero": _settle_zero,
    "split-outbox": _split_outbox,
    "drop-reply": _drop_reply,
    "cursor-first": _cursor_first,
    "double-reserve": _double_reserve,
    "float-money": _float_money,
    "swallow-park": _swallow_park,
    "no-echo": _no_echo,
    "free-on-silence": _free_on_silence,
}
