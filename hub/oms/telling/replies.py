"""Answers to our own calls, applied like any other message: numbers, ids, refusals and per-line answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hub.domain.decision import Decision, Incoming, Verdict
from hub.domain.events import Fact
from hub.domain.fulfilment import Answer, FulfilmentOrder, WorkState
from hub.domain.ids import derived_id
from hub.domain.snapshot import Snapshot
from hub.oms.desk.load import Case, open_case
from hub.oms.desk.save import save, tell
from hub.oms.fulfilment import label
from hub.oms.fulfilment.fulfil import answer_cancel, report
from hub.oms.intake.customer import UPSERT, answered
from hub.oms.money import payment_answers
from hub.oms.money.store_credit import CAPABILITY as STORE_CREDIT
from hub.oms.ports import Rules
from hub.oms.promise.publish import publish_anew
from hub.oms.returns import return_label
from hub.oms.telling.channel_invoice import invoice_posted

ZERO = Decimal(0)
DONE = frozenset({"success", "duplicate"})
REFUSED = frozenset({"rejected", "refused", "gone"})
POSTED = {
    "submit_order": "order",
    "post_invoice": "invoice",
    "post_credit_note": "credit_note",
    "post_goods_movement": "goods_movement",
}
"""What a posting is called where its number is kept."""

WITHDRAWN = "withdrawn"
"""A cancel and what it cancels were both taken back before anything was sent: as good as accepted."""


def handle_reply(rules: Rules) -> Callable[[Incoming, Snapshot, dt.datetime], Decision]:
    """The handler of the stream `replies`."""

    def apply_reply(incoming: Incoming, snapshot: Snapshot, now: dt.datetime) -> Decision:
        record = incoming.record
        capability, key = str(record["capability"]), str(record["key"])
        if capability in ("send_fulfilment_request", "cancel_fulfilment_request"):
            return _of_work(incoming, snapshot, rules, now, capability, key)
        if capability == "push_inventory" and resolution_of(record) in DONE and not _accepted(record):
            return publish_anew(incoming, snapshot, rules, now, key)
        order_id = record.get("order_id")
        case = open_case(snapshot, rules, now, incoming.id, str(order_id)) if order_id else None
        if case is None:
            return Decision(Verdict.IGNORED, message=f"nothing of the hub's waits for the answer to {key}")
        resolution = resolution_of(record)
        if capability in label.CAPABILITIES:
            label.answered(case, capability, key, record)
            return_label.answered(case, key, record)
        if capability in payment_answers.CAPABILITIES:
            payment_answers.answered(case, capability, key, record)
            return save(case)
        if capability == STORE_CREDIT:
            payment_answers.store_credit_answered(case, key, record)
            return save(case)
        if capability == "push_refund":
            payment_answers.channel_answered(case, key, record)
        if resolution in DONE and _accepted(record):
            _done(case, capability, key, record)
        elif resolution in DONE:
            _refused(case, capability, record)
        return save(case)

    return apply_reply


def resolution_of(record: dict[str, Any]) -> str:
    return str(record.get("resolution", "success"))


def _accepted(record: dict[str, Any]) -> bool:
    return (record.get("reply") or {}).get("accepted") is not False


def _number(record: dict[str, Any]) -> str | None:
    reply = record.get("reply") or {}
    found = reply.get("external_id") or record.get("external_id")
    return str(found) if found else None


def _done(case: Case, capability: str, key: str, record: dict[str, Any]) -> None:
    destination, number = str(record["destination"]), _number(record)
    case.clear_exception(f"refused/{destination}/{capability}", "answered")
    if capability == UPSERT and number:
        answered(case, key, destination, number)
    if capability in POSTED and number:
        entity = POSTED[capability]
        internal = {"order": case.order.id, "invoice": key.split("/")[1]}.get(entity, key)
        case.decision.writes.insert(
            "cross_references",
            {
                "id": derived_id("xr", destination, entity, number),
                "system": destination,
                "entity": entity,
                "external_id": number,
                "role": "primary",
                "internal_id": internal,
                "valid_from": case.now,
                "valid_to": None,
            },
            ignore=True,
        )
        shown = (record.get("reply") or {}).get("number") or number
        if capability == "post_invoice":
            invoice_posted(case, key, str(shown))
        if entity == "order":
            numbers = {**case.order.facts.get("numbers", {}), destination: str(shown)}
            case.order.facts = {**case.order.facts, "numbers": numbers}
            tell(case, Fact.ORDER_POSTED, f"{destination}/{number}", system=destination, number=str(shown))


def _refused(case: Case, capability: str, record: dict[str, Any]) -> None:
    """A polite no inside an answer that went well. What the call itself was refused with stands under the delivery's
    own exception already: one cause, one exception."""
    if resolution_of(record) in REFUSED:
        return
    destination = str(record["destination"])
    words = (record.get("reply") or {}).get("reason") or record.get("words") or "no reason given"
    case.raise_exception(
        f"refused/{destination}/{capability}/{case.order.id}",
        "refused",
        f"{destination} refused {capability.replace('_', ' ')}",
        case.discreet(str(words)),
        "Correct the cause there or in the mapping, then send it again as new, with a reason.",
        f"hub deliveries resend {record['delivery']} --as-new --reason TEXT",
    )


def _of_work(
    incoming: Incoming, snapshot: Snapshot, rules: Rules, now: dt.datetime, capability: str, key: str
) -> Decision:
    sending = capability == "send_fulfilment_request"
    request_id = "" if sending else key.removeprefix("cancel/")
    work_id = key.removeprefix("fulfilment-order/").rpartition("@")[0] if sending else ""
    order_id = incoming.record.get("order_id")
    case = open_case(snapshot, rules, now, incoming.id, str(order_id)) if order_id else None
    found = _work_of(case, work_id) if sending else _work_of_request(case, request_id)
    if found is None:
        return Decision(Verdict.IGNORED, message=f"there is no fulfilment order behind {key}")
    case, work = found
    if sending:
        _sent(case, work, incoming.record)
    else:
        _cancel_answered(case, work, request_id, incoming.record)
    return save(case)


def _work_of(case: Case | None, work_id: str) -> tuple[Case, FulfilmentOrder] | None:
    work = next((work for work in case.work if work.id == work_id), None) if case else None
    return None if case is None or work is None else (case, work)


def _work_of_request(case: Case | None, request_id: str) -> tuple[Case, FulfilmentOrder] | None:
    work = next((work for work in case.work if work.cancel_request(request_id)), None) if case else None
    return None if case is None or work is None else (case, work)


def _sent(case: Case, work: FulfilmentOrder, record: dict[str, Any]) -> None:
    resolution = str(record.get("resolution", "success"))
    if resolution in DONE and _accepted(record):
        work.reach(WorkState.SENT)
        work.external_id = _number(record) or work.external_id
        case.clear_exception(f"refused/{work.connection}/send_fulfilment_request", "answered")
        tell(case, Fact.WORK_SENT, work.id, fulfilment_order=work.id)
    elif resolution in REFUSED or resolution in DONE:
        words = (record.get("reply") or {}).get("reason") or record.get("words") or "refused"
        report(case, work, "rejected", {"reason": str(words)})
        _refused(case, "send_fulfilment_request", record)
    elif resolution == "ambiguous":
        work.reach(WorkState.UNKNOWN)


def _cancel_answered(case: Case, work: FulfilmentOrder, request_id: str, record: dict[str, Any]) -> None:
    request = work.cancel_request(request_id)
    if request is None:
        return
    resolution, reply = str(record.get("resolution", "success")), record.get("reply") or {}
    if resolution == WITHDRAWN:
        answer_cancel(case, work, request, {}, Answer.ACCEPTED)
        return
    answers: dict[str, tuple[Answer, Decimal]] = {}
    for said in reply.get("lines") or ():
        asked = request.line(str(said["line"]))
        if asked is not None and "answer" in said:
            units = Decimal(str(said.get("quantity", asked.waiting)))
            answers[asked.line_id] = (Answer(said["answer"]), units)
    if answers:
        answer_cancel(case, work, request, answers, None)
    elif resolution in REFUSED or reply.get("accepted") is False:
        answer_cancel(case, work, request, {}, Answer.REFUSED)
    elif resolution in DONE and reply.get("accepted") is True:
        answer_cancel(case, work, request, {}, Answer.ACCEPTED)
