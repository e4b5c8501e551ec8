"""Labels that the hub buys: what a package would cost, one label for it, and its money back when it stays.

A location whose configuration says so reports what it has packed; the hub asks the carrier for rates (a query, no row
in the outbox), chooses by the location's rule and buys one label a package. The label's bytes are kept for good, its
price is kept as the carrier stated it, and the location gets the label where its system takes one.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from decimal import Decimal
from typing import Any

from hub.domain.decision import Answer, Decision, DueTask, EffectRequest, QueryHandler, Question, Verdict
from hub.domain.events import Fact
from hub.domain.fulfilment import FINISHED, FulfilmentOrder, Method
from hub.domain.ids import derived_id
from hub.domain.money import decimal_text, money_text
from hub.domain.order import Effects
from hub.domain.package import CarriedLine, CarriedPackage, CarrierLabel, LabelState, Rate, choose
from hub.domain.shipment import PackageState
from hub.domain.snapshot import Snapshot
from hub.domain.validation import Rule
from hub.oms.desk.load import Case, open_case, tracking_key
from hub.oms.desk.save import save, tell
from hub.oms.desk.times import instant_text
from hub.oms.fulfilment.tracking import follow
from hub.oms.fulfilment.void_label import void_label, void_refused, voided
from hub.oms.ports import LabelRule, Rules
from hub.oms.telling.outgoing import request

ZERO = Decimal(0)
ASKS_WITHIN = dt.timedelta(minutes=1)
"""A query that has no answer by then is given up."""

ASKS_AGAIN = dt.timedelta(minutes=5)
"""The package still has no label: its carrier is asked anew."""

ASKED_AGAIN = "Remove the cause; the carrier is asked again every 5 minutes. Or ship it with a label of your own."
ASK_THE_LOCATION = "Correct it and have the location report the package again, or ship it with a label of your own."

CONTENT_TYPES = {"pdf": "application/pdf", "png": "image/png", "zpl": "application/zpl"}
CAPABILITIES = frozenset({"buy_label", "void_label"})
_NO_PARCEL = (Method.PICKUP, Method.TRANSFER)
DONE = frozenset({"success", "duplicate"})
ENDED = frozenset({"rejected", "refused", "gone", "abandoned", "withdrawn"})


def packed(case: Case, work: FulfilmentOrder, record: dict[str, Any]) -> None:
    """The location has packed: each package that is new gets a label, where the hub buys them."""
    rule = _rule(case, work)
    if rule is None or not case.acts or work.method in _NO_PARCEL or work.state in FINISHED:
        return
    known = {one.external_id: one for one in case.packages if one.fulfilment_order_id == work.id}
    stated = record.get("packages") or ()
    if not stated and not known:
        unnamed = CarriedPackage("", case.order.id, work.id, work.location, work.id, PackageState.LABEL_PENDING)
        _trouble(case, unnamed, "it was packed, but the location did not say into which packages, nor their weight")
    for said in stated:
        name = str(said["package"])
        package = known.get(name)
        if package is None:
            package = CarriedPackage(
                id=derived_id("pk", work.id, name),
                order_id=case.order.id,
                fulfilment_order_id=work.id,
                location=work.location,
                external_id=name,
                base=PackageState.LABEL_PENDING,
            )
            case.packages.append(package)
            known[name] = package
        elif _labels(case, package) or package.moving or package.unwanted:
            continue
        package.lines = [
            CarriedLine(str(part["line"]), str(part.get("sku", "")), units, units)
            for part in said.get("lines") or ()
            for units in (Decimal(str(part["quantity"])),)
        ]
        package.measures = {
            measure: str(said[measure])
            for measure in ("weight_grams", "length_mm", "width_mm", "height_mm")
            if said.get(measure)
        }
        if _leaves(work, package):
            _want_label(case, package, rule)
        else:
            _give_up(case, package, "its goods were cancelled")


def _leaves(work: FulfilmentOrder, package: CarriedPackage) -> bool:
    """Whether anything that is in the package is still to leave; one that does not say what is in it is taken to."""
    parts = [work.line(line.line_id) for line in package.lines if line.line_id]
    return work.state not in FINISHED and (
        not parts or any(part is not None and part.at_location > 0 for part in parts)
    )


def _want_label(case: Case, package: CarriedPackage, rule: LabelRule) -> None:
    missing = _missing(case, package)
    if missing:
        _trouble(case, package, missing)
    elif case.order.effects == Effects.OBSERVE:
        # Nobody is asked where nothing will be bought; the purchase stands suppressed for people to see.
        _buy(case, package, rule, None)
    else:
        _ask(case, package, case.now)


def _ask(case: Case, package: CarriedPackage, at: dt.datetime) -> None:
    payload = {"order": case.order.id, "until": instant_text(at + ASKS_WITHIN)}
    case.task("rate", package.id, at, payload=payload)


def _missing(case: Case, package: CarriedPackage) -> str:
    location = case.location(package.location)
    if "weight_grams" not in package.measures:
        return "the location did not say what it weighs"
    if location is None or not location.address.get("lines"):
        return f"locations.yaml has no address of {package.location} to send it from"
    if not case.contacts.get("ship_to"):
        return "the order has no address to send it to"
    return ""


# Asking for rates.


def rate_query(rules: Rules) -> QueryHandler:
    """The task `rate`: subject is a package that has no label yet."""

    def question(task: DueTask, snapshot: Snapshot, now: dt.datetime) -> Question | None:
        found = _waiting_package(rules, task, snapshot, now)
        if found is None:
            return None
        case, package, rule = found
        record = {"package": package.id, "order": case.order.id, **_journey(case, package)}
        if case.order.currency:
            record["currency"] = case.order.currency
        return Question(rule.carrier, "rate", record)

    def decide(task: DueTask, answer: Answer, snapshot: Snapshot, now: dt.datetime) -> Decision:
        found = _waiting_package(rules, task, snapshot, now)
        if found is None:
            return Decision(Verdict.IGNORED, message="the package needs no label any more")
        case, package, rule = found
        if _held(case, package):
            _ask(case, package, now + ASKS_AGAIN)
            return save(case)
        wanted = _service(case, rule, package)
        rates = [_rate(one) for one in (answer.record or {}).get("rates", ())]
        chosen = choose(rates, wanted, case.order.currency or "")
        why = _why_not(answer, rates, chosen, rule, wanted)
        if why:
            _trouble(case, package, case.discreet(why), ASKED_AGAIN)
            _ask(case, package, now + ASKS_AGAIN)
        else:
            _buy(case, package, rule, chosen)
        return save(case)

    return QueryHandler(question, decide)


def _waiting_package(
    rules: Rules, task: DueTask, snapshot: Snapshot, now: dt.datetime
) -> tuple[Case, CarriedPackage, LabelRule] | None:
    """The package while it still wants a label that nobody has asked for."""
    case = open_case(snapshot, rules, now, task.id, str(task.payload["order"]))
    package = next((one for one in case.packages if one.id == task.subject), None) if case else None
    if case is None or package is None or package.unwanted or package.moving or _labels(case, package):
        return None
    location = case.location(package.location)
    rule = location.labels if location else None
    return None if rule is None or _missing(case, package) else (case, package, rule)


def _held(case: Case, package: CarriedPackage) -> bool:
    """Nobody pays for the way of what is held. (Goods that another line waits for hold nothing that is packed.)"""
    holds = [*case.order.open_holds(), *(one for part in package.lines for one in case.order.open_holds(part.line_id))]
    return any(hold.rule != Rule.NO_STOCK for hold in holds)


def _why_not(answer: Answer, rates: list[Rate], chosen: Rate | None, rule: LabelRule, wanted: str) -> str:
    """Why nothing is bought, empty where something is."""
    said = "; ".join(str(one) for one in (answer.record or {}).get("messages", ())) or answer.words
    if answer.record is None:
        return f"{rule.carrier} gave no rates: {said or 'it did not answer in time'}"
    if chosen is None:
        offered = ", ".join(sorted({rate.service for rate in rates})) or "nothing"
        return f"{rule.carrier} has no rate for {wanted}; it offers {offered}" + (f" ({said})" if said else "")
    if rule.at_most is not None and chosen.amount > rule.at_most:
        price, most = money_text(chosen.amount, chosen.currency), money_text(rule.at_most, chosen.currency)
        return f"{chosen.service} costs {price}, more than the {most} that the location may spend"
    return ""


def _service(case: Case, rule: LabelRule, package: CarriedPackage) -> str:
    """By the order's service level; what is brought on the same day has that for its level, unless it names another."""
    method = next((one.method for one in case.work if one.id == package.fulfilment_order_id), "")
    level = str(case.order.facts.get("service_level") or method)
    return rule.services.get(level, rule.service)


