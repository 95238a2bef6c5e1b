"""Stock set aside for an order before money is asked for, then sold or given back.

Every reservation is a row that goes `held` to `sold` or `released` once, so each step may be repeated.
The caller holds the order's lock; listings are locked after it, always in the order of their ids, so
that two orders for the same things never wait for each other in a circle.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec

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
_ADJUST = """
INSERT INTO stock_reservations (id, order_id, listing_id, quantity, state, created_at)
SELECT r.id, $3, r.listing_id, r.quantity, 'held', $5
FROM unnest($1::text[], $2::text[], $4::int[]) AS r (id, listing_id, quantity)
ON CONFLICT (order_id, listing_id)
DO UPDATE SET state = 'held', quantity = excluded.quantity
WHERE stock_reservations.state <> 'sold'
"""


async def reserve(order_id: str, quantities: Mapping[str, int], now: datetime) -> None:
    """Set aside what the order wants, all of it or nothing; what it already holds stays held.

    `quantities` are by listing id; listings without stock (sessions) are passed over. Raises OutOfStock
    with nothing changed, NoTransaction outside a transaction.
    """
    require_transaction()
    if not quantities:
        return
    taken = {each["listing_id"] for each in await _reserved(order_id, ["held", "sold"])}
    missing = {
        listing_id: quantity
        for listing_id, quantity in quantities.items()
        if listing_id not in taken
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


async def adjust(order_id: str, quantities: Mapping[str, int], now: datetime) -> None:
    """Make what the order holds exactly `quantities`, all of it or nothing.

    Listings without stock are passed over; what is not among them is given back and forgotten. Raises
    OutOfStock with nothing changed, NoTransaction outside a transaction.
    """
    held = {each["listing_id"]: each["quantity"] for each in await _reserved(order_id, ["held"])}
    available = await _lock(sorted(held.keys() | quantities.keys()))
    wanted = {each: quantities[each] for each in available if each in quantities}
    more = {each: wanted.get(each, 0) - held.get(each, 0) for each in available}
    for listing_id, missing in more.items():
        if missing > max(available[listing_id], 0):
            raise OutOfStock(listing_id, max(available[listing_id], 0) + held.get(listing_id, 0))
    await _move([(each, 0, missing) for each, missing in more.items() if missing])
    await forget(order_id, keep=list(wanted))
    if wanted:
        await execute(
            _ADJUST,
            [new_id("rsv") for _ in wanted],
            list(wanted),
            order_id,
            list(wanted.values()),
            now,
        )


async def forget(order_id: str, *, keep: Sequence[str] = ()) -> None:
    """Drop reservations of listings that are no longer in the order's cart.

    What they held is given back by then: a late payment must not take what the buyer had put back.
    """
    require_transaction()
    await execute(
        "DELETE FROM stock_reservations WHERE order_id = $1 AND state <> 'sold' "
        "AND listing_id <> ALL($2::text[])",
        order_id,
        list(keep),
    )


async def release(order_id: str) -> None:
    """Give back what the order holds; nothing when it holds nothing."""
    held = await _reserved(order_id, ["held"])
    await _lock([each["listing_id"] for each in held])
    await _move([(each["listing_id"], 0, -each["quantity"]) for each in held])
    await _conclude(order_id, held, "released")


async def sell(order_id: str, quantities: Mapping[str, int] | None = None) -> tuple[str, ...]:
    """Turn what the order holds into sold; answers the listings that could not be served.

    `quantities` by listing id are what was prepared of it: the rest is given back. Those that cannot be
    served are only ever of an order whose money came after its stock was given back: what is still there
    is taken, and the rest is for people to settle.
    """
    reserved = await _reserved(order_id, ["held", "released"])
    wanted = {
        each["listing_id"]: _sold_of(each, quantities)
        for each in reserved
        if each["state"] == "held" or _sold_of(each, quantities)
    }
    available = await _lock([each["listing_id"] for each in reserved])
    sales = [
        _Sale(each["listing_id"], wanted[each["listing_id"]], _held(each))
        for each in reserved
        if each["listing_id"] in wanted
        and (each["state"] == "held" or wanted[each["listing_id"]] <= available[each["listing_id"]])
    ]
    await _move([(sale.listing_id, -sale.quantity, -sale.held) for sale in sales])
    await _conclude_sales(order_id, sales)
    served = {sale.listing_id for sale in sales}
    return tuple(listing_id for listing_id in wanted if listing_id not in served)


async def put_back(order_id: str) -> None:
    """What was sold but never left the shelf is on hand again; nothing when nothing was sold."""
    sold = await _reserved(order_id, ["sold"])
    await _lock([each["listing_id"] for each in sold])
    await _move([(each["listing_id"], each["quantity"], 0) for each in sold])
    await _conclude(order_id, sold, "released")


class _Sale(msgspec.Struct, frozen=True):
    """How many leave the shelf, and how many were set aside for it."""

    listing_id: str
    quantity: int
    held: int


def _sold_of(reserved: asyncpg.Record, quantities: Mapping[str, int] | None) -> int:
    if quantities is None:
        return int(reserved["quantity"])
    return quantities.get(reserved["listing_id"], 0)


def _held(reserved: asyncpg.Record) -> int:
    return int(reserved["quantity"]) if reserved["state"] == "held" else 0


async def _conclude_sales(order_id: str, sales: Sequence[_Sale]) -> None:
    """Sold in the quantity that was prepared; what was left out altogether is released."""
    if sales:
        await execute(
            "UPDATE stock_reservations r SET "
            "state = CASE WHEN s.quantity > 0 THEN 'sold' ELSE 'released' END, "
            "quantity = CASE WHEN s.quantity > 0 THEN s.quantity ELSE r.quantity END "
            "FROM unnest($2::text[], $3::int[]) AS s (listing_id, quantity) "
            "WHERE r.order_id = $1 AND r.listing_id = s.listing_id",
            order_id,
            [sale.listing_id for sale in sales],
            [sale.quantity for sale in sales],
        )


async def _reserved(order_id: str, states: Sequence[str]) -> list[asyncpg.Record]:
    require_transaction()
    return await rows(
        "SELECT listing_id, quantity, state FROM stock_reservations "
        "WHERE order_id = $1 AND state = ANY($2::text[]) ORDER BY listing_id",
        order_id,
        list(states),
    )


async def _conclude(order_id: str, reserved: Sequence[asyncpg.Record], state: str) -> None:
    if reserved:
        await execute(
            "UPDATE stock_reservations SET state = $3 "
            "WHERE order_id = $1 AND listing_id = ANY($2::text[])",
            order_id,
            [each["listing_id"] for each in reserved],
            state,
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
