"""What a person can do is the same at the command line, through the API and from another machine, or says why not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hub.actions.table import ACTIONS
from hub.api.operations import OPERATIONS
from hub.cli import remote
from hub.cli.failure import Failure
from hub.cli.queries import QUERIES

CLI = Path(remote.__file__).parent

OTHER_NAMES = {"orders.write": "orders.create", "work.report": "fulfilment_orders.report"}
"""Action -> the operation of the API that does it under another name."""

MACHINE = "is about the hub's own machine: its files, its configuration, its database"
NOT_IN_API = {
    "ingest": MACHINE,
    "import.items": MACHINE,
    "import.check": MACHINE,
    "import.begin": MACHINE,
    "import.rows": MACHINE,
    "import.finish": MACHINE,
    "jobs.cancel": MACHINE,
    "web.link": MACHINE,
    "config.apply": MACHINE,
    "config.folder": MACHINE,
    "config.rollback": MACHINE,
    "connections.plan": MACHINE,
    "connections.go_live": MACHINE,
    "connections.held": MACHINE,
    "connections.sync": MACHINE,
    "inventory.adjust_to": "of two programs that state a number at once one would be lost: they state differences",
    "inventory.explain": "is inventory.promises there",
}
NOT_AT_THE_COMMAND_LINE = {
    "orders.create": "is orders.write there",
    "deliveries.done": "is `hub deliveries happened --reason` there",
    "messages.retry": "is `hub exceptions retry` there, which names the exception",
    "receipts.retry": "is `hub exceptions retry` there, which names the exception",
}
ASKED = {
    "reference": "1",
    "reason": "why",
    "leaving": "dc-east",
    "delivery": "dl_1",
    "exception_id": "ex_1",
    "connection": "erp",
    "fulfilment_order": "fo_1",
    "key": "ohk_1",
    "version": 1,
    "sku": "TEE",
    "source": "a",
    "destination": "b",
    "text": "{}",
    "store": "s",
    "note": "",
    "status": "picked",
}


def spoken() -> set[str]:
    """Actions that commands name; `f"returns.{name}"` stands for all of a noun."""
    found: set[str] = set()
    for path in CLI.glob("*.py"):
        if path.name == "remote.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and node.value in ACTIONS:
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                noun = str(node.values[0].value)
                found |= {action for action in ACTIONS if noun.endswith(".") and action.startswith(noun)}
    return found


def test_every_action_has_an_operation_of_the_api_or_a_reason() -> None:
    there = {OTHER_NAMES.get(action, action) for action in ACTIONS}
    missing = {action for action in ACTIONS if OTHER_NAMES.get(action, action) not in OPERATIONS}
    assert missing == NOT_IN_API.keys()
    doing = {name for name in OPERATIONS if not name.endswith((".list", ".get", ".body"))}
    looking = {"orders.at_risk", "payouts.unmatched", "inventory.promises", "hub.status", "hub.verify"}
    looking |= {"locations.pick_list", "fulfilment_orders.packing_slip"}
    assert doing - there == looking


def test_every_action_can_be_said_at_the_command_line_or_has_a_reason() -> None:
    assert ACTIONS.keys() - spoken() == NOT_AT_THE_COMMAND_LINE.keys()


class Heard(Exception):
    """The client was asked something: the action has its way over the network."""


class _Ear:
    def __init__(self, place: object) -> None:
        self.place = place

    def _hear(self, *arguments: object, **named: object) -> None:
        raise Heard(str(arguments[0]))

    get = post = patch = rows = _hear


@pytest.mark.parametrize("action", sorted(spoken()))
def test_every_command_reaches_a_hub_elsewhere_or_says_that_it_does_not(
    action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "Client", _Ear)
    place = remote.RemotePlace.__new__(remote.RemotePlace)
    expected = Failure if action in NOT_IN_API and action != "inventory.explain" else Heard
    with pytest.raises(expected):
        remote.act(place, action, dict(ASKED))


def test_every_question_of_a_command_can_be_asked_elsewhere() -> None:
    assert remote.LOOKS.keys() >= QUERIES.keys()
