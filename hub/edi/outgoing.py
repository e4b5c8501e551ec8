"""What is sent: the segments an out-mapping made, in an envelope, as the bytes of a file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.domain.ids import derived_id
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.edi.numbers import Numbers, document_row, take
from hub.edi.partners import Partner
from hub.formats.tree import FormatError
from hub.formats.x12 import encoded, write_segments
from hub.formats.x12_sets import set_definitions, set_segments
from hub.sdk.streams import GROUP_REFERENCE


@dataclass(frozen=True, slots=True)
class EdiDocuments:
    """The documents that a connection sends to its partner."""

    partner: Partner
    connection: str

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
        body = set_segments(document, {name: value for name, value in tree.items() if name != "set"})
        interchange_text(partner, document, body, Numbers(1, 1, 1), now)  # what cannot be written takes no number
        numbers, writes = take(snapshot, partner.id, now)
        names = {"partner": partner.id, "document": document, "control": f"{numbers.interchange:09d}"}
        payload = {
            "name": partner.file_name.format(**names),
            "text": interchange_text(partner, document, body, numbers, now),
            "charset": partner.charset,
        }
        row = document_row(partner.id, self.connection, document, numbers, delivery_id, now)
        writes.insert("edi_documents", row, claim=True)
        reference = group_reference(set_definitions()[document].group, str(numbers.functional_group))
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


def group_reference(functional_id: str, control: str) -> str:
    """What a group is known by to both sides: GS01 and GS06, as AK1 repeats them."""
    return f"{functional_id}/{control.strip().lstrip('0') or '0'}"


def interchange_text(partner: Partner, document: str, body: list[list[str]], numbers: Numbers, now: dt.datetime) -> str:
    """One interchange with one group with one set, counts and numbers filled in. Times are UTC."""
    definition = set_definitions()[document]
    version = partner.version_of(document)
    separators = partner.separators
    control, group = f"{numbers.interchange:09d}", str(numbers.functional_group)
    set_control = f"{numbers.transaction_set:04d}"
    ours, theirs = partner.ours, partner.theirs
    new_style = int(partner.interchange_version) >= 402 and separators.repetition
    isa = [
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
        control,
        "0",
        partner.usage_indicator,
        separators.component,
    ]
    gs = ["GS", definition.group, ours.application, theirs.application]
    gs += [now.strftime("%Y%m%d"), now.strftime("%H%M"), group, "X", version]
    segments = [
        isa,
        gs,
        ["ST", document, set_control],
        *body,
        ["SE", str(len(body) + 2), set_control],
        ["GE", "1", group],
        ["IEA", "1", control],
    ]
    text = write_segments(segments, separators, suffix=partner.suffix)
    encoded(text, partner.charset)  # refused now, while somebody can see why, and not when it is sent
    return text
