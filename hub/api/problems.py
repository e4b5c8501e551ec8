"""What can be wrong with a request: problem documents of RFC 9457, each kind with a page of its own in this hub."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PROBLEM_TYPE = "application/problem+json"
PAGES = "/docs/problems/"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem. `what` and `remedy` are its page."""

    status: int
    title: str
    what: str
    remedy: str


KINDS: Mapping[str, Kind] = {
    "invalid-request": Kind(
        400,
        "The request is not as the document says",
        "A parameter, a header or the body is missing, unknown, or not of the form that the document gives it.",
        "`errors` names each place, in the body by a JSON pointer. Correct it and send the request again.",
    ),
    "invalid-json": Kind(
        400,
        "The body is no JSON",
        "Bodies are one JSON value in UTF-8 (RFC 8259), each name once, without NaN and lone surrogates, not nested"
        " deeper than 32.",
        "Correct the body; a library's JSON writer makes a good one.",
    ),
    "idempotency-key-missing": Kind(
        400,
        "The request must say which one it is",
        "This operation has an effect each time; without the header Idempotency-Key nobody could tell a request that is"
        " sent again from a second one.",
        "Make a new random text (a UUID) for each thing that you want, and send it again with every try.",
    ),
    "invalid-cursor": Kind(
        404,
        "There is no such page of this list",
        "A cursor belongs to the list and the filters that it was given with.",
        "Follow `next` as it is, or begin again without a cursor.",
    ),
    "unauthorised": Kind(
        401,
        "There is no valid key",
        "The header Authorization is missing, or its key is unknown, expired or revoked.",
        "Send `Authorization: Bearer ohk_...`; `hub keys create` makes a key.",
    ),
    "forbidden": Kind(
        403,
        "The key may not do this",
        "Each operation needs a scope, and this key does not have it.",
        "Make a key with the scope that `detail` names.",
    ),
    "not-found": Kind(
        404, "There is nothing here", "No such path, or nothing has this id.", "Look for it in the lists."
    ),
    "method-not-allowed": Kind(
        405,
        "Not with this method",
        "The path is there, but not for this method.",
        "The header Allow says which it takes.",
    ),
    "timeout": Kind(408, "The body did not come", "A body must be there whole within 20 seconds.", "Send it again."),
    "refused": Kind(
        409,
        "It cannot be done as things stand",
        "The request is good, but what it is about is in a state in which this cannot be done.",
        "`detail` says why and what can be done instead.",
    ),
    "in-progress": Kind(
        409,
        "The same request is being done",
        "A request with this Idempotency-Key has not been answered yet.",
        "Wait a moment, then send it again: you get the answer of the first.",
    ),
    "erased": Kind(
        410,
        "The bytes are erased",
        "Their time is over (retention in hub.yaml); hashes and keys stay.",
        "There is none.",
    ),
    "changed": Kind(
        412,
        "It has changed since you looked",
        "If-Match names a version that is not the present one any more.",
        "Look again, decide again, and send the request with the present ETag.",
    ),
    "too-large": Kind(413, "The body is too large", "`detail` says how much is taken.", "Send less at once."),
    "address-too-long": Kind(414, "The address is too long", "At most 16,000 characters.", "Shorten the query."),
    "media-type": Kind(415, "Only JSON is taken", "Bodies are application/json in UTF-8.", "Set Content-Type."),
    "unstorable-text": Kind(
        422,
        "A text cannot be kept",
        "U+0000 is a character of JSON, but no database takes it as text.",
        "Leave it out; it is nearly always a mistake of whatever made the text.",
    ),
    "no-such-time": Kind(
        422,
        "A time does not exist",
        "It is written as a time, but no calendar or clock has it.",
        "Send a time that exists, such as 2026-12-24T08:00:00Z.",
    ),
    "not-taken": Kind(
        422,
        "The order cannot be taken",
        "What it says cannot be read as an order of this hub, or contradicts what is known under its id.",
        "`errors` says where and why. Nothing of it was kept.",
    ),
    "idempotency-key-reused": Kind(
        422,
        "The Idempotency-Key is of another request",
        "Another request was done under this key within the last 24 hours.",
        "Make a new key for a new request; send an old one unchanged.",
    ),
    "bug": Kind(
        500,
        "This is a bug in the hub",
        "Something was met that nobody thought of.",
        "The hub's log has the reason beside the request id. What was stored before is safe.",
    ),
    "unavailable": Kind(
        503,
        "Not at present",
        "The hub is starting or stopping, or its database cannot be used.",
        "Send the request again after the seconds that Retry-After gives.",
    ),
}


class Problem(Exception):
    """Ends a request with a problem document. `errors` are places: pointer or parameter, and detail."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.errors, self.headers = kind, detail, tuple(errors), dict(headers or {})
        self.status = self.status_code = KINDS[kind].status

    def body(self, request_id: str) -> bytes:
        document: dict[str, Any] = {
            "type": PAGES + self.kind,
            "title": KINDS[self.kind].title,
            "status": self.status,
            "detail": self.detail,
            "hint": KINDS[self.kind].remedy,
            "request_id": request_id,
        }
        if self.errors:
            document["errors"] = [dict(error) for error in self.errors]
        return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def page(kind: str) -> bytes | None:
    """What `type` points at: one short page."""
    known = KINDS.get(kind)
    if known is None:
        return None
    title, what, remedy = (html.escape(text) for text in (known.title, known.what, known.remedy))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<h1>{title}</h1><p>Status {known.status}, type <code>{PAGES}{kind}</code></p><p>{what}</p><p>{remedy}</p>"
        '<p><a href="/docs">The API</a></p></html>'
    ).encode()
