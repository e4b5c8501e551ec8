"""Counters and gauges in the Prometheus text format (version 0.0.4), kept in memory; gauges are read when asked."""

from __future__ import annotations

import bisect
import itertools
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

log = logging.getLogger("hub.metrics")

Labels = tuple[tuple[str, str], ...]

BUCKET_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """`kind` is counter, gauge or histogram; `labels` are the names of its labels."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()


CATALOGUE = (
    Metric(
        "hub_ingress_requests_total", "counter", "Webhook requests by the status they were answered with", ("answer",)
    ),
    Metric("hub_ingress_seconds", "histogram", "Seconds from a webhook's last byte to its durable receipt"),
    Metric("hub_receipts", "gauge", "Receipts by state", ("state",)),
    Metric("hub_messages", "gauge", "Messages by state", ("state",)),
    Metric("hub_orders", "gauge", "Orders by status", ("status",)),
    Metric("hub_deliveries", "gauge", "Deliveries by destination and state", ("destination", "state")),
    Metric("hub_exceptions_open", "gauge", "Open exceptions by kind", ("kind",)),
    Metric("hub_worker_rounds_total", "counter", "Rounds of the worker that found something to do"),
    Metric("hub_gauge_failures_total", "counter", "Scrapes for which the database could not be read"),
    Metric("hub_worker_failures_total", "counter", "Rounds of the worker that ended in an unexpected error"),
)
"""Every metric the hub has; reference pages are made from it, and a name outside it is refused."""

_NO_LABELS: Labels = ()
_BY_NAME = {metric.name: metric for metric in CATALOGUE}

Sample = tuple[str, Labels, float]


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter with its labels."""

    lock: threading.Lock
    cells: dict[tuple[str, Labels], float]
    key: tuple[str, Labels]

    def add(self, amount: float = 1.0) -> None:
        with self.lock:
            self.cells[self.key] = self.cells.get(self.key, 0.0) + amount


class Metrics:
    """Thread safe. `gauges` is called at each scrape for samples that live in the database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # What has no labels stands at zero from the start, so that a rate over it is right from the first event on.
        bare = [metric for metric in CATALOGUE if not metric.labels]
        self._counters = {(metric.name, _NO_LABELS): 0.0 for metric in bare if metric.kind == "counter"}
        self._histograms = {metric.name: _empty() for metric in bare if metric.kind == "histogram"}
        self._gauges: list[Callable[[], Iterable[Sample]]] = []

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        self.counter(name, **labels).add(amount)

    def counter(self, name: str, **labels: str) -> Counter:
        """One to keep where it is counted often; it is shown once it has counted."""
        return Counter(self._lock, self._counters, (_BY_NAME[name].name, tuple(sorted(labels.items()))))

    def observe(self, name: str, seconds: float) -> None:
        _BY_NAME[name]
        position = bisect.bisect_left(BUCKET_SECONDS, seconds)
        with self._lock:
            cells = self._histograms.setdefault(name, _empty())
            cells[position] += 1
            cells[-1] += seconds

    def gauges(self, source: Callable[[], Iterable[Sample]]) -> None:
        self._gauges.append(source)

    def render(self) -> str:
        samples: dict[str, list[str]] = {}
        gauges = [sample for source in self._gauges for sample in self._read(source)]
        with self._lock:
            for (name, labels), value in sorted(self._counters.items()):
                samples.setdefault(name, []).append(_line(name, labels, value))
            for name, cells in self._histograms.items():
                lines = samples.setdefault(name, [])
                *counts, everything = itertools.accumulate(cells[:-1])
                for bound, value in zip(BUCKET_SECONDS, counts, strict=True):
                    lines.append(_line(f"{name}_bucket", (("le", str(bound)),), value))
                lines.append(_line(f"{name}_bucket", (("le", "+Inf"),), everything))
                lines.append(_line(f"{name}_count", (), everything))
                lines.append(_line(f"{name}_sum", (), cells[-1]))
        for name, labels, value in gauges:
            samples.setdefault(_BY_NAME[name].name, []).append(_line(name, labels, value))
        out = []
        for metric in CATALOGUE:
            if metric.name in samples:
                out.append(f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n")
                out.extend(f"{line}\n" for line in samples[metric.name])
        return "".join(out)

    def _read(self, source: Callable[[], Iterable[Sample]]) -> list[Sample]:
        """What a source gives; a database that is away must not hide the counters that say so."""
        try:
            return list(source())
        except Exception:  # whatever a source fails with is logged and counted; the scrape goes on without it
            log.exception("the gauges could not be read")
            self.count("hub_gauge_failures_total")
            return []


def _empty() -> list[float]:
    """How many fell into each bucket and beyond the last, then the sum."""
    return [0.0] * (len(BUCKET_SECONDS) + 2)


def _line(name: str, labels: Labels, value: float) -> str:
    shown = ",".join(f'{key}="{_escape(text)}"' for key, text in labels)
    figure = str(int(value)) if value.is_integer() else repr(value)
    return f"{name}{{{shown}}} {figure}" if shown else f"{name} {figure}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
