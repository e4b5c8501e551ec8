"""Every EDIFACT file of public samples is read, with as many messages as an independent look finds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.formats import FormatError
from hub.formats.edi_files import opened, records
from hub.formats.edifact import is_edifact
from hub.mapping.errors import MappingError
from hub.mapping.library import MappingLibrary, shipped_folder
from tests.conformance.x12_oracle import CORPORA

FOLDER = CORPORA / "edi"
AT_MOST = 100_000
_MESSAGE = re.compile(rb"(?:^|[^A-Za-z0-9])UNH(?=[^A-Za-z0-9 ])")
MAPPINGS = {
    "ORDERS": "sftp_files/orders_edifact.in",
    "ORDCHG": "sftp_files/order_changes_edifact.in",
    "CONTRL": "sftp_files/contrl.in",
    "APERAK": "sftp_files/aperak.in",
    "860": "sftp_files/order_changes.in",
    "997": "sftp_files/acknowledgements.in",
    "999": "sftp_files/acknowledgements.in",
    "TA1": "sftp_files/ta1.in",
}
CONTEXT = {"base_currency": "EUR", "partner": {"country": "DE", "usage": "production", "change_quantities": "total"}}

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the samples are not beside this checkout ({FOLDER})")


def samples() -> Iterator[tuple[Path, bytes]]:
    for path in sorted(FOLDER.glob("*/*")):
        if path.name != "SOURCE.txt" and path.stat().st_size <= AT_MOST:
            yield path, path.read_bytes()


def test_every_message_of_every_sample_is_found() -> None:
    files = messages = 0
    differing = []
    for path, body in samples():
        if not is_edifact(body):
            continue
        document, found = opened(body)
        del document
        count = sum(len(group.sets) for interchange in found for group in interchange.groups)
        stray = [one for interchange in found for one in interchange.findings if one.code == "stray_segment"]
        files, messages = files + 1, messages + count
        if count != len(_MESSAGE.findall(body)) and not stray:
            differing.append((path.name, count, len(_MESSAGE.findall(body))))
    assert differing == []
    assert files > 100
    assert messages > 200


def test_what_the_samples_say_is_mapped_or_refused_with_its_field() -> None:
    library = MappingLibrary([shipped_folder()])
    mappings = {kind: library.get(name) for kind, name in MAPPINGS.items()}
    mapped, refused = dict.fromkeys(MAPPINGS, 0), []
    for path, body in samples():
        if not (is_edifact(body) or b"ISA" in body[:100]):
            continue
        try:
            found = records(opened(body)[1])
        except FormatError:
            continue  # what X12 refuses is held against another reader in test_x12_conformance
        for position, tree in found:
            assert isinstance(tree, dict)
            head = tree["set"]
            assert isinstance(head, dict)
            mapping = mappings.get(str(head["id"]))
            if mapping is None:
                continue
            try:
                mapping.run(tree, context=CONTEXT)
            except MappingError as error:
                refused.append((path.name, position, error.field))
            else:
                mapped[str(head["id"])] += 1
    assert {field for *_, field in refused} <= {
        "external_id",
        "key",
    }  # samples of an order and a report without numbers
    assert mapped["ORDERS"] > 100
    assert mapped["860"] == 2
    assert mapped["APERAK"] == 5
