"""Configuration as values: what the rest of the hub reads. Built by :mod:`hub.config.build`, never changed.

Texts that may hold references (``${env:NAME}``) are marked so; :mod:`hub.config.secrets` looks them up when they are
used. Durations are ``timedelta``, sizes bytes, amounts ``Decimal`` in the currency named.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal

from hub.config.source import Plain
from hub.config.units import Rate
from hub.domain.listing import Listing
from hub.domain.return_policy import ReturnPolicy

ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class StreamOffer:
    """How a stream of a connector can be read. ``options`` is a JSON Schema object of keys beside those of every
    stream; ``operation`` the key of a connection's limits that polls spend, None for ``default``."""

    push: bool = True
    poll: bool = True
    options: Mapping[str, Plain] = field(default_factory=dict)
    operation: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectorInfo:
    """What the checks must know of a connector; filled from its manifest. ``push_secrets`` is the key of its config
    that holds the secrets webhooks are verified with, None where it verifies in another way. ``effect_options`` are
    JSON Schema objects by capability, of keys beside those of every effect; ``rate_headers`` the answer headers that
    tell it its present rate. ``forbids_mail``: a marketplace whose buyers nobody else may write to."""

    name: str
    config_schema: Mapping[str, Plain]
    streams: Mapping[str, StreamOffer] = field(default_factory=dict)
    capabilities: frozenset[str] = frozenset()
    push_secrets: str | None = "webhook_secrets"
    effect_options: Mapping[str, Mapping[str, Plain]] = field(default_factory=dict)
    rate_headers: tuple[str, ...] = ()
    forbids_mail: bool = False


class EffectsMode(enum.StrEnum):
    """on: outgoing work is sent. observe: its rows are written as suppressed, the rendered bytes visible."""

    ON = "on"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class SellerEntity:
    """A legal entity that orders are posted for."""

    id: str
    legal_name: str | None = None
    erp_company: str | None = None
    tax_id: str | None = None
    base_currency: str | None = None


@dataclass(frozen=True, slots=True)
class Seller:
    """The company group of this hub."""

    name: str
    default_entity: str
    base_currency: str
    entities: Mapping[str, SellerEntity]


@dataclass(frozen=True, slots=True)
class Web:
    """Where the hub listens; ``max_body_bytes`` guards every request; ``api_keys`` are references."""

    host: str
    port: int
    max_body_bytes: int
    public_url: str | None
    api_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mail:
    """The server for outgoing mail; ``password`` is a reference."""

    host: str
    port: int
    security: str
    sender: str
    username: str | None
    password: str | None


@dataclass(frozen=True, slots=True)
class Alerts:
    """Who is told about exceptions older than ``after``: ``mailto:`` and ``https:`` addresses."""

    after: timedelta
    to: tuple[str, ...]
    mail: Mail | None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long bodies and personal data are kept."""

    receipts: timedelta
    personal_data_after_delivery: timedelta


@dataclass(frozen=True, slots=True)
class HubConfig:
    """hub.yaml; ``database`` is ``sqlite`` or a URL and may hold references."""

    seller: Seller
    database: str
    web: Web
    alerts: Alerts
    retention: Retention


@dataclass(frozen=True, slots=True)
class Poll:
    """Read ``every`` so often, each time reaching ``lookback`` behind the cursor."""

    every: timedelta
    lookback: timedelta


@dataclass(frozen=True, slots=True)
class FileIntake:
    """How files of a stream are taken. Empty directories are those below ``directory``."""

    directory: str
    match: str
    stable_for: timedelta
    then: str
    archive_directory: str
    error_directory: str
    max_bytes: int


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """One stream of a connection. ``start_from``: orders placed before it are captured without effects; None for
    ``always`` and where none is needed (``takes_everything`` tells the first). ``mapping`` is the one that reads it
    here, None for the connector's. ``options`` are the connector's own."""

    name: str
    start_from: datetime | None = None
    takes_everything: bool = False
    push: bool = False
    poll: Poll | None = None
    means: str | None = None
    format: Mapping[str, Plain] = field(default_factory=dict)
    files: FileIntake | None = None
    options: Mapping[str, Plain] = field(default_factory=dict)
    mapping: str | None = None


@dataclass(frozen=True, slots=True)
class Safety:
    """This site's word on how a call with unknown outcome is settled."""

    mode: str
    settle: timedelta | None


@dataclass(frozen=True, slots=True)
class EffectConfig:
    """One capability of a connection; ``options`` are the keys that belong to the capability itself."""

    capability: str
    safety: Safety | None
    give_up_after: timedelta
    location_map: Mapping[str, str]
    options: Mapping[str, Plain]


