"""The world outside the hub, for stories of any length: a provider with accounts, warehouses with real goods, carriers,
systems that take calls; each with a ledger of its own that the hub's can be held against.

A call to it succeeds, is refused, or gets lost before or after it was done. What was done twice under one key was done
once, as the outbox sees to it.
"""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hub.domain.decision import Answer, EffectRequest
from hub.domain.writeset import Update, WriteSet
from hub.oms.handlers import build
from tests.property.memory_store import Bench

ZERO = Decimal(0)
Record = dict[str, Any]
OPEN = ("pending", "in_flight", "unknown")
INSTEAD = {"TEE": "CAP", "CAP": "MUG", "MUG": "TEE"}
"""What a warehouse sends where it has it in place of an article."""
RATE = {"external_id": "r1", "carrier": "post", "service": "ground", "amount": "7.10", "currency": "USD", "days": 3}


@dataclass(slots=True)
class Account:
    """One payment as its provider has it. What is authorised is never more than asked, what goes back never more than
    was taken."""

    authorised: Decimal
    captured: Decimal = ZERO
    voided: Decimal = ZERO
    refunded: Decimal = ZERO

    @property
    def open(self) -> Decimal:
        return self.authorised - self.captured - self.voided


@dataclass(slots=True)
class Job:
    """A fulfilment order as its warehouse has it: line -> SKU and units in hand; `asked` cancel requests unanswered."""

    id: str
    location: str
    method: str
    skus: dict[str, str]
    held: dict[str, Decimal]
    asked: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    boxes: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    """What is packed and has not left, by the warehouse's name of the package."""
    destination: str = ""
    """Of a transfer: the location that its goods go to."""
    going: dict[str, Decimal] = field(default_factory=dict)
    """Of a transfer: what is on its way."""

    @property
    def open(self) -> bool:
        return any(units > 0 for units in self.held.values())


