"""What channels are promised: parts that add up, pools for channels that exist, conditions that can be evaluated."""

from collections.abc import Collection, Iterator
from decimal import Decimal, InvalidOperation

from hub.config.findings import Finding, did_you_mean
from hub.config.routing_check import check_condition
from hub.config.tree import at, get, indexes, keys
from hub.config.validate import Checked

_SHARE = ("promise", "share")


def check_promise(checked: Checked, ids: Collection[str], told: Collection[str]) -> Iterator[Finding]:
    """Findings of policies.yaml; ``told`` are the channels that are told stock."""
    for index in indexes(checked, ("promise", "pools")):
        path = ("promise", "pools", index, "channel")
        name = get(checked, path)
        if isinstance(name, str) and name not in ids:
            yield at(checked, "HUB016", path, f'there is no connection "{name}"', did_you_mean(name, ids))
    for index in indexes(checked, ("backorders", "priority")):
        path = ("backorders", "priority", index, "when")
        when = get(checked, path)
        if isinstance(when, str):
            yield from check_condition(checked, path, when)
    yield from _shares(checked, told)


def _shares(checked: Checked, told: Collection[str]) -> Iterator[Finding]:
    named = keys(checked, _SHARE)
    parts = [_number(get(checked, (*_SHARE, name))) for name in named if name != "default"]
    if "default" in named:
        parts += [_number(get(checked, (*_SHARE, "default")))] * len(set(told) - set(named))
    whole = sum(parts, Decimal(0))
    allowed = Decimal(1) + _number(get(checked, ("promise", "oversell_allowance")))
    if whole > allowed:
        message = (
            f"the shares sum to {whole.normalize():f}, more than {allowed.normalize():f}: the same goods are sold twice"
        )
        hint = "lower them, or write that it is meant: oversell_allowance"
        yield at(checked, "HUB033", _SHARE, message, hint, key=True)


def _number(value: object) -> Decimal:
    try:
        number = Decimal(str(value)) if value is not None else Decimal(0)
    except InvalidOperation:
        return Decimal(0)  # the schema tells
    return number if number.is_finite() else Decimal(0)  # NaN is a number's text, and no number
