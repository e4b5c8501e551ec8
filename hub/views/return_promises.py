"""What `hub verify` holds of goods that come back, as (name, words, query) of hub.views.promises."""

from __future__ import annotations

from dataclasses import dataclass

from hub.domain.returns import BACK, CLAIMING, ENDED_STATES, STAGE_MOVES, Stage
from hub.store.tables.returns import RETURN_STAGES


@dataclass(frozen=True, slots=True)
class Held:
    """As hub.views.promises.Promise."""

    name: str
    says: str
    sql: str


@dataclass(frozen=True, slots=True)
class Spoiled:
    """As hub.views.self_test.Corruption."""

    name: str
    promise: str
    pick: str
    change: tuple[str, ...]


ENDED = "(" + ", ".join(sorted(f"'{state}'" for state in ENDED_STATES)) + ")"


def _sum(stages: tuple[Stage, ...], table: str) -> str:
    return " + ".join(f"{table}.{stage}" for stage in stages)


def _journal() -> str:
    cases = ", ".join(
        f"SUM(CASE WHEN to_stage = '{stage}' THEN quantity WHEN from_stage = '{stage}' THEN -quantity ELSE 0 END)"
        f" AS {stage}"
        for stage in RETURN_STAGES
    )
    differs = " OR ".join(f"l.{stage} <> COALESCE(j.{stage}, 0)" for stage in RETURN_STAGES)
    return (
        "SELECT l.id AS subject, 'the stages differ from the journal of moves' AS detail FROM return_lines l LEFT JOIN"
        f" (SELECT return_line_id, {cases} FROM return_moves GROUP BY return_line_id) j ON j.return_line_id = l.id"
        f" WHERE {differs}"
    )


def _legal_moves() -> str:
    legal = [f"('', '{Stage.REQUESTED}')"]
    legal += [f"('{source}', '{target}')" for source, targets in STAGE_MOVES.items() for target in sorted(targets)]
    return (
        "SELECT id AS subject, from_stage || ' to ' || to_stage || ' is no legal move' AS detail FROM return_moves"
        f" WHERE (from_stage, to_stage) NOT IN (VALUES {', '.join(sorted(legal))})"
    )


RETURNS: tuple[Held, ...] = (
    Held(
        "return_stages_sum",
        "The stages of a return line sum to what it claims, none below zero",
        f"SELECT id AS subject, 'stages sum to ' || ({' + '.join(RETURN_STAGES)}) || ', claimed ' || claimed AS detail"
        f" FROM return_lines WHERE {' + '.join(RETURN_STAGES)} <> claimed"
        f" OR {' OR '.join(f'{stage} < 0' for stage in RETURN_STAGES)} OR over < 0",
    ),
    Held("return_journal", "The stages equal their journal of moves", _journal()),
    Held("return_moves_legal", "Every move of returned goods is one that the table has", _legal_moves()),
    Held(
        "returned_had_left",
        "No more of a line is claimed back than had left, but for what is counted as too much",
        f"SELECT l.id AS subject, 'claimed back ' || SUM({_sum(CLAIMING, 'r')} - r.over) || ', left '"
        " || (l.shipped + l.handed_over + l.delivered + l.lost + l.returned_to_sender + l.over_shipped) AS detail"
        " FROM order_lines l JOIN return_lines r ON r.line_id = l.id GROUP BY l.id, l.shipped, l.handed_over,"
        " l.delivered, l.lost, l.returned_to_sender, l.over_shipped"
        f" HAVING SUM({_sum(CLAIMING, 'r')} - r.over) > l.shipped + l.handed_over + l.delivered + l.lost"
        " + l.returned_to_sender + l.over_shipped",
    ),
    Held(
        "returned_in_stock",
        "What was inspected stands in the journal of stock where it lies",
        "SELECT m.id AS subject, m.to_stage || ' at ' || m.location || ' and the stock knows nothing of it' AS detail"
        " FROM return_moves m JOIN return_lines l ON l.id = m.return_line_id"
        " WHERE m.to_stage IN ('restocked', 'quarantined', 'scrapped') AND NOT EXISTS (SELECT 1 FROM stock_events e"
        " WHERE e.cause = m.cause AND e.sku = l.sku AND e.location = m.location AND e.kind = 'return'"
        " AND e.bucket = CASE m.to_stage WHEN 'restocked' THEN 'on_hand' WHEN 'quarantined' THEN 'quarantine'"
        " ELSE 'damaged' END)",
    ),
    Held(
        "returns_settled_once",
        "No unit of a return is settled twice, nor one that had never left",
        "SELECT id AS subject, 'settled ' || settled || ' of ' || (claimed - over) AS detail FROM return_lines"
        " WHERE settled > claimed - over",
    ),
    Held(
        "settlements_paid",
        "A settlement that is paid by a refund has that refund, over what it says; or it waits for a capture, or a"
        " person knows that nothing is left to pay it from",
        "SELECT s.id AS subject, 'says ' || s.amount || ', refunds of it come to ' || COALESCE(SUM(f.amount), 0)"
        " AS detail FROM return_settlements s LEFT JOIN refunds f"
        " ON f.key = 'return/' || s.id WHERE s.refund_id IS NOT NULL GROUP BY s.id, s.amount, s.order_id"
        " HAVING COALESCE(SUM(f.amount), 0) > s.amount OR COUNT(f.id) = 0"
        " AND NOT EXISTS (SELECT 1 FROM orders o WHERE (o.id = s.order_id OR o.id IN"
        " (SELECT k.other_order_id FROM order_links k WHERE k.order_id = s.order_id))"
        " AND CAST(o.document AS TEXT) LIKE '%\"return/' || s.id || '\"%')"
        " AND NOT EXISTS (SELECT 1 FROM exceptions e WHERE e.cause_key LIKE 'refund-not-covered/%'"
        " AND e.cause_key LIKE '%/return/' || s.id)",
    ),
    Held(
        "returns_explained",
        "Every open return has something that moves it: a task, a call or an exception",
        "SELECT r.id AS subject, 'is ' || r.state || ' and nothing moves it' AS detail FROM returns r"
        f" WHERE r.state NOT IN {ENDED}"
        " AND r.id NOT IN (SELECT t.subject FROM tasks t WHERE t.state IN ('pending', 'claimed'))"
        " AND NOT EXISTS (SELECT 1 FROM exception_subjects s JOIN exceptions e ON e.id = s.exception_id"
        " WHERE e.state = 'open' AND s.cleared_at IS NULL AND s.order_id = r.order_id)",
    ),
)

