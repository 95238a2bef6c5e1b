"""The clock of a hold: the bank's `capture_before`, read from the charge and never computed.

The seller is reminded, then the admins are told, then the order ends here before it lapses at the bank: the
hold is released, or captured where the seller chose so and may still be paid. A hold that is short from
the start joins in at the stage it is in.
"""

from datetime import datetime, timedelta
from typing import Final

import structlog

from connect.capability import Reason
from marketplace.catalog import stock
from marketplace.orders import records, steps
from marketplace.orders.errors import OrderError
from marketplace.orders.hold_stages import moments, stage_of
from marketplace.orders.order_states import Step
from marketplace.orders.preparation import Preparation, capture_under_way
from marketplace.orders.records import OrderRecord
from marketplace.orders.steps import PLATFORM
from marketplace.oversight.errors import SwitchedOff
from marketplace.sellers import records as sellers
from marketplace.sellers.errors import SellerNotPayable
from marketplace.sellers.vouching import Vouching
from payments.database import execute, rows, transaction
from payments.errors import (
    PaymentError,
    PaymentRefused,
    PaymentStepRefused,
    PaymentsUnavailable,
    StripeRejected,
)
from payments.ids import OperationId
from payments.lifecycle import Payments

_NOT_CAPTURED: Final = (
    SellerNotPayable,
    SwitchedOff,
    OrderError,
    StripeRejected,
    PaymentRefused,
)
_STAGES: Final[tuple[tuple[Step, str], ...]] = (
    ("deadline_reminded", "48h"),
    ("deadline_reminded", "24h"),
    ("deadline_escalated", "12h"),
)
_LAST_STAGE: Final = len(_STAGES) + 1
_PUT_OFF: Final = timedelta(minutes=10)
"""When an order that could not be settled is looked at again."""
_LAST_CHANCE: Final = timedelta(minutes=30)
"""Before the bank's hold ends: from then on nobody waits for Stripe to say whether the seller may be paid."""
_IN_TIME: Final = "nobody prepared the order in time"
_SWITCHED_OFF: Final = "not captured: captures are switched off"
_BY_POLICY: Final = "captured by the seller's choice"

_log = structlog.get_logger("marketplace.orders.deadlines")


async def begin(order_id: str, capture_before: datetime | None, now: datetime) -> None:
    """The money is held from `now`: set the clock, in the open transaction under the order's lock.

    Stages that a short hold is past already are never told. Without `capture_before` nothing is due:
    Stripe's own word ends such a hold.
    """
    due: datetime | None = None
    stage = 0
    if capture_before is not None:
        stages = moments(now, capture_before)
        stage = min(stage_of(stages, now), _LAST_STAGE - 1)
        due = stages[stage]
    await _set(order_id, stage, due)


