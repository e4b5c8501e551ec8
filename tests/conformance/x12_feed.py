"""Feeds every 850 of the public samples through `ingest`, a connection a source, and says what became of them.

python -m tests.conformance.x12_feed [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hub.app import opened_hub
from hub.runtime.configuration import load_configuration
from hub.runtime.hub import Hub
from hub.runtime.place import Place
from tests.conformance import x12_oracle as oracle
from tests.conformance.feed import HUB, POLICIES, ROUTING

TAKEN = ("applied", "held", "superseded", "duplicate")
CONNECTION = """
id: {id}
connector: sftp_files
codec: x12
effects: observe
config:
  host: sftp.partner.example
  host_keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"]
  username: acme
  password: "${{env:CONFORMANCE_PASSWORD}}"
streams:
  orders: {{ start_from: 1970-01-01T00:00:00Z, poll: {{ every: 5m }}, files: {{ directory: /out }} }}
"""
ENVIRONMENT = {"CONFORMANCE_PASSWORD": "not-a-password-of-anybody"}


def connection_id(source: str) -> str:
    """A source's name as a connection may be called."""
    return "".join(char if char.isalnum() else "-" for char in source.lower()).strip("-")[:60]


def report(folder: Path) -> list[dict[str, Any]]:
    """One row a source."""
    sources = oracle.sources()
    place = Place(folder / "config", folder / "home")
    (place.config / "connections").mkdir(parents=True)
    place.home.mkdir()
    texts = {"hub.yaml": HUB, "policies.yaml": POLICIES, "routing.yaml": ROUTING, "locations.yaml": "locations: []\n"}
    for source in sources:
        name = connection_id(source)
        texts[f"connections/{name}.yaml"] = CONNECTION.format(id=name)
    for name, text in texts.items():
        (place.config / name).write_text(text, encoding="utf-8")
    loaded = load_configuration(place.config, ENVIRONMENT)
    with opened_hub(place, loaded, environ=ENVIRONMENT) as hub:
        return [_row(hub, source, files) for source, files in sources.items()]


def _row(hub: Hub, source: str, files: list[Path]) -> dict[str, Any]:
    given = oracle.orders(source, files)
    expected = oracle.expected(given)
    items = _fed(hub, source, files)
    before = _orders(hub, source)
    again = _fed(hub, source, files)
    after = _orders(hub, source)
    outcomes = [items[order.path, order.position] for order in given]
    taken = [status in TAKEN for status, _ in outcomes]
    well_formed = sum(order.well_formed for order in given)
    unexplained = [
        f"{order.path}#{order.position}: {status} ({why}) instead of {wanted}"
        for order, wanted, (status, why) in zip(given, expected, outcomes, strict=True)
        if (status in TAKEN) != (wanted != "parked")
    ]
    counted = Counter(status for status, _ in outcomes)
    return {
        "source": source,
        "files": len(files),
        "sets": len(given),
        "well_formed": well_formed,
        "share_applied": round(
            sum(one for one, order in zip(taken, given, strict=True) if order.well_formed) / max(well_formed, 1), 4
        ),
        **{status: counted.get(status, 0) for status in (*TAKEN, "parked", "unparsable")},
        "reasons": sorted({why for status, why in outcomes if why and status == "parked"}),
        "changed_by_feeding_twice": sum(before[key] != after.get(key) for key in before) + len(after) - len(before),
        "second_feeding": dict(Counter(status for status, _ in again.values())),
        "disagreements": [*unexplained, *oracle.compare(after, given)],
    }


def _fed(hub: Hub, source: str, files: list[Path]) -> dict[tuple[str, int], tuple[str, str]]:
    """(path, number of the set in its file) -> (status, why)."""
    found: dict[tuple[str, int], tuple[str, str]] = {}
    for path in files:
        given = {"who": "test", "connection": connection_id(source), "files": [str(path)]}
        for number, item in enumerate(hub.act("ingest", given)["items"], start=1):
            why = str((item["error"] or {}).get("message", ""))
            found[str(path.relative_to(oracle.CORPORA)), number] = (item["status"], why)
    return found


def _orders(hub: Hub, source: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Orders as the oracle compares them, by buyer, year and number."""
    orders: dict[tuple[str, str, str], dict[str, Any]] = {}
    with hub.store.read() as snapshot:
        for row in snapshot.rows("orders", {"channel": connection_id(source)}):
            sender, _, year = row["scope"].rpartition("/")
            lines = []
            for line in snapshot.rows("order_lines", {"order_id": row["id"]}, order_by=("number",)):
                details = line["document"]["details"]
                wanted = line["document"].get("wanted", "0")
                lines.append((line["external_line_id"], line["sku"], wanted, details.get("unit_price")))
            orders[sender, year, row["external_id"]] = {"currency": row["currency"], "lines": lines}
    return orders


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not oracle.available():
        print(f"the samples are not there: {oracle.CORPORA}", file=sys.stderr)
        return 5
    with tempfile.TemporaryDirectory() as folder:
        rows = report(Path(folder))
    if options.json:
        print(json.dumps({"items": rows}))
    else:
        for row in rows:
            print(" ".join(f"{name}={value}" for name, value in row.items()))
    return int(any(row["disagreements"] or row["share_applied"] < 0.9 for row in rows))


if __name__ == "__main__":
    sys.exit(main())
