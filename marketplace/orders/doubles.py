"""The double-purchase guard: who just paid for the same things is asked before money is taken again.

A buyer whose first payment is still settling, or whose browser never heard that it went through, orders
the same again more often than anybody wants it twice. Who does want it says so.
"""

from datetime import datetime, timedelta
from typing import Final

from marketplace.orders import freezing
from marketplace.orders.errors import BoughtAlready
from marketplace.orders.records import OrderRecord
from payments.database import execute, require_transaction, rows, value
from payments.errors import PaymentError
from payments.lifecycle import Payments

JUST_PAID: Final = timedelta(hours=1)
"""For so long after a payment the same again is taken for a mistake until the buyer says otherwise."""
_LOOKED_BACK: Final = timedelta(days=30)
"""Asynchronous methods settle within two weeks; nothing older is still on its way."""
_READ_AT_MOST: Final = 3

_SAME = """
FROM orders o LEFT JOIN payments p ON p.order_id = o.id AND p.live
WHERE o.buyer_id = $1 AND o.seller_id = $2 AND o.id <> $3 AND o.created_at > $4
AND (SELECT string_agg(l.listing_id || ' ' || l.quantity, ',' ORDER BY l.listing_id)
    FROM order_lines l WHERE l.order_id = o.id)
  = (SELECT string_agg(l.listing_id || ' ' || l.quantity, ',' ORDER BY l.listing_id)
    FROM order_lines l WHERE l.order_id = $3)
"""
_UNSETTLED = f"""
SELECT o.id {_SAME} AND o.status = 'checkout' AND p.intent_id IS NOT NULL
AND (o.frozen_at IS NOT NULL OR p.status IN ('processing', 'requires_action'))
ORDER BY o.id DESC LIMIT {_READ_AT_MOST}
"""
_BOUGHT = f"""
SELECT o.id {_SAME} AND (
    (o.status = 'checkout' AND (p.status = 'processing' OR o.frozen_at > $5))
    OR (o.status IN ('authorized', 'paid', 'shipped', 'completed')
        AND (p.amount_captured = 0 OR p.amount_refunded < p.amount_captured)
        AND EXISTS (SELECT FROM order_steps s WHERE s.order_id = o.id AND s.occurred_at > $6
            AND s.step IN ('authorized', 'captured', 'authorized_late', 'captured_late'))))
ORDER BY o.id DESC LIMIT 1
"""


class Doubles:
    """Looks for the same purchase before and while an order is paid."""

    def __init__(self, payments: Payments) -> None:
        self._payments = payments

    async def require_none(self, order: OrderRecord, now: datetime) -> None:
        """Ask Stripe about the same carts that may have been paid meanwhile, then look.

        No transaction may be open. Raises BoughtAlready; what Stripe cannot tell is no reason to refuse.
        """
        if order.again:
            return
        for found in await rows(_UNSETTLED, *_same(order, now)):
            try:
                await self._payments.refresh(found["id"])
            except PaymentError:
                continue
        await _look(order, now)

    async def require_none_now(self, order: OrderRecord, now: datetime) -> None:
        """Look again under the order's lock, one order of a buyer at a time. Raises BoughtAlready."""
        require_transaction()
        # Taken after the order's lock by everybody, so that two orders confirmed at once see each other.
        await execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", order.buyer_id)
        if not order.again:
            await _look(order, now)


async def wanted_again(order: OrderRecord) -> None:
    """The buyer knows of the other order and wants it once more."""
    await execute("UPDATE orders SET again = true WHERE id = $1", order.id)


async def _look(order: OrderRecord, now: datetime) -> None:
    bought: str | None = await value(
        _BOUGHT, *_same(order, now), now - freezing.STALE_AFTER, now - JUST_PAID
    )
    if bought is not None:
        raise BoughtAlready(order.id, bought)


def _same(order: OrderRecord, now: datetime) -> tuple[object, ...]:
    return order.buyer_id, order.seller_id, order.id, now - _LOOKED_BACK
