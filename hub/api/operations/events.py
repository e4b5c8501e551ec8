"""The feed of events: what happened, as CloudEvents, for those who follow the hub."""

from __future__ import annotations

from hub.api.answers import Answer
from hub.api.call import Call
from hub.api.paging import after as place_of
from hub.api.paging import page
from hub.views.events import list_events, settled

PATH = "/v1/events"


def list_(
    call: Call,
    limit: int = 50,
    cursor: str | None = None,
    after: str | None = None,
    fact: str | None = None,
    order: str | None = None,
    subject: str | None = None,
) -> Answer:
    filters = {"after": after, "fact": fact, "order": order, "subject": subject}
    last = place_of(cursor, PATH, filters, 1)
    until = None if order else settled(call.hub.clock.now())  # of one order all is wanted, complete or not
    narrowed = {**filters, "after": last[0] if last else after}
    with call.reading() as connection:
        found = list_events(connection, **narrowed, until=until, limit=limit + 1)
    return Answer(page(found, limit, PATH, filters, lambda event: [event["sequence"]]))
