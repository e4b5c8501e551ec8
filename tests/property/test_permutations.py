"""The stories of the command `python -m tests.property.permutations`, some arrivals of each."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property import permutations
from tests.property.observations import Observation, played
from tests.property.permutations import OUTCOMES, STORIES, moments_of, outcome_of, sent_between


@pytest.mark.parametrize("story", STORIES)
def test_one_order_comes_of_every_arrival(story: str) -> None:
    told = STORIES[story]
    assert len(told) == 6
    expected = played(list(told.values()))

    @given(arrival=st.permutations(list(told)))
    @settings(max_examples=25, deadline=dt.timedelta(seconds=5))
    def whatever_came_first(arrival: list[str]) -> None:
        assert played([told[name] for name in arrival]) == expected

    whatever_came_first()


@pytest.mark.parametrize("story", STORIES)
def test_with_sending_between_every_run_ends_in_a_stated_outcome(story: str) -> None:
    told = STORIES[story]
    wanted = played(list(told.values()))["lines"]

    @given(arrival=st.permutations(list(told)), moments=st.sampled_from(list(moments_of(len(told)))))
    @settings(max_examples=25, deadline=dt.timedelta(seconds=5))
    def whenever_it_leaves(arrival: list[str], moments: tuple[int, int]) -> None:
        bench = sent_between([told[name] for name in arrival], *moments)
        assert outcome_of(bench, wanted) in OUTCOMES

    whenever_it_leaves()


def test_an_order_that_depends_on_arrival_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command must be able to fail: equal versions fall to arrival."""
    first, second = (STORIES["edited, cancelled in part, refunded"][name] for name in ("create", "note"))
    same_version: dict[str, Observation] = {
        "create": first,
        "paid": lambda bench: bench.order({**_said(), "payment_state": "paid"}),
        "authorised": lambda bench: bench.order({**_said(), "payment_state": "authorised"}),
        "note": second,
    }
    monkeypatch.setitem(permutations.STORIES, "equal versions", same_version)
    assert permutations.main(["--story", "equal versions", "--sent-of", "1", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["runs"] == 24
    assert report["divergences"] == 12
    assert report["items"][0]["diverged"][0]["differs"]["facts"]


def _said() -> dict[str, str]:
    return {"external_id": "4507", "source_version": "2026-11-02T09:08:00.000000Z", "currency": "USD"}
