"""`hub edi`: what is in a file, what is wrong with it, and what was exchanged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.site import Site

ORDER = (
    "ISA*00*          *00*          *01*049351117      *ZZ*ACME           *261101*1134*U*00401*000000011*1*T*>~\n"
    "GS*PO*049351117*ACME*20261101*1134*7*X*004010~\n"
    "ST*850*0001~\nBEG*00*SA*PO-1**20261101~\nPO1*1*ten*EA*5.00~\nSE*4*0001~\n"
    "ST*850*0002~\nBEG*00*SA*PO-2**20261101~\nPO1*1*1*EA*5.00~\nSE*5*0002~\n"
    "GE*3*7~\nIEA*1*000000012~\n"
)
ORDERS = "\ufeffUNB+UNOA:1+S:14+R:14+261101:0930+7'UNH+1+ORDERS:D:96A:UN'BGM+220'UNT+3+1'UNZ+1+7'"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def file(tmp_path: Path, name: str, text: str) -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    return str(path)


def test_a_file_is_shown_with_its_separators_numbers_and_faults(site: Site, tmp_path: Path) -> None:
    path = file(tmp_path, "order.850", ORDER)
    done = site.good("edi", "inspect", path)
    assert done.out.splitlines() == [
        f"{path}  X12, {len(ORDER)} bytes, 12 segments, utf-8",
        "interchange 000000011  01/049351117 -> ZZ/ACME  261101 1134  00401  test  asks for a report",
        "  separators  element *  component >  repetition none  segment ~",
        f"  segment 12 IEA02 (byte {ORDER.index('IEA')}): IEA02 is 000000012, ISA13 is 000000011 (interchange_control)",
        "  group PO 7  004010",
        f"    segment 11 GE01 (byte {ORDER.index('GE*')}): GE01 says 3, the group has 2 sets (group_count)",
        "    850 0001  Purchase order, 4 segments: errors",
        f"      segment 5 PO102 (byte {ORDER.index('PO1*1*ten')}, 3 of its set): PO102 is no number (no_number)",
        "    850 0002  Purchase order, 4 segments: errors",
        (
            f"      segment 10 SE01 (byte {ORDER.index('SE*5')}, 4 of its set): "
            "SE01 says 5, the set has 4 segments (set_count)"
        ),
    ]


def test_edifact_is_shown_alike_and_json_has_all_of_it(site: Site, tmp_path: Path) -> None:
    path = file(tmp_path, "order.edi", ORDERS)
    (item,) = site.good("edi", "inspect", "--json", path).items
    assert (item["standard"], item["segments"]) == ("edifact", 5)
    assert item["interchanges"][0]["separators"]["release"] == "?"
    assert [one["code"] for one in item["findings"]] == ["missing_element"]


def test_validate_names_every_fault_of_every_file_and_fails(site: Site, tmp_path: Path) -> None:
    good = file(tmp_path, "good.edi", ORDERS.replace("BGM+220'", "BGM+220+B1'"))
    assert site.good("edi", "validate", good).out == "1 file, nothing found\n"
    bad, none = file(tmp_path, "bad.edi", ORDERS), file(tmp_path, "none.edi", "hello")
    done = site.hub("edi", "validate", good, bad, none)
    assert done.code == 1
    at = ORDERS.encode().index(b"BGM")
    assert done.out.splitlines() == [
        f"{bad}: segment 3 BGM02 (byte {at}, 2 of its set): BGM0201 is empty (missing_element)",
        f"{none}: the file does not begin with an ISA segment (byte 0) (syntax)",
    ]


def test_nothing_was_exchanged_yet(site: Site) -> None:
    assert "no hub data" in site.hub("edi", "interchanges").err
