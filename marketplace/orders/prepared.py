"""What of an order was prepared: which lines and how many, what that comes to, and the stock it takes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from marketplace.catalog import stock
from marketplace.fees.rules import PricedLine
from marketplace.orders import records
from marketplace.orders.errors import ListingRepeated
from marketplace.orders.fulfilment_errors import LineUnknown, PreparedTooMany
from marketplace.orders.order_fees import settle_captured, worth
from marketplace.orders.records import OrderRecord
from marketplace.orders.totals import Line, Wanted
from payments.database import execute

_MARK: Final = """
UPDATE order_lines l SET quantity_prepared = m.quantity
FROM unnest($2::text[], $3::int[]) AS m (listing_id, quantity)
WHERE l.order_id = $1 AND l.listing_id = m.listing_id
"""


def chosen(order_id: str, lines: Sequence[Line], ready: Sequence[Wanted] | None) -> dict[str, int]:
    """How many of each line are ready, by listing; None means all. A line that is not named has none.

    Raises LineUnknown, ListingRepeated, PreparedTooMany.
    """
    ordered = {line.listing_id: line.quantity for line in lines}
    if ready is None:
        return ordered
    quantities = dict.fromkeys(ordered, 0)
    named: set[str] = set()
    for one in ready:
        if one.listing_id not in ordered:
            raise LineUnknown(order_id, one.listing_id)
        if one.listing_id in named:
            raise ListingRepeated(one.listing_id)
        if not 0 <= one.quantity <= ordered[one.listing_id]:
            raise PreparedTooMany(one.listing_id, one.quantity, ordered[one.listing_id])
        named.add(one.listing_id)
        quantities[one.listing_id] = one.quantity
    return quantities


def priced(lines: Sequence[Line], quantities: Mapping[str, int]) -> tuple[PricedLine, ...]:
    """The lines as far as they are ready, at the prices they were ordered for."""
    return tuple(
        PricedLine(
            listing_id=line.listing_id,
            category=line.category,
            kind=line.kind,
            amount=line.unit_amount * quantities[line.listing_id],
            quantity=quantities[line.listing_id],
        )
        for line in lines
        if quantities[line.listing_id]
    )


def marked(lines: Sequence[Line]) -> dict[str, int] | None:
    """What was written down as prepared; None when nothing was."""
    quantities = {
        line.listing_id: line.quantity_prepared
        for line in lines
        if line.quantity_prepared is not None
    }
    return quantities or None


async def mark(order_id: str, quantities: Mapping[str, int]) -> None:
    """Write down what is being captured, before Stripe is asked: whoever concludes the capture reads it."""
    await execute(_MARK, order_id, list(quantities), list(quantities.values()))


async def forget(order_id: str) -> None:
    """Nothing is captured of what was written down."""
    await execute(
        "UPDATE order_lines SET quantity_prepared = NULL "
        "WHERE order_id = $1 AND quantity_prepared IS NOT NULL",
        order_id,
    )


async def settle(order: OrderRecord, amount: int, now: datetime) -> tuple[str, ...]:
    """`amount` was captured: sell the stock of what was prepared and release the rest.

    Answers the listings that are out of stock. Where somebody captured a part elsewhere, nobody said of
    which lines: all stay sold, and no line says how many of it were paid.
    """
    lines = (await records.lines_of([order.id]))[order.id]
    quantities = marked(lines)
    if quantities is not None and amount == worth(order, _sum(lines, quantities)):
        missing = await stock.sell(order.id, quantities)
        await settle_captured(order, priced(lines, quantities), now)
        return missing
    if amount == order.total:
        await mark(order.id, {line.listing_id: line.quantity for line in lines})
    else:
        await forget(order.id)
    return await stock.sell(order.id)


def _sum(lines: Sequence[Line], quantities: Mapping[str, int]) -> int:
    return sum(line.unit_amount * quantities.get(line.listing_id, 0) for line in lines)
