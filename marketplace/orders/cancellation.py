"""Stopping an order before money is taken; a hold on the buyer's card is released at Stripe first."""

from datetime import datetime

from marketplace.catalog import stock
from marketplace.orders import records, steps
from marketplace.orders.errors import OrderNotFound, PaidAlready
from marketplace.orders.order_states import after
from marketplace.orders.reading import OrderView, view
from marketplace.orders.records import Actor, OrderRecord
from payments.database import transaction
from payments.errors import PaymentStepRefused
from payments.ids import OperationId
from payments.lifecycle import Payments


class Cancellation:
    """The use case of stopping an order."""

    def __init__(self, payments: Payments) -> None:
        self._payments = payments

    async def cancel(
        self, order_id: str, actor: Actor, now: datetime, reason: str | None = None
    ) -> OrderView:
        """Cancel an order in checkout or authorized, as its buyer, its seller or an admin.

        Raises OrderNotFound, PaidAlready (also when the money was faster than this), OrderStepRefused,
        and what payments raises: PaymentStepRefused while its PaymentIntent is being made, NotSent,
        OutcomeUnknown. After those two the cancellation stands and is carried out later.
        """
        async with transaction():
            operation_id = await self._plan(order_id, actor, now, reason)
        if operation_id is not None:
            try:
                await self._payments.carry_out(operation_id)
            except PaymentStepRefused:
                # Stripe's truth is absorbed by now: say what became of the order instead.
                _require_cancelable(await records.require(order_id, actor))
                raise
        return await view(await records.require(order_id, actor))

    async def _plan(
        self, order_id: str, actor: Actor, now: datetime, reason: str | None
    ) -> OperationId | None:
        order = await records.lock(order_id)
        if not actor.sees(order):
            raise OrderNotFound(order_id)
        _require_cancelable(order)
        operation_id = await self._payments.plan_cancel(order_id, "requested_by_customer", now)
        if operation_id is None:
            await stock.release(order_id)
            await steps.take(order, "canceled", actor=actor.account_id, now=now, reason=reason)
        elif await steps.latest(order_id, ["cancellation_asked"]) is None:
            await steps.take(
                order, "cancellation_asked", actor=actor.account_id, now=now, reason=reason
            )
        return operation_id


def _require_cancelable(order: OrderRecord) -> None:
    if order.status == "paid":
        raise PaidAlready(order.id)
    after(order.status, "cancellation_asked")
