"""Reads what is known of payments, to review their fees: three queries, however many payments."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from marketplace.books.fees.assessing import Explained, PaymentFacts, explain
from marketplace.fees.errors import FeeScheduleNotFound
from marketplace.fees.schedule import Schedule
from marketplace.fees.schedules import Schedules
from marketplace.orders.records import lines_of
from payments.database import rows

_FACTS = """
SELECT p.id AS payment_id, p.order_id, p.seller_id, p.currency, p.transfer_id,
    p.amount AS asked_amount, p.application_fee AS asked_fee,
    o.total AS gross, o.service_fee, o.fee_working, o.fee_schedule_id AS schedule_id,
    coalesce(f.version, 0) AS schedule_version, s.*
FROM payments p JOIN orders o ON o.id = p.order_id
LEFT JOIN fee_schedules f ON f.id = o.fee_schedule_id
JOIN LATERAL (
    SELECT
        coalesce(min(t.occurred_at) FILTER (WHERE t.kind = 'capture'), min(t.occurred_at))
            AS captured_at,
        coalesce(sum(t.amount) FILTER (WHERE t.kind = 'capture'), 0)::bigint AS captured,
        coalesce(sum(CASE t.kind WHEN 'refund' THEN t.amount WHEN 'refund_failure' THEN -t.amount END),
            0)::bigint AS refunded,
        coalesce(sum(t.amount) FILTER (WHERE t.kind = 'application_fee'), 0)::bigint AS fee_taken,
        coalesce(sum(t.amount) FILTER (WHERE t.kind = 'fee_refund'), 0)::bigint AS fee_returned,
        coalesce(sum(t.amount) FILTER (WHERE t.kind = 'processing_cost'), 0)::bigint
            AS processing_cost,
        coalesce(sum(CASE t.kind WHEN 'dispute' THEN t.amount
            WHEN 'dispute_reinstated' THEN -t.amount END), 0)::bigint AS disputed
    FROM postings t WHERE t.payment_id = p.id
) AS s ON s.captured_at IS NOT NULL
WHERE p.id = ANY($1::text[])
"""


class LoadedPayment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment with the schedule its order was placed under (None: it is not to be found)."""

    payment_id: str
    order_id: str
    seller_id: str
    captured_at: datetime
    schedule_id: str
    schedule_version: int
    schedule: Schedule | None
    facts: PaymentFacts
    explained: Explained


async def load(payment_ids: Sequence[str], schedules: Schedules) -> list[LoadedPayment]:
    """Those of the payments that moved money."""
    found = await rows(_FACTS, payment_ids)
    lines = await lines_of([record["order_id"] for record in found])
    known = await _schedules({record["schedule_id"] for record in found}, schedules)
    loaded = []
    for record in found:
        figures = {name: record[name] for name in PaymentFacts.__struct_fields__ if name != "lines"}
        facts = PaymentFacts(**figures, lines=lines.get(record["order_id"], ()))
        schedule = known[record["schedule_id"]]
        loaded.append(
            LoadedPayment(
                payment_id=record["payment_id"],
                order_id=record["order_id"],
                seller_id=record["seller_id"],
                captured_at=record["captured_at"],
                schedule_id=record["schedule_id"],
                schedule_version=record["schedule_version"],
                schedule=schedule,
                facts=facts,
                explained=explain(facts, schedule),
            )
        )
    return loaded


async def _schedules(ids: set[str], schedules: Schedules) -> Mapping[str, Schedule | None]:
    found: dict[str, Schedule | None] = {}
    for schedule_id in ids:  # few, and each is read once in the life of the process
        try:
            found[schedule_id] = await schedules.require(schedule_id)
        except FeeScheduleNotFound:
            found[schedule_id] = None
    return found
