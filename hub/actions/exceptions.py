"""What a person does about exceptions."""

from __future__ import annotations

from functools import partial
from typing import Any

from hub.domain.writeset import WriteSet
from hub.exchange import exceptions as rows
from hub.exchange import redrive
from hub.exchange.decisions import Writer
from hub.exchange.verbs import Refused
from hub.runtime.hub import Hub


def retry(hub: Hub, who: str, exception_id: str) -> dict[str, Any]:
    """Re-drive every subject it holds up, each in a commit of its own so that one that still fails stops no other."""
    _open(hub, exception_id)
    with hub.store.read() as snapshot:
        subjects = redrive.subjects(hub.writer(snapshot, exception_id), exception_id)
    done: list[str] = []
    refused: list[str] = []
    for kind, subject in subjects:
        try:
            hub.commit(partial(_retry, kind=kind, subject=subject, who=who), subject)
            done.append(subject)
        except Refused as error:
            refused.append(f"{kind} {subject}: {error}")
    _go_on(hub)
    words = f"{len(done)} re-driven" + (f", {len(refused)} not: " + "; ".join(refused) if refused else "")
    return {"exception": exception_id, "redriven": done, "refused": refused, "message": words}


def _go_on(hub: Hub) -> None:
    """Read and decide at once what is due, so that the person sees what came of it; also where no hub runs."""
    for _ in range(ROUNDS):
        if not hub.engine.parse(CLAIM) + hub.engine.apply(CLAIM):
            return


def _retry(writer: Writer, *, kind: str, subject: str, who: str) -> WriteSet:
    return redrive.retry_subject(writer, kind, subject, who)


ROUNDS = 100
CLAIM = 50


def _open(hub: Hub, exception_id: str) -> None:
    with hub.store.read() as snapshot:
        row = snapshot.row("exceptions", {"id": exception_id})
    if row is None:
        raise Refused(f"There is no exception {exception_id!r}")
    if row["state"] != "open":
        raise Refused(f"{exception_id} is {row['state']} already")


def resolve(hub: Hub, who: str, exception_id: str, reason: str) -> dict[str, Any]:
    _open(hub, exception_id)
    hub.commit(lambda writer: rows.resolve(writer.snapshot, exception_id, who, reason, writer.now), exception_id)
    return {"exception": exception_id, "message": f"{exception_id} is resolved"}


def assign(hub: Hub, who: str, exception_id: str, owner: str) -> dict[str, Any]:
    _open(hub, exception_id)
    hub.commit(lambda writer: rows.assign(writer.snapshot, exception_id, owner, who, writer.now), exception_id)
    return {"exception": exception_id, "owner": owner, "message": f"{exception_id} belongs to {owner}"}
