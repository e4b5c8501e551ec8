"""Who handles money: somebody must be there to capture what the hub manages, and gateways lead to connections."""

from collections.abc import Iterator, Sequence

from hub.config.findings import Finding, did_you_mean
from hub.config.tree import at, get, keys
from hub.config.validate import Checked

CALLS = ("capture", "refund", "void")
CHANNEL = "channel"


def check_payment(policies: Checked, connections: Sequence[Checked], known: set[str]) -> Iterator[Finding]:
    """Money that nobody would ever take, and gateways of no connection."""
    for gateway in keys(policies, ("payment", "gateways")):
        path = ("payment", "gateways", gateway)
        name = get(policies, path)
        if isinstance(name, str) and name != CHANNEL and name not in known:
            message = f'there is no connection "{name}"'
            yield at(policies, "HUB016", path, message, did_you_mean(name, {*known, CHANNEL}))
    missing = [call for call in CALLS if not any(call in keys(one, ("effects_out",)) for one in connections)]
    if not missing or len(known) > len(connections):
        return
    managed = [
        ("payment", "managed_by", channel)
        for channel in keys(policies, ("payment", "managed_by"))
        if get(policies, ("payment", "managed_by", channel)) == "hub"
    ]
    if get(policies, ("payment", "default")) == "hub":
        managed.append(("payment", "default", ""))
    for path in managed:
        message = f"the hub is to handle the money, and no connection takes {', '.join(missing)}"
        hint = "add a connection to the payment provider with these under effects_out; or say channel"
        yield at(policies, "HUB016", path if path[2] else path[:2], message, hint)
