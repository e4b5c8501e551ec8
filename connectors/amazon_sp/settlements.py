"""Settlement reports: what the marketplace paid out, as it lists it (Reports API 2021-06-30, flat file V2).

The marketplace makes these reports by itself; they are looked for, never asked for. A report is a table with tabs
between its cells: the first row of a settlement holds its period, its deposit and its total, the others one amount
each. How amounts and times are written depends on the marketplace (95.00 or 95,00), and no header says which.
"""

from __future__ import annotations

import datetime as dt
import email.message
import json
import urllib.parse
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from connectors.amazon_sp.bodies import instant
from connectors.amazon_sp.spapi import SellingPartnerApi, segment
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, DataError, Resolution, TransportError
from hub.sdk.lenient import Node, nodes_at, text_at
from hub.sdk.ports import HttpResponse
from hub.sdk.records import Batch, Cursor, RawRecord, Receipt

REPORTS = "/reports/2021-06-30/reports"
DOCUMENTS = "/reports/2021-06-30/documents"
REPORT_TYPE = "GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2"
KEPT_BY_VENDOR = dt.timedelta(days=90)
LOOKBACK = dt.timedelta(days=3)
"""A report may be done long after it was begun, and it is found by when it was begun."""
MAX_TEXT_BYTES = 128 * 1024 * 1024
REMEMBERED = 500
NEEDED = (
    "settlement_id",
    "total_amount",
    "currency",
    "transaction_type",
    "amount_type",
    "amount_description",
    "amount",
)
OF_SETTLEMENT = (
    "settlement_id",
    "settlement_start_date",
    "settlement_end_date",
    "deposit_date",
    "total_amount",
    "currency",
)
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class ReportSweep:
    """Where looking for reports stands: those begun from `since` on; `taken` were read already."""

    since: dt.datetime
    taken: tuple[str, ...] = ()

    @classmethod
    def from_cursor(cls, cursor: Cursor | None, start: dt.datetime) -> ReportSweep:
        """Raises DataError for a cursor that is none of ours."""
        if cursor is None:
            return cls(start)
        try:
            kept = json.loads(cursor.value)
            return cls(max(start, dt.datetime.fromisoformat(kept["since"])), tuple(kept["taken"]))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError("the stored cursor of this stream cannot be read; reset it") from error

    def cursor(self) -> Cursor:
        return Cursor(json.dumps({"since": self.since.isoformat(), "taken": self.taken}))

    def having(self, report: str) -> ReportSweep:
        return replace(self, taken=(*self.taken, report)[-REMEMBERED:])