@dataclass(slots=True)
class Town:
    """`goods`: (location, SKU) -> units that really lie there."""

    bench: Bench
    goods: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    done: dict[str, Record] = field(default_factory=dict)
    """Business key -> what was answered; doing it again answers the same."""
    states: dict[str, str] = field(default_factory=dict)
    """Business key -> state of its delivery; absent: pending."""
    labels: dict[str, str] = field(default_factory=dict)
    """Key of the purchase -> bought, voided or used."""
    echoes: list[tuple[str, str, Record]] = field(default_factory=list)
    """(connection, stream, record) that providers will tell by themselves."""
    parcels: list[str] = field(default_factory=list)
    """Tracking numbers under way."""
    transit: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """(destination, SKU) -> units that are on their way there."""
    supply: dict[str, Record] = field(default_factory=dict)
    """Purchase orders, as their suppliers state them."""
    bounced: set[str] = field(default_factory=set)
    """Keys of refunds that came back to the provider."""
    number: int = 0

    def next(self) -> int:
        self.number += 1
        return self.number

    # --- calls ---

    def waiting(self) -> list[str]:
        """Keys of calls that may be made now, oldest first: the first of their lane, with all that they require."""
        found: list[str] = []
        lanes: set[tuple[str, str, str]] = set()
        for key, effect in self.bench.effects.items():
            state = self.states.get(key, "pending")
            lane = (effect.destination, effect.aggregate, effect.lane)
            if state in OPEN and lane not in lanes:
                lanes.add(lane)
                ready = all(self.states.get(needed) == "acknowledged" for needed in effect.requires)
                if state == "pending" and ready:
                    found.append(key)
        return found

    def unknown(self) -> list[str]:
        return [key for key, state in self.states.items() if state == "unknown"]

    def send(self, key: str, outcome: str) -> None:
        """`outcome`: done, refused (the call failed), declined (it said no), lost before, lost after."""
        effect = self.bench.effects[key]
        if outcome == "refused":
            self._set(key, "refused")
            self.bench.reply(effect, "rejected", reason="no")
        elif outcome == "declined":
            self.done[key] = {"accepted": False, "reason": "no"}
            self._acknowledge(key, effect)
        elif outcome.startswith("lost"):
            if outcome == "lost after":
                self._do(key, effect)
            self._set(key, "unknown")
            self.bench.reply(effect, "ambiguous")
        else:
            self._do(key, effect)
            self._acknowledge(key, effect)

    def look_up(self, key: str) -> None:
        """What became of a call whose answer was lost: it was done, or it is made again."""
        if key in self.done:
            self._acknowledge(key, self.bench.effects[key])
        else:
            self._set(key, "pending")

    def _acknowledge(self, key: str, effect: EffectRequest) -> None:
        self._set(key, "acknowledged")
        self.bench.reply(effect, "success", **self.done[key])

    def _set(self, key: str, state: str) -> None:
        self.states[key] = state
        update = Update("deliveries", {"business_key": key}, {"state": state, "attempts": 1})
        self.bench.store.apply(WriteSet([update]))

    def _do(self, key: str, effect: EffectRequest) -> None:
        if key not in self.done:
            does = getattr(self, f"_{effect.capability}", None)
            self.done[key] = does(key, effect.record) if does else {"external_id": f"x{self.next()}"}

    # --- money ---

    def _account(self, record: Record) -> Account:
        return self.accounts[str(record["payment_external_id"])]

    def _capture(self, key: str, record: Record) -> Record:
        account, amount = self._account(record), Decimal(record["amount"])
        if amount > account.open:
            return {"accepted": False, "reason": "not covered"}
        account.captured += amount
        return self._booked(record, "captured", {"payment": {"amount": str(amount)}})

    def _void(self, key: str, record: Record) -> Record:
        account = self._account(record)
        amount = account.open
        account.voided += amount
        return self._booked({**record, "amount": str(amount)}, "voided", {})

    def _refund(self, key: str, record: Record) -> Record:
        account, amount = self._account(record), Decimal(record["amount"])
        if amount > account.captured - account.refunded:
            return {"accepted": False, "reason": "more than was charged"}
        account.refunded += amount
        external_id = f"re{self.next()}"
        told = {"external_id": external_id, "fact_key": external_id, "reference": record["key"], "state": "succeeded"}
        told |= {name: record[name] for name in ("payment_external_id", "amount", "currency")}
        self.echoes.append(("payment", "refunds", told))
        return {"external_id": external_id}

    def given_back(self) -> list[str]:
        """Keys of refunds that the hub was told of in every way, and that have not come back."""
        told = {str(record.get("reference")) for _, _, record in self.echoes}
        return [
            key
            for key, state in self.states.items()
            if self.bench.effects[key].capability == "refund"
            and state == "acknowledged"
            and "external_id" in self.done[key]
            and self.bench.effects[key].record["key"] not in told
            and key not in self.bounced
        ]

    def bounce(self, key: str) -> None:
        """Money that was given back comes back to the provider, who tells."""
        record = self.bench.effects[key].record
        self.bounced.add(key)
        self._account(record).refunded -= Decimal(record["amount"])
        told = {"external_id": self.done[key]["external_id"], "reference": record["key"], "state": "failed"}
        told |= {name: record[name] for name in ("payment_external_id", "amount", "currency")}
        self.bench.fact("refunds", {**told, "fact_key": f"{self.next()}", "note": "card closed"}, connection="payment")

    def _booked(self, record: Record, event: str, more: Record) -> Record:
        external_id = f"{event[:3]}{self.next()}"
        told = {"fact_key": external_id, "external_id": external_id, "event": event, "reference": record["key"]}
        told |= {name: record[name] for name in ("payment_external_id", "amount", "currency")}
        self.echoes.append(("payment", "payments", told))
        return {"external_id": external_id, **more}

    def _authorise(self, key: str, record: Record) -> Record:
        external_id = f"pay-again-{self.next()}"
        self.accounts[external_id] = Account(Decimal(record["amount"]))
        return {"external_id": external_id, "payment": {"external_id": external_id, "amount": record["amount"]}}

    def _reauthorise(self, key: str, record: Record) -> Record:
        ends = (self.bench.now + dt.timedelta(days=7)).isoformat()
        return {"payment": {"amount": record["amount"], "expires_at": ends}}

    def _push_refund(self, key: str, record: Record) -> Record:
        external_id = f"cre{self.next()}"
        account = self.accounts.get(f"channel {record['order_external_id']}")
        if account is not None:
            account.refunded += Decimal(record["amount"])
        return {"external_id": external_id}

    # --- goods ---

    def _send_fulfilment_request(self, key: str, record: Record) -> Record:
        lines = record["lines"]
        job = Job(
            str(record["fulfilment_order"]),
            str(record["location"]),
            str(record.get("method", "ship")),
            {str(line["line"]): str(line["sku"]) for line in lines},
            {str(line["line"]): Decimal(line["quantity"]) for line in lines},
            destination=str(record.get("destination", "")),
        )
        self.jobs.setdefault(job.id, job)
        return {"accepted": True, "external_id": f"wo{self.next()}"}

    def _cancel_fulfilment_request(self, key: str, record: Record) -> Record:
        job = self.jobs.get(str(record["fulfilment_order"]))
        if job is None:
            return {"accepted": True}
        asked = {str(line["line"]): Decimal(line["quantity"]) for line in record["lines"]}
        job.asked[str(record["cancel_request"])] = asked
        return {"external_id": f"wc{self.next()}"}

    def tell(self, job: Job, status: str, units: dict[str, Decimal] | None = None, **more: Any) -> None:
        """A report of the warehouse."""
        record = {"fact_key": f"w{self.next()}", "fulfilment_order": job.id, "status": status, **more}
        if units is not None:
            record["lines"] = [{"line": line, "quantity": str(quantity)} for line, quantity in units.items()]
        self.bench.fact("fulfilment_responses", record, connection=f"wms-{job.location}")

    def part(self, job: Job, most: int) -> dict[str, Decimal]:
        """Up to so many units of what is in hand."""
        return self.part_of(job.held, most)

    @staticmethod
    def part_of(there: dict[str, Decimal], most: int) -> dict[str, Decimal]:
        left = Decimal(most)
        found = {}
        for line, held in there.items():
            units = min(held, left)
            if units > 0:
                found[line] = units
                left -= units
        return found

    def pack(self, job: Job, units: dict[str, Decimal]) -> None:
        """Into one box more, of what is in hand and not in another."""
        boxed = list(job.boxes.values())
        free = {line: held - sum((box.get(line, ZERO) for box in boxed), ZERO) for line, held in job.held.items()}
        inside = {line: min(quantity, free[line]) for line, quantity in units.items() if free[line] > 0}
        if not inside:
            return
        name = f"box-{self.next()}"
        job.boxes[name] = inside
        lines = [{"line": line, "sku": job.skus[line], "quantity": str(quantity)} for line, quantity in inside.items()]
        self.tell(job, "packed", inside, packages=[{"package": name, "weight_grams": "500", "lines": lines}])

    def ship(self, job: Job, units: dict[str, Decimal], *, other: bool = False) -> None:
        """Goods leave: the boxes that are packed, else these units, and no more than lie there; `other`: of another
        article than was asked for."""
        parcels = job.boxes or {f"box-{self.next()}": units}
        job.boxes = {}
        packages = [self._leave(job, name, inside, other) for name, inside in parcels.items()]
        packages = [package for package in packages if package["lines"]]
        if not packages:
            return
        number = self.next()
        notice: Record = {"fact_key": f"s{number}", "external_id": f"s{number}", "fulfilment_order": job.id}
        notice |= {"shipped_at": self.bench.now.isoformat(), "packages": packages}
        self.bench.fact("shipments", notice, connection=f"wms-{job.location}")

    def _leave(self, job: Job, name: str, inside: dict[str, Decimal], other: bool) -> Record:
        lines = []
        for line, quantity in inside.items():
            sku = INSTEAD[job.skus[line]] if other else job.skus[line]
            place = (job.location, sku)
            there = min(quantity, self.goods[place])
            if there > 0:
                self.goods[place] -= there
                job.held[line] = max(job.held[line] - there, ZERO)
                lines.append({"line": line, "sku": sku, "quantity": str(there)})
                if job.destination:
                    self.transit[job.destination, sku] = self.transit.get((job.destination, sku), ZERO) + there
                    job.going[line] = job.going.get(line, ZERO) + there
        tracking = self._stuck_on(name) or f"TN{self.next()}"
        if lines and not job.destination:
            self.parcels.append(tracking)
        return {"package": name, "tracking_number": tracking, "lines": lines}

    def _stuck_on(self, name: str) -> str | None:
        """The number of the label that was bought for a box, which is used now."""
        for row in self.bench.store.rows("packages", {"external_id": name}):
            for key, state in self.labels.items():
                if f"/package/{row['id']}/" in key and state == "bought" and self.states.get(key) == "acknowledged":
                    self.labels[key] = "used"
                    return str(self.done[key]["label"]["tracking_number"])
        return None

    def hand_over(self, job: Job, units: dict[str, Decimal]) -> None:
        given = {}
        for line, quantity in units.items():
            place = (job.location, job.skus[line])
            there = min(quantity, self.goods[place])
            if there > 0:
                self.goods[place] -= there
                job.held[line] -= there
                given[line] = there
        if given:
            self.tell(job, "handed_over", given, proof="code")

    def under_way(self) -> list[Job]:
        """Those with goods between two locations."""
        return [job for job in self.jobs.values() if any(units > 0 for units in job.going.values())]

    def come_in(self, job: Job, units: dict[str, Decimal]) -> None:
        """The other location has them, and says so."""
        self.vanish(job, units)
        for line, quantity in units.items():
            self.goods[job.destination, job.skus[line]] += quantity
        self.tell(job, "received", units, occurred_at=self.bench.now.isoformat())

    def vanish(self, job: Job, units: dict[str, Decimal]) -> None:
        """They are not on their way any more."""
        for line, quantity in units.items():
            job.going[line] -= quantity
            self.transit[job.destination, job.skus[line]] -= quantity

    def put_back(self, job: Job) -> None:
        """What stands ready goes back to its shelf: nobody came."""
        units = {line: held for line, held in job.held.items() if held > 0}
        for line in units:
            job.held[line] = ZERO
        job.boxes = {}
        self.tell(job, "not_collected", units)

    def give_back(self, job: Job, status: str, units: dict[str, Decimal]) -> None:
        """Short or rejected: no longer in hand."""
        for line, quantity in units.items():
            job.held[line] -= quantity
        job.boxes = {}
        self.tell(job, status, units)

    def answer(self, job: Job, request: str, accepts: bool) -> None:
        asked = job.asked.pop(request)
        if not accepts:
            self.tell(job, "cancel_refused", cancel_request=request)
            return
        given = {line: min(units, job.held.get(line, ZERO)) for line, units in asked.items()}
        given = {line: units for line, units in given.items() if units > 0}
        for line, units in given.items():
            job.held[line] -= units
        if given:
            job.boxes = {}
            self.tell(job, "cancel_accepted", given, cancel_request=request)
        else:
            self.tell(job, "cancel_refused", cancel_request=request)

    def count(self, location: str) -> None:
        """A true count of a location."""
        rows = [{"sku": sku, "quantity": str(units)} for (at, sku), units in self.goods.items() if at == location]
        record = {"location": location.upper(), "as_of": self.bench.now.isoformat(), "rows": rows, "complete": True}
        self.bench.restate("stock", record, connection=f"wms-{location}")

    # --- suppliers ---

    def announce(self, sku: str, location: str, units: int, due: dt.datetime) -> None:
        """A new purchase order."""
        name = f"PO-{self.next()}"
        self.supply[name] = {"sku": sku, "location": location.upper(), "received": ZERO}
        self.restate_supply(name, units, due, "open")

    def restate_supply(self, name: str, units: int, due: dt.datetime, status: str) -> None:
        stated = self.supply[name]
        quantity = max(Decimal(units), stated["received"])
        stated |= {"quantity": quantity, "expected_at": due.isoformat(), "status": status}
        self._tell_supply(name)

    def deliver_supply(self, name: str, most: int, counts_first: bool) -> None:
        """Goods of it come to its location, if it is still to bring any."""
        stated = self.supply[name]
        units = min(Decimal(most), stated["quantity"] - stated["received"])
        if units <= 0 or stated["status"] != "open":
            return
        location = str(stated["location"]).lower()
        self.goods[location, stated["sku"]] += units
        stated["received"] += units
        for tell in ("count", "supply") if counts_first else ("supply", "count"):
            if tell == "count":
                self.count(location)
            else:
                self._tell_supply(name)
            self.bench.later(seconds=1)

    def _tell_supply(self, name: str) -> None:
        stated = self.supply[name]
        numbers = {field: str(stated[field]) for field in ("quantity", "received")}
        record = {**stated, **numbers, "external_id": f"{name}/1", "reference": name}
        self.bench.restate("supply", record, connection=f"wms-{str(stated['location']).lower()}")

    # --- carriers ---

    def rate(self, refused: bool) -> None:
        """Answer every question about rates that is due."""
        bench = self.bench
        handler = build(bench.rules).queries["rate"]
        for task in [one for one in bench.tasks.values() if one.kind == "rate" and one.due_at <= bench.now]:
            del bench.tasks[task.id]
            if handler.question(task, bench.store, bench.now) is not None:
                answer = Answer(None, "no service", True) if refused else Answer({"rates": [RATE]})
                bench.commit(handler.decide(task, answer, bench.store, bench.now))

    def _buy_label(self, key: str, record: Record) -> Record:
        number = f"LT{self.next()}"
        self.labels[key] = "bought"
        content = base64.b64encode(b"%PDF").decode()
        label = {"external_id": f"LBL-{number}", "tracking_number": number, "carrier": "post", "service": "ground"}
        label |= {"amount": "7.10", "currency": "USD", "format": "pdf", "content": content}
        return {"label": label}

    def _void_label(self, key: str, record: Record) -> Record:
        bought = next(
            (
                one
                for one, said in self.done.items()
                if (said.get("label") or {}).get("external_id") == record["external_id"]
            ),
            None,
        )
        if bought is None or self.labels[bought] != "bought":
            return {"accepted": False, "reason": "it was used"}
        self.labels[bought] = "voided"
        return {"accepted": True}
