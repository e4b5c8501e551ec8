"""Feeds the samples through `hub ingest` and says what became of them.

    python -m tests.conformance.feed [--json]

prints per source: fed, applied, held, superseded, duplicate, parked, unparsable, reasons, well_formed, share applied,
what a second feeding changed, and the oracle's disagreements.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.conformance import oracle

ROOT = Path(__file__).resolve().parents[2]
TAKEN = ("applied", "held", "superseded", "duplicate")
COMMAND_TIMEOUT_SECONDS = 180

HUB = """
seller: { name: Conformance, default_entity: test, base_currency: USD, entities: { test: { legal_name: Test } } }
database: sqlite
"""
POLICIES = """
validation: { unknown_sku: accept, address: accept, payment: { require: [] } }
totals: { difference_up_to: 0.02, otherwise: accept }
"""
ROUTING = """
strategies: { cheapest: { objective: cost } }
rules: []
fallback: { use: cheapest, when_nothing: backorder }
"""
CONNECTION = """
id: {source}
connector: {connector}
effects: observe
config:
  shop: test.example
  access_token: "${{env:CONFORMANCE_TOKEN}}"
  webhook_secrets: ["${{env:CONFORMANCE_SECRET}}"]
streams:
  orders: {{ start_from: 1970-01-01T00:00:00Z, push: true }}
  refunds: {{ push: true }}
"""
ENVIRONMENT = {"CONFORMANCE_TOKEN": "not-a-token-of-anybody", "CONFORMANCE_SECRET": "not-a-secret-of-anybody"}


class Hub:
    """A hub of its own in a folder: accepts every SKU, starts in 1970, only observes effects."""

    def __init__(self, folder: Path, sources: Sequence[str]) -> None:
        self.config, self.home = folder / "config", folder / "home"
        (self.config / "connections").mkdir(parents=True)
        files = {
            "hub.yaml": HUB,
            "policies.yaml": POLICIES,
            "routing.yaml": ROUTING,
            "locations.yaml": "locations: []\n",
        }
        for name, text in files.items():
            (self.config / name).write_text(text, encoding="utf-8")
        for source in sources:
            text = CONNECTION.format(source=source, connector="shopify")
            (self.config / "connections" / f"{source}.yaml").write_text(text, encoding="utf-8")

    def run(self, *arguments: str) -> Any:
        """One command as a process, its JSON."""
        environ = {**os.environ, **ENVIRONMENT, "HUB_CONFIG": str(self.config), "HUB_HOME": str(self.home)}
        done = subprocess.run(
            [sys.executable, "-m", "hub", *arguments, "--json"],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            timeout=COMMAND_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode not in (0, 1):
            raise RuntimeError(f"hub {' '.join(arguments[:3])} ended with {done.returncode}: {done.stderr.decode()}")
        return json.loads(done.stdout)

    def ingest(self, source: str, files: Sequence[Path]) -> list[dict[str, Any]]:
        return list(self.run("ingest", source, *map(str, files))["items"])

    def orders(self, source: str) -> list[dict[str, Any]]:
        """What the oracle compares: ids, currency, totals, lines."""
        listed = self.run("orders", "list", "--channel", source, "--limit", "1000")["items"]
        return [compared(self.run("orders", "show", row["id"])["items"][0]) for row in listed]


def compared(order: dict[str, Any]) -> dict[str, Any]:
    """An order as `hub orders show --json` prints it -> the plain dict the oracle takes."""
    lines = []
    for line in order["lines"]:
        details = line["document"]["details"]
        lines.append(
            {
                "external_line_id": line["external_line_id"],
                "sku": line["sku"],
                "quantity": details.get("quantity", line["ordered"]),
                **({"unit_price": details["unit_price"]} if "unit_price" in details else {}),
            }
        )
    return {
        "external_id": order["external_id"],
        "currency": order["currency"],
        "totals": order["document"]["totals"],
        "lines": lines,
    }


def files_of(source: str) -> list[Path]:
    return [oracle.CORPORA / path for path, _ in oracle.sources()[source]]


def report(folder: Path) -> list[dict[str, Any]]:
    """One row a source."""
    sources = list(oracle.sources())
    hub = Hub(folder, sources)
    rows = []
    for source in sources:
        items = hub.ingest(source, files_of(source))
        before = hub.orders(source)
        again = hub.ingest(source, files_of(source))
        after = hub.orders(source)
        bodies = oracle.bodies(source)
        outcomes = Counter(item["status"] for item in items)
        taken = [body for body, item in zip(bodies, items, strict=True) if body.well_formed and item["status"] in TAKEN]
        well_formed = sum(body.well_formed for body in bodies)
        rows.append(
            {
                "source": source,
                "fed": len(items),
                "well_formed": well_formed,
                "share_applied": round(len(taken) / well_formed, 4),
                **{status: outcomes.get(status, 0) for status in (*TAKEN, "parked", "unparsable")},
                "reasons": sorted({str((item["error"] or {}).get("message")) for item in items if item["error"]}),
                "changed_by_feeding_twice": sum(one != other for one, other in zip(before, after, strict=True)),
                "second_feeding": dict(Counter(item["status"] for item in again)),
                "disagreements": [str(one) for one in oracle.compare(after, source)],
            }
        )
    return rows


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
