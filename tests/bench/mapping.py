"""`mapping`: a shop's order as a tree becomes a canonical record that its schema accepts.

The measured call is the one the worker makes for every message: the compiled mapping with its holds, then validation.
The floor is the least that any program must do for it: read the same bytes with the standard library's json.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hub.exchange.mappings import MappedStream
from hub.formats.registry import codec
from hub.mapping.library import MappingLibrary, shipped_folder
from tests.bench.measure import beside
from tests.bench.orders import shop_order

FIELDS = 50


def run(folder: Path, orders: int) -> dict[str, Any]:
    """The measured figures. `folder` is not used: nothing is stored."""
    del folder
    library = MappingLibrary([shipped_folder()])
    compiled = library.inbound("shopify", "orders")
    if compiled is None:
        raise RuntimeError("there is no mapping of shop orders")
    stream = MappedStream(compiled, "orders", library, {"connection": "shop"})
    source = random.Random(1)
    bodies = [json.dumps(shop_order(number, source, lines=1)).encode() for number in range(100)]
    reader = codec("json")
    trees = [reader.loads(body) for body in bodies]
    records = [stream.run(tree) for tree in trees]
    fields = min(_leaves(mapped.record) for mapped in records)
    if fields < FIELDS:
        raise RuntimeError(f"an order of the benchmark has {fields} fields, not {FIELDS}")
    mapping_cpu, wall = _time(lambda number: stream.run(trees[number % len(trees)]), orders)
    reading_cpu, _ = _time(lambda number: reader.loads(bodies[number % len(bodies)]), orders)
    floor_cpu, _ = _time(lambda number: json.loads(bodies[number % len(bodies)]), orders)
    return {
        "name": "mapping",
        "items": orders,
        "per_second": round(orders / mapping_cpu, 1),
        "per_second_with_reading": round(orders / (mapping_cpu + reading_cpu), 1),
        "cpu_us_per_item": round(mapping_cpu / orders * 1e6, 1),
        "reading_cpu_us_per_item": round(reading_cpu / orders * 1e6, 1),
        "floor_cpu_us_per_item": round(floor_cpu / orders * 1e6, 1),
        "cpu_ratio": round(mapping_cpu / floor_cpu, 2),
        "wall_seconds": round(wall, 3),
        "fields_per_order": fields,
        "processes": [{"name": "mapping", "cpu_seconds": round(mapping_cpu, 3), "threads": 1}],
        "beside": beside(),
    }


def _time(work: Callable[[int], object], times: int) -> tuple[float, float]:
    """CPU and wall seconds."""
    started, cpu = time.perf_counter(), time.process_time()
    for number in range(times):
        work(number)
    return time.process_time() - cpu, time.perf_counter() - started


def _leaves(value: object) -> int:
    if isinstance(value, dict):
        return sum(map(_leaves, value.values()))
    if isinstance(value, (list, tuple)):
        return sum(map(_leaves, value))
    return 1
