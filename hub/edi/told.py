"""What a person is told of interchanges: one exception a connection and cause, however many files show it."""

from __future__ import annotations

from hub.domain.decision import ExceptionRequest
from hub.formats.x12_envelope import Finding

_HINT = "ask the partner what was meant; the bytes are kept with the receipt"


def reused(connection: str, receipt_id: str, sender: str, control: str, *, parked: bool) -> ExceptionRequest:
    """A control number came again with other content."""
    return ExceptionRequest(
        cause_key=f"control_number_reused/{connection}/{sender}/{control}",
        kind="control_number_reused",
        title=f"{connection}: an interchange number came again with other content",
        detail=f"the interchange number {control} of {sender} came before, with other content",
        next_step="its sets wait for a person" if parked else "its sets were taken as they are",
        hint="ask the partner which of the two counts; both are kept with their receipts",
        subject_kind="receipt",
        subject_id=receipt_id,
        connection=connection,
    )


def unknown_sender(connection: str, receipt_id: str, sender: str, partner: str, expected: str) -> ExceptionRequest:
    """A file that says it comes from somebody else than the connection's partner."""
    return ExceptionRequest(
        cause_key=f"unknown_sender/{connection}/{sender}",
        kind="unknown_sender",
        title=f"{connection}: a file of somebody who is not its partner",
        detail=f"the interchange says that it comes from {sender or 'nobody'}, not from {partner} ({expected})",
        next_step="its sets were taken, nothing is acknowledged to anybody",
        hint="correct theirs.id in the partner's file, or give the sender a connection and a partner's file of its own",
        subject_kind="receipt",
        subject_id=receipt_id,
        connection=connection,
    )


def disagreement(connection: str, receipt_id: str, finding: Finding) -> ExceptionRequest:
    """Counts or numbers of trailers that are not those of what came."""
    return ExceptionRequest(
        cause_key=f"envelope/{connection}/{finding.code}",
        kind="envelope",
        title=f"{connection}: an interchange does not agree with itself",
        detail=f"{finding.message} (segment {finding.segment}, byte {finding.offset})",
        next_step="the sets were taken as they stand; the acknowledgement says what does not agree",
        hint=_HINT,
        subject_kind="receipt",
        subject_id=receipt_id,
        connection=connection,
    )
