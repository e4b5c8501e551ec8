"""The benchmarked site: one shop; for the flow also an ERP by SOAP and two warehouses with one assortment each.

A paid order of the load has lines of both assortments, so it makes exactly three calls: submit_order to the ERP and
one send_fulfilment_request to each warehouse. Nothing comes back but the answers to these calls.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import http.client
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.bench.orders import EAST, NORTH, WEST

SHOP, ERP = "shop", "erp"
WAREHOUSES: Mapping[str, tuple[str, ...]] = {"east": EAST, "west": WEST, "north": NORTH}


def warehouses(calls_per_order: int) -> dict[str, tuple[str, ...]]:
    """With their assortments: as many as make so many calls an order, the ERP's one among them."""
    return dict(list(WAREHOUSES.items())[: calls_per_order - 1])


DOMAIN = "bench.example"
SHOP_SECRET, WAREHOUSE_SECRET = "bench-shop-secret-0001", "bench-warehouse-secret-01"
UNITS = 1_000_000


def environment() -> dict[str, str]:
    """The secrets the configuration refers to."""
    return {
        "BENCH_SHOP_TOKEN": "bench-token",
        "BENCH_SHOP_SECRET": SHOP_SECRET,
        "BENCH_WMS_KEY": "bench-wms-key",
        "BENCH_WMS_SECRET": WAREHOUSE_SECRET,
        "BENCH_ERP_PASSWORD": "bench-erp",
    }


def write_intake_site(folder: Path) -> None:
    """A shop that pushes refunds only: what it says of orders is kept with its bytes and goes no further."""
    _hub(folder)
    _shop(folder, "refunds")
    _write(folder / "locations.yaml", {"locations": []})


def write_flow_site(folder: Path, ports: Mapping[str, int], calls_per_order: int) -> None:
    """`ports` by target: erp and the warehouses."""
    _hub(folder)
    _shop(folder, "orders")
    unlimited = {"default": {"rate": "100000/s", "burst": 100000}}
    _write(
        folder / "connections" / f"{ERP}.yaml",
        {
            "id": ERP,
            "connector": "erp_soap",
            "config": {
                "endpoint": f"http://127.0.0.1:{ports[ERP]}/sales",
                "username": "hub",
                "password": "${env:BENCH_ERP_PASSWORD}",
            },
            "effects_out": {"submit_order": {}},
            "limits": unlimited,
        },
    )
    for name in warehouses(calls_per_order):
        _write(
            folder / "connections" / f"{name}.yaml",
            {
                "id": name,
                "connector": "wms_rest",
                "config": {
                    "base_url": f"http://127.0.0.1:{ports[name]}",
                    "api_key": "${env:BENCH_WMS_KEY}",
                    "webhook_secrets": ["${env:BENCH_WMS_SECRET}"],
                },
                "streams": {"stock": {"means": "on_hand", "push": True}},
                "effects_out": {"send_fulfilment_request": {}},
                "limits": unlimited,
            },
        )
    _write(folder / "locations.yaml", {"locations": [_location(name) for name in warehouses(calls_per_order)]})


def furnish(hub_port: int, calls_per_order: int) -> None:
    """Each warehouse counts its shelves and tells the hub, as it would: by a signed webhook."""
    for name in warehouses(calls_per_order):
        headers, body = counted_shelves(name)
        connection = http.client.HTTPConnection("127.0.0.1", hub_port, timeout=10)
        connection.request("POST", f"/in/{name}", body, headers)
        status = connection.getresponse().status
        connection.close()
        if status != 202:
            raise RuntimeError(f"the hub answered {status} to a count of {name}")


def counted_shelves(name: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of the webhook by which a warehouse tells what it counted."""
    rows = [{"sku": sku, "quantity": str(UNITS), "condition": "sellable"} for sku in WAREHOUSES[name]]
    event = {
        "id": f"ev-{name}",
        "type": "stock.snapshot",
        "warehouse": name,
        "occurred_at": dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "data": {"snapshot": 1, "complete": True, "row_count": len(rows), "rows": rows},
    }
    body = json.dumps({"events": [event]}).encode()
    stamp = str(int(time.time()))
    signature = hmac.new(WAREHOUSE_SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/json",
        "webhook-id": f"ev-{name}",
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1={signature}",
        "webhook-topic": "stock.snapshot",
    }, body


def _hub(folder: Path) -> None:
    (folder / "connections").mkdir(parents=True)
    entity = {"bench-us": {"erp_company": "1000", "base_currency": "USD"}}
    seller = {"name": "Bench", "default_entity": "bench-us", "base_currency": "USD", "entities": entity}
    _write(folder / "hub.yaml", {"seller": seller, "database": "sqlite"})
    _write(
        folder / "policies.yaml",
        {
            "grace": {"default": "0"},
            "validation": {"unknown_sku": "accept"},
            "payment": {"managed_by": {SHOP: "channel"}},
        },
    )
    _write(
        folder / "routing.yaml",
        {
            "strategies": {"cheapest": {"objective": "cost", "max_shipments": 3}},
            "rules": [],
            "fallback": {"use": "cheapest", "when_nothing": "backorder"},
        },
    )


def _shop(folder: Path, stream: str) -> None:
    _write(
        folder / "connections" / f"{SHOP}.yaml",
        {
            "id": SHOP,
            "connector": "shopify",
            "config": {
                "shop": DOMAIN,
                "access_token": "${env:BENCH_SHOP_TOKEN}",
                "webhook_secrets": ["${env:BENCH_SHOP_SECRET}"],
            },
            "streams": {stream: {"start_from": "always", "push": True}},
        },
    )


def _location(name: str) -> dict[str, Any]:
    east = name == "east"
    return {
        "id": name,
        "type": "dc",
        "name": name.title(),
        "address": {
            "lines": ["1 Depot Road"],
            "locality": "Anytown",
            "admin_area": "US-NJ" if east else "US-NV",
            "postal_code": "10001",
            "country": "US",
            "latitude": 40.7 if east else 39.6,
            "longitude": -74.1 if east else -119.8,
        },
        "zone": "America/New_York",
        "priority": 1 if east else 2,
        "wms": name,
        "stock_authority": name,
        "costs": {"order": 1.0, "line": 0.2},
        "can": ["ship"],
    }


def _write(path: Path, content: object) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
