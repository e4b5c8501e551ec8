"""The emulated partner's own X12; it shares nothing with the hub's, so that each checks the other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

Segment = list[str]


@dataclass(frozen=True, slots=True)
class Names:
    """Qualifier and id of both sides, as ISA05 to ISA08 and GS02, GS03 carry them; `usage` is ISA15."""

    partner_qualifier: str
    partner: str
    hub_qualifier: str
    hub: str
    hub_group: str
    usage: str


@dataclass(frozen=True, slots=True)
class Paper:
    """What a received interchange holds. `sets` are (set id, its segments from ST to SE)."""

    control: str
    group: str
    functional_id: str
    sets: Sequence[tuple[str, list[Segment]]]


def read(text: str) -> Paper | None:
    """None for what is no interchange."""
    if not text.startswith("ISA") or len(text) < 106:
        return None
    element, end = text[3], text[105]
    segments = [one.strip("\r\n").split(element) for one in text.split(end) if one.strip()]
    groups = [one for one in segments if one[0] == "GS"]
    sets: list[tuple[str, list[Segment]]] = []
    for segment in segments:
        if segment[0] == "ST":
            sets.append((segment[1], []))
        if sets:
            sets[-1][1].append(segment)
    first = groups[0] if groups else ["GS", "", *[""] * 6]
    return Paper(segments[0][13], first[6], first[1], sets)


def first(segments: Iterable[Segment], tag: str, element: int) -> str:
    """An element of the first segment of that tag; empty where there is none."""
    for segment in segments:
        if segment[0] == tag:
            return segment[element] if len(segment) > element else ""
    return ""


def interchange(names: Names, functional_id: str, body: Sequence[str], control: int, now: dt.datetime) -> str:
    """One interchange with one group with one set; `body` holds what stands between ST and SE."""
    day, minute = now.strftime("%Y%m%d"), now.strftime("%H%M")
    set_id = {"PO": "850", "PC": "860", "FA": "997"}[functional_id]
    theirs, ours = names.partner.ljust(15), names.hub.ljust(15)
    parties = f"{names.partner_qualifier}*{theirs}*{names.hub_qualifier}*{ours}"
    segments = [
        f"ISA*00*{' ' * 10}*00*{' ' * 10}*{parties}*{day[2:]}*{minute}*U*00401*{control:09d}*0*{names.usage}*>",
        f"GS*{functional_id}*{names.partner}*{names.hub_group}*{day}*{minute}*{control}*X*004010",
        f"ST*{set_id}*{control:04d}",
        *body,
        f"SE*{len(body) + 2}*{control:04d}",
        f"GE*1*{control}",
        f"IEA*1*{control:09d}",
    ]
    return "".join(f"{segment}~\n" for segment in segments)


def purchase_order(order: Mapping[str, object], lines: Sequence[Mapping[str, str]], now: dt.datetime) -> list[str]:
    """The body of an 850. Lines have sku, quantity and price, and may have unit and title."""
    total = total_of(lines)
    to = order["ship_to"]
    assert isinstance(to, Mapping)
    body = [
        f"BEG*00*SA*{order['po']}**{now:%Y%m%d}",
        f"CUR*BY*{order['currency']}",
        f"DTM*002*{now + dt.timedelta(days=3):%Y%m%d}",
        f"N1*BY*{order['buyer']}*92*HQ",
        f"N1*ST*{to['name']}*92*{to.get('code', '0078')}",
        f"N3*{to['line']}",
        f"N4*{to['city']}*{to['region']}*{to['postal_code']}*{to['country']}",
    ]
    for number, line in enumerate(lines, 1):
        unit = line.get("unit", "EA")
        body.append(f"PO1*{number}*{line['quantity']}*{unit}*{line['price']}*PE*VN*{line['sku']}")
        if title := line.get("title"):
            body.append(f"PID*F****{title}")
    return [*body, f"CTT*{len(lines)}", f"AMT*TT*{total}"]


def purchase_order_change(po: str, lines: Sequence[Mapping[str, str]], sequence: str, now: dt.datetime) -> list[str]:
    """The body of an 860; without lines all is cancelled. Lines have line and code (data element 670), and may have
    quantity, unit, price and sku."""
    body = [f"BCH*{'04' if lines else '01'}*SA*{po}**{sequence}*{now:%Y%m%d}*****{now:%Y%m%d}"]
    for line in lines:
        quantity = line.get("quantity", "")
        elements = ["POC", line["line"], line["code"], quantity, "", line.get("unit", "EA") if quantity else ""]
        elements += [line.get("price", ""), "", *(("VN", line["sku"]) if line.get("sku") else ())]
        body.append("*".join(elements).rstrip("*"))
    return [*body, f"CTT*{len(lines)}"]


def total_of(lines: Sequence[Mapping[str, str]]) -> Decimal:
    total = sum((Decimal(line["quantity"]) * Decimal(line["price"]) for line in lines), Decimal(0))
    return total.quantize(Decimal("0.01"))


def acknowledgement(paper: Paper, verdict: str = "A") -> list[str]:
    """The body of a 997 for a group that was received."""
    body = [f"AK1*{paper.functional_id}*{paper.group}"]
    for set_id, segments in paper.sets:
        body += [f"AK2*{set_id}*{first(segments, 'ST', 2)}", f"AK5*{verdict}"]
    count = len(paper.sets)
    return [*body, f"AK9*{verdict}*{count}*{count}*{0 if verdict == 'R' else count}"]


def told(paper: Paper) -> list[dict[str, object]]:
    """What each set of a received interchange says, in the words that tests and the demo ask for."""
    found: list[dict[str, object]] = []
    for set_id, segments in paper.sets:
        entry: dict[str, object] = {"set": set_id, "control": paper.control, "group": paper.group}
        if set_id == "997":
            entry["answers"] = f"{first(segments, 'AK1', 1)}/{first(segments, 'AK1', 2)}"
            entry["verdict"] = first(segments, "AK9", 1)
        elif set_id == "856":
            entry["po"] = first(segments, "PRF", 1)
            entry["package"] = first(segments, "BSN", 2)
            entry["tracking"] = first(segments, "REF", 2)
            entry["lines"] = _shipped(segments)
        elif set_id == "855":
            entry["po"] = first(segments, "BAK", 3)
            entry["verdict"] = first(segments, "BAK", 2)
        elif set_id == "810":
            entry["po"] = first(segments, "BIG", 4)
            entry["invoice"] = first(segments, "BIG", 2)
            entry["total"] = first(segments, "TDS", 1)
        elif set_id == "865":
            entry["po"] = first(segments, "BCA", 3)
            entry["change"] = first(segments, "BCA", 5)
            entry["verdict"] = first(segments, "BCA", 2)
            entry["lines"] = _decided(segments)
        found.append(entry)
    return found


def _shipped(segments: Iterable[Segment]) -> list[dict[str, str]]:
    lines: list[dict[str, str]] = []
    for segment in segments:
        if segment[0] == "LIN":
            lines.append({"line": segment[1], "sku": segment[3] if len(segment) > 3 else "", "quantity": "0"})
        elif segment[0] == "SN1" and lines:
            lines[-1]["quantity"] = segment[2]
    return lines


def _decided(segments: Iterable[Segment]) -> list[dict[str, str]]:
    lines: list[dict[str, str]] = []
    for segment in segments:
        if segment[0] == "POC":
            lines.append({"line": segment[1], "code": segment[2], "quantity": segment[3] if len(segment) > 3 else ""})
        elif segment[0] == "ACK" and lines:
            lines[-1]["verdict"] = segment[1]
    return lines
