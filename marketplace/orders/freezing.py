"""A cart stands still while its buyer confirms: what they were shown is what they pay.

It is frozen with the total that was shown, and thaws when the bank said no, when the buyer went back, or
when nobody has confirmed for a while and Stripe says so. In the open transaction, under the order's lock.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from marketplace.orders import steps
from marketplace.orders.errors import CartFrozen
from marketplace.orders.records import OrderRecord
from payments.database import execute

STALE_AFTER: Final = timedelta(minutes=10)
"""A browser that has not confirmed by then most likely never will."""
WAITING: Final = frozenset({"requires_payment_method", "requires_confirmation"})
"""Stripe's words for a PaymentIntent that nobody is paying at this moment."""


async def freeze(order: OrderRecord, *, actor: str, now: datetime) -> OrderRecord:
    """The buyer was shown this total and confirms; asked again it counts anew from `now`.

    Raises OrderStepRefused outside checkout.
    """
    if order.frozen_at is None:
        order = await steps.take(
            order, "confirmation_begun", actor=actor, now=now, reason=f"shown {order.total}"
        )
    await execute(
        "UPDATE orders SET frozen_at = $2, frozen_total = total WHERE id = $1", order.id, now
    )
    return msgspec.structs.replace(order, frozen_at=now, frozen_total=order.total)


async def thaw(
    order: OrderRecord, *, actor: str, now: datetime, reason: str | None = None
) -> OrderRecord:
    """The cart may change again; nothing when it may already.

    What was shown last stays known: a page left open can still have it paid, at the total of then.
    """
    if order.frozen_at is None:
        return order
    order = await steps.take(order, "confirmation_ended", actor=actor, now=now, reason=reason)
    await execute("UPDATE orders SET frozen_at = NULL WHERE id = $1", order.id)
    return msgspec.structs.replace(order, frozen_at=None)


async def forget(order: OrderRecord) -> OrderRecord:
    """What was shown stands for nothing any more: its PaymentIntent has ended."""
    await execute("UPDATE orders SET frozen_at = NULL, frozen_total = NULL WHERE id = $1", order.id)
    return msgspec.structs.replace(order, frozen_at=None, frozen_total=None)


def is_stale(order: OrderRecord, now: datetime) -> bool:
    """Whether it was frozen so long ago that Stripe should be asked if anybody still confirms."""
    return order.frozen_at is not None and order.frozen_at + STALE_AFTER <= now


async def thawed(
    order: OrderRecord, payment_status: str | None, *, actor: str, now: datetime
) -> OrderRecord:
    """The order ready to change: thawed when it is stale and Stripe says that nobody pays.

    `payment_status` was just read. Raises CartFrozen.
    """
    if order.frozen_at is None:
        return order
    if is_stale(order, now) and (payment_status is None or payment_status in WAITING):
        return await thaw(order, actor=actor, now=now, reason="nobody confirmed")
    raise CartFrozen(order.id, order.frozen_total or order.total)
