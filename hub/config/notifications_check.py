"""What is wrong with notifications: fields that a template has not, channels and brands that are none, mails that must
not or cannot be sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hub.config.findings import Finding, did_you_mean, finding
from hub.config.model import ConnectorInfo
from hub.config.notifications import fields_of, holes
from hub.config.source import Mark, Scalar, find
from hub.config.tree import Tree, at, file_of, get, keys, text
from hub.config.validate import Checked

_TEXTS = ("subject", "text", "html")


def check_notifications(
    tree: Tree, ids: Mapping[str, Checked], known: set[str], connectors: Mapping[str, ConnectorInfo]
) -> Iterator[Finding]:
    """All findings about notifications; `ids` are the connections by id, `known` with those that could not be read."""
    path = ("notify", "channels")
    brands = set()
    for channel in keys(tree.policies, path):
        assert tree.policies is not None
        brand = get(tree.policies, (*path, channel, "brand"))
        brands.add(str(brand or ""))
        if channel not in known:
            message = f'there is no connection "{channel}"'
            yield at(tree.policies, "HUB016", (*path, channel), message, did_you_mean(channel, known), key=True)
            continue
        connector = connectors.get(text(ids[channel], "connector") or "") if channel in ids else None
        if connector is not None and connector.forbids_mail:
            message = f"{channel} may not be written to: the channel forbids mails to its buyers"
            yield at(tree.policies, "HUB035", (*path, channel), message, key=True)
        elif not tree.unread and not any("notify" in keys(one, ("effects_out",)) for one in ids.values()):
            message = f"nobody sends what {channel} should be written: no connection has effects_out.notify"
            yield at(tree.policies, "HUB035", (*path, channel), message, key=True)
    for checked in tree.notifications:
        yield from _template(checked, known, brands)


def _template(checked: Checked, known: set[str], brands: set[str]) -> Iterator[Finding]:
    channel, brand = text(checked, "channel"), text(checked, "brand")
    if channel is not None and channel not in known:
        hint = did_you_mean(channel, known)
        yield at(checked, "HUB016", ("channel",), f'there is no connection "{channel}"', hint)
    if brand is not None and brand not in brands:
        hint = did_you_mean(brand, brands - {""}) or "policies.yaml says notify.channels.NAME.brand"
        yield at(checked, "HUB016", ("brand",), f'no channel has the brand "{brand}"', hint)
    fields = fields_of(text(checked, "notification") or "")
    for key in _TEXTS:
        node = find(checked.document.root, (key,))
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            continue
        for line, column, name in holes(node.value):
            if name not in fields:
                what = f"there is no field {name} here" if name else "a lone dollar sign"
                hint = did_you_mean(name, fields) if name else "write $$ for one"
                yield finding("HUB034", file_of(checked), _place(node, line, column), what, hint or _list(fields))


def _place(node: Scalar, line: int, column: int) -> Mark:
    """Where a field stands. A block begins on the line below its mark; there the line is all that is known for sure."""
    if node.text[:1] in ("|", ">") or "\n" in str(node.value):
        return Mark(node.mark.line + 1 + line, 1)
    return Mark(node.mark.line, node.mark.column + column + (1 if node.quoted else 0))


def _list(fields: tuple[str, ...]) -> str:
    return f"there are {', '.join(sorted(fields))}"
