"""One call to the other side, with every way it can end turned into a result."""

from __future__ import annotations

from dataclasses import dataclass

from hub.exchange.connections import ConnectionView
from hub.exchange.resolution import TABLE, CallResult, Counts, result_of_error, result_of_reply
from hub.sdk.capabilities import Capability, SafetyMode
from hub.sdk.errors import Resolution
from hub.sdk.records import Effect, Found, NotFound, Reply, Unsure


@dataclass(frozen=True, slots=True)
class Called:
    """`conflict`: the other side has a document of our reference with other content."""

    result: CallResult
    conflict: bool = False


@dataclass(frozen=True, slots=True)
class Looked:
    """What `lookup` said: `answer`, or the `failure` that kept it from answering."""

    answer: Found | NotFound | Unsure | None
    failure: CallResult | None = None

    @property
    def breaker_success(self) -> bool | None:
        if self.failure is None:
            return True
        return False if TABLE[self.failure.resolution].breaker is Counts.FAILURE else None


def call(view: ConnectionView, capability: str, effect: Effect, mode: SafetyMode) -> Called:
    """Make the call. A target that refuses a second document of our reference is read back and compared."""
    method = getattr(view.connector, capability, None)
    if method is None:
        return Called(CallResult(Resolution.REJECTED, words=f"{view.manifest.title} has no {capability}"))
    try:
        reply: Reply = method(effect)
    except Exception as error:  # noqa: BLE001 - whatever a connector raises says something of the call's outcome
        result = result_of_error(error)
    else:
        return Called(result_of_reply(reply))
    if result.resolution is Resolution.DUPLICATE and mode is SafetyMode.UNIQUE_REFERENCE and view.can_lookup:
        return _read_back(view, capability, effect, result)
    return Called(result)


def _read_back(view: ConnectionView, capability: str, effect: Effect, refusal: CallResult) -> Called:
    looked = probe(view, capability, effect)
    answer = looked.answer
    if isinstance(answer, Found):
        result = result_of_reply(answer.reply, Resolution.DUPLICATE)
        return Called(result, conflict=answer.same_content is False)
    if looked.failure is not None:
        # It exists, but could not be read now: a repeated call is refused again, harmlessly.
        return Called(CallResult(Resolution.RETRY, words=looked.failure.words or refusal.words))
    why = answer.why if isinstance(answer, Unsure) else "it says that our document exists, but does not find it"
    return Called(CallResult(Resolution.RETRY, words=why))


def probe(view: ConnectionView, capability: str, effect: Effect) -> Looked:
    """Ask the other side whether the effect happened."""
    try:
        return Looked(view.connector.lookup(Capability(capability), effect))
    except Exception as error:  # noqa: BLE001 - a lookup that fails has said nothing
        return Looked(None, result_of_error(error))
