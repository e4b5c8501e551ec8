"""A hub with one trading partner: files go in by hand, what is sent lies in a folder."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hub.actions.table import act
from hub.domain.decision import Decision, EffectRequest
from hub.domain.ids import IdSource
from hub.formats import codec
from hub.runtime.configuration import load_configuration
from hub.runtime.hub import Hub
from hub.runtime.place import Place
from hub.store.sql_store import SqlStore
from tests.conftest import SettableClock

PARTNER = """
id: bigbox
name: Big Box Stores
ours: { qualifier: ZZ, id: ACME, group: ACMEORD }
theirs: { qualifier: "01", id: "049351117" }
version: 004010VICS
"""
CONNECTION = """
id: edi-acme
connector: edi_stub
codec: x12
partner: bigbox
config: {{ folder: {folder} }}
streams: {{ orders: {{ start_from: always, poll: {{ every: 5m }} }}, order_changes: {{}} }}
effects_out: {{ acknowledge: {{}}, push_shipment: {{}}, change_response: {{}}{more} }}
"""
HUB = """
seller: { name: Acme, default_entity: acme, base_currency: USD, entities: { acme: { legal_name: Acme } } }
database: sqlite
"""
ROUTING = "strategies: { cheapest: { objective: cost } }\nfallback: { use: cheapest, when_nothing: backorder }\n"
POLICIES = "validation: { unknown_sku: accept }\n"
SENDER = "049351117"


class PartnerSite:
    """`out` is the folder that the partner would fetch from; `more` are further effects of the connection."""

    def __init__(
        self, folder: Path, store: SqlStore, clock: SettableClock, partner: str = PARTNER, more: str = ""
    ) -> None:
        self.folder, self.out, self.clock, self.store = folder, folder / "out", clock, store
        self.out.mkdir()
        config = folder / "config"
        files = {
            "hub.yaml": HUB,
            "routing.yaml": ROUTING,
            "policies.yaml": POLICIES,
            "connections/edi-acme.yaml": CONNECTION.format(folder=self.out, more=more),
            "partners/bigbox.yaml": partner,
        }
        for name, text in files.items():
            path = config / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.place = Place(config, folder / "home")
        self.hub = self.open_hub(seed=1)
        self._fed = 0

    def open_hub(self, seed: int) -> Hub:
        loaded = load_configuration(self.place.config, {})
        ids = IdSource(random.Random(seed))
        source = random.Random(seed)
        hub = Hub(self.place, loaded, self.store, clock=self.clock, ids=ids, source=source, environ={}, act=act)
        hub.engine.start()
        return hub

    def feed(self, body: str | bytes) -> list[dict[str, Any]]:
        """Ingest one file; its items."""
        self._fed += 1
        path = self.folder / f"in-{self._fed}.edi"
        path.write_bytes(body if isinstance(body, bytes) else body.encode())
        arguments = {"who": "test", "connection": "edi-acme", "files": [str(path)]}
        return list(self.hub.act("ingest", arguments)["items"])

    def send(self) -> list[str]:
        """Let everything due leave; the names of the files that lie outside now."""
        self.hub.engine.run_until_idle()
        return sorted(path.name for path in self.out.iterdir())

    def sent(self, name: str) -> dict[str, Any]:
        """The one transaction set of a file that was sent, as the codec reads it."""
        ((_, tree),) = codec("x12").split((self.out / name).read_bytes())
        assert isinstance(tree, dict)
        return tree

    def ship(self, *packages: str) -> None:
        """Ask for one ship notice a package, all in one decision."""
        self.hub.commit_decision(lambda _s, _n: Decision(effects=[ship_notice(one) for one in packages]), "test")

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        with self.store.read() as snapshot:
            return snapshot.rows(table, where)

    def delivery(self, package: str) -> dict[str, Any]:
        (row,) = self.rows("deliveries", business_key=f"edi-acme/push_shipment/package/{package}/edi-acme")
        return row


def ship_notice(package: str, sku: str = "MUG") -> EffectRequest:
    return EffectRequest(
        destination="edi-acme",
        capability="push_shipment",
        key=f"package/{package}/edi-acme",
        aggregate=f"or_{package}",
        lane="shipment",
        record={
            "key": f"package/{package}/edi-acme",
            "order_external_id": "PO-1",
            "package": package,
            "carrier": "UPSN",
            "tracking_number": f"1Z{package}",
            "shipped_at": "2026-11-03T14:15:02.000000Z",
            "lines": [{"external_line_id": "1", "sku": sku, "quantity": "2"}],
        },
    )


def purchase_order(number: str = "PO-1", control: str = "0001", count: int | None = None) -> list[str]:
    """The segments of an 850 with one line."""
    body = [
        f"ST*850*{control}",
        f"BEG*00*SA*{number}**20261101",
        "N1*ST*Riverside DC*92*0078",
        "N3*1 Dock Road",
        "N4*Riverside*CA*92501*US",
        "PO1*1*10*EA*5.00*PE*VN*MUG",
        "CTT*1",
    ]
    return [*body, f"SE*{len(body) + 1 if count is None else count}*{control}"]


def interchange(
    *sets: Iterable[str],
    control: str = "000000011",
    group: str = "1",
    kind: str = "PO",
    sender: str = SENDER,
    ge: str | None = None,
) -> str:
    """One interchange with one group; `ge` replaces the count of its trailer."""
    segments = [
        f"ISA*00*          *00*          *01*{sender:<15}*ZZ*ACME           *261101*1134*U*00401*{control}*0*P*>",
        f"GS*{kind}*{sender}*ACMEORD*20261101*1134*{group}*X*004010",
        *(segment for one in sets for segment in one),
        f"GE*{len(sets) if ge is None else ge}*{group}",
        f"IEA*1*{control}",
    ]
    return "".join(f"{segment}~\n" for segment in segments)


def acknowledgement(functional_id: str, group: str, verdict: str, control: str = "000000912") -> str:
    """A 997 as the partner sends it."""
    body = ["ST*997*0001", f"AK1*{functional_id}*{group}", f"AK9*{verdict}*1*1*{int(verdict == 'A')}", "SE*4*0001"]
    return interchange(body, control=control, group="912", kind="FA")
