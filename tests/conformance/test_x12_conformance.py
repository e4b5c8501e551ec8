"""Every purchase order (850) of the public samples through `ingest`, against a splitter of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance import x12_feed
from tests.conformance import x12_oracle as oracle

pytestmark = pytest.mark.skipif(
    not oracle.available(), reason=f"the samples are not there: {oracle.CORPORA} beside the checkout"
)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return x12_feed.report(tmp_path_factory.mktemp("x12"))


def test_every_file_and_every_set_is_fed(rows: list[dict[str, Any]]) -> None:
    assert (sum(row["files"] for row in rows), sum(row["sets"] for row in rows)) == (53, 78)


def test_at_least_nine_of_ten_well_formed_orders_of_each_source_are_taken(rows: list[dict[str, Any]]) -> None:
    assert {row["source"]: row["share_applied"] for row in rows if row["share_applied"] < 0.9} == {}


def test_the_oracle_agrees_on_every_order_and_on_every_one_that_waits(rows: list[dict[str, Any]]) -> None:
    assert [disagreement for row in rows for disagreement in row["disagreements"]] == []


def test_no_file_is_unreadable(rows: list[dict[str, Any]]) -> None:
    assert sum(row["unparsable"] for row in rows) == 0


def test_feeding_twice_changes_nothing(rows: list[dict[str, Any]]) -> None:
    assert [row["changed_by_feeding_twice"] for row in rows] == [0] * len(rows)
    assert {status for row in rows for status in row["second_feeding"]} == {"duplicate"}