def _rate(said: dict[str, Any]) -> Rate:
    return Rate(
        service=str(said["service"]),
        amount=Decimal(str(said["amount"])),
        currency=str(said["currency"]),
        carrier=str(said.get("carrier", "")),
        days=said.get("days"),
        external_id=str(said.get("external_id", "")),
    )


def _journey(case: Case, package: CarriedPackage) -> dict[str, Any]:
    """From where to where, and what."""
    location = case.location(package.location)
    contents = []
    handling = _handling(case, package)
    for part in package.lines:
        line = case.order.line(part.line_id) if part.line_id else None
        said = {"sku": part.sku, "title": line.details.get("title") if line else None}
        contents.append(
            {name: value for name, value in said.items() if value} | {"quantity": decimal_text(part.quantity)}
        )
    return {
        "ship_from": dict(location.address) if location else {},
        "ship_to": case.contacts["ship_to"],
        "parcel": {**package.measures, **({"handling": handling} if handling else {}), "contents": contents},
    }


_TOLD = {"hazmat": "hazmat", "age_restricted": "age_check"}
"""Flag of an item -> what its carrier is told."""


def _handling(case: Case, package: CarriedPackage) -> list[str]:
    """What the goods in a package ask of their carrier; a package that does not say what is in it asks for all that its
    work could."""
    work = next((one for one in case.work if one.id == package.fulfilment_order_id), None)
    parts = package.lines or (work.lines if work else ())
    skus = tuple(sorted({part.sku for part in parts if part.sku}))
    rows = case.snapshot.rows("items", {"sku": skus}) if skus else ()
    flags = {flag for row in rows for flag in row["document"].get("flags", ())}
    return sorted(_TOLD[flag] for flag in flags if flag in _TOLD)


