"""A file of X12 as records: one a transaction set, each with its place (``isa.1.gs.1.st.3``)."""

from collections.abc import Mapping, Sequence

from hub.formats.tree import ReadTree, Tree
from hub.formats.x12 import read, read_charset
from hub.formats.x12_envelope import Interchange, Read, interchanges
from hub.formats.x12_sets import envelope_tree, set_tree


def split(body: bytes, options: Mapping[str, ReadTree]) -> list[tuple[str, Tree]]:
    """Every transaction set of a file, and every TA1, as trees with their positions. Raises FormatError."""
    return records(interchanges(read(body, charset=read_charset(options))))


def records(read_interchanges: Sequence[Interchange]) -> list[tuple[str, Tree]]:
    """As :func:`split`, of what has been read already; findings about segments are added to their sets."""
    found: list[tuple[str, Tree]] = []
    for interchange in read_interchanges:
        for number, report in enumerate(interchange.reports, start=1):
            found.append((f"{interchange.position}.ta1.{number}", _report(interchange, report)))
        for group in interchange.groups:
            found.extend((one.position, set_tree(interchange, group, one)) for one in group.sets)
    return found


def _report(interchange: Interchange, report: Read) -> Tree:
    elements: dict[str, Tree] = {f"TA1{place:02d}": report.get(place) for place in range(1, len(report.values))}
    return {
        "envelope": envelope_tree(interchange, None, None),
        "set": {"id": "TA1", "control": interchange.control, "version": interchange.get(12)},
        "TA1": {name: value for name, value in elements.items() if value},
    }
