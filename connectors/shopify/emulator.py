"""An emulated shop: people place, edit, cancel and refund orders; the GraphQL Admin API and webhooks as documented.

Its ledger holds what really happened, by kind:
order_placed  key order id, subject name, data {currency, total, lines: [{id, sku, quantity}]}
sale          key order id, subject SKU, data {quantity, available, guarded}: units sold against the level shown
fulfilment    key tracking number (else fulfilment id), subject order id, data {id, lines: {line id: quantity}}
stock_push    key idempotency key, subject SKU, data {location, quantity, before, compared}
refund        key refund id, subject order id, data {amount, lines}
cancel        key order id, subject name, data {reason}
return, ready, tag: see desk.py
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import random
import re
import uuid
from collections.abc import Callable, Mapping

from connectors.shopify.desk import Desk
from connectors.shopify.gids import legacy_id
from connectors.shopify.graphql_shape import fulfilment_node, line_connection, order_node, refund_node
from connectors.shopify.order_form import Refused
from connectors.shopify.people import People
from connectors.shopify.shop import DEFAULT_LOCATION, Shop
from hub.sdk.emulator import EmulatedRequest, EmulatedResponse, Emulator, Faults, Ledger, Outgoing
from hub.sdk.lenient import Node, node_at, nodes_at, text_at, whole_at
from hub.sdk.ports import Clock

_JSON = {"content-type": "application/json; charset=utf-8"}
_PATH = re.compile(r"/admin/api/(20\d\d-(?:01|04|07|10)|unstable)/graphql\.json")
_UPDATED = re.compile(r"updated_at:(>=|<)'([^']+)'")
_SKU = re.compile(r"sku:'((?:[^'\\]|\\.)*)'")
_READ_COST = 12.0
_WRITE_COST = 10.0


class GraphqlError(Exception):
    """A request that the API refuses before running it; lands in `errors`."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class ShopifyEmulator(Emulator):
    """Config keys (all text): access_token, webhook_secret, shop, currency, location, skus (comma separated),
    header_family (x | new | both), bucket and restore_rate (points, points a second), continue_selling (yes | no)."""

    def __init__(
        self, *, ledger: Ledger, clock: Clock, source: random.Random, faults: Faults, config: Mapping[str, str]
    ) -> None:
        super().__init__(ledger=ledger, clock=clock, source=source, faults=faults, config=config)
        location = legacy_id(config.get("location")) or DEFAULT_LOCATION
        self.shop = Shop(
            ledger, currency=config.get("currency", "USD"), location=str(location), checkout=config.get("checkout", "")
        )
        for sku in filter(None, (sku.strip() for sku in config.get("skus", "").split(","))):
            self.shop.add_item(sku)
        self._capacity = float(config.get("bucket", "20000"))
        self._rate = float(config.get("restore_rate", "1000"))
        self._points = self._capacity
        self._points_at = clock.now()
        self._echo: tuple[str, ...] = ()
        self._late: list[tuple[dt.datetime, Callable[[], EmulatedResponse]]] = []
        self._operations: dict[str, Callable[[Node], Node]] = {
            "OrderPage": self._order_page,
            "OrderIds": self._order_page,
            "RefundPage": self._refund_page,
            "OrderById": self._order_by_id,
            "MoreLines": self._more_lines,
            "RefundById": self._refund_by_id,
            "FulfilmentState": self._fulfilment_state,
            "FulfilmentCreate": self._fulfilment_create,
            "InventoryItem": self._inventory_item,
            "InventoryLevel": self._inventory_level,
            "InventoryLevels": self._inventory_levels,
            "InventorySet": self._inventory_set,
            "Shop": self._shop_info,
        }
        self._people = People(self.shop, clock, self._record, self._announce)
        desk = Desk(
            self.shop,
            ledger,
            clock.now,
            self._record,
            self._echo_of,
            self._fulfilment_state,
            lambda: self.faults.lookup_lag_seconds,
        )
        self._operations |= desk.operations

    # -- requests ------------------------------------------------------------------------------------------------

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        self._run_late(self.clock.now())
        if request.path.startswith("/_control/"):
            return self._control(request)
        version = _PATH.fullmatch(request.path)
        if version is None or request.method != "POST":
            return _answer(404, {"errors": "Not Found"})
        given = request.headers.get("x-shopify-access-token", "")
        if not hmac.compare_digest(given.encode(), self.config.get("access_token", "").encode()):
            return _answer(
                401, {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}
            )
        return self._with_faults(request)

    def _with_faults(self, request: EmulatedRequest) -> EmulatedResponse:
        fault = self.fault()
        if fault == "error_before":
            return _answer(500, {"errors": "Internal Server Error"})
        if fault == "throttle":
            seconds = str(self.faults.retry_after_seconds)
            return EmulatedResponse(429, b'{"errors":"Exceeded request limit"}', {**_JSON, "retry-after": seconds})
        if fault == "late_commit":
            at = self.clock.now() + dt.timedelta(seconds=self.faults.late_commit_seconds)
            self._late.append((at, lambda: self._graphql(request)))
            return EmulatedResponse(504, b"<html><h1>504 Gateway Time-out</h1></html>", {"content-type": "text/html"})
        answer = self._graphql(request)
        if fault == "error_after":
            return _answer(500, {"errors": "Internal Server Error"})
        if fault == "drop_after":
            return EmulatedResponse(200, drop=True)
        if fault == "delay":
            seconds_late = self.random.random() * self.faults.delay_seconds
            return EmulatedResponse(answer.status, answer.body, answer.headers, seconds_late, after=answer.after)
        return answer

    def _graphql(self, request: EmulatedRequest) -> EmulatedResponse:
        self._echo = ()
        try:
            call = json.loads(request.body)
            name = str(call["operationName"])
            query, variables = str(call["query"]), call.get("variables") or {}
        except (ValueError, KeyError, TypeError):
            return _answer(400, {"errors": {"query": "Required parameter missing or invalid"}})
        operation = self._operations.get(name)
        if operation is None or f" {name}" not in query or not isinstance(variables, dict):
            return _answer(200, {"errors": [{"message": f"No operation named {name!r} that this shop knows"}]})
        cost = _WRITE_COST if query.lstrip().startswith("mutation") else _READ_COST
        if name.endswith("Page"):
            cost += 40.0 * float(whole_at(variables, "first") or 1)
        extensions, allowed = self._spend(cost)
        if not allowed:
            throttled = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
            return _answer(200, {"errors": [throttled], "extensions": extensions})
        try:
            if name in ("InventorySet", "RefundCreate") and "@idempotent" not in query:
                raise GraphqlError("The @idempotent directive is required for this mutation", "BAD_REQUEST")
            data = operation(variables)
        except GraphqlError as error:
            body: Node = {"message": str(error), **({"extensions": {"code": error.code}} if error.code else {})}
            return _answer(200, {"errors": [body], "extensions": extensions})
        answer = _answer(200, {"data": data, "extensions": extensions})
        return EmulatedResponse(answer.status, answer.body, answer.headers, after=self._echo)

    def _spend(self, cost: float) -> tuple[Node, bool]:
        """Take points of the leaky bucket, if there are enough; the extension that tells what is left."""
        now = self.clock.now()
        passed = max(0.0, (now - self._points_at).total_seconds())
        self._points = min(self._capacity, self._points + passed * self._rate)
        self._points_at = now
        allowed = self._points >= cost
        if allowed:
            self._points -= cost
        status = {
            "maximumAvailable": self._capacity,
            "currentlyAvailable": int(self._points),
            "restoreRate": self._rate,
        }
        actual = int(cost) if allowed else None
        return {"cost": {"requestedQueryCost": int(cost), "actualQueryCost": actual, "throttleStatus": status}}, allowed

    # -- queries -------------------------------------------------------------------------------------------------

    def _visible(self, query: str) -> list[Node]:
        """Orders that a search shows, oldest change first; what is younger than the lookup lag is not there yet."""
        newest = (self.clock.now() - dt.timedelta(seconds=self.faults.lookup_lag_seconds)).timestamp()
        bounds = [(sign, dt.datetime.fromisoformat(at).timestamp()) for sign, at in _UPDATED.findall(query)]
        found = []
        for order in self.shop.orders.values():
            changed = dt.datetime.fromisoformat(str(order["updated_at"])).timestamp()
            if self.faults.lookup_lag_seconds > 0 and changed > newest:
                continue
            if all(changed >= at if sign == ">=" else changed < at for sign, at in bounds):
                found.append((changed, whole_at(order, "id") or 0, order))
        return [order for _, _, order in sorted(found, key=lambda entry: entry[:2])]

    def _page(self, variables: Node, make: Callable[[Node], Node]) -> Node:
        """A page after a cursor that names a place (time and id), so that changes between pages lose nothing."""
        found = self._visible(text_at(variables, "query") or "")
        after = text_at(variables, "after")
        if after is not None:
            found = [order for order in found if _cursor(order) > after]
        first = whole_at(variables, "first") or 1
        shown = found[:first]
        info = {"hasNextPage": len(found) > first, "endCursor": _cursor(shown[-1]) if shown else None}
        return {"orders": {"pageInfo": info, "nodes": [make(order) for order in shown]}}

    def _order_page(self, variables: Node) -> Node:
        return self._page(variables, lambda order: order_node(order, lines=50))

    def _refund_page(self, variables: Node) -> Node:
        return self._page(
            variables,
            lambda order: {
                "id": order["admin_graphql_api_id"],
                "legacyResourceId": text_at(order, "id"),
                "updatedAt": order["updated_at"],
                "currencyCode": order["currency"],
                "refunds": [refund_node(refund) for refund in nodes_at(order, "refunds")],
            },
        )

    def _by_gid(self, variables: Node) -> Node | None:
        return self.shop.orders.get(legacy_id(text_at(variables, "id")) or 0)

    def _order_by_id(self, variables: Node) -> Node:
        order = self._by_gid(variables)
        return {"order": None if order is None else order_node(order, lines=250)}

    def _more_lines(self, variables: Node) -> Node:
        order = self._by_gid(variables)
        if order is None:
            return {"order": None}
        return {"order": {"lineItems": line_connection(order, lines=250, after=whole_at(variables, "after") or 0)}}

    def _refund_by_id(self, variables: Node) -> Node:
        wanted = legacy_id(text_at(variables, "id"))
        for order in self.shop.orders.values():
            for refund in nodes_at(order, "refunds"):
                if whole_at(refund, "id") == wanted:
                    owner = {"id": order["admin_graphql_api_id"], "currencyCode": order["currency"]}
                    return {"refund": {**refund_node(refund), "order": owner}}
        return {"refund": None}

    def _fulfilment_state(self, variables: Node) -> Node:
        """One fulfilment order an order, at the shop's location. The lookup lag hides young fulfilments wholly."""
        order = self._by_gid(variables)
        if order is None:
            return {"order": None}
        horizon = self.clock.now() - dt.timedelta(seconds=self.faults.lookup_lag_seconds)
        seen: list[Node] = []
        hidden: dict[int, int] = {}
        for fulfilment in nodes_at(order, "fulfillments"):
            made = dt.datetime.fromisoformat(str(fulfilment["created_at"]))
            if self.faults.lookup_lag_seconds > 0 and made > horizon:
                for line in nodes_at(fulfilment, "line_items"):
                    identifier = whole_at(line, "id") or 0
                    hidden[identifier] = hidden.get(identifier, 0) + (whole_at(line, "quantity") or 0)
            else:
                seen.append(fulfilment)
        lines = []
        for line in nodes_at(order, "line_items"):
            identifier = whole_at(line, "id") or 0
            remaining = (whole_at(line, "fulfillable_quantity") or 0) + hidden.get(identifier, 0)
            lines.append(
                {
                    "id": f"gid://shopify/FulfillmentOrderLineItem/{identifier}",
                    "remainingQuantity": remaining,
                    "lineItem": {"id": line["admin_graphql_api_id"]},
                }
            )
        is_open = order["cancelled_at"] is None and any(line["remainingQuantity"] for line in lines)
        state = {
            "id": f"gid://shopify/FulfillmentOrder/{order['id']}",
            "status": "OPEN" if is_open else "CLOSED",
            "assignedLocation": {"location": {"id": f"gid://shopify/Location/{self.shop.location}"}},
            "lineItems": {"nodes": lines},
        }
        return {
            "order": {
                "id": order["admin_graphql_api_id"],
                "fulfillmentOrders": {"nodes": [state]},
                "fulfillments": [fulfilment_node(fulfilment) for fulfilment in seen],
            }
        }

    def _inventory_item(self, variables: Node) -> Node:
        found = _SKU.search(text_at(variables, "query") or "")
        wanted = re.sub(r"\\(.)", r"\1", found.group(1)).casefold() if found else ""
        # Like the vendor's search, without regard to case.
        nodes = [
            {"id": f"gid://shopify/InventoryItem/{identifier}", "sku": sku}
            for sku, identifier in self.shop.items.items()
            if sku.casefold() == wanted
        ]
        return {"inventoryItems": {"nodes": nodes[:2]}}

    def _inventory_level(self, variables: Node) -> Node:
        sku = self.shop.sku_of(legacy_id(text_at(variables, "item")) or 0)
        if sku is None:
            return {"inventoryItem": None}
        level = self.shop.level(sku, str(legacy_id(text_at(variables, "location"))))
        quantities = [{"name": "available", "quantity": level}]
        return {"inventoryItem": {"inventoryLevel": {"quantities": quantities}}}

    def _inventory_levels(self, variables: Node) -> Node:
        """Pages of items with what each location shows; the cursor is the number of items before it."""
        first, before = whole_at(variables, "first") or 50, whole_at(variables, "after") or 0
        skus = sorted(self.shop.items)
        nodes = [{"sku": sku, "inventoryLevels": {"nodes": self._levels_of(sku)}} for sku in skus[before:][:first]]
        info = {"hasNextPage": before + first < len(skus), "endCursor": str(before + first)}
        return {"inventoryItems": {"pageInfo": info, "nodes": nodes}}

    def _levels_of(self, sku: str) -> list[Node]:
        return [
            {
                "location": {"id": f"gid://shopify/Location/{place}"},
                "quantities": [{"name": "available", "quantity": level}],
            }
            for (name, place), level in sorted(self.shop.levels.items())
            if name == sku
        ]

    def _shop_info(self, _: Node) -> Node:
        scopes = (
            "read_orders",
            "write_orders",
            "write_returns",
            "write_merchant_managed_fulfillment_orders",
            "write_inventory",
        )
        domain = self.config.get("shop", "")
        return {
            "shop": {"name": "Emulated shop", "myshopifyDomain": domain, "currencyCode": self.shop.currency},
            "currentAppInstallation": {"accessScopes": [{"handle": scope} for scope in scopes]},
        }

    # -- mutations -----------------------------------------------------------------------------------------------

    def _fulfilment_create(self, variables: Node) -> Node:
        wish = node_at(variables, "fulfillment")
        lines: dict[int, int] = {}
        order: Node | None = None
        for part in nodes_at(wish, "lineItemsByFulfillmentOrder"):
            order = self.shop.orders.get(legacy_id(text_at(part, "fulfillmentOrderId")) or 0)
            for line in nodes_at(part, "fulfillmentOrderLineItems"):
                identifier = legacy_id(text_at(line, "id")) or 0
                lines[identifier] = lines.get(identifier, 0) + (whole_at(line, "quantity") or 0)
        if order is None:
            return _refusal("fulfillmentCreate", "fulfillment", "Fulfillment order does not exist.")
        if order["cancelled_at"] is not None:
            return _refusal("fulfillmentCreate", "fulfillment", "Fulfillment order is not in a fulfillable state.")
        try:
            made = self.shop.fulfil(order, lines, node_at(wish, "trackingInfo"), self.clock.now())
        except Refused as error:
            return _refusal("fulfillmentCreate", "fulfillment", str(error))
        key = text_at(made, "tracking_number") or str(made["id"])
        self._record("fulfilment", key, str(order["id"]), {"id": made["id"], "lines": lines})
        self._echo = (*self._announce_echo("fulfillments/create", made), *self._announce_echo("orders/updated", order))
        return {"fulfillmentCreate": {"fulfillment": fulfilment_node(made), "userErrors": []}}

    def _inventory_set(self, variables: Node) -> Node:
        key, wish = text_at(variables, "key"), node_at(variables, "input")
        if not key:
            raise GraphqlError("Variable $key of type String! was provided invalid value", "INVALID_VARIABLE")
        digest = hashlib.sha256(json.dumps(wish, sort_keys=True).encode()).hexdigest()
        kept = self.ledger.recall(f"idempotency:{key}")
        if kept is not None:
            before = json.loads(kept)
            if before["digest"] != digest:
                code = "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
                return _refusal("inventorySetQuantities", "key", "The key was used with other parameters.", code)
            return dict(before["data"])
        data = self._set_levels(key, wish)
        self.ledger.remember(f"idempotency:{key}", json.dumps({"digest": digest, "data": data}))
        return data

    def _set_levels(self, key: str, wish: Node) -> Node:
        """All or nothing. A quantity that is not what `changeFromQuantity` says refuses the whole set."""
        mutation = "inventorySetQuantities"
        moves: list[tuple[str, str, int, int, bool]] = []
        for index, entry in enumerate(nodes_at(wish, "quantities")):
            sku = self.shop.sku_of(legacy_id(text_at(entry, "inventoryItemId")) or 0)
            place = str(legacy_id(text_at(entry, "locationId")))
            quantity, expected = whole_at(entry, "quantity"), whole_at(entry, "changeFromQuantity")
            if sku is None or quantity is None:
                message = "The specified inventory item could not be found."
                return _refusal(mutation, f"input.quantities.{index}", message, "INVALID_INVENTORY_ITEM")
            if "changeFromQuantity" not in entry:
                raise GraphqlError("Variable $input was provided invalid value for changeFromQuantity (missing)")
            level = self.shop.level(sku, place)
            if expected is not None and expected != level:
                message = "The changeFromQuantity argument no longer matches the persisted quantity."
                return _refusal(mutation, f"input.quantities.{index}", message, "CHANGE_FROM_QUANTITY_STALE")
            moves.append((sku, place, quantity, level, expected is not None))
        changes: list[object] = []
        for sku, place, quantity, level, compared in moves:
            self.shop.set_level(sku, place, quantity)
            data = {"location": place, "quantity": quantity, "before": level, "compared": compared}
            self._record("stock_push", key, sku, data)
            changes.append({"name": "available", "delta": quantity - level, "quantityAfterChange": quantity})
        group = {"id": f"gid://shopify/InventoryAdjustmentGroup/{self.shop.new_id()}", "changes": changes}
        return {mutation: {"inventoryAdjustmentGroup": group, "userErrors": []}}

    # -- people --------------------------------------------------------------------------------------------------

    def _control(self, request: EmulatedRequest) -> EmulatedResponse:
        verb = self._people.verbs.get(request.path.removeprefix("/_control/"))
        if verb is None:
            return _answer(404, {"error": f"there are {', '.join(sorted(self._people.verbs))}"})
        try:
            wish = json.loads(request.body) if request.body else {}
            if not isinstance(wish, dict):
                raise Refused("a JSON object is needed")
            return _answer(200, verb(wish))
        except Refused as error:
            return _answer(409, {"error": str(error)})
        except (ValueError, ArithmeticError) as error:
            return _answer(400, {"error": str(error)})

    # -- webhooks and the ledger ---------------------------------------------------------------------------------

    def due(self, now: dt.datetime) -> list[Outgoing]:
        self._run_late(now)
        return super().due(now)

    def next_due(self) -> dt.datetime | None:
        times = [at for at, _ in self._late]
        upcoming = super().next_due()
        return min([*times, *([] if upcoming is None else [upcoming])], default=None)

    def waiting(self) -> int:
        return super().waiting() + len(self._late)

    def _run_late(self, now: dt.datetime) -> None:
        """Do the work of calls that were answered 504 before it was done."""
        ready = [work for at, work in self._late if at <= now]
        self._late = [(at, work) for at, work in self._late if at > now]
        for work in ready:
            work()

    def _echo_of(self, topic: str, record: Node) -> None:
        self._echo = (*self._echo, *self._announce_echo(topic, record))

    def _announce_echo(self, topic: str, record: Node) -> tuple[str, ...]:
        """The webhook about the hub's own write: before the answer where the fault says so, else soon after it."""
        first, spread = self.random.random(), self.random.random()
        if first < self.faults.echo_first:
            self.ledger.count_fault("echo_first")
            return (self._announce(topic, record),)
        self._announce(topic, record, delay_seconds=0.05 + 0.3 * spread)
        return ()

    def _announce(self, topic: str, record: Node, *, delay_seconds: float = 0.0) -> str:
        body = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        delivery = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        event = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        values = {
            "topic": topic,
            "shop-domain": self.config.get("shop", ""),
            "api-version": "2026-07",
            "webhook-id": delivery,
            "event-id": event,
            "triggered-at": self.clock.now().isoformat().replace("+00:00", "Z"),
            "hmac-sha256": signature_of(self.config.get("webhook_secret", ""), body),
        }
        family = self.config.get("header_family", "x")
        headers = {"content-type": "application/json", "user-agent": "Shopify-Captain-Hook"}
        if family in ("x", "both"):
            headers |= {f"x-shopify-{name}": value for name, value in values.items()}
        if family in ("new", "both"):
            headers |= {f"shopify-{name}": value for name, value in values.items()}
        self.webhooks.push(Outgoing(delivery, topic, headers, body), delay_seconds=delay_seconds)
        return delivery

    def _record(self, kind: str, key: str, subject: str, data: Mapping[str, object]) -> None:
        self.ledger.add(self.clock.now(), kind, key, subject, json.dumps(data, sort_keys=True))


def signature_of(secret: str, body: bytes) -> str:
    """What the vendor puts in its HMAC header; written here apart from the hub's own, so that one checks the other."""
    return base64.b64encode(hmac.new(secret.encode("utf-8"), body, hashlib.sha256).digest()).decode("ascii")


def _cursor(order: Node) -> str:
    """A place in the order of changes: sorts as text."""
    return f"{order['updated_at']}/{whole_at(order, 'id') or 0:020d}"


def _answer(status: int, content: object) -> EmulatedResponse:
    return EmulatedResponse(status, json.dumps(content, ensure_ascii=False).encode("utf-8"), _JSON)


def _refusal(mutation: str, field: str, message: str, code: str | None = None) -> Node:
    error: Node = {"field": field.split("."), "message": message}
    if code is not None:
        error["code"] = code
    return {mutation: {"fulfillment": None, "inventoryAdjustmentGroup": None, "userErrors": [error]}}
