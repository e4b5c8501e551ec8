"""The Prometheus text: valid by its grammar, and complete by the catalogue."""

from __future__ import annotations

import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.api.metrics import CATALOGUE, Metrics, Sample

HELP = re.compile(r"# HELP ([a-z_]+) [^\n]+")
TYPE = re.compile(r"# TYPE ([a-z_]+) (counter|gauge|histogram)")
LABEL = r'[a-z_]+="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"([a-z_]+)(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?[0-9.e+-]+|\+Inf|NaN)")


def parsed(text: str) -> dict[str, dict[str, float]]:
    """name -> labels -> value. Fails for a line that the format does not have, and for a name without its type."""
    assert text == "" or text.endswith("\n")
    found: dict[str, dict[str, float]] = {}
    types: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            kind = TYPE.fullmatch(line)
            assert kind or HELP.fullmatch(line), line
            if kind:
                assert kind[1] not in types, f"{kind[1]} has two types"
                types[kind[1]] = kind[2]
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, line
        base = re.sub(r"_(bucket|count|sum)$", "", sample[1]) if sample[1] not in types else sample[1]
        assert base in types, f"{sample[1]} comes before its type"
        labels = sample[2] or ""
        assert labels not in found.setdefault(sample[1], {}), f"{line} stands there twice"
        found[sample[1]][labels] = float(sample[3])
    return found


def test_counters_without_labels_and_histograms_stand_at_zero_from_the_start() -> None:
    found = parsed(Metrics().render())
    assert found["hub_worker_rounds_total"] == {"": 0.0}
    assert found["hub_ingress_seconds_count"] == {"": 0.0}


def test_every_metric_of_the_catalogue_can_be_shown() -> None:
    metrics = Metrics()
    samples: list[Sample] = []
    for metric in CATALOGUE:
        labels = tuple((label, "x") for label in metric.labels)
        if metric.kind == "counter":
            metrics.count(metric.name, 1.0, **dict(labels))
        elif metric.kind == "gauge":
            samples.append((metric.name, labels, 3.0))
        else:
            metrics.observe(metric.name, 0.2)
    metrics.gauges(lambda: samples)
    found = parsed(metrics.render())
    for metric in CATALOGUE:
        assert metric.name + ("_count" if metric.kind == "histogram" else "") in found


def test_a_name_outside_the_catalogue_is_refused() -> None:
    with pytest.raises(KeyError):
        Metrics().count("hub_nobody_knows_total")


@given(st.lists(st.floats(0, 100, allow_nan=False), max_size=50))
def test_buckets_of_a_histogram_are_cumulative_and_end_with_the_count(seconds: list[float]) -> None:
    metrics = Metrics()
    for one in seconds:
        metrics.observe("hub_ingress_seconds", one)
    found = parsed(metrics.render())
    buckets = list(found["hub_ingress_seconds_bucket"].values())
    assert buckets == sorted(buckets)
    assert buckets[-1] == found["hub_ingress_seconds_count"][""] == len(seconds)
    assert found["hub_ingress_seconds_sum"][""] == pytest.approx(sum(seconds))


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_any_text_can_be_a_label(text: str) -> None:
    metrics = Metrics()
    metrics.gauges(lambda: [("hub_deliveries", (("destination", text), ("state", "x")), 1.0)])
    rendered = metrics.render().split("# TYPE hub_deliveries gauge\n")[1]
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    assert rendered.startswith(f'hub_deliveries{{destination="{escaped}",state="x"}} 1\n')


@given(st.integers(0, 2**53))
def test_large_counts_keep_every_digit(number: int) -> None:
    metrics = Metrics()
    metrics.count("hub_worker_rounds_total", float(number))
    assert f"hub_worker_rounds_total {number}\n" in metrics.render()


def test_a_database_that_is_away_hides_no_counter() -> None:
    def away() -> list[Sample]:
        raise OSError("the database is away")

    metrics = Metrics()
    metrics.gauges(away)
    assert parsed(metrics.render())["hub_gauge_failures_total"] == {"": 1.0}


def test_counting_from_many_threads_loses_nothing() -> None:
    metrics = Metrics()

    def count() -> None:
        for _ in range(500):
            metrics.count("hub_worker_rounds_total")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert parsed(metrics.render())["hub_worker_rounds_total"] == {"": 4000.0}
