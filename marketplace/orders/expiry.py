"""Ending checkouts: after their time, or because their seller can no longer be paid.

The PaymentIntent is read before it is canceled: a buyer who was faster keeps what they paid for. What is on
its way (an asynchronous method) is waited for.
"""

import contextlib
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from connect.capability import Reason
from marketplace.catalog import stock
from marketplace.orders import records, steps
from marketplace.orders.endings import asked_to_end
from marketplace.orders.order_states import Step
from marketplace.orders.records import OrderRecord
from marketplace.orders.steps import PLATFORM
from marketplace.sellers.vouching import Vouching
from payments.database import execute, rows, transaction
from payments.errors import IntentMissing, PaymentError, PaymentNotFound
from payments.ids import OperationId
from payments.lifecycle import Payments

_PUT_OFF: Final = timedelta(minutes=10)
"""An expiry that could not be settled comes back after this: it must not hold up the others."""
_ON_ITS_WAY: Final = timedelta(hours=1)
"""A bank debit takes days: looked at again after this."""

# What connect and the platform know for certain. An order that was put off is looked at when it is due.
_MARK_UNPAYABLE = """
UPDATE orders SET expiry_due_at = $1 WHERE id IN (
    SELECT o.id FROM orders o JOIN payments p ON p.order_id = o.id AND p.live
    JOIN sellers s ON s.id = o.seller_id LEFT JOIN connected_accounts c ON c.seller_id = s.id
    WHERE o.status = 'checkout' AND o.expiry_due_at = o.checkout_expires_at
    AND o.checkout_expires_at > $1
    AND p.status IN ('requires_payment_method', 'requires_confirmation', 'requires_action')
    AND (s.suspended_at IS NOT NULL OR s.frozen_at IS NOT NULL OR s.approval <> 'approved' OR c.closed
        OR c.transfers_status <> 'active')
    LIMIT $2)
"""

_log = structlog.get_logger("marketplace.orders.expiry")


class Expiry:
    """The sweeps that end checkouts nobody can or will pay."""

    def __init__(self, payments: Payments, vouching: Vouching) -> None:
        self._payments = payments
        self._vouching = vouching

    async def expire_due(self, now: datetime, limit: int = 50) -> int:
        """End orders nobody paid in time; answers how many were tried.

        If the buyer was faster, the order goes on.
        """
        due = await rows(
            "SELECT id FROM orders WHERE status = 'checkout' AND expiry_due_at <= $1 "
            "ORDER BY expiry_due_at LIMIT $2",
            now,
            limit,
        )
        for record in due:
            try:
                await self._end(record["id"], now)
            except PaymentError as error:
                _log.warning(
                    "checkout not ended yet", order_id=record["id"], why=type(error).__name__
                )
                await _put_off(record["id"], now + _PUT_OFF)
            except Exception:  # noqa: BLE001 - an order that cannot end must not keep the others open
                _log.exception("checkout cannot end", order_id=record["id"], alarm=True)
                await _put_off(record["id"], now + _PUT_OFF)
        return len(due)

    async def mark_unpayable(self, now: datetime, limit: int = 50) -> int:
        """Make open checkouts due whose seller was stopped or lost their account; answers how many.

        Nobody should be asked to pay for what will not be delivered, or could not be paid out.
        """
        return await execute(_MARK_UNPAYABLE, now, limit)

    async def _end(self, order_id: str, now: datetime) -> None:
        # Stripe would cancel a hold too, one that the buyer made in time and nobody told us of.
        with contextlib.suppress(PaymentNotFound, IntentMissing):
            payment = await self._payments.refresh(order_id)
            if payment.live and payment.status == "processing":
                await _put_off(order_id, now + _ON_ITS_WAY)
                return
        async with transaction():
            operation_id = await self._plan(order_id, now)
        if operation_id is not None:
            await self._payments.carry_out(operation_id)

    async def _plan(self, order_id: str, now: datetime) -> OperationId | None:
        order = await records.lock(order_id)
        if order.status != "checkout":
            return None
        ending = await self._ending(order, now)
        if ending is None:
            await _put_off(order_id, order.checkout_expires_at)
            return None
        operation_id = await self._payments.plan_cancel(order_id, "abandoned", now)
        if operation_id is None:
            await stock.release(order_id)
            await steps.take(order, ending.step, actor=PLATFORM, now=now, reason=ending.reason)
        elif await asked_to_end(order_id) is None:
            await steps.take(order, ending.asked, actor=PLATFORM, now=now, reason=ending.reason)
        return operation_id

    async def _ending(self, order: OrderRecord, now: datetime) -> "_Ending | None":
        """Why the order ends, under its lock; None when it may go on."""
        if order.checkout_expires_at <= now:
            return _TOO_LATE
        reasons = set((await self._vouching.verdict_now(order.seller_id, now)).verdict.reasons)
        # That Stripe could not be asked lately says nothing about the seller.
        return _UNPAYABLE if reasons - {Reason.SNAPSHOT_TOO_OLD} else None


class _Ending(msgspec.Struct, frozen=True):
    """How an order ends: by which step, asked for by which, and why."""

    step: Step
    asked: Step
    reason: str


_TOO_LATE: Final = _Ending("expired", "expiry_asked", "the time to pay is over")
_UNPAYABLE: Final = _Ending("canceled", "cancellation_asked", "the seller cannot be paid")


async def _put_off(order_id: str, until: datetime) -> None:
    await execute(
        "UPDATE orders SET expiry_due_at = $2 WHERE id = $1 AND status = 'checkout'",
        order_id,
        until,
    )
