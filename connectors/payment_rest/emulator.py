"""The emulated payment provider: the paths of api.yaml, bearer token, idempotency keys, faults, webhooks, controls.

Configuration (all text): `api_key` (default "payment-key"), `webhook_secret` (default "payment-webhook-secret"),
`webhooks` ("on" or "off"), `idempotency` ("off" takes money a second time for a key that was seen: a sabotage that the
ledger shows as two entries of one reference), `key_ttl_seconds` (default 86400; then a key is forgotten),
`authorisation_seconds` (default "0": authorisations last for ever).

Controls, `POST /_control/<verb>` with JSON: `authorise` {amount, currency, method?, order_number?} as a checkout does,
`capture` and `refund` {payment, amount} as people over there do, `decline` {operation: capture|refund|reauthorise|
authorise, match: payment, order number or *, words, times?}, `dispute` {payment, amount, outcome: opened|won|lost},
`adjust` {type: adjustment|reserve|fee, amount, words}, `pay_out` {currency}, `payment` {payment}, `account` {},
`tick` {}.
A payment whose id is `chk-<currency>-<amount>-<order>` was made by a checkout and is known without being told.
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

from connectors.payment_rest.vault import Declined, Entry, Held, Vault
from hub.sdk.emulator import EmulatedRequest, EmulatedResponse, Emulator, Faults, Ledger, Outgoing
from hub.sdk.misbehaviour import Misbehaviour
from hub.sdk.ports import Clock
from hub.sdk.signatures import sign

JSON = {"content-type": "application/json"}
MAX_PAGE = 500
FAMILIES = {"payments": ("payment.", "dispute."), "refunds": ("refund.",)}


class PaymentEmulator(Emulator):
    """A provider that keeps its own books.

    Ledger kinds: authorise, capture, void, refund (key = the client's reference, with amount and currency),
    capture_declined, refund_declined, payout, duplicate_key (a call made again that changed nothing).
    """

    def __init__(
        self, *, ledger: Ledger, clock: Clock, source: random.Random, faults: Faults, config: Mapping[str, str]
    ) -> None:
        super().__init__(ledger=ledger, clock=clock, source=source, faults=faults, config=config)
        self._key = config.get("api_key", "payment-key")
        self._secret = config.get("webhook_secret", "payment-webhook-secret").encode()
        self._ttl = dt.timedelta(seconds=float(config.get("key_ttl_seconds", "86400")))
        life = dt.timedelta(seconds=float(config.get("authorisation_seconds", "0")))
        self._told: list[str] = []
        self._vault = Vault(ledger, clock.now, life, self._tell)
        self._manners = Misbehaviour(self, self._route, _problem)

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        self.catch_up(self.clock.now())
        if request.path.startswith("/_control/"):
            return self._control(request)
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {self._key}".encode()):
            return _problem(401, "unauthorized", "The key is not known")
        return self._manners.answer(request)

    def next_due(self) -> dt.datetime | None:
        moments = (self.webhooks.next_due(), self._vault.next_due(), self._manners.next_due())
        return min((moment for moment in moments if moment is not None), default=None)

    def catch_up(self, now: dt.datetime) -> None:
        self._manners.catch_up(now)
        self._vault.expire(now)

    def _tell(self, topic: str, content: dict[str, object]) -> None:
        if self.config.get("webhooks", "on") != "on":
            return
        name = "payouts" if topic == "payout.paid" else "events"
        delivery = f"msg_{content['id']}"
        self._told.append(delivery)
        self.webhooks.push(Outgoing(delivery, topic, {}, json.dumps({name: [content]}, separators=(",", ":")).encode()))

    def sign(self, outgoing: Outgoing, now: dt.datetime) -> Outgoing:
        timestamp = str(int(now.timestamp()))
        signature = sign(self._secret, (f"{outgoing.id}.{timestamp}.".encode(), outgoing.body))
        headers = {"webhook-id": outgoing.id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
        return replace(outgoing, headers={**JSON, **headers})

    # The API.

    def _route(self, request: EmulatedRequest) -> EmulatedResponse:
        try:
            if request.method == "POST":
                return self._post(request)
            return self._get(request)
        except Declined as refused:
            return _problem(refused.status, refused.code, str(refused))

    def _get(self, request: EmulatedRequest) -> EmulatedResponse:
        vault, reference = self._vault, request.query.get("reference", "")
        match request.path.strip("/").split("/"):
            case ["account"]:
                return _answer(200, {"mode": "test", **vault.account()})
            case ["payments"]:
                return self._found([(one.made_at, one.document()) for one in vault.referenced(reference)])
            case ["payments", payment_id]:
                payment = vault.payment(payment_id)
                return _answer(200, payment.document() | {"voids": payment.voids})
            case ["captures" | "refunds" as name]:
                entries = vault.by_reference(name.removesuffix("s"), reference)
                return self._found([(one.at, one.document()) for one in entries])
            case ["events"]:
                prefixes = FAMILIES.get(request.query.get("family", ""), ("",))
                events = [one for one in vault.events if str(one["type"]).startswith(prefixes)]
                return self._page("events", events, request.query, "occurred_at")
            case ["events", event_id]:
                return self._one("events", [one for one in vault.events if one["id"] == event_id])
            case ["payouts"]:
                return self._page("payouts", vault.payouts, request.query, "paid_at")
            case ["payouts", payout_id]:
                return self._one("payouts", [one for one in vault.payouts if one["id"] == payout_id])
        return _problem(404, "no_such_address", "There is nothing at this address")

    def _post(self, request: EmulatedRequest) -> EmulatedResponse:
        vault, body = self._vault, _object(request.body)
        reference = str(body.get("reference", ""))
        match request.path.strip("/").split("/"):
            case ["payments"]:
                return self._once(request, body, lambda: self._authorise(body, reference))
            case ["payments", payment_id, "reauthorise"]:
                return self._once(request, body, lambda: self._reauthorise(vault.payment(payment_id), body, reference))
            case ["payments", payment_id, "captures"]:
                payment, final = vault.payment(payment_id), body.get("final") is True
                amount = _amount(body, payment)
                return self._once(request, body, lambda: _made(vault.capture(payment, amount, reference, final=final)))
            case ["payments", payment_id, "void"]:
                return self._once(
                    request, body, lambda: _answer(200, vault.void(vault.payment(payment_id), reference).document())
                )
            case ["refunds"]:
                payment = vault.payment(str(body.get("payment", "")))
                amount, reason = _amount(body, payment), str(body.get("reason", ""))
                return self._once(request, body, lambda: _made(vault.refund(payment, amount, reference, reason)))
        return _problem(404, "no_such_address", "There is nothing at this address")

    def _authorise(self, body: Mapping[str, object], reference: str) -> EmulatedResponse:
        """With the means of a payment that stands."""
        source = self._vault.payment(str(body.get("source", "")))
        words = self._vault.refused("authorise", source)
        if words:
            return _answer(200, {"status": "declined", "message": words, "reference": reference})
        said = {"method": source.method, "order_number": source.order_number, "reference": reference}
        return _answer(201, self._vault.authorise(_amount(body, source), source.currency, **said).document())

    def _reauthorise(self, payment: Held, body: Mapping[str, object], reference: str) -> EmulatedResponse:
        words = self._vault.refused("reauthorise", payment)
        if words:
            return _answer(200, {"status": "declined", "message": words, "reference": reference})
        return _answer(201, self._vault.reauthorise(payment, _amount(body, payment), reference).document())

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
                    raise Declined(422, "key_reused", "The idempotency key was used for something else")
                self.ledger.add(now, "duplicate_key", key, request.path, "{}")
                return EmulatedResponse(status, answer.encode("latin-1"), JSON)
        self._told = []
        answered = work()
        if key:
            kept_answer = [now.isoformat(), digest, answered.status, answered.body.decode("latin-1")]
            self.ledger.remember(f"key|{key}", json.dumps(kept_answer))
        if self._told and self.faults.echo_first > 0 and self.random.random() < self.faults.echo_first:
            self.ledger.count_fault("echo_first")
            return replace(answered, after=tuple(self._told))
        return answered

    def _found(self, items: list[tuple[str, dict[str, object]]]) -> EmulatedResponse:
        """A search sees what was there `lookup_lag_seconds` ago."""
        seen = self.clock.now() - dt.timedelta(seconds=self.faults.lookup_lag_seconds)
        shown = [document for at, document in items if dt.datetime.fromisoformat(at) <= seen]
        if len(shown) < len(items):
            self.ledger.count_fault("lookup_lag")
        return _answer(200, {"items": shown})

    def _one(self, name: str, found: list[dict[str, object]]) -> EmulatedResponse:
        if not found:
            raise Declined(404, "not_found", f"There is nothing of that id among the {name}")
        return _answer(200, {name: found})

    def _page(self, name: str, items: list[dict[str, object]], query: Mapping[str, str], at: str) -> EmulatedResponse:
        try:
            after, limit = int(query.get("after", "0")), int(query.get("limit", "100"))
            start, end = (
                dt.datetime.fromisoformat(query[bound]) if bound in query else None for bound in ("from", "to")
            )
        except ValueError:
            raise Declined(400, "bad_query", "after and limit are whole numbers, from and to are instants") from None
        if (
            after < 0
            or not 0 < limit <= MAX_PAGE
            or any(one is not None and one.tzinfo is None for one in (start, end))
        ):
            raise Declined(400, "bad_query", f"limit is 1 to {MAX_PAGE}, instants have an offset")
        fitting = []
        for item in items:
            happened = dt.datetime.fromisoformat(str(item[at]))
            if _sequence(item) > after and (start is None or happened >= start) and (end is None or happened < end):
                fitting.append(item)
        page = fitting[:limit]
        reached = _sequence(page[-1]) if page else after
        return _answer(200, {name: page, "next": reached, "more": len(fitting) > limit})

    # Controls.

    def _control(self, request: EmulatedRequest) -> EmulatedResponse:
        verbs: dict[str, Callable[[Mapping[str, object]], object]] = {
            "authorise": self._checkout,
            "capture": lambda asked: self._by_hand(asked, "capture"),
            "refund": lambda asked: self._by_hand(asked, "refund"),
            "decline": self._decline,
            "dispute": self._dispute,
            "adjust": self._adjust,
            "pay_out": lambda asked: self._vault.pay_out(str(asked.get("currency", "USD"))),
            "payment": lambda asked: self._vault.payment(str(asked.get("payment", ""))).document(),
            "account": lambda _: self._vault.account(),
            "tick": lambda _: {"now": self.clock.now().isoformat()},
        }
        verb = verbs.get(request.path.removeprefix("/_control/"))
        try:
            if verb is None:
                raise Declined(404, "not_found", f"controls are {', '.join(verbs)}")
            return _answer(200, verb(_object(request.body or b"{}")))
        except Declined as refused:
            return _problem(refused.status, refused.code, str(refused))

    def _checkout(self, asked: Mapping[str, object]) -> object:
        said = {name: str(asked[name]) for name in ("method", "order_number") if name in asked}
        amount, currency = _decimal(asked.get("amount")), str(asked.get("currency", "USD"))
        return self._vault.authorise(amount, currency, **said).document()

    def _by_hand(self, asked: Mapping[str, object], kind: str) -> object:
        payment, amount = self._vault.payment(str(asked.get("payment", ""))), _decimal(asked.get("amount"))
        if kind == "capture":
            return self._vault.capture(payment, amount, "", final=False).document()
        return self._vault.refund(payment, amount, "", str(asked.get("reason", ""))).document()

    def _decline(self, asked: Mapping[str, object]) -> object:
        operation, times = str(asked.get("operation", "")), asked.get("times", 1)
        if operation not in ("capture", "refund", "reauthorise", "authorise") or not isinstance(times, int):
            raise Declined(
                422, "invalid", "operation is capture, refund, reauthorise or authorise; times a whole number"
            )
        self._vault.decline(operation, str(asked.get("match", "*")), str(asked.get("words", "declined")), times)
        return {"rules": len(self._vault.rules)}

    def _dispute(self, asked: Mapping[str, object]) -> object:
        payment, outcome = self._vault.payment(str(asked.get("payment", ""))), str(asked.get("outcome", "opened"))
        if outcome not in ("opened", "won", "lost"):
            raise Declined(422, "invalid", "outcome is opened, won or lost")
        self._vault.dispute(payment, _decimal(asked.get("amount", payment.captured)), outcome)
        return payment.document()

    def _adjust(self, asked: Mapping[str, object]) -> object:
        kind = str(asked.get("type", "adjustment"))
        if kind not in ("adjustment", "reserve", "fee"):
            raise Declined(422, "invalid", "type is adjustment, reserve or fee")
        self._vault.adjust(kind, _decimal(asked.get("amount")), str(asked.get("words", "")))
        return {"waiting": sum(1 for one in self._vault.extra if one["type"])}


def _amount(body: Mapping[str, object], payment: Held) -> Decimal:
    """The amount asked for, in the payment's own currency."""
    said = body.get("amount")
    if not isinstance(said, dict) or str(said.get("currency")) != payment.currency:
        raise Declined(422, "wrong_currency", f"The payment is in {payment.currency}")
    return _decimal(said.get("value"))


def _decimal(said: object) -> Decimal:
    try:
        return Decimal(str(said))
    except ArithmeticError:
        raise Declined(422, "invalid", "An amount is a decimal, as text") from None


def _sequence(item: Mapping[str, object]) -> int:
    return int(str(item["sequence"]))


def _made(entry: Entry) -> EmulatedResponse:
    return _answer(201 if entry.status == "succeeded" else 200, entry.document())


def _object(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Declined(400, "not_json", "The body is no JSON") from None
    if not isinstance(found, dict):
        raise Declined(400, "not_json", "The body is no JSON object")
    return found


def _answer(status: int, content: object) -> EmulatedResponse:
    return EmulatedResponse(status, json.dumps(content, separators=(",", ":")).encode(), JSON)


def _problem(status: int, code: str, message: str) -> EmulatedResponse:
    return _answer(status, {"code": code, "message": message})
