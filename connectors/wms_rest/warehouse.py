"""What happens inside the emulated warehouse: physical stock, requests on their way through the hall, the event log.

Pure state over the emulator's ledger; who calls it and over what wire is emulator.py's business. Stock is physical
truth: packing takes only what lies there and is not packed for somebody else, shipping never goes below zero.
"""

from __future__ import annotations

import datetime as dt
import heapq
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from decimal import Decimal

from connectors.wms_rest import boxes, counter
from connectors.wms_rest.documents import (
    ANY,
    COUNTER,
    OPEN,
    STEPS,
    ZERO,
    Behaviour,
    Cancellation,
    Line,
    Request,
    Rule,
    answer,
    instant,
    lines_of,
    names,
    plain,
    read_cancellation,
    read_request,
)
from hub.sdk.emulator import Ledger


class Warehouse:
    """`tell` is called with every new event, so that somebody may send it as a webhook."""

    def __init__(
        self,
        ledger: Ledger,
        now: Callable[[], dt.datetime],
        usual: Behaviour,
        tell: Callable[[dict[str, object]], None],
    ) -> None:
        self.ledger = ledger
        self.now = now
        self._usual = usual
        self._tell = tell
        self._due: list[tuple[dt.datetime, int, str, int]] = []
        self._order = 0
        self.rules = [Rule(**json.loads(data)) for _, data in ledger.recall_all("rule|")]
        self._rules_by: dict[tuple[str, str], list[int]] = {}
        for number, rule in enumerate(self.rules):
            self._rules_by.setdefault(next(iter(rule.match.items()), ANY), []).append(number)
        self.stock: dict[tuple[str, str], Decimal] = {}
        for name, amount in ledger.recall_all("stock|"):
            _, warehouse, sku = name.split("|", 2)
            self.stock[warehouse, sku] = Decimal(amount)
        self.requests = [read_request(data) for _, data in ledger.recall_all("request|")]
        self.cancellations = [read_cancellation(data) for _, data in ledger.recall_all("cancellation|")]
        self.events: list[dict[str, object]] = [json.loads(data) for _, data in ledger.recall_all("event|")]
        self._cancelled = {one.reference: one for one in reversed(self.cancellations)}
        self._by_reference = {request.reference: request for request in reversed(self.requests)}
        self._by_order: dict[str, list[Request]] = {}
        self.boxed: dict[tuple[str, str], Decimal] = {}
        self._open = {request.number: request for request in self.requests if request.status in OPEN}
        for request in self.requests:
            self._by_order.setdefault(request.client_order_id, []).append(request)
            for line in request.lines:
                self.box(request.warehouse, line.goods, line.in_boxes)
            self._plan(request)
        for number, due in counter.on_their_way(ledger):
            self.at(due, "receive", number)
        for cancellation in self.cancellations:
            if cancellation.status == "pending":
                self.at(self.now(), "answer", cancellation.number)
        self._last = max((dt.datetime.fromisoformat(str(event["occurred_at"])) for event in self.events), default=None)

    # What people may ask.

    def request_of(self, reference: str) -> Request | None:
        return self._by_reference.get(reference)

    def requests_of(self, client_order_id: str) -> list[Request]:
        return list(self._by_order.get(client_order_id, ()))

    def cancellation_of(self, reference: str) -> Cancellation | None:
        return self._cancelled.get(reference)

    def event(self, event_id: str) -> dict[str, object] | None:
        number = event_id.removeprefix("evt_")
        if not number.isdecimal() or not 0 < int(number) <= len(self.events):
            return None
        found = self.events[int(number) - 1]
        return found if found["id"] == event_id else None

    def warehouses(self) -> list[str]:
        return sorted({warehouse for warehouse, _ in self.stock})

    # What the API does.

    def take(self, body: Mapping[str, object], lines: list[Line]) -> Request:
        request = Request(
            number=len(self.requests) + 1,
            body=body,
            reference=str(body["reference"]),
            client_order_id=str(body["client_order_id"]),
            order_number=str(body.get("order_number", "")),
            warehouse=str(body["warehouse"]),
            received_at=instant(self.now()),
            lines=lines,
        )
        self.requests.append(request)
        self._open[request.number] = request
        self._by_reference.setdefault(request.reference, request)
        self._by_order.setdefault(request.client_order_id, []).append(request)
        self.keep(request)
        self.record("fulfilment_request", request.reference, request.client_order_id, {"id": request.id, **body})
        self._plan(request)
        return request

    def cancel(self, body: Mapping[str, object], wanted: list[tuple[str, Decimal]]) -> Cancellation:
        """Answer at once, or put it off where the behaviour says so."""
        cancellation = Cancellation(
            number=len(self.cancellations) + 1,
            body=body,
            reference=str(body["reference"]),
            cancellation_id=str(body["cancellation_id"]),
            client_order_id=str(body["client_order_id"]),
            received_at=instant(self.now()),
        )
        self.cancellations.append(cancellation)
        self._cancelled.setdefault(cancellation.reference, cancellation)
        behaviour = self.behaviour(self._by_order[cancellation.client_order_id][-1])
        if behaviour.cancels.startswith("later_"):
            cancellation.status = "pending"
            self.at(self.now() + dt.timedelta(seconds=behaviour.cancel_seconds), "answer", cancellation.number)
        else:
            cancellation.answers = self._answers(cancellation, wanted, behaviour.cancels)
        self.keep(cancellation)
        self.record(
            "cancel_request",
            cancellation.reference,
            cancellation.client_order_id,
            {"id": cancellation.id, **body, "status": cancellation.status, "answers": cancellation.answers},
        )
        return cancellation

    def label(self, request: Request, body: Mapping[str, object]) -> bool:
        """Put a label on a box, if there is such a box; what waited for it may leave."""
        if (found := boxes.attach(request, str(body["package"]), body)) is None:
            return False
        self.record("label", str(body["reference"]), request.client_order_id, found)
        self.keep(request)
        self._plan(request)
        return True

    def snapshot(self, warehouse: str, *, complete: bool = True, claimed_rows: int | None = None) -> dict[str, object]:
        """Count what lies there now. `claimed_rows` states a wrong row count, as a truncated feed would."""
        rows = [
            {"sku": sku, "quantity": plain(amount), "condition": "sellable"}
            for (place, sku), amount in sorted(self.stock.items())
            if place == warehouse
        ]
        number = int(self.ledger.recall(f"snapshots|{warehouse}") or "0") + 1
        self.ledger.remember(f"snapshots|{warehouse}", str(number))
        event = self.happened(
            "stock.snapshot",
            warehouse,
            {
                "snapshot": number,
                "complete": complete,
                "row_count": len(rows) if claimed_rows is None else claimed_rows,
                "rows": rows,
            },
        )
        self.record("stock_snapshot", f"{warehouse}/{number}", warehouse, {"event": event["id"], "rows": rows})
        return event

    def set_stock(self, warehouse: str, sku: str, quantity: Decimal) -> None:
        self.stock[warehouse, sku] = quantity
        self.ledger.remember(f"stock|{warehouse}|{sku}", str(quantity))
        self.record("stock_set", f"{warehouse}/{sku}", sku, {"quantity": plain(quantity)})

    # What the people in the hall do.

    def behaviour(self, request: Request) -> Behaviour:
        """The usual behaviour, changed by every rule that matches, in order."""
        numbers = {number for name in request.names() for number in self._rules_by.get(name, ())}
        numbers.update(self._rules_by.get(ANY, ()))
        changes: dict[str, object] = {}
        for number in sorted(numbers):
            if request.fits(self.rules[number].match):
                changes |= self.rules[number].changes
        # replace() cannot be typed by names known at run time; they were checked when the rule was made.
        return replace(self._usual, **changes) if changes else self._usual  # type: ignore[arg-type]

    def behave(self, rule: Rule) -> None:
        """A rule from now on, also for requests that wait already."""
        number = len(self.rules)
        self.rules.append(rule)
        self._rules_by.setdefault(next(iter(rule.match.items()), ANY), []).append(number)
        self.ledger.remember(f"rule|{number:010d}", json.dumps({"match": rule.match, "changes": rule.changes}))
        for request in self._open.values():
            if request.fits(rule.match):
                self._plan(request)

    def act(self, request: Request, verb: str, quantities: Mapping[str, Decimal] | None = None) -> None:
        """One step done by hand; with a closed request only `ship_anyway` does anything. Raises KeyError: no verb."""
        steps: dict[str, Callable[[Request, Mapping[str, Decimal] | None], None]] = {
            "acknowledge": lambda one, _: self._acknowledge(one),
            "start": lambda one, _: self.say(one, "request.started", "in_progress"),
            "pack": self.pack,
            "short": self._short,
            "ship": self._ship,
            "ship_anyway": lambda one, wanted: counter.ship_anyway(self, one, wanted),
            "ready": lambda one, _: counter.put_ready(self, one),
            "hand_over": lambda one, wanted: counter.hand_over(self, one, wanted),
            "not_collected": lambda one, _: counter.put_back(self, one),
            "reject": lambda one, _: self._reject(one),
        }
        step = steps[verb]
        if request.status in OPEN or verb == "ship_anyway":
            step(request, quantities)
        if request.status not in OPEN:
            self._open.pop(request.number, None)
        self.keep(request)
        self._plan(request)

    def tick(self, now: dt.datetime) -> None:
        """Do what has become due."""
        while self._due and self._due[0][0] <= now:
            when, _, step, number = heapq.heappop(self._due)
            if step == "answer":
                self._answer_late(self.cancellations[number - 1])
                continue
            if step == "receive":
                counter.receive(self, number)
                continue
            request = self.requests[number - 1]
            # People may have done it, or been told otherwise, since it was planned.
            if self._next_step(request) == (when, step):
                self.act(request, step)

    def next_due(self) -> dt.datetime | None:
        return self._due[0][0] if self._due else None

    # Steps.

    def _plan(self, request: Request) -> None:
        planned = self._next_step(request)
        if planned is not None:
            self.at(*planned, request.number)

    def _next_step(self, request: Request) -> tuple[dt.datetime, str] | None:
        if request.status not in OPEN:
            return None
        behaviour = self.behaviour(request)
        step = STEPS[behaviour.mode].get(request.status)
        if request.collected and behaviour.mode == "auto":
            step = COUNTER.get(request.status, step)
        if step == "hand_over" and behaviour.buyer != "comes":
            return None
        labelled = behaviour.labels == "hub" and not request.destination  # its own lorry goes to the other house
        if step is None or (step == "ship" and labelled and boxes.unlabelled(request)):
            return None
        seconds = {
            "acknowledge": behaviour.acknowledge_seconds,
            "reject": behaviour.acknowledge_seconds,
            "pack": behaviour.pack_seconds,
            "ship": behaviour.ship_seconds,
            "ready": behaviour.ready_seconds,
            "hand_over": behaviour.collect_seconds,
        }
        return dt.datetime.fromisoformat(request.received_at) + dt.timedelta(seconds=seconds[step]), step

    def at(self, when: dt.datetime, step: str, number: int) -> None:
        self._order += 1
        heapq.heappush(self._due, (when, self._order, step, number))

    def _acknowledge(self, request: Request) -> None:
        if request.status == "received":
            self.say(request, "request.acknowledged", "acknowledged")

    def _reject(self, request: Request) -> None:
        if any(line.packed for line in request.lines):
            return
        reason = self.behaviour(request).reason
        self.say(request, "request.rejected", "rejected", reason=reason)
        self.record("reject", request.reference, request.client_order_id, {"id": request.id, "reason": reason})

    def pack(self, request: Request, quantities: Mapping[str, Decimal] | None = None) -> None:
        """Take what is there; what is not there is short."""
        behaviour = self.behaviour(request)
        packed: list[tuple[Line, Decimal]] = []
        short: list[tuple[Line, Decimal]] = []
        for line in request.lines:
            wanted = line.waiting if quantities is None else min(line.waiting, quantities.get(line.reference, ZERO))
            lost = behaviour.short.get(line.sku)
            lost_quantity = ZERO if lost is None else wanted if lost == "all" else min(wanted, Decimal(lost))
            line.substitute = behaviour.substitute.get(line.sku, "")
            spot = request.warehouse, line.goods
            free = max(ZERO, self.stock.get(spot, ZERO) - self.boxed.get(spot, ZERO))
            taken = min(wanted - lost_quantity, free)
            if taken > 0:
                line.packed += taken
                self.box(request.warehouse, line.goods, taken)
                packed.append((line, taken))
            if wanted - taken > 0:
                line.short += wanted - taken
                short.append((line, wanted - taken))
        if short:
            self._say_short(request, short)
        if packed:
            packages = boxes.fill(request, packed, behaviour)
            self.say(request, "request.packed", "packed", packed, packages=packages)
        self.close_if_empty(request)

    def _short(self, request: Request, quantities: Mapping[str, Decimal] | None = None) -> None:
        """Say that lines cannot be found, all of what is left of them if no quantity is given."""
        lines = [
            (line, line.waiting if quantities is None else min(line.waiting, quantities.get(line.reference, ZERO)))
            for line in request.lines
        ]
        lines = [(line, quantity) for line, quantity in lines if quantity > 0]
        for line, quantity in lines:
            line.short += quantity
        if lines:
            self._say_short(request, lines)
        self.close_if_empty(request)

    def _ship(self, request: Request, quantities: Mapping[str, Decimal] | None = None) -> None:
        if not any(line.in_boxes for line in request.lines):
            self.pack(request, quantities)
        sent: list[tuple[Line, Decimal]] = []
        lost: list[tuple[Line, Decimal]] = []
        for line in request.lines:
            wanted = line.in_boxes if quantities is None else min(line.in_boxes, quantities.get(line.reference, ZERO))
            there = self.stock.get((request.warehouse, line.goods), ZERO)
            taken = min(wanted, there)
            if taken < wanted:
                # Somebody corrected the stock below what stood packed: goods that are not there cannot leave.
                line.packed -= wanted - taken
                line.short += wanted - taken
                self.box(request.warehouse, line.goods, taken - wanted)
                boxes.take_out(request, line.reference, wanted - taken)
                lost.append((line, wanted - taken))
            if taken > 0:
                line.shipped += taken
                self.box(request.warehouse, line.goods, -taken)
                self.take_from_stock(request.warehouse, line.goods, taken)
                sent.append((line, taken))
        if lost:
            data = {"id": request.id, "lines": lines_of(lost)}
            self.record("impossible_ship", request.reference, request.client_order_id, data)
            self._say_short(request, lost)
        if sent:
            self.send(request, sent)
        self.close_if_empty(request)

    def send(self, request: Request, sent: list[tuple[Line, Decimal]]) -> None:
        number = int(self.ledger.recall("shipments") or "0") + 1
        self.ledger.remember("shipments", str(number))
        shipment = f"SHP-{number:06d}"
        carrier = {} if request.boxes else {"carrier": "parcel-express"}
        packages = boxes.loaded(request, shipment, number, sent, self.behaviour(request).packages)
        data = {**names(request), "shipment": shipment, **carrier, "packages": packages}
        if request.destination:
            counter.begin_transfer(self, request, sent)
        event = self.happened("shipment.created", request.warehouse, data)
        self.record(
            "shipment",
            request.reference,
            request.client_order_id,
            {"id": shipment, "event": event["id"], "warehouse": request.warehouse, "lines": lines_of(sent)},
        )
        if not any(line.waiting or line.in_boxes for line in request.lines):
            request.status = "shipped"

    def close_if_empty(self, request: Request) -> None:
        if request.status in OPEN and not any(line.waiting or line.in_boxes for line in request.lines):
            ends = [name for name in ("shipped", "short") if any(getattr(line, name) for line in request.lines)]
            request.status = (*ends, "cancelled")[0]

    def _answers(
        self, cancellation: Cancellation, wanted: list[tuple[str, Decimal]], policy: str
    ) -> list[dict[str, str]]:
        answers: list[dict[str, str]] = []
        for reference, quantity in wanted:
            left = quantity
            for request in self._by_order[cancellation.client_order_id]:
                for line in (line for line in request.lines if line.reference == reference):
                    if policy == "refuse" or request.status not in OPEN:
                        continue
                    unpacked = min(left, line.waiting)
                    line.cancelled += unpacked
                    left -= unpacked
                    boxed = ZERO if policy == "before_packing" else min(left, line.in_boxes)
                    line.packed -= boxed
                    line.cancelled += boxed
                    boxes.take_out(request, line.reference, boxed)
                    left -= boxed
                    self.box(request.warehouse, line.goods, -boxed)
                self.close_if_empty(request)
                self.keep(request)
            if quantity - left > 0:
                answers.append(answer(reference, quantity - left, "accepted", ""))
            gone = sum((line.shipped for line in self._lines_of(cancellation.client_order_id, reference)), ZERO)
            overtaken = min(left, gone)
            if overtaken > 0:
                answers.append(answer(reference, overtaken, "overtaken", "already shipped"))
            if left - overtaken > 0:
                reason = "refused by the warehouse" if policy == "refuse" else "not open any more"
                answers.append(answer(reference, left - overtaken, "refused", reason))
        return answers

    def _lines_of(self, client_order_id: str, reference: str) -> Iterable[Line]:
        for request in self._by_order[client_order_id]:
            yield from (line for line in request.lines if line.reference == reference)

    def _answer_late(self, cancellation: Cancellation) -> None:
        """The answer that was put off, one event per kind of answer; overtaken is a refusal with that reason."""
        request = self._by_order[cancellation.client_order_id][-1]
        policy = "refuse" if self.behaviour(request).cancels == "later_refuse" else "accept"
        lines = cancellation.body["lines"]
        # The body was read and checked when the cancellation was taken.
        wanted = [(str(line["line_reference"]), Decimal(line["quantity"])) for line in lines]  # type: ignore[attr-defined]
        cancellation.answers = self._answers(cancellation, wanted, policy)
        cancellation.status = "answered"
        self.keep(cancellation)
        for kind in ("accepted", "refused"):
            lines = [
                answer for answer in cancellation.answers if (answer["answer"] == "accepted") == (kind == "accepted")
            ]
            if lines:
                data = {**names(request), "cancellation_id": cancellation.cancellation_id, "lines": lines}
                self.happened(f"cancellation.{kind}", request.warehouse, data)
        self.record(
            "cancel_answer", cancellation.reference, cancellation.client_order_id, {"answers": cancellation.answers}
        )

    # Words for the outside, and memory.

    def say(
        self,
        request: Request,
        kind: str,
        status: str,
        lines: list[tuple[Line, Decimal]] | None = None,
        reason: str = "",
        packages: Sequence[object] = (),
    ) -> None:
        request.status = status
        told = [(line, line.waiting + line.in_boxes) for line in request.lines] if lines is None else lines
        data: dict[str, object] = {**names(request), "lines": lines_of([pair for pair in told if pair[1] > 0])}
        data |= ({"reason": reason} if reason else {}) | ({"packages": packages} if packages else {})
        self.happened(kind, request.warehouse, data)

    def _say_short(self, request: Request, lines: list[tuple[Line, Decimal]]) -> None:
        data = {**names(request), "lines": lines_of(lines), "reason": "not found on its shelf"}
        self.happened("request.short", request.warehouse, data)
        self.record("short", request.reference, request.client_order_id, {"id": request.id, "lines": lines_of(lines)})

    def happened(self, kind: str, warehouse: str, data: dict[str, object]) -> dict[str, object]:
        """Log an event at an instant of its own: no two events share one, so that "before" is never a guess."""
        at = self.now()
        if self._last is not None and at <= self._last:
            at = self._last + dt.timedelta(microseconds=1)
        self._last = at
        number = len(self.events) + 1
        event: dict[str, object] = {
            "id": f"evt_{number:010d}",
            "sequence": number,
            "type": kind,
            "occurred_at": instant(at),
            "warehouse": warehouse,
            "data": data,
        }
        self.events.append(event)
        self.ledger.remember(f"event|{number:010d}", json.dumps(event))
        self._tell(event)
        return event

    def take_from_stock(self, warehouse: str, sku: str, quantity: Decimal) -> None:
        left = self.stock[warehouse, sku] - quantity
        self.stock[warehouse, sku] = left
        self.ledger.remember(f"stock|{warehouse}|{sku}", str(left))

    def box(self, warehouse: str, sku: str, quantity: Decimal) -> None:
        self.boxed[warehouse, sku] = self.boxed.get((warehouse, sku), ZERO) + quantity

    def keep(self, one: Request | Cancellation) -> None:
        kind = "request" if isinstance(one, Request) else "cancellation"
        self.ledger.remember(f"{kind}|{one.number:010d}", json.dumps(asdict(one), default=str))

    def record(self, kind: str, key: str, subject: str, data: Mapping[str, object]) -> None:
        self.ledger.add(self.now(), kind, key, subject, json.dumps(data, default=str))
