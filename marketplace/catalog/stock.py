"""Stock set aside for an order before money is asked for, then sold or given back.

Every reservation is a row that goes `held` to `sold` or `released` once, so each step may be repeated.
The caller holds the order's lock; listings are locked after it, always in the order of their ids, so
that two orders for the same things never wait for each other in a circle.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg

from marketplace.catalog.errors import OutOfStock
from payments.database import execute, require_transaction, rows
from payments.ids import new_id

_LOCK = """
SELECT id, stock_on_hand - stock_reserved AS available FROM listings
WHERE id = ANY($1::text[]) AND stock_on_hand IS NOT NULL ORDER BY id FOR NO KEY UPDATE
"""
_MOVE = """
UPDATE listings l SET stock_on_hand = stock_on_hand + m.on_hand,
    stock_reserved = stock_reserved + m.reserved
FROM unnest($1::text[], $2::int[], $3::int[]) AS m (listing_id, on_hand, reserved)
WHERE l.id = m.listing_id
"""
_HOLD = """
INSERT INTO stock_reservations (id, order_id, listing_id, quantity, state, created_at)
SELECT r.id, $3, r.listing_id, r.quantity, 'held', $5
FROM unnest($1::text[], $2::text[], $4::int[]) AS r (id, listing_id, quantity)
ON CONFLICT (order_id, listing_id)
DO UPDATE SET state = 'held', quantity = excluded.quantity
WHERE stock_reservations.state = 'released'
"""


async def reserve(order_id: str, quantities: Mapping[str, int], now: datetime) -> None:
    """Set aside what the order wants, all of it or nothing; what it already holds stays held.

    `quantities` are by listing id; listings without stock (sessions) are passed over. Raises OutOfStock
    with nothing changed, NoTransaction outside a transaction.
    """
    require_transaction()
    taken = await rows(
        "SELECT listing_id FROM stock_reservations WHERE order_id = $1 AND state <> 'released'",
        order_id,
    )
    missing = {
        listing_id: quantity
        for listing_id, quantity in quantities.items()
        if listing_id not in {record["listing_id"] for record in taken}
    }
    available = await _lock(list(missing))
    for listing_id, left in available.items():
        if left < missing[listing_id]:
            raise OutOfStock(listing_id, max(left, 0))
    if available:
        await _move([(listing_id, 0, missing[listing_id]) for listing_id in available])
        await execute(
            _HOLD,
            [new_id("rsv") for _ in available],
            list(available),
            order_id,
            [missing[listing_id] for listing_id in available],
            now,
        )


async def release(order_id: str) -> None:
    """Give back what the order holds; nothing when it holds nothing."""
    held = await _conclude(order_id, "held", "released")
    await _lock([record["listing_id"] for record in held])
    await _move([(record["listing_id"], 0, -record["quantity"]) for record in held])


async def sell(order_id: str) -> tuple[str, ...]:
    """Turn what the order holds into sold; answers the listings that could not be served.

    Those are only ever of an order whose money came after its stock was given back: what is still
    there is taken, and the rest is for people to settle.
    """
    held = await _conclude(order_id, "held", "sold")
    await _lock([record["listing_id"] for record in held])
    await _move(
        [(record["listing_id"], -record["quantity"], -record["quantity"]) for record in held]
    )
    return await _sell_released(order_id)


async def _sell_released(order_id: str) -> tuple[str, ...]:
    released = await rows(
        "SELECT listing_id, quantity FROM stock_reservations "
        "WHERE order_id = $1 AND state = 'released' ORDER BY listing_id",
        order_id,
    )
    available = await _lock([record["listing_id"] for record in released])
    served = {
        record["listing_id"]: record["quantity"]
        for record in released
        if available[record["listing_id"]] >= record["quantity"]
    }
    await _move([(listing_id, -quantity, 0) for listing_id, quantity in served.items()])
    if served:
        await execute(
            "UPDATE stock_reservations SET state = 'sold' "
            "WHERE order_id = $1 AND listing_id = ANY($2::text[])",
            order_id,
            list(served),
        )
    return tuple(record["listing_id"] for record in released if record["listing_id"] not in served)


async def _conclude(order_id: str, state: str, into: str) -> list[asyncpg.Record]:
    require_transaction()
    return await rows(
        "UPDATE stock_reservations SET state = $3 WHERE order_id = $1 AND state = $2 "
        "RETURNING listing_id, quantity",
        order_id,
        state,
        into,
    )


async def _lock(listing_ids: Sequence[str]) -> dict[str, int]:
    """Lock the listings that have stock, in the order of their ids; answers what each has available."""
    if not listing_ids:
        return {}
    return {record["id"]: record["available"] for record in await rows(_LOCK, list(listing_ids))}


async def _move(moves: Sequence[tuple[str, int, int]]) -> None:
    """Add to on-hand and reserved stock of locked listings, in one statement."""
    if moves:
        listing_ids, on_hand, reserved = zip(*moves, strict=True)
        await execute(_MOVE, list(listing_ids), list(on_hand), list(reserved))
