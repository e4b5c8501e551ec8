"""UNKNOWN outcomes: looked up after the settle time, or settled by a person with exactly three verbs (docs: outbox)."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass

from hub.domain.writeset import WriteSet
from hub.exchange.backoff import backoff_seconds
from hub.exchange.calls import Looked
from hub.exchange.closing import RELEASED, Word, close_delivery
from hub.exchange.decisions import Writer
from hub.exchange.defaults import DEFAULTS, Defaults
from hub.exchange.exceptions import clear_rows, raise_rows
from hub.exchange.ports import ClaimedDelivery
from hub.exchange.resolution import NEVER, CallResult, Next, result_of_reply
from hub.exchange.settlement import Attempted, exception_for, outdated
from hub.sdk.errors import Resolution
from hub.sdk.manifest import CapabilityInfo
from hub.sdk.records import Found, NotFound, Unsure


@dataclass(frozen=True, slots=True)
class Probed:
    """An UNKNOWN that was not called about: it waits for a person."""

    delivery: ClaimedDelivery
    number: int | None
    result: CallResult
    next: Next

    @property
    def id(self) -> str:
        return self.delivery.id


def settle_probe(
    delivery: ClaimedDelivery,
    number: int,
    started: dt.datetime,
    finished: dt.datetime,
    looked: Looked,
    info: CapabilityInfo,
    source: random.Random,
    defaults: Defaults = DEFAULTS,
) -> Attempted:
    """What a lookup's answer does: found with the same content = acknowledged, with other = conflict, not found =
    pending again, unsure = stays, with an exception, and is looked up again ever more slowly until the horizon."""
    answer = looked.answer
    if isinstance(answer, Found):
        result = result_of_reply(answer.reply)
        if answer.same_content is False:
            coming = Next("conflict", due_at=NEVER, raises="conflict")
        elif info.asynchronous or answer.reply.asynchronous:
            overdue = finished + dt.timedelta(seconds=info.overdue_after_seconds)
            coming = Next("sent", due_at=NEVER, reply_due_at=overdue, clears=True)
        else:
            coming = Next("acknowledged", clears=True)
        return Attempted(delivery, number, "probe", started, finished, result, Resolution.SUCCESS, coming)
    if isinstance(answer, NotFound):
        result = CallResult(Resolution.RETRY, words="the other side is sure that it did not happen")
        coming = Next("pending", due_at=finished, clears=True)
        return Attempted(delivery, number, "probe", started, finished, result, Resolution.RETRY, coming)
    failure = looked.failure
    unsure = answer.why if isinstance(answer, Unsure) else (failure.words if failure else "no answer")
    old = (finished - delivery.created_at).total_seconds() > defaults.alert_age
    tells = isinstance(answer, Unsure) or old
    again = NEVER if finished >= delivery.give_up_at else finished + _wait(number, source, defaults)
    coming = Next("unknown", due_at=again, probe_after=again, raises="unknown" if tells else "")
    result = CallResult(Resolution.AMBIGUOUS, words=unsure, status=failure.status if failure else None)
    return Attempted(delivery, number, "probe", started, finished, result, Resolution.AMBIGUOUS, coming)


def _wait(number: int, source: random.Random, defaults: Defaults) -> dt.timedelta:
    return dt.timedelta(seconds=max(1.0, backoff_seconds(number, source, defaults)))


def from_evidence(ended: Probed, writer: Writer) -> WriteSet:
    """An UNKNOWN without lookup: a success among the late evidence settles it, else it waits for a person."""
    writes = WriteSet()
    delivery = ended.delivery
    for row in writer.snapshot.rows("attempts", {"delivery_id": delivery.id}, order_by=("-number",)):
        if row["resolution"] in (Resolution.SUCCESS, Resolution.DUPLICATE):
            standing = writer.snapshot.row("deliveries", {"id": delivery.id})
            assert standing is not None
            word = Word("acknowledged", by="late answer", origin=f"{row['id']}/evidence", body_id=row["body_id"])
            close_delivery(writes, writer, standing, word)
            return writes
    values = {**RELEASED, "state": "unknown", "due_at": NEVER, "probe_after": None}
    writes.update("deliveries", {"id": delivery.id, "lease_token": delivery.token}, values)
    exception = exception_for(delivery, ended.next, ended.result)
    if exception is not None:
        raise_rows(writes, writer.snapshot, [exception], delivery.id, writer.now)
    clear_rows(writes, writer.snapshot, outdated(delivery.id, ended.next), writer.now)
    return writes