@dataclass(frozen=True, slots=True)
class Limit:
    """Calls allowed for an operation."""

    rate: Rate
    burst: int
    learn_from: str | None
    concurrent: int | None


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """connections/<id>.yaml; the values in ``config`` may hold references."""

    id: str
    connector: str
    title: str
    seller_entity: str
    effects: EffectsMode
    codec: str | None
    partner: str | None
    config: Mapping[str, Plain]
    streams: Mapping[str, StreamConfig]
    effects_out: Mapping[str, EffectConfig]
    limits: Mapping[str, Limit]
    call_deadline: timedelta = timedelta(seconds=60)
    listings: tuple[Listing, ...] = ()

    def mapping_of(self, stream: str) -> str:
        """The name of the mapping that reads a stream here."""
        chosen = self.streams[stream].mapping if stream in self.streams else None
        return chosen or f"{self.connector}/{stream}.in"


@dataclass(frozen=True, slots=True)
class Address:
    """A location's address."""

    lines: tuple[str, ...]
    locality: str | None
    admin_area: str | None
    postal_code: str | None
    country: str
    latitude: Decimal | None
    longitude: Decimal | None


@dataclass(frozen=True, slots=True)
class Costs:
    """Handling costs in the seller's base currency. Each unit costs ``last_unit_cost`` more where fewer than
    ``last_units_below`` would be left."""

    order: Decimal
    line: Decimal
    unit: Decimal
    last_units_below: Decimal = Decimal(0)
    last_unit_cost: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working days, 0 is Monday; ``closed`` are dates in ISO form."""

    days: frozenset[int]
    closed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Labels:
    """The hub buys this location's labels at `carrier`, a connection. `service`: cheapest, fastest or the carrier's
    code; `services` the same by service level. `at_most` is an amount in whatever currency the carrier quotes."""

    carrier: str
    service: str
    services: Mapping[str, str]
    format: str
    at_most: Decimal | None


@dataclass(frozen=True, slots=True)
class Location:
    """A node that holds stock; ``wms`` and ``stock_authority`` are connections, ``wms_code`` the name it has there."""

    id: str
    type: str
    name: str
    gln: str | None
    address: Address | None
    zone: str
    calendar: Calendar
    cut_offs: Mapping[str, time]
    capacity_per_day: int | None
    priority: int
    wms: str | None
    wms_code: str
    stock_authority: str | None
    clock_skew: timedelta
    costs: Costs
    safety_stock: Mapping[str, Decimal]
    can: frozenset[str]
    labels: Labels | None = None
    walk_in_stock: Mapping[str, Decimal] = field(default_factory=dict)
    low_stock: Mapping[str, Decimal] = field(default_factory=dict)
    high_stock: Mapping[str, Decimal] = field(default_factory=dict)
    movements_from: tuple[str, ...] = ()
    stale_after: timedelta = timedelta(0)
    shrink_limit: Decimal | None = None

    def safety(self, sku: str) -> Decimal:
        """Units of a SKU that are never promised here."""
        return self.safety_stock.get(sku, self.safety_stock.get("default", Decimal(0)))


@dataclass(frozen=True, slots=True)
class Strategy:
    """How locations are chosen; ``chosen_store`` exists without being written (the store the buyer picked)."""

    name: str
    objective: str
    max_shipments: int | None
    ship_complete: bool
    split_penalty: Decimal
    locations: frozenset[str] | None
    types: frozenset[str] | None
    time_budget: timedelta
    line_from_one_location: bool = False
    min_shipment_value: Decimal = Decimal(0)
    late_per_day: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Zone:
    """Where a carrier brings something for what: ``steps`` are (grams, cost) of a parcel, ``days`` those on the way.
    None asks nothing."""

    name: str
    days: int
    steps: tuple[tuple[Decimal, Decimal], ...]
    origins: frozenset[str] | None
    countries: frozenset[str] | None
    postal_prefixes: tuple[str, ...] | None
    up_to_km: Decimal | None
    services: frozenset[str] | None
    refuses: frozenset[str]


@dataclass(frozen=True, slots=True)
class RoutingRule:
    """``when`` is JMESPath over the canonical order; the first that holds names the strategy."""

    id: str
    when: str
    use: str


@dataclass(frozen=True, slots=True)
class Routing:
    """routing.yaml; ``when_nothing``: backorder, hold or cancel."""

    strategies: Mapping[str, Strategy]
    rules: tuple[RoutingRule, ...]
    fallback: str
    when_nothing: str
    carriage: tuple[Zone, ...] = ()


@dataclass(frozen=True, slots=True)
class Pickup:
    """Goods that are collected. ``remind_after`` 0: nobody is reminded; ``no_show``: restock_and_refund or keep;
    ``on_reject``: cancel, ship_instead or ask."""

    hold_for: timedelta
    remind_after: timedelta
    no_show: str
    on_reject: str
    receive_within: timedelta


@dataclass(frozen=True, slots=True)
class StockPool:
    """The last ``units`` of a SKU are ``channel``'s alone."""

    channel: str
    sku: str
    units: Decimal


