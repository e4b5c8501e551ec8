"""Limits of a connection against what it asks of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from hub.config.findings import Finding
from hub.config.model import ConnectorInfo
from hub.config.source import Path_
from hub.config.tree import at, get, keys
from hub.config.units import Rate, UnitError, parse_duration, parse_rate
from hub.config.validate import Checked


@dataclass(frozen=True, slots=True)
class _Poll:
    stream: str
    every: str
    seconds: Decimal


def check_limits(checked: Checked, connector: ConnectorInfo) -> Iterator[Finding]:
    """Polls that together come faster than their limit; headers to learn from that the connector does not read."""
    polls: dict[str, list[_Poll]] = {}
    for stream in keys(checked, ("streams",)):
        offer = connector.streams.get(stream)
        poll = _poll(checked, stream)
        if offer is None or poll is None:
            continue
        own = offer.operation if offer.operation in keys(checked, ("limits",)) else "default"
        polls.setdefault(str(own), []).append(poll)
    for name, group in polls.items():
        yield from _too_fast(checked, name, group)
    for name in keys(checked, ("limits",)):
        path: Path_ = ("limits", name, "learn_from")
        header = get(checked, path)
        if isinstance(header, str) and header.lower() not in {known.lower() for known in connector.rate_headers}:
            message = f"limits.{name}.learn_from has no effect"
            hint = f"the connector {connector.name} reads no such header"
            yield at(checked, "HUB028", path, message, hint, key=True)


def _poll(checked: Checked, stream: str) -> _Poll | None:
    every = get(checked, ("streams", stream, "poll", "every"))
    try:
        seconds = Decimal(str(parse_duration(every).total_seconds())) if isinstance(every, str) else Decimal(0)
    except UnitError:
        return None
    return _Poll(stream, str(every), seconds) if seconds else None


def _rate(checked: Checked, name: str) -> Rate | None:
    given = get(checked, ("limits", name, "rate"))
    try:
        return parse_rate(given) if isinstance(given, str) else None
    except UnitError:
        return None


def _too_fast(checked: Checked, name: str, polls: list[_Poll]) -> Iterator[Finding]:
    rate = _rate(checked, name)
    if rate is None:
        return
    wanted = sum((1 / poll.seconds for poll in polls), Decimal(0))
    if wanted <= rate.per_second:
        return
    fastest = min(polls, key=lambda poll: poll.seconds)
    streams = " and ".join(poll.stream for poll in polls)
    what = f"a poll of {streams} every {fastest.every}" if len(polls) == 1 else f"the polls of {streams} together"
    line = checked.document.mark(("limits", name, "rate")).line
    hint = f"with this limit no more often than every {_seconds(len(polls) / rate.per_second)}"
    message = f"{what} is more than limits.{name} allows: {rate} (line {line})"
    yield at(checked, "HUB022", ("streams", fastest.stream, "poll", "every"), message, hint)


def _seconds(value: Decimal) -> str:
    whole = int(value) + (value != int(value))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole >= size and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"
