"""The states that rows of the store can be in, each with what it means; `hub verify` refuses any other."""

from __future__ import annotations

from hub.domain.fulfilment import WORK_MEANINGS
from hub.domain.returns import RETURN_MEANINGS, STAGE_MEANINGS

RECEIPT_STATES = {
    "pending": "stored, not read yet",
    "parsed": "read into messages, or kept as evidence of a topic that nobody subscribed",
    "unparsable": "no record can be made of its bytes; an exception tells of it",
}

MESSAGE_STATES = {
    "stored": "waits for its turn",
    "claimed": "is being decided on",
    "retry": "is decided on again after a failure",
    "waiting": "speaks of something that is not known yet; at most 24 hours unless configured otherwise",
    "applied": "what it says has been taken over",
    "parked": "cannot be identified or mapped; an exception tells of it",
    "duplicate": "says what was applied already",
    "ignored": "says nothing that concerns the hub",
    "superseded": "is older than what was applied",
    "re-driven": "was tried again as a new message linked to this one",
}

DELIVERY_STATES = {
    "pending": "waits to be sent",
    "retry": "was not done, and is sent again when due",
    "in_flight": "is being sent",
    "sent": "the transport took it; the answer comes later",
    "acknowledged": "the other side did it",
    "refused": "the other side said no; an exception holds its words",
    "unknown": "the call may have happened; the safety mode decides what comes next",
    "probing": "the other side is asked whether it happened",
    "conflict": "the other side has something else under our key; a person decides",
    "overdue": "the answer that should have come later did not; still open",
    "withdrawn": "became pointless before it was sent",
    "coalesced": "a newer one of the same subject replaced it",
    "parked": "cannot be written, is blocked by another, or was given up for its age; an exception tells of it",
    "suppressed": "the connection only observes; go-live may send it",
    "abandoned": "a person gave it up, with a reason",
}

ORDER_STATES = {
    "draft": "known only by something that speaks of it, such as a cancel that came first",
    "received": "captured, not confirmed yet",
    "held": "stands until every hold is released",
    "confirmed": "its work is under way",
    "closed": "nothing is left to do",
    "cancelled": "everything of it was cancelled",
}

WORK_STATES = {state.value: meaning for state, meaning in WORK_MEANINGS.items()}

RETURN_STATES = {state.value: meaning for state, meaning in RETURN_MEANINGS.items()}
"""Of a return."""

RETURN_STAGES = {stage.value: meaning for stage, meaning in STAGE_MEANINGS.items()}
"""Of a quantity of a return's line."""

PAYMENT_STATES = {
    "created": "the provider was asked, or knows it; nothing is authorised yet",
    "authorised": "an amount may be captured until the authorisation ends",
    "partially_captured": "something was captured, something may still be",
    "captured": "all that will be captured was",
    "voided": "the authorisation was given up before anything was captured",
    "expired": "the authorisation ended; another one is asked for or waited for",
    "failed": "the provider refused it",
    "disputed": "the customer takes the money back through the bank; an exception says until when to answer",
    "won": "the dispute ended for us",
    "lost": "the dispute ended for the customer",
}

CALL_STATES = {
    "pending": "the provider, or the channel, was asked and has not answered",
    "succeeded": "the money has moved",
    "failed": "it was refused; an exception holds the words",
    "unknown": "the call may have happened; it is looked for before it is made again",
}
"""Of a capture, and of a refund."""
