"""Preparing an order: the seller has it ready, so the money that the buyer's bank holds is captured."""

from datetime import datetime, timedelta
from typing import Final

from marketplace.fees.rules import FeeInputs, PricedLine, quote
from marketplace.fees.schedules import Schedules
from marketplace.orders import records, steps
from marketplace.orders.errors import HoldLapsing, OrderNotFound, SellerOnly
from marketplace.orders.order_states import after
from marketplace.orders.reading import OrderView, view
from marketplace.orders.records import Actor, OrderRecord
from marketplace.sellers.vouching import Vouching
from payments.database import transaction
from payments.errors import PaymentNotFound
from payments.ids import OperationId
from payments.lifecycle import Payments

HOLD_MARGIN: Final = timedelta(minutes=2)
"""A capture that near the end of the hold may reach Stripe too late, and its answer be lost besides."""


class Preparation:
    """The use case of capturing an authorized order."""

    def __init__(self, payments: Payments, vouching: Vouching, schedules: Schedules) -> None:
        self._payments = payments
        self._vouching = vouching
        self._schedules = schedules

    async def prepare(self, order_id: str, actor: Actor, now: datetime) -> OrderView:
        """Capture the order's full amount with its fee; the gate is asked again, days may have passed.

        Asked again while a capture is under way it is the same capture. Raises OrderNotFound,
        SellerOnly, OrderStepRefused, HoldLapsing, SellerNotPayable, and what payments raises:
        PaymentStepRefused when the hold is gone, StripeRejected, NotSent, OutcomeUnknown.
        """
        order = await records.require(order_id, actor)
        _require_preparable(order, actor)
        await self._vouching.require_payable(order.seller_id, now)
        fee = await self._fee_again(order)
        async with transaction():
            operation_id = await self._plan(order_id, actor, fee, now)
        await self._payments.carry_out(operation_id)
        return await view(await records.require(order_id, actor))

    async def _plan(self, order_id: str, actor: Actor, fee: int, now: datetime) -> OperationId:
        order = await records.lock(order_id)
        _require_preparable(order, actor)
        await self._vouching.require_payable_now(order.seller_id, now)
        payment = await self._payments.find_live(order_id)
        if payment is None:
            raise PaymentNotFound(order_id)
        if payment.capture_before is not None and payment.capture_before - HOLD_MARGIN <= now:
            raise HoldLapsing(order_id, payment.capture_before)
        operation_id = await self._payments.plan_capture(
            order_id, amount=order.total, application_fee=fee, now=now
        )
        if await steps.latest(order_id, ["preparation_asked"]) is None:
            await steps.take(order, "preparation_asked", actor=actor.account_id, now=now)
        return operation_id

    async def _fee_again(self, order: OrderRecord) -> int:
        """The fee of what is captured, by the very rules the order was placed under.

        Computed and sent anew, because Stripe would not scale the earlier fee to what is captured, only
        cap it.
        """
        schedule = await self._schedules.require(order.fee_schedule_id)
        lines = (await records.lines_of([order.id]))[order.id]
        captured = tuple(
            PricedLine(
                listing_id=line.listing_id,
                category=line.category,
                kind=line.kind,
                amount=line.amount,
            )
            for line in lines
        )
        inputs = FeeInputs(seller_id=order.seller_id, currency=order.currency, lines=captured)
        return quote(schedule, inputs).fee


def _require_preparable(order: OrderRecord, actor: Actor) -> None:
    if not actor.sees(order):
        raise OrderNotFound(order.id)
    if not actor.sells(order):
        raise SellerOnly(order.id)
    after(order.status, "preparation_asked")
