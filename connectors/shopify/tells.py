"""What the shop is told beside shipments and stock: refunds, cancellations, returns, and where an order stands.

Payloads come from mappings/shopify and are frozen; quantities and amounts are the hub's. What only the shop knows (what
can still be refunded and on which transaction, its fulfilment orders and returns) is asked for when the call is made.
Refunds carry our key in their note, returns in the reason's note: by that a repeat, a lookup and the echo know them.
push_refund        {orderId, amount, paid, reason?, lines: [{lineItemId, quantity}]}
push_cancellation  {orderId, whole, refund, reason?, lines}
push_return        {orderId, returnId?, status, mark, lines}
push_order_status  {orderId, status, lines}
"""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import Any

from connectors.shopify import queries
from connectors.shopify.admin_api import AdminApi, Answer
from connectors.shopify.gids import gid
from hub.sdk.capabilities import Capability, SafetyMode
from hub.sdk.connector import Context
from hub.sdk.errors import CallFailed, Resolution
from hub.sdk.lenient import Node, decimal_at, node_at, nodes_at, text_at, whole_at
from hub.sdk.records import Effect, Found, NotFound, Reply, Tree, Unsure

_NAMESPACE = uuid.UUID("0b1d1c0e-7a53-5d0c-8c52-9d0f5a3b2e77")
_ZERO = Decimal(0)
_BEGIN, _END = "[hub ", "]"
_SETTLED = frozenset({"settled", "closed"})
_GIVEN_UP = frozenset({"refused", "cancelled"})
_OPENED = frozenset({"requested", "approved", "label_issued"})
_TAGGED = frozenset({"not_collected", "promise_moved", "delayed"})
MAX_NOTE = 5000


def note_of(reason: str, key: str) -> str:
    """What a refund's note says: why, for people, and our key, for us."""
    mark = f"{_BEGIN}{key}{_END}"
    return f"{reason[: MAX_NOTE - len(mark) - 1]} {mark}".strip()


