"""Shopify as the hub meets it: webhooks in, orders and refunds by the GraphQL Admin API, shipments and stock out."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence

from connectors.shopify import queries
from connectors.shopify.admin_api import AdminApi, Answer
from connectors.shopify.gids import gid, legacy_id
from connectors.shopify.levels import shown_levels
from connectors.shopify.pushes import Pushes
from connectors.shopify.rest_shape import order_from_graphql, refund_from_graphql
from connectors.shopify.tells import Tells
from hub.sdk.capabilities import Capability
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, ConfigurationError, DataError, Resolution, SignatureError
from hub.sdk.lenient import Node, node_at, nodes_at, text_at
from hub.sdk.records import (
    Batch,
    CheckReport,
    Cursor,
    Effect,
    ExternalVersion,
    Found,
    HttpAnswer,
    Missing,
    NotFound,
    Probe,
    RawRecord,
    RawRequest,
    Receipt,
    Reply,
    ShownLevel,
    Unsure,
    Window,
)
from hub.sdk.signatures import Secret, read_secrets, verify

TOPICS = {
    "orders/create": "orders",
    "orders/updated": "orders",
    "orders/cancelled": "orders",
    "refunds/create": "refunds",
    "fulfillments/create": "shipments",
}
"""Subscribed webhook topics and the stream each restates; the manifest says the same."""

POLL_TOPIC = "graphql"
SCOPES = ("read_orders", "write_merchant_managed_fulfillment_orders", "write_inventory")
TELLING: Mapping[str, str] = {
    "push_refund": "write_orders",
    "push_cancellation": "write_orders",
    "push_order_status": "write_orders",
    "push_return": "write_returns",
}
"""Scopes that are needed only where the connection sends such calls."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_IDS_PER_PAGE = 250


