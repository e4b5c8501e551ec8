"""What the OMS needs to know of the company's configuration; filled by hub.runtime from the revision."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hub.domain.listing import Listing
from hub.domain.promise import Pool
from hub.domain.return_policy import ReturnPolicy
from hub.domain.schedule import Schedule
from hub.domain.sourcing.cost import Carriage


@dataclass(frozen=True, slots=True)
class Channel:
    """A connection orders come from. `start_from` None = always. `location_map`: channel's location id -> ours."""

    id: str
    seller_entity: str
    effects: bool
    start_from: dt.datetime | None
    grace_seconds: float
    capabilities: frozenset[str] = frozenset()
    listings: Mapping[str, tuple[Listing, ...]] = field(default_factory=dict)
    """What the channel calls our goods -> the items it means, as configured."""
    value_limits: Mapping[str, Decimal] = field(default_factory=dict)
    """Currency -> the total above which a person must look."""
    location_map: Mapping[str, str] = field(default_factory=dict)
    share: Decimal = Decimal(1)
    threshold: Decimal = Decimal(0)
    money: str = "channel"
    """Who captures and refunds for its orders: hub | channel."""
    supply_within: dt.timedelta = dt.timedelta(0)
    """How far ahead it sells what is still to come."""
    listed: Mapping[str, tuple[Listing, ...]] = field(init=False)
    """Our SKU -> what the channel calls it, as configured: `listings` the other way round."""

    def __post_init__(self) -> None:
        found: dict[str, list[Listing]] = {}
        for one in (listing for listings in self.listings.values() for listing in listings):
            found.setdefault(one.ours, []).append(one)
        object.__setattr__(self, "listed", {sku: tuple(listings) for sku, listings in found.items()})


@dataclass(frozen=True, slots=True)
class HoldBox:
    """How long holds of a kind stand, and what happens then: release | cancel | escalate."""

    after: dt.timedelta
    then: str


@dataclass(frozen=True, slots=True)
class LabelRule:
    """The hub buys a location's labels at the connection `carrier`. `service`: cheapest | fastest | the carrier's code,
    `services` the same by service level of the order. `at_most`: above it a person decides."""

    carrier: str
    service: str = "cheapest"
    services: Mapping[str, str] = field(default_factory=dict)
    format: str = "pdf"
    at_most: Decimal | None = None


@dataclass(frozen=True, slots=True)
class LocationRule:
    """A node that holds stock. `wms` is the connection that gets its fulfilment requests, `wms_code` its name there.

    `clock_skew`: inside it the order of two statements about stock without sequence numbers is not guessed.
    `stock_means`: on_hand | net_of_acknowledged | net_of_picked, what the authority's snapshot already excludes.
    """

    id: str
    type: str
    wms: str | None
    wms_code: str
    stock_authority: str | None
    country: str
    admin_area: str
    latitude: Decimal | None
    longitude: Decimal | None
    priority: int
    capacity_per_day: int | None
    cost_order: Decimal
    cost_line: Decimal
    cost_unit: Decimal
    safety_stock: Decimal
    can: frozenset[str]
    stock_means: str = "on_hand"
    safety_by_sku: Mapping[str, Decimal] = field(default_factory=dict)
    clock_skew: dt.timedelta = dt.timedelta(0)
    walk_in_stock: Mapping[str, Decimal] = field(default_factory=dict)
    """By SKU, `default` for the others: kept for buyers in the shop when orders of others are sourced."""
    low_stock: Mapping[str, Decimal] = field(default_factory=dict)
    high_stock: Mapping[str, Decimal] = field(default_factory=dict)
    movements_from: frozenset[str] = frozenset()
    stale_after: dt.timedelta = dt.timedelta(0)
    """A count older than this is believed no more; nothing for ever."""
    shrink_limit: Decimal | None = None
    """The part of what is known by which a complete count may be smaller; None: half where much is in stock."""
    schedule: Schedule = field(default_factory=Schedule)
    last_units_below: Decimal = Decimal(0)
    """A unit costs `last_unit_cost` more where fewer than so many would be left."""
    last_unit_cost: Decimal = Decimal(0)
    labels: LabelRule | None = None
    """None: the location ships with labels of its own."""
    address: Mapping[str, Any] = field(default_factory=dict)
    """A canonical Address, as it stands on a label."""

    def walk_in(self, sku: str) -> Decimal:
        """Units of a SKU from which nothing is sent or brought elsewhere."""
        return self.walk_in_stock.get(sku, self.walk_in_stock.get("default", Decimal(0)))

    def safety(self, sku: str) -> Decimal:
        """Units of a SKU that are never promised or reserved here."""
        return self.safety_by_sku.get(sku, self.safety_stock)

    def low(self, sku: str) -> Decimal | None:
        """Units free for sale below which stock is low; None where nobody minds."""
        return self.low_stock.get(sku, self.low_stock.get("default"))

    def high(self, sku: str) -> Decimal | None:
        """Units on hand above which there is too much; None where nobody minds."""
        return self.high_stock.get(sku, self.high_stock.get("default"))


