"""`--url` and `--token`: the same commands on a hub that runs elsewhere, through its API."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlsplit

import requests
import requests.auth

from hub import __version__
from hub.cli.failure import FAILED, REFUSED, UNREACHABLE, Failure
from hub.runtime.place import Place

PAGE = 200
CONNECT_SECONDS, READ_SECONDS = 5.0, 120.0
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RemotePlace(Place):
    """A hub elsewhere. The folders are not looked at."""

    url: str = ""
    token: str = ""


class _Key(requests.auth.AuthBase):
    """Said by name: what a .netrc has for the same host would otherwise take its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Client:
    """One hub's API. Raises Failure: 4 where it cannot be reached, 5 where it does not let us, 1 where it says no."""

    def __init__(self, place: RemotePlace) -> None:
        parts = urlsplit(place.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Failure(f"{place.url!r} is no address as in https://hub.example:8770", FAILED)
        if not place.token:
            raise Failure(
                "--url needs --token (HUB_TOKEN): `hub keys create NAME --scope ...` there makes one", REFUSED
            )
        self._url = place.url.rstrip("/")
        self._key = _Key(place.token)
        self._headers = {"User-Agent": f"order-hub-cli/{__version__}"}

    def get(self, path: str, **query: object) -> Any:
        """What is at a path; None where nothing is."""
        asked = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path, asked)

    def post(self, path: str, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        found = self._ask("POST", path, {}, body=body, headers=headers)
        if found is None:
            raise Failure(f"{self._url} knows nothing of {path}", FAILED)
        return dict(found)

    def patch(self, path: str, body: Mapping[str, object], headers: Mapping[str, str]) -> dict[str, Any]:
        found = self._ask("PATCH", path, {}, body=body, headers=headers)
        if found is None:
            raise Failure(f"{self._url} knows nothing of {path}", FAILED)
        return dict(found)

    def rows(self, path: str, limit: int, **query: object) -> list[dict[str, Any]]:
        """Up to `limit` rows of a list, page by page."""
        page = self.get(path, limit=min(limit, PAGE), **query)
        found = list(page["items"])
        while page.get("next") and len(found) < limit:
            page = self._ask("GET", page["next"], {})
            found += page["items"]
        return found[:limit]

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, object],
        *,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        try:
            with requests.request(
                method,
                self._url + path,
                params={name: str(value) for name, value in query.items()},
                json=None if body is None else dict(body),
                headers={**self._headers, **(headers or {})},
                auth=self._key,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as answer:
                raw = answer.raw.read(MOST_BYTES + 1, decode_content=True)
                status = answer.status_code
        except (requests.RequestException, OSError) as error:
            raise Failure(f"{self._url} cannot be reached: {_short(error)}", UNREACHABLE) from error
        if len(raw) > MOST_BYTES:
            raise Failure(f"{self._url} answered with more than {MOST_BYTES} bytes", FAILED)
        try:
            tree = json.loads(raw) if raw else {}
        except ValueError as error:
            raise Failure(f"{self._url} answered {status}, and not as a hub does", UNREACHABLE) from error
        if status < 300:
            return tree
        raise_for(self._url, status, tree if isinstance(tree, dict) else {})
        return None


def raise_for(url: str, status: int, problem: Mapping[str, Any]) -> None:
    """What an answer that is none means for the person; nothing where it is that there is no such thing."""
    words = str(problem.get("detail") or f"it answered {status}")
    if status == 404:
        return
    if status in (401, 403):
        raise Failure(f"{url} does not allow it: {words}", REFUSED)
    if status in (502, 503, 504):
        raise Failure(f"{url} is not there at present: {words}", UNREACHABLE)
    reference = f" (request {problem['request_id']})" if status >= 500 and "request_id" in problem else ""
    raise Failure(f"{words}{reference}", FAILED)


def _short(error: Exception) -> str:
    return "it did not answer in time" if isinstance(error, requests.Timeout) else "no connection to it"


# --- looking ---

Look = Callable[..., Any]


def _orders(client: Client, *, limit: int, before: str | None = None, **filters: object) -> list[dict[str, Any]]:
    if before is None:
        return client.rows("/v1/orders", limit, **filters)
    rows = client.rows("/v1/orders", 10_000, **filters)
    ids = [row["id"] for row in rows]
    return rows[ids.index(before) + 1 :][:limit] if before in ids else []


def _find(client: Client, reference: str) -> list[str]:
    return sorted(row["id"] for row in client.rows("/v1/orders", 20, reference=reference))


def _delivery(client: Client, reference: str) -> dict[str, Any] | None:
    found = client.rows("/v1/deliveries", 1, business_key=reference) if "/" in reference else [{"id": reference}]
    return client.get(f"/v1/deliveries/{quote(found[0]['id'], safe='')}") if found else None


def _deliveries(client: Client, *, limit: int, order_id: str | None = None, **filters: object) -> list[dict[str, Any]]:
    return client.rows("/v1/deliveries", limit, order=order_id, **filters)


def _exceptions(client: Client, *, limit: int = 100, **filters: object) -> list[dict[str, Any]]:
    return client.rows("/v1/exceptions", limit, **filters)


def _stock(client: Client, *, limit: int = 1000, **filters: object) -> list[dict[str, Any]]:
    return client.rows("/v1/inventory", limit, **filters)


def _work(client: Client, *, limit: int = 50, after: str | None = None, **filters: object) -> list[dict[str, Any]]:
    found = client.rows("/v1/fulfilment-orders", limit if after is None else 10_000, **filters)
    ids = [row["id"] for row in found]
    return found if after is None else found[ids.index(after) + 1 :][:limit] if after in ids else []


def _return(client: Client, reference: str) -> dict[str, Any] | None:
    found = client.rows("/v1/returns", 2, reference=reference)
    return dict(client.get(f"/v1/returns/{found[0]['id']}")) if len(found) == 1 else None


def _payments(
    client: Client, *, limit: int, after: str | None = None, order_id: str | None = None, **filters: object
) -> list[dict[str, Any]]:
    rows = client.rows("/v1/payments", 10_000 if after else limit, order=order_id, **filters)
    return [row for row in rows if after is None or row["id"] > after][:limit]


def _there(found: Any, what: str) -> dict[str, Any]:
    if found is None:
        raise Failure(f"There is no {what}", FAILED)
    return dict(found)


def _waiting(client: Client) -> dict[str, list[dict[str, Any]]]:
    found = client.get("/v1/connections")["items"]
    paused = [{"connection": one["id"], "paused_reason": one.get("paused_reason")} for one in found if one["paused"]]
    return {"paused": paused, "waiting": [row for one in found for row in one.get("waiting", ())]}


LOOKS: Mapping[str, Look] = {
    "orders.list": _orders,
    "orders.find": _find,
    "orders.at_risk": lambda client, limit: client.rows("/v1/orders-at-risk", limit),
    "orders.get": lambda client, order: client.get(f"/v1/orders/{quote(order, safe='')}"),
    "deliveries.list": _deliveries,
    "deliveries.get": _delivery,
    "edi.interchanges": lambda client, limit, of=None, **filters: client.rows(
        "/v1/interchanges", limit, connection=of, **filters
    ),
    "events.list": lambda client, limit, **filters: client.rows("/v1/events", limit, **filters),
    "exceptions.list": _exceptions,
    "exceptions.get": lambda client, exception: client.get(f"/v1/exceptions/{quote(exception, safe='')}"),
    "inventory.list": _stock,
    "work.list": _work,
    "work.pick_list": lambda client, location, order: _there(
        client.get(f"/v1/locations/{quote(location, safe='')}/pick-list", order=order), f"location {location!r}"
    ),
    "work.packing_slip": lambda client, work, package: client.get(
        f"/v1/fulfilment-orders/{quote(work, safe='')}/packing-slip", package=package
    ),
    "work.get": lambda client, work: client.get(f"/v1/fulfilment-orders/{quote(work, safe='')}"),
    "returns.list": lambda client, limit, order_id=None, **filters: client.rows(
        "/v1/returns", limit, order=order_id, **filters
    ),
    "returns.get": _return,
    "payments.list": _payments,
    "payouts.list": lambda client, limit: client.rows("/v1/payouts", limit),
    "payouts.get": lambda client, payout: client.get(f"/v1/payouts/{quote(payout, safe='')}"),
    "payouts.unmatched": lambda client, now, limit: client.rows("/v1/payouts/unmatched", limit),
    "status": lambda client: client.get("/v1/status"),
    "verify": lambda client: client.get("/v1/verify"),
    "keys.list": lambda client: client.get("/v1/keys")["items"],
    "connections.list": lambda client: client.get("/v1/connections")["items"],
    "connections.waiting": _waiting,
}


def ask(place: RemotePlace, query: str, *arguments: object, **named: object) -> Any:
    """What a query of hub.cli.queries gives, from there."""
    return revived(LOOKS[query](Client(place), *arguments, **named))


# --- doing ---

ORDER_VERBS = ("hold", "release", "cancel")
ORDER_WORDS = ("kind", "until", "then", "lines")
ORDER_VISITS = {"orders.arrived": "arrival", "orders.collect_elsewhere": "collect-elsewhere"}
MONEY = ("orders.refund", "payments.capture")
SAID = "said with the command line"


def act(place: RemotePlace, action: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Do one thing of hub.actions there; what it came to."""
    client = Client(place)
    noun, _, verb = action.partition(".")
    given = {name: value for name, value in arguments.items() if value is not None}
    if noun == "orders" and verb in ORDER_VERBS:
        order = _one(_find(client, str(given["reference"])), f"order {given['reference']!r}")
        words = {name: given[name] for name in ORDER_WORDS if name in given}
        return client.post(f"/v1/orders/{order}/{verb}", {"reason": given["reason"], **words})
    if action == "orders.write":
        return _written(client, given)
    if action in ("orders.reroute", "orders.where_else"):
        return _elsewhere(client, verb, given)
    if action == "orders.edit":
        order = _one(_find(client, str(given.pop("reference"))), "such order")
        headers = {"If-Match": f'"{given.pop("version")}"'}
        wanted = {name: value for name, value in given.items() if value not in ([], False)}
        return client.patch(f"/v1/orders/{order}", wanted, headers)
    if action == "payments.refunded":
        order = _one(_find(client, str(given.pop("reference"))), "such order")
        return client.post(f"/v1/orders/{order}/refunded", {name: text for name, text in given.items() if text})
    if action in MONEY:
        order = _one(_find(client, str(given.pop("reference"))), "such order")
        return client.post(f"/v1/orders/{order}/{verb}", given, _unique() if verb == "refund" else {})
    if action == "payments.match":
        return client.post("/v1/payouts/match", {})
    if action in ORDER_VISITS:
        order = _one(_find(client, str(given.pop("reference"))), "such order")
        return client.post(f"/v1/orders/{order}/{ORDER_VISITS[action]}", given, _unique())
    if action == "work.report":
        work = quote(str(given.pop("fulfilment_order")), safe="")
        body = {name: value for name, value in given.items() if value != []}
        return client.post(f"/v1/fulfilment-orders/{work}/reports", body, _unique())
    if action == "inventory.transfer":
        given["from"], given["to"] = given.pop("source"), given.pop("destination")
        return client.post("/v1/inventory/transfers", given, _unique())
    if noun == "returns":
        return _of_return(client, verb, given)
    if noun == "deliveries":
        return _say(client, verb.replace("_", "-"), given)
    if action == "edi.resend":
        document = quote(str(given.pop("reference")), safe="")
        body = {name: value for name, value in given.items() if value and name in ("reason", "connection")}
        return client.post(f"/v1/interchanges/{document}/resend", body, _unique())
    if noun == "exceptions":
        exception = quote(str(given.pop("exception_id")), safe="")
        return client.post(f"/v1/exceptions/{exception}/{verb}", given)
    if noun == "connections" and verb in ("pause", "resume"):
        body = {"reason": given.get("reason") or "paused by a person"} if verb == "pause" else {}
        return client.post(f"/v1/connections/{quote(str(given['connection']), safe='')}/{verb}", body)
    if action == "connections.check":
        return client.post(f"/v1/connections/{quote(str(given['connection']), safe='')}/check", {})
    if action == "inventory.adjust":
        return client.post("/v1/inventory/adjustments", given, _unique())
    if action == "inventory.reconcile":
        return client.post("/v1/inventory/reconcile", given)
    if action == "inventory.explain":
        if len(str(given.get("at", ""))) == len("2026-12-24"):
            given["at"] = f"{given['at']}T23:59:59Z"
        found = client.get("/v1/promises", **given)
        if found is None:
            raise Failure(f"Nothing is known of {given['sku']}", FAILED)
        return dict(found)
    if action == "keys.create":
        return client.post("/v1/keys", given)
    if action == "keys.revoke":
        return client.post(f"/v1/keys/{quote(_key(client, str(given['key'])), safe='')}/revoke", {})
    raise Failure("This works only on the machine of the hub: leave --url and HUB_URL out.", REFUSED)


def _written(client: Client, given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        order = json.loads(given["text"], parse_float=str)
    except ValueError as error:
        raise Failure(f"The order is no JSON: {error}", FAILED) from error
    if not isinstance(order, dict):
        raise Failure("The order is no JSON object", FAILED)
    channel = f"?channel={quote(str(given['channel']), safe='')}" if "channel" in given else ""
    return client.post(f"/v1/orders{channel}", order, _unique())


def _elsewhere(client: Client, verb: str, given: dict[str, Any]) -> dict[str, Any]:
    order = _one(_find(client, str(given["reference"])), f"order {given['reference']!r}")
    leaving = given.get("leaving") or None
    if verb == "where_else":
        return dict(client.get(f"/v1/orders/{order}/reroute", leaving=leaving))
    more = {"more_shipments": given["more_shipments"]} if given.get("more_shipments") else {}
    body = {"reason": given["reason"], **({"from": leaving} if leaving else {}), **more}
    return client.post(f"/v1/orders/{order}/reroute", body)


OF_ORDERS = {"request": "returns", "replace": "replacements", "ship_again": "ship-again", "give_up": "give-up"}
"""What is said of an order's goods: the end of its path."""


def _of_return(client: Client, verb: str, given: dict[str, Any]) -> dict[str, Any]:
    reference = str(given.pop("reference"))
    body = {name: value for name, value in given.items() if value not in ("", [])}
    if verb in OF_ORDERS:
        order = _one(_find(client, reference), f"order {reference!r}")
        return client.post(f"/v1/orders/{order}/{OF_ORDERS[verb]}", body, _unique())
    one = _return(client, reference)
    if one is None:
        raise Failure(f"There is no return {reference!r}", FAILED)
    headers = _unique() if verb in ("receive", "inspect", "settle", "exchange") else {}
    return client.post(f"/v1/returns/{one['id']}/{verb}", body, headers)


def _say(client: Client, verb: str, given: dict[str, Any]) -> dict[str, Any]:
    reference = str(given.pop("delivery"))
    found = _delivery(client, reference)
    if found is None:
        raise Failure(f"There is no delivery {reference!r}", FAILED)
    if verb == "did-not-happen":
        given["reason"] = given.get("reason") or SAID
    body = {name: value for name, value in given.items() if value != ""}
    headers = _unique() if verb == "resend" else {}
    return client.post(f"/v1/deliveries/{found['id']}/{verb}", body, headers)


def _key(client: Client, reference: str) -> str:
    return _one(
        [row["id"] for row in client.get("/v1/keys")["items"] if reference in (row["id"], row["prefix"])],
        f"key {reference!r}",
    )


def _one(found: list[str], what: str) -> str:
    if not found:
        raise Failure(f"There is no {what}", FAILED)
    if len(found) > 1:
        raise Failure(f"{what} fits several: {', '.join(found)}", FAILED)
    return found[0]


def _unique() -> dict[str, str]:
    import uuid

    return {"Idempotency-Key": str(uuid.uuid4())}


# --- types ---

INSTANTS = frozenset({"until", "as_of", "at", "deadline", "grace_until", "oldest", "probe_after"})
AMOUNTS = frozenset(
    {
        "amount",
        "kept",
        "authorised",
        "captured",
        "capturing",
        "difference",
        "fee",
        "fees",
        "gross",
        "lines_amount",
        "net",
        "over_refunded",
        "refunded",
        "refunding",
        "store_credit",
        "voided",
        "beside_total",
        "price_effect",
        "claimed",
        "cost",
        "given",
        "over",
        "settled",
        "firm",
        "free",
        "on_hand",
        "ordered",
        "over_shipped",
        "quantity",
        "soft",
        "total",
    }
)
OF_AMOUNTS = frozenset({"quantities"})
AS_THEY_ARE = frozenset({"document", "data", "refs", "request", "delta"})
"""Trees that the views give as JSON, too."""


def revived(node: Any, name: str = "") -> Any:
    """Amounts and instants as the views give them, by the names of their columns."""
    if isinstance(node, list):
        return [revived(item) for item in node]
    if isinstance(node, dict):
        if name in AS_THEY_ARE:
            return node
        if name in OF_AMOUNTS:
            return {key: Decimal(value) for key, value in node.items()}
        return {key: revived(value, key) for key, value in node.items()}
    if isinstance(node, str) and name in AMOUNTS:
        return Decimal(node)
    if isinstance(node, str) and (name in INSTANTS or name.endswith("_at")):
        return dt.datetime.fromisoformat(node)
    return node
