"""Stopping an order: nothing was taken, a hold is released, or the money goes back, by itself.

What was captured is refunded in the transaction that notes the wish, and the order is canceled when the
refund has succeeded. A buyer who cancels a session gets what the seller's windows say, as they were when the
order was placed; a seller or an admin who cancels always gives all of it back.
"""

from datetime import datetime
from typing import Final, Literal

import msgspec

from marketplace.catalog import stock
from marketplace.orders import records, steps
from marketplace.orders.endings import canceled_by_somebody
from marketplace.orders.errors import PaidAlready
from marketplace.orders.fulfilment import (
    GIVEN_BACK,
    canceling,
    cancellation_key,
    is_session,
    require_party,
)
from marketplace.orders.fulfilment_errors import ShippedAlready
from marketplace.orders.order_states import PAID_FOR, after
from marketplace.orders.reading import OrderView, view
from marketplace.orders.records import Actor, OrderRecord
from marketplace.orders.refunds import OrderRefunds
from marketplace.orders.steps import PLATFORM
from marketplace.oversight.switches import require_on
from marketplace.sellers.cancellation_windows import (
    WHOLE_BASIS_POINTS,
    Windows,
    decoded,
    share_in_money,
    share_of,
)
from payments.database import row, transaction, value
from payments.errors import PaymentStepRefused
from payments.ids import OperationId
from payments.lifecycle import Payments
from payments.refunds import PlannedRefund

Effect = Literal["nothing_taken", "hold_released", "refund"]

_CANCELED_BY_REFUND: Final = ("paid", "shipped")


class CancellationTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What canceling now would do. Amounts are minor units of `currency`.

    `refund` is what comes back of `amount_captured`; `windows` are a session's, else empty.
    """

    order_id: str
    effect: Effect
    currency: str
    amount_captured: int
    refund_basis_points: int
    refund: int
    session_at: datetime | None
    windows: Windows


class Cancellation:
    """The use cases of stopping an order, and of knowing beforehand what that costs."""

    def __init__(self, payments: Payments, refunds: OrderRefunds) -> None:
        self._payments = payments
        self._refunds = refunds

    async def terms(self, order_id: str, actor: Actor, now: datetime) -> CancellationTerms:
        """What canceling would do for this person now.

        Raises OrderNotFound, and OrderStepRefused or ShippedAlready where canceling is refused.
        """
        order = await records.require(order_id, actor)
        _require_cancelable(order, actor)
        return await _terms(order, actor, now)

    async def cancel(
        self, order_id: str, actor: Actor, now: datetime, reason: str | None = None
    ) -> OrderView:
        """Cancel an order as its buyer, its seller or an admin.

        Asked again while the money is on its way back it is the same cancellation. Raises OrderNotFound,
        OrderStepRefused, ShippedAlready, and what payments raises: PaymentStepRefused while its
        PaymentIntent is being made or a debit is on its way (should that money come, it goes back by itself),
        SwitchedOff (refunds), RefundNeedsApproval, PaymentDisputed, StripeRejected, NotSent, OutcomeUnknown.
        After the last two the cancellation stands and is carried out later. PaidAlready where the money was
        taken while this was asked and did not go back (asked again, it is tried again).
        """
        async with transaction():
            order = await records.lock(order_id)
            _require_cancelable(order, actor)
            if order.status in PAID_FOR:
                refund = (await _terms(order, actor, now)).refund
                planned = await self.plan_refund(order, actor, refund, now, reason)
                operation_id = None
            else:
                planned, operation_id = None, await self._plan_void(order, actor, now, reason)
        if planned is not None:
            await self._refunds.carry_out(planned)
        elif operation_id is not None:
            await self._void(order_id, actor, operation_id)
        return await view(await records.require(order_id, actor))

    async def plan_refund(
        self, order: OrderRecord, actor: Actor, amount: int, now: datetime, reason: str | None
    ) -> PlannedRefund | None:
        """Give `amount` (minor units) back in the open transaction; without one the order ends here.

        `order` is locked and paid for. None when there is nothing to carry out: canceled at once, or the
        money is on its way back already.
        """
        if await canceling([order.id]):
            return None
        if amount == 0:
            await _end(order, actor.account_id, reason, now)
            return None
        if actor.account_id != PLATFORM:
            # What the platform itself gives back, because it must not keep it, nobody switches off.
            await require_on("refund", seller_id=order.seller_id, currency=order.currency, now=now)
        await steps.take(
            order, "cancellation_asked", actor=actor.account_id, now=now, reason=reason
        )
        planned = await self._refunds.plan_within(
            order,
            amount=amount,
            lines=None,
            reason="requested_by_customer",
            requested_by=actor.account_id,
            idempotency_key=cancellation_key(order.id, await _tries(order.id) + 1),
            now=now,
        )
        await self._refunds.require_alone(order, actor, now)
        return planned

    async def plan_whole_refund(
        self, order: OrderRecord, actor: Actor, now: datetime, reason: str
    ) -> PlannedRefund | None:
        """`plan_refund` of all that is left, whatever the windows say."""
        money = await _money(order.id)
        return await self.plan_refund(order, actor, money.captured - money.given_back, now, reason)

    async def carry_out(self, planned: PlannedRefund | None) -> None:
        """Ask Stripe for the refund of a cancellation, after the commit.

        Raises StripeRejected, NotSent, OutcomeUnknown.
        """
        if planned is not None:
            await self._refunds.carry_out(planned)

    async def _plan_void(
        self, order: OrderRecord, actor: Actor, now: datetime, reason: str | None
    ) -> OperationId | None:
        operation_id = await self._payments.plan_cancel(order.id, "requested_by_customer", now)
        if operation_id is None:
            await stock.release(order.id)
            await steps.take(order, "canceled", actor=actor.account_id, now=now, reason=reason)
        elif await canceled_by_somebody(order.id) is None:
            await steps.take(
                order, "cancellation_asked", actor=actor.account_id, now=now, reason=reason
            )
        return operation_id

    async def _void(self, order_id: str, actor: Actor, operation_id: OperationId) -> None:
        try:
            await self._payments.carry_out(operation_id)
        except PaymentStepRefused:
            # Stripe's truth is absorbed by now: say what became of the order instead.
            order = await records.require(order_id, actor)
            if order.status == "canceled" or await canceling([order_id]):
                return  # the money was faster, and is on its way back already
            if order.status in PAID_FOR:
                raise PaidAlready(order_id) from None
            after(order.status, "cancellation_asked")
            raise


async def after_refund(order: OrderRecord, refund_id: str, now: datetime) -> None:
    """A refund has succeeded: when it is the one a cancellation waits for, the order is canceled.

    In the open transaction, under the order's lock.
    """
    if order.status not in _CANCELED_BY_REFUND:
        return
    asked = await steps.latest(order.id, ["cancellation_asked"])
    ours = await value(
        "SELECT starts_with(idempotency_key, $2) FROM refunds WHERE id = $1",
        refund_id,
        cancellation_key(order.id, ""),
    )
    if asked is not None and ours:
        await _end(order, asked.actor, asked.reason, now)


async def _end(order: OrderRecord, actor_id: str, reason: str | None, now: datetime) -> None:
    """Canceled after it was paid for: what never left the shop is on hand again."""
    if order.status == "paid":
        await stock.put_back(order.id)
    await steps.take(order, "canceled", actor=actor_id, now=now, reason=reason)


async def _terms(order: OrderRecord, actor: Actor, now: datetime) -> CancellationTerms:
    money = await _money(order.id)
    share = await _share(order, actor, now)
    refund = max(share_in_money(money.captured, share, order.currency) - money.given_back, 0)
    return CancellationTerms(
        order_id=order.id,
        effect=_effect(order, money),
        currency=order.currency,
        amount_captured=money.captured,
        refund_basis_points=share,
        refund=refund,
        session_at=order.session_at,
        windows=decoded(order.cancellation_windows) if is_session(order) else (),
    )


async def _share(order: OrderRecord, actor: Actor, now: datetime) -> int:
    """Only a buyer is bound by the windows of a session; whoever sells gives all of it back."""
    if actor.sells(order) or not is_session(order):
        return WHOLE_BASIS_POINTS
    scheduled = await steps.latest(order.id, ["session_scheduled"])
    return share_of(
        decoded(order.cancellation_windows),
        starts_at=order.session_at,
        scheduled_at=None if scheduled is None else scheduled.occurred_at,
        now=now,
    )


class _Money(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken, what went back or is on its way back (lost disputes too), and what is held."""

    captured: int
    given_back: int
    held: int


async def _money(order_id: str) -> _Money:
    found = await row(
        f"SELECT p.amount_captured AS captured, p.amount_capturable AS held, {GIVEN_BACK} AS given_back "
        "FROM payments p WHERE p.order_id = $1 AND p.live",
        order_id,
    )
    return _Money(captured=0, given_back=0, held=0) if found is None else _Money(**found)


def _effect(order: OrderRecord, money: _Money) -> Effect:
    if order.status in PAID_FOR:
        return "refund"
    return "hold_released" if money.held else "nothing_taken"


async def _tries(order_id: str) -> int:
    """How many refunds of a cancellation there were; each of them failed, or another would not be asked."""
    found: int = await value(
        "SELECT count(*) FROM refunds WHERE order_id = $1 AND starts_with(idempotency_key, $2)",
        order_id,
        cancellation_key(order_id, ""),
    )
    return found


def _require_cancelable(order: OrderRecord, actor: Actor) -> None:
    require_party(order, actor)
    if order.status == "shipped" and not actor.sells(order):
        raise ShippedAlready(order.id)
    after(order.status, "cancellation_asked")
