"""The simulated site whose money the hub handles: buyers pay by card, collect at a store, bring goods back; people here
edit, cancel, refund and exchange."""

from __future__ import annotations

import functools
import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from connectors.payment_rest.emulator import PaymentEmulator
from hub.actions.table import act
from hub.runtime.configuration import load_configuration
from hub.runtime.control import ActionRefused
from hub.runtime.hub import Hub
from hub.runtime.place import Place
from hub.runtime.simulation import Peer, Setting
from hub.sdk.emulator import Faults, Ledger
from hub.sdk.ports import Clock
from tests.simulation import site
from tests.simulation.scenario import Story
from tests.simulation.site import ERP, SHOP, SKUS, WMS, Weather

PAYMENT = "payment"
HOST = "payment.example"
STORE, STORE_THERE = "store", "655441500"
PLACES = (*site.LOCATIONS, STORE)
CHECKOUT = "cards"
"""The gateway that authorises at the shop."""
SECRETS = {**site.SECRETS, "SIM_PAYMENT_KEY": "simulated-payment", "SIM_PAYMENT_SECRET": "simulated-payment-secret"}
LOOKED_UP = ("push_cancellation", "push_return", "push_order_status")
COLLECT_WITHIN = 1800
GRADES = {"A": "restock", "B": "quarantine", "C": "scrap"}


def connection() -> dict[str, Any]:
    polled = {"push": True, "poll": {"every": "1m", "lookback": "10m"}}
    return {
        "id": PAYMENT,
        "connector": "payment_rest",
        "config": {
            "base_url": f"http://{HOST}",
            "api_key": "${env:SIM_PAYMENT_KEY}",
            "webhook_secrets": ["${env:SIM_PAYMENT_SECRET}"],
        },
        "streams": {"payments": polled, "refunds": polled},
        "effects_out": {name: {} for name in ("authorise", "reauthorise", "capture", "refund", "void")},
    }


@functools.cache
def settings() -> tuple[Setting, ...]:
    """Without grace and with one of a minute; both share a database."""
    return tuple(_setting(grace) for grace in ("0", "1m"))