class Shopify:
    """One shop. No I/O in the constructor and in the four methods of webhooks."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._api = AdminApi(context)
        self._pushes = Pushes(context, self._api)
        self._tells = Tells(context, self._api)
        configured = context.config.get("webhook_secrets") or ()
        self._secrets: tuple[Secret, ...] = read_secrets(configured) if configured else ()
        self._shop = str(context.config["shop"]).lower()

    # -- check ---------------------------------------------------------------------------------------------------

    def check(self) -> CheckReport:
        """Reaches the shop, knows the token, and names the access scopes that are missing."""
        try:
            answer = self._api.read("Shop", queries.SHOP, {}, None)
        except CallFailed as error:
            return CheckReport([Probe("reach the Admin API", ok=False, detail=error.words)])
        shop = node_at(answer.data, "shop")
        scopes = {
            text_at(scope, "handle")
            for scope in nodes_at(node_at(answer.data, "currentAppInstallation"), "accessScopes")
        }
        telling = sorted({scope for name, scope in TELLING.items() if name in self._context.effect_options})
        missing = [scope for scope in (*SCOPES, *telling) if scope not in scopes]
        return CheckReport(
            [
                Probe("reach the Admin API", ok=True, detail=f"{text_at(shop, 'name')} answers"),
                Probe(
                    "access scopes", ok=not missing, detail=f"missing: {', '.join(missing)}" if missing else "complete"
                ),
                Probe(
                    "webhook secrets",
                    ok=any(secret.is_valid(self._context.clock.now()) for secret in self._secrets),
                    detail=f"{len(self._secrets)} configured",
                ),
            ]
        )

    # -- webhooks ------------------------------------------------------------------------------------------------

    def verify(self, request: RawRequest) -> None:
        """The HMAC-SHA256 of the raw body in base64, by any secret that is valid now.

        Two header families are in use, with and without `x-` (shopify.dev/docs/apps/build/webhooks). The vendor's
        timestamp is not signed and retries carry the first one's, so it cannot bound replays; ids do.
        """
        signature = _header(request, "hmac-sha256")
        verify(signature, request.body, self._secrets, now=self._context.clock.now())
        shop = _header(request, "shop-domain")
        if shop is not None and shop.strip().lower() != self._shop:
            raise SignatureError("the request is about another shop")

    def receipt(self, request: RawRequest, topic: str | None) -> Receipt:
        """The stream is empty for a topic that is not subscribed.

        A delivery and its retries share the webhook id (shopify.dev, verify webhook deliveries).
        """
        topic = (_header(request, "topic") or topic or "").strip().lower()
        return Receipt(
            connection=self._context.connection,
            stream=TOPICS.get(topic, ""),
            delivery_id=_header(request, "webhook-id") or _header(request, "event-id"),
            headers={name: value for name, value in request.headers.items() if "shopify-" in name},
            body=request.body,
            content_type=request.headers.get("content-type", "application/json"),
            received_at=request.received_at,
            topic=topic,
        )

    def parse(self, receipt: Receipt) -> Sequence[RawRecord]:
        """Webhook bodies, GraphQL pages of our own polls, and REST answers fed by hand, all as REST-shaped records.

        Raises DataError for a body that is no JSON object or that holds no record of the stream.
        """
        tree = self._context.loads(receipt.body)
        if not isinstance(tree, dict):
            raise DataError("a JSON object is needed", position="1:1")
        if isinstance(tree.get("data"), dict):
            return list(_from_graphql(receipt.stream, tree["data"]))
        return list(_from_rest(receipt.stream, tree))

    def respond(self, request: RawRequest) -> HttpAnswer | None:
        del request  # any 2xx will do
        return None

    # -- pull ----------------------------------------------------------------------------------------------------

    def read(self, stream: str, cursor: Cursor | None, limit: int) -> Iterator[Batch]:
        """Pages of what changed since the cursor, oldest change first, at most about `limit` records.

        The cursor is `{"since", "after", "high"}`: one sweep reads everything from `since` on, page by page; when it
        ends, the next one starts the stream's lookback before the newest change that this one saw, because rows become
        visible late and several share a second. Ends with CallFailed rate_limited, after the pages it has got, when
        the shop's bucket cannot pay for the next page.
        """
        if stream not in ("orders", "refunds"):
            raise ConfigurationError(f"there is no stream {stream} to read")
        sweep = _Sweep.from_cursor(cursor, self._start(stream))
        seen = 0
        while seen < limit:
            answer, page = self._page(stream, sweep)
            nodes = nodes_at(page, "nodes")
            receipts = [self._page_receipt(stream, answer.response.body)] if nodes else []
            if stream == "orders":
                receipts += [self._whole_order(node) for node in nodes if _has_more_lines(node)]
            info = node_at(page, "pageInfo")
            more = info.get("hasNextPage") is True
            sweep = sweep.advanced(nodes, text_at(info, "endCursor") if more else None, self._lookback(stream))
            yield Batch(receipts, sweep.cursor())
            seen += len(nodes)
            if not more:
                return
            if answer.wait_seconds > 0:
                raise CallFailed(
                    Resolution.RATE_LIMITED,
                    "the shop's query budget is used up",
                    retry_after_seconds=max(1.0, answer.wait_seconds),
                )

    def settle(self, batch: Batch) -> None:
        """Nothing to do: reading changes nothing at the shop."""

    def fetch(self, stream: str, external_id: str) -> Receipt | Missing:
        """One order or refund as it is now."""
        if stream == "refunds":
            answer = self._api.read("RefundById", queries.REFUND_BY_ID, {"id": gid("Refund", external_id)}, None)
            if not node_at(answer.data, "refund"):
                return Missing(external_id)
            return self._page_receipt(stream, answer.response.body)
        answer = self._api.read("OrderById", queries.ORDER_BY_ID, {"id": gid("Order", external_id)}, None)
        order = node_at(answer.data, "order")
        if not order:
            return Missing(external_id)
        if _has_more_lines(order):
            return self._whole_order(order)
        return self._page_receipt(stream, answer.response.body)

    def list_ids(self, stream: str, window: Window) -> Iterator[ExternalVersion]:
        """Ids and versions of orders changed in the window."""
        if stream != "orders":
            raise ConfigurationError(f"ids of {stream} cannot be listed")
        query = f"updated_at:>='{_instant(window.start)}' updated_at:<'{_instant(window.end)}'"
        after: str | None = None
        while True:
            variables = {"first": _IDS_PER_PAGE, "after": after, "query": query}
            page = node_at(self._api.read("OrderIds", queries.ORDER_IDS, variables, None).data, "orders")
            for node in nodes_at(page, "nodes"):
                if external_id := text_at(node, "legacyResourceId"):
                    yield ExternalVersion(external_id, version_of(text_at(node, "updatedAt")) or "")
            info = node_at(page, "pageInfo")
            after = text_at(info, "endCursor")
            if info.get("hasNextPage") is not True or after is None:
                return

    # -- push ----------------------------------------------------------------------------------------------------

    def push_shipment(self, effect: Effect) -> Reply:
        return self._pushes.push_shipment(effect)

    def push_inventory(self, effect: Effect) -> Reply:
        return self._pushes.push_inventory(effect)

    def push_refund(self, effect: Effect) -> Reply:
        return self._tells.push_refund(effect)

    def push_cancellation(self, effect: Effect) -> Reply:
        return self._tells.push_cancellation(effect)

    def push_return(self, effect: Effect) -> Reply:
        return self._tells.push_return(effect)

    def push_order_status(self, effect: Effect) -> Reply:
        return self._tells.push_order_status(effect)

    def shown_levels(self) -> Iterator[ShownLevel]:
        """Every level that the shop shows now."""
        return shown_levels(self._api, str(self._context.config.get("location") or ""))

    def lookup(self, capability: Capability, effect: Effect) -> Found | NotFound | Unsure:
        if capability is Capability.PUSH_SHIPMENT:
            return self._pushes.lookup_shipment(effect)
        if capability is not Capability.PUSH_INVENTORY:
            return self._tells.lookup(capability, effect)
        return Unsure(f"{capability} is repeated with its idempotency key instead")

    # ------------------------------------------------------------------------------------------------------------

    def _page(self, stream: str, sweep: _Sweep) -> tuple[Answer, Node]:
        operation, query = (
            ("OrderPage", queries.ORDER_PAGE) if stream == "orders" else ("RefundPage", queries.REFUND_PAGE)
        )
        variables = {
            "first": int(self._context.config.get("page_size", 10)),
            "after": sweep.after,
            "query": f"updated_at:>='{_instant(sweep.since)}'",
        }
        answer = self._api.read(operation, query, variables, None)
        return answer, node_at(answer.data, "orders")

    def _whole_order(self, node: Node) -> Receipt:
        """An order with more lines than a page shows: all of them, in the shape of a single order's answer."""
        order_id = text_at(node, "id") or ""
        order = node_at(self._api.read("OrderById", queries.ORDER_BY_ID, {"id": order_id}, None).data, "order")
        lines = list(nodes_at(order, "lineItems"))
        info = node_at(node_at(order, "lineItems"), "pageInfo")
        while info.get("hasNextPage") is True and (after := text_at(info, "endCursor")):
            variables = {"id": order_id, "after": after}
            more = node_at(self._api.read("MoreLines", queries.MORE_LINES, variables, None).data, "order")
            lines += nodes_at(more, "lineItems")
            info = node_at(node_at(more, "lineItems"), "pageInfo")
        whole = {**order, "lineItems": {"pageInfo": {"hasNextPage": False}, "nodes": lines}}
        body = json.dumps({"data": {"order": whole}}, default=str, ensure_ascii=False).encode("utf-8")
        return self._page_receipt("orders", body)

    def _page_receipt(self, stream: str, body: bytes) -> Receipt:
        return Receipt(
            connection=self._context.connection,
            stream=stream,
            delivery_id=None,
            headers={},
            body=body,
            content_type="application/json",
            received_at=self._context.clock.now(),
            topic=POLL_TOPIC,
        )

    def _start(self, stream: str) -> dt.datetime:
        return self._context.start_from.get(stream) or _EPOCH

    def _lookback(self, stream: str) -> dt.timedelta:
        default = float(self._context.config.get("lookback_seconds", 300))
        return dt.timedelta(seconds=self._context.lookback_seconds.get(stream, default))


