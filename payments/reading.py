"""Payments as they stand in our books; Stripe is not asked."""

from payments.database import row, rows
from payments.ids import IdempotencyKey
from payments.records import ATTEMPT_COLUMNS, COLUMNS, AttemptRecord, PaymentRecord


async def find(order_id: str) -> PaymentRecord | None:
    """The order's latest payment, whatever its status."""
    found = await row(
        f"SELECT {COLUMNS} FROM payments WHERE order_id = $1 ORDER BY generation DESC LIMIT 1",
        order_id,
    )
    return None if found is None else PaymentRecord(**found)


async def find_live(order_id: str) -> PaymentRecord | None:
    """The order's payment that may still take money or has taken it; there is at most one."""
    found = await row(f"SELECT {COLUMNS} FROM payments WHERE order_id = $1 AND live", order_id)
    return None if found is None else PaymentRecord(**found)


async def attempts_of(
    order_id: str, after: str | None = None, limit: int | None = None
) -> list[AttemptRecord]:
    """What banks said about this order, oldest first: all of it, or at most `limit` after an attempt."""
    found = await rows(
        f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE order_id = $1 "
        "AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3",
        order_id,
        after,
        limit,
    )
    return [AttemptRecord(**record) for record in found]


def key_of(order_id: str, generation: int, what: str) -> IdempotencyKey:
    """The sentence that names one request about the order's payment of this generation."""
    return IdempotencyKey(f"order:{order_id}:g{generation}:{what}")
