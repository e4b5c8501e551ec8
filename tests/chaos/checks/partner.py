"""The trading partner: each interchange acknowledged once, one ship notice a package, no control number given twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.books import Books, Finding
from tests.chaos.checks import channel
from tests.chaos.systems import EDI


def check(books: Books) -> Iterator[Finding]:
    yield from channel.check(books, EDI)
    yield from _acknowledged(books)
    for key, many in books.truth.doubled(EDI, "shipment_notice"):
        yield "duplicate_effects", f"the partner has {many} ship notices of {key}"
    told = Counter(data["tracking"] for _, _, _, data in books.truth.of(EDI, "shipment_notice"))
    for tracking, many in told.items():
        if tracking and many > 1:
            yield "duplicate_effects", f"the partner has {many} ship notices of package {tracking}"
    for kind, what in (("order_answer", "answers to"), ("invoice", "invoices of")):
        for key, many in books.truth.doubled(EDI, kind):
            yield "duplicate_effects", f"the partner has {many} {what} {key}"
    yield from _numbers(books)


def _acknowledged(books: Books) -> Iterator[Finding]:
    """Purchase orders and acknowledgements of ship notices come in groups of one set each; only the former are
    answered."""
    answers: dict[str, list[str]] = defaultdict(list)
    for _, group, _, data in books.truth.of(EDI, "acknowledgement"):
        answers[group].append(data["verdict"])
    for _, po, _, data in books.truth.of(EDI, "order_placed"):
        verdicts = answers.pop(f"PO/{data['control']}", [])
        if not verdicts:
            yield "lost", f"the partner got no 997 for {po}"
        if len(verdicts) > 1:
            yield "duplicate_effects", f"the partner got {len(verdicts)} functional acknowledgements for {po}"
        if set(verdicts) - {"A"}:
            yield "lost", f"the hub refused {po} ({', '.join(verdicts)})"
    for group in answers:
        yield "bad_accepted", f"the partner got a 997 for {group}, which it never sent"
    if unreadable := books.truth.of(EDI, "unreadable"):
        yield "ledger_difference", f"the partner cannot read {len(unreadable)} of our files, {unreadable[0][1]} first"


def _numbers(books: Books) -> Iterator[Finding]:
    for _, control, name, _ in books.truth.of(EDI, "repeated_interchange"):
        yield "duplicate_effects", f"the partner got the interchange {control} again, in {name}"
    groups: dict[str, set[str]] = defaultdict(set)
    for kind in ("acknowledgement", "shipment_notice", "order_answer", "invoice"):
        for _, _, name, data in books.truth.of(EDI, kind):
            groups[data["group"]].add(name)
    for group, names in groups.items():
        if len(names) > 1:
            yield "duplicate_effects", f"the group number {group} stands in {', '.join(sorted(names))}"
