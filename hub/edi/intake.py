"""A file of a partner becomes records, and its envelope becomes decisions (docs: EDI).

Both are made when the receipt is parsed: the records of its sets, and in the same write set which interchanges came
before, what a person must hear, and a functional acknowledgement for each group.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.domain.decision import EffectRequest, ExceptionRequest
from hub.domain.ids import derived_id
from hub.domain.snapshot import Snapshot
from hub.domain.writeset import WriteSet
from hub.edi.functional import group_record, interchange_record, is_acknowledged, is_report, report_record
from hub.edi.partners import Partner, stream_of
from hub.edi.told import disagreement, reused, unknown_sender
from hub.formats.edi_files import opened, records
from hub.formats.tree import FormatError
from hub.formats.x12 import RawInterchange
from hub.formats.x12_envelope import Interchange, TransactionSet
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
        """One record a transaction set or message, each for the stream that takes it. Raises DataError."""
        try:
            found = records(opened(body, self.charset)[1])
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
        document, found = opened(body, self.charset)
        records(found)  # adds what is found inside of the sets
        here: dict[tuple[str, str, str], set[str]] = {}
        for interchange, raw in zip(found, document.interchanges, strict=True):
            self._identity(closing, interchange, raw, receipt_id, snapshot, here, now)
            self._sender(closing, interchange, receipt_id)
            self._findings(closing, interchange, receipt_id)
            self._acknowledge(closing, interchange, receipt_id)
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
        sender, receiver, control = interchange.sender[1], interchange.receiver[1], interchange.control
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
        told = unknown_sender(self.connection, receipt_id, interchange.sender[1], partner.id, partner.theirs.id)
        closing.exceptions.append(told)

    def _is_partner(self, interchange: Interchange) -> bool:
        return not self.partner.theirs.id or interchange.sender[1] == self.partner.theirs.id.strip()

    def _findings(self, closing: Closing, interchange: Interchange, receipt_id: str) -> None:
        """Trailers that do not agree are told once a connection and kind of disagreement."""
        findings = list(interchange.findings)
        for group in interchange.groups:
            findings += group.findings
            for one in group.sets:
                findings += [finding for finding in one.findings if finding.code.startswith(("set_", "no_", "cut_"))]
        for finding in {finding.code: finding for finding in reversed(findings)}.values():
            closing.exceptions.append(disagreement(self.connection, receipt_id, finding))

    def _acknowledge(self, closing: Closing, interchange: Interchange, receipt_id: str) -> None:
        """A 997 (999) for each group, a CONTRL for each interchange of EDIFACT; and a TA1 where one is asked for."""
        partner = self.partner
        if not (self.acknowledges and partner.id and self._is_partner(interchange)):
            return
        if interchange.position in closing.repeated and not partner.acknowledges_repeated:
            return
        begin = f"{interchange.sender[1]}/{interchange.control}"
        if interchange.standard == "x12" and self._reports(interchange):
            key = f"interchange/{begin}/{receipt_id}/{interchange.position}"
            closing.effects.append(self._effect(key, report_record(key, interchange)))
        if not partner.sends_997:
            return
        if interchange.standard == "edifact":
            if is_report(interchange):
                return
            key = f"interchange/{begin}/{receipt_id}/{interchange.position}"
            refused = self._refused(one for group in interchange.groups for one in group.sets)
            closing.effects.append(self._effect(key, interchange_record(key, interchange, refused)))
            return
        for group in interchange.groups:
            if not is_acknowledged(group):
                continue
            key = f"group/{begin}/{group.control}/{receipt_id}/{group.position}"
            record = group_record(key, interchange.control, group, self._refused(group.sets))
            closing.effects.append(self._effect(key, {**record, "document": partner.acknowledgement}))

    def _reports(self, interchange: Interchange) -> bool:
        """A TA1 is due: the partner always wants one, or asks with this interchange; and never for reports alone."""
        wanted = self.partner.sends_ta1 == "always" or (self.partner.sends_ta1 == "asked" and interchange.wants_report)
        only_reports = not any(is_acknowledged(group) for group in interchange.groups)
        return wanted and not only_reports

    def _refused(self, sets: Iterable[TransactionSet]) -> dict[str, str]:
        return {
            one.position: UNSUPPORTED
            for one in sets
            if stream_of(one.id, self.partner, self.streams)[0] is None and one.id not in self.partner.ignored
        }

    def _effect(self, key: str, record: dict[str, Any]) -> EffectRequest:
        return EffectRequest(
            destination=self.connection,
            capability="acknowledge",
            key=key,
            aggregate=key,
            lane="acknowledge",
            record=record,
        )


def content_hash(raw: RawInterchange) -> str:
    """Of an interchange's segments as they came; line breaks between them do not count."""
    digest = hashlib.sha256()
    for segment in raw.segments:
        digest.update(segment.text.encode("utf-8", "surrogatepass"))
        digest.update(b"\x1e")
    return digest.hexdigest()
