"""The queue of those who wait, under any order of facts and of looking."""

from __future__ import annotations

import pytest

from tests.property.waiting_queue import run


@pytest.mark.parametrize(("seed", "steps"), [("1/27", 30), ("1/91", 30), ("3/1", 20), ("3/2", 20), ("3/3", 20)])
def test_nobody_is_served_past_the_queue_or_left_beside_goods(seed: str, steps: int) -> None:
    assert run(seed, steps)["served"] > 0
