"""Durations, sizes and rates."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hub.config.units import Rate, UnitError, parse_duration, parse_rate, parse_size


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", timedelta(0)),
        ("500ms", timedelta(milliseconds=500)),
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("1h30m", timedelta(minutes=90)),
        ("90d", timedelta(days=90)),
    ],
)
def test_a_duration_is_read(text: str, value: timedelta) -> None:
    assert parse_duration(text) == value


@pytest.mark.parametrize(("text", "value"), [("1B", 1), ("512kB", 512_000), ("10MB", 10_000_000), ("4MiB", 4 << 20)])
def test_a_size_is_read_in_bytes(text: str, value: int) -> None:
    assert parse_size(text) == value


def test_a_rate_is_read_exactly() -> None:
    assert parse_rate("0.0056/s") == Rate(Decimal("0.0056"), "s")
    assert parse_rate("40/m").per_second == Decimal(40) / 60
    assert str(parse_rate("2/s")) == "2/s"


@pytest.mark.parametrize("text", ["", "5", "5 m", "m", "-5m", "5min", "1.5h", "5m\n", "٥m", "99999999d", "999999d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UnitError):
        parse_duration(text)


@pytest.mark.parametrize("text", ["10", "10 MB", "MB", "-1B", "1.5MB", "10mb"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UnitError):
        parse_size(text)


@pytest.mark.parametrize("text", ["2", "2/sec", "/s", "0/s", "0.0/s", "-1/s", "2 / s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(UnitError):
        parse_rate(text)
