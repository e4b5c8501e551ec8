"""Packages on their way: they leave a location, their carrier scans them, and the ledger follows.

A scan may come before the location says that the package has left, twice, or long after a later one; what the order
looks like in the end does not depend on it (docs: hub.domain.package). Quantities move only for what has left.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from hub.domain.decision import Decision, Incoming, Verdict
from hub.domain.events import Fact
from hub.domain.fulfilment import FulfilmentOrder
from hub.domain.money import decimal_text
from hub.domain.package import BUCKETS, CarriedLine, CarriedPackage, Scan
from hub.domain.quantity import MOVES
from hub.domain.shipment import Package, PackageState, Shipment
from hub.domain.snapshot import Snapshot
from hub.oms.desk.load import Case, open_case, tracking_key
from hub.oms.desk.save import save, tell
from hub.oms.desk.times import instant, instant_text
from hub.oms.ports import Rules

NOTE = "note"
"""A scan that says nothing of where the package is."""

_ENDED = {
    PackageState.DELIVERED: Fact.PACKAGE_DELIVERED,
    PackageState.LOST: Fact.PACKAGE_LOST,
    PackageState.RETURNED_TO_SENDER: Fact.PACKAGE_RETURNED,
}

_TROUBLE: dict[PackageState, tuple[str, str, str]] = {
    PackageState.EXCEPTION: (
        "package_exception",
        "A carrier has trouble with a package",
        "Ask the carrier; it clears itself when the package moves on.",
    ),
    PackageState.LOST: (
        "package_lost",
        "A carrier has lost a package",
        "Claim it at the carrier and agree with the customer: send it again or refund it.",
    ),
    PackageState.RETURNED_TO_SENDER: (
        "package_returned",
        "A package comes back undelivered",
        "Find out why, then agree with the customer: send it again or refund it. Count the goods when they arrive.",
    ),
}


def handle_scan(
    rules: Rules, parcels_back: Callable[[Case, str, str], None]
) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `tracking`. `parcels_back(case, tracking number, status)` takes what comes back."""

    def apply_scan(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        number = str(incoming.record["tracking_number"])
        order_id = _order_of(snapshot, number)
        case = open_case(snapshot, rules, now, incoming.id, order_id) if order_id else None
        if case is None:
            message = "no package has this tracking number"
            return Decision(Verdict.WAITING, waits_for=tracking_key(number), message=message)
        numbered = {label.package_id for label in case.labels if label.tracking_number == number}
        for package in case.packages:
            if package.tracking_number == number or package.id in numbered:
                _scanned(case, package, incoming)
        parcels_back(case, number, str(incoming.record["status"]))
        return save(case)

    return apply_scan


def _order_of(snapshot: Snapshot, number: str) -> str | None:
    """The order a number belongs to. Carriers use numbers again after months: then it is the youngest."""
    found = snapshot.rows("packages", {"tracking_number": number}, order_by=("-created_at", "-id"), limit=1)
    for table in ("labels", "returns"):
        found = found or snapshot.rows(table, {"tracking_number": number}, order_by=("-created_at", "-id"), limit=1)
    return str(found[0]["order_id"]) if found else None


def _scanned(case: Case, package: CarriedPackage, incoming: Incoming) -> None:
    said = incoming.record
    status, at = str(said["status"]), instant(str(said["occurred_at"]))
    assert at is not None, "the schema asks for it"
    told: dict[str, str] = {"package": package.id, "status": status, "scanned_at": instant_text(at)}
    told |= {name: str(said[name]) for name in ("tracking_number", "code") if said.get(name)}
    if said.get("words"):
        told["words"] = case.discreet(str(said["words"]))[:200]
    key = f"{incoming.connection}/{incoming.fact_key}"
    tell(case, Fact.PACKAGE_SCANNED, f"{key}/{package.id}", **told)
    if status != NOTE:
        package.see(Scan(PackageState(status), at, key))
        follow(case, package)


def carried(case: Case, work: FulfilmentOrder, stated: dict[str, Any]) -> CarriedPackage | None:
    """The package a shipment notice means: by its tracking number, else by the location's own name for it."""
    if not case.rules.follows_packages:
        return None
    here = [one for one in case.packages if one.fulfilment_order_id == work.id and one.shipment_id is None]
    number = stated.get("tracking_number")
    by_number = [one for one in here if number and one.tracking_number == number]
    by_name = [one for one in here if one.external_id == str(stated["package"])]
    return next(iter((*by_number, *by_name)), None)


def depart(case: Case, shipment: Shipment) -> None:
    """The packages of a shipment have left; from now on their quantities follow their scans."""
    if not case.rules.follows_packages:
        return
    known = {package.id: package for package in case.packages}
    for left in shipment.packages:
        package = known.get(left.id)
        if package is None:
            package = CarriedPackage(
                id=left.id,
                order_id=case.order.id,
                fulfilment_order_id=shipment.fulfilment_order_id,
                location=shipment.location,
                external_id=left.external_id,
                base=PackageState.IN_TRANSIT,
            )
            case.packages.append(package)
        _leave(case, package, left, shipment)


def _leave(case: Case, package: CarriedPackage, left: Package, shipment: Shipment) -> None:
    if left.tracking_number and left.tracking_number != package.tracking_number:
        case.decision.wakes.append(tracking_key(left.tracking_number))
    package.base = PackageState.IN_TRANSIT
    package.shipment_id = shipment.id
    package.carrier = package.carrier or left.carrier
    package.service = package.service or left.service
    package.tracking_number = left.tracking_number or package.tracking_number
    package.tracking_url = left.tracking_url or package.tracking_url
    package.lines = [CarriedLine(part.line_id, part.sku, part.quantity, part.counted) for part in left.lines]
    follow(case, package)


def follow(case: Case, package: CarriedPackage) -> None:
    """Bring ledger, timeline and exceptions in step with a package's state."""
    trouble = _settle(case, package)
    fact = _ENDED.get(package.state)
    if fact is not None:
        # Its key is the fact: told once, however many scans say so.
        told = {"package": package.id, "tracking_number": package.tracking_number}
        tell(case, fact, package.id, **told)
    _show_trouble(case, package, trouble)


def _settle(case: Case, package: CarriedPackage) -> str:
    """Move what was in the package to where it ended; what is not there any more is said."""
    target = BUCKETS.get(package.state)
    if target is None or package.shipment_id is None:
        return ""
    missing = []
    for carried_line in package.lines:
        line = case.order.line(carried_line.line_id) if carried_line.line_id else None
        source = carried_line.bucket
        if line is None or source is target or carried_line.counted <= 0:
            continue
        units = min(carried_line.counted, line.ledger[source])
        if target in MOVES[source]:
            line.ledger.move(source, target, units)
        else:
            line.ledger.advance(source, target, units)
        carried_line.bucket = target
        if units < carried_line.counted:
            missing.append(f"{decimal_text(carried_line.counted - units)} of {carried_line.sku}")
    return ", ".join(missing)


def _show_trouble(case: Case, package: CarriedPackage, missing: str) -> None:
    """One exception a package, for what is wrong with it now; whatever was wrong before is over."""
    found = _trouble(case, package, missing)
    prefix = f"package/{package.id}/"
    standing = [key for key in case.raised if key.startswith(prefix)]
    wanted = prefix + found[0] if found else ""
    case.forget([key for key in standing if key != wanted], "the package moved on")
    if found is None or wanted in standing:
        return
    kind, title, next_step, detail = found
    case.raise_exception(wanted, kind, title, detail, next_step, f"hub orders show {case.order.id}")


def _trouble(case: Case, package: CarriedPackage, missing: str) -> tuple[str, str, str, str] | None:
    named = f"Package {package.tracking_number or package.external_id} from {package.location}"
    if missing:
        return (
            "package_unexpected",
            "A package ended where its goods no longer count",
            "Compare the package's scans with what was done with the order since.",
            f"{named} is {package.state}, but {missing} had been taken out of it in the books.",
        )
    if package.state in _TROUBLE:
        kind, title, next_step = _TROUBLE[package.state]
        return kind, title, next_step, f"{named} is {package.state.replace('_', ' ')}."
    if package.scan is not None and package.unwanted and package.shipment_id is None:
        return (
            "package_unwanted",
            "A package is on its way that should not be",
            "Stop it with the carrier or agree with the customer; its label is paid for.",
            f"{named} is {package.state.replace('_', ' ')} although it was given up ({package.unwanted}).",
        )
    if package.state is PackageState.DELIVERED and package.shipment_id is None:
        return (
            "package_unannounced",
            "A package was delivered that no location said had left",
            "Ask the location for its shipment notice; until then the order waits.",
            f"{named} is delivered, but {package.fulfilment_order_id} has not been reported as shipped.",
        )
    return None
