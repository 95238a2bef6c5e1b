"""Preparing an order: the seller has it ready, so the money that the buyer's bank holds is captured.

Lines and quantities left out make one partial capture: the fee is computed again over what is captured, the
rest of the hold is released by Stripe, and the stock of the rest goes back. An order is captured once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from marketplace.fees.rules import FeeQuote, PricedLine
from marketplace.fees.schedules import Schedules
from marketplace.orders import order_fees, prepared, records, refusals, steps
from marketplace.orders.endings import canceled_by_somebody
from marketplace.orders.errors import HoldLapsing
from marketplace.orders.fulfilment import require_not_held, require_seller
from marketplace.orders.fulfilment_errors import (
    CancellationUnderWay,
    NothingPrepared,
    PreparationUnderWay,
)
from marketplace.orders.order_states import after
from marketplace.orders.reading import OrderView, view
from marketplace.orders.records import Actor, OrderRecord
from marketplace.orders.totals import Wanted
from marketplace.oversight.switches import require_on
from marketplace.sellers.errors import SellerNotPayable
from marketplace.sellers.vouching import Vouching
from payments.currencies import check_chargeable
from payments.database import transaction, value
from payments.errors import PaymentNotFound
from payments.ids import OperationId
from payments.intent_operations import CAPTURE
from payments.lifecycle import Payments
from payments.records import PaymentRecord

HOLD_MARGIN: Final = timedelta(minutes=2)
"""A capture that near the end of the hold may reach Stripe too late, and its answer be lost besides."""


class Preparation:
    """The use case of capturing an authorized order."""

    def __init__(self, payments: Payments, vouching: Vouching, schedules: Schedules) -> None:
        self._payments = payments
        self._vouching = vouching
        self._schedules = schedules

    async def prepare(
        self, order_id: str, actor: Actor, now: datetime, ready: Sequence[Wanted] | None = None
    ) -> OrderView:
        """Capture what is ready (None: all of it) with its fee, after asking the gate again.

        Asked again for the same lines while a capture is under way it is the same capture. Raises
        OrderNotFound, SellerOnly, OrderStepRefused, FulfilmentHeld, HoldLapsing, SwitchedOff,
        SellerNotPayable, LineUnknown, ListingRepeated, PreparedTooMany, NothingPrepared, PreparationUnderWay,
        CancellationUnderWay, AmountNotChargeable, and what payments raises: PaymentStepRefused when the hold
        is gone, StripeRejected, NotSent, OutcomeUnknown.
        """
        order = await records.require(order_id, actor)
        _require_preparable(order, actor)
        await require_on("capture", seller_id=order.seller_id, currency=order.currency, now=now)
        try:
            await self._vouching.require_payable(order.seller_id, now)
            async with transaction():
                order = await records.lock(order_id)
                _require_preparable(order, actor)
                operation_id = await self.plan_within(order, ready, actor.account_id, now)
        except SellerNotPayable as refusal:
            await self._note_refusal(order_id, actor.account_id, ", ".join(refusal.reasons), now)
            raise
        await self.carry_out(operation_id)
        return await view(await records.require(order_id, actor))

    async def plan_within(
        self,
        order: OrderRecord,
        ready: Sequence[Wanted] | None,
        actor_id: str,
        now: datetime,
        reason: str | None = None,
    ) -> OperationId:
        """Write the capture down in the open transaction; `order` is locked and may be prepared.

        Raises what `prepare` does, but for who may ask.
        """
        await require_on("capture", seller_id=order.seller_id, currency=order.currency, now=now)
        await self._vouching.require_payable_now(order.seller_id, now)
        await self._require_hold(order, now)
        lines = (await records.lines_of([order.id]))[order.id]
        quantities = prepared.chosen(order.id, lines, ready)
        captured = prepared.priced(lines, quantities)
        fee = await self._fee(order, captured)
        amount = fee.total
        joined = await capture_under_way(order.id)
        if joined and prepared.marked(lines) != quantities:
            raise PreparationUnderWay(order.id)
        # Stripe may have refused to release the hold: the wish stands all the same.
        if not joined and await canceled_by_somebody(order.id) is not None:
            raise CancellationUnderWay(order.id)
        operation_id = await self._payments.plan_capture(
            order.id, amount=amount, application_fee=fee.fee, now=now
        )
        if not joined:
            await prepared.mark(order.id, quantities)
            part = f"{amount} of {order.total}" if amount < order.total else None
            why = "; ".join(filter(None, (reason, part))) or None
            await steps.take(order, "preparation_asked", actor=actor_id, now=now, reason=why)
        return operation_id

    async def carry_out(self, operation_id: OperationId) -> None:
        """Capture as planned, outside any transaction; a definite no is told to everybody concerned.

        Raises PaymentStepRefused, StripeRejected and its kinds, NotSent, OutcomeUnknown.
        """
        await self._payments.carry_out(operation_id)

    async def _require_hold(self, order: OrderRecord, now: datetime) -> PaymentRecord:
        payment = await self._payments.find_live(order.id)
        if payment is None:
            raise PaymentNotFound(order.id)
        if payment.capture_before is not None and payment.capture_before - HOLD_MARGIN <= now:
            raise HoldLapsing(order.id, payment.capture_before)
        return payment

    async def _fee(self, order: OrderRecord, captured: Sequence[PricedLine]) -> FeeQuote:
        """What of them the buyer pays and the platform keeps.

        Raises NothingPrepared, AmountNotChargeable below Stripe's minimum.
        """
        if not captured:
            raise NothingPrepared(order.id)
        fee = await order_fees.of_captured(self._schedules, order, captured)
        check_chargeable(fee.total, order.currency)
        return fee

    async def _note_refusal(self, order_id: str, actor_id: str, reason: str, now: datetime) -> None:
        async with transaction():
            order = await records.lock(order_id)
            if not await capture_under_way(order_id):
                await refusals.note_preparation(order, reason, actor=actor_id, now=now)


async def capture_under_way(order_id: str) -> bool:
    """Whether Stripe is being asked to capture, and has not answered yet."""
    return bool(
        await value(
            "SELECT EXISTS (SELECT FROM operations WHERE order_id = $1 AND kind = $2 "
            "AND concluded_at IS NULL)",
            order_id,
            CAPTURE,
        )
    )


def _require_preparable(order: OrderRecord, actor: Actor) -> None:
    require_seller(order, actor)
    after(order.status, "preparation_asked")
    require_not_held(order)