class _Sweep:
    """Where a poll stands: one pass over everything changed since `since`."""

    def __init__(self, since: dt.datetime, after: str | None, high: dt.datetime) -> None:
        self.since = since
        self.after = after
        self.high = high

    @classmethod
    def from_cursor(cls, cursor: Cursor | None, start: dt.datetime) -> _Sweep:
        if cursor is None:
            return cls(start, None, start)
        try:
            kept = json.loads(cursor.value)
            return cls(
                max(start, dt.datetime.fromisoformat(kept["since"])),
                kept["after"],
                dt.datetime.fromisoformat(kept["high"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DataError("the stored cursor of this stream cannot be read; reset it") from error

    def advanced(self, nodes: Sequence[Node], after: str | None, lookback: dt.timedelta) -> _Sweep:
        """After a page; without a further one the next sweep begins."""
        changed = [at for node in nodes if (at := _parsed(text_at(node, "updatedAt")))]
        high = max([self.high, *changed])
        if after is not None:
            return _Sweep(self.since, after, high)
        return _Sweep(max(self.since, high - lookback), None, high)

    def cursor(self) -> Cursor:
        return Cursor(json.dumps({"since": self.since.isoformat(), "after": self.after, "high": self.high.isoformat()}))


def _from_graphql(stream: str, data: Node) -> Iterator[RawRecord]:
    single = node_at(data, "order")
    orders = nodes_at(data, "orders") or ([single] if single else [])
    if stream == "orders":
        for index, node in enumerate(orders):
            if not _has_more_lines(node):
                yield _order_record(order_from_graphql(node), f"data.orders.nodes.{index}")
        return
    for index, node in enumerate(orders):
        order_id, currency = legacy_id(text_at(node, "id")), text_at(node, "currencyCode")
        for number, refund in enumerate(nodes_at(node, "refunds")):
            position = f"data.orders.nodes.{index}.refunds.{number}"
            yield _refund_record(refund_from_graphql(refund, order_id, currency), position)
    refund = node_at(data, "refund")
    if refund:
        order = node_at(refund, "order")
        shaped = refund_from_graphql(refund, legacy_id(text_at(order, "id")), text_at(order, "currencyCode"))
        yield _refund_record(shaped, "data.refund")


def _from_rest(stream: str, tree: Node) -> Iterator[RawRecord]:
    one, many, record = _REST_NAMES[stream]
    # An order carries a list of refunds of its own, so the list is a wrapper only where nothing says "order".
    if isinstance(tree.get(one), dict):
        yield record(node_at(tree, one), one)
    elif isinstance(tree.get(many), list) and "id" not in tree:
        for index, entry in enumerate(_entries(tree[many], many)):
            yield record(entry, f"{many}.{index}")
    else:
        yield dataclasses.replace(record(tree, ""), whole=True)


def _entries(values: object, name: str) -> Iterator[Node]:
    for index, value in enumerate(values if isinstance(values, list) else []):
        if not isinstance(value, dict):
            raise DataError("an object is needed", position=f"{name}.{index}")
        yield value


def _order_record(order: Node, position: str) -> RawRecord:
    updated_at = text_at(order, "updated_at")
    return RawRecord(
        stream="orders",
        external_id=text_at(order, "id"),
        body=order,
        position=position,
        version=version_of(updated_at),
        occurred_at=_parsed(updated_at),
    )


def _refund_record(refund: Node, position: str) -> RawRecord:
    return RawRecord(
        stream="refunds",
        external_id=text_at(refund, "id"),
        body=refund,
        position=position,
        occurred_at=_parsed(text_at(refund, "created_at")),
    )


def _fulfilment_record(fulfilment: Node, position: str) -> RawRecord:
    return RawRecord(
        stream="shipments",
        external_id=text_at(fulfilment, "id"),
        body=fulfilment,
        position=position,
        occurred_at=_parsed(text_at(fulfilment, "created_at")),
    )


_REST_NAMES = {
    "orders": ("order", "orders", _order_record),
    "refunds": ("refund", "refunds", _refund_record),
    "shipments": ("fulfillment", "fulfillments", _fulfilment_record),
}
"""Stream -> the REST API's word for one, for several, and how one becomes a record."""


def version_of(updated_at: str | None) -> str | None:
    """A version that sorts as text: the instant in UTC with microseconds; None where there is no readable one."""
    parsed = _parsed(updated_at)
    return None if parsed is None else parsed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _parsed(value: str | None) -> dt.datetime | None:
    if value is None or len(value) > 40:
        return None
    try:
        parsed = dt.datetime.fromisoformat(value)
        return parsed.astimezone(dt.UTC) if parsed.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _instant(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _has_more_lines(node: Node) -> bool:
    return node_at(node_at(node, "lineItems"), "pageInfo").get("hasNextPage") is True


def _header(request: RawRequest, name: str) -> str | None:
    """A header of either family: x-shopify-<name> first, then shopify-<name>."""
    value = request.headers.get(f"x-shopify-{name}")
    return value if value is not None else request.headers.get(f"shopify-{name}")
