"""How results are printed: a table for people, `{"hub_cli": "1.0", "items": [...]}` for programs."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import click

from hub.domain.money import money_text

FORMAT = "1.0"

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON")


def _plain(value: object) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize() if value else Decimal(0), "f")
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    raise TypeError(f"{type(value).__name__} has no JSON form")


def emit_json(items: Sequence[Mapping[str, Any]], **more: Any) -> None:
    click.echo(json.dumps({"hub_cli": FORMAT, "items": list(items), **more}, default=_plain, ensure_ascii=False))


def emit_object(value: Mapping[str, Any]) -> None:
    """A document that has its `items` already."""
    click.echo(json.dumps({"hub_cli": FORMAT, **value}, default=_plain, ensure_ascii=False))


def emit_result(result: Mapping[str, Any], *, as_json: bool) -> None:
    """What an action came to: its message for people, the one item for programs."""
    if as_json:
        emit_json([result])
    else:
        click.echo(result["message"])


def cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value else "0"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(cell(item) for item in value)
    if isinstance(value, dict):
        return " ".join(f"{key}={cell(item)}" for key, item in value.items())
    return str(value)


def money(amount: Decimal | None, currency: str | None) -> str:
    """An amount with all digits of its currency, and more only where it has more: 14.90 USD, 1500 JPY."""
    return cell(amount) if amount is None or currency is None else money_text(amount, currency)


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def emit_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[tuple[str, str]], *, empty: str) -> None:
    """`columns` are (key, heading). Nothing is truncated."""
    if not rows:
        click.echo(empty, err=True)
        return
    lines = [[heading for _, heading in columns], *([cell(row.get(key)) for key, _ in columns] for row in rows)]
    widths = [max(len(line[position]) for line in lines) for position in range(len(columns))]
    for line in lines:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())
