"""The emulated CRM: customers that others write by their own reference and read by the time of their last change.

Configuration (all text): `client_id` (default "order-hub"), `client_secret` ("crm-client-secret"), `webhook_secret`
("crm-webhook-secret"), `webhooks` ("on" or "off"), `token_seconds` ("3600"), `idempotency` ("off" does the work of a
repeated idempotency-key again, which the ledger then shows).

Controls, `POST /_control/<verb>` with JSON: `change` {id or reference, ...fields}, `add` {...fields}, `merge` {from,
into}, `refuse` {email} (422 for a body with it), `revoke` {} (no token counts any more), `door` {open} (closed: 503
`maintenance`), `show` {reference}, `count` {}.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import json
import random
import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import replace

from hub.sdk.emulator import EmulatedRequest, EmulatedResponse, Emulator, Faults, Ledger, Outgoing
from hub.sdk.misbehaviour import Misbehaviour
from hub.sdk.ports import Clock

JSON = {"content-type": "application/json"}
MAX_PAGE = 500
FIELDS = frozenset(
    {
        "source",
        "source_customer",
        "seller",
        "name",
        "company",
        "email",
        "phone",
        "language",
        "billing_address",
        "shipping_address",
        "last_order",
        "segments",
    }
)
Customer = dict[str, object]


class Refused(Exception):
    """What the API answers instead of doing it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class CrmEmulator(Emulator):
    """Keeps customers, and notes in its ledger: customer_put (key = the idempotency key, subject = the reference),
    customer_replay (the same key again: nothing is done), store_credit (key = our reference, subject = the customer),
    customer_change and customer_merge (by its own people)."""

    def __init__(
        self, *, ledger: Ledger, clock: Clock, source: random.Random, faults: Faults, config: Mapping[str, str]
    ) -> None:
        super().__init__(ledger=ledger, clock=clock, source=source, faults=faults, config=config)
        self._secret = config.get("webhook_secret", "crm-webhook-secret").encode()
        self._client = (config.get("client_id", "order-hub"), config.get("client_secret", "crm-client-secret"))
        self._customers: dict[str, Customer] = {
            name.removeprefix("customer|"): json.loads(data) for name, data in ledger.recall_all("customer|")
        }
        self._by_reference = {
            str(customer["reference"]): name for name, customer in self._customers.items() if "reference" in customer
        }
        self._done = {name.removeprefix("key|"): data for name, data in ledger.recall_all("key|")}
        self._tokens = {name.removeprefix("token|"): data for name, data in ledger.recall_all("token|") if data}
        self._refused = {name.removeprefix("refuse|") for name, _ in ledger.recall_all("refuse|")}
        self._manners = Misbehaviour(self, self._route, lambda *told: _problem(Refused(*told)))

    # The ground's surface.

    def handle(self, request: EmulatedRequest) -> EmulatedResponse:
        self.catch_up(self.clock.now())
        if request.path.startswith("/_control/"):
            return self._control(request)
        if request.path == "/oauth/token":
            return self._token(request)
        if not self._is_known(request.headers.get("authorization", "")):
            return _problem(Refused(401, "invalid_token", "The token is not known, or its time is over"))
        return self._manners.answer(request)

    def next_due(self) -> dt.datetime | None:
        moments = (self.webhooks.next_due(), self._manners.next_due())
        return min((moment for moment in moments if moment is not None), default=None)

    def catch_up(self, now: dt.datetime) -> None:
        self._manners.catch_up(now)

    # Who asks.

    def _token(self, request: EmulatedRequest) -> EmulatedResponse:
        form = dict(urllib.parse.parse_qsl(request.body.decode("utf-8", "replace")))
        if request.method != "POST" or form.get("grant_type") != "client_credentials":
            return _answer(400, {"error": "unsupported_grant_type"})
        given = _basic(request.headers.get("authorization", "")) or (
            form.get("client_id", ""),
            form.get("client_secret", ""),
        )
        if not hmac.compare_digest("\n".join(given).encode(), "\n".join(self._client).encode()):
            return _answer(401, {"error": "invalid_client", "error_description": "The client is not known"})
        seconds = int(self.config.get("token_seconds", "3600"))
        token = f"tok_{self.random.getrandbits(128):032x}"
        self._tokens[token] = (self.clock.now() + dt.timedelta(seconds=seconds)).isoformat()
        self.ledger.remember(f"token|{token}", self._tokens[token])
        return _answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": seconds})

    def _is_known(self, header: str) -> bool:
        until = self._tokens.get(header.removeprefix("Bearer "))
        return until is not None and self.clock.now() < dt.datetime.fromisoformat(until)

    # The API.

    def _route(self, request: EmulatedRequest) -> EmulatedResponse:
        try:
            match request.method, request.path.strip("/").split("/"):
                case "GET", ["me"]:
                    return _answer(200, {"client": self._client[0]})
                case "GET", ["customers"]:
                    return self._list(request.query)
                case "PUT", ["customers", "by-reference", reference]:
                    return self._put(reference, request)
                case "GET", ["customers", "by-reference", reference]:
                    return _answer(200, self._seen(self._by_reference.get(reference, "")))
                case "PUT", ["customers", "by-reference", reference, "credits", credit]:
                    return self._give_credit(reference, credit, request)
                case "GET", ["customers", "by-reference", reference, "credits", credit]:
                    return self._credit(reference, credit)
                case "GET", ["customers", name]:
                    return _answer(200, self._known(name))
        except Refused as refused:
            return _problem(refused)
        return _problem(Refused(404, "no_such_address", "There is nothing at this address"))

    def _put(self, reference: str, request: EmulatedRequest) -> EmulatedResponse:
        if self.ledger.recall("door") == "closed":
            raise Refused(503, "maintenance", "We are closed for a while. Nothing was changed.")
        body = _object(request.body)
        if body.get("reference") != reference:
            raise Refused(422, "invalid", "reference must be that of the address")
        if unknown := set(body) - FIELDS - {"reference"}:
            raise Refused(422, "invalid", f"a customer has no {', '.join(sorted(unknown))}")
        if not {"name", "email", "phone", "source_customer"} & set(body):
            raise Refused(422, "invalid", "a customer needs a name, an address for mail, a telephone or an id")
        if str(body.get("email", "")).lower() in self._refused:
            raise Refused(422, "blocked", "This customer may not be stored")
        key = request.headers.get("idempotency-key", "")
        digest = hashlib.sha256(request.body).hexdigest()
        if key and self.config.get("idempotency", "on") == "on" and key in self._done:
            if self._done[key] != digest:
                raise Refused(422, "key_reused", "This idempotency-key was sent with another body")
            self.ledger.add(self.clock.now(), "customer_replay", key, reference, "{}")
            return _answer(200, self._known(self._by_reference[reference]))
        existed = reference in self._by_reference
        customer = self._write(self._by_reference.get(reference), {**body, "reference": reference})
        self.ledger.add(
            self.clock.now(), "customer_put", key, reference, json.dumps({"id": customer["id"], "body": body})
        )
        self._done[key] = digest
        self.ledger.remember(f"key|{key}", digest)
        event = self._tell(customer, "customer.updated" if existed else "customer.created")
        after: tuple[str, ...] = ()
        if event and self.faults.echo_first > 0 and self.random.random() < self.faults.echo_first:
            self.ledger.count_fault("echo_first")
            after = (event,)
        return replace(_answer(200 if existed else 201, customer), after=after)

    def _give_credit(self, reference: str, credit: str, request: EmulatedRequest) -> EmulatedResponse:
        """Once for each reference; the same again is answered as before, other content is refused."""
        customer, body = self._known(self._by_reference.get(reference, "")), _object(request.body)
        if body.get("reference") != credit or body.get("customer") != reference:
            raise Refused(422, "invalid", "reference and customer must be those of the address")
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", str(body.get("amount"))) or not body.get("currency"):
            raise Refused(422, "invalid", "a credit has an amount and a currency")
        name = f"credit|{reference}|{credit}"
        known = self.ledger.recall(name)
        if known is not None:
            stands = json.loads(known)
            if {field: stands.get(field) for field in body} != dict(body):
                raise Refused(409, "conflict", "This credit was given with other content")
            return _answer(200, stands)
        number = len(self.ledger.recall_all("credit|")) + 1
        given = {**body, "id": f"cr-{number}"}
        self.ledger.remember(name, json.dumps(given))
        self.ledger.add(self.clock.now(), "store_credit", credit, str(customer["id"]), json.dumps(given))
        return _answer(201, given)

    def _credit(self, reference: str, credit: str) -> EmulatedResponse:
        known = self.ledger.recall(f"credit|{reference}|{credit}")
        if known is None:
            raise Refused(404, "credit_not_found", "There is no such credit")
        return _answer(200, json.loads(known))

    def _write(self, name: str | None, fields: Mapping[str, object]) -> Customer:
        now = self.clock.now().isoformat(timespec="microseconds").replace("+00:00", "Z")
        name = name or f"c-{1000 + len(self._customers)}"
        before = self._customers.get(name, {"id": name, "created_at": now})
        customer = {**before, **fields, "updated_at": _later(str(before.get("updated_at", "")), now)}
        self._customers[name] = customer
        if "reference" in customer:
            self._by_reference[str(customer["reference"])] = name
        self.ledger.remember(f"customer|{name}", json.dumps(customer))
        return customer

    def _known(self, name: str) -> Customer:
        customer = self._customers.get(name)
        if customer is None:
            raise Refused(404, "customer_not_found", f"There is no customer {name[:60]}")
        return customer

    def _seen(self, name: str) -> Customer:
        """A search sees what was there `lookup_lag_seconds` ago."""
        customer = self._known(name)
        if str(customer["updated_at"]) > self._horizon():
            self.ledger.count_fault("lookup_lag")
            raise Refused(404, "customer_not_found", "There is no such customer")
        return customer

    def _horizon(self) -> str:
        """The newest change that a search sees."""
        at = self.clock.now() - dt.timedelta(seconds=self.faults.lookup_lag_seconds)
        # A change a moment after another of its customer is dated behind it, which may lie ahead of the clock.
        grace = dt.timedelta(0 if self.faults.lookup_lag_seconds else 1)
        return _text(at + grace)

    def _list(self, query: Mapping[str, str]) -> EmulatedResponse:
        limit = query.get("limit", "100")
        if not limit.isdigit() or not 0 < int(limit) <= MAX_PAGE:
            raise Refused(400, "bad_query", f"limit is 1 to {MAX_PAGE}")
        since, before = (_instant(query[name]) if name in query else "" for name in ("updated_since", "updated_before"))
        at, name = _position(query["cursor"]) if "cursor" in query else ("", "")
        horizon = self._horizon()
        found = sorted((str(one["updated_at"]), str(one["id"])) for one in self._customers.values())
        page = [
            (changed, one)
            for changed, one in found
            if changed >= since
            and (not before or changed < before)
            and (changed, one) > (at, name)
            and changed <= horizon
        ]
        more, page = len(page) > int(limit), page[: int(limit)]
        content: dict[str, object] = {"items": [self._customers[one] for _, one in page]}
        if more:
            content["next_cursor"] = base64.urlsafe_b64encode(json.dumps(page[-1]).encode()).decode()
        return _answer(200, content)

    def _tell(self, customer: Customer, topic: str) -> str:
        if self.config.get("webhooks", "on") != "on":
            return ""
        number = int(self.ledger.recall("events") or "0") + 1
        self.ledger.remember("events", str(number))
        body = json.dumps({"id": customer["id"], "event": topic}, separators=(",", ":")).encode()
        self.webhooks.push(Outgoing(f"ev-{number}", topic, {}, body))
        return f"ev-{number}"

    def sign(self, outgoing: Outgoing, now: dt.datetime) -> Outgoing:
        stamp = str(int(now.timestamp()))
        signature = hmac.new(self._secret, stamp.encode() + b"." + outgoing.body, hashlib.sha256).hexdigest()
        headers = {
            **JSON,
            "crm-event-id": outgoing.id,
            "crm-event": outgoing.topic,
            "crm-signature": f"t={stamp},v1={signature}",
        }
        return replace(outgoing, headers=headers)

    # Controls.

    def _control(self, request: EmulatedRequest) -> EmulatedResponse:
        verbs: dict[str, Callable[[Mapping[str, object]], object]] = {
            "add": self._add,
            "change": self._change,
            "merge": self._merge,
            "refuse": self._refuse,
            "revoke": self._revoke,
            "door": lambda asked: self.ledger.remember("door", "open" if asked.get("open", True) is True else "closed"),
            "show": lambda asked: self._known(self._by_reference.get(str(asked.get("reference")), "")),
            "count": lambda _: {"customers": len(self._customers)},
        }
        verb = verbs.get(request.path.removeprefix("/_control/"))
        try:
            if verb is None:
                raise Refused(404, "not_found", f"controls are {', '.join(verbs)}")
            return _answer(200, verb(_object(request.body or b"{}")))
        except Refused as refused:
            return _problem(refused)

    def _add(self, asked: Mapping[str, object]) -> object:
        customer = self._write(None, asked)
        self.ledger.add(self.clock.now(), "customer_change", str(customer["id"]), "", json.dumps(dict(asked)))
        self._tell(customer, "customer.created")
        return customer

    def _change(self, asked: Mapping[str, object]) -> object:
        name = str(asked.get("id") or self._by_reference.get(str(asked.get("reference")), ""))
        self._known(name)
        customer = self._write(name, {field: value for field, value in asked.items() if field != "id"})
        self.ledger.add(self.clock.now(), "customer_change", name, "", json.dumps(dict(asked)))
        self._tell(customer, "customer.updated")
        return customer

    def _merge(self, asked: Mapping[str, object]) -> object:
        into = self._known(str(asked.get("into")))
        name = str(asked.get("from"))
        self._known(name)
        customer = self._write(name, {"merged_into": into["id"]})
        self.ledger.add(self.clock.now(), "customer_merge", name, str(into["id"]), "{}")
        self._tell(customer, "customer.merged")
        return customer

    def _refuse(self, asked: Mapping[str, object]) -> object:
        email = str(asked.get("email", "")).lower()
        self._refused.add(email)
        self.ledger.remember(f"refuse|{email}", "refused")
        return {"refused": len(self._refused)}

    def _revoke(self, asked: Mapping[str, object]) -> object:
        del asked
        revoked = len(self._tokens)
        for token in self._tokens:
            self.ledger.remember(f"token|{token}", "")
        self._tokens.clear()
        return {"revoked": revoked}


