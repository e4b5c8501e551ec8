"""Amazon as the hub meets it: orders by the Orders API 2026-01-01, shipments by confirmShipment, stock by listings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from connectors.amazon_sp.bodies import instant, records_of, version_of
from connectors.amazon_sp.pushes import Pushes
from connectors.amazon_sp.settlements import LOOKBACK, Settlements, settlements_of
from connectors.amazon_sp.spapi import SellingPartnerApi, segment
from connectors.amazon_sp.sweep import Sweep
from hub.sdk.capabilities import Capability
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, ConfigurationError, Resolution
from hub.sdk.lenient import Node, node_at, nodes_at, text_at
from hub.sdk.ports import HttpResponse
from hub.sdk.records import (
    Batch,
    CheckReport,
    Cursor,
    Effect,
    ExternalVersion,
    Found,
    Missing,
    NotFound,
    Probe,
    RawRecord,
    Receipt,
    Reply,
    Unsure,
    Window,
)

ORDERS = "/orders/2026-01-01/orders"
DATASETS = ("BUYER", "RECIPIENT", "PROCEEDS", "PROMOTION", "CANCELLATION", "FULFILLMENT", "PACKAGES", "TAX")
POLL_TOPIC = "searchOrders"
FETCH_TOPIC = "getOrder"
KEPT_BY_VENDOR = dt.timedelta(days=730)
"""The Orders API does not give older orders in most marketplaces."""

TOO_FRESH = dt.timedelta(minutes=2)
"""An upper bound of time must lie at least this far behind the request."""


class AmazonSp:
    """One seller account in one region. No I/O in the constructor."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._api = SellingPartnerApi(context)
        self._pushes = Pushes(context, self._api)
        self._settlements = Settlements(context, self._api)
        self._marketplaces = tuple(str(one) for one in context.config["marketplaces"])
        self._datasets = tuple(str(one) for one in context.config.get("datasets", DATASETS))

    def check(self) -> CheckReport:
        """Gets a token, and reads one order of the last hours, which also shows what the roles allow."""
        since = self._context.clock.now() - dt.timedelta(hours=1)
        query = {**self._asked(since), "maxResultsPerPage": "1"}
        try:
            self._api.read("searchOrders", ORDERS, query)
        except CallFailed as error:
            if error.resolution is Resolution.RATE_LIMITED:
                return CheckReport([Probe("read orders", ok=True, detail="no call is left now; the token is good")])
            return CheckReport([Probe("read orders", ok=False, detail=error.words)])
        return CheckReport(
            [
                Probe(
                    "read orders",
                    ok=True,
                    detail=f"{len(self._marketplaces)} marketplaces, {len(self._datasets)} datasets",
                ),
                Probe(
                    "push stock",
                    ok=bool(self._context.config.get("seller_id")),
                    detail="seller_id is configured"
                    if self._context.config.get("seller_id")
                    else "seller_id is missing",
                ),
            ]
        )

    def parse(self, receipt: Receipt) -> Sequence[RawRecord]:
        """Raises DataError for a body without an order, or that is no settlement report."""
        if receipt.stream == "payouts":
            return list(settlements_of(receipt.body, receipt.content_type))
        wanted = "cancel_requests" in self._context.streams
        return list(records_of(self._context.loads(receipt.body), cancel_requests=wanted))

    # -- pull ----------------------------------------------------------------------------------------------------

    def read(self, stream: str, cursor: Cursor | None, limit: int) -> Iterator[Batch]:
        """The pages of one sweep, each with the cursor behind it (sweep.py); of payouts the reports (settlements.py).

        Raises CallFailed rate_limited, after the pages it has got, when the plan has no call left. A page token that
        the vendor refuses (it keeps them for a day) or repeats starts the sweep over: first the cursor goes back, then
        CallFailed retry says why.
        """
        if stream == "payouts":
            lookback = self._context.lookback_seconds.get(stream)
            ago = LOOKBACK if lookback is None else dt.timedelta(seconds=lookback)
            yield from self._settlements.read(cursor, self._start(stream), ago)
            return
        if stream != "orders":
            raise ConfigurationError(f"there is no stream {stream} to read")
        sweep = Sweep.from_cursor(cursor, self._start(stream))
        if sweep.since > self._context.clock.now():
            return  # the stream starts later
        while True:
            asked_at = self._context.clock.now()
            try:
                page, response = self._page(sweep, min(limit, int(self._context.config.get("page_size", 100))))
            except CallFailed as error:
                if error.resolution is not Resolution.REJECTED or sweep.token is None:
                    raise
                yield Batch([], sweep.restarted().cursor())
                raise CallFailed(Resolution.RETRY, f"the page is gone, the sweep starts over: {error.words}") from error
            sweep = sweep.looked_until(text_at(page, "lastUpdatedBefore"), asked_at)
            token = text_at(node_at(page, "pagination"), "nextToken")
            broken = token is not None and self._goes_round(sweep, token)
            if token is None:
                sweep = sweep.following(self._lookback(stream))
            elif broken:
                sweep = sweep.restarted()
            else:
                sweep = sweep.onward(token)
            receipts = [self._receipt(response, POLL_TOPIC)] if nodes_at(page, "orders") else []
            yield Batch(receipts, sweep.cursor())
            if broken:
                raise CallFailed(Resolution.RETRY, "searchOrders repeats its page tokens; the sweep starts over")
            if token is None:
                return

    def settle(self, batch: Batch) -> None:
        """Nothing to do: reading changes nothing over there."""

    def fetch(self, stream: str, external_id: str) -> Receipt | Missing:
        """One order as it is now."""
        try:
            tree, response = self._api.read_answer(
                "getOrder", f"{ORDERS}/{segment(external_id)}", {"includedData": self._datasets}
            )
        except CallFailed as error:
            if error.status == 404:
                return Missing(external_id)
            raise
        return self._receipt(response, FETCH_TOPIC) if node_at(tree, "order") else Missing(external_id)

    def list_ids(self, stream: str, window: Window) -> Iterator[ExternalVersion]:
        """Ids and versions of orders changed in the window, as far as they are not changed again after it."""
        if stream != "orders":
            raise ConfigurationError(f"ids of {stream} cannot be listed")
        until = min(window.end, self._context.clock.now() - TOO_FRESH)
        query = {
            "lastUpdatedAfter": _text(window.start),
            "lastUpdatedBefore": _text(until),
            "marketplaceIds": self._marketplaces,
            "maxResultsPerPage": "100",
        }
        sweep = Sweep(window.start)
        while until > window.start:
            given = {**query, **({"paginationToken": sweep.token} if sweep.token else {})}
            page = self._api.read("searchOrders", ORDERS, given)
            for order in nodes_at(page, "orders"):
                changed = instant(text_at(order, "lastUpdatedTime"))
                if (order_id := text_at(order, "orderId")) and changed and window.start <= changed < window.end:
                    yield ExternalVersion(order_id, version_of(text_at(order, "lastUpdatedTime")) or "")
            token = text_at(node_at(page, "pagination"), "nextToken")
            if token is None:
                return
            if self._goes_round(sweep, token):
                raise CallFailed(Resolution.RETRY, "searchOrders repeats its page tokens")
            sweep = sweep.onward(token)

    # -- push ----------------------------------------------------------------------------------------------------

    def push_shipment(self, effect: Effect) -> Reply:
        return self._pushes.push_shipment(effect)

    def push_inventory(self, effect: Effect) -> Reply:
        return self._pushes.push_inventory(effect)

    def lookup(self, capability: Capability, effect: Effect) -> Found | NotFound | Unsure:
        """Never raises for what the other side answers."""
        try:
            if capability is Capability.PUSH_SHIPMENT:
                return self._pushes.lookup_shipment(effect)
            return self._pushes.lookup_inventory(effect)
        except CallFailed as error:
            return Unsure(error.words)

    # ------------------------------------------------------------------------------------------------------------

    def _page(self, sweep: Sweep, size: int) -> tuple[Node, HttpResponse]:
        query = {**self._asked(sweep.since), "maxResultsPerPage": str(max(1, size))}
        if sweep.token:
            query["paginationToken"] = sweep.token
        return self._api.read_answer("searchOrders", ORDERS, query)

    def _asked(self, since: dt.datetime) -> dict[str, str | Sequence[str]]:
        return {
            "lastUpdatedAfter": _text(since),
            "marketplaceIds": self._marketplaces,
            "includedData": self._datasets,
        }

    def _goes_round(self, sweep: Sweep, token: str) -> bool:
        return sweep.knows(token) or sweep.pages + 1 >= int(self._context.config.get("max_pages", 2000))

    def _receipt(self, response: HttpResponse, topic: str) -> Receipt:
        return Receipt(
            connection=self._context.connection,
            stream="orders",
            delivery_id=None,
            headers={name: value for name, value in response.headers.items() if name.startswith("x-amzn-")},
            body=response.body,
            content_type="application/json",
            received_at=self._context.clock.now(),
            topic=topic,
        )

    def _start(self, stream: str) -> dt.datetime:
        oldest = self._context.clock.now() - KEPT_BY_VENDOR
        return max(self._context.start_from.get(stream, oldest), oldest)

    def _lookback(self, stream: str) -> dt.timedelta:
        default = float(self._context.config.get("lookback_seconds", 900))
        return dt.timedelta(seconds=self._context.lookback_seconds.get(stream, default))


def _text(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
