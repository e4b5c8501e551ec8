"""An emulated marketplace: people buy, ask to cancel and wait; the seller's application reads and confirms.

It answers Login with Amazon (`POST /auth/o2/token`), searchOrders and getOrder of the Orders API 2026-01-01,
confirmShipment of v0, patchListingsItem and getListingsItem of the Listings Items API 2021-08-01, and getReports,
getReportDocument and the documents themselves of the Reports API 2021-06-30 (settlement reports).

Its ledger holds what really happened, by kind:
order_placed  key order id, subject marketplace, data {currency, total, lines: [{id, sku, quantity}]}
sale          key order id, subject SKU, data {quantity, available, guarded}: units sold against the level shown
fulfilment    key tracking number, subject order id, data {reference, lines: {item id: quantity}}
repeated      as fulfilment: a package confirmed again with the same content
stock_push    key submission id, subject SKU, data {channel, quantity, before}
released      key order id; cancel_request, cancel, shipped_by_channel likewise, data {reason}
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hmac
import json
import random
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from connectors.amazon_sp.listings import Listings
from connectors.amazon_sp.orders import Orders, Refused, shown, stamp
from connectors.amazon_sp.people import People
from connectors.amazon_sp.reports import Reports
from hub.sdk.emulator import EmulatedRequest, EmulatedResponse, Emulator, Faults, Ledger, Outgoing
from hub.sdk.lenient import Node, decimal_at, node_at, nodes_at, text_at, whole_at
from hub.sdk.ports import Clock

JSON = {"content-type": "application/json"}
TOKEN_HOURS = 24
MARKETPLACE = "A1PA6795UKMFR9"
_ORDER = re.compile(r"/orders/2026-01-01/orders(?:/([^/]+))?")
_CONFIRM = re.compile(r"/orders/v0/orders/([^/]+)/shipmentConfirmation")
_LISTING = re.compile(r"/listings/2021-08-01/items/([^/]+)/(.+)")
_REPORT = re.compile(r"/reports/2021-06-30/(?:reports|documents/([^/]+))")
_DOCUMENT = re.compile(r"/documents/([^/]+)")
_REFERENCE = re.compile(r"[1-9][0-9]{0,17}")
_STATUSES = frozenset(
    {"PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED", "CANCELLED", "UNFULFILLABLE"}
)


class AmazonEmulator(Emulator):
    """Config keys (all text): client_id, client_secret, refresh_token, token_seconds (life of an access token),
    seller_id, marketplace (of orders that name none), skus (comma separated; empty = every SKU has a listing), roles
    ("all" or "basic": without personal data), rates and bursts (JSON by operation; `default` for the others),
    continue_selling (yes | no)."""

    def __init__(
        self, *, ledger: Ledger, clock: Clock, source: random.Random, faults: Faults, config: Mapping[str, str]
    ) -> None:
        super().__init__(ledger=ledger, clock=clock, source=source, faults=faults, config=config)
        self.orders = Orders(ledger, config.get("marketplace", MARKETPLACE))
        self._listed = frozenset(filter(None, (sku.strip() for sku in config.get("skus", "").split(","))))
        self._rates = {"default": 100.0, **_numbers(config.get("rates", "{}"))}
        self._bursts = {"default": 200.0, **_numbers(config.get("bursts", "{}"))}
        self._buckets: dict[str, tuple[float, dt.datetime]] = {}
        self._listings = Listings(ledger)
        self._people = People(self.orders, self._listings, ledger, clock, self._record, self._changed)
        self._reports = Reports(ledger, self.orders, config.get("marketplace", MARKETPLACE))
        self._late: dict[str, tuple[dt.datetime, EmulatedRequest]] = {}
        for name, data in ledger.recall_all("late|"):
            if data:
                at, method, path, query, body = json.loads(data)
                request = EmulatedRequest(method, path, query, {}, body.encode())
                self._late[name] = dt.datetime.fromisoformat(at), request

    # -- the ground's surface ------------------------------------------------------------------------------------

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        self._catch_up(self.clock.now())
        if request.path.startswith("/_control/"):
            return self._control(request)
        if request.path == "/auth/o2/token":
            return self._token(request)
        document = _DOCUMENT.fullmatch(request.path)
        if document is not None and request.method == "GET":
            return self._document(document.group(1), request)
        operation = _operation(request)
        if operation is None:
            return _errors(404, "NotFound", "There is nothing at this address")
        refused = self._unauthorised(request) or self._over_quota(operation)
        if refused is not None:
            return refused
        answer = self._with_faults(operation, request)
        if answer.status in (429, 500, 503, 504):
            return answer
        rate = self._rates.get(operation, self._rates["default"])
        return replace(answer, headers={**answer.headers, "x-amzn-ratelimit-limit": f"{rate:g}"})

    def next_due(self) -> dt.datetime | None:
        moments = (self.orders.next_release(), *(at for at, _ in self._late.values()))
        return min((moment for moment in moments if moment is not None), default=None)

    def due(self, now: dt.datetime) -> list[Outgoing]:
        self._catch_up(now)
        return super().due(now)

    # -- what may go wrong ---------------------------------------------------------------------------------------

    def _with_faults(self, operation: str, request: EmulatedRequest) -> EmulatedResponse:
        fault = self.fault()
        if fault == "throttle":
            return _errors(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")
        if fault == "error_before":
            return _errors(500, "InternalFailure", "We encountered an internal error. Please try again.")
        if fault == "late_commit":
            if request.method != "GET":
                self._put_off(request)
            return _errors(504, "GatewayTimeout", "The request took too long")
        answer = self._run(operation, request)
        if fault == "error_after":
            return _errors(500, "InternalFailure", "We encountered an internal error. Please try again.")
        if fault == "drop_after":
            return replace(answer, drop=True)
        if fault == "delay":
            return replace(answer, delay_seconds=self.random.random() * self.faults.delay_seconds)
        return answer

    def _put_off(self, request: EmulatedRequest) -> None:
        at = self.clock.now() + dt.timedelta(seconds=self.faults.late_commit_seconds)
        name = f"late|{self.calls:09d}"
        self._late[name] = at, request
        kept = [
            at.isoformat(),
            request.method,
            request.path,
            dict(request.query),
            request.body.decode("utf-8", "replace"),
        ]
        self.ledger.remember(name, json.dumps(kept))

    def _catch_up(self, now: dt.datetime) -> None:
        for name, (at, request) in list(self._late.items()):
            if at <= now:
                del self._late[name]
                self.ledger.remember(name, "")
                self._run(_operation(request) or "", request)
        due = self.orders.next_release()
        if due is not None and due <= now:
            self.orders.release_due(now)

    # -- who may call, and how often -----------------------------------------------------------------------------

    def _token(self, request: EmulatedRequest) -> EmulatedResponse:
        form = dict(urllib.parse.parse_qsl(request.body.decode("utf-8", "replace")))
        if request.method != "POST" or form.get("grant_type") != "refresh_token":
            return _answer(400, {"error": "unsupported_grant_type", "error_description": "use refresh_token"})
        for name, problem, status in (
            ("client_id", "invalid_client", 401),
            ("client_secret", "invalid_client", 401),
            ("refresh_token", "invalid_grant", 400),
        ):
            if not hmac.compare_digest(form.get(name, "").encode(), self.config.get(name, "").encode()):
                return _answer(status, {"error": problem, "error_description": f"The request has an invalid {name}"})
        number = int(self.ledger.recall("tokens") or "0") + 1
        seconds = int(self.config.get("token_seconds", "3600"))
        token = f"Atza|emulated-{number:06d}"
        until = self.clock.now() + dt.timedelta(seconds=seconds)
        self.ledger.remember("tokens", str(number))
        self.ledger.remember(f"token|{token}", until.isoformat())
        answer = {"access_token": token, "refresh_token": form["refresh_token"], "token_type": "bearer"}
        return _answer(200, {**answer, "expires_in": seconds})

    def _unauthorised(self, request: EmulatedRequest) -> EmulatedResponse | None:
        token = request.headers.get("x-amz-access-token", "")
        if not token:
            return _errors(403, "MissingAuthenticationToken", "Access to requested resource is denied.")
        until = self.ledger.recall(f"token|{token}")
        if until is None or dt.datetime.fromisoformat(until) <= self.clock.now():
            return _errors(403, "Unauthorized", "The access token you provided has expired.")
        if "Language=" not in request.headers.get("user-agent", ""):
            return _errors(400, "InvalidInput", "The User-Agent header must name the language")
        return None

    def _over_quota(self, operation: str) -> EmulatedResponse | None:
        """The usage plan, as a bucket of its own for each operation."""
        now = self.clock.now()
        rate = self._rates.get(operation, self._rates["default"])
        burst = self._bursts.get(operation, self._bursts["default"])
        tokens, at = self._buckets.get(operation, (burst, now))
        tokens = min(burst, tokens + max(0.0, (now - at).total_seconds()) * rate)
        if tokens < 1:
            self._buckets[operation] = tokens, now
            self.ledger.count_fault("over_quota")
            return _errors(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")
        self._buckets[operation] = tokens - 1, now
        return None

    # -- the API -------------------------------------------------------------------------------------------------

    def _run(self, operation: str, request: EmulatedRequest) -> EmulatedResponse:
        try:
            match operation:
                case "searchOrders":
                    return self._search(request.query)
                case "getOrder":
                    found = _ORDER.fullmatch(request.path)
                    return self._get(found.group(1) if found else "", request.query)
                case "confirmShipment":
                    found = _CONFIRM.fullmatch(request.path)
                    return self._confirm(found.group(1) if found else "", _object(request.body))
                case "getReports":
                    return _answer(200, self._reports.listed(request.query))
                case "getReportDocument":
                    found = _REPORT.fullmatch(request.path)
                    root = f"http://{request.headers.get('host', '')}"
                    return _answer(200, self._reports.document((found and found.group(1)) or "", root))
                case "patchListingsItem":
                    return self._patch(self._sku(request), _object(request.body))
                case _:
                    return self._listing(self._sku(request))
        except Refused as refused:
            return _errors(refused.status, refused.code, str(refused))

    def _search(self, query: Mapping[str, str]) -> EmulatedResponse:
        now = self.clock.now()
        if ("lastUpdatedAfter" in query) == ("createdAfter" in query):
            raise Refused(400, "InvalidInput", "Give exactly one of createdAfter and lastUpdatedAfter")
        field, word = ("lastUpdatedTime", "lastUpdated") if "lastUpdatedAfter" in query else ("createdTime", "created")
        since = _time(query[f"{word}After"])
        until = _time(query[f"{word}Before"]) if f"{word}Before" in query else now
        if until > now - dt.timedelta(minutes=2) and f"{word}Before" in query:
            raise Refused(400, "InvalidInput", f"{word}Before must be two minutes before the request")
        size = query.get("maxResultsPerPage", "100")
        if not size.isdigit() or not 1 <= int(size) <= 100:
            raise Refused(400, "InvalidInput", "maxResultsPerPage is 1 to 100")
        after = ("", "")
        if "paginationToken" in query:
            until, after = self._page_of(query["paginationToken"], since, now)
        datasets, statuses = self._datasets(query), _several(query.get("fulfillmentStatuses", ""))
        if not statuses <= _STATUSES:
            raise Refused(400, "InvalidInput", "There is no such fulfillmentStatus")
        marketplaces = _several(query.get("marketplaceIds", ""))
        found = []
        for kept in self.orders:
            order = node_at(kept, "order")
            key = (str(order[field]), str(order["orderId"]))
            status = text_at(node_at(order, "fulfillment"), "fulfillmentStatus")
            if (
                since <= _time(key[0]) <= until
                and key > after
                and _time(str(node_at(kept, "hidden")["visible_at"])) <= now
                and (not marketplaces or text_at(node_at(order, "salesChannel"), "marketplaceId") in marketplaces)
                and (not statuses or status in statuses)
            ):
                found.append((key, kept))
        found.sort(key=lambda pair: pair[0])
        page = found[: int(size)]
        lag = self.faults.lookup_lag_seconds
        answer: Node = {
            "orders": [shown(kept, datasets, now, lag) for _, kept in page],
            f"{word}Before": stamp(until),
        }
        if len(found) > len(page):
            answer["pagination"] = {"nextToken": self._page_token(since, until, page[-1][0], now)}
        return _answer(200, answer)

    def _page_token(self, since: dt.datetime, until: dt.datetime, last: tuple[str, str], now: dt.datetime) -> str:
        if self.ledger.recall("pages") == "stuck":
            last, now = ("", ""), until
        kept = [since.isoformat(), stamp(until), *last, stamp(now)]
        return base64.urlsafe_b64encode(json.dumps(kept).encode()).decode()

    def _page_of(self, token: str, since: dt.datetime, now: dt.datetime) -> tuple[dt.datetime, tuple[str, str]]:
        try:
            asked, until, last_time, last_id, made = json.loads(base64.urlsafe_b64decode(token.encode()))
            fresh = now - _time(made) < dt.timedelta(hours=TOKEN_HOURS)
            known = fresh and dt.datetime.fromisoformat(asked) == since and self.ledger.recall("pages") != "gone"
        except (ValueError, TypeError, binascii.Error):
            known, until, last_time, last_id = False, "", "", ""
        if not known:
            raise Refused(400, "InvalidInput", "The pagination token is invalid or has expired")
        return _time(until), (str(last_time), str(last_id))

    def _get(self, order_id: str, query: Mapping[str, str]) -> EmulatedResponse:
        lag = self.faults.lookup_lag_seconds
        kept = self.orders.get(order_id)
        order = shown(kept, self._datasets(query), self.clock.now(), lag)
        if (
            "packages" not in order
            and node_at(kept, "order")["packages"]
            and "PACKAGES" in query.get("includedData", "")
        ):
            self.ledger.count_fault("lookup_lag")
        return _answer(200, {"order": order})

    def _datasets(self, query: Mapping[str, str]) -> frozenset[str]:
        asked = _several(query.get("includedData", ""))
        if self.config.get("roles", "all") == "basic" and asked & {"BUYER", "RECIPIENT"}:
            raise Refused(403, "Unauthorized", "Access to requested resource is denied.")
        return asked

    def _confirm(self, order_id: str, body: Node) -> EmulatedResponse:
        order = node_at(self.orders.get(order_id), "order")
        detail = node_at(body, "packageDetail")
        for name in ("packageReferenceId", "carrierCode", "trackingNumber", "shipDate"):
            if not isinstance(detail.get(name), str) or not detail[name]:
                raise Refused(400, "InvalidInput", f"Please check the fields with invalid type [packageDetail.{name}].")
        if not _REFERENCE.fullmatch(str(detail["packageReferenceId"])):
            raise Refused(400, "InvalidInput", "PackageReferenceId: is invalid, must be a positive numeric value.")
        if detail["carrierCode"] == "Other" and not text_at(detail, "carrierName"):
            raise Refused(400, "InvalidInput", "carrierName is required when carrierCode is Other")
        if text_at(body, "marketplaceId") != text_at(node_at(order, "salesChannel"), "marketplaceId"):
            raise Refused(400, "InvalidInput", "The order is of another marketplace")
        if text_at(node_at(order, "fulfillment"), "fulfilledBy") != "MERCHANT":
            raise Refused(400, "InvalidInput", "The order is not fulfilled by the merchant")
        items = nodes_at(detail, "orderItems")
        if not items or not all(_is_quantity(entry) and entry["quantity"] for entry in items):
            raise Refused(400, "InvalidInput", "Please check the fields with invalid type [packageDetail.orderItems].")
        package: Node = {
            "packageReferenceId": detail["packageReferenceId"],
            "carrier": text_at(detail, "carrierName") or detail["carrierCode"],
            "shipTime": stamp(_time(str(detail["shipDate"]))),
            "shippingService": text_at(detail, "shippingMethod") or "",
            "trackingNumber": detail["trackingNumber"],
            "packageItems": [{"orderItemId": str(e.get("orderItemId")), "quantity": e["quantity"]} for e in items],
        }
        new = self.orders.ship(order_id, package, self.clock.now())
        self._changed(order_id)
        lines = {str(entry.get("orderItemId")): entry["quantity"] for entry in items}
        data: Node = {"reference": detail["packageReferenceId"], "lines": lines}
        self._record("fulfilment" if new else "repeated", str(detail["trackingNumber"]), order_id, data)
        return EmulatedResponse(204)

    def _document(self, document: str, request: EmulatedRequest) -> EmulatedResponse:
        """A presigned address: whoever has it needs no token, and must not bring one."""
        if "x-amz-access-token" in request.headers or "X-Amz-Signature" not in request.query:
            return EmulatedResponse(
                403, b"<Error><Code>AccessDenied</Code></Error>", {"content-type": "application/xml"}
            )
        try:
            return EmulatedResponse(200, self._reports.content(document), {"content-type": "text/tab-separated-values"})
        except Refused as refused:
            return _errors(refused.status, refused.code, str(refused))

    def _sku(self, request: EmulatedRequest) -> str:
        found = _LISTING.fullmatch(request.path)
        seller, sku = found.groups() if found else ("", "")
        if seller != self.config.get("seller_id", "") or not request.query.get("marketplaceIds"):
            raise Refused(400, "InvalidInput", "The seller or the marketplace is not valid")
        if self._listed and sku not in self._listed:
            raise Refused(404, "NOT_FOUND", f"SKU '{sku[:40]}' not found")
        return sku

    def _patch(self, sku: str, body: Node) -> EmulatedResponse:
        submission, patches = self._listings.submission(), nodes_at(body, "patches")
        values = [value for patch in patches for value in nodes_at(patch, "value")]
        fits = (
            text_at(body, "productType")
            and values
            and all(patch.get("path") == "/attributes/fulfillment_availability" for patch in patches)
            and all(text_at(value, "fulfillment_channel_code") and _is_quantity(value) for value in values)
        )
        if not fits:
            issue = {
                "code": "90000900",
                "message": "The attributes are invalid.",
                "severity": "ERROR",
                "categories": [],
            }
            return _answer(200, {"sku": sku, "status": "INVALID", "submissionId": submission, "issues": [issue]})
        for value in values:
            channel, quantity = str(value["fulfillment_channel_code"]), whole_at(value, "quantity") or 0
            data: Node = {"channel": channel, "quantity": quantity, "before": self._listings.level(sku, channel)}
            self._listings.show(sku, quantity, self.clock.now(), channel)
            self._record("stock_push", submission, sku, data)
        return _answer(200, {"sku": sku, "status": "ACCEPTED", "submissionId": submission, "issues": []})

    def _listing(self, sku: str) -> EmulatedResponse:
        seen = self.clock.now() - dt.timedelta(seconds=self.faults.lookup_lag_seconds)
        return _answer(200, {"sku": sku, "fulfillmentAvailability": self._listings.availability(sku, seen)})

    # -- people --------------------------------------------------------------------------------------------------

    def _control(self, request: EmulatedRequest) -> EmulatedResponse:
        verbs = {**self._people.verbs, "settle": self._settle}
        verb = verbs.get(request.path.removeprefix("/_control/"))
        try:
            if verb is None:
                raise Refused(404, "NotFound", f"controls are {', '.join(verbs)}")
            return _answer(200, verb(_object(request.body or b"{}")))
        except Refused as refused:
            return _errors(refused.status, refused.code, str(refused))

    def _settle(self, wish: Node) -> object:
        return self._reports.settle(wish, self.clock.now())

    def _changed(self, order_id: str) -> None:
        """Searches may find a change only after a while."""
        if self.faults.lookup_lag_seconds > 0:
            lag = self.random.random() * self.faults.lookup_lag_seconds
            self.orders.hide(order_id, self.clock.now() + dt.timedelta(seconds=lag))

    def _record(self, kind: str, key: str, subject: str, data: Node) -> None:
        self.ledger.add(self.clock.now(), kind, key, subject, json.dumps(data, default=str))


def _operation(request: EmulatedRequest) -> str | None:
    order = _ORDER.fullmatch(request.path)
    if order is not None and request.method == "GET":
        return "searchOrders" if order.group(1) is None else "getOrder"
    if _CONFIRM.fullmatch(request.path) and request.method == "POST":
        return "confirmShipment"
    report = _REPORT.fullmatch(request.path)
    if report is not None and request.method == "GET":
        return "getReports" if report.group(1) is None else "getReportDocument"
    if _LISTING.fullmatch(request.path):
        return {"PATCH": "patchListingsItem", "GET": "getListingsItem"}.get(request.method)
    return None


def _several(text: str) -> frozenset[str]:
    return frozenset(filter(None, (part.strip() for part in text.split(","))))


def _time(text: str) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, "InvalidInput", "A time is not in ISO 8601") from None
    if at.tzinfo is None:
        raise Refused(400, "InvalidInput", "A time has no offset")
    return at


def _numbers(text: str) -> dict[str, float]:
    tree = json.loads(text, parse_float=Decimal)
    return {name: float(decimal_at(tree, name) or 0) for name in tree}


def _is_quantity(node: Node) -> bool:
    """Text and fractions are none to the vendor."""
    value = node.get("quantity")
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _object(body: bytes) -> Node:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "InvalidInput", "The body is no JSON") from None
    if not isinstance(found, dict):
        raise Refused(400, "InvalidInput", "The body is no JSON object")
    return found


def _answer(status: int, content: object) -> EmulatedResponse:
    return EmulatedResponse(status, json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode(), JSON)


def _errors(status: int, code: str, message: str) -> EmulatedResponse:
    return _answer(status, {"errors": [{"code": code, "message": message, "details": ""}]})
