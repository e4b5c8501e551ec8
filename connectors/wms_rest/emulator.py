"""The emulated warehouse as its clients meet it: the paths of api.yaml, bearer token, faults, webhooks, and controls.

Configuration (all text): `api_key` (default "wms-key"), `webhook_secret` (default "wms-webhook-secret"), `webhooks`
("on" or "off"), `warehouses` (codes separated by commas; empty = every code is known), `unknown_sku` ("accept": such a
line turns out short; "reject": 422), `unique_reference` ("off" takes a second request of a reference as a second
document), `snapshot_seconds` ("0" = only when asked), and the usual behaviour under the names of
`documents.Behaviour` (`mode`, `acknowledge_seconds`, `pack_seconds`, `ship_seconds`, `cancels`, ...).

Controls, `POST /_control/<verb>` with JSON: `set_stock` {rows: [{warehouse, sku, quantity}]}, `move` {warehouse, sku,
quantity, reason}, `behave` {match: {...},
...behaviour}, `act` {client_order_id or reference, do: acknowledge|start|pack|short|ship|ship_anyway|reject|ready|
hand_over|not_collected,
lines?: {line: quantity}} (`ship_anyway` ships what was cancelled), `snapshot` {warehouse, complete?, claimed_rows?},
`forget` {up_to} (events up to that sequence are kept no longer), `door` {open} (closed: 503 `not_accepting`), `tick`
{}, `show` {client_order_id}, `stock` {}.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from decimal import Decimal, InvalidOperation

from connectors.wms_rest.documents import (
    BUYERS,
    CANCELS,
    LABELS,
    MATCHES,
    MODES,
    Behaviour,
    Cancellation,
    Line,
    Request,
    Rule,
    plain,
)
from connectors.wms_rest.warehouse import Warehouse
from hub.sdk.emulator import EmulatedRequest, EmulatedResponse, Emulator, Faults, Ledger, Outgoing
from hub.sdk.misbehaviour import Misbehaviour
from hub.sdk.ports import Clock

JSON = {"content-type": "application/json"}
MAX_EVENTS = 500


class Refused(Exception):
    """What the API answers instead of doing it."""

    def __init__(self, status: int, code: str, message: str, existing: object = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.existing = existing


class WmsEmulator(Emulator):
    """A warehouse that keeps its own counsel and its own ledger.

    Ledger kinds: fulfilment_request, cancel_request, cancel_answer, short, reject, shipment, impossible_ship,
    handover, not_collected, receipt (of a transfer), duplicate_reference (key = the client's reference);
    stock_snapshot, stock_set.
    """

    def __init__(
        self, *, ledger: Ledger, clock: Clock, source: random.Random, faults: Faults, config: Mapping[str, str]
    ) -> None:
        super().__init__(ledger=ledger, clock=clock, source=source, faults=faults, config=config)
        self._key = config.get("api_key", "wms-key")
        self._secret = config.get("webhook_secret", "wms-webhook-secret").encode()
        self._known = frozenset(filter(None, config.get("warehouses", "").split(",")))
        self._snapshot_every = float(config.get("snapshot_seconds", "0"))
        self._warehouse = Warehouse(ledger, clock.now, _usual(config), self._tell)
        self._manners = Misbehaviour(self, self._route, lambda *told: _problem(Refused(*told)))
        counted = ledger.recall("counted")
        self._counted = clock.now() if counted is None else dt.datetime.fromisoformat(counted)

    # The ground's surface.

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        self.catch_up(self.clock.now())
        if request.path.startswith("/_control/"):
            return self._control(request)
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {self._key}".encode()):
            return _problem(Refused(401, "unauthorized", "The key is not known"))
        return self._manners.answer(request)

    def next_due(self) -> dt.datetime | None:
        count = self._counted + dt.timedelta(seconds=self._snapshot_every) if self._snapshot_every > 0 else None
        moments = (self.webhooks.next_due(), self._warehouse.next_due(), self._manners.next_due(), count)
        return min((moment for moment in moments if moment is not None), default=None)

    # Time.

    def catch_up(self, now: dt.datetime) -> None:
        self._manners.catch_up(now)
        self._warehouse.tick(now)
        if self._snapshot_every > 0 and (now - self._counted).total_seconds() >= self._snapshot_every:
            self._counted = now
            self.ledger.remember("counted", now.isoformat())
            for warehouse in self._warehouse.warehouses():
                self._warehouse.snapshot(warehouse)

    def _tell(self, event: dict[str, object]) -> None:
        if self.config.get("webhooks", "on") == "on":
            body = json.dumps({"events": [event]}, separators=(",", ":")).encode()
            self.webhooks.push(Outgoing(str(event["id"]), str(event["type"]), {}, body))

    def sign(self, outgoing: Outgoing, now: dt.datetime) -> Outgoing:
        timestamp = str(int(now.timestamp()))
        signature = hmac.new(self._secret, timestamp.encode() + b"." + outgoing.body, hashlib.sha256).hexdigest()
        headers = {
            **JSON,
            "webhook-id": outgoing.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1={signature}",
            "webhook-topic": outgoing.topic,
        }
        return replace(outgoing, headers=headers)

    # The API.

    def _route(self, request: EmulatedRequest) -> EmulatedResponse:
        try:
            match request.method, request.path.strip("/").split("/"):
                case "GET", ["ping"]:
                    return _answer(200, {"system": "warehouse", "warehouses": self._warehouse.warehouses()})
                case "POST", ["fulfilment-requests"]:
                    return self._take(_object(request.body))
                case "GET", ["fulfilment-requests"]:
                    return self._found(self._requests(request.query))
                case "POST", ["cancellations"]:
                    return self._cancel(_object(request.body))
                case "GET", ["cancellations"]:
                    cancellation = self._warehouse.cancellation_of(request.query.get("reference", ""))
                    return self._found([] if cancellation is None else [cancellation])
                case "POST", ["labels"]:
                    return self._label(_object(request.body))
                case "GET", ["labels"]:
                    kept = self.ledger.recall(f"attached|{request.query.get('reference', '')}")
                    return _answer(200, {"items": [json.loads(kept)] if kept else []})
                case "GET", ["events"]:
                    return self._events(request.query)
                case "GET", ["events", event_id]:
                    event = self._warehouse.event(event_id)
                    if event is None:
                        raise Refused(404, "not_found", f"There is no event {event_id[:60]}")
                    return _answer(200, {"events": [event]})
                case "POST", ["stock", warehouse, "snapshots"]:
                    if warehouse not in self._warehouse.warehouses():
                        raise Refused(404, "unknown_warehouse", f"There is no warehouse {warehouse[:60]}")
                    return _answer(200, {"events": [self._warehouse.snapshot(warehouse)]})
        except Refused as refused:
            return _problem(refused)
        return _problem(Refused(404, "no_such_address", "There is nothing at this address"))

    def _take(self, body: Mapping[str, object]) -> EmulatedResponse:
        if self.ledger.recall("door") == "closed":
            raise Refused(503, "not_accepting", "We take no work now. The request was not processed.")
        reference, _, warehouse = (_text(body, name) for name in ("reference", "client_order_id", "warehouse"))
        existing = self._warehouse.request_of(reference)
        if existing is not None and self.config.get("unique_reference", "on") == "on":
            self._refuse_again(reference, existing.client_order_id, existing.document())
        if self._known and warehouse not in self._known:
            raise Refused(422, "unknown_warehouse", f"There is no warehouse {warehouse[:60]}")
        lines = [
            Line(reference=_text(line, "line_reference"), sku=_text(line, "sku"), ordered=_quantity(line))
            for line in _rows(body, "lines")
        ]
        if len({line.reference for line in lines}) < len(lines):
            raise Refused(422, "duplicate_line", "Two lines have one line_reference")
        if self.config.get("unknown_sku", "accept") == "reject":
            for line in lines:
                if (warehouse, line.sku) not in self._warehouse.stock:
                    raise Refused(422, "unknown_sku", f"We do not hold {line.sku[:60]}")
        taken = self._warehouse.take(body, lines)
        after: tuple[str, ...] = ()
        if self.faults.echo_first > 0 and self.random.random() < self.faults.echo_first:
            self.ledger.count_fault("echo_first")
            self._warehouse.act(taken, "acknowledge")
            after = (str(self._warehouse.events[-1]["id"]),)
        return replace(_answer(201, taken.document()), after=after)

    def _cancel(self, body: Mapping[str, object]) -> EmulatedResponse:
        reference, _, client_order_id = (_text(body, n) for n in ("reference", "cancellation_id", "client_order_id"))
        existing = self._warehouse.cancellation_of(reference)
        if existing is not None and self.config.get("unique_reference", "on") == "on":
            self._refuse_again(reference, existing.client_order_id, existing.document())
        requests = self._warehouse.requests_of(client_order_id)
        if not requests:
            raise Refused(422, "unknown_request", f"There is no request for {client_order_id[:60]}")
        wanted = [(_text(line, "line_reference"), _quantity(line)) for line in _rows(body, "lines")]
        held = {line.reference for request in requests for line in request.lines}
        for line_reference, _ in wanted:
            if line_reference not in held:
                raise Refused(422, "unknown_line", f"There is no line {line_reference[:60]}")
        return _answer(201, self._warehouse.cancel(body, wanted).document())

    def _label(self, body: Mapping[str, object]) -> EmulatedResponse:
        """A label for a box; the newest one counts, the same one again is refused with what it is."""
        reference, client_order_id, package = (
            _text(body, name) for name in ("reference", "client_order_id", "package")
        )
        kept = self.ledger.recall(f"attached|{reference}")
        if kept is not None and self.config.get("unique_reference", "on") == "on":
            self._refuse_again(reference, client_order_id, json.loads(kept))
        if not any(self._warehouse.label(request, body) for request in self._warehouse.requests_of(client_order_id)):
            raise Refused(422, "unknown_package", f"There is no box {package[:60]} of {client_order_id[:60]}")
        document = {"id": f"LA-{reference}", "status": "attached", "request": body}
        self.ledger.remember(f"attached|{reference}", json.dumps(document))
        return _answer(201, document)

    def _refuse_again(self, reference: str, client_order_id: str, document: Mapping[str, object]) -> None:
        data = json.dumps({"existing": document["id"]})
        self.ledger.add(self.clock.now(), "duplicate_reference", reference, client_order_id, data)
        raise Refused(409, "reference_exists", f"The reference {reference[:60]} is known", existing=document)

    def _requests(self, query: Mapping[str, str]) -> list[Request]:
        if "reference" in query:
            found = self._warehouse.request_of(query["reference"])
            return [] if found is None else [found]
        return self._warehouse.requests_of(query.get("client_order_id", ""))

    def _found(self, documents: list[Request] | list[Cancellation]) -> EmulatedResponse:
        """A search sees what was there `lookup_lag_seconds` ago."""
        seen = self.clock.now() - dt.timedelta(seconds=self.faults.lookup_lag_seconds)
        items = [one.document() for one in documents if dt.datetime.fromisoformat(one.received_at) <= seen]
        if len(items) < len(documents):
            self.ledger.count_fault("lookup_lag")
        return _answer(200, {"items": items})

    def _events(self, query: Mapping[str, str]) -> EmulatedResponse:
        try:
            after, limit = int(query.get("after", "0")), int(query.get("limit", "100"))
            start, end = (dt.datetime.fromisoformat(query[n]) if n in query else None for n in ("from", "to"))
        except ValueError:
            raise Refused(400, "bad_query", "after and limit are whole numbers, from and to are instants") from None
        if after < 0 or not 0 < limit <= MAX_EVENTS or any(at is not None and at.tzinfo is None for at in (start, end)):
            raise Refused(400, "bad_query", f"limit is 1 to {MAX_EVENTS}, instants have an offset")
        forgotten = int(self.ledger.recall("forgotten") or "0")
        if 0 < after < forgotten:
            raise Refused(410, "cursor_gone", f"Events up to {forgotten} are kept no longer")
        seen = self.clock.now() - dt.timedelta(seconds=self.faults.lookup_lag_seconds)
        types = frozenset(filter(None, query.get("types", "").split(",")))
        page: list[dict[str, object]] = []
        events = self._warehouse.events
        position = min(max(after, forgotten), len(events))
        while position < len(events) and len(page) < limit:
            event = events[position]
            at = dt.datetime.fromisoformat(str(event["occurred_at"]))
            if self.faults.lookup_lag_seconds > 0 and at > seen:
                break
            position += 1
            asked = not types or event["type"] in types
            here = query.get("warehouse", event["warehouse"]) == event["warehouse"]
            if asked and here and (start is None or at >= start) and (end is None or at < end):
                page.append(event)
        more = position < len(events) and len(page) == limit
        return _answer(200, {"events": page, "next": max(after, position), "more": more})

    # Controls.

    def _control(self, request: EmulatedRequest) -> EmulatedResponse:
        verbs: dict[str, Callable[[Mapping[str, object]], object]] = {
            "set_stock": self._set_stock,
            "behave": self._behave,
            "act": self._act,
            "snapshot": self._snapshot,
            "move": self._move,
            "return_goods": self._return_goods,
            "forget": self._forget,
            "door": lambda asked: self.ledger.remember("door", "open" if asked.get("open", True) is True else "closed"),
            "tick": lambda _: {"now": self.clock.now().isoformat()},
            "show": lambda asked: {"items": [one.document() for one in self._asked(asked)]},
            "stock": lambda _: {
                "rows": [
                    {"warehouse": warehouse, "sku": sku, "quantity": plain(quantity)}
                    for (warehouse, sku), quantity in sorted(self._warehouse.stock.items())
                ]
            },
        }
        verb = verbs.get(request.path.removeprefix("/_control/"))
        try:
            if verb is None:
                raise Refused(404, "not_found", f"controls are {', '.join(verbs)}")
            return _answer(200, verb(_object(request.body or b"{}")))
        except Refused as refused:
            return _problem(refused)

    def _set_stock(self, asked: Mapping[str, object]) -> object:
        rows = _rows(asked, "rows") if "rows" in asked else [asked]
        counted = [(_text(row, "warehouse"), _text(row, "sku"), _quantity(row, least=Decimal(0))) for row in rows]
        for warehouse, sku, quantity in counted:
            self._warehouse.set_stock(warehouse, sku, quantity)
        return {"rows": len(counted)}

    def _move(self, asked: Mapping[str, object]) -> object:
        """Goods come, go or spoil in the hall, apart from our requests: {warehouse, sku, quantity, reason}."""
        warehouse, sku = _text(asked, "warehouse"), _text(asked, "sku")
        quantity, reason = Decimal(_text(asked, "quantity")), _text(asked, "reason")
        there = self._warehouse.stock.get((warehouse, sku), Decimal(0))
        self._warehouse.set_stock(warehouse, sku, there + quantity)
        data: dict[str, object] = {"sku": sku, "quantity": plain(quantity), "reason": reason, "condition": "sellable"}
        return self._warehouse.happened("stock.moved", warehouse, data)

    def _return_goods(self, asked: Mapping[str, object]) -> object:
        """Goods come back: {warehouse, lines: [{sku, quantity, grade?, disposition?}], return?, order?,
        tracking_number?}. With a disposition they are inspected; what is restocked lies here again."""
        warehouse, lines = _text(asked, "warehouse"), _rows(asked, "lines")
        inspected = all("disposition" in line for line in lines)
        for line in lines:
            if line.get("disposition") == "restock":
                sku = _text(line, "sku")
                there = self._warehouse.stock.get((warehouse, sku), Decimal(0))
                self._warehouse.set_stock(warehouse, sku, there + Decimal(_text(line, "quantity")))
        data: dict[str, object] = {
            name: asked[name] for name in ("return", "order", "tracking_number") if name in asked
        }
        data["lines"] = lines
        return self._warehouse.happened(f"return.{'inspected' if inspected else 'received'}", warehouse, data)

    def _behave(self, asked: Mapping[str, object]) -> object:
        match = asked.get("match", {})
        changes = {name: value for name, value in asked.items() if name != "match"}
        if not isinstance(match, dict) or not set(match) <= MATCHES:
            raise Refused(422, "invalid", f"match is an object of {', '.join(sorted(MATCHES))}")
        _check_behaviour(changes)
        self._warehouse.behave(Rule({name: str(value) for name, value in match.items()}, changes))
        return {"rules": len(self._warehouse.rules)}

    def _act(self, asked: Mapping[str, object]) -> object:
        found = self._asked(asked)
        if not found:
            raise Refused(404, "not_found", "no such request")
        lines = asked.get("lines")
        quantities = None
        if isinstance(lines, dict):
            quantities = {str(line): _quantity({"quantity": value}) for line, value in lines.items()}
        try:
            self._warehouse.act(found[-1], _text(asked, "do"), quantities)
        except KeyError as error:
            raise Refused(422, "invalid", f"nobody here can {error.args[0]}") from None
        return found[-1].document()

    def _asked(self, asked: Mapping[str, object]) -> list[Request]:
        return self._requests({name: str(value) for name, value in asked.items()})

    def _forget(self, asked: Mapping[str, object]) -> object:
        up_to = asked.get("up_to")
        if not isinstance(up_to, int) or not 0 <= up_to <= len(self._warehouse.events):
            raise Refused(422, "invalid", "up_to is the sequence of an event")
        self.ledger.remember("forgotten", str(up_to))
        return {"kept_after": up_to}

    def _snapshot(self, asked: Mapping[str, object]) -> object:
        claimed = asked.get("claimed_rows")
        return self._warehouse.snapshot(
            _text(asked, "warehouse"),
            complete=asked.get("complete", True) is True,
            claimed_rows=claimed if isinstance(claimed, int) else None,
        )


def _usual(config: Mapping[str, str]) -> Behaviour:
    read: dict[str, Callable[[str], object]] = {
        "packages": int,
        "short": json.loads,
        "mode": str,
        "cancels": str,
        "labels": str,
        "buyer": str,
        "lost": json.loads,
        "substitute": json.loads,
    }
    read["reason"] = str
    changes = {one.name: read.get(one.name, float)(config[one.name]) for one in fields(Behaviour) if one.name in config}
    _check_behaviour(changes)
    # replace() cannot be typed by names known at run time; they were checked above.
    return replace(Behaviour(), **changes)  # type: ignore[arg-type]


def _check_behaviour(changes: Mapping[str, object]) -> None:
    known = {one.name for one in fields(Behaviour)}
    if not changes.keys() <= known:
        raise Refused(422, "invalid", f"a behaviour has {', '.join(sorted(known))}")
    short, lost, substitute = (changes.get(name, {}) for name in ("short", "lost", "substitute"))
    numbers = [value for name, value in changes.items() if name.endswith("_seconds") or name == "packages"]
    if (
        changes.get("mode", "auto") not in MODES
        or changes.get("cancels", "accept") not in CANCELS
        or changes.get("labels", "own") not in LABELS
        or changes.get("buyer", "comes") not in BUYERS
        or not all(isinstance(value, int | float) for value in numbers)
        or not isinstance(short, dict)
        or not isinstance(lost, dict)
        or not isinstance(substitute, dict)
    ):
        raise Refused(422, "invalid", f"mode is of {sorted(MODES)}, cancels of {sorted(CANCELS)}")
    if not all(isinstance(sku, str) and sku for sku in substitute.values()):
        raise Refused(422, "invalid", "substitute names a SKU for a SKU")
    for quantity in (*short.values(), *lost.values()):
        if quantity != "all":
            _quantity({"quantity": quantity})


def _object(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body)
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Refused(400, "not_json", "The body is no JSON") from None
    if not isinstance(found, dict) or not _shallow(found, 8):
        raise Refused(400, "not_json", "The body is no JSON object of a few levels")
    return found


def _shallow(value: object, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_shallow(one, levels - 1) for one in inner)


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value or len(value) > 200:
        raise Refused(422, "invalid", f"{name} must be text of 1 to 200 characters")
    return value


def _rows(body: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    value = body.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
        raise Refused(422, "invalid", f"{name} must be a list of objects, at least one")
    return value


def _quantity(row: Mapping[str, object], least: Decimal = Decimal("0.000001")) -> Decimal:
    try:
        value = Decimal(str(row.get("quantity", "")))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not least <= value <= Decimal("1e9"):
        raise Refused(422, "invalid", "quantity must be a decimal above zero, as text")
    return value


def _answer(status: int, content: object) -> EmulatedResponse:
    return EmulatedResponse(status, json.dumps(content, separators=(",", ":")).encode(), JSON)


def _problem(refused: Refused) -> EmulatedResponse:
    content: dict[str, object] = {"code": refused.code, "message": str(refused)}
    if refused.existing is not None:
        content["existing"] = refused.existing
    return _answer(refused.status, content)
