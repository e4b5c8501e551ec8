"""The emulated carrier aggregator: the paths of api.yaml, bearer token, idempotency keys, faults, webhooks, controls.

Configuration (all text): `api_key` (default "carrier-key"), `webhook_secret` (default "carrier-webhook-secret"),
`webhooks` ("on" or "off"), `idempotency` ("off" sells a second label for a key that was seen: a sabotage that the
ledger shows as two `label` entries of one reference), `key_ttl_seconds` (default 86400; then a key is forgotten),
`currency` (default "USD"), `scan_seconds` (after the sale, "0" = nothing is scanned by itself), `scan_every` (between
scans), `balance` (labels are refused with 402 once so much has been spent; "0" = no limit).

Controls, `POST /_control/<verb>` with JSON: `scan` {tracking_code, status, message?}, `behave` {match: {postal_code or
order_number}, ends: delivered|returned|lost|stuck|held}, `account` {}, `labels` {reference?}, `forget` {up_to},
`tick` {}.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from connectors.carrier_rest.depot import ENDS, MESSAGES, Depot, Label, NotSold
from hub.sdk.emulator import EmulatedRequest, EmulatedResponse, Emulator, Faults, Ledger, Outgoing
from hub.sdk.misbehaviour import Misbehaviour
from hub.sdk.ports import Clock
from hub.sdk.signatures import sign

JSON = {"content-type": "application/json"}
MAX_EVENTS = 500


class CarrierEmulator(Emulator):
    """An aggregator that keeps its own counsel and its own ledger.

    Ledger kinds: label (key = the client's reference, with amount and currency), void (with what was refunded),
    duplicate_key (a call that was made again and changed nothing), rate, scan.
    """

    def __init__(
        self, *, ledger: Ledger, clock: Clock, source: random.Random, faults: Faults, config: Mapping[str, str]
    ) -> None:
        super().__init__(ledger=ledger, clock=clock, source=source, faults=faults, config=config)
        self._key = config.get("api_key", "carrier-key")
        self._secret = config.get("webhook_secret", "carrier-webhook-secret").encode()
        self._ttl = dt.timedelta(seconds=float(config.get("key_ttl_seconds", "86400")))
        pace = float(config.get("scan_seconds", "0")), float(config.get("scan_every", "2"))
        self._depot = Depot(ledger, clock.now, config.get("currency", "USD"), pace, self._tell)
        self._manners = Misbehaviour(self, self._route, _problem)

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        self.catch_up(self.clock.now())
        if request.path.startswith("/_control/"):
            return self._control(request)
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {self._key}".encode()):
            return _problem(401, "unauthorized", "The key is not known")
        return self._manners.answer(request)

    def next_due(self) -> dt.datetime | None:
        moments = (self.webhooks.next_due(), self._depot.next_due(), self._manners.next_due())
        return min((moment for moment in moments if moment is not None), default=None)

    def catch_up(self, now: dt.datetime) -> None:
        self._manners.catch_up(now)
        self._depot.tick(now)

    def _tell(self, event: dict[str, object]) -> None:
        if self.config.get("webhooks", "on") == "on":
            body = json.dumps({"events": [event]}, separators=(",", ":")).encode()
            self.webhooks.push(Outgoing(f"msg_{event['id']}", str(event["type"]), {}, body))

    def sign(self, outgoing: Outgoing, now: dt.datetime) -> Outgoing:
        timestamp = str(int(now.timestamp()))
        signature = sign(self._secret, (f"{outgoing.id}.{timestamp}.".encode(), outgoing.body))
        headers = {"webhook-id": outgoing.id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
        return replace(outgoing, headers={**JSON, **headers})

    # The API.

    def _route(self, request: EmulatedRequest) -> EmulatedResponse:
        try:
            match request.method, request.path.strip("/").split("/"):
                case "GET", ["account"]:
                    return _answer(200, {"mode": "test", **self._depot.account()})
                case "POST", ["rates"]:
                    return self._rates(_object(request.body))
                case "POST", ["labels"]:
                    body = _object(request.body)
                    return self._once(request, body, lambda: self._sell(body))
                case "POST", ["labels", label_id, "void"]:
                    body = _object(request.body)
                    return self._once(request, body, lambda: self._void(label_id, body))
                case "GET", ["labels"]:
                    return self._found(self._depot.by_reference(request.query.get("reference", "")))
                case "GET", ["labels", label_id]:
                    return _answer(200, self._label(label_id).document())
                case "GET", ["events"]:
                    return self._events(request.query)
                case "GET", ["events", event_id]:
                    found = [event for event in self._depot.events if event["id"] == event_id]
                    if not found:
                        raise NotSold(404, "not_found", f"There is no event {event_id[:60]}")
                    return _answer(200, {"events": found})
        except NotSold as refused:
            return _problem(refused.status, refused.code, str(refused))
        return _problem(404, "no_such_address", "There is nothing at this address")

    def _once(
        self, request: EmulatedRequest, body: Mapping[str, object], work: Callable[[], EmulatedResponse]
    ) -> EmulatedResponse:
        """A key that was seen gets the first answer again; with another body it is refused. Refusals are not kept."""
        key, now = request.headers.get("idempotency-key", ""), self.clock.now()
        digest = hashlib.sha256(json.dumps([request.path, body], sort_keys=True).encode()).hexdigest()
        kept = self.ledger.recall(f"key|{key}") if key else None
        if kept is not None and self.config.get("idempotency", "on") == "on":
            at, first, status, answer = json.loads(kept)
            if now - dt.datetime.fromisoformat(at) < self._ttl:
                if first != digest:
                    raise NotSold(422, "key_reused", "The idempotency key was used for something else")
                self.ledger.add(now, "duplicate_key", key, request.path, "{}")
                return EmulatedResponse(status, answer.encode("latin-1"), JSON)
        answered = work()
        if key:
            kept_answer = [now.isoformat(), digest, answered.status, answered.body.decode("latin-1")]
            self.ledger.remember(f"key|{key}", json.dumps(kept_answer))
        return answered

    def _rates(self, body: Mapping[str, object]) -> EmulatedResponse:
        rates, messages = self._depot.rates(body)
        self.ledger.add(self.clock.now(), "rate", "", "", json.dumps({"rates": len(rates)}))
        return _answer(200, {"rates": rates, "messages": messages})

    def _sell(self, body: Mapping[str, object]) -> EmulatedResponse:
        limit, spent = Decimal(self.config.get("balance", "0")), Decimal(self._depot.account()["charged"])
        if limit and spent >= limit:
            raise NotSold(402, "insufficient_balance", "The account's balance does not cover the label")
        return _answer(201, self._depot.sell(body).document())

    def _void(self, label_id: str, body: Mapping[str, object]) -> EmulatedResponse:
        return _answer(200, self._depot.void(self._label(label_id), str(body.get("reference", ""))).document())

    def _label(self, label_id: str) -> Label:
        label = self._depot.label(label_id)
        if label is None:
            raise NotSold(404, "no_such_label", f"There is no label {label_id[:60]}")
        return label

    def _found(self, labels: list[Label]) -> EmulatedResponse:
        """A search sees what was there `lookup_lag_seconds` ago."""
        seen = self.clock.now() - dt.timedelta(seconds=self.faults.lookup_lag_seconds)
        items = [label.document() for label in labels if dt.datetime.fromisoformat(label.sold_at) <= seen]
        if len(items) < len(labels):
            self.ledger.count_fault("lookup_lag")
        return _answer(200, {"items": items})

    def _events(self, query: Mapping[str, str]) -> EmulatedResponse:
        try:
            after, limit = int(query.get("after", "0")), int(query.get("limit", "100"))
            start, end = (dt.datetime.fromisoformat(query[name]) if name in query else None for name in ("from", "to"))
        except ValueError:
            raise NotSold(400, "bad_query", "after and limit are whole numbers, from and to are instants") from None
        if after < 0 or not 0 < limit <= MAX_EVENTS or any(at is not None and at.tzinfo is None for at in (start, end)):
            raise NotSold(400, "bad_query", f"limit is 1 to {MAX_EVENTS}, instants have an offset")
        forgotten = int(self.ledger.recall("forgotten") or "0")
        if 0 < after < forgotten:
            raise NotSold(410, "cursor_gone", f"Events up to {forgotten} are kept no longer")
        events, position = self._depot.events, min(max(after, forgotten), len(self._depot.events))
        page: list[dict[str, object]] = []
        while position < len(events) and len(page) < limit:
            event, position = events[position], position + 1
            at = dt.datetime.fromisoformat(str(event["occurred_at"]))
            if (start is None or at >= start) and (end is None or at < end):
                page.append(event)
        more = position < len(events) and len(page) == limit
        return _answer(200, {"events": page, "next": max(after, position), "more": more})

    # Controls.

    def _control(self, request: EmulatedRequest) -> EmulatedResponse:
        verbs: dict[str, Callable[[Mapping[str, object]], object]] = {
            "scan": self._scan,
            "behave": self._behave,
            "account": lambda _: self._depot.account(),
            "labels": self._labels,
            "forget": self._forget,
            "tick": lambda _: {"now": self.clock.now().isoformat()},
        }
        verb = verbs.get(request.path.removeprefix("/_control/"))
        try:
            if verb is None:
                raise NotSold(404, "not_found", f"controls are {', '.join(verbs)}")
            return _answer(200, verb(_object(request.body or b"{}")))
        except NotSold as refused:
            return _problem(refused.status, refused.code, str(refused))

    def _scan(self, asked: Mapping[str, object]) -> object:
        label, status = self._depot.tracked(str(asked.get("tracking_code", ""))), str(asked.get("status", ""))
        if label is None or not status:
            raise NotSold(
                422, "invalid", f"tracking_code must be known, status one of {', '.join(MESSAGES)} or any text"
            )
        return self._depot.scan(label, status, str(asked.get("message", "")))

    def _behave(self, asked: Mapping[str, object]) -> object:
        match, ends = asked.get("match", {}), str(asked.get("ends", ""))
        if ends not in ENDS or not isinstance(match, dict) or not set(match) <= {"postal_code", "order_number"}:
            raise NotSold(422, "invalid", f"match names postal_code or order_number, ends is one of {', '.join(ENDS)}")
        self._depot.behave({name: str(value) for name, value in match.items()}, ends)
        return {"rules": len(self._depot.rules)}

    def _labels(self, asked: Mapping[str, object]) -> object:
        reference = asked.get("reference")
        labels = self._depot.labels if reference is None else self._depot.by_reference(str(reference))
        return {"items": [label.document() | {"scans": label.scans} for label in labels]}

    def _forget(self, asked: Mapping[str, object]) -> object:
        up_to = asked.get("up_to")
        if not isinstance(up_to, int) or not 0 <= up_to <= len(self._depot.events):
            raise NotSold(422, "invalid", "up_to is the sequence of an event")
        self.ledger.remember("forgotten", str(up_to))
        return {"kept_after": up_to}


def _object(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise NotSold(400, "not_json", "The body is no JSON") from None
    if not isinstance(found, dict):
        raise NotSold(400, "not_json", "The body is no JSON object")
    return found


def _answer(status: int, content: object) -> EmulatedResponse:
    return EmulatedResponse(status, json.dumps(content, separators=(",", ":")).encode(), JSON)


def _problem(status: int, code: str, message: str) -> EmulatedResponse:
    return _answer(status, {"code": code, "message": message})
