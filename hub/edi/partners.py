"""A trading partner as its file says (config/partners/<id>.yaml; schema: hub/config/schemas/partner.yaml)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.config.units import parse_duration
from hub.formats.x12 import Separators

STREAM_OF: Mapping[str, str] = {
    "850": "orders",
    "860": "order_changes",
    "997": "acknowledgements",
    "999": "acknowledgements",
    "TA1": "acknowledgements",
    "ORDERS": "orders",
    "ORDCHG": "order_changes",
    "CONTRL": "acknowledgements",
    "APERAK": "acknowledgements",
}
"""The stream that takes a transaction set."""

ACKNOWLEDGEMENTS = frozenset({"997", "999", "TA1", "CONTRL", "APERAK"})
"""Sets that are never acknowledged themselves (X12 997, semantic notes)."""


@dataclass(frozen=True, slots=True)
class Party:
    """`qualifier` and `id` of the interchange (ISA05 and 06, 07 and 08); `group` is the application's (GS02, GS03)."""

    qualifier: str = "ZZ"
    id: str = ""
    group: str = ""

    @property
    def application(self) -> str:
        return self.group or self.id


@dataclass(frozen=True, slots=True)
class Partner:
    """`usage`: test | production, what ISA15 says of all that is sent; received tests of a production partner are
    captured without effects. `documents_in` None expects every set that a stream takes; `ignored` are taken note of
    only. `versions`: GS08 by document, with `version` for the others. `acknowledges`: they send a 997 for ours.
    `standard`: x12 | edifact, of what is sent; `acknowledgement`: 997 | 999; `sends_ta1`: asked | always | never.
    `change_quantities`: what the quantity of an increase or decrease (860: QI, QD) is, total | difference |
    difference_in_poc04. `parks_reuse`: a control number that comes again with other content parks what it carries."""

    id: str
    name: str = ""
    country: str = "US"
    currency: str = ""
    usage: str = "production"
    ours: Party = Party()
    theirs: Party = Party()
    documents_in: frozenset[str] | None = None
    ignored: frozenset[str] = frozenset()
    version: str = "004010"
    interchange_version: str = "00401"
    versions: Mapping[str, str] = field(default_factory=dict)
    separators: Separators = field(default_factory=Separators)
    suffix: str = "\n"
    charset: str = "ascii"
    standard: str = "x12"
    syntax: str = "UNOC:3"
    sends_997: bool = True
    acknowledgement: str = "997"
    sends_ta1: str = "asked"
    acknowledges_repeated: bool = True
    parks_reuse: bool = False
    acknowledges: bool = True
    acknowledges_within: dt.timedelta = dt.timedelta(hours=2)
    sku_from: str = ""
    change_quantities: str = "total"
    locations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    file_name: str = "{document}-{control}.x12"

    @property
    def usage_indicator(self) -> str:
        return "T" if self.usage == "test" else "P"

    def version_of(self, document: str) -> str:
        """GS08, or what stands in UNH; where the partner's own is of the other standard, the usual one of this."""
        found = self.versions.get(document, self.version)
        is_message = document.isalpha()
        return found if (":" in found) == is_message else "D:96A:UN" if is_message else "004010"

    def context(self) -> dict[str, Any]:
        """What mappings see under `context.partner`."""
        return {
            "id": self.id,
            "name": self.name,
            "ours": self.ours.id,
            "theirs": self.theirs.id,
            "country": self.country,
            "currency": self.currency or None,
            "usage": self.usage,
            "sku_from": self.sku_from or None,
            "change_quantities": self.change_quantities,
            "locations": {code: dict(address) for code, address in self.locations.items()},
        }


NOBODY = Partner(id="")
"""Of a connection that names no partner: files are read, nothing is acknowledged or sent."""

_CHARSETS = {"UNOC": "latin-1", "UNOW": "utf-8", "UNOY": "utf-8"}
"""Of EDIFACT's syntax identifiers; the others are written in ASCII."""
_LINE_ENDS = {"none": "", "lf": "\n", "crlf": "\r\n"}


def read_partner(partner_id: str, tree: Mapping[str, Any]) -> Partner:
    """A partner from its checked file."""
    given = tree.get("separators", {})
    documents = tree.get("documents", {})
    out = documents.get("out", {})
    acknowledge = tree.get("acknowledge", {})
    expected = documents.get("in")
    standard, syntax = tree.get("standard", "x12"), tree.get("syntax", "UNOC:3")
    element, component, segment = ("+", ":", "'") if standard == "edifact" else ("*", ">", "~")
    return Partner(
        id=partner_id,
        name=tree.get("name", partner_id),
        country=tree.get("country", "US"),
        currency=tree.get("currency", ""),
        usage=tree.get("usage", "production"),
        ours=_party(tree.get("ours", {}), "" if standard == "edifact" else "ZZ"),
        theirs=_party(tree.get("theirs", {}), "" if standard == "edifact" else "ZZ"),
        documents_in=None if expected is None else frozenset(map(str, expected)),
        ignored=frozenset(map(str, documents.get("ignore", ()))),
        version=tree.get("version", "D:96A:UN" if standard == "edifact" else "004010"),
        interchange_version=tree.get("interchange_version", "00401"),
        versions={name: one["version"] for name, one in out.items() if one.get("version")},
        separators=Separators(
            element=given.get("element", element),
            component=given.get("component", component),
            segment=given.get("segment", segment),
            repetition=given.get("repetition", ""),
        ),
        suffix=_LINE_ENDS[given.get("line_end", "lf")],
        charset=tree.get("charset") or (_CHARSETS.get(syntax[:4], "ascii") if standard == "edifact" else "ascii"),
        standard=standard,
        syntax=syntax,
        sends_997=acknowledge.get("send", True),
        acknowledgement=acknowledge.get("document", "997"),
        sends_ta1=acknowledge.get("interchanges", "asked"),
        acknowledges_repeated=acknowledge.get("repeated", True),
        parks_reuse=tree.get("control_number_reused", "report") == "park",
        acknowledges=acknowledge.get("expect", True),
        acknowledges_within=parse_duration(acknowledge.get("within", "2h")),
        sku_from=tree.get("sku_from", ""),
        change_quantities=tree.get("change_quantities", "total"),
        locations=tree.get("locations", {}),
        file_name=tree.get("file_name", "{document}-{control}." + ("edi" if standard == "edifact" else "x12")),
    )


def _party(tree: Mapping[str, Any], qualifier: str) -> Party:
    return Party(tree.get("qualifier", qualifier), tree.get("id", ""), tree.get("group", ""))


def stream_of(set_id: str, partner: Partner, streams: Sequence[str]) -> tuple[str | None, str]:
    """The stream that takes a set, else None and why not; an empty reason says that it is ignored on purpose."""
    if set_id in partner.ignored:
        return None, ""
    stream = STREAM_OF.get(set_id)
    if stream is None:
        return None, f"nothing here takes the transaction set {set_id or 'without a number'}"
    if partner.documents_in is not None and set_id not in partner.documents_in and set_id not in ACKNOWLEDGEMENTS:
        return None, f"{partner.id} is not expected to send {set_id}; add it to documents.in of its file"
    if stream not in streams:
        return None, f"the connection reads no {stream}, which a {set_id} belongs to; add the stream"
    return stream, ""
