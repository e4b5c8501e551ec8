"""Every order of arrival of the same observations of one order, before outgoing work is sent and with sending between.

    python -m tests.property.permutations [--story NAME] [--json]

Before sending: one canonical order, one set of ledgers, one set of business keys, whatever came first. With sending
between (the work goes out, and the location ships, each after any of the arrivals): what has left cannot be the same,
so every run must break no invariant and end in one of the outcomes named here.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.domain.quantity import LEFT, Bucket
from hub.oms.change.less_wanted import EXPLAINED_WITHIN, RAISED
from tests.property.memory_store import Bench, order_record
from tests.property.observations import (
    GRACE,
    Observation,
    cancel_asked,
    counted,
    furnished,
    item,
    partial,
    played,
    refunded,
    refunded_at_provider,
    restated,
    shipped_by_hand,
    told_by_provider,
    version,
    work_on,
)

ZERO = Decimal(0)
Story = dict[str, Observation]
SHOWN = 5


def _fewer() -> Observation:
    """A restate that says of its first line that fewer are wanted now, beside what was ordered."""
    record = order_record(("L1", "TEE", 5), ("L2", "CAP", 2), source_version=version(3))
    record["lines"][0]["current_quantity"] = "3"
    return lambda bench: bench.order(record)


def _by_card(number: int, units: int) -> Observation:
    card = {"external_id": "card-1", "method": "card", "amount": str(units * 10), "state": "authorised"}
    return restated(number, ("L1", "TEE", units), payments=[card], payment_state="authorised")


CANCELLED = {"cancelled_at": "2026-11-02T09:04:00Z", "cancel_reason": "customer"}
STORIES: dict[str, Story] = {
    "edited, cancelled in part, refunded": {
        "create": restated(1, ("L1", "TEE", 3), ("L2", "CAP", 1)),
        "more": restated(2, ("L1", "TEE", 5), ("L2", "CAP", 2)),
        "fewer": _fewer(),
        "cancel one of L2": cancel_asked("c-1", ("L2", 1)),
        "refund one of L1": refunded("r-1", "L1", 1),
        "note": partial(4, note="leave at the door", payment_state="paid"),
    },
    "stock comes while it is edited": {
        "create": restated(1, ("L1", "TEE", 14), ("L2", "CAP", 4)),
        "fewer": restated(2, ("L1", "TEE", 11), ("L2", "CAP", 4)),
        "east counts": counted("east", 1, TEE=4, CAP=3),
        "west counts": counted("west", 2, TEE=8, CAP=0),
        "east counts again": counted("east", 3, TEE=6, CAP=3),
        "cancel one of L2": cancel_asked("c-1", ("L2", 1)),
    },
    "shipped by hand beside ours": {
        "create": restated(1, ("L1", "TEE", 3), ("L2", "CAP", 2)),
        "more": restated(2, ("L1", "TEE", 4), ("L2", "CAP", 2)),
        "two by hand": shipped_by_hand("h-1", "L1", 2),
        "one by hand": shipped_by_hand("h-2", "L2", 1),
        "refund of one sent back": refunded("r-1", "L1", 1, "return"),
        "cancel one of L2": cancel_asked("c-1", ("L2", 1)),
    },
    "cancelled as a whole": {
        "create": restated(1, ("L1", "TEE", 3)),
        "more": restated(2, ("L1", "TEE", 4)),
        "a line more": restated(3, ("L1", "TEE", 4), ("L2", "CAP", 1)),
        "cancelled": restated(4, ("L1", "TEE", 4), ("L2", "CAP", 1), **CANCELLED),
        "cancel asked": cancel_asked("c-1"),
        "refund of one": refunded("r-1", "L1", 1),
    },
    "held for its payment and an unknown article": {
        "create": restated(1, ("L1", "TEE", 2), ("L2", "NEW", 1), payment_state="pending"),
        "authorised": partial(2, payment_state="authorised"),
        "paid": partial(3, payment_state="paid"),
        "the article": item("NEW"),
        "east counts": counted("east", 1, TEE=3, NEW=2),
        "more": restated(4, ("L1", "TEE", 3), ("L2", "NEW", 2)),
    },
    "paid at a provider that tells by itself": {
        "create": _by_card(1, 2),
        "more": _by_card(2, 4),
        "authorised": told_by_provider("a-1", "authorised", "40"),
        "captured there": told_by_provider("p-1", "captured", "5"),
        "given back there": refunded_at_provider("r-1", "2"),
        "cancel one": cancel_asked("c-1", ("L1", 1)),
    },
}
"""Six observations each, versions and times of their sources fixed."""


def differing(expected: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, list[str]]:
    """The parts that differ, as text: expected, found."""
    return {name: [str(expected[name]), str(found[name])] for name in expected if expected[name] != found[name]}


def before_sending(story: Story) -> tuple[int, list[dict[str, Any]]]:
    """All arrivals; (runs, divergences from what comes of the order of the sources' own times)."""
    expected = played(list(story.values()))
    runs = 0
    diverged = []
    for arrival in itertools.permutations(story):
        runs += 1
        found = played([story[name] for name in arrival])
        if found != expected:
            diverged.append({"arrival": list(arrival), "differs": differing(expected, found)})
    return runs, diverged


TOLD = (RAISED, "cancel-too-late/", "shipped-twice/", "cancelled-shipped/", "shipped-unexpected/")
OUTCOMES = {
    "cancelled, nothing left": "everything is cancelled and nothing has left",
    "shipped as wanted": "what is wanted has left, nothing else, and nothing is open",
    "shipped as wanted, the rest waits for stock": "no location has the rest: backordered, its demand counted",
    "left before the change, a person is told": "more has left than is wanted now, an open exception says so",
    "held": "a hold says what is wrong; nothing of it is sent",
}
"""How a run with sending between may end."""


def with_sending(story: Story, most: int) -> tuple[int, Counter[str], list[dict[str, Any]]]:
    """Arrivals of the story's first `most` observations, the work sent after any of them, the location shipping after
    any later one. (runs, outcomes, runs that ended in none of them or broke an invariant)"""
    names = list(story)[:most]
    wanted = played([story[name] for name in names])["lines"]
    runs = 0
    outcomes: Counter[str] = Counter()
    broken = []
    for arrival in itertools.permutations(names):
        for sent, left in moments_of(len(arrival)):
            runs += 1
            where = {"arrival": list(arrival), "sent_after": sent, "shipped_after": left}
            try:
                bench = sent_between([story[name] for name in arrival], sent, left)
                outcome = outcome_of(bench, wanted)
            except AssertionError as error:
                broken.append({**where, "broken": str(error).splitlines()[0]})
                continue
            outcomes[outcome] += 1
            if outcome not in OUTCOMES:
                broken.append({**where, "broken": outcome})
    return runs, outcomes, broken


def moments_of(arrivals: int) -> Iterator[tuple[int, int]]:
    """(after how many arrivals the work goes out, after how many it ships)."""
    yield from itertools.combinations_with_replacement(range(1, arrivals + 1), 2)


def sent_between(observations: Sequence[Observation], sent: int, left: int) -> Bench:
    bench = furnished()
    location_of_work = Location(bench)
    for number, observe in enumerate(observations, start=1):
        observe(bench)
        work_on(bench)
        if number >= sent:
            _end_grace(bench)
            bench.send()
            if number == left:  # what was asked just now crosses the goods on their way out
                location_of_work.ships()
            location_of_work.answers()
        bench.later(seconds=1)
    _end_grace(bench)
    for _ in range(len(observations) + 1):
        bench.send()
        location_of_work.answers()
        location_of_work.ships()
        bench.run("allocate", "resource", "confirm")
    bench.later(seconds=EXPLAINED_WITHIN.total_seconds())
    bench.run("less_wanted")
    return bench


def _end_grace(bench: Bench) -> None:
    bench.later(seconds=GRACE)
    bench.run("allocate", "release_holds", "confirm", "resource")


class Location:
    """The locations' side: acknowledges, gives back what it is asked for while it has it, ships the rest."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.said = 0

    def _fact(self, stream: str, **record: Any) -> None:
        self.said += 1
        self.bench.fact(stream, {"fact_key": f"w-{self.said}", **record}, connection="wms")

    def _work(self) -> list[dict[str, Any]]:
        return self.bench.store.rows("fulfilment_orders", {}, order_by=("created_at", "id"))

    def answers(self) -> None:
        """To the work itself and to every cancel request."""
        for work in self._work():
            if work["state"] in ("planned", "sent", "unknown"):
                self._fact("fulfilment_responses", fulfilment_order=work["id"], status="acknowledged")
        for work in self._work():
            for request in work["document"]["cancel_requests"]:
                if not any(answer in asked for asked in request["lines"] for answer in ANSWERS):
                    self._fact(
                        "fulfilment_responses",
                        fulfilment_order=work["id"],
                        status="cancel_accepted",
                        cancel_request=request["id"],
                    )
        self.bench.run("allocate", "resource", "confirm")

    def ships(self) -> None:
        for work in self._work():
            inside = []
            for part in work["document"]["lines"]:
                held = sum((Decimal(part["buckets"].get(name, "0")) for name in HELD), ZERO)
                if held > 0:
                    inside.append({"line": part["line"], "quantity": str(held)})
            if inside:
                package = {"package": "1", "tracking_number": f"TN{self.said}", "lines": inside}
                shipped_at = self.bench.now.isoformat()
                self._fact(
                    "shipments",
                    fulfilment_order=work["id"],
                    external_id=f"s-{self.said}",
                    shipped_at=shipped_at,
                    packages=[package],
                )


ANSWERS = ("accepted", "refused", "overtaken")
HELD = ("released", "accepted", "picked", "packed")


def outcome_of(bench: Bench, wanted: Mapping[str, Mapping[str, Decimal]]) -> str:
    """One of OUTCOMES, or what else it is. `wanted`: the lines as they end when nothing is sent."""
    order = bench.the_order()
    lines = bench.store.rows("order_lines", {}, order_by=("number",))
    told = any(key.startswith(TOLD) for key in order["document"].get("raised", ()))
    if bench.store.rows("holds", {"released_at": None}):
        return "held"
    excess = waits = left = at_work = ZERO
    for line in lines:
        alive = sum(wanted.get(line["external_line_id"], {}).values(), ZERO)
        alive -= wanted.get(line["external_line_id"], {}).get(Bucket.CANCELLED.value, ZERO)
        gone = sum((line[bucket.value] for bucket in LEFT), ZERO)
        left += gone
        excess += max(gone + line["over_shipped"] - alive, ZERO)
        waits += line[Bucket.BACKORDERED.value]
        at_work += sum((line[name] for name in (*HELD, "open", "allocated", "preordered")), ZERO)
    if at_work:
        return f"{at_work} units stand where nobody moves them"
    if excess:
        return "left before the change, a person is told" if told else f"{excess} units too many left, nobody is told"
    if waits:
        return "shipped as wanted, the rest waits for stock"
    return "shipped as wanted" if left else "cancelled, nothing left"


def run(stories: Mapping[str, Story], most: int, told: Callable[[str], object]) -> dict[str, Any]:
    """The report that `--json` prints."""
    started = time.monotonic()
    items: list[dict[str, Any]] = []
    outcomes: Counter[str] = Counter()
    for name, story in stories.items():
        runs, diverged = before_sending(story)
        told(f"{name}: {runs} arrivals, {len(diverged)} divergences")
        sending_runs, ended, broken = with_sending(story, most)
        told(f"{name}: {sending_runs} runs with sending between, {len(broken)} broken")
        outcomes += ended
        items.append(
            {
                "story": name,
                "observations": list(story),
                "runs": runs,
                "divergences": len(diverged),
                "diverged": diverged[:SHOWN],
                "with_sending": {"runs": sending_runs, "outcomes": dict(ended), "broken": len(broken)},
                "broken": broken[:SHOWN],
            }
        )
    return {
        "items": items,
        "runs": sum(item["runs"] for item in items),
        "divergences": sum(item["divergences"] for item in items),
        "runs_with_sending": sum(item["with_sending"]["runs"] for item in items),
        "broken": sum(item["with_sending"]["broken"] for item in items),
        "outcomes": dict(sorted(outcomes.items())),
        "seconds": round(time.monotonic() - started, 1),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing diverged and every run ended as stated. 1: not so. 2: usage."""
    parser = argparse.ArgumentParser(prog="python -m tests.property.permutations", description=__doc__.split("\n")[0])
    parser.add_argument("--story", choices=sorted(STORIES), action="append", help="only this one")
    parser.add_argument("--sent-of", type=int, default=4, help="observations of a story that vary around the sending")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    stories = {name: STORIES[name] for name in given.story or STORIES}
    report = run(stories, given.sent_of, lambda words: print(words, file=sys.stderr))
    if given.json:
        print(json.dumps(report, indent=1))
    else:
        print(f"{report['runs']} arrivals before sending: {report['divergences']} divergences")
        print(f"{report['runs_with_sending']} runs with sending between: {report['broken']} broken")
        for outcome, count in report["outcomes"].items():
            print(f"{count:8} {outcome}: {OUTCOMES.get(outcome, 'NOT STATED')}")
    return 1 if report["divergences"] or report["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
