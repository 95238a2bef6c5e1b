"""Fulfilment is held when the money is not what the buyer was shown, until an admin has looked."""

from datetime import datetime

from marketplace.orders import records, steps
from marketplace.orders.errors import FulfilmentNotHeld
from marketplace.orders.reading import OrderView, view
from marketplace.orders.records import Actor, OrderRecord
from marketplace.oversight import audit
from payments.database import execute, transaction


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


async def hold(order: OrderRecord, reason: str, *, actor: str, now: datetime) -> OrderRecord:
    """Nothing of it goes out until people have looked, whatever made that necessary."""
    order = await steps.take(order, "fulfilment_held", actor=actor, now=now, reason=reason)
    await _hold(order, reason)
    return order


async def _hold(order: OrderRecord, reason: str | None) -> None:
    await execute("UPDATE orders SET held_reason = $2 WHERE id = $1", order.id, reason)