def _setting(grace: str) -> Setting:
    with tempfile.TemporaryDirectory(prefix="hub-flows-") as folder:
        place = Path(folder)
        (place / "connections").mkdir()
        for name, content in site_files(grace).items():
            (place / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return Setting(Place(place, place), load_configuration(place, SECRETS), SECRETS, act)


def site_files(grace: str) -> dict[str, Any]:
    files = site.site_files(grace)
    files["connections/payment.yaml"] = connection()
    shop, wms, erp = (files[f"connections/{name}.yaml"] for name in (SHOP, WMS, ERP))
    shop["effects_out"]["push_inventory"]["location_map"] = {site.SHOP_LOCATION: "east", STORE_THERE: STORE}
    safety = {"safety": {"mode": "lookup", "settle": f"{site.SETTLE_SECONDS}s"}}
    shop["effects_out"] |= {"push_refund": {}} | {name: dict(safety) for name in LOOKED_UP}
    wms["streams"]["returns"] = {"push": True, "poll": {"every": "1m", "lookback": "10m"}}
    erp["effects_out"] |= {"post_credit_note": {}, "post_goods_movement": {}}
    east = files["locations.yaml"]["locations"][0]
    store = {**east, "id": STORE, "type": "store", "name": "Store", "priority": 3}
    store |= {"costs": {"order": 3.0, "line": 0.5}, "can": ["ship", "pickup", "receive_returns"]}
    files["locations.yaml"]["locations"].append(store)
    files["policies.yaml"] |= {
        "payment": {"managed_by": {SHOP: "hub"}},
        "pickup": {"hold_for": f"{COLLECT_WITHIN}s", "remind_after": "10m"},
        "returns": {"restocking_fee": "0.1", "our_fault": ["damaged"]},
    }
    return files


def open_peers(weather: Weather, faults: Faults, clock: Clock, source: random.Random) -> Sequence[Peer]:
    """The three systems of the site, the shop with a checkout, the warehouse with a store; and the provider."""
    made = PaymentEmulator(
        ledger=Ledger(":memory:"),
        clock=clock,
        source=random.Random(source.getrandbits(64)),
        faults=faults,
        config={"api_key": SECRETS["SIM_PAYMENT_KEY"], "webhook_secret": SECRETS["SIM_PAYMENT_SECRET"]},
    )
    further = {SHOP: {"checkout": CHECKOUT}, WMS: {"warehouses": ",".join(PLACES)}}
    return [*site.open_peers(weather, clock, source, further), Peer(PAYMENT, HOST, made)]


def draw_faults(source: random.Random) -> Faults:
    """How the provider's calls fail."""
    return Faults(
        error_before=source.choice((0.0, 0.1)),
        error_after=source.choice((0.0, 0.1)),
        drop_after=source.choice((0.0, 0.1)),
        late_commit=source.choice((0.0, 0.08)),
        late_commit_seconds=site.LATE_SECONDS,
        throttle=source.choice((0.0, 0.05)),
        lookup_lag_seconds=source.choice((0.0, site.LAG_SECONDS)),
        duplicate_webhook=0.3,
        reorder_webhook=0.4,
        lose_webhook=0.2,
        echo_first=source.random(),
    )


@dataclass(slots=True)
class Flows(Story):
    """People here act through the hub's own actions; what was refused is counted and nothing more."""

    places: tuple[str, ...] = PLACES
    done: Counter[str] = field(default_factory=Counter)
    """Actions that people here took, by name."""
    refused: Counter[str] = field(default_factory=Counter)

    # People here.

    def do(self, order: str, name: str, **said: Any) -> bool:
        """True where it came to its end; a person whose screen broke does not try again. `order` is the hub's id."""
        simulation = self.simulation
        ended: list[str] = []

        def work(hub: Hub) -> None:
            try:
                act(hub, name, {"who": "jo", **said})
                ended.append("done")
            except ActionRefused as error:
                ended.append(f"refused: {error}")

        self.by_hand.add(order)
        simulation.guarded(work)
        words = ended[0] if ended else "nobody knows"
        simulation.tell(f"jo {name} {json.dumps(said, sort_keys=True)} -> {words}")
        (self.done if words == "done" else self.refused)[name] += 1
        return words == "done"

    def rows(self, sql: str, *bound: str) -> list[tuple[Any, ...]]:
        return list(self.simulation.database.connection.execute(sql, bound).fetchall())

    def _known(self, order: str) -> tuple[str, int] | None:
        """The hub's id of an order of the shop, and the version it is at."""
        found = self.rows("SELECT id, version FROM orders WHERE channel = 'shop' AND external_id = ?", order)
        return (str(found[0][0]), int(found[0][1])) if found else None

    def _line(self, order_id: str, having: str = "") -> tuple[int, str] | None:
        """Number and SKU of one of its lines."""
        sql = f"SELECT number, sku FROM order_lines WHERE order_id = ? AND sku IS NOT NULL {having} ORDER BY number"
        found = self.rows(sql, order_id)
        return self.source.choice(found) if found else None

    # What they do.

    def _further(self, wish: dict[str, Any]) -> dict[str, Any]:
        return {"pickup": STORE_THERE} if self.source.random() < 0.3 else {}

    def _placed(self, order: str) -> None:
        source = self.source
        if source.random() < 0.25:
            self._stay_away(order)
        for verb, share, most in (
            (self._edit_here, 0.35, 240),
            (self._cancel_here, 0.25, 400),
            (self._refund_here, 0.25, 900),
        ):
            if source.random() < share:
                self.soon(most, partial(verb, order))
        if source.random() < 0.3:
            deed = source.choice((self._decline, self._pay_back_there, self._replace, self._move_goods))
            self._later(600, partial(deed, order))
        if source.random() < 0.6:
            for _ in range(source.choice((1, 1, 2))):
                # Not before most parcels have left; those who ask earlier are refused, which must not hurt either.
                self._later(1200, partial(self._bring_back, order))

    def _later(self, most: float, deed: Callable[[], object]) -> None:
        self.at(self.simulation.clock.monotonic() + 60 + most * self.source.random(), deed)

    def _stay_away(self, order: str) -> None:
        """A buyer who never comes; some stores put the goods back before the hub asks for them."""
        number = self.orders[-1]
        self.ask(WMS, "behave", {"match": {"order_number": number}, "buyer": "stays_away"})
        if self.source.random() < 0.3:
            self._later(2400, partial(self._put_back, order))

    def _put_back(self, order: str) -> None:
        known = self._known(order)
        for (work,) in self.rows(
            "SELECT id FROM fulfilment_orders WHERE order_id = ? AND method = 'pickup'", known[0] if known else ""
        ):
            self.ask(WMS, "act", {"client_order_id": work, "do": "not_collected"})

    def _edit_here(self, order: str) -> None:
        known = self._known(order)
        line = self._line(known[0]) if known else None
        if known is None or line is None:
            return
        wish: dict[str, Any] = {"lines": [{"line": str(line[0]), "quantity": str(self.source.choice((0, 1, 2, 4)))}]}
        if self.source.random() < 0.4:
            wish["add"] = [{"sku": self.source.choice(SKUS), "quantity": "1", "unit_price": "6.49"}]
        said = {"reference": known[0], "reason": "the buyer called", "version": known[1]}
        self.do(known[0], "orders.edit", **said, **wish)

    def _cancel_here(self, order: str) -> None:
        known = self._known(order)
        line = self._line(known[0]) if known else None
        if known is None or line is None:
            return
        said: dict[str, Any] = {"reference": known[0], "reason": "the buyer called"}
        if self.source.random() < 0.7:
            said["lines"] = [{"line": str(line[0]), "quantity": "1"}]
        self.do(known[0], "orders.cancel", **said)

    def _refund_here(self, order: str) -> None:
        known = self._known(order)
        if known is None:
            return
        amount = self.source.choice(("0.75", "3", "10", "500"))
        self.do(known[0], "orders.refund", reference=known[0], reason="goodwill", amount=amount)

    def _payment(self, order: str) -> str | None:
        found = self.rows(
            "SELECT p.external_id FROM payments p JOIN orders o ON o.id = p.order_id WHERE o.external_id = ?", order
        )
        return str(found[0][0]) if found and found[0][0] else None

    def _decline(self, order: str) -> None:
        """The buyer's bank says no, to the next capture or refund."""
        payment = self._payment(order)
        if payment is not None:
            operation = self.source.choice(("capture", "refund"))
            self.ask(PAYMENT, "decline", {"operation": operation, "match": payment, "words": "declined"})

    def _pay_back_there(self, order: str) -> None:
        """Somebody pays back at the provider itself."""
        payment, known = self._payment(order), self._known(order)
        if payment is not None and known is not None:
            self.by_hand.add(known[0])
            self.ask(PAYMENT, "refund", {"payment": payment, "amount": self.source.choice(("1", "5.5"))})

    def _replace(self, order: str) -> None:
        known = self._known(order)
        line = self._line(known[0], "AND shipped + delivered + handed_over > 0") if known else None
        if known is not None and line is not None:
            goods = [{"line": str(line[0]), "quantity": "1"}]
            self.do(known[0], "returns.replace", reference=known[0], lines=goods, reason="it was broken")

    def _move_goods(self, order: str) -> None:
        """People here send goods to where they are missing."""
        there, here = self.source.sample(PLACES, 2)
        goods = {"sku": self.source.choice(SKUS), "quantity": "1", "reason": "needed there"}
        self.do("", "inventory.transfer", source=there, destination=here, **goods)

    def _bring_back(self, order: str) -> None:
        """Asked for or not, to any location, looked at there or by a person here, for money or other goods."""
        source, known = self.source, self._known(order)
        line = self._line(known[0], "AND shipped + delivered + handed_over > 0") if known else None
        if known is None or line is None:
            return
        order_id, (number, sku) = known[0], line
        units, place = source.choice(("1", "1", "2")), source.choice(PLACES)
        before = {row[0] for row in self.rows("SELECT id FROM returns WHERE order_id = ?", order_id)}
        asked = source.random() < 0.7
        if asked:
            said = {"lines": [{"line": str(number), "quantity": units}], "wants": source.choice(("refund", "exchange"))}
            why = source.choice(("too small", "damaged"))
            self.do(order_id, "returns.request", reference=order_id, reason=why, **said)
        made = self.rows("SELECT id, number FROM returns WHERE order_id = ?", order_id)
        new = [row for row in made if row[0] not in before]
        self.by_hand.add(order_id)
        if asked and not new:
            return
        if asked and source.random() < 0.15:
            self._later(600, partial(self.do, order_id, "returns.cancel", reference=new[0][0], reason="kept"))
            return
        grade = source.choice(tuple(GRADES))
        goods = {"sku": sku, "quantity": units}
        if new and source.random() < 0.5:
            self._later(600, partial(self._received_here, order_id, new[0][0], place, {**goods, "grade": grade}))
        else:
            name = {"return": new[0][1]} if new else {"order": self._number(order_id)}
            told = {"warehouse": place, "lines": [{**goods, "grade": grade, "disposition": GRADES[grade]}], **name}
            self._later(600, partial(self.ask, WMS, "return_goods", told))
        if new and source.random() < 0.4:
            self._later(1200, partial(self._decide, order_id, new[0][0]))

    def _number(self, order_id: str) -> str:
        return str(self.rows("SELECT number FROM orders WHERE id = ?", order_id)[0][0])

    def _received_here(self, order_id: str, one: str, place: str, goods: dict[str, str]) -> None:
        """The people of a location put it where its grade belongs and say so."""
        said = {"reference": one, "location": place, "lines": [goods]}
        if self.do(order_id, "returns.receive", **said) and GRADES[goods["grade"]] == "restock":
            held = self.ask(WMS, "stock", {})
            assert held is not None
            there = next((Decimal(row["quantity"]) for row in held["rows"] if _fits(row, place, goods)), Decimal(0))
            row = {"warehouse": place, "sku": goods["sku"], "quantity": str(there + Decimal(goods["quantity"]))}
            self.ask(WMS, "set_stock", {"rows": [row]})

    def _decide(self, order_id: str, one: str) -> None:
        draw = self.source.random()
        if draw < 0.4:
            wanted = [{"sku": self.source.choice(SKUS), "quantity": "1", "price": self.source.choice(("4", "19.99"))}]
            self.do(order_id, "returns.exchange", reference=one, wanted=wanted, reason="another size")
        elif draw < 0.8:
            kind = self.source.choice(("refund", "nothing"))
            self.do(order_id, "returns.settle", reference=one, kind=kind, reason="decided")
        else:
            self.do(order_id, "returns.close", reference=one, reason="done")

    def settle_doubts(self) -> None:
        """No search says whether a handover, which has no tracking number, was told: people look at the shop."""
        shop = next(peer.emulator for peer in self.simulation.peers if peer.connection == SHOP)
        for delivery, order_id, fact in self.rows(
            "SELECT id, order_id, fact FROM deliveries WHERE state = 'unknown' AND capability = 'push_shipment'"
        ):
            match = json.loads(fact)["match"]
            line, told = str(match.get("external_line_id", "")), match["order_external_id"]
            there = [
                key
                for _, key, order, data in shop.ledger.entries("fulfilment")
                if order == told and line in json.loads(data)["lines"]
            ]
            known = {row[0] for row in self.rows("SELECT external_id FROM deliveries WHERE order_id = ?", order_id)}
            new = [key for key in there if key not in known]
            if new:
                self.do(order_id, "deliveries.happened", delivery=delivery, external_id=new[0])
            else:
                self.do(order_id, "deliveries.did_not_happen", delivery=delivery)


def _fits(row: dict[str, str], place: str, goods: dict[str, str]) -> bool:
    return (row["warehouse"], row["sku"]) == (place, goods["sku"])
