"""Files that are no EDI: the connection names the format, the site's mappings say what they mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Database, SettableClock
from tests.connectors.sftp_site import CONNECTION, SftpSite, write_site
from tests.connectors.sftp_world import Partner, partner

ORDERS = """
mapping: sftp_files/orders.in
version: 1
target: Order
kind: state
fields:
  external_id: { from: id, as: text, required: true }
  source_version: { from: at, as: instant }
  placed_at: { from: at, as: instant }
  currency: { const: USD }
  lines:
    each: lines
    fields:
      external_line_id: { from: no, as: text, required: true }
      sku: { from: sku, as: text }
      quantity: { from: quantity, as: decimal, required: true }
      unit_price: { from: price, as: decimal }
"""
ORDERS_CSV = """
mapping: sftp_files/orders.in
version: 1
target: Order
kind: state
fields:
  external_id: { from: number, as: text, required: true }
  source_version: { from: at, as: instant }
  placed_at: { from: at, as: instant }
  currency: { const: USD }
  lines:
    each: { expr: "to_array(@)" }
    fields:
      external_line_id: { const: "1" }
      sku: { from: sku, as: text }
      quantity: { from: quantity, as: decimal, required: true }
      unit_price: { from: price, as: decimal }
"""
SHIPMENT = """
mapping: sftp_files/push_shipment.out
version: 1
fields:
  order: { from: order_external_id, as: text, required: true }
  tracking: { from: tracking_number, as: text }
  lines: { each: lines, fields: { sku: { from: sku, as: text }, quantity: { from: quantity, as: text } } }
"""
SHIPMENT_CSV = """
mapping: sftp_files/push_shipment.out
version: 1
fields:
  rows:
    each: lines
    fields:
      order: { from: parent.order_external_id, as: text }
      sku: { from: sku, as: text }
      quantity: { from: quantity, as: text }
"""


def connection(codec: str, shipment: str) -> str:
    without_partner = CONNECTION.replace("codec: x12", f"codec: {codec}").replace("partner: bigbox\n", "")
    return without_partner.replace("{ acknowledge: {}, push_shipment: { directory: /in } }", f"{{ {shipment} }}")


@pytest.fixture
def other(tmp_path: Path, clock: SettableClock) -> Iterator[Partner]:
    with partner(tmp_path, clock) as found:
        yield found


def test_json_files_come_in_and_go_out_under_the_name_that_the_connection_says(
    tmp_path: Path, other: Partner, make_database: Callable[[str], Database], clock: SettableClock
) -> None:
    effect = 'push_shipment: { directory: /in, document: shipped, name: "{document}-{date}-{key}.json" }'
    config = write_site(
        tmp_path,
        connection("json", effect),
        mappings__sftp_files__orders_DOT_in=ORDERS,
        mappings__sftp_files__push_shipment_DOT_out=SHIPMENT,
    )
    site = SftpSite(tmp_path, other, make_database("sqlite").open(clock), config)
    order = {
        "id": "J-1",
        "at": "2026-03-02T08:00:00Z",
        "lines": [{"no": 1, "sku": "MUG", "quantity": 2, "price": "9.50"}],
    }
    other.put("order-1.json", json.dumps(order))
    other.put("broken.json", '{"id": ')
    site.pass_minutes(11)
    assert site.orders() == ["J-1"]
    assert sorted(row["state"] for row in site.rows("receipts", connection="edi-acme", stream="orders")) == [
        "parsed",
        "unparsable",
    ]
    site.ship("PKG-1", "J-1")
    (name,) = other.names("/in")
    assert name == "shipped-20260302-package-PKG-1-edi-acme.json"
    assert json.loads((other.root / "in" / name).read_bytes())["order"] == "J-1"
    assert site.states("push_shipment") == ["acknowledged"]
    assert other.entries("document") == [name]


def test_csv_rows_come_in_each_as_an_order_and_go_out_as_rows(
    tmp_path: Path, other: Partner, make_database: Callable[[str], Database], clock: SettableClock
) -> None:
    config = write_site(
        tmp_path,
        connection("csv", 'push_shipment: { directory: /in, format: { delimiter: ";" } }'),
        mappings__sftp_files__orders_DOT_in=ORDERS_CSV,
        mappings__sftp_files__push_shipment_DOT_out=SHIPMENT_CSV,
    )
    site = SftpSite(tmp_path, other, make_database("sqlite").open(clock), config)
    rows = ["number,at,sku,quantity,price", "C-1,2026-03-02T08:00:00Z,MUG,2,9.50", "C-2,2026-03-02T08:00:00Z,TEE,1,20"]
    other.put("orders.csv", "\r\n".join(rows) + "\r\n")
    site.pass_minutes(11)
    assert site.orders() == ["C-1", "C-2"]
    site.ship("PKG-1", "C-1")
    (name,) = other.names("/in")
    assert name.startswith("push_shipment-dl_")
    assert (other.root / "in" / name).read_text().split() == ["order;sku;quantity", "C-1;MUG;2"]
