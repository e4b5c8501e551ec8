"""What came in: receipts, messages, their bytes, trying again."""

from __future__ import annotations

from hub.api.answers import Answer
from hub.api.call import Call
from hub.api.paging import after, page
from hub.api.problems import Problem
from hub.views import intake

RECEIPTS, MESSAGES = "/v1/receipts", "/v1/messages"


def list_receipts(
    call: Call,
    limit: int = 50,
    cursor: str | None = None,
    state: str | None = None,
    connection: str | None = None,
) -> Answer:
    filters = {"state": state, "connection": connection}
    before = after(cursor, RECEIPTS, filters, 1)
    with call.reading() as reading:
        found = intake.list_receipts(
            reading, state=state, of=connection, before=before[0] if before else None, limit=limit + 1
        )
    return Answer(page(found, limit, RECEIPTS, filters, lambda row: [row["id"]]))


def get_receipt(call: Call, receipt: str) -> Answer:
    with call.reading() as reading:
        found = intake.show_receipt(reading, receipt)
    if found is None:
        raise Problem("not-found", f"There is no receipt {receipt}")
    return Answer(found)


def receipt_body(call: Call, receipt: str) -> Answer:
    return body_of(call, "receipt", receipt)


def retry_receipt(call: Call, receipt: str) -> Answer:
    _there(call, "receipts", receipt)
    return Answer(call.act("receipts.retry", receipt=receipt))


def list_messages(
    call: Call,
    limit: int = 50,
    cursor: str | None = None,
    state: str | None = None,
    connection: str | None = None,
    stream: str | None = None,
    order: str | None = None,
) -> Answer:
    filters = {"state": state, "connection": connection, "stream": stream, "order": order}
    before = after(cursor, MESSAGES, filters, 1)
    with call.reading() as reading:
        found = intake.list_messages(
            reading,
            state=state,
            of=connection,
            stream=stream,
            subject=order,
            before=before[0] if before else None,
            limit=limit + 1,
        )
    return Answer(page(found, limit, MESSAGES, filters, lambda row: [row["id"]]))


def get_message(call: Call, message: str) -> Answer:
    with call.reading() as reading:
        found = intake.show_message(reading, message)
    if found is None:
        raise Problem("not-found", f"There is no message {message}")
    return Answer(found)


def message_body(call: Call, message: str) -> Answer:
    return body_of(call, "message", message)


def retry_message(call: Call, message: str) -> Answer:
    _there(call, "messages", message)
    return Answer(call.act("messages.retry", message=message))


def body_of(call: Call, kind: str, owner: str) -> Answer:
    """The bytes that an owner has, to be saved and never to be shown as a page of this site."""
    with call.reading() as reading:
        found = intake.body_of(reading, kind, owner)
    if found is None:
        raise Problem("not-found", f"There is no {kind} {owner}")
    with call.hub.store.read() as snapshot:
        raw = snapshot.body(found["id"])
    if raw is None:
        raise Problem("erased", f"The bytes of {owner} are erased")
    came_as = "".join(letter for letter in found["content_type"] if " " <= letter <= "~")[:200]
    headers = {
        "Content-Disposition": f'attachment; filename="{owner}"',
        "X-Original-Content-Type": came_as or "application/octet-stream",
    }
    return Answer(raw, headers=headers, content_type="application/octet-stream")


def _there(call: Call, table: str, row: str) -> None:
    with call.hub.store.read() as snapshot:
        if snapshot.row(table, {"id": row}) is None:
            raise Problem("not-found", f"There is no {table.removesuffix('s')} {row}")