# Buying.


def _buy(case: Case, package: CarriedPackage, rule: LabelRule, chosen: Rate | None) -> None:
    label = CarrierLabel(
        id=derived_id("lb", package.id, str(len(_labels(case, package)) + 1)),
        package_id=package.id,
        order_id=case.order.id,
        connection=rule.carrier,
        number=len(_labels(case, package)) + 1,
        state=LabelState.REQUESTED,
        carrier=(chosen.carrier or None) if chosen else None,
        service=chosen.service if chosen else _service(case, rule, package),
    )
    record: dict[str, Any] = {
        "key": label.key,
        "package": package.id,
        "number": label.number,
        "order": case.order.id,
        "order_number": case.order.number or case.order.external_id,
        "fulfilment_order": package.fulfilment_order_id,
        "direction": "outbound",
        "service": label.service,
        "format": rule.format,
        **_journey(case, package),
    }
    if chosen is not None:
        record["quoted"] = {"amount": decimal_text(chosen.amount), "currency": chosen.currency}
        record |= {"carrier": chosen.carrier} if chosen.carrier else {}
        label.document = {"quoted": record["quoted"]} | ({} if chosen.days is None else {"days": chosen.days})
    case.labels.append(label)
    case.clear_exception(_cause(package), "a label is being bought")
    _send(case, label.connection, "buy_label", label.key, package.id, "label", record)


