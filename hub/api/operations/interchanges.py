"""What was exchanged with partners of EDI."""

from __future__ import annotations

from hub.actions.once import Answered
from hub.api.answers import Answer
from hub.api.call import Call
from hub.api.operations.orders import same
from hub.views.edi import list_interchanges


def list_(
    call: Call,
    limit: int = 50,
    direction: str | None = None,
    connection: str | None = None,
    control: str | None = None,
    answer: str | None = None,
) -> Answer:
    with call.reading() as reading:
        found = list_interchanges(
            reading, direction=direction, of=connection, control=control, answer=answer, limit=limit
        )
    return Answer({"items": found})


def resend(call: Call, document: str) -> Answer:
    said = {"reason": call.body.get("reason", ""), "connection": call.body.get("connection", "")}
    with call.once() as once:
        try:
            return Answer(call.act("edi.resend", reference=document, once=once, **said))
        except Answered as before:
            return Answer(same(before))
