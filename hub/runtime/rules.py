"""From the configuration to what the OMS may depend on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.config.model import Address, Bundle, ConnectionConfig, EffectsMode, Location, Zone
from hub.domain.listing import Listing
from hub.domain.promise import Pool
from hub.domain.schedule import Schedule
from hub.domain.sourcing import Step
from hub.domain.sourcing.cost import Carriage
from hub.oms.ports import (
    Backorders,
    Channel,
    HoldBox,
    LabelRule,
    LocationRule,
    NotifyRule,
    PickupRule,
    Risk,
    RoutingRule,
    Rules,
    SkuPool,
    Strategy,
)
from hub.sdk.capabilities import Capability

DEFAULT_STOCK_MEANS = "on_hand"
CHOSEN_STORE = "chosen_store"
"""The strategy that exists without being written: eligibility knows the store, there is nothing to choose."""
SHORTEST_WINDOW_SECONDS = 0.1


def rules_of(bundle: Bundle) -> Rules:
    """The OMS's view of one revision."""
    policies = bundle.policies
    return Rules(
        revision=bundle.revision,
        channels={
            connection.id: _channel(bundle, connection)
            for connection in bundle.connections.values()
            if "orders" in connection.streams
        },
        locations={location.id: _location(bundle, location) for location in bundle.locations.values()},
        strategies={
            CHOSEN_STORE: Strategy(CHOSEN_STORE),
            **{
                name: Strategy(
                    id=name,
                    objective=strategy.objective,
                    max_shipments=strategy.max_shipments,
                    ship_complete=strategy.ship_complete,
                    line_from_one_location=strategy.line_from_one_location,
                    split_penalty=strategy.split_penalty,
                    min_shipment_value=strategy.min_shipment_value,
                    late_per_day=strategy.late_per_day,
                    time_budget=strategy.time_budget,
                    locations=strategy.locations,
                    types=strategy.types,
                )
                for name, strategy in bundle.routing.strategies.items()
            },
        },
        routing=tuple(RoutingRule(rule.id, rule.when, rule.use) for rule in bundle.routing.rules),
        fallback=bundle.routing.fallback,
        carriage=tuple(_carriage(zone) for zone in bundle.routing.carriage),
        when_nothing=bundle.routing.when_nothing,
        takers={capability.value: takers for capability in Capability if (takers := _takers(bundle, capability))},
        hold_boxes={kind: HoldBox(after, then) for kind, (after, then) in policies.hold_boxes.items()},
        duplicate_within=policies.duplicate_within,
        values=policies.values,
        unknown_sku=policies.unknown_sku,
        address=policies.address,
        payment_require=() if policies.payment_otherwise == "accept" else tuple(sorted(policies.payment_require)),
        totals_difference_up_to=policies.totals_difference_up_to,
        totals_otherwise=policies.totals_otherwise,
        follows_packages=any("tracking" in connection.streams for connection in bundle.connections.values())
        or any(location.labels is not None for location in bundle.locations.values())
        or any(policy.carrier for policy in policies.returns.values()),
        pools=tuple(SkuPool(one.sku, Pool(one.channel, one.units)) for one in policies.promise_pools),
        backorders=Backorders(
            policies.backorder_fairness,
            tuple((one.when, one.rank) for one in policies.backorder_priority),
            policies.backorder_auto_cancel_after,
        ),
        push_window_seconds=max(policies.promise_coalesce.total_seconds(), SHORTEST_WINDOW_SECONDS),
        substitution=policies.substitution,
        returns=policies.returns,
        pickup=PickupRule(
            hold_for=policies.pickup.hold_for,
            remind_after=policies.pickup.remind_after or None,
            no_show=policies.pickup.no_show,
            on_reject=policies.pickup.on_reject,
            receive_within=policies.pickup.receive_within,
        ),
        cancel_after_release=policies.cancel_after_release,
        notify={
            channel: NotifyRule(said.templates, said.brand, said.locale) for channel, said in policies.notify.items()
        },
        risk=Risk(policies.risk_warn_before, policies.risk_penalty),
        silence_hours=policies.acknowledge_within.total_seconds() / 3600,
        ship_within=policies.ship_within,
        capture_order=policies.capture_order,
        refund_order=policies.refund_order,
        gateways=policies.payment_gateways,
        reauthorise_before=policies.reauthorise_before,
    )


