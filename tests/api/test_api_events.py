"""What happened, for those who follow the hub: valid CloudEvents, complete, each once, nothing personal."""

from __future__ import annotations

import ast
import datetime as dt
import re
from pathlib import Path
from typing import Any

from hub.domain.events import FACT_MEANINGS, Fact
from hub.store.reading import open_reading
from hub.views.events import SETTLED, list_events, settled
from tests.api.service import Service, an_order
from tests.api.test_api_work import submitted

ROOT = Path(__file__).resolve().parents[2]
ATTRIBUTE = re.compile(r"[a-z0-9]+\Z")
REQUIRED = {"specversion", "id", "source", "type"}


def is_cloud_event(event: dict[str, Any]) -> bool:
    """The rules of the CloudEvents specification 1.0.2, section 3, for the JSON format."""
    texts = [value for name, value in event.items() if name != "data"]
    time = dt.datetime.fromisoformat(event["time"])
    return (
        event.keys() >= REQUIRED
        and event["specversion"] == "1.0"
        and all(ATTRIBUTE.match(name) for name in event)
        and all(isinstance(text, str) and text for text in texts)
        and time.tzinfo is not None
        and not re.search(r"\s", event["source"])
    )


def test_everything_that_happened_to_an_order_is_there_once_and_in_order(service: Service) -> None:
    order = submitted(service)["order_id"]
    found = service.get("/v1/events", order=order)["items"]
    assert all(is_cloud_event(event) for event in found), found
    types = [event["type"] for event in found]
    assert [types.index(fact) for fact in (Fact.ORDER_CAPTURED, Fact.ORDER_ALLOCATED, Fact.ORDER_CONFIRMED)] == sorted(
        types.index(fact) for fact in (Fact.ORDER_CAPTURED, Fact.ORDER_ALLOCATED, Fact.ORDER_CONFIRMED)
    )
    assert len({event["id"] for event in found}) == len(found)
    assert {event["orderid"] for event in found} == {order}
    assert an_order()["ship_to"]["name"] not in str(found)


def test_a_follower_reads_on_from_a_sequence_page_by_page_without_gap_or_repeat(service: Service) -> None:
    order = submitted(service)["order_id"]
    whole = [event["id"] for event in service.get("/v1/events", order=order)["items"]]
    first = service.get("/v1/events", order=order, limit=2)
    seen = [event["id"] for event in first["items"]]
    answer = service.asking("GET", first["next"])
    seen += [event["id"] for event in answer.data["items"]]
    after = answer.data["items"][-1]["sequence"]
    seen += [event["id"] for event in service.get("/v1/events", order=order, after=after)["items"]]
    assert seen == whole


def test_types_are_asked_for_whole_or_by_their_beginning(service: Service) -> None:
    order = submitted(service)["order_id"]
    one = service.get("/v1/events", order=order, fact="hub.order.confirmed.v1")["items"]
    assert [event["type"] for event in one] == [Fact.ORDER_CONFIRMED]
    many = service.get("/v1/events", order=order, fact="hub.fulfilment_order.")["items"]
    assert {event["type"].split(".")[1] for event in many} == {"fulfilment_order"}
    assert {event["subject"] for event in many} == {event["data"]["fulfilment_order"] for event in many}
    assert service.get("/v1/events", order=order, fact="hub._rder.")["items"] == []


def test_what_may_still_be_overtaken_is_left_out_for_those_who_read_on(service: Service) -> None:
    submitted(service)
    assert service.get("/v1/events")["items"] == []
    later = dt.datetime.now(dt.UTC) + SETTLED + dt.timedelta(seconds=1)
    with open_reading("hub.db", home=service.site.home) as connection:
        assert list_events(connection, until=settled(later), limit=1000)


def test_every_fact_that_is_named_is_told_somewhere_and_says_what_it_means() -> None:
    told: set[str] = set()
    for path in (ROOT / "hub").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            is_fact = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Fact"
            if is_fact and path.name != "events.py":
                told.add(node.attr)  # type: ignore[attr-defined]
    assert told == {fact.name for fact in Fact}
    assert FACT_MEANINGS.keys() == set(Fact)