class Tells:
    """Calls of one shop. Each raises CallFailed as errors.yaml says: rejected in the shop's words."""

    def __init__(self, context: Context, api: AdminApi) -> None:
        self._context = context
        self._api = api

    # -- money ---------------------------------------------------------------------------------------------------

    def push_refund(self, effect: Effect) -> Reply:
        """`refundCreate` of our amount over what the shop can still give back, in its own order of transactions.

        `@idempotent` is required since version 2026-04 (shopify.dev/changelog: making idempotency mandatory for
        inventory adjustments and refund mutations). Lines are named as far as the shop can still refund them.
        """
        payload = _tree(effect.payload)
        desk = self._desk(payload, effect)
        made = _refund_of(desk, effect.key)
        if made is not None:
            return _refund_reply(made)
        amount = decimal_at(payload, "amount") or _ZERO
        lines: list[Node] = [
            {"lineItemId": item, "quantity": units, "restockType": "NO_RESTOCK"}
            for item, units in _refundable(desk, _wanted(payload)).items()
        ]
        transactions = [] if payload.get("paid") is True else _transactions(desk, amount)
        return self._refund(effect, payload, lines, transactions, SafetyMode.IDEMPOTENCY_KEY)

    def push_cancellation(self, effect: Effect) -> Reply:
        """All of an order by `orderCancel`, quantities by a refund that takes them off it (`restockType: CANCEL`)."""
        payload = _tree(effect.payload)
        desk = self._desk(payload, effect)
        if payload.get("whole") is True:
            if text_at(desk, "cancelledAt"):
                return _answer_of("orderCancel", {"job": None, "orderCancelUserErrors": []}, _legacy(desk))
            return self._cancel(effect, payload, desk)
        made = _refund_of(desk, effect.key)
        if made is not None:
            return _refund_reply(made)
        lines: list[Node] = [
            {"lineItemId": item, "quantity": units, "restockType": "CANCEL", "locationId": _location_of(desk, item)}
            for item, units in _refundable(desk, _wanted(payload)).items()
        ]
        if not lines:
            raise CallFailed(Resolution.REJECTED, "the shop has none of these lines left", code="nothing_to_cancel")
        amount = self._worth(desk, lines, effect) if payload.get("refund") is True else _ZERO
        return self._refund(effect, payload, lines, _transactions(desk, amount), SafetyMode.LOOKUP)

    def _cancel(self, effect: Effect, payload: Node, desk: Node) -> Reply:
        variables = {
            "orderId": desk["id"],
            "reason": text_at(payload, "shopReason") or "OTHER",
            "refundMethod": {"originalPaymentMethodsRefund": payload.get("refund") is True},
            "restock": True,
            "notifyCustomer": False,
            "staffNote": note_of(text_at(payload, "reason") or "", effect.key)[:255],
        }
        answer = self._api.write("OrderCancel", queries.ORDER_CANCEL, variables, SafetyMode.LOOKUP, effect.deadline)
        errors = nodes_at(node_at(answer.data, "orderCancel"), "orderCancelUserErrors")
        if errors:
            words = "; ".join(text_at(error, "message") or "refused without a word" for error in errors)
            raise CallFailed(Resolution.REJECTED, words, code=text_at(errors[0], "code") or "", raw=_raw(answer))
        return Reply(_raw(answer), "application/json", answer.response.status, external_id=_legacy(desk))

    def _refund(
        self, effect: Effect, payload: Node, lines: list[Node], transactions: list[Node], mode: SafetyMode
    ) -> Reply:
        wish: Node = {
            "orderId": payload["orderId"],
            "note": note_of(text_at(payload, "reason") or "", effect.key),
            "notify": False,
            "refundLineItems": lines,
            "transactions": transactions,
        }
        key = str(uuid.uuid5(_NAMESPACE, f"{self._context.connection}/{effect.key}"))
        answer = self._api.write(
            "RefundCreate", queries.REFUND_CREATE, {"input": wish, "key": key}, mode, effect.deadline
        )
        result = self._api.refuse_user_errors(answer, "refundCreate", mode)
        made = text_at(node_at(result, "refund"), "legacyResourceId")
        return Reply(_raw(answer), "application/json", answer.response.status, external_id=made)

    def _worth(self, desk: Node, lines: list[Node], effect: Effect) -> Decimal:
        """What the shop itself would pay back for lines."""
        variables = {"id": desk["id"], "lines": lines}
        found = self._api.read("SuggestedRefund", queries.SUGGESTED_REFUND, variables, effect.deadline)
        suggested = node_at(node_at(found.data, "order"), "suggestedRefund")
        return decimal_at(node_at(node_at(suggested, "amountSet"), "shopMoney"), "amount") or _ZERO

    # -- where things stand --------------------------------------------------------------------------------------

    def push_order_status(self, effect: Effect) -> Reply:
        """Ready for pickup by `fulfillmentOrderLineItemsPreparedForPickup`, which writes to the buyer; what the shop
        has no word for as a tag. Handing over is told as a fulfilment, by push_shipment."""
        payload = _tree(effect.payload)
        status = text_at(payload, "status") or ""
        if status == "ready_for_pickup":
            desk = self._desk(payload, effect)
            ready = _holding(desk, _wanted(payload))
            if not ready and not text_at(desk, "cancelledAt"):
                return _answer_of("nothing", {}, None)  # handed over meanwhile: there is nothing to collect any more
            if not ready:
                raise CallFailed(Resolution.REJECTED, "the shop has nothing of it to collect", code="nothing_ready")
            asked = {"lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": one} for one in ready]}
            answer = self._api.write(
                "PreparedForPickup", queries.PREPARED_FOR_PICKUP, {"input": asked}, SafetyMode.LOOKUP, effect.deadline
            )
            self._api.refuse_user_errors(answer, "fulfillmentOrderLineItemsPreparedForPickup", SafetyMode.LOOKUP)
            return Reply(_raw(answer), "application/json", answer.response.status)
        if status in _TAGGED:
            tags = {"id": payload["orderId"], "tags": [_tag(status)]}
            answer = self._api.write("TagsAdd", queries.TAGS_ADD, tags, SafetyMode.LOOKUP, effect.deadline)
            self._api.refuse_user_errors(answer, "tagsAdd", SafetyMode.LOOKUP)
            return Reply(_raw(answer), "application/json", answer.response.status)
        return _answer_of("nothing", {}, None)

    def push_return(self, effect: Effect) -> Reply:
        """A return is opened when it is approved, closed when it is settled, cancelled when it is given up; what lies
        between is the shop's no concern."""
        payload = _tree(effect.payload)
        status = text_at(payload, "status") or ""
        desk = self._desk(payload, effect)
        standing = _return_of(desk, payload)
        if status in _OPENED and standing is None:
            wish = {
                "orderId": desk["id"],
                "returnLineItems": _return_lines(desk, payload),
                "notifyCustomer": False,
            }
            return self._return("ReturnCreate", queries.RETURN_CREATE, {"returnInput": wish}, effect)
        if standing is not None and text_at(standing, "status") == "OPEN":
            if status in _SETTLED:
                return self._return("ReturnClose", queries.RETURN_CLOSE, {"id": standing["id"]}, effect)
            if status in _GIVEN_UP:
                return self._return("ReturnCancel", queries.RETURN_CANCEL, {"id": standing["id"]}, effect)
        return _answer_of("nothing", {}, _number(standing))

    def _return(self, operation: str, query: str, variables: Node, effect: Effect) -> Reply:
        mutation = operation[0].lower() + operation[1:]
        answer = self._api.write(operation, query, variables, SafetyMode.LOOKUP, effect.deadline)
        result = self._api.refuse_user_errors(answer, mutation, SafetyMode.LOOKUP)
        return Reply(
            _raw(answer), "application/json", answer.response.status, external_id=_number(node_at(result, "return"))
        )

    # -- asking whether it happened --------------------------------------------------------------------------------

    def lookup(self, capability: Capability, effect: Effect) -> Found | NotFound | Unsure:
        payload = _tree(effect.payload)
        desk = self._desk(payload, effect)
        if capability is Capability.PUSH_CANCELLATION and payload.get("whole") is True:
            if not text_at(desk, "cancelledAt"):
                return NotFound()
            return Found(_answer_of("orderCancel", {"job": None, "orderCancelUserErrors": []}, _legacy(desk)))
        if capability in (Capability.PUSH_REFUND, Capability.PUSH_CANCELLATION):
            made = _refund_of(desk, effect.key)
            return NotFound() if made is None else Found(_refund_reply(made))
        if capability is Capability.PUSH_RETURN:
            return _return_happened(payload, _return_of(desk, payload))
        return _status_happened(payload, desk)

    def _desk(self, payload: Node, effect: Effect) -> Node:
        found = self._api.read("OrderDesk", queries.ORDER_DESK, {"id": payload.get("orderId")}, effect.deadline)
        order = node_at(found.data, "order")
        if not order:
            raise CallFailed(Resolution.REJECTED, "the shop has no such order", code="order_not_found")
        return order