class Deadlines:
    """The sweep over holds that nobody has prepared."""

    def __init__(self, payments: Payments, preparation: Preparation, vouching: Vouching) -> None:
        self._payments = payments
        self._preparation = preparation
        self._vouching = vouching

    async def run_due(self, now: datetime, limit: int = 50) -> int:
        """Remind, escalate or end what is due; answers how many orders were looked at."""
        due = await rows(
            "SELECT id FROM orders WHERE status = 'authorized' AND deadline_due_at <= $1 "
            "ORDER BY deadline_due_at LIMIT $2",
            now,
            limit,
        )
        for record in due:
            try:
                await self._run(record["id"], now)
            except PaymentError as error:
                _log.warning("hold not ended yet", order_id=record["id"], why=type(error).__name__)
                await _put_off(record["id"], now)
            except Exception:  # noqa: BLE001 - one order that cannot end must not keep the others waiting
                _log.exception("hold cannot be ended", order_id=record["id"], alarm=True)
                await _put_off(record["id"], now)
        return len(due)

    async def _run(self, order_id: str, now: datetime) -> None:
        if not await self._tell(order_id, now):
            return
        why = await self._why_release(order_id, now)
        if why is None:
            try:
                await self._capture(order_id, now)
                return
            except _NOT_CAPTURED as refusal:
                _log.warning("not captured", order_id=order_id, why=type(refusal).__name__)
                if isinstance(refusal, SwitchedOff):
                    why = _SWITCHED_OFF
        await self._release(order_id, now, why or _IN_TIME)

    async def _tell(self, order_id: str, now: datetime) -> bool:
        """Take the stage that has begun, the latest alone; answers whether the order is to be ended."""
        async with transaction():
            order = await records.lock(order_id)
            stages = await self._stages(order)
            if not _due(order, now):
                return False
            if stages is None:
                await _set(order_id, order.deadline_stage, None)
                return False
            stage = stage_of(stages, now)
            if stage == _LAST_STAGE:
                return True
            if stage > order.deadline_stage:
                step, reason = _STAGES[stage - 1]
                await steps.take(order, step, actor=PLATFORM, now=now, reason=reason)
            await _set(order_id, max(stage, order.deadline_stage), stages[stage])
            return False

    async def _stages(self, order: OrderRecord) -> tuple[datetime, ...] | None:
        """By the charge as it is known now: a bank may have prolonged the hold."""
        payment = await self._payments.find_live(order.id)
        held = await steps.latest(order.id, ["authorized", "authorized_late"])
        if payment is None or payment.capture_before is None or held is None:
            return None
        return moments(held.occurred_at, payment.capture_before)

    async def _why_release(self, order_id: str, now: datetime) -> str | None:
        """Why the hold is released; None where the seller wants it captured and may be paid. Tried once.

        Raises PaymentsUnavailable while Stripe does not say whether they may, and there is time to ask again.
        """
        async with transaction():
            order = await records.lock(order_id)
        seller = await sellers.require(order.seller_id)
        if seller.at_deadline != "capture" or order.deadline_stage >= _LAST_STAGE:
            return _IN_TIME
        if order.held_reason is not None:
            return f"not captured: {order.held_reason}"
        verdict = (await self._vouching.vouch(order.seller_id, now)).verdict
        if verdict.reasons == (Reason.SNAPSHOT_TOO_OLD,) and await self._is_time_left(
            order_id, now
        ):
            raise PaymentsUnavailable(Reason.SNAPSHOT_TOO_OLD)
        return None if verdict.payable else f"not captured: {', '.join(verdict.reasons)}"

    async def _is_time_left(self, order_id: str, now: datetime) -> bool:
        payment = await self._payments.find_live(order_id)
        ends = None if payment is None else payment.capture_before
        return ends is not None and ends - now > _LAST_CHANCE

    async def _capture(self, order_id: str, now: datetime) -> None:
        async with transaction():
            order = await self._locked_due(order_id, now)
            if order is None:
                return
            await steps.take(order, "deadline_reached", actor=PLATFORM, now=now, reason=_BY_POLICY)
            operation_id = await self._preparation.plan_within(
                order, None, PLATFORM, now, _BY_POLICY
            )
            # Still due: should Stripe refuse, the hold is released at once.
            await _set(order_id, _LAST_STAGE, now)
        await self._preparation.carry_out(operation_id)

    async def _release(self, order_id: str, now: datetime, why: str) -> None:
        async with transaction():
            order = await self._locked_due(order_id, now)
            if order is None:
                return
            operation_id = await self._plan_release(order, now, why)
            await _set(order_id, _LAST_STAGE, now + _PUT_OFF)
        if operation_id is not None:
            try:
                await self._payments.carry_out(operation_id)
            except PaymentStepRefused:
                # The money went elsewhere first; that is absorbed, and the order is where it belongs.
                _log.info("hold had ended", order_id=order_id)

    async def _plan_release(
        self, order: OrderRecord, now: datetime, why: str
    ) -> OperationId | None:
        if order.deadline_stage < _LAST_STAGE:
            await steps.take(order, "deadline_reached", actor=PLATFORM, now=now, reason=why)
        operation_id = await self._payments.plan_cancel(order.id, "abandoned", now)
        if operation_id is None:
            await stock.release(order.id)
            await steps.take(order, "canceled", actor=PLATFORM, now=now, reason=_IN_TIME)
        elif await steps.latest(order.id, ["cancellation_asked"]) is None:
            await steps.take(order, "cancellation_asked", actor=PLATFORM, now=now, reason=_IN_TIME)
        return operation_id

    async def _locked_due(self, order_id: str, now: datetime) -> OrderRecord | None:
        """The order under its lock; None when it went on meanwhile, or is being captured right now."""
        order = await records.lock(order_id)
        if not _due(order, now):
            return None
        if await capture_under_way(order_id):
            await _set(order_id, order.deadline_stage, now + _PUT_OFF)
            return None
        return order


def _due(order: OrderRecord, now: datetime) -> bool:
    due = order.deadline_due_at
    return order.status == "authorized" and due is not None and due <= now


async def _set(order_id: str, stage: int, due: datetime | None) -> None:
    await execute(
        "UPDATE orders SET deadline_stage = $2, deadline_due_at = $3 WHERE id = $1",
        order_id,
        stage,
        due,
    )


async def _put_off(order_id: str, now: datetime) -> None:
    await execute(
        "UPDATE orders SET deadline_due_at = $2 WHERE id = $1 AND deadline_due_at <= $3",
        order_id,
        now + _PUT_OFF,
        now,
    )
