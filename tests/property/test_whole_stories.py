"""Whatever a shop, its warehouses, an ERP and people say, in any order: `hub verify` finds nothing, on both databases.

The order management runs behind the real exchange and store. Calls fail in every way; time passes in between.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from typing import Any

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.cli.main import hub as cli
from hub.domain.decision import Decision
from hub.exchange import verbs
from hub.exchange.verbs import Refused
from hub.oms.people import cancel_order, hold_order, release_order
from tests.conftest import Database, SettableClock
from tests.exchange.whole import Whole

units = st.integers(0, 4)
line_ids = st.sampled_from(["L1", "L2"])
reports = st.sampled_from(
    ["acknowledged", "in_progress", "picked", "packed", "short", "rejected", "cancel_accepted", "cancel_refused"]
)
misfortunes = st.sampled_from(["refuse", "lose_answer", "fail_before", "unreachable", "late", "gone", "bug", "auth"])
targets = st.sampled_from(["erp", "shop", "wms-east", "wms-west"])
step = st.one_of(
    st.tuples(st.just("restate"), units, units),
    st.tuples(st.just("held restate"), units, st.sampled_from(["address", "payment", "unknown sku", "currency"])),
    st.tuples(st.just("report"), st.integers(0, 3), reports, st.none() | st.tuples(line_ids, units)),
    st.tuples(st.just("ship"), st.integers(0, 3), line_ids, units),
    st.tuples(st.just("by hand"), line_ids, units),
    st.tuples(st.just("cancel"), st.none() | st.tuples(line_ids, units)),
    st.tuples(st.just("refund"), line_ids, units, st.sampled_from(["none", "cancel", "return"])),
    st.tuples(st.just("count"), st.sampled_from(["east", "west"]), st.integers(-1, 6)),
    st.tuples(st.just("empty count")),
    st.tuples(st.just("item")),
    st.tuples(st.just("person"), st.sampled_from(["hold", "release", "cancel"])),
    st.tuples(st.just("verb"), st.integers(0, 9), st.sampled_from(["happened", "not", "abandon", "resend", "done"])),
    st.tuples(st.just("script"), targets, misfortunes),
    st.tuples(st.just("wait"), st.sampled_from([5, 90, 3700, 90_000])),
)
Step = tuple[Any, ...]
WRONG: dict[str, dict[str, Any]] = {
    "address": {"ship_to": {"country": "US"}},
    "payment": {"payment_state": "pending"},
    "unknown sku": {},
    "currency": {"currency": ""},
}


def play(hub: Whole, number: int, said: Step) -> None:
    kind, *rest = said
    work = hub.rows("fulfilment_orders")
    if kind == "restate":
        hub.restate(("L1", "TEE", rest[0]), ("L2", "CAP", rest[1]), number=number)
    elif kind == "held restate":
        quantity, why = rest
        changes = WRONG[why]
        hub.restate(("L1", "NEW" if why == "unknown sku" else "TEE", quantity), number=number, **changes)
    elif kind == "report" and work:
        chosen = work[rest[0] % len(work)]
        requests = chosen["document"]["cancel_requests"]
        fields: dict[str, Any] = {"cancel_request": requests[-1]["id"] if requests else "cr_x"}
        if rest[2] is not None and hub.rows("order_lines", external_line_id=rest[2][0]):
            fields["lines"] = [{"line": hub.line(rest[2][0])["id"], "quantity": str(rest[2][1])}]
        record = {"fulfilment_order": chosen["id"], "status": rest[1], **fields}
        hub.fact("fulfilment_responses", chosen["connection"], **record)
    elif kind == "ship" and work and hub.rows("order_lines", external_line_id=rest[1]):
        chosen = work[rest[0] % len(work)]
        shipped = [{"line": hub.line(rest[1])["id"], "quantity": str(rest[2])}]
        package = {"package": "1", "tracking_number": f"TN{number}", "lines": shipped}
        record = {"external_id": f"s{number}", "shipped_at": hub.clock.now().isoformat(), "packages": [package]}
        hub.fact("shipments", chosen["connection"], fulfilment_order=chosen["id"], **record)
    elif kind == "by hand":
        package = {"package": "1", "lines": [{"external_line_id": rest[0], "quantity": str(rest[1])}]}
        hub.fact("shipments", external_id=f"h{number}", order_external_id="4507", packages=[package])
    elif kind == "cancel":
        part = {"lines": [{"external_line_id": rest[0][0], "quantity": str(rest[0][1])}]} if rest[0] else {}
        hub.fact("cancel_requests", "shop", order_external_id="4507", **part)
    elif kind == "refund":
        lines = [{"external_line_id": rest[0], "quantity": str(rest[1]), "restock": rest[2]}]
        hub.fact("refunds", external_id=str(number), order_external_id="4507", lines=lines)
    elif kind == "count":
        hub.stock(f"wms-{rest[0]}", TEE=rest[1], CAP=rest[1], NEW=rest[1])
    elif kind == "empty count":
        record = {"location": "EAST", "as_of": hub.clock.now().isoformat(), "rows": []}
        hub.receive(record, "stock", "wms-east")
    elif kind == "item":
        hub.items("NEW")
    elif kind == "person" and hub.rows("orders"):
        verbs_of: dict[str, Callable[..., Decision]] = {
            "hold": hold_order,
            "release": release_order,
            "cancel": cancel_order,
        }
        hub.person(verbs_of[rest[0]])
    elif kind == "verb":
        _say(hub, rest[0], rest[1])
    elif kind == "script":
        target = {"erp": hub.erp, "shop": hub.shop, **hub.wms}[rest[0]]
        target.script.append(rest[1])
    hub.settle(rest[0] if kind == "wait" else 1)


def _say(hub: Whole, number: int, verb: str) -> None:
    """Somebody says what became of one of the calls, if it is in a state in which that can be said."""
    rows = sorted(hub.rows("deliveries"), key=lambda row: str(row["id"]))
    if not rows:
        return
    chosen = str(rows[number % len(rows)]["id"])
    said: dict[str, Callable[[Any], Any]] = {
        "happened": lambda writer: verbs.happened(writer, chosen, f"X{number}", "ann"),
        "not": lambda writer: verbs.did_not_happen(writer, chosen, "ann"),
        "abandon": lambda writer: verbs.abandon(writer, chosen, "lost interest", "ann"),
        "resend": lambda writer: verbs.resend_as_new(writer, chosen, "again", "ann"),
        "done": lambda writer: verbs.mark_done(writer, chosen, f"X{number}", "by hand", "ann"),
    }
    try:
        hub.commit(said[verb])
    except Refused:
        return


def told(hub: Whole, steps: list[Step]) -> None:
    hub.items("TEE", "CAP")
    for name in ("wms-east", "wms-west"):
        hub.stock(name, TEE=2, CAP=2)
    play(hub, 1, ("restate", 2, 1))
    for number, said in enumerate(steps, start=2):
        play(hub, number, said)


@given(steps=st.lists(step, max_size=12))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_verify_is_clean_after_any_story(steps: list[Step]) -> None:
    hub = Whole()
    told(hub, steps)
    assert hub.findings() == []
    hub.run_for(3 * 86_400, every=6 * 3_600)
    assert hub.findings() == []
    for row in hub.rows("exceptions"):
        told_plainly(row)


def told_plainly(exception: dict[str, Any]) -> None:
    """Whoever reads it knows what, why, what next and who; a command that it names is one that there is."""
    assert all(exception[name] for name in ("title", "detail", "next_step", "hint", "owner")), exception
    name, *words = shlex.split(exception["hint"]) if exception["hint"].startswith("hub ") else ["", ""]
    if name != "hub":
        return
    command: click.Command = cli
    context = click.Context(command)
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, exception["hint"]
        command = found
    command.make_parser(context).parse_args(words)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_verify_is_clean_after_stories_on_every_database(kind: str, make_database: Callable[[str], Database]) -> None:
    @given(steps=st.lists(step, min_size=4, max_size=10))
    @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def stories(steps: list[Step]) -> None:
        database = make_database(kind)
        clock = SettableClock()
        store = database.open(clock)
        hub = Whole(store=store, clock=clock)
        told(hub, steps)
        assert hub.findings(database) == []
        database.close(store)
        if kind == "sqlite":
            shutil.rmtree(database.home)

    stories()
