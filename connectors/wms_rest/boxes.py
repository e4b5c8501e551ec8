"""Boxes of the emulated warehouse: what was packed into which, what it measures, and the label somebody put on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors.wms_rest.documents import ZERO, Behaviour, Line, Request, lines_of, plain

Box = dict[str, Any]
"""{package, weight_grams, length_mm, width_mm, height_mm, lines: {line reference: quantity}, label: {...} or None}"""

Sent = Sequence[tuple[Line, Decimal]]
GRAMS_PER_UNIT = Decimal("412.5")


def fill(request: Request, packed: Sent, behaviour: Behaviour) -> list[dict[str, object]]:
    """Put these quantities into new boxes, the lines dealt out over them, and say what is in which; nothing where the
    warehouse labels its parcels itself."""
    if behaviour.labels != "hub":
        return []
    count = max(1, min(behaviour.packages, len(packed)))
    boxes: list[Box] = []
    for index in range(count):
        lines = {line.reference: plain(quantity) for line, quantity in packed[index::count]}
        units = sum((quantity for _, quantity in packed[index::count]), ZERO)
        boxes.append(
            {
                "package": f"{request.id}-B{len(request.boxes) + index + 1}",
                "weight_grams": plain(GRAMS_PER_UNIT * units + 150),
                "length_mm": "305",
                "width_mm": "229",
                "height_mm": "152",
                "lines": lines,
                "label": None,
            }
        )
    request.boxes += boxes
    return _told(request, boxes)


def _told(request: Request, boxes: Sequence[Box]) -> list[dict[str, object]]:
    skus = {line.reference: line.sku for line in request.lines}
    return [
        {name: box[name] for name in ("package", "weight_grams", "length_mm", "width_mm", "height_mm")}
        | {
            "lines": [
                {"line_reference": reference, "sku": skus[reference], "quantity": quantity}
                for reference, quantity in box["lines"].items()
            ]
        }
        for box in boxes
    ]


def take_out(request: Request, reference: str, quantity: Decimal) -> None:
    """Goods go back to the shelf; a box that is empty is none any more."""
    for box in reversed(request.boxes):
        there = Decimal(box["lines"].get(reference, "0"))
        moved = min(there, quantity)
        if moved > 0:
            quantity -= moved
            box["lines"][reference] = plain(there - moved)
            if there == moved:
                del box["lines"][reference]
    request.boxes = [box for box in request.boxes if box["lines"]]


def unlabelled(request: Request) -> bool:
    """Whether a box still waits for a label from outside."""
    return any(box["label"] is None for box in request.boxes)


def attach(request: Request, package: str, label: Mapping[str, object]) -> Box | None:
    """Put a label on a box, over the one it has; the box, None where there is no such one."""
    box = next((box for box in request.boxes if box["package"] == package), None)
    if box is not None:
        box["label"] = {name: str(label.get(name, "")) for name in ("carrier", "service", "tracking_number")}
    return box


def loaded(request: Request, shipment: str, number: int, sent: Sent, count: int) -> list[dict[str, object]]:
    """The packages of a shipment: labelled boxes as they stand, else new ones with the warehouse's own numbers."""
    if not request.boxes:
        count = max(1, min(count, len(sent)))
        return [
            {
                "package": f"{shipment}-{index + 1}",
                "tracking_number": f"PX{number:08d}{index + 1:02d}",
                "weight_grams": str(500 * len(sent[index::count])),
                "lines": lines_of(sent[index::count]),
            }
            for index in range(count)
        ]
    packages, left = [], {line.reference: (line, quantity) for line, quantity in sent}
    for box in request.boxes:
        lines = []
        for reference, quantity in box["lines"].items():
            line, there = left.get(reference, (None, ZERO))
            moved = min(there, Decimal(quantity))
            if line is not None and moved > 0:
                left[reference] = line, there - moved
                lines.append((line, moved))
        if lines:
            label = box["label"] or {}
            named = {"tracking_number": label["tracking_number"]} if label.get("tracking_number") else {}
            packages.append(
                {"package": box["package"], **named, "weight_grams": box["weight_grams"], "lines": lines_of(lines)}
            )
            for line, moved in lines:
                _take_out_of(box, line.reference, moved)
    request.boxes = [box for box in request.boxes if box["lines"]]
    rest = [(line, quantity) for line, quantity in left.values() if quantity > 0]
    if rest:
        packages.append({"package": f"{shipment}-X", "weight_grams": "500", "lines": lines_of(rest)})
    return packages


def _take_out_of(box: Box, reference: str, quantity: Decimal) -> None:
    left = Decimal(box["lines"][reference]) - quantity
    if left > 0:
        box["lines"][reference] = plain(left)
    else:
        del box["lines"][reference]