_ERP = frozenset(
    {
        Capability.SUBMIT_ORDER,
        Capability.UPDATE_ORDER,
        Capability.CANCEL_ORDER,
        Capability.POST_INVOICE,
        Capability.POST_CREDIT_NOTE,
        Capability.POST_GOODS_MOVEMENT,
    }
)
"""What goes to the ERP that the policies name, where they name one."""


def _takers(bundle: Bundle, capability: Capability) -> tuple[str, ...]:
    offering = tuple(connection.id for connection in bundle.offering(capability.value))
    erp = bundle.policies.erp
    return tuple(one for one in offering if one == erp) if erp and capability in _ERP else offering


def _channel(bundle: Bundle, connection: ConnectionConfig) -> Channel:
    stream = connection.streams["orders"]
    location_map = {
        theirs: ours for effect in connection.effects_out.values() for theirs, ours in effect.location_map.items()
    }
    return Channel(
        id=connection.id,
        seller_entity=connection.seller_entity,
        effects=connection.effects is EffectsMode.ON,
        start_from=stream.start_from,
        grace_seconds=bundle.policies.grace(connection.id).total_seconds(),
        capabilities=frozenset(connection.effects_out),
        location_map=location_map,
        share=bundle.policies.share(connection.id),
        threshold=bundle.policies.threshold(connection.id),
        listings=_listings(connection),
        value_limits=bundle.policies.limits(connection.id),
        money=bundle.policies.payment_manager(connection.id),
        supply_within=bundle.policies.supply_within(connection.id),
    )


def _listings(connection: ConnectionConfig) -> dict[str, tuple[Listing, ...]]:
    found: dict[str, tuple[Listing, ...]] = {}
    for one in connection.listings:
        found[one.theirs] = (*found.get(one.theirs, ()), one)
    return found


def _location(bundle: Bundle, location: Location) -> LocationRule:
    authority = bundle.connections.get(location.stock_authority or "")
    stream = authority.streams.get("stock") if authority else None
    address = location.address
    return LocationRule(
        id=location.id,
        type=location.type,
        wms=location.wms,
        wms_code=location.wms_code,
        stock_authority=location.stock_authority,
        country=address.country if address else "",
        admin_area=(address.admin_area or "") if address else "",
        latitude=address.latitude if address else None,
        longitude=address.longitude if address else None,
        priority=location.priority,
        capacity_per_day=location.capacity_per_day,
        cost_order=location.costs.order,
        cost_line=location.costs.line,
        cost_unit=location.costs.unit,
        safety_stock=location.safety_stock.get("default", Decimal(0)),
        safety_by_sku=location.safety_stock,
        clock_skew=location.clock_skew,
        can=location.can,
        stock_means=(stream.means if stream and stream.means else DEFAULT_STOCK_MEANS),
        walk_in_stock=location.walk_in_stock,
        low_stock=location.low_stock,
        high_stock=location.high_stock,
        movements_from=frozenset(location.movements_from),
        stale_after=location.stale_after,
        shrink_limit=location.shrink_limit,
        schedule=_schedule(location),
        last_units_below=location.costs.last_units_below,
        last_unit_cost=location.costs.last_unit_cost,
        labels=_labels(location),
        address=_address(location.name, address),
    )


def _carriage(zone: Zone) -> Carriage:
    return Carriage(
        zone=zone.name,
        days=zone.days,
        steps=tuple(Step(grams, cost) for grams, cost in zone.steps),
        origins=zone.origins,
        countries=zone.countries,
        postal_prefixes=zone.postal_prefixes,
        up_to_km=zone.up_to_km,
        services=zone.services,
        refuses=zone.refuses,
    )


def _schedule(location: Location) -> Schedule:
    calendar = location.calendar
    return Schedule(location.zone, calendar.days, calendar.closed, location.cut_offs)


def _labels(location: Location) -> LabelRule | None:
    labels = location.labels
    if labels is None:
        return None
    return LabelRule(labels.carrier, labels.service, labels.services, labels.format, labels.at_most)


def _address(name: str, address: Address | None) -> dict[str, Any]:
    """As a canonical Address; empty where the configuration has none."""
    if address is None:
        return {}
    parts = {
        "company": name,
        "lines": list(address.lines) or None,
        "locality": address.locality,
        "admin_area_code": address.admin_area,
        "postal_code": address.postal_code,
        "country": address.country,
    }
    return {part: value for part, value in parts.items() if value is not None}
