"""What is sent: the segments an out-mapping made, in an envelope, as the bytes of a file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.domain.ids import derived_id
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.edi.numbers import Numbers, document_row, take
from hub.edi.partners import Partner, Party
from hub.formats.edifact import Separators as EdifactSeparators
from hub.formats.edifact import write_segments as write_message
from hub.formats.edifact_sets import message_segments
from hub.formats.tree import FormatError
from hub.formats.x12 import encoded, write_segments
from hub.formats.x12_sets import set_definitions, set_segments
from hub.sdk.streams import GROUP_REFERENCE

TA1 = "TA1"


@dataclass(frozen=True, slots=True)
class EdiDocuments:
    """The documents that a connection sends to its partner."""

    partner: Partner
    connection: str

    def variant(self, record: Mapping[str, Any]) -> str:
        """What the name of a capability is followed by in that of its mapping: nothing for X12 (and a 997)."""
        document = str(record.get("document", "997"))
        if document != "997":
            return {"999": "_999", TA1: "_ta1"}.get(document, "_edifact")
        return "_edifact" if self.partner.standard == "edifact" else ""

    def freeze_with(
        self, record: Mapping[str, Any], tree: Mapping[str, Any], snapshot: Snapshot, delivery_id: str, now: dt.datetime
    ) -> tuple[dict[str, Any], WriteSet]:
        """As :meth:`freeze`, and keeps what it was made of: a document that is refused is written anew from that."""
        payload, writes = self.freeze(tree, snapshot, delivery_id, now)
        return {**payload, "record": dict(record)}, writes

    def freeze(
        self, tree: Mapping[str, Any], snapshot: Snapshot, delivery_id: str, now: dt.datetime
    ) -> tuple[dict[str, Any], WriteSet]:
        """The payload of a delivery and the rows that must be committed with it. `tree` names its set under ``set``.

        Raises FormatError for what cannot be written: data that holds a separator, a character outside the charset, a
        set that is not described, a partner without ids.
        """
        partner, document = self.partner, str(tree.get("set", ""))
        if not partner.ours.id or not partner.theirs.id:
            raise FormatError("unwritable", f"the partner {partner.id or 'of this connection'} has no ids to send with")
        content = {name: value for name, value in tree.items() if name != "set"}
        _text(partner, document, content, Numbers(1, 1, 1), now)  # what cannot be written takes no number
        numbers, writes = take(snapshot, partner.id, now)
        names = {"partner": partner.id, "document": document, "control": f"{numbers.interchange:09d}"}
        payload = {
            "name": partner.file_name.format(**names),
            "text": _text(partner, document, content, numbers, now),
            "charset": partner.charset,
        }
        row = document_row(partner.id, self.connection, document, numbers, delivery_id, now)
        writes.insert("edi_documents", row, claim=True)
        for reference in _references(document, content, numbers):
            writes.insert(
                "cross_references",
                {
                    "id": derived_id("xr", self.connection, GROUP_REFERENCE, reference, delivery_id),
                    "system": self.connection,
                    "entity": GROUP_REFERENCE,
                    "external_id": reference,
                    "role": "primary",
                    "internal_id": delivery_id,
                    "valid_from": now,
                    "valid_to": None,
                },
                ignore=True,
            )
        return payload, writes


def _text(partner: Partner, document: str, content: Mapping[str, Any], numbers: Numbers, now: dt.datetime) -> str:
    if document == TA1:
        return report_text(partner, content, numbers, now)
    if is_message(document):
        return message_text(partner, document, content, numbers, now)
    return interchange_text(partner, document, set_segments(document, content), numbers, now)


def _references(document: str, content: Mapping[str, Any], numbers: Numbers) -> list[str]:
    """What the partner may name it by in its answer: a group by its kind and number, an interchange by its number
    (TA1, CONTRL), a message by its own document's number (APERAK)."""
    if not is_message(document):
        interchange = group_reference("ISA", str(numbers.interchange))
        if document == TA1:
            return [interchange]
        return [group_reference(set_definitions()[document].group, str(numbers.functional_group)), interchange]
    head = content.get("BGM")
    named = str(head.get("BGM0201", "")) if isinstance(head, Mapping) else ""
    return [group_reference("UNB", str(numbers.interchange)), *([group_reference("BGM", named)] if named else [])]


def is_message(document: str) -> bool:
    """A message of EDIFACT, not a set of X12."""
    return len(document) == 6 and document.isalpha()


