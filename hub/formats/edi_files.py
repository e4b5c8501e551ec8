"""A file of interchanges, X12 or EDIFACT as its first bytes say, as records: one a set, each with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.formats import edifact, edifact_envelope, x12, x12_envelope
from hub.formats.edifact_sets import MessageReader
from hub.formats.tree import ReadTree, Tree
from hub.formats.x12_envelope import Interchange, Read
from hub.formats.x12_sets import envelope_tree, set_tree


def split(body: bytes, options: Mapping[str, ReadTree]) -> list[tuple[str, Tree]]:
    """Every set of a file, and every TA1, as trees with their positions. Raises FormatError."""
    return records(opened(body, x12.read_charset(options))[1])


def split_x12(body: bytes, options: Mapping[str, ReadTree]) -> list[tuple[str, Tree]]:
    """As :func:`split`, of X12 alone."""
    return records(x12_envelope.interchanges(x12.read(body, charset=x12.read_charset(options))))


def opened(body: bytes, charset: str | None = None) -> tuple[x12.Document, Sequence[Interchange]]:
    """The file and its interchanges. Raises FormatError."""
    if edifact.is_edifact(body):
        document = edifact.read(body, charset=charset)
        return document, edifact_envelope.interchanges(document)
    document = x12.read(body, charset=charset)
    return document, x12_envelope.interchanges(document)


def records(found_interchanges: Sequence[Interchange]) -> list[tuple[str, Tree]]:
    """Of what has been read already; findings about segments are added to their sets."""
    found: list[tuple[str, Tree]] = []
    for interchange in found_interchanges:
        make = MessageReader if interchange.standard == "edifact" else None
        for number, report in enumerate(interchange.reports, start=1):
            found.append((f"{interchange.position}.ta1.{number}", _report(interchange, report)))
        for group in interchange.groups:
            found.extend((one.position, set_tree(interchange, group, one, make)) for one in group.sets)
    return found


def _report(interchange: Interchange, report: Read) -> Tree:
    elements: dict[str, Tree] = {f"TA1{place:02d}": report.get(place) for place in range(1, len(report.values))}
    return {
        "envelope": envelope_tree(interchange, None, None),
        "set": {"id": "TA1", "control": interchange.control, "version": interchange.version},
        "TA1": {name: value for name, value in elements.items() if value},
    }
