"""Reading a stream: passes over a list, each from where the last one ended, and single entities."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from connectors.declarative.client import Answer, Client
from connectors.declarative.definition import FetchSpec, ListSpec, ReadSpec
from connectors.declarative.pages import ALL_AT_ONCE, Page, Pages, cut
from connectors.declarative.request import JSON, RequestTemplate, text_of
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, DataError, Resolution
from hub.sdk.records import Batch, Cursor, ExternalVersion, Missing, Receipt, Tree, Window

SELECTOR = "hub-read"
"""Header of our own on what was pulled: which of the stream's descriptions cuts it into records."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a read stands. `since`: up to where whole passes have come; the others belong to a pass under way: `asked`
    what it began from, `seen` the newest so far, `page` the next one, `pages` how many there were."""

    since: str = ""
    asked: str = ""
    seen: str = ""
    page: str = ""
    pages: int = 0

    def cursor(self) -> Cursor:
        said = {name: value for name in self.__slots__ if (value := getattr(self, name))}
        return Cursor(json.dumps(said, separators=(",", ":"), sort_keys=True))


class Reading:
    """One stream's `read`."""

    def __init__(self, stream: str, spec: ReadSpec, client: Client, context: Context) -> None:
        self._stream = stream
        self._context = context
        self._template = RequestTemplate(spec["request"], context.expression)
        self._records = context.expression(spec["records"])
        self._pages = Pages(client, spec.get("pages", ALL_AT_ONCE), self._records, context)
        self._since = spec.get("since")
        self._of_record = context.expression(self._since["from"]) if self._since else None

    def read(self, cursor: Cursor | None, limit: int) -> Iterator[Batch]:
        """Pages of one pass. A pass that was cut off goes on at its page, or begins anew where that is gone."""
        place = _place(cursor)
        if place.page:
            try:
                yield from self._pass(place, limit)
            except CallFailed as failed:
                if failed.resolution not in (Resolution.GONE, Resolution.REJECTED):
                    raise
                self._context.log.warning("the page is gone; the pass begins anew", stream=self._stream)
                place = Place(since=place.since)
            else:
                return
        yield from self._pass(replace(place, asked=self._from(place.since)), limit)

    def records(self, tree: Tree) -> list[Tree]:
        return cut(self._records, tree)

    def _pass(self, place: Place, limit: int) -> Iterator[Batch]:
        start = self._context.start_from.get(self._stream)
        scope: Tree = {
            "config": dict(self._context.config),
            "since": place.asked or None,
            "start_from": instant_text(start) if start is not None else None,
            "size": min(limit, self._pages.spec["size"]),
        }
        request = self._template.prepare(scope)
        operation = f"read_{self._stream}"
        for page in self._pages.walk(request, operation, state=place.page or None, number=place.pages):
            place = self._after(place, page)
            receipts = [pulled(self._context, self._stream, page.answer, "read")] if page.records else []
            yield Batch(receipts, place.cursor())

    def _after(self, place: Place, page: Page) -> Place:
        seen = place.seen
        for record in page.records:
            seen = max(seen, self._changed(record), key=_sortable)
        if page.state is not None:
            return replace(place, seen=seen, page=page.state, pages=page.number)
        return Place(since=max(place.since, seen, key=_sortable))

    def _changed(self, record: Tree) -> str:
        """When a record says it was changed; "" where that cannot be read, or lies ahead of our clock: one wrong record
        must not lead past all others. It is still read, and its mapping says what is wrong with it."""
        if self._since is None or self._of_record is None:
            return ""
        found = self._of_record(record)
        if self._since["kind"] == "sequence":
            text = str(found) if isinstance(found, int | str) and not isinstance(found, bool) else ""
            return text if text.isascii() and text.isdigit() and len(text) <= 30 else ""
        try:
            at = dt.datetime.fromisoformat(found) if isinstance(found, str) else None
        except ValueError:
            return ""
        if at is None or at.tzinfo is None:
            return ""
        return instant_text(min(at.astimezone(dt.UTC), self._context.clock.now()))

    def _from(self, since: str) -> str:
        """What a new pass asks from."""
        if self._since is None:
            return ""
        start = self._context.start_from.get(self._stream)
        if self._since["kind"] == "sequence":
            return since
        if not since:
            return instant_text(start) if start is not None else ""
        back = self._context.lookback_seconds.get(self._stream, float(self._since["lookback_seconds"]))
        from_ = dt.datetime.fromisoformat(since) - dt.timedelta(seconds=back)
        return instant_text(max(from_, start) if start is not None else from_)


class Fetching:
    """One stream's `fetch`."""

    def __init__(self, stream: str, spec: FetchSpec, client: Client, context: Context) -> None:
        self._stream = stream
        self._client = client
        self._context = context
        self._template = RequestTemplate(spec["request"], context.expression)
        self._records = context.expression(spec["records"])

    def fetch(self, external_id: str) -> Receipt | Missing:
        request = self._template.prepare({"config": dict(self._context.config), "id": external_id})
        try:
            answer = self._client.call(request, f"fetch_{self._stream}")
        except CallFailed as failed:
            if failed.resolution is Resolution.GONE:
                return Missing(external_id)
            raise
        return pulled(self._context, self._stream, answer, "fetch")

    def records(self, tree: Tree) -> list[Tree]:
        return cut(self._records, tree)


class Listing:
    """One stream's `list_ids`."""

    def __init__(self, stream: str, spec: ListSpec, client: Client, context: Context) -> None:
        self._stream = stream
        self._context = context
        self._template = RequestTemplate(spec["request"], context.expression)
        self._pages = Pages(client, spec.get("pages", ALL_AT_ONCE), context.expression(spec["records"]), context)
        self._id, self._version = context.expression(spec["id"]), context.expression(spec["version"])

    def list_ids(self, window: Window) -> Iterator[ExternalVersion]:
        scope: Tree = {
            "config": dict(self._context.config),
            "from": instant_text(window.start),
            "to": instant_text(window.end),
            "size": self._pages.spec["size"],
        }
        for page in self._pages.walk(self._template.prepare(scope), f"list_{self._stream}"):
            for record in page.records:
                name = text_of(self._id(record), "id")
                if not name:
                    raise DataError("a record of the list has no id")
                yield ExternalVersion(name, text_of(self._version(record), "version") or "")


def pulled(context: Context, stream: str, answer: Answer, selector: str) -> Receipt:
    return Receipt(
        connection=context.connection,
        stream=stream,
        delivery_id=None,
        headers={SELECTOR: selector},
        body=answer.response.body,
        content_type=answer.response.headers.get("content-type", JSON),
        received_at=context.clock.now(),
    )


def instant_text(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _sortable(text: str) -> tuple[int, str]:
    """Numbers by their value; instants are written in one length and sort as text."""
    return (len(text.lstrip("0")), text.lstrip("0")) if text.isdigit() else (0, text)


def _place(cursor: Cursor | None) -> Place:
    """A cursor that another connector of this name wrote counts as none: everything is read again, and recognised."""
    try:
        said = json.loads(cursor.value) if cursor is not None and cursor.value else {}
        texts = {name: str(said[name]) for name in ("since", "asked", "seen", "page") if name in said}
        return Place(**texts, pages=int(said.get("pages", 0)))
    except (ValueError, TypeError, AttributeError):
        return Place()
