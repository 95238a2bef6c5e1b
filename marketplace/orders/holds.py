"""Fulfilment is held when money came that should not have, or not so much, until an admin has looked."""

from datetime import datetime
from typing import Final

import msgspec

from marketplace.orders import records, steps
from marketplace.orders.errors import FulfilmentNotHeld
from marketplace.orders.reading import OrderView, view
from marketplace.orders.records import Actor, OrderRecord
from marketplace.oversight import audit
from payments.database import execute, transaction, value

_TOO_LATE: Final = "the seller could not be paid any more when the money came"
_STOPPED: Final = (
    "SELECT suspended_at IS NOT NULL OR frozen_at IS NOT NULL FROM sellers WHERE id = $1"
)


class Holds:
    """The use case of releasing a hold on fulfilment."""

    async def release(self, order_id: str, admin: Actor, reason: str, now: datetime) -> OrderView:
        """Let the order go on, as an admin who says why.

        Raises OrderNotFound, OwnOrderDecision, FulfilmentNotHeld, and OrderStepRefused for an order that
        has ended.
        """
        await records.require(order_id, admin)
        async with transaction():
            order = await records.lock(order_id)
            admin.require_decides(order)
            if order.held_reason is None:
                raise FulfilmentNotHeld(order_id)
            await steps.take(
                order, "fulfilment_released", actor=admin.account_id, now=now, reason=reason
            )
            await _hold(order, None)
            await audit.record(
                actor=admin.account_id,
                action="order.fulfilment_released",
                subject=order_id,
                before={"held_reason": order.held_reason},
                after={"held_reason": None},
                reason=reason,
                now=now,
            )
        return await view(await records.require(order_id, admin))


async def compare(
    order: OrderRecord, *, expected: int, received: int, actor: str, now: datetime
) -> OrderRecord:
    """Hold fulfilment where `received` is not what the buyer was shown; in the open transaction.

    Minor units. The order is authorized or paid by then; one that is held already stays so.
    """
    if received == expected or order.held_reason is not None:
        return order
    return await hold(
        order, f"Stripe has {received}, the order asks for {expected}", actor=actor, now=now
    )


async def hold_if_stopped(order: OrderRecord, *, actor: str, now: datetime) -> OrderRecord:
    """Hold fulfilment where the platform had stopped the seller while the buyer was paying.

    The sweep ends such checkouts within a minute; a browser that already shows the payment may be faster.
    In the open transaction; an order that is held already stays so.
    """
    if order.held_reason is not None or not await value(_STOPPED, order.seller_id):
        return order
    return await hold(order, _TOO_LATE, actor=actor, now=now)


async def hold(order: OrderRecord, reason: str, *, actor: str, now: datetime) -> OrderRecord:
    """Nothing of it goes out until people have looked, whatever made that necessary."""
    order = await steps.take(order, "fulfilment_held", actor=actor, now=now, reason=reason)
    await _hold(order, reason)
    return msgspec.structs.replace(order, held_reason=reason)


async def _hold(order: OrderRecord, reason: str | None) -> None:
    await execute("UPDATE orders SET held_reason = $2 WHERE id = $1", order.id, reason)
