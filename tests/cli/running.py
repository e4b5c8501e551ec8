"""A hub with its three systems as processes of their own, and what tests await of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hub.demo.processes import EmulatorProcess, HubProcess, free_port
from tests.cli.site import ERP, SECRETS, SHOP, SHOP_DOMAIN, WMS, Site

PATIENCE_SECONDS = 30.0
SKUS = ("SKU-001", "SKU-002", "SKU-003")


def eventually(look: Callable[[], Any], what: str) -> Any:
    """What `look` gives as soon as it gives something; looking costs a command, so it is not done too often."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < end, f"not within {PATIENCE_SECONDS:g} s: {what}"
        time.sleep(0.1)
    return found


def _ready(process: HubProcess) -> bool:
    return b"ready after" in process.log.read_bytes()


class Running:
    """One hub in one or several processes. Leaving it ends everything."""

    def __init__(self, folder: Path, *, prepare: Callable[[Site], None] = lambda site: None) -> None:
        self.folder = folder
        self.systems: list[EmulatorProcess] = []
        self.processes: list[HubProcess] = []
        self.shop = self._system(
            "connectors.shopify.emulator:ShopifyEmulator",
            access_token=SECRETS["DEMO_SHOP_TOKEN"],
            webhook_secret=SECRETS["DEMO_SHOP_SECRET"],
            shop=SHOP_DOMAIN,
        )
        self.wms = self._system(
            "connectors.wms_rest.emulator:WmsEmulator",
            api_key=SECRETS["DEMO_WMS_TOKEN"],
            webhook_secret=SECRETS["DEMO_WMS_SECRET"],
            acknowledge_seconds="0.1",
            pack_seconds="0.2",
            ship_seconds="0.3",
        )
        self.erp = self._system(
            "connectors.erp_soap.emulator:ErpEmulator",
            username="hub",
            password=SECRETS["DEMO_ERP_PASSWORD"],
            webhook_secret=SECRETS["DEMO_ERP_SECRET"],
        )
        addresses = {
            "DEMO_SHOP_URL": self.shop.url,
            "DEMO_WMS_URL": self.wms.url,
            "DEMO_ERP_URL": f"{self.erp.url}/soap",
        }
        self.site = Site(folder, {**SECRETS, **addresses})
        prepare(self.site)

    def _system(self, emulator: str, **config: str) -> EmulatorProcess:
        ledger = self.folder / f"system-{len(self.systems)}.ledger"
        self.systems.append(EmulatorProcess(emulator, ledger, config=config))
        return self.systems[-1]

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *roles: Sequence[str]) -> None:
        """One process a group of roles; without any one that does everything. The first answers HTTP."""
        port = free_port()
        for group in roles or ((),):
            arguments = [word for role in group for word in ("--only", role)]
            process = HubProcess(
                self.site.config, self.site.home, port=port, environ=self.site.environ, arguments=arguments
            )
            process.log = self.folder / f"hub-{len(self.processes)}.log"
            process.start()
            self.processes.append(process)
        self.hub.wait_ready()
        for process in self.processes[1:]:
            eventually(partial(_ready, process), "every process is ready")
        for system, connection in ((self.shop, SHOP), (self.wms, WMS), (self.erp, ERP)):
            system.connect_hub(self.hub.url, connection)

    @property
    def hub(self) -> HubProcess:
        return self.processes[0]

    def furnish(self, quantity: int = 500) -> None:
        """Items in the hub and goods on the shelves, told."""
        self.site.good("import", "items", self.site.write("items.json", [{"sku": sku} for sku in SKUS]))
        places = ("dc-east", "dc-west")
        rows = [{"warehouse": place, "sku": sku, "quantity": str(quantity)} for place in places for sku in SKUS]
        self.wms.control("set_stock", {"rows": rows})
        for place in places:
            self.wms.control("snapshot", {"warehouse": place})
        eventually(lambda: len(self.site.good("inventory", "list", "--json").items) >= len(rows), "the stock is known")

    def place(self, sku: str = SKUS[0], quantity: int = 1) -> str:
        """Somebody buys; the shop's name of the order."""
        lines = [{"sku": sku, "quantity": quantity, "price": "10.00"}]
        return str(self.shop.control("place", {"lines": lines, "shipping": "4.90"})["name"])

    def order(self, name: str) -> dict[str, Any] | None:
        done = self.site.hub("orders", "show", name, "--json")
        return done.items[0] if done.code == 0 else None

    def await_order(self, name: str, status: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            order = self.order(name)
            return order if order is not None and order["status"] == status else None

        found: dict[str, Any] = eventually(look, f"{name} is {status}")
        return found

    def await_delivery(self, name: str, capability: str, *states: str) -> dict[str, Any]:
        """The newest delivery of an order and a capability, once it is in one of these states."""

        def look() -> dict[str, Any] | None:
            order = self.order(name)
            calls = [] if order is None else [call for call in order["deliveries"] if call["capability"] == capability]
            return calls[-1] if calls and calls[-1]["state"] in states else None

        found: dict[str, Any] = eventually(look, f"{capability} of {name} is {' or '.join(states)}")
        return found

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.stop()
        for system in self.systems:
            system.stop()
