"""What lies behind the emulated provider: authorisations, captures, refunds, disputes, and what was paid out.

Pure state over the emulator's ledger, exact to the cent, so that an audit can add it up without asking the hub. The
provider takes a fee for every capture and pays out what is left.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import ROUND_UP, Decimal

from hub.sdk.emulator import Ledger
from hub.sdk.trees import instant_text

ZERO = Decimal(0)
FEE_SHARE, FEE_FIXED = Decimal("0.014"), Decimal("0.25")
CHECKOUT = re.compile(r"chk-([A-Z]{3})-([0-9]{1,12}(?:\.[0-9]{1,4})?)-(.{1,100})")
"""The id of a payment that a shop's checkout made: it says how much. The emulated shop and provider share no wire."""


class Declined(Exception):
    """A refusal in the provider's words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(slots=True)
class Held:
    """A payment: what was authorised, and what became of it. `ends`: when the authorisation lapses, "" = never."""

    number: int
    id: str
    currency: str
    authorised: str
    method: str = "card"
    order_number: str = ""
    reference: str = ""
    made_at: str = ""
    ends: str = ""
    captured: str = "0"
    released: str = "0"
    refunded: str = "0"
    replaces: str = ""
    dispute: str = ""
    voids: list[str] = field(default_factory=list)

    @property
    def open(self) -> Decimal:
        return Decimal(self.authorised) - Decimal(self.captured) - Decimal(self.released)

    @property
    def status(self) -> str:
        if self.dispute:
            return f"dispute_{self.dispute}"
        if self.open > 0:
            return "partially_captured" if Decimal(self.captured) else "authorised"
        return "captured" if Decimal(self.captured) else "released"

    def document(self) -> dict[str, object]:
        found: dict[str, object] = {
            "id": self.id,
            "status": self.status,
            "method": self.method,
            "amount": {"value": self.authorised, "currency": self.currency},
            "captured": self.captured,
            "released": self.released,
            "refunded": self.refunded,
            "created_at": self.made_at,
        }
        said = {"reference": self.reference, "expires_at": self.ends, "replaces": self.replaces}
        return found | {name: text for name, text in said.items() if text}


@dataclass(slots=True)
class Entry:
    """A capture or a refund. `payout`: the payout that it was settled in, "" = not yet."""

    number: int
    kind: str
    payment: str
    amount: str
    currency: str
    reference: str
    at: str
    status: str = "succeeded"
    reason: str = ""
    words: str = ""
    payout: str = ""

    @property
    def id(self) -> str:
        return f"{'cap' if self.kind == 'capture' else 'ref'}_{self.number:08d}"

    def document(self) -> dict[str, object]:
        found: dict[str, object] = {
            "id": self.id,
            "payment": self.payment,
            "status": self.status,
            "amount": {"value": self.amount, "currency": self.currency},
            "reference": self.reference,
            "created_at": self.at,
        }
        said = {"reason": self.reason, "message": self.words}
        return found | {name: text for name, text in said.items() if text}


class Vault:
    """`tell(topic, event)` is called with every new event, `life` is how long an authorisation lasts (0: for ever)."""

    def __init__(
        self,
        ledger: Ledger,
        now: Callable[[], dt.datetime],
        life: dt.timedelta,
        tell: Callable[[str, dict[str, object]], None],
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._life = life
        self._tell = tell
        self.payments = {one.id: one for one in (Held(**json.loads(data)) for _, data in ledger.recall_all("payment|"))}
        self.entries = [Entry(**json.loads(data)) for _, data in ledger.recall_all("entry|")]
        self.events: list[dict[str, object]] = [json.loads(data) for _, data in ledger.recall_all("event|")]
        self.payouts: list[dict[str, object]] = [json.loads(data) for _, data in ledger.recall_all("payout|")]
        self.rules: list[dict[str, str]] = [json.loads(data) for _, data in ledger.recall_all("rule|")]
        self.extra: list[dict[str, str]] = [json.loads(data) for _, data in ledger.recall_all("extra|")]

    # What may be asked.

    def payment(self, payment_id: str) -> Held:
        """Raises Declined where there is none. One from a checkout is known from the first time it is named."""
        found = self.payments.get(payment_id)
        if found is not None:
            return found
        checkout = CHECKOUT.fullmatch(payment_id)
        if checkout is None:
            raise Declined(404, "no_such_payment", f"There is no payment {payment_id[:60]}")
        return self._authorise(payment_id, Decimal(checkout[2]), checkout[1], order_number=checkout[3])

    def by_reference(self, kind: str, reference: str) -> list[Entry]:
        return [one for one in self.entries if one.kind == kind and one.reference == reference]

    def referenced(self, reference: str) -> list[Held]:
        return [one for one in self.payments.values() if one.reference == reference]

    def account(self) -> dict[str, str]:
        """What was taken and given back in all, over all currencies."""
        names = ("captured", "refunded", "released", "authorised")
        return {name: str(sum((Decimal(getattr(one, name)) for one in self.payments.values()), ZERO)) for name in names}

    # What the API does.

    def authorise(self, amount: Decimal, currency: str, **said: str) -> Held:
        """A new payment; `said` may name method, order_number, reference, replaces."""
        made = self._authorise(f"pay_{len(self.payments) + 1:08d}", amount, currency, **said)
        self._happened("payment.authorised", made, amount, made.reference, expires_at=made.ends)
        return made

    def reauthorise(self, old: Held, amount: Decimal, reference: str) -> Held:
        """A new authorisation in the place of what is open of the old one."""
        said = {"method": old.method, "order_number": old.order_number, "replaces": old.id}
        made = self.authorise(amount, old.currency, reference=reference, **said)
        self._release(old, old.open)
        return made

    def capture(self, payment: Held, amount: Decimal, reference: str, *, final: bool) -> Entry:
        """Raises Declined where no authorisation covers it; a declined card is an answer, not an error."""
        if not ZERO < amount <= payment.open:
            lapsed = bool(payment.ends) and dt.datetime.fromisoformat(payment.ends) <= self._now()
            if lapsed and amount > 0:
                raise Declined(409, "authorisation_expired", f"{payment.id} expired at {payment.ends}")
            raise Declined(422, "amount_too_large", f"{amount} asked, {payment.open} {payment.currency} are open")
        entry = self._entry("capture", payment, amount, reference, "", self.refused("capture", payment))
        if entry.status == "succeeded":
            payment.captured = str(Decimal(payment.captured) + amount)
            if final and payment.open:
                payment.released = str(Decimal(payment.released) + payment.open)
            self._keep(payment)
            self._happened("payment.captured", payment, amount, reference, capture=entry.id)
        return entry

    def void(self, payment: Held, reference: str) -> Held:
        """Lets go of what is open. Again: nothing more."""
        gone = payment.open
        if reference not in payment.voids:
            payment.voids.append(reference)
        self._release(payment, gone)
        if gone > 0:
            self._record("void", reference, payment.id, gone, payment.currency)
            self._happened("payment.voided", payment, gone, reference)
        return payment

    def refund(self, payment: Held, amount: Decimal, reference: str, reason: str) -> Entry:
        """Raises Declined for more than was captured and not refunded."""
        left = Decimal(payment.captured) - Decimal(payment.refunded)
        if not ZERO < amount <= left:
            raise Declined(422, "amount_too_large", f"{amount} asked, {left} {payment.currency} can be refunded")
        entry = self._entry("refund", payment, amount, reference, reason, self.refused("refund", payment))
        if entry.status == "succeeded":
            payment.refunded = str(Decimal(payment.refunded) + amount)
            self._keep(payment)
        name = "refund.succeeded" if entry.status == "succeeded" else "refund.failed"
        self._happened(name, payment, amount, reference, refund=entry.id, message=entry.words)
        return entry

    # What people over there do, and what time does.

    def decline(self, operation: str, match: str, words: str, times: int) -> None:
        """The next calls of an operation on a payment, or of an order number, are declined."""
        for _ in range(times):
            rule = {"operation": operation, "match": match, "words": words}
            self._ledger.remember(f"rule|{len(self.rules):06d}", json.dumps(rule))
            self.rules.append(rule)

    def dispute(self, payment: Held, amount: Decimal, outcome: str) -> None:
        payment.dispute = outcome
        self._keep(payment)
        respond_by = instant_text(self._now() + dt.timedelta(days=7))
        said = {"respond_by": respond_by} if outcome == "opened" else {}
        self._happened(f"dispute.{outcome}", payment, amount, "", message="The cardholder does not know it", **said)

    def expire(self, now: dt.datetime) -> None:
        """Authorisations whose time is over lapse."""
        for payment in self.payments.values():
            if payment.ends and payment.open > 0 and dt.datetime.fromisoformat(payment.ends) <= now:
                gone = payment.open
                self._release(payment, gone)
                self._happened("payment.expired", payment, gone, "")

    def next_due(self) -> dt.datetime | None:
        ends = [dt.datetime.fromisoformat(one.ends) for one in self.payments.values() if one.ends and one.open > 0]
        return min(ends, default=None)

    def adjust(self, kind: str, amount: Decimal, words: str) -> None:
        """A line of the next payout that belongs to no payment: an adjustment, a reserve, a fee."""
        line = {"type": kind, "amount": str(amount), "words": words}
        self._ledger.remember(f"extra|{len(self.extra):06d}", json.dumps(line))
        self.extra.append(line)

    def pay_out(self, currency: str) -> dict[str, object]:
        """Everything of a currency that is not settled yet, less fees, as one payout."""
        payout_id = f"po_{len(self.payouts) + 1:08d}"
        lines: list[dict[str, object]] = []
        for entry in self.entries:
            if entry.payout or entry.currency != currency or entry.status != "succeeded":
                continue
            taken = entry.kind == "capture"
            gross = Decimal(entry.amount) if taken else -Decimal(entry.amount)
            fee = (gross * FEE_SHARE + FEE_FIXED).quantize(Decimal("0.01"), ROUND_UP) if taken else ZERO
            line = {"id": f"{payout_id}-{len(lines) + 1}", "type": "charge" if taken else "refund"}
            line |= {"gross": str(gross), "fee": str(fee), "net": str(gross - fee), "entry": entry.id}
            lines.append({**line, "payment": entry.payment, "order_number": self.payments[entry.payment].order_number})
            entry.payout = payout_id
            self._keep_entry(entry)
        for number, extra in enumerate(self.extra):
            if extra["type"]:
                net = {"gross": extra["amount"], "fee": "0", "net": extra["amount"], "words": extra["words"]}
                lines.append({"id": f"{payout_id}-{len(lines) + 1}", "type": extra["type"], **net})
                extra["type"] = ""
                self._ledger.remember(f"extra|{number:06d}", json.dumps(extra))
        amount = sum((Decimal(str(line["net"])) for line in lines), ZERO)
        payout: dict[str, object] = {"id": payout_id, "sequence": len(self.payouts) + 1, "currency": currency}
        payout |= {"amount": str(amount), "paid_at": instant_text(self._now()), "lines": lines}
        self.payouts.append(payout)
        self._ledger.remember(f"payout|{len(self.payouts):08d}", json.dumps(payout))
        self._record("payout", payout_id, payout_id, amount, currency)
        self._tell("payout.paid", payout)
        return payout

    # The books.

    def _authorise(self, payment_id: str, amount: Decimal, currency: str, **said: str) -> Held:
        if amount <= 0:
            raise Declined(422, "invalid", "An amount is above zero")
        now = self._now()
        made = Held(len(self.payments) + 1, payment_id, currency, str(amount), made_at=instant_text(now))
        made.method = said.get("method", made.method)
        made.order_number, made.reference = said.get("order_number", ""), said.get("reference", "")
        made.replaces = said.get("replaces", "")
        if self._life:
            made.ends = instant_text(now + self._life)
        self.payments[made.id] = made
        self._keep(made)
        self._record("authorise", made.reference, made.id, amount, currency)
        return made

    def _entry(self, kind: str, payment: Held, amount: Decimal, reference: str, reason: str, words: str) -> Entry:
        said = (payment.id, str(amount), payment.currency, reference, instant_text(self._now()))
        entry = Entry(len(self.entries) + 1, kind, *said, reason=reason, words=words)
        entry.status = "declined" if words else "succeeded"
        self.entries.append(entry)
        self._keep_entry(entry)
        self._record(kind if not words else f"{kind}_declined", reference, payment.id, amount, payment.currency)
        return entry

    def refused(self, operation: str, payment: Held) -> str:
        """The words of the first rule that fits; it fits once."""
        for number, rule in enumerate(self.rules):
            if rule["operation"] == operation and rule["match"] in (payment.id, payment.order_number, "*"):
                words = rule["words"]
                rule["operation"] = ""
                self._ledger.remember(f"rule|{number:06d}", json.dumps(rule))
                return words
        return ""

    def _release(self, payment: Held, amount: Decimal) -> None:
        payment.released = str(Decimal(payment.released) + amount)
        self._keep(payment)

    def _happened(self, kind: str, payment: Held, amount: Decimal, reference: str, **said: str) -> None:
        number = len(self.events) + 1
        data: dict[str, object] = {
            "payment": payment.id,
            "amount": {"value": str(amount), "currency": payment.currency},
        }
        data |= {name: text for name, text in {"reference": reference, **said}.items() if text}
        event: dict[str, object] = {"id": f"evt_{number:010d}", "sequence": number, "type": kind}
        event |= {"occurred_at": instant_text(self._now()), "data": data}
        self.events.append(event)
        self._ledger.remember(f"event|{number:010d}", json.dumps(event))
        self._tell("refund.event" if kind.startswith("refund.") else "payment.event", event)

    def _keep(self, payment: Held) -> None:
        self._ledger.remember(f"payment|{payment.number:010d}", json.dumps(asdict(payment)))

    def _keep_entry(self, entry: Entry) -> None:
        self._ledger.remember(f"entry|{entry.number:010d}", json.dumps(asdict(entry)))

    def _record(self, kind: str, key: str, subject: str, amount: Decimal, currency: str) -> None:
        data: Mapping[str, object] = {"amount": str(amount), "currency": currency}
        self._ledger.add(self._now(), kind, key, subject, json.dumps(data))
