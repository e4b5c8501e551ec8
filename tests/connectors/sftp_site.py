"""A whole hub with one trading partner behind SFTP, in the test's time."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from hub.actions.table import act
from hub.domain.decision import Decision
from hub.domain.ids import IdSource
from hub.runtime.configuration import load_configuration
from hub.runtime.hub import Hub
from hub.runtime.place import Place
from hub.store.sql_store import SqlStore
from tests.connectors.sftp_world import PASSWORD, Partner
from tests.edi.site import HUB, POLICIES, ROUTING, ship_notice

PARTNER = """
id: bigbox
name: Big Box Stores
ours: { qualifier: ZZ, id: ACME, group: ACME }
theirs: { qualifier: "01", id: "049351117" }
"""
CONNECTION = """
id: edi-acme
connector: sftp_files
codec: x12
partner: bigbox
config:
  host: "${env:EDI_HOST}"
  port: "${env:EDI_PORT}"
  host_keys: ["${env:EDI_HOST_KEY}"]
  username: hub
  password: "${env:EDI_PASSWORD}"
streams:
  orders:
    start_from: always
    poll: { every: 5m }
    files: { directory: /out, stable_for: 60s, then: archive }
effects_out: { acknowledge: {}, push_shipment: { directory: /in } }
"""


def environment(other: Partner) -> dict[str, str]:
    return {
        "EDI_HOST": other.host,
        "EDI_PORT": str(other.port),
        "EDI_HOST_KEY": other.pin,
        "EDI_PASSWORD": PASSWORD,
    }


def write_site(folder: Path, connection: str = CONNECTION, **files: str) -> Path:
    """The configuration's folder. `files` by path with the slashes as two underscores."""
    config = folder / "config"
    texts = {
        "hub.yaml": HUB,
        "routing.yaml": ROUTING,
        "policies.yaml": POLICIES,
        "connections/edi-acme.yaml": connection,
        "partners/bigbox.yaml": PARTNER,
        **{name.replace("__", "/").replace("_DOT_", ".") + ".yaml": text for name, text in files.items()},
    }
    for name, text in texts.items():
        path = config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return config


class SftpSite:
    """`other` is the partner; `hub` may be left behind as by a crash and opened again."""

    def __init__(self, folder: Path, other: Partner, store: SqlStore, config: Path | None = None) -> None:
        self.other, self.store, self.clock = other, store, other.clock
        self.place = Place(config or write_site(folder), folder / "home")
        self.hub = self.open_hub(seed=1)

    def open_hub(self, seed: int) -> Hub:
        environ = environment(self.other)
        loaded = load_configuration(self.place.config, environ)
        ids, source = IdSource(random.Random(seed)), random.Random(seed)
        hub = Hub(self.place, loaded, self.store, clock=self.clock, ids=ids, source=source, environ=environ, act=act)
        hub.engine.start()
        hub.engine.run_until_idle()
        return hub

    def pass_minutes(self, minutes: int = 5) -> None:
        """Let time go by, minute by minute, with everything that falls due."""
        for _ in range(minutes):
            self.clock.advance(60)
            self.hub.engine.run_until_idle()

    def ship(self, package: str, order: str) -> None:
        notice = ship_notice(package)
        notice.record["order_external_id"] = order
        self.hub.commit_decision(lambda _s, _n: Decision(effects=[notice]), "test")
        self.hub.engine.run_until_idle()

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        with self.store.read() as snapshot:
            return snapshot.rows(table, where)

    def orders(self) -> list[str]:
        return sorted(row["external_id"] for row in self.rows("orders"))

    def states(self, capability: str) -> list[str]:
        return sorted(row["state"] for row in self.rows("deliveries", capability=capability))
