"""The report of a run: promises that must be at zero, minima that must be met, and what else was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.chaos.audit import Findings
from tests.chaos.fleet import Blows
from tests.chaos.scenario import Scenario

EXPECTED_FOR_MINIMUM = 12.0
"""A kind of fault must have been delivered where so many were to be expected; below that its absence is chance."""
SHOWN = 20
COMPLETED_SHARE = 0.95
AMBIGUOUS_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Measured:
    """Beside the findings."""

    seed: int
    scenario: Scenario
    database: str
    processes: int
    sabotage: str | None
    seconds: float
    drain_seconds: float
    up_share: float
    blows: Blows
    answers_ms: Sequence[float]
    calls: Mapping[str, int]
    """By system."""
    ambiguous: int
    faults: Mapping[str, int]
    sold_out: int
    forged: int
    corrupt: int
    forged_accepted: int
    server_errors: int
    deliveries: Mapping[str, int]
    desk: Mapping[str, int]
    """What people here were answered: deed and status -> how often."""
    integrity: str


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie; 0.0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def promises_of(findings: Findings, measured: Measured) -> dict[str, bool]:
    return {
        "lost": not findings.lost,
        "duplicate_effects": not findings.duplicate_effects,
        "oversold": findings.oversold_units == 0,
        "channel_oversold": all(one.units <= one.bound for one in findings.channel_oversold.values()),
        "ledger_difference": not findings.ledger_difference,
        "bad_accepted": not findings.bad_accepted and not measured.forged_accepted,
        "unsettled": not findings.unsettled,
        "server_errors": not measured.server_errors,
        "integrity": measured.integrity == "ok",
    }


def minima_of(findings: Findings, measured: Measured) -> dict[str, bool]:
    """The run was hard enough to mean something, and most of it got done."""
    scenario = measured.scenario
    minima = {
        f"fault {kind}": measured.faults.get(kind, 0) > 0
        for kind, rate in {**scenario.calls, **scenario.webhooks}.items()
        if not kind.endswith("_seconds") and rate * _chances(kind, findings, measured) >= EXPECTED_FOR_MINIMUM
    }
    minima["ambiguous"] = measured.ambiguous >= sum(measured.calls.values()) * AMBIGUOUS_SHARE > 0
    minima["echoes before answers"] = measured.faults.get("echo_first", 0) > 0
    orders, completed = sum(findings.orders.values()), sum(findings.completed.values())
    minima["completed"] = orders > 0 and completed >= orders * COMPLETED_SHARE
    minima |= {f"{name} was called": measured.calls.get(name, 0) > 0 for name in scenario.systems}
    if scenario.monkey.kills and measured.seconds >= 5:
        minima["kills"] = measured.blows.kills + measured.blows.stops > 0
    return minima


def _chances(kind: str, findings: Findings, measured: Measured) -> float:
    told = kind.endswith("_webhook") or kind == "echo_first"
    return float(sum((findings.orders if told else measured.calls).values()))


def report_of(findings: Findings, measured: Measured) -> dict[str, Any]:
    """The object that `hub chaos --json` prints."""
    promises, minima = promises_of(findings, measured), minima_of(findings, measured)
    restarts = measured.blows.restarts
    return {
        "seed": measured.seed,
        "scenario": measured.scenario.name,
        "scenario_note": measured.scenario.note,
        "sabotage": measured.sabotage,
        "database": measured.database,
        "processes": measured.processes,
        "seconds": measured.seconds,
        "orders": sum(findings.orders.values()),
        "completed": sum(findings.completed.values()),
        "channels": {
            name: {
                "orders": many,
                "completed": findings.completed[name],
                "oversold": findings.channel_oversold[name].units,
                "bound": findings.channel_oversold[name].bound,
            }
            for name, many in sorted(findings.orders.items())
        },
        "kills": measured.blows.kills,
        "stops": measured.blows.stops,
        "faults": dict(sorted(measured.faults.items())),
        "calls": sum(measured.calls.values()),
        "calls_by_system": dict(measured.calls),
        "ambiguous": measured.ambiguous,
        "lost": len(findings.lost),
        "duplicate_effects": len(findings.duplicate_effects),
        "oversold": _number(findings.oversold_units),
        "channel_oversold": sum(one.units for one in findings.channel_oversold.values()),
        "channel_oversold_bound": sum(one.bound for one in findings.channel_oversold.values()),
        "ledger_difference": len(findings.ledger_difference),
        "bad_accepted": len(findings.bad_accepted) + measured.forged_accepted,
        "unsettled": len(findings.unsettled),
        "server_errors": measured.server_errors,
        "integrity": measured.integrity,
        "slowest_restart_seconds": round(max(restarts, default=0.0), 2),
        "restart_p50_seconds": round(percentile(restarts, 0.5), 2),
        "restart_max_seconds": round(max(restarts, default=0.0), 2),
        "up_share": round(measured.up_share, 3),
        "ack_p50_ms": round(percentile(measured.answers_ms, 0.5), 1),
        "ack_p99_ms": round(percentile(measured.answers_ms, 0.99), 1),
        "drain_seconds": round(measured.drain_seconds, 1),
        "sold_out": measured.sold_out,
        "forged": measured.forged,
        "corrupt": measured.corrupt,
        "deliveries": dict(measured.deliveries),
        "desk": dict(measured.desk),
        "promises": promises,
        "minima": minima,
        "findings": {
            name: found[:SHOWN]
            for name in (
                "lost",
                "duplicate_effects",
                "oversold",
                "ledger_difference",
                "bad_accepted",
                "unsettled",
            )
            if (found := getattr(findings, name))
        },
        "ok": all(promises.values()) and all(minima.values()),
    }


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def table(report: Mapping[str, Any]) -> str:
    """The same for people."""
    lines = [
        f"{report['scenario']}: {report['scenario_note']}"
        + (f"; sabotaged: {report['sabotage']}" if report["sabotage"] else ""),
        f"{report['orders']} orders in {report['seconds']:g} s on {report['database']}, seed {report['seed']}",
        f"{report['processes']} process(es): {report['kills']} kills, {report['stops']} stops",
        f"up {report['up_share']:.0%}, answers p99 {report['ack_p99_ms']} ms, drained in {report['drain_seconds']} s",
        f"restart p50 {report['restart_p50_seconds']} s, max {report['restart_max_seconds']} s",
        f"{report['completed']} completed, {report['ambiguous']} of {report['calls']} calls ambiguous",
        *(
            f"{name}: {one['completed']} of {one['orders']} completed, {one['oversold']} units oversold,"
            f" at most {one['bound']} allowed"
            for name, one in report["channels"].items()
        ),
        "",
    ]
    shown = {name: report.get(name) for name in report["promises"]}
    lines += [f"  {'holds ' if held else 'BROKEN'} {name}: {shown[name]}" for name, held in report["promises"].items()]
    lines += [f"  {'met   ' if met else 'MISSED'} {name}" for name, met in report["minima"].items()]
    for name, found in report["findings"].items():
        lines += ["", f"{name}:"] + [f"  {one}" for one in found]
    return "\n".join(lines)