class Settlements:
    """Reads the reports of one seller account."""

    def __init__(self, context: Context, api: SellingPartnerApi) -> None:
        self._context = context
        self._api = api

    def read(self, cursor: Cursor | None, start: dt.datetime, lookback: dt.timedelta) -> Iterator[Batch]:
        """One batch a report, with the cursor behind it. Raises CallFailed; what was read before stays read."""
        now = self._context.clock.now()
        # A minute of grace: the vendor refuses to look back further than it keeps.
        sweep = ReportSweep.from_cursor(cursor, max(start, now - KEPT_BY_VENDOR + dt.timedelta(minutes=1)))
        newest = sweep.since
        for report in self._reports(sweep.since):
            name, made = text_at(report, "reportId"), instant(text_at(report, "createdTime"))
            document = text_at(report, "reportDocumentId")
            newest = max(newest, made) if made is not None else newest
            if name is None or document is None or name in sweep.taken:
                continue
            response = self._download(document)
            sweep = sweep.having(name)
            yield Batch([self._receipt(name, response)], sweep.cursor())
        yield Batch([], replace(sweep, since=max(sweep.since, newest - lookback)).cursor())

    def _reports(self, since: dt.datetime) -> Iterator[Node]:
        query = {
            "reportTypes": REPORT_TYPE,
            "processingStatuses": "DONE",
            "pageSize": "100",
            "createdSince": since.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        seen: set[str] = set()
        while True:
            page = self._api.read("getReports", REPORTS, query)
            yield from nodes_at(page, "reports")
            token = text_at(page, "nextToken")
            if token is None:
                return
            if token in seen:
                raise CallFailed(Resolution.RETRY, "getReports repeats its page tokens")
            seen.add(token)
            query = {"nextToken": token}

    def _download(self, document: str) -> HttpResponse:
        """The report's bytes, from an address that is good for five minutes and needs no token."""
        told = self._api.read("getReportDocument", f"{DOCUMENTS}/{segment(document)}", {})
        url = text_at(told, "url") or ""
        if not self._may_ask(url):
            raise CallFailed(Resolution.RETRY, "the report's address is neither HTTPS nor the configured endpoint's")
        try:
            response = self._context.http.request("GET", url, operation="downloadReport")
        except TransportError as error:
            raise CallFailed(Resolution.RETRY, f"the report could not be downloaded: {error}") from error
        if response.status != 200:
            words = f"the report could not be downloaded: HTTP {response.status}"
            raise CallFailed(Resolution.RETRY, words, status=response.status)
        return response

    def _may_ask(self, url: str) -> bool:
        asked = urllib.parse.urlsplit(url)
        ours = urllib.parse.urlsplit(str(self._context.config.get("endpoint", "")))
        if asked.scheme == "https":
            return True
        return bool(ours.netloc) and (asked.scheme, asked.netloc) == (ours.scheme, ours.netloc)

    def _receipt(self, report: str, response: HttpResponse) -> Receipt:
        return Receipt(
            connection=self._context.connection,
            stream="payouts",
            delivery_id=report,
            headers={},
            body=response.body,
            content_type=response.headers.get("content-type", "text/tab-separated-values"),
            received_at=self._context.clock.now(),
            topic="getReportDocument",
        )


def settlements_of(body: bytes, content_type: str = "") -> Iterator[RawRecord]:
    """Each settlement of a report as {its own columns, rows: [{column: cell}]}; columns are written with `_`, empty
    cells are left out, amounts have a point. Raises DataError for a body that is no such report."""
    rows = _rows(_text(_unpacked(body), content_type))
    point = _decimal_point([row[name] for row in rows for name in ("total_amount", "amount") if name in row])
    found: dict[str, list[dict[str, str]]] = {}
    for number, row in enumerate(rows, start=2):
        if "settlement_id" not in row:
            raise DataError("a row names no settlement", position=f"line {number}")
        found.setdefault(row["settlement_id"], []).append(row)
    for settlement, of_it in found.items():
        head = next((row for row in of_it if "total_amount" in row), {})
        told: Node = {name: head[name] for name in OF_SETTLEMENT if name in head}
        if "total_amount" in told:
            told["total_amount"] = _plain(head["total_amount"], point)
        amounts = [{**row, "amount": _plain(row["amount"], point)} for row in of_it if "amount" in row]
        body_of_it: Node = {**told, "settlement_id": settlement, "rows": amounts}
        yield RawRecord("payouts", settlement, body_of_it, f"settlement.{settlement}")


def _unpacked(body: bytes) -> bytes:
    if not body.startswith(_GZIP):
        return body
    unpacking = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacking.decompress(body, MAX_TEXT_BYTES)
    except zlib.error as error:
        raise DataError(f"the compressed report is broken: {error}") from error
    if unpacking.unconsumed_tail:
        raise DataError(f"the report is larger than {MAX_TEXT_BYTES} bytes")
    if not unpacking.eof:
        raise DataError("the compressed report ends in the middle")
    return unpacked


def _text(body: bytes, content_type: str) -> str:
    """By the charset that the answer names, which it seldom does; else UTF-8, else the marketplaces' older ones."""
    message = email.message.Message()
    message["content-type"] = content_type or "text/plain"
    named = message.get_content_charset()
    for charset in (*([named] if named else []), "utf-8-sig", "shift_jis", "cp1252"):
        try:
            return body.decode(charset)
        except (UnicodeDecodeError, LookupError):
            continue
    return body.decode("latin-1")


def _rows(text: str) -> list[dict[str, str]]:
    header, *lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    names = [name.strip().replace("-", "_") for name in header.split("\t")]
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise DataError(
            f"it is no settlement report (flat file V2): {missing[0].replace('_', '-')} is missing", position="line 1"
        )
    rows = []
    for number, line in enumerate(lines, start=2):
        cells = line.split("\t")
        if len(cells) > len(names):
            raise DataError(f"it has {len(cells)} cells, the header {len(names)}", position=f"line {number}")
        if line.strip():
            named = zip(names, cells, strict=False)
            rows.append({name: cell.strip() for name, cell in named if name and cell.strip()})
    return rows


def _decimal_point(amounts: Sequence[str]) -> str:
    """The mark that the report's amounts have before their decimals. Where one amount has both marks it is the last; a
    mark with other than three digits behind it groups nothing. Raises DataError where amounts contradict each other."""
    found = set()
    for amount in amounts:
        marks = [(amount.rfind(mark), mark) for mark in ".," if mark in amount]
        if len(marks) == 2:
            found.add(max(marks)[1])
        elif marks and amount.count(marks[0][1]) == 1 and len(amount) - marks[0][0] - 1 != 3:
            found.add(marks[0][1])
    if len(found) > 1:
        raise DataError("some amounts have a decimal point, others a decimal comma")
    return found.pop() if found else "."


def _plain(amount: str, point: str) -> str:
    grouping = "," if point == "." else "."
    return amount.replace(grouping, "").replace("\u00a0", "").replace(" ", "").replace(point, ".")