@dataclass(frozen=True, slots=True)
class Rank:
    """The place in the queue of orders for which ``when`` holds; smaller goes first."""

    when: str
    rank: int


@dataclass(frozen=True, slots=True)
class Notify:
    """What the buyers of a channel are written: ``templates`` by name; ``locale`` where the order names none."""

    templates: frozenset[str]
    brand: str
    locale: str


@dataclass(frozen=True, slots=True)
class NotificationTemplate:
    """notifications/*.yaml: what a notification says. ``channel`` and ``brand`` None: for all of them."""

    name: str
    subject: str
    text: str
    html: str | None
    locale: str
    channel: str | None = None
    brand: str | None = None


@dataclass(frozen=True, slots=True)
class Policies:
    """policies.yaml. Maps by connection id have methods that know the default."""

    grace_default: timedelta
    grace_channels: Mapping[str, timedelta]
    unknown_sku: str
    address: str
    values: str
    duplicate_within: timedelta
    value_limits: Mapping[str, Mapping[str, Decimal]]
    hold_boxes: Mapping[str, tuple[timedelta, str]]
    payment_require: frozenset[str]
    payment_otherwise: str
    totals_difference_up_to: Decimal
    totals_otherwise: str
    payment_default: str
    payment_managed_by: Mapping[str, str]
    payment_gateways: Mapping[str, str]
    capture_order: tuple[str, ...]
    refund_order: tuple[str, ...]
    reauthorise_before: timedelta
    promise_threshold: Mapping[str, Decimal]
    promise_share: Mapping[str, Decimal]
    promise_coalesce: timedelta
    promise_pools: tuple[StockPool, ...]
    promise_supply_within: Mapping[str, timedelta]
    backorder_fairness: str
    backorder_priority: tuple[Rank, ...]
    backorder_auto_cancel_after: timedelta
    cancel_after_release: str
    erp: str | None
    correlate_within: timedelta
    acknowledge_within: timedelta
    ship_within: timedelta
    risk_warn_before: timedelta
    risk_penalty: Mapping[str, Decimal]
    pickup: Pickup
    returns: Mapping[str, ReturnPolicy]
    substitution: str
    notify: Mapping[str, Notify] = field(default_factory=dict)

    def grace(self, connection: str) -> timedelta:
        """How long new orders of a channel wait before anything is sent."""
        return self.grace_channels.get(connection, self.grace_default)

    def limits(self, connection: str) -> Mapping[str, Decimal]:
        """Currency -> the total above which a person must look at an order of this channel."""
        return self.value_limits.get(connection, self.value_limits.get("default", {}))

    def payment_manager(self, connection: str) -> str:
        """``hub`` or ``channel``: who captures and refunds for this channel."""
        return self.payment_managed_by.get(connection, self.payment_default)

    def threshold(self, connection: str) -> Decimal:
        """Units kept back from a channel."""
        return self.promise_threshold.get(connection, self.promise_threshold.get("default", Decimal(0)))

    def supply_within(self, connection: str) -> timedelta:
        """How far ahead a channel sells what is still to come."""
        return self.promise_supply_within.get(connection, self.promise_supply_within.get("default", timedelta(0)))

    def share(self, connection: str) -> Decimal:
        """The part of the stock a channel may sell, 0 to 1."""
        return self.promise_share.get(connection, self.promise_share.get("default", Decimal(1)))


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything that one revision of the configuration says.

    ``mappings`` are the texts of mapping files by name (``shopify/orders.in``), a site's in place of shipped ones.
    ``partners`` are the contents of partners/*.yaml by file stem. ``revision`` is the content hash, ``blob`` the bytes
    to store with it; neither holds a secret.
    """

    hub: HubConfig
    connections: Mapping[str, ConnectionConfig]
    locations: Mapping[str, Location]
    routing: Routing
    policies: Policies
    mappings: Mapping[str, str]
    partners: Mapping[str, Mapping[str, Plain]]
    revision: str
    blob: bytes
    notifications: tuple[NotificationTemplate, ...] = ()

    def offering(self, capability: str) -> tuple[ConnectionConfig, ...]:
        """The connections that send a capability, by id."""
        return tuple(c for _, c in sorted(self.connections.items()) if capability in c.effects_out)