def _return_happened(payload: Node, standing: Node | None) -> Found | NotFound | Unsure:
    status = text_at(payload, "status") or ""
    if standing is None:
        return NotFound()
    closed = {"CLOSED": _SETTLED, "CANCELED": _GIVEN_UP}.get(text_at(standing, "status") or "", _OPENED)
    happened = status in closed or status not in (_SETTLED | _GIVEN_UP)
    return Found(_answer_of("nothing", {}, _number(standing))) if happened else NotFound()


def _status_happened(payload: Node, desk: Node) -> Found | NotFound | Unsure:
    status = text_at(payload, "status") or ""
    if status in _TAGGED:
        tags = desk.get("tags")
        tagged = isinstance(tags, list) and _tag(status) in tags
        return Found(_answer_of("nothing", {}, None)) if tagged else NotFound()
    wanted = _wanted(payload)
    states = {
        text_at(order, "status")
        for order in nodes_at(desk, "fulfillmentOrders")
        if any(
            not wanted or text_at(node_at(line, "lineItem"), "id") in wanted for line in nodes_at(order, "lineItems")
        )
    }
    # A prepared fulfilment order is in progress; one that nobody has prepared is open.
    if states == {"OPEN"}:
        return NotFound()
    return Found(_answer_of("nothing", {}, None)) if states else Unsure("the shop shows no fulfilment order of it")


def _tag(status: str) -> str:
    return f"hub: {status.replace('_', ' ')}"


def _refund_of(desk: Node, key: str) -> Node | None:
    mark = f"{_BEGIN}{key}{_END}"
    return next((one for one in nodes_at(desk, "refunds") if (text_at(one, "note") or "").endswith(mark)), None)


def _refund_reply(refund: Node) -> Reply:
    return _answer_of("refundCreate", {"refund": refund, "userErrors": []}, text_at(refund, "legacyResourceId"))


def _refundable(desk: Node, wanted: dict[str, int]) -> dict[str, int]:
    left = {text_at(line, "id"): whole_at(line, "refundableQuantity") or 0 for line in nodes_at(desk, "lineItems")}
    return {item: units for item, asked in wanted.items() if (units := min(asked, left.get(item, 0))) > 0}


