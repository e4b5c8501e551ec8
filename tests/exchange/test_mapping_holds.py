"""An order that a mapping holds: what a person is told to do about it, and that doing so helps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hub.cli.order_told import WIDEST, tell_head
from hub.domain.decision import MappingHold
from hub.domain.writeset import Applied
from hub.exchange.connections import Mapped
from hub.exchange.redrive import retry_subject
from hub.exchange.verbs import Refused
from hub.oms.people import release_order
from hub.views.orders import show_order
from hub.views.work import list_exceptions
from tests.exchange.whole import Whole
from tests.exchange.world import Plain

PROMISED = {"priority": "gift", "note": "call A. Buyer, or buyer@example.com"}


class Tabled(Plain):
    """A mapping with a table of what the shop calls its kinds of orders; `strict` holds what the table lacks."""

    def __init__(self) -> None:
        super().__init__("orders")
        self.table = {"normal": "sale"}
        self.strict = True

    def run(self, tree: Any) -> Mapped:
        record = dict(super().run(tree).record)
        said = record.pop("their_type", None)
        holds: tuple[MappingHold, ...] = ()
        if said in self.table:
            record["order_type"] = self.table[said]
        elif self.strict:
            holds = (MappingHold("order_type", "mapping", f"order_type: the table does not know {said!r}"),)
        return Mapped(record, holds)


@pytest.fixture
def hub() -> Iterator[Whole]:
    world = Whole()
    world.items("TEE")
    world.stock(TEE=9)
    world.change_stream("shop", "orders", mapping=Tabled())
    yield world
    assert world.findings() == []


def table(hub: Whole) -> Tabled:
    mapping = hub.views["shop"].streams["orders"].mapping
    assert isinstance(mapping, Tabled)
    return mapping


def held(hub: Whole, *external_ids: str, **fields: Any) -> list[str]:
    """Their ids, once each came and is held."""
    for one in external_ids or ("1",):
        hub.restate(("L1", "TEE", 1), external_id=one, their_type="wholesale", **fields)
        hub.settle()
    orders = sorted(hub.rows("orders"), key=lambda row: str(row["external_id"]))
    assert [row["status"] for row in orders] == ["held"] * len(orders)
    return [str(row["id"]) for row in orders]


def retried(hub: Whole, order: str) -> None:
    assert hub.commit(lambda writer: retry_subject(writer, "order", order, "ann")) is Applied.APPLIED
    hub.settle()


def shown(hub: Whole, order: str) -> dict[str, Any]:
    with hub._reading(None) as connection:
        found = show_order(connection, order)
    assert found is not None
    return found


def test_what_can_be_done_about_a_shared_cause_names_the_order_that_is_looked_at(hub: Whole) -> None:
    orders = held(hub, "1", "2")
    (exception,) = hub.rows("exceptions", state="open")
    assert not any(order in exception["hint"] for order in orders)
    for order in orders:
        assert f"hub orders release {order} --reason WHY" in shown(hub, order)["exceptions"][0]["hint"]
    with hub._reading(None) as connection:
        (listed,) = list_exceptions(connection)
    assert "hub orders release ORDER --reason WHY" in listed["hint"]
    assert f"hub exceptions retry {exception['id']}" in listed["hint"]


def test_an_exception_of_one_order_names_it(hub: Whole) -> None:
    (order,) = held(hub)
    with hub._reading(None) as connection:
        (listed,) = list_exceptions(connection)
    assert f"hub orders release {order} --reason WHY" in listed["hint"]


def test_a_held_order_is_read_again_and_goes_on_once_its_value_maps(hub: Whole) -> None:
    (order,) = held(hub)
    table(hub).table["wholesale"] = "b2b"
    retried(hub, order)
    (row,) = hub.rows("orders")
    assert (row["status"], row["order_type"], hub.exceptions()) == ("confirmed", "b2b", [])
    old, new = sorted(hub.rows("messages", stream="orders"), key=lambda message: int(message["sequence"]))
    assert (old["state"], new["state"], new["redrive_of"]) == ("re-driven", "applied", old["id"])
    assert len(hub.sent("submit_order")) == 1


def test_a_mapping_that_only_holds_no_more_releases_too(hub: Whole) -> None:
    (order,) = held(hub)
    table(hub).strict = False
    retried(hub, order)
    assert ([row["status"] for row in hub.rows("orders")], hub.exceptions()) == (["confirmed"], [])


def test_an_order_that_still_does_not_map_stays_held_and_can_be_tried_again(hub: Whole) -> None:
    (order,) = held(hub)
    retried(hub, order)
    assert held(hub) == [order]
    assert hub.exceptions() == ["hold"]
    table(hub).table["wholesale"] = "b2b"
    retried(hub, order)
    assert ([row["status"] for row in hub.rows("orders")], hub.exceptions()) == (["confirmed"], [])


def test_the_newest_of_its_restates_is_what_is_read_again(hub: Whole) -> None:
    hub.restate(("L1", "TEE", 3), number=2, their_type="wholesale")
    hub.settle()
    hub.restate(("L1", "TEE", 1), number=1, their_type="wholesale")
    hub.settle()
    table(hub).table["wholesale"] = "b2b"
    retried(hub, str(hub.the_order()["id"]))
    assert (hub.the_order()["status"], hub.line()["ordered"]) == ("confirmed", 3)


def test_trying_an_order_again_that_no_mapping_holds_is_refused_in_plain_words(hub: Whole) -> None:
    (order,) = held(hub)
    hub.person(release_order)
    with pytest.raises(Refused, match="nothing holds this order"):
        retried(hub, order)


def test_what_the_channel_sent_beyond_the_model_is_shown_without_its_people(hub: Whole) -> None:
    (order,) = held(hub, attributes=PROMISED)
    found = shown(hub, order)
    assert found["attributes"] == {"priority": "gift", "note": "call ***, or ***"}
    assert found["order_type"] == "sale"


def test_the_line_of_attributes_is_bounded(hub: Whole, capsys: pytest.CaptureFixture[str]) -> None:
    (order,) = held(hub, attributes={"long": "x" * 1000, "gift": "yes"})
    tell_head(shown(hub, order))
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "attributes" in line]
    assert line.startswith("  attributes  gift=yes, long=xxx")
    assert len(line) < WIDEST + 20