def answered(case: Case, capability: str, key: str, record: dict[str, Any]) -> None:
    """What a carrier answered to the purchase or the voiding of a label."""
    ours = key if capability == "buy_label" else key.removeprefix("label/").removesuffix("/void")
    label = next((one for one in case.labels if ours in (one.key, one.id)), None)
    package = next((one for one in case.packages if label and one.id == label.package_id), None)
    if label is None or package is None:
        return
    resolution, reply = str(record.get("resolution", "success")), record.get("reply") or {}
    refused = resolution in ENDED or reply.get("accepted") is False
    if capability == "buy_label":
        if resolution in DONE and not refused:
            _bought(case, package, label, reply, record)
        elif refused:
            _not_bought(case, package, label, resolution)
    elif resolution in DONE and not refused:
        voided(case, label, reply)
        if package.unwanted and not package.moving:
            package.base = PackageState.VOIDED
    elif refused:
        void_refused(case, label, resolution)


def _bought(
    case: Case, package: CarriedPackage, label: CarrierLabel, reply: dict[str, Any], record: dict[str, Any]
) -> None:
    said = reply.get("label") or {}
    external_id = str(said.get("external_id") or record.get("external_id") or "")
    if label.state not in (LabelState.REQUESTED, LabelState.REFUSED):
        if external_id in ("", label.external_id):
            return
        # A person had the purchase sent again as new: the package has a second label now, and the first is given back.
        older, label = label, _next_label(case, package, label)
        _void(case, package, older, "another label was bought for the package")
    label.state = LabelState.BOUGHT
    label.external_id = external_id or None
    label.tracking_number = said.get("tracking_number") or None
    label.carrier, label.service = said.get("carrier") or label.carrier, said.get("service") or label.service
    if said.get("amount") and said.get("currency"):
        label.cost, label.currency = Decimal(str(said["amount"])), str(said["currency"])
    keep_bytes(case, label, said)
    if not package.moving:
        package.base = PackageState.LABELLED
        package.tracking_number, package.tracking_url = label.tracking_number or "", str(said.get("tracking_url", ""))
        package.carrier, package.service = label.carrier or "", label.service or ""
    if label.tracking_number:
        case.decision.wakes.append(tracking_key(label.tracking_number))
    case.clear_exception(_cause(package), "a label was bought")
    case.clear_exception(f"refused/{label.connection}/buy_label", "answered")
    told = {"package": package.id, "tracking_number": label.tracking_number, "carrier": label.carrier}
    told |= {"service": label.service, "currency": label.currency}
    told["cost"] = decimal_text(label.cost) if label.cost is not None else None
    tell(case, Fact.PACKAGE_LABELLED, label.id, label=label.id, **{name: text for name, text in told.items() if text})
    if package.unwanted or package.moving:
        _void(case, package, label, package.unwanted or "the package left with another label")
    elif not label.tracking_number or label.body_id is None:
        _trouble(case, package, f"{label.connection} sold a label without tracking number or without its bytes")
    else:
        _hand_over(case, package, label, said)


def _next_label(case: Case, package: CarriedPackage, older: CarrierLabel) -> CarrierLabel:
    number = max(one.number for one in _labels(case, package)) + 1
    label = CarrierLabel(
        id=derived_id("lb", package.id, str(number)),
        package_id=package.id,
        order_id=older.order_id,
        connection=older.connection,
        number=number,
        state=LabelState.REQUESTED,
        carrier=older.carrier,
        service=older.service,
    )
    case.labels.append(label)
    return label