def _transactions(desk: Node, amount: Decimal) -> list[Node]:
    """An amount spread over what can still be given back, in the shop's order. Raises CallFailed for more than that."""
    found: list[Node] = []
    left = amount
    for one in nodes_at(node_at(desk, "suggestedRefund"), "suggestedTransactions"):
        room = decimal_at(node_at(node_at(one, "maximumRefundableSet"), "shopMoney"), "amount") or _ZERO
        part = min(room, left)
        if part > 0:
            found.append(
                {
                    "orderId": desk["id"],
                    "parentId": text_at(node_at(one, "parentTransaction"), "id"),
                    "amount": str(part),
                    "gateway": text_at(one, "gateway"),
                    "kind": "REFUND",
                }
            )
            left -= part
    if left > 0:
        words = f"the shop can give back {amount - left} of {amount}"
        raise CallFailed(Resolution.REJECTED, words, code="not_refundable")
    return found


def _location_of(desk: Node, item: str) -> str | None:
    """Where the shop would have fulfilled a line from."""
    for order in nodes_at(desk, "fulfillmentOrders"):
        if any(text_at(node_at(line, "lineItem"), "id") == item for line in nodes_at(order, "lineItems")):
            return text_at(node_at(node_at(order, "assignedLocation"), "location"), "id")
    return None


def _holding(desk: Node, wanted: dict[str, int]) -> list[str]:
    """The fulfilment orders that have something left of the wanted lines; of all, where none is named."""
    return [
        identifier
        for order in nodes_at(desk, "fulfillmentOrders")
        if text_at(order, "status") in ("OPEN", "IN_PROGRESS") and (identifier := text_at(order, "id"))
        if any(
            (whole_at(line, "remainingQuantity") or 0) > 0
            and (not wanted or text_at(node_at(line, "lineItem"), "id") in wanted)
            for line in nodes_at(order, "lineItems")
        )
    ]


def _return_of(desk: Node, payload: Node) -> Node | None:
    named, mark = text_at(payload, "returnId"), text_at(payload, "mark")
    for one in nodes_at(desk, "returns"):
        marks = {text_at(line, "returnReasonNote") for line in nodes_at(one, "returnLineItems")}
        if (named and text_at(one, "id") == gid("Return", named)) or (mark and mark in marks):
            return one
    return None


def _return_lines(desk: Node, payload: Node) -> list[Node]:
    """Our quantities cut into lines of fulfilments. Raises CallFailed for what the shop has not fulfilled."""
    wanted = _wanted(payload)
    found: list[Node] = []
    for fulfilment in nodes_at(desk, "fulfillments"):
        for line in nodes_at(fulfilment, "fulfillmentLineItems"):
            item = text_at(node_at(line, "lineItem"), "id") or ""
            units = min(wanted.get(item, 0), whole_at(line, "quantity") or 0)
            if units > 0:
                wanted[item] -= units
                found.append(
                    {
                        "fulfillmentLineItemId": text_at(line, "id"),
                        "quantity": units,
                        "returnReason": "OTHER",
                        "returnReasonNote": text_at(payload, "mark"),
                    }
                )
    if any(wanted.values()) or not found:
        raise CallFailed(Resolution.REJECTED, "the shop has not fulfilled these quantities", code="not_fulfilled")
    return found


def _wanted(payload: Node) -> dict[str, int]:
    wanted: dict[str, int] = {}
    for line in nodes_at(payload, "lines"):
        item, units = gid("LineItem", text_at(line, "lineItemId") or ""), whole_at(line, "quantity")
        if units is None or units <= 0:
            raise CallFailed(Resolution.REJECTED, "the shop takes whole quantities above zero only", code="quantity")
        wanted[item] = wanted.get(item, 0) + units
    return wanted


def _number(node: Node | None) -> str | None:
    identifier = text_at(node, "id") if node else None
    return identifier.rpartition("/")[2] if identifier else None


def _legacy(desk: Node) -> str | None:
    return text_at(desk, "legacyResourceId")


def _answer_of(mutation: str, content: Any, external_id: str | None) -> Reply:
    """What the call would have answered."""
    body = json.dumps({"data": {mutation: content}}, default=str, ensure_ascii=False, sort_keys=True)
    return Reply(body.encode("utf-8"), "application/json", 200, external_id=external_id)


def _raw(answer: Answer) -> bytes:
    return answer.response.body


def _tree(payload: Tree) -> Node:
    if not isinstance(payload, dict):
        raise CallFailed(Resolution.REJECTED, "the payload is no object")
    return dict(payload)
