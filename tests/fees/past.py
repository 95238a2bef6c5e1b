"""Past orders, written as plain rows: what a replay goes through."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from marketplace.fees.rules import FeeInputs, quote
from marketplace.fees.schedule import Schedule
from payments.currencies import CURRENCIES
from payments.database import execute
from payments.ids import new_id
from tests.fees import chance as by_chance

_ORDERS = """
INSERT INTO orders (id, buyer_id, seller_id, currency, status, total, capture_method, application_fee,
    fee_credit, fee_schedule_id, fee_rule_id, fee_working, generation, idempotency_key, created_at,
    updated_at, checkout_expires_at)
SELECT o.id, $9, o.seller_id, o.currency, o.status, o.total, 'manual', o.fee, o.credit, $10, 'any', '{}',
    0, o.id, o.created_at, o.created_at, o.created_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::timestamptz[])
    AS o (id, seller_id, currency, status, total, fee, credit, created_at)
"""
_LINES = """
INSERT INTO order_lines (id, order_id, position, listing_id, kind, title, category, unit_amount, quantity,
    amount)
SELECT l.id, l.order_id, l.position, ($8::text[])[l.position + 1], l.kind, 'Something', l.category,
    l.unit, l.quantity, l.unit * l.quantity
FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::bigint[], $7::int[])
    AS l (id, order_id, position, kind, category, unit, quantity)
"""


def past_orders(
    chance: random.Random,
    schedule: Schedule,
    sellers: Sequence[str],
    how_many: int,
    since: datetime,
) -> list[dict[str, Any]]:
    """Orders by chance, a third of an hour apart, with the fee `schedule` makes of each."""
    found = []
    for number in range(how_many):
        currency = chance.choice(("eur", "eur", "isk", "jpy"))
        inputs = _whole_units(by_chance.cart(chance, currency))
        placed_at = since + number * timedelta(hours=8)
        facts = {
            "seller_id": chance.choice(sellers),
            "placed_at": placed_at,
            "credit": min(inputs.credit, 50 * CURRENCIES[currency].step),
        }
        inputs = FeeInputs(currency=currency, lines=inputs.lines, **facts)
        status = chance.choice(("paid", "completed", "shipped", "authorized", "canceled"))
        found.append({"id": new_id("ord"), "status": status, "quote": quote(schedule, inputs)})
    return sorted(found, key=lambda one: one["id"])


async def write(
    orders: Sequence[dict[str, Any]], buyer_id: str, schedule_id: str, listings: Sequence[str]
) -> None:
    """Put them in the database, their first lines of the first listing and so on."""
    quotes = [one["quote"] for one in orders]
    await execute(
        _ORDERS,
        [one["id"] for one in orders],
        [each.inputs.seller_id for each in quotes],
        [each.inputs.currency for each in quotes],
        [one["status"] for one in orders],
        [each.total for each in quotes],
        [each.fee for each in quotes],
        [each.credit for each in quotes],
        [each.inputs.placed_at for each in quotes],
        buyer_id,
        schedule_id,
    )
    lines = [
        (new_id("lin"), one["id"], at, line)
        for one in orders
        for at, line in enumerate(one["quote"].inputs.lines)
    ]
    await execute(
        _LINES,
        [line_id for line_id, _, _, _ in lines],
        [order_id for _, order_id, _, _ in lines],
        [at for _, _, at, _ in lines],
        [line.kind for _, _, _, line in lines],
        [line.category for _, _, _, line in lines],
        [line.amount // line.quantity for _, _, _, line in lines],
        [line.quantity for _, _, _, line in lines],
        list(listings),
    )


def _whole_units(inputs: FeeInputs) -> FeeInputs:
    """The same with amounts that are a price by a quantity."""
    step = CURRENCIES[inputs.currency].step
    lines = tuple(
        msgspec.structs.replace(
            line, amount=max(line.amount // line.quantity // step, 1) * step * line.quantity
        )
        for line in inputs.lines
    )
    return msgspec.structs.replace(inputs, lines=lines)
