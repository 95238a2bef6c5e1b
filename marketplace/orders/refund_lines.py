"""Refunds by lines: how many of what, reserved on the order's lines so that nothing is refunded twice."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from marketplace.orders import order_fees, records
from marketplace.orders.errors import RefundLinesRefused
from marketplace.orders.records import OrderRecord
from marketplace.orders.totals import Line
from payments.database import execute, row, value

LINES_LIMIT: Final = 50


class RefundLine(msgspec.Struct, frozen=True):
    """A listing of the order and how many of it are refunded."""

    listing_id: str
    quantity: int


def written(lines: Sequence[RefundLine]) -> str:
    """As it is kept with the refund: the same lines are the same text, in whichever order they came."""
    return msgspec.json.encode(sorted(lines, key=lambda line: line.listing_id)).decode()


def read(text: str) -> tuple[RefundLine, ...]:
    """What `written` wrote."""
    return msgspec.json.decode(text, type=tuple[RefundLine, ...])


async def reserve(order: OrderRecord, lines: Sequence[RefundLine]) -> int:
    """Count the lines as refunded, under the order's lock; answers what the buyer paid for them.

    Minor units, with their share of the service fee as a capture of them has it: by the difference to the
    lines refunded before, so that all lines come to all that was captured. Raises RefundLinesRefused.
    """
    amount = await worth(order, lines)
    await _count(order.id, [(line.listing_id, line.quantity) for line in lines])
    return amount


async def worth(order: OrderRecord, lines: Sequence[RefundLine]) -> int:
    """What `reserve` would answer now. Raises RefundLinesRefused."""
    sold = await _sold(order)
    _check(lines, sold)
    for line in lines:
        left = _taken(sold[line.listing_id]) - sold[line.listing_id].quantity_refunded
        if line.quantity > left:
            raise RefundLinesRefused("too_many", listing_id=line.listing_id, refundable=left)
    before = sum(line.unit_amount * line.quantity_refunded for line in sold.values())
    these = sum(sold[line.listing_id].unit_amount * line.quantity for line in lines)
    return order_fees.worth(order, before + these) - await _given_back(order.id)


async def release(refund_id: str) -> None:
    """The refund did not come about: its lines can be refunded again. In the transaction that learned it."""
    found = await row("SELECT order_id, lines FROM refunds WHERE id = $1", refund_id)
    if found is None or found["lines"] is None:
        return
    await _count(
        found["order_id"], [(line.listing_id, -line.quantity) for line in read(found["lines"])]
    )


def _check(lines: Sequence[RefundLine], sold: Mapping[str, Line]) -> None:
    """Raise RefundLinesRefused for what is no wish at all."""
    if not 0 < len(lines) <= LINES_LIMIT:
        raise RefundLinesRefused("count")
    seen: set[str] = set()
    for line in lines:
        if line.listing_id in seen:
            raise RefundLinesRefused("repeated", listing_id=line.listing_id)
        if line.listing_id not in sold:
            raise RefundLinesRefused("unknown", listing_id=line.listing_id)
        if line.quantity < 1:
            raise RefundLinesRefused("quantity", listing_id=line.listing_id)
        seen.add(line.listing_id)


async def _given_back(order_id: str) -> int:
    """What the refunds by lines that stand come to."""
    found: int = await value(
        "SELECT coalesce(sum(amount), 0)::bigint FROM refunds WHERE order_id = $1 "
        "AND lines IS NOT NULL AND status NOT IN ('failed', 'canceled', 'refused')",
        order_id,
    )
    return found


async def _sold(order: OrderRecord) -> dict[str, Line]:
    return {line.listing_id: line for line in (await records.lines_of([order.id]))[order.id]}


def _taken(line: Line) -> int:
    """How many were captured: all of them where nobody prepared the order line by line."""
    return line.quantity if line.quantity_prepared is None else line.quantity_prepared


async def _count(order_id: str, changes: Sequence[tuple[str, int]]) -> None:
    await execute(
        "UPDATE order_lines AS l SET quantity_refunded = l.quantity_refunded + c.quantity "
        "FROM unnest($2::text[], $3::int[]) AS c (listing_id, quantity) "
        "WHERE l.order_id = $1 AND l.listing_id = c.listing_id",
        order_id,
        [listing_id for listing_id, _ in changes],
        [quantity for _, quantity in changes],
    )
