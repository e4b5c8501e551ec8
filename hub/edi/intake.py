"""A file of a partner becomes records, and its envelope becomes decisions (docs: EDI).

Both are made when the receipt is parsed: the records of its sets, and in the same write set which interchanges came
before, what a person must hear, and a functional acknowledgement for each group.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.domain.decision import EffectRequest, ExceptionRequest
from hub.domain.ids import derived_id
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.edi.functional import group_record, is_acknowledged
from hub.edi.partners import Partner, stream_of
from hub.edi.told import disagreement, reused, unknown_sender
from hub.formats.tree import FormatError
from hub.formats.x12 import Document, RawInterchange, read
from hub.formats.x12_envelope import Interchange, interchanges
from hub.formats.x12_files import records
from hub.sdk.errors import DataError
from hub.sdk.records import RawRecord

UNSUPPORTED = "unsupported_set"
CUT_OFF = "cut_off"


@dataclass(slots=True)
class Closing:
    """What a receipt's envelope asks for. `repeated` and `parked` map the beginning of positions to why their records
    are duplicates, or wait for a person."""

    repeated: dict[str, str] = field(default_factory=dict)
    parked: dict[str, str] = field(default_factory=dict)
    writes: WriteSet = field(default_factory=WriteSet)
    effects: list[EffectRequest] = field(default_factory=list)
    exceptions: list[ExceptionRequest] = field(default_factory=list)

    def verdict(self, position: str) -> tuple[str, str, str] | None:
        """(state, code, words) of a record whose interchange must not be applied."""
        interchange = ".".join(position.split(".")[:2])  # isa.2 of isa.2.gs.1.st.3
        if interchange in self.repeated:
            return "duplicate", "interchange_repeated", self.repeated[interchange]
        if interchange in self.parked:
            return "parked", "control_number_reused", self.parked[interchange]
        return None


@dataclass(frozen=True, slots=True)
class EdiIntake:
    """The intake of one connection. `streams` are those it reads; `acknowledges`: it sends 997."""

    connection: str
    partner: Partner
    streams: Sequence[str]
    acknowledges: bool = True
    charset: str | None = None

    def split(self, body: bytes) -> list[RawRecord]:
        """One record a transaction set, each for the stream that takes it. Raises DataError."""
        try:
            found = records(interchanges(read(body, charset=self.charset)))
        except FormatError as error:
            raise DataError(error.message, position=str(error.position or "")) from error
        return [record for position, tree in found if (record := self._record(position, tree)) is not None]

    def _record(self, position: str, tree: Any) -> RawRecord | None:
        set_id = str(tree["set"]["id"])
        stream, why = stream_of(set_id, self.partner, self.streams)
        if stream is None:
            if not why:
                return None
            return RawRecord(self._any_stream, None, tree, position, problem=(UNSUPPORTED, why))
        cut_off = next((one for one in tree.get("findings", ()) if one["code"] == CUT_OFF), None)
        if cut_off is not None:
            return RawRecord(stream, None, tree, position, problem=(CUT_OFF, str(cut_off["message"])))
        return RawRecord(stream, None, tree, position)

    @property
    def _any_stream(self) -> str:
        """Records that no stream takes are kept under the connection's first, parked."""
        return "orders" if "orders" in self.streams or not self.streams else self.streams[0]

    def close(self, receipt_id: str, body: bytes, snapshot: Snapshot, now: dt.datetime) -> Closing:
        """What the envelopes of a receipt that could be split ask for."""
        closing = Closing()
        document = read(body, charset=self.charset)
        found = interchanges(document)
        records(found)  # adds what is found inside of the sets
        here: dict[tuple[str, str, str], set[str]] = {}
        for interchange, raw in zip(found, document.interchanges, strict=True):
            self._identity(closing, interchange, raw, receipt_id, snapshot, here, now)
            self._sender(closing, interchange, receipt_id)
            self._findings(closing, interchange, receipt_id)
            self._acknowledge(closing, interchange, receipt_id, document)
        return closing

    def _identity(
        self,
        closing: Closing,
        interchange: Interchange,
        raw: RawInterchange,
        receipt_id: str,
        snapshot: Snapshot,
        here: dict[tuple[str, str, str], set[str]],
        now: dt.datetime,
    ) -> None:
        """Sender, receiver, control number and content: the same again is a repetition, another content is not."""
        sender, receiver, control = interchange.get(6), interchange.get(8), interchange.control
        digest = content_hash(raw)
        where = {"connection": self.connection, "sender": sender, "receiver": receiver, "control": control}
        rows = snapshot.rows("edi_interchanges", where, limit=1000)
        known = {row["content_hash"] for row in rows if row["receipt_id"] != receipt_id}
        inside = here.setdefault((sender, receiver, control), set())
        if digest in known or digest in inside:
            closing.repeated[interchange.position] = f"the interchange {control} of {sender} came before, the same"
            return
        if known or inside:
            message = f"the interchange number {control} of {sender} came before, with other content"
            if self.partner.parks_reuse:
                closing.parked[interchange.position] = message
            told = reused(self.connection, receipt_id, sender, control, parked=self.partner.parks_reuse)
            closing.exceptions.append(told)
        inside.add(digest)
        closing.writes.insert(
            "edi_interchanges",
            {
                "id": derived_id("ei", self.connection, sender, receiver, control, digest),
                **where,
                "content_hash": digest,
                "receipt_id": receipt_id,
                "sets": sum(len(group.sets) for group in interchange.groups),
                "received_at": now,
            },
            ignore=True,
        )

    def _sender(self, closing: Closing, interchange: Interchange, receipt_id: str) -> None:
        if self._is_partner(interchange):
            return
        partner = self.partner
        told = unknown_sender(self.connection, receipt_id, interchange.get(6), partner.id, partner.theirs.id)
        closing.exceptions.append(told)

    def _is_partner(self, interchange: Interchange) -> bool:
        return not self.partner.theirs.id or interchange.get(6) == self.partner.theirs.id.strip()

    def _findings(self, closing: Closing, interchange: Interchange, receipt_id: str) -> None:
        """Trailers that do not agree are told once a connection and kind of disagreement."""
        findings = list(interchange.findings)
        for group in interchange.groups:
            findings += group.findings
            for one in group.sets:
                findings += [finding for finding in one.findings if finding.code.startswith(("set_", "no_", "cut_"))]
        for finding in {finding.code: finding for finding in reversed(findings)}.values():
            closing.exceptions.append(disagreement(self.connection, receipt_id, finding))

    def _acknowledge(self, closing: Closing, interchange: Interchange, receipt_id: str, document: Document) -> None:
        partner = self.partner
        if not (self.acknowledges and partner.id and partner.sends_997 and self._is_partner(interchange)):
            return
        if interchange.position in closing.repeated and not partner.acknowledges_repeated:
            return
        for group in interchange.groups:
            if not is_acknowledged(group):
                continue
            refused = {
                one.position: UNSUPPORTED
                for one in group.sets
                if stream_of(one.id, partner, self.streams)[0] is None and one.id not in partner.ignored
            }
            key = f"group/{interchange.get(6)}/{interchange.control}/{group.control}/{receipt_id}/{group.position}"
            closing.effects.append(
                EffectRequest(
                    destination=self.connection,
                    capability="acknowledge",
                    key=key,
                    aggregate=key,
                    lane="acknowledge",
                    record=group_record(key, interchange.control, group, refused),
                )
            )


def content_hash(raw: RawInterchange) -> str:
    """Of an interchange's segments as they came; line breaks between them do not count."""
    digest = hashlib.sha256()
    for segment in raw.segments:
        digest.update(segment.text.encode("utf-8", "surrogatepass"))
        digest.update(b"\x1e")
    return digest.hexdigest()