def message_text(
    partner: Partner, document: str, content: Mapping[str, Any], numbers: Numbers, now: dt.datetime
) -> str:
    """One EDIFACT interchange with one message. Times are UTC."""
    given = partner.separators
    separators = EdifactSeparators(given.element, given.component, given.segment)
    body = message_segments(document, content, separators)
    version = partner.version_of(document)
    message = f"{numbers.transaction_set}"
    control = f"{numbers.interchange}"
    join, safe = separators.component.join, separators.protected

    def party(one: Party) -> str:
        return join(safe(part) for part in (one.id, one.qualifier) if part)

    unb = ["UNB", join(partner.syntax.split(":")), party(partner.ours), party(partner.theirs)]
    unb += [join([now.strftime("%y%m%d"), now.strftime("%H%M")]), control]
    unb += ["", "", "", "", "", "1"] if partner.usage == "test" else []
    segments = [
        unb,
        ["UNH", message, join([document, *_message_version(version)])],
        *body,
        ["UNT", str(len(body) + 2), message],
        ["UNZ", "1", control],
    ]
    advice = "" if (given.element, given.component, given.segment) == ("+", ":", "'") else _advice(separators)
    text = advice + write_message(segments, separators, suffix=partner.suffix)
    encoded(text, partner.charset)
    return text


def _message_version(version: str) -> list[str]:
    parts = version.split(":")
    if len(parts) < 3:
        raise FormatError("unwritable", f"the version {version} is none of EDIFACT; it is like D:96A:UN")
    return parts


def _advice(separators: EdifactSeparators) -> str:
    return f"UNA{separators.component}{separators.element}.{separators.release} {separators.segment}"


def report_text(partner: Partner, content: Mapping[str, Any], numbers: Numbers, now: dt.datetime) -> str:
    """One interchange that holds a TA1 and nothing else."""
    said = content.get("TA1")
    if not isinstance(said, Mapping):
        raise FormatError("unwritable", "TA1 is missing")
    values = [str(said.get(f"TA1{place:02d}", "")) for place in range(1, 6)]
    isa, control = _isa(partner, numbers, now), f"{numbers.interchange:09d}"
    return _written([isa, ["TA1", *values], ["IEA", "0", control]], partner)


def group_reference(functional_id: str, control: str) -> str:
    """What a group is known by to both sides: GS01 and GS06, as AK1 repeats them."""
    return f"{functional_id}/{control.strip().lstrip('0') or '0'}"


def interchange_text(partner: Partner, document: str, body: list[list[str]], numbers: Numbers, now: dt.datetime) -> str:
    """One interchange with one group with one set, counts and numbers filled in. Times are UTC."""
    definition = set_definitions()[document]
    version = partner.version_of(document)
    control, group = f"{numbers.interchange:09d}", str(numbers.functional_group)
    set_control = f"{numbers.transaction_set:04d}"
    gs = ["GS", definition.group, partner.ours.application, partner.theirs.application]
    gs += [now.strftime("%Y%m%d"), now.strftime("%H%M"), group, "X", version]
    segments = [
        _isa(partner, numbers, now),
        gs,
        ["ST", document, set_control],
        *body,
        ["SE", str(len(body) + 2), set_control],
        ["GE", "1", group],
        ["IEA", "1", control],
    ]
    return _written(segments, partner)


def _isa(partner: Partner, numbers: Numbers, now: dt.datetime) -> list[str]:
    ours, theirs, separators = partner.ours, partner.theirs, partner.separators
    for party in (ours, theirs):
        if len(party.id) > 15 or len(party.qualifier) != 2:
            raise FormatError(
                "unwritable", f"{party.qualifier} {party.id} does not fit into an ISA: two and 15 characters"
            )
    new_style = int(partner.interchange_version) >= 402 and separators.repetition
    return [
        "ISA",
        "00",
        " " * 10,
        "00",
        " " * 10,
        ours.qualifier,
        ours.id.ljust(15),
        theirs.qualifier,
        theirs.id.ljust(15),
        now.strftime("%y%m%d"),
        now.strftime("%H%M"),
        separators.repetition if new_style else "U",
        partner.interchange_version,
        f"{numbers.interchange:09d}",
        "0",
        partner.usage_indicator,
        separators.component,
    ]


def _written(segments: Sequence[Sequence[str]], partner: Partner) -> str:
    text = write_segments(segments, partner.separators, suffix=partner.suffix)
    encoded(text, partner.charset)  # refused now, while somebody can see why, and not when it is sent
    return text
