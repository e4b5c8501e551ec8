"""What a mapping noticed and went on with, kept as an event: nothing is rounded or dropped in silence."""

from __future__ import annotations

from collections.abc import Sequence

from hub.domain.decision import EventRequest
from hub.domain.events import Fact
from hub.mapping.errors import Note

NOTED = Fact.MESSAGE_NOTED.value

SHOWN = frozenset({"precision_lost", "implausible_time", "ambiguous_time"})
"""Codes whose source text is a number or a time. Any other text may be a person's, and events hold no such."""


def noted(notes: Sequence[Note], message_id: str, stream: str, subject: str) -> list[EventRequest]:
    """One event for all notes of a message, on the timeline of the order it was about."""
    if not notes:
        return []
    found = [
        {"code": note.code, "field": note.field, **({"text": note.text} if note.code in SHOWN else {})}
        for note in notes
    ]
    order = subject if stream == "orders" else None
    return [EventRequest(NOTED, subject or message_id, message_id, order, {"message": message_id, "notes": found})]