def _basic(header: str) -> tuple[str, str] | None:
    if not header.startswith("Basic "):
        return None
    try:
        user, _, password = base64.b64decode(header[6:], validate=True).decode().partition(":")
    except (ValueError, binascii.Error):
        return ("", "")
    return urllib.parse.unquote_plus(user), urllib.parse.unquote_plus(password)


def _instant(text: str) -> str:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, "bad_query", "times are RFC 3339") from None
    if at.tzinfo is None:
        raise Refused(400, "bad_query", "times need an offset")
    return _text(at)


def _position(cursor: str) -> tuple[str, str]:
    try:
        at, name = json.loads(base64.urlsafe_b64decode(cursor))
    except (ValueError, TypeError, binascii.Error):
        raise Refused(410, "cursor_gone", "The cursor is not known any more") from None
    return str(at), str(name)


def _later(before: str, now: str) -> str:
    """Each change of a customer has a time of its own."""
    if not before or now > before:
        return now
    return _text(dt.datetime.fromisoformat(before) + dt.timedelta(microseconds=1))


def _text(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _object(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "not_json", "The body is no JSON") from None
    if not isinstance(found, dict):
        raise Refused(400, "not_json", "The body is no JSON object")
    return found


def _answer(status: int, content: object) -> EmulatedResponse:
    return EmulatedResponse(status, json.dumps(content, separators=(",", ":")).encode(), JSON)


def _problem(refused: Refused) -> EmulatedResponse:
    return _answer(refused.status, {"code": refused.code, "message": str(refused)})