@dataclass(frozen=True, slots=True)
class Strategy:
    id: str
    objective: str = "cost"
    max_shipments: int | None = None
    ship_complete: bool = False
    line_from_one_location: bool = False
    split_penalty: Decimal = Decimal("4.00")
    min_shipment_value: Decimal = Decimal(0)
    late_per_day: Decimal = Decimal(0)
    """A line that leaves or arrives a day later than was promised."""
    time_budget: dt.timedelta = dt.timedelta(milliseconds=250)
    locations: frozenset[str] | None = None
    types: frozenset[str] | None = None

    def asks(self, rule: LocationRule) -> bool:
        """Whether the strategy considers a location at all."""
        by_id = self.locations is None or rule.id in self.locations
        return by_id and (self.types is None or rule.type in self.types)


@dataclass(frozen=True, slots=True)
class NotifyRule:
    """What the buyers of a channel are written about: `templates` by name. `locale` where the order names none."""

    templates: frozenset[str]
    brand: str = ""
    locale: str = "en"


@dataclass(frozen=True, slots=True)
class PickupRule:
    """What happens to goods that are collected. `no_show`: restock_and_refund | keep. `on_reject`, when the store
    cannot give them: cancel | ship_instead | ask. `receive_within`: how long goods may be on their way to a store."""

    hold_for: dt.timedelta = dt.timedelta(days=7)
    remind_after: dt.timedelta | None = dt.timedelta(days=3)
    no_show: str = "restock_and_refund"
    on_reject: str = "cancel"
    receive_within: dt.timedelta = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Risk:
    """What must leave by a time its channel sets. `penalty`: what a late line costs, by channel."""

    warn_before: dt.timedelta = dt.timedelta(hours=4)
    penalty: Mapping[str, Decimal] = field(default_factory=dict)

    def penalty_of(self, channel: str) -> Decimal:
        return self.penalty.get(channel, self.penalty.get("default", Decimal(1)))


@dataclass(frozen=True, slots=True)
class RoutingRule:
    id: str
    when: str
    use: str


@dataclass(frozen=True, slots=True)
class SkuPool:
    """A channel's protected pool of one SKU."""

    sku: str
    pool: Pool


@dataclass(frozen=True, slots=True)
class Backorders:
    """Who gets goods first of those who wait. `fairness`: fifo | promised_date | value | priority. `priority`: pairs of
    a condition on order facts and its rank. `auto_cancel_after`: zero is never."""

    fairness: str = "fifo"
    priority: tuple[tuple[str, int], ...] = ()
    auto_cancel_after: dt.timedelta = dt.timedelta(0)


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything configured that a decision may depend on. `erp` are the connections that take submit_order."""

    revision: str
    channels: Mapping[str, Channel]
    locations: Mapping[str, LocationRule]
    strategies: Mapping[str, Strategy]
    routing: tuple[RoutingRule, ...]
    fallback: str
    when_nothing: str
    takers: Mapping[str, tuple[str, ...]]
    """Capability -> connections that offer it and are configured to get it (submit_order, push_inventory ...)."""
    hold_boxes: Mapping[str, HoldBox] = field(default_factory=dict)
    """By kind of hold."""
    duplicate_within: dt.timedelta = dt.timedelta(0)
    """Orders of one buyer with the same lines placed within it are the same one twice; zero: nobody looks."""
    values: str = "hold_order"
    unknown_sku: str = "hold_line"
    address: str = "hold_order"
    payment_require: tuple[str, ...] = ("authorised", "paid")
    totals_difference_up_to: Decimal = Decimal("0.02")
    totals_otherwise: str = "hold_order"
    reservation_minutes: int = 60
    silence_hours: float = 24.0
    ship_within: dt.timedelta = dt.timedelta(0)
    """Work that has not left by then is for a person; zero: nobody looks."""
    follows_packages: bool = False
    """Some connection tells scans, or the hub buys labels: packages are worth a row of their own."""
    pools: tuple[SkuPool, ...] = ()
    backorders: Backorders = Backorders()
    push_window_seconds: float = 5.0
    """Changes of a SKU's stock within such a window make one push."""
    risk: Risk = field(default_factory=Risk)
    carriage: tuple[Carriage, ...] = ()
    """Zones in the order they are asked; empty: `cost_per_km` stands for the carrier."""
    cost_per_km: Decimal = Decimal("0.002")
    pickup: PickupRule = PickupRule()
    substitution: str = "ask"
    """ask | accept: whether a person is told where another article left in place of the one that was ordered."""
    cancel_after_release: str = "request"
    """request: a location is asked for what it has. refuse: what was released goes on."""
    notify: Mapping[str, NotifyRule] = field(default_factory=dict)
    """By channel; nobody is written to by a channel that is not in it."""
    capture_order: tuple[str, ...] = ()
    """Payment methods in the order in which they are charged, others after them by the channel's priority."""
    refund_order: tuple[str, ...] = ()
    """Payment methods in the order in which money goes back to them."""
    gateways: Mapping[str, str] = field(default_factory=dict)
    """Gateway as channels name it -> the connection that handles its payments, or "channel"."""
    reauthorise_before: dt.timedelta = dt.timedelta(hours=24)
    """So long before an authorisation ends a new one is asked for."""
    returns: Mapping[str, ReturnPolicy] = field(default_factory=dict)
    """By channel; "" for the others."""

    def return_policy(self, channel: str) -> ReturnPolicy:
        return self.returns.get(channel) or self.returns.get("") or ReturnPolicy()

    @property
    def watches_stock(self) -> bool:
        """Some location wants to be told of low or high stock."""
        return any(one.low_stock or one.high_stock for one in self.locations.values())
