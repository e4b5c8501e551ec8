"""What a person may say of an outgoing call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hub.actions.edi import kept_record
from hub.actions.once import Once
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.exchange import verbs
from hub.exchange.decisions import Writer
from hub.exchange.verbs import Refused
from hub.oms.desk.again import record_now
from hub.runtime.hub import Hub


def find(snapshot: Snapshot, reference: str) -> str:
    """A delivery's id from its id or business key. Raises Refused."""
    row = snapshot.row("deliveries", {"id": reference}) or snapshot.row("deliveries", {"business_key": reference})
    if row is None:
        raise Refused(f"There is no delivery {reference!r}")
    return str(row["id"])


def _say(hub: Hub, delivery: str, verb: Callable[[Writer, str], WriteSet], words: str) -> dict[str, Any]:
    found: list[str] = []

    def compute(writer: Writer) -> WriteSet:
        found[:] = [find(writer.snapshot, delivery)]
        return verb(writer, found[0])

    hub.commit(compute, f"deliveries/{delivery}")
    return {"delivery": found[0], "message": f"{found[0]} {words}"}


INSTEAD = {
    "unknown": "it may have happened; look in the other system, then say happened, did-not-happen or abandon",
    "conflict": "compare both documents, then say happened, did-not-happen or abandon",
    "refused": "the other side said no to this content; correct the cause, then resend it with --as-new and a reason",
    "acknowledged": "it is done; only resend with --as-new and a reason does it a second time",
    "pending": "it is due already",
}
"""What to do with a delivery that retrying is not for."""


def retry(hub: Hub, who: str, delivery: str) -> dict[str, Any]:
    def verb(writer: Writer, one: str) -> WriteSet:
        row = writer.snapshot.row("deliveries", {"id": one})
        if row is not None and row["state"] in INSTEAD:
            raise Refused(f"{one} is {row['state']}: {INSTEAD[row['state']]}")
        return verbs.retry(writer, one, who)

    return _say(hub, delivery, verb, "is due again")


def happened(hub: Hub, who: str, delivery: str, external_id: str, reason: str = "") -> dict[str, Any]:
    """An unknown outcome, or anything else that is still open and that somebody did over there by hand."""

    def verb(writer: Writer, one: str) -> WriteSet:
        row = writer.snapshot.row("deliveries", {"id": one})
        if row is None or row["state"] in verbs.UNSETTLED:
            return verbs.happened(writer, one, external_id, who, reason)
        if not reason:
            raise Refused(f"{one} is {row['state']}, so nothing was in doubt; say with --reason how it was done")
        return verbs.mark_done(writer, one, external_id, reason, who)

    return _say(hub, delivery, verb, f"counts as done, as {external_id} over there")


def did_not_happen(hub: Hub, who: str, delivery: str, reason: str = "") -> dict[str, Any]:
    words = "is sent again with the same content"
    return _say(hub, delivery, lambda writer, one: verbs.did_not_happen(writer, one, who, reason), words)


def abandon(hub: Hub, who: str, delivery: str, reason: str) -> dict[str, Any]:
    words = "is given up; what needed it is blocked"
    return _say(hub, delivery, lambda writer, one: verbs.abandon(writer, one, reason, who), words)


def done_elsewhere(hub: Hub, who: str, delivery: str, external_id: str, reason: str) -> dict[str, Any]:
    """Somebody did it over there by hand."""
    words = f"counts as done, as {external_id} over there"
    return _say(hub, delivery, lambda writer, one: verbs.mark_done(writer, one, external_id, reason, who), words)


def resend(hub: Hub, who: str, delivery: str, reason: str, once: Once | None = None) -> dict[str, Any]:
    """What was refused is written anew from the order as it stands; anything else keeps its bytes."""

    def verb(writer: Writer, one: str) -> WriteSet:
        def now(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
            record = record_now(hub.rules, writer.snapshot, writer.now, row)
            return record if record is not None else kept_record(writer.snapshot, row)

        old = once.look(writer.snapshot, writer.now) if once else False
        writes = verbs.resend_as_new(writer, one, reason, who, now)
        if once:
            once.keep(writes, {"delivery": one, "message": f"{one} {SECOND}"}, writer.now, old=old)
        return writes

    return _say(hub, delivery, verb, SECOND)


SECOND = "is made a second time under a key of its own"
