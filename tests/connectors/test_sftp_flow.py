"""A trading partner's files through the whole hub: orders in, acknowledgements and ship notices out, over real SFTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.store.sql_store import SqlStore
from tests.conftest import Database, SettableClock
from tests.connectors.sftp_site import CONNECTION, SftpSite, write_site
from tests.connectors.sftp_world import Partner, partner

LINES = [
    {"sku": "MUG-BLUE", "quantity": "120", "price": "9.25", "title": "Mug, blue"},
    {"sku": "TEE-M", "quantity": "24", "price": "11.00"},
]


@pytest.fixture
def other(tmp_path: Path, clock: SettableClock) -> Iterator[Partner]:
    with partner(tmp_path, clock) as found:
        yield found


@pytest.fixture
def site(tmp_path: Path, other: Partner, store: SqlStore) -> SftpSite:
    """Once on SQLite and once on PostgreSQL."""
    return SftpSite(tmp_path, other, store)


@pytest.fixture
def quick_site(
    tmp_path: Path, other: Partner, make_database: Callable[[str], Database], clock: SettableClock
) -> SftpSite:
    """On SQLite: what breaks on the wire is the same for every database."""
    return SftpSite(tmp_path, other, make_database("sqlite").open(clock))


def test_a_purchase_order_becomes_an_order_and_its_group_is_acknowledged(site: SftpSite, other: Partner) -> None:
    placed = other.control("place", lines=LINES)
    site.pass_minutes(11)
    (order,) = site.rows("orders")
    assert (order["external_id"], placed["total_price"]) == (placed["id"], "1374.00")
    (answer,) = other.control("inbox")["files"]
    assert (answer["set"], answer["answers"], answer["verdict"]) == ("997", "PO/1", "A")
    assert other.names("/out") == []
    assert other.names("/out/archive") == [placed["name"]]


def test_a_ship_notice_is_put_once_and_settled_by_the_partners_acknowledgement(site: SftpSite, other: Partner) -> None:
    placed = other.control("place", lines=LINES)
    site.pass_minutes(11)
    site.ship("PKG-1", placed["id"])
    (notice,) = [one for one in other.control("inbox")["files"] if one["set"] == "856"]
    assert (notice["po"], notice["package"]) == (placed["id"], "PKG-1")
    assert site.states("push_shipment") == ["sent"]
    site.pass_minutes(11)
    assert site.states("push_shipment") == ["acknowledged"]
    assert other.entries("shipment_notice") == [f"{placed['id']}/PKG-1"]
    assert other.names("/out") == []


@pytest.mark.parametrize("operation", ["write", "rename"])
@pytest.mark.parametrize("kind", ["error_before", "error_after", "drop_before", "drop_after"])
def test_whatever_breaks_while_a_document_is_put_it_stands_there_once(
    quick_site: SftpSite, other: Partner, operation: str, kind: str
) -> None:
    site = quick_site
    other.fault(operation, kind)
    site.ship("PKG-1", "PO-1")
    site.pass_minutes(3)
    assert other.entries("shipment_notice") == ["PO-1/PKG-1"]
    assert len(other.names("/in")) == 1
    assert site.states("push_shipment") == ["sent"]


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("login", "drop_before"),
        ("list", "drop_after"),
        ("list", "error_before"),
        ("read", "partial_file"),
        ("read", "error_before"),
        ("rename", "permission_denied"),
        ("rename", "error_after"),
        ("rename", "drop_before"),
        ("rename", "drop_after"),
    ],
)
def test_whatever_breaks_while_files_are_taken_each_order_is_taken_once(
    quick_site: SftpSite, other: Partner, operation: str, kind: str
) -> None:
    site = quick_site
    placed = sorted(other.control("place", lines=LINES)["id"] for _ in range(3))
    site.pass_minutes(6)
    other.control("drop")
    other.fault(operation, kind, times=2)
    site.pass_minutes(30)
    assert sum(other.emulator.ledger.faults().values()) == 2
    assert site.orders() == placed
    assert other.names("/out") == []
    assert len(other.names("/out/archive")) == 3
    assert sorted(other.entries("acknowledgement")) == ["PO/1", "PO/2", "PO/3"]
    assert [row["state"] for row in site.rows("messages", stream="orders")] == ["applied"] * 3


def test_a_line_that_breaks_at_every_second_file_lets_all_of_them_through(quick_site: SftpSite, other: Partner) -> None:
    site = quick_site
    placed = sorted(other.control("place", lines=LINES)["id"] for _ in range(3))
    for _ in range(30):
        other.fault("read", "delay")
        other.fault("read", "drop_before", times=2)
    site.pass_minutes(20)
    assert site.orders() == placed
    assert other.names("/out") == []


def test_a_refused_login_pauses_the_connection_and_a_person_hears_of_it(site: SftpSite, other: Partner) -> None:
    other.control("place", lines=LINES)
    other.emulator.config = {}
    other.fault("login", "refuse_login", times=50)
    other.control("drop")
    site.pass_minutes(15)
    (told,) = site.rows("exceptions", kind="auth_failed")
    assert "does not let hub in" in told["detail"]
    assert site.orders() == []


def test_the_same_interchange_under_another_name_does_nothing_twice(site: SftpSite, other: Partner) -> None:
    placed = other.control("place", lines=LINES)
    text = other.control("read", path=f"/out/{placed['name']}")["text"]
    site.pass_minutes(11)
    other.put("again.850", text)
    site.pass_minutes(11)
    assert site.orders() == [placed["id"]]
    assert sorted(row["state"] for row in site.rows("messages", stream="orders")) == ["applied", "duplicate"]
    assert other.names("/out/archive") == sorted(["again.850", placed["name"]])


def test_a_file_that_nobody_can_read_is_told_and_lies_in_the_error_directory(site: SftpSite, other: Partner) -> None:
    other.put("empty.850", "")
    other.put("junk.850", "this is no interchange")
    site.pass_minutes(30)
    assert {row["state"] for row in site.rows("receipts")} == {"unparsable"}
    assert other.names("/out/error") == ["empty.850"]
    assert other.names("/out/archive") == ["junk.850"]
    (told,) = site.rows("exceptions")
    assert (told["kind"], told["count"]) == ("unparsable", 2)


def test_a_document_that_is_not_the_one_the_connection_names_is_not_sent(
    tmp_path: Path, other: Partner, make_database: Callable[[str], Database], clock: SettableClock
) -> None:
    config = write_site(tmp_path, CONNECTION.replace("{ directory: /in }", '{ directory: /in, document: "857" }'))
    site = SftpSite(tmp_path, other, make_database("sqlite").open(clock), config)
    site.ship("PKG-1", "PO-1")
    assert site.states("push_shipment") == ["parked"]
    assert other.names("/in") == []
