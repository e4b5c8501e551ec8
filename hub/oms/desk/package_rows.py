"""Rows of packages and labels <-> objects of the domain. Decimals in JSON columns are text."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.domain.money import decimal_text
from hub.domain.package import CarriedLine, CarriedPackage, CarrierLabel, LabelState, Scan
from hub.domain.quantity import Bucket
from hub.domain.shipment import PackageState
from hub.oms.desk.times import instant, instant_text

Row = dict[str, Any]


def package_row(package: CarriedPackage) -> Row:
    document: Row = {
        "base": package.base.value,
        "lines": [
            {
                "line": line.line_id,
                "sku": line.sku,
                "quantity": decimal_text(line.quantity),
                "counted": decimal_text(line.counted),
                "bucket": line.bucket.value,
            }
            for line in package.lines
        ],
    }
    if package.scan is not None:
        scan = package.scan
        document["scan"] = {"state": scan.state.value, "at": instant_text(scan.at), "key": scan.key}
    document |= {
        name: value
        for name, value in (
            ("measures", package.measures),
            ("tracking_url", package.tracking_url),
            ("unwanted", package.unwanted),
        )
        if value
    }
    return {
        "id": package.id,
        "order_id": package.order_id,
        "fulfilment_order_id": package.fulfilment_order_id,
        "shipment_id": package.shipment_id,
        "location": package.location,
        "external_id": package.external_id,
        "carrier": package.carrier or None,
        "service": package.service or None,
        "tracking_number": package.tracking_number or None,
        "state": package.state.value,
        "document": document,
    }


def package_from(row: Mapping[str, Any]) -> CarriedPackage:
    document = row["document"]
    said = document.get("scan")
    at = instant(said["at"]) if said else None
    return CarriedPackage(
        id=row["id"],
        order_id=row["order_id"],
        fulfilment_order_id=row["fulfilment_order_id"],
        shipment_id=row["shipment_id"],
        location=row["location"],
        external_id=row["external_id"],
        carrier=row["carrier"] or "",
        service=row["service"] or "",
        tracking_number=row["tracking_number"] or "",
        tracking_url=document.get("tracking_url", ""),
        base=PackageState(document["base"]),
        scan=Scan(PackageState(said["state"]), at, said["key"]) if said and at is not None else None,
        lines=[
            CarriedLine(
                line["line"], line["sku"], Decimal(line["quantity"]), Decimal(line["counted"]), Bucket(line["bucket"])
            )
            for line in document["lines"]
        ],
        measures=dict(document.get("measures", {})),
        unwanted=document.get("unwanted", ""),
    )


def label_row(label: CarrierLabel) -> Row:
    return {
        "id": label.id,
        "package_id": label.package_id,
        "order_id": label.order_id,
        "connection": label.connection,
        "number": label.number,
        "state": label.state.value,
        "external_id": label.external_id,
        "tracking_number": label.tracking_number,
        "carrier": label.carrier,
        "service": label.service,
        "currency": label.currency,
        "cost": label.cost,
        "refunded": label.refunded,
        "body_id": label.body_id,
        "document": dict(label.document),
    }


def label_from(row: Mapping[str, Any]) -> CarrierLabel:
    named = {name: row[name] for name in CarrierLabel.__dataclass_fields__ if name != "state"}
    return CarrierLabel(**{**named, "document": dict(row["document"])}, state=LabelState(row["state"]))
