"""The trail: one ordered story of an order from price to payout, for the buyer, the seller or an admin.

The same number of queries for every order, all of the same instant of the database, so that the story never
contradicts itself. `trail_story.py` puts it together.
"""

from collections.abc import Sequence

import msgspec

from marketplace.orders import records
from marketplace.orders.records import Actor, OrderRecord
from marketplace.orders.trail_entries import Audience, Material, Row, TrailEntry
from marketplace.orders.trail_steps import audience_of
from marketplace.orders.trail_story import story
from payments.database import execute, rows, transaction


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """An order's story as one audience knows it."""

    order_id: str
    audience: Audience
    entries: list[TrailEntry]


async def trail(order_id: str, actor: Actor) -> Trail:
    """The order's story, for somebody who may see it. Raises OrderNotFound."""
    async with transaction():
        await execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        order = await records.require(order_id, actor)
        material = await _material(order)
    audience = audience_of(order, actor)
    return Trail(order_id=order.id, audience=audience, entries=story(material, audience))


_PAYMENTS_OF = "SELECT id FROM payments WHERE order_id = $1"
_QUERIES = {
    "order": "SELECT o.*, s.account_id AS owner_id, f.version AS schedule_version FROM orders o "
    "JOIN sellers s ON s.id = o.seller_id JOIN fee_schedules f ON f.id = o.fee_schedule_id "
    "WHERE o.id = $1",
    "lines": "SELECT * FROM order_lines WHERE order_id = $1 ORDER BY position",
    "steps": "SELECT * FROM order_steps WHERE order_id = $1 ORDER BY position",
    "changes": "SELECT * FROM order_changes WHERE order_id = $1 ORDER BY id",
    "payments": "SELECT * FROM payments WHERE order_id = $1 ORDER BY generation",
    "attempts": "SELECT * FROM attempts WHERE order_id = $1 ORDER BY id",
    # Parameters stay where they are: they hold the buyer's address.
    "operations": "SELECT id, kind, subject, idempotency_key, state, attempts, created_at, "
    "concluded_at, request_id, result_id, error_code, error_message "
    "FROM operations WHERE order_id = $1 ORDER BY id",
    "postings": "SELECT * FROM postings WHERE order_id = $1 ORDER BY id",
    "refunds": "SELECT * FROM refunds WHERE order_id = $1 ORDER BY id",
    "movements": f"SELECT * FROM transfer_movements WHERE payment_id IN ({_PAYMENTS_OF}) ORDER BY id",
    "fee_returns": f"SELECT * FROM fee_returns WHERE payment_id IN ({_PAYMENTS_OF}) ORDER BY id",
    "disputes": "SELECT * FROM disputes WHERE order_id = $1 ORDER BY id",
    "debts": "SELECT * FROM debts WHERE order_id = $1 "
    "AND seller_id = (SELECT seller_id FROM orders WHERE id = $1) ORDER BY id",
    "shipments": "SELECT * FROM shipments WHERE order_id = $1",
}
# A payout that came back is carried again by a later one, whole: the order's part of it goes along.
_PAYOUTS = """
WITH RECURSIVE carrying AS (
    SELECT payout_id, sum(net)::bigint AS carried FROM payout_items
    WHERE transfer_id = ANY($1::text[]) GROUP BY payout_id
    UNION
    SELECT i.payout_id, c.carried FROM carrying c JOIN payout_items i ON i.source_id = c.payout_id
)
SELECT p.*, c.carried FROM carrying c JOIN payouts p ON p.id = c.payout_id ORDER BY p.created_at, p.id
"""
_EVENTS = """
SELECT event_id, account, door, type, object_id, state, note, received_at FROM stripe_events
WHERE object_id = ANY($1::text[]) ORDER BY received_at, event_id
"""


async def _material(order: OrderRecord) -> Material:
    found: dict[str, Sequence[Row]] = {}
    for name, sql in _QUERIES.items():
        found[name] = [dict(each) for each in await rows(sql, order.id)]
    transfers = _named(found["payments"], "transfer_id") + _named(found["movements"], "stripe_id")
    payouts = [dict(each) for each in await rows(_PAYOUTS, transfers)]
    events = await rows(_EVENTS, _objects(found) + _named(payouts, "id"))
    return Material(
        order=found.pop("order")[0],
        payouts=payouts,
        events=[dict(each) for each in events],
        **found,
    )


def _objects(found: dict[str, Sequence[Row]]) -> list[str]:
    """Stripe's ids of everything that its events may be about."""
    return [
        *(
            named
            for column in ("intent_id", "charge_id", "transfer_id", "application_fee_id")
            for named in _named(found["payments"], column)
        ),
        *_named(found["attempts"], "reference"),
        *_named(found["refunds"], "stripe_refund_id"),
        *_named(found["movements"], "stripe_id"),
        *_named(found["fee_returns"], "stripe_id"),
        *_named(found["disputes"], "stripe_dispute_id"),
    ]


def _named(found: Sequence[Row], column: str) -> list[str]:
    return [each[column] for each in found if each[column] is not None]