CREDIT = (
    "INSERT INTO money_moves (id, order_id, kind, currency, amount, document, at)"
    " SELECT :id, id, 'credited', 'USD', 0, '{}', created_at FROM orders WHERE id = :order_id"
)
CORRUPTIONS: tuple[Spoiled, ...] = (
    Spoiled(
        "a returned unit is counted twice",
        "return_stages_sum",
        "SELECT id FROM return_lines ORDER BY id LIMIT 1",
        ("UPDATE return_lines SET received = received + 1000000 WHERE id = :id",),
    ),
    Spoiled(
        "a stage of a return drifts from its journal",
        "return_journal",
        "SELECT id FROM return_lines ORDER BY id LIMIT 1",
        ("UPDATE return_lines SET scrapped = scrapped + 1000000, claimed = claimed + 1000000 WHERE id = :id",),
    ),
    Spoiled(
        "returned goods take a way that there is not",
        "return_moves_legal",
        "SELECT id FROM return_moves ORDER BY id LIMIT 1",
        ("UPDATE return_moves SET from_stage = 'scrapped', to_stage = 'requested' WHERE id = :id",),
    ),
    Spoiled(
        "more comes back than had left",
        "returned_had_left",
        "SELECT line_id AS id, id AS part FROM return_lines WHERE line_id IS NOT NULL ORDER BY id LIMIT 1",
        ("UPDATE return_lines SET received = received + 1000000000 WHERE id = :part",),
    ),
    Spoiled(
        "goods that were inspected are nowhere",
        "returned_in_stock",
        "SELECT m.id, m.cause FROM return_moves m WHERE m.to_stage IN ('restocked', 'quarantined', 'scrapped')"
        " ORDER BY m.id LIMIT 1",
        ("DELETE FROM stock_events WHERE cause = :cause AND kind = 'return'",),
    ),
    Spoiled(
        "a unit is settled twice",
        "returns_settled_once",
        f"SELECT id FROM return_lines WHERE {' + '.join(BACK)} > 0 ORDER BY id LIMIT 1",
        ("UPDATE return_lines SET settled = claimed + 1000000 WHERE id = :id",),
    ),
    Spoiled(
        "a settlement's refund disappears",
        "settlements_paid",
        "SELECT id, order_id FROM return_settlements WHERE refund_id IS NOT NULL ORDER BY id LIMIT 1",
        ("DELETE FROM refunds WHERE key = 'return/' || :id",),
    ),
    Spoiled(
        "a credit note is told nobody",
        "credits_posted",
        "SELECT 'mm-self-test-credited' AS id, id AS order_id FROM orders ORDER BY id LIMIT 1",
        (
            "DELETE FROM deliveries WHERE order_id = :order_id AND capability = 'post_credit_note'",
            CREDIT,
        ),
    ),
    Spoiled(
        "an open return is forgotten",
        "returns_explained",
        f"SELECT id, order_id FROM returns WHERE state NOT IN {ENDED} ORDER BY id LIMIT 1",
        (
            "DELETE FROM tasks WHERE subject = :id",
            "UPDATE exception_subjects SET cleared_at = 1 WHERE order_id = :order_id",
        ),
    ),
)
