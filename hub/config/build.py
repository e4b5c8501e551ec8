"""Checked files into the values of :mod:`hub.config.model`."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from hub.config import model
from hub.config.fields import Fields
from hub.config.findings import Finding, finding
from hub.config.schemas import Schema, schema_of, with_defaults
from hub.config.source import Plain
from hub.config.tree import Tree
from hub.config.validate import Checked
from hub.domain.listing import Listing
from hub.domain.return_policy import ReturnPolicy

_DAYS = {"mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4, "sat": 5, "sun": 6}
_EVERY_DAY = model.Calendar(frozenset(range(7)), frozenset())
_WEEKDAYS = model.Calendar(frozenset(range(5)), frozenset())
_EFFECT_KEYS = frozenset({"safety", "give_up_after", "location_map"})
_STREAM_KEYS = frozenset({"start_from", "push", "poll", "means", "format", "files", "mapping"})
_NO_ROUTING: Plain = {"strategies": {"cheapest": {}}, "fallback": {"use": "cheapest"}}


def build_hub(checked: Checked, found: list[Finding]) -> model.HubConfig:
    """hub.yaml; the database and secrets keep their references."""
    top, written = _fields(checked, found), Fields(_object(checked.written), (), _no_report)
    seller, web, alerts = top.object("seller"), top.object("web"), top.object("alerts")
    return model.HubConfig(
        seller=model.Seller(
            name=seller.text("name"),
            default_entity=seller.text("default_entity"),
            base_currency=seller.text("base_currency"),
            entities=MappingProxyType({name: _entity(name, inner) for name, inner in seller.members("entities")}),
        ),
        database=written.text("database"),
        web=model.Web(
            host=web.text("host"),
            port=web.integer("port"),
            max_body_bytes=web.size("max_body"),
            public_url=web.maybe_text("public_url"),
            api_keys=written.object("web").texts("api_keys"),
        ),
        alerts=model.Alerts(
            after=alerts.duration("after"),
            to=alerts.texts("to"),
            mail=_mail(alerts.maybe_object("mail"), written.object("alerts").object("mail")),
        ),
        retention=model.Retention(
            receipts=top.object("retention").duration("receipts"),
            personal_data_after_delivery=top.object("retention").duration("personal_data_after_delivery"),
        ),
    )


def _entity(name: str, inner: Fields) -> model.SellerEntity:
    return model.SellerEntity(
        id=name,
        legal_name=inner.maybe_text("legal_name"),
        erp_company=inner.maybe_text("erp_company"),
        tax_id=inner.maybe_text("tax_id"),
        base_currency=inner.maybe_text("base_currency"),
    )


def _mail(mail: Fields | None, written: Fields) -> model.Mail | None:
    if mail is None:
        return None
    return model.Mail(
        host=mail.text("host"),
        port=mail.integer("port"),
        security=mail.text("security"),
        sender=mail.text("sender"),
        username=mail.maybe_text("username"),
        password=written.maybe_text("password"),
    )


def build_connection(checked: Checked, default_entity: str, found: list[Finding]) -> model.ConnectionConfig:
    """connections/<id>.yaml; ``config`` keeps its references."""
    top = _fields(checked, found)
    name = top.text("id")
    return model.ConnectionConfig(
        id=name,
        connector=top.text("connector"),
        title=top.maybe_text("title") or name,
        seller_entity=top.maybe_text("seller_entity") or default_entity,
        effects=model.EffectsMode(top.text("effects")),
        codec=top.maybe_text("codec"),
        partner=top.maybe_text("partner"),
        config=MappingProxyType(_object(_object(checked.written).get("config"))),
        streams=MappingProxyType({key: _stream(key, inner) for key, inner in top.members("streams")}),
        effects_out=MappingProxyType({key: _effect(key, inner) for key, inner in top.members("effects_out")}),
        limits=MappingProxyType({key: _limit(inner) for key, inner in top.members("limits")}),
        call_deadline=top.duration("call_deadline"),
        listings=tuple(
            Listing(
                one.text("theirs"),
                one.text("ours"),
                one.instant("from") if one.has("from") else None,
                one.instant("to") if one.has("to") else None,
            )
            for one in top.items("listings")
        ),
    )


def _stream(name: str, inner: Fields) -> model.StreamConfig:
    start = inner.maybe_text("start_from")
    poll, files = inner.maybe_object("poll"), inner.maybe_object("files")
    return model.StreamConfig(
        name=name,
        start_from=None if start in (None, model.ALWAYS) else inner.instant("start_from"),
        takes_everything=start == model.ALWAYS,
        push=inner.flag("push"),
        poll=None if poll is None else model.Poll(poll.duration("every"), poll.duration("lookback")),
        means=inner.maybe_text("means"),
        format=inner.raw("format"),
        files=None
        if files is None
        else model.FileIntake(
            files.text("directory"),
            files.text("match"),
            files.duration("stable_for"),
            files.text("then"),
            files.maybe_text("archive_directory") or "",
            files.maybe_text("error_directory") or "",
            files.integer("max_bytes"),
        ),
        options=MappingProxyType({key: value for key, value in inner.tree.items() if key not in _STREAM_KEYS}),
        mapping=inner.maybe_text("mapping"),
    )


def _effect(capability: str, inner: Fields) -> model.EffectConfig:
    safety = inner.maybe_object("safety")
    return model.EffectConfig(
        capability=capability,
        safety=None if safety is None else model.Safety(safety.text("mode"), safety.maybe_duration("settle")),
        give_up_after=inner.duration("give_up_after"),
        location_map=inner.text_map("location_map"),
        options=MappingProxyType({key: value for key, value in inner.tree.items() if key not in _EFFECT_KEYS}),
    )


def _limit(inner: Fields) -> model.Limit:
    return model.Limit(
        rate=inner.rate("rate"),
        burst=inner.integer("burst"),
        learn_from=inner.maybe_text("learn_from"),
        concurrent=inner.maybe_integer("concurrent"),
    )


def build_locations(checked: Checked | None, found: list[Finding]) -> Mapping[str, model.Location]:
    """locations.yaml by id; none without the file."""
    if checked is None:
        return MappingProxyType({})
    top = _fields(checked, found)
    calendars = {"always": _EVERY_DAY, "weekdays": _WEEKDAYS}
    for name, inner in top.members("calendars"):
        days = frozenset(_DAYS[day] for day in inner.texts("days"))
        calendars[name] = model.Calendar(days, frozenset(inner.texts("closed")))
    return MappingProxyType({inner.text("id"): _location(inner, calendars) for inner in top.items("locations")})


def _location(inner: Fields, calendars: Mapping[str, model.Calendar]) -> model.Location:
    name = inner.text("id")
    costs = inner.object("costs")
    return model.Location(
        id=name,
        type=inner.text("type"),
        name=inner.maybe_text("name") or name,
        gln=inner.maybe_text("gln"),
        address=_address(inner.maybe_object("address")),
        zone=inner.text("zone"),
        calendar=calendars[inner.text("calendar")],
        cut_offs=inner.time_map("cut_offs"),
        capacity_per_day=inner.maybe_integer("capacity_per_day"),
        priority=inner.integer("priority"),
        wms=inner.maybe_text("wms"),
        wms_code=inner.maybe_text("wms_code") or name,
        stock_authority=inner.maybe_text("stock_authority") or inner.maybe_text("wms"),
        clock_skew=inner.duration("clock_skew"),
        costs=_costs(costs),
        safety_stock=inner.decimal_map("safety_stock"),
        can=frozenset(inner.texts("can")),
        walk_in_stock=inner.decimal_map("walk_in_stock"),
        low_stock=inner.decimal_map("low_stock"),
        high_stock=inner.decimal_map("high_stock"),
        movements_from=inner.texts("movements_from"),
        stale_after=inner.duration("stale_after"),
        shrink_limit=inner.maybe_decimal("shrink_limit"),
        labels=_labels(inner.maybe_object("labels")),
    )


def _costs(inner: Fields) -> model.Costs:
    last = inner.maybe_object("last_units")
    return model.Costs(
        inner.decimal("order"),
        inner.decimal("line"),
        inner.decimal("unit"),
        last.decimal("below") if last else Decimal(0),
        last.decimal("unit") if last else Decimal(0),
    )


def _labels(inner: Fields | None) -> model.Labels | None:
    if inner is None:
        return None
    return model.Labels(
        carrier=inner.text("carrier"),
        service=inner.text("service"),
        services=inner.text_map("services"),
        format=inner.text("format"),
        at_most=inner.maybe_decimal("at_most"),
    )


def _address(inner: Fields | None) -> model.Address | None:
    if inner is None:
        return None
    return model.Address(
        lines=inner.texts("lines"),
        locality=inner.maybe_text("locality"),
        admin_area=inner.maybe_text("admin_area"),
        postal_code=inner.maybe_text("postal_code"),
        country=inner.text("country"),
        latitude=inner.maybe_decimal("latitude"),
        longitude=inner.maybe_decimal("longitude"),
    )


def build_routing(checked: Checked | None, found: list[Finding]) -> model.Routing:
    """routing.yaml; without the file the cheapest plan, and backorder where there is none."""
    top = _fields(checked, found) if checked is not None else _defaults(schema_of("routing"), _NO_ROUTING)
    return model.Routing(
        strategies=MappingProxyType({name: _strategy(name, inner) for name, inner in top.members("strategies")}),
        rules=tuple(
            model.RoutingRule(rule.text("id"), rule.text("when"), rule.text("use")) for rule in top.items("rules")
        ),
        fallback=top.object("fallback").text("use"),
        when_nothing=top.object("fallback").text("when_nothing"),
        carriage=tuple(_zone(zone) for zone in top.items("carriage")),
    )


def _strategy(name: str, inner: Fields) -> model.Strategy:
    return model.Strategy(
        name=name,
        objective=inner.text("objective"),
        max_shipments=inner.maybe_integer("max_shipments"),
        ship_complete=inner.flag("ship_complete"),
        split_penalty=inner.decimal("split_penalty"),
        locations=frozenset(inner.texts("locations")) if inner.has("locations") else None,
        types=frozenset(inner.texts("types")) if inner.has("types") else None,
        time_budget=inner.duration("time_budget"),
        line_from_one_location=inner.flag("line_from_one_location"),
        min_shipment_value=inner.decimal("min_shipment_value"),
        late_per_day=inner.decimal("late_per_day"),
    )


def _zone(inner: Fields) -> model.Zone:
    def asked(name: str) -> frozenset[str] | None:
        return frozenset(inner.texts(name)) if inner.has(name) else None

    return model.Zone(
        name=inner.text("zone"),
        days=inner.integer("days"),
        steps=tuple((step.decimal("grams"), step.decimal("cost")) for step in inner.items("steps")),
        origins=asked("from"),
        countries=asked("countries"),
        postal_prefixes=inner.texts("postal_prefixes") if inner.has("postal_prefixes") else None,
        up_to_km=inner.maybe_decimal("up_to_km"),
        services=asked("services"),
        refuses=asked("refuses") or frozenset(),
    )


def build_policies(checked: Checked | None, found: list[Finding]) -> model.Policies:
    """policies.yaml; without the file every default of the schema."""
    top = _fields(checked, found) if checked is not None else _defaults(schema_of("policies"), {})
    grace, validation, totals = top.object("grace"), top.object("validation"), top.object("totals")
    payment, promise, erp = top.object("payment"), top.object("promise"), top.object("erp")
    waiting, backorders = top.object("waiting"), top.object("backorders")
    return model.Policies(
        grace_default=grace.duration("default"),
        grace_channels=grace.duration_map("channels"),
        unknown_sku=validation.text("unknown_sku"),
        address=validation.text("address"),
        values=validation.text("values"),
        duplicate_within=validation.duration("duplicate_within"),
        value_limits={
            name: validation.object("value_limits").decimal_map(name) for name in validation.raw("value_limits")
        },
        hold_boxes={
            kind: (box.duration("after"), box.text("then")) for kind, box in top.members("holds") if box.has("after")
        },
        payment_require=frozenset(validation.object("payment").texts("require")),
        payment_otherwise=validation.object("payment").text("otherwise"),
        totals_difference_up_to=totals.decimal("difference_up_to"),
        totals_otherwise=totals.text("otherwise"),
        payment_default=payment.text("default"),
        payment_managed_by=payment.text_map("managed_by"),
        payment_gateways=payment.text_map("gateways"),
        capture_order=payment.texts("capture_order"),
        refund_order=payment.texts("refund_order"),
        reauthorise_before=payment.duration("reauthorise_before"),
        promise_threshold=promise.decimal_map("threshold"),
        promise_share=promise.decimal_map("share"),
        promise_coalesce=promise.duration("coalesce"),
        promise_pools=tuple(
            model.StockPool(pool.text("channel"), pool.text("sku"), pool.decimal("units"))
            for pool in promise.items("pools")
        ),
        promise_supply_within=promise.duration_map("supply_within"),
        backorder_fairness=backorders.text("fairness"),
        backorder_priority=tuple(
            model.Rank(rank.text("when"), rank.integer("rank")) for rank in backorders.items("priority")
        ),
        backorder_auto_cancel_after=backorders.duration("auto_cancel_after"),
        cancel_after_release=top.object("cancellation").text("after_release"),
        erp=erp.maybe_text("submit_to"),
        correlate_within=waiting.duration("correlate_within"),
        acknowledge_within=waiting.duration("acknowledge_within"),
        ship_within=waiting.duration("ship_within"),
        risk_warn_before=top.object("risk").duration("warn_before"),
        risk_penalty=top.object("risk").decimal_map("penalty"),
        pickup=_pickup(top.object("pickup")),
        returns=_returns(top.object("returns")),
        substitution=top.text("substitution"),
        notify=MappingProxyType(
            {
                channel: model.Notify(frozenset(inner.texts("templates")), inner.text("brand"), inner.text("locale"))
                for channel, inner in top.object("notify").members("channels")
            }
        ),
    )


def _returns(returns: Fields) -> Mapping[str, ReturnPolicy]:
    """By channel, "" for the others."""
    others = _return_policy(returns, ReturnPolicy())
    of_channels = {name: _return_policy(inner, others) for name, inner in returns.members("channels")}
    return MappingProxyType({"": others, **of_channels})


def _return_policy(inner: Fields, otherwise: ReturnPolicy) -> ReturnPolicy:
    """What `inner` says, and `otherwise` what it leaves open."""
    said: dict[str, Any] = {}
    for names, read in (
        (("window", "expires_after"), inner.duration),
        (("approve", "refund_on", "refund_shipping", "settle", "location", "carrier", "service"), inner.text),
        (("restocking_fee",), inner.decimal),
        (("deductions",), inner.decimal_map),
        (("dispositions",), inner.text_map),
        (("parcel_grams",), inner.integer),
        (("not_returnable", "our_fault"), inner.texts),
    ):
        said |= {name: read(name) for name in names if name in inner.tree}
    said |= {name: frozenset(said[name]) for name in ("not_returnable", "our_fault") if name in said}
    return replace(otherwise, **said)


def _pickup(pickup: Fields) -> model.Pickup:
    return model.Pickup(
        hold_for=pickup.duration("hold_for"),
        remind_after=pickup.duration("remind_after"),
        no_show=pickup.text("no_show"),
        on_reject=pickup.text("on_reject"),
        receive_within=pickup.duration("receive_within"),
    )


def build_notification(checked: Checked, found: list[Finding]) -> model.NotificationTemplate:
    """One file of notifications/."""
    top = _fields(checked, found)
    return model.NotificationTemplate(
        name=top.text("notification"),
        subject=top.text("subject"),
        text=top.text("text"),
        html=top.maybe_text("html"),
        locale=top.text("locale"),
        channel=top.maybe_text("channel"),
        brand=top.maybe_text("brand"),
    )


def build_partners(checked: Mapping[str, Plain]) -> Mapping[str, Mapping[str, Plain]]:
    """partners/*.yaml by stem, as they stand; their schema belongs to EDI."""
    return MappingProxyType({name: MappingProxyType(_object(tree)) for name, tree in checked.items()})


def content_of(tree: Tree) -> dict[str, Plain]:
    """What the files mean by file name, references kept: the input of the revision."""
    files = (checked for checked in tree.files() if checked not in tree.partners)
    return {checked.document.file: checked.written for checked in files}


def _fields(checked: Checked, found: list[Finding]) -> Fields:
    def report(path: tuple[str | int, ...], message: str) -> None:
        document = checked.document
        found.append(finding("HUB002", document.file, document.mark(path), message))

    return Fields(_object(checked.resolved), (), report)


def _defaults(schema: Schema, tree: Plain) -> Fields:
    return Fields(_object(with_defaults(schema, tree)), (), _no_report)


def _no_report(path: tuple[str | int, ...], message: str) -> None:
    raise AssertionError((path, message))


def _object(tree: Plain) -> dict[str, Plain]:
    return tree if isinstance(tree, dict) else {}