def keep_bytes(case: Case, label: CarrierLabel, said: dict[str, Any]) -> None:
    """The label itself, as a body that no retention of replies takes away."""
    try:
        content = base64.b64decode(str(said.get("content", "")), validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content:
        return
    label.body_id = f"bd_{label.id}"
    case.decision.writes.insert(
        "bodies",
        {
            "id": label.body_id,
            "owner_kind": "label",
            "owner_id": label.id,
            "order_id": case.order.id,
            "content_type": CONTENT_TYPES.get(str(said.get("format", "")), "application/octet-stream"),
            "body": content,
            "size_bytes": len(content),
            "created_at": case.now,
        },
        ignore=True,
    )


def _hand_over(case: Case, package: CarriedPackage, label: CarrierLabel, said: dict[str, Any]) -> None:
    """Give the label to the location's system, where that takes labels; else people there download it."""
    work = next((one for one in case.work if one.id == package.fulfilment_order_id), None)
    if work is None or work.connection not in case.rules.takers.get("send_label", ()):
        return
    rule = case.location(package.location)
    named = ("carrier", "service", "tracking_number", "tracking_url", "format", "content")
    record = {name: said[name] for name in named if said.get(name)} | {
        "key": label.key,
        "fulfilment_order": work.id,
        "location": package.location,
        "package": package.external_id,
    }
    record |= {"fulfilment_order_external_id": work.external_id} if work.external_id else {}
    record |= {"external_location_id": rule.wms_code} if rule else {}
    _send(case, work.connection, "send_label", label.key, package.id, "label", record)


def _not_bought(case: Case, package: CarriedPackage, label: CarrierLabel, resolution: str) -> None:
    """The carrier's words stand under the delivery's own exception, with the way to send it again."""
    if label.state in (LabelState.REQUESTED, LabelState.REFUSED):
        label.state = LabelState.WITHDRAWN if resolution == "withdrawn" else LabelState.REFUSED
    if package.unwanted and not package.moving:
        package.base = PackageState.VOIDED


# Giving up.


def drop_unneeded(case: Case, work: FulfilmentOrder, reason: str) -> None:
    """Packages whose goods will not leave any more get no label, and the labels they have are given back."""
    if _rule(case, work) is None:
        return
    for package in case.packages:
        if package.fulfilment_order_id != work.id or package.shipment_id is not None or package.unwanted:
            continue
        if not _leaves(work, package):
            _give_up(case, package, reason)


def _give_up(case: Case, package: CarriedPackage, reason: str) -> None:
    package.unwanted = reason or "no longer wanted"
    case.clear_exception(_cause(package), "the package is not sent")
    if package.scan is not None:
        # The carrier has it all the same, so it gives nothing back: a person is told of that instead.
        follow(case, package)
        return
    open_labels = [one for one in _labels(case, package) if one.state in (LabelState.REQUESTED, LabelState.BOUGHT)]
    for label in open_labels:
        _void(case, package, label, package.unwanted)
    if not any(one.state in (LabelState.REQUESTED, LabelState.VOIDING) for one in open_labels):
        package.base = PackageState.VOIDED


def _void(case: Case, package: CarriedPackage, label: CarrierLabel, reason: str) -> None:
    why_not = void_label(case, label, reason)
    if why_not:
        _trouble(case, package, why_not)


# What the rest stands on.


def _rule(case: Case, work: FulfilmentOrder) -> LabelRule | None:
    location = case.location(work.location)
    return location.labels if location else None


def _labels(case: Case, package: CarriedPackage) -> list[CarrierLabel]:
    return [label for label in case.labels if label.package_id == package.id]


def _cause(package: CarriedPackage) -> str:
    return f"label/{package.id or package.fulfilment_order_id}"


def _trouble(case: Case, package: CarriedPackage, why: str, next_step: str = ASK_THE_LOCATION) -> None:
    if _cause(package) in case.raised:
        case.forget([_cause(package)], "said anew")
    case.raise_exception(
        _cause(package),
        "label_missing",
        "A package has no label",
        f"Package {package.external_id} at {package.location}: {why}.",
        next_step,
        f"hub orders show {case.order.id}",
    )


def _send(
    case: Case,
    destination: str,
    capability: str,
    key: str,
    aggregate: str,
    lane: str,
    record: dict[str, Any],
) -> None:
    request(
        case,
        EffectRequest(
            destination=destination,
            capability=capability,
            key=key,
            aggregate=aggregate,
            lane=lane,
            record=record,
            order_id=case.order.id,
            suppressed=case.order.effects == Effects.OBSERVE,
        ),
    )
