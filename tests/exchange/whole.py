"""The order management behind a whole exchange on a real store: a shop, two warehouses and an ERP, all scripted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from hub.domain.decision import Decision
from hub.domain.writeset import Applied, WriteSet
from hub.exchange.connections import ConnectionView, StreamView
from hub.exchange.decisions import decision_rows
from hub.oms.handlers import build
from hub.oms.ports import Rules
from hub.sdk.capabilities import Capability, SafetyMode
from hub.sdk.manifest import CapabilityInfo
from hub.store.engine import driver
from hub.store.reading import open_reading
from hub.store.sql_store import SqlStore
from hub.views.verify import verify
from tests.conftest import Database, SettableClock
from tests.exchange.world import Handlers, Plain, PlainReply, Target, World, manifest
from tests.property.memory_store import location, order_record, rules

SHOP_STREAMS = ("orders", "cancel_requests", "refunds", "shipments", "items")
WMS_STREAMS = ("fulfilment_responses", "shipments", "stock")


def spine(**changes: Any) -> Rules:
    """One channel, two locations, one ERP, stock told to the channel."""
    made = rules(location("east"), location("west", priority=2), **changes)
    return replace(made, takers={**made.takers, "push_inventory": ("shop",)})


class Whole(World):
    """`World` with the OMS's own handlers. `shop`, `wms-east`, `wms-west` and `erp` are its connections."""

    def __init__(
        self, given: Rules | None = None, store: SqlStore | None = None, clock: SettableClock | None = None
    ) -> None:
        self.rules = given or spine()
        super().__init__(store=store, clock=clock)
        self.shop = Target(self.clock, deduplicates=True)
        self.wms = {name: Target(self.clock, deduplicates=True) for name in ("wms-east", "wms-west")}
        self.streams = {name: Plain(name) for name in {*SHOP_STREAMS, *WMS_STREAMS, "acknowledgements"}}
        self.views["shop"] = self._view(
            "shop", self.shop, SHOP_STREAMS, {"push_shipment": SafetyMode.LOOKUP, "push_inventory": SafetyMode.LOOKUP}
        )
        for name, target in self.wms.items():
            modes = dict.fromkeys(("send_fulfilment_request", "cancel_fulfilment_request"), SafetyMode.LOOKUP)
            self.views[name] = self._view(name, target, WMS_STREAMS, modes)
        self.change_rules(self.rules)

    def change_rules(self, given: Rules) -> None:
        """The hub goes on under another configuration."""
        self.rules = given
        built = build(given)
        self.handlers = Handlers(dict(built.messages), dict(built.tasks), dict(built.queries))
        self.restart()

    def _view(
        self, name: str, target: Target, streams: tuple[str, ...], modes: dict[str, SafetyMode]
    ) -> ConnectionView:
        return ConnectionView(
            name,
            manifest(name),
            target,
            streams={stream: StreamView(stream, mapping=self.streams[stream]) for stream in streams},
            capabilities={Capability(one): CapabilityInfo(Capability(one), mode) for one, mode in modes.items()},
            replies={one: PlainReply() for one in modes},
        )

    # what the others say

    def stock(self, connection: str = "wms-east", **levels: int | str) -> None:
        """A count of a location, TEE=5."""
        rows = [{"sku": sku, "quantity": str(units)} for sku, units in levels.items()]
        record = {"location": connection.removeprefix("wms-").upper(), "as_of": self.clock.now().isoformat()}
        self.receive({**record, "rows": rows}, "stock", connection)
        self.settle()

    def items(self, *skus: str) -> None:
        for sku in skus:
            self.receive({"external_id": sku, "sku": sku}, "items")
        self.settle()

    def restate(self, *lines: tuple[str, str, int | str], number: int = 1, **fields: Any) -> None:
        """The order as the shop states it, the `number`th time."""
        version = f"2026-11-02T09:{number:02}:00.000000Z"
        self.receive(order_record(*lines, **{"source_version": version, **fields}))

    def fact(self, stream: str, connection: str = "shop", **fields: Any) -> None:
        self.receive({"fact_key": self.ids.new("fk", self.clock.now()), **fields}, stream, connection)

    def report(self, work: str, status: str, **fields: Any) -> None:
        row = self.work(work)
        self.fact("fulfilment_responses", row["connection"], fulfilment_order=row["id"], status=status, **fields)
        self.settle()

    def ships(self, work: str, units: str = "1", line: str = "L1", **fields: Any) -> None:
        row = self.work(work)
        key = self.ids.new("fk", self.clock.now())
        package = {
            "package": "1",
            "tracking_number": f"TN{key[-6:]}",
            "lines": [{"line": self.line(line)["id"], "quantity": units}],
        }
        record = {"external_id": key, "fulfilment_order": row["id"], "shipped_at": self.clock.now().isoformat()}
        self.fact("shipments", row["connection"], **{**record, "packages": [package], **fields})
        self.settle()

    # what people do

    def person(
        self, verb: Callable[..., Decision], *arguments: Any, who: str = "ann", reason: str = "asked by phone"
    ) -> Decision:
        """Somebody's action on the order, as the command line does it."""
        cause = self.ids.new("ac", self.clock.now())
        taken: list[Decision] = []

        def rows(writer: Any) -> WriteSet:
            given = arguments or (self.the_order()["id"],)
            decision = verb(writer.snapshot, self.rules, writer.now, cause, *given, who, reason)
            taken[:] = [decision]
            return decision_rows(decision, writer)

        assert self.commit(rows) is Applied.APPLIED
        self.settle()
        return taken[0]

    # what came of it

    def the_order(self) -> dict[str, Any]:
        (row,) = self.rows("orders")
        return row

    def work(self, location_id: str) -> dict[str, Any]:
        """The newest fulfilment order of a location."""
        with self.store.read() as snapshot:
            found = snapshot.rows("fulfilment_orders", {"location": location_id}, order_by=("-created_at", "-id"))
        return found[0]

    def line(self, external_id: str = "L1") -> dict[str, Any]:
        (row,) = self.rows("order_lines", external_line_id=external_id)
        return row

    def buckets(self, external_id: str = "L1") -> dict[str, int]:
        names = ("open", "allocated", "backordered", "released", "accepted", "picked", "packed", "shipped", "cancelled")
        line = self.line(external_id)
        return {name: int(line[name]) for name in names if line[name]}

    def sent(self, capability: str) -> list[str]:
        """Business keys of what the others have got, by capability."""
        targets = (self.erp, self.shop, *self.wms.values())
        return sorted(key for target in targets for key, _, _ in target.documents if f"/{capability}/" in key)

    def findings(self, database: Database | None = None) -> list[str]:
        """What `hub verify` says of the database."""
        with self._reading(database) as connection:
            return [f"{one['promise']}: {one['detail']}" for one in verify(connection)]

    @contextmanager
    def _reading(self, database: Database | None) -> Iterator[Connection]:
        if database is not None:
            with open_reading(database.address, home=database.home) as connection:
                yield connection
            return
        assert self.database is not None
        memory = self.database.connection
        engine = create_engine("sqlite://", creator=lambda: memory, module=driver, poolclass=StaticPool)
        with engine.connect() as connection:
            yield connection

    def all_text(self, *tables: str) -> str:
        """Everything that stands in these tables, as one text to search in."""
        return "\n".join(repr(row) for table in tables for row in self.rows(table))
