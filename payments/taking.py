"""Taking held money, or letting go of it: the one final capture, and the cancellation.

What is asked for is written down here; its performers are in `intent_operations.py`.
"""

from datetime import datetime

from payments import reading, states
from payments.database import require_transaction, row
from payments.errors import PaymentNotFound, PaymentStepRefused
from payments.gateway import CancelDraft, CancellationReason, CaptureDraft
from payments.ids import IntentId, OperationId, PaymentId, new_id
from payments.operations import Operations
from payments.records import PaymentRecord
from payments.under_way import CANCEL, CAPTURE, operation_under_way


class Taking:
    """Plans captures and cancellations."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def plan_capture(
        self, order_id: str, *, amount: int, application_fee: int, now: datetime
    ) -> OperationId:
        """Write the one final capture down; see `Payments.plan_capture`."""
        payment = await _held(order_id, "capture")
        releasing = await operation_under_way(payment.id, CANCEL) is not None
        if releasing or not 0 < amount <= payment.amount_capturable:
            raise PaymentStepRefused("capture", payment_status=payment.status)
        operation_id = OperationId(new_id("op"))
        draft = CaptureDraft(
            operation_id=operation_id,
            payment_id=PaymentId(payment.id),
            intent_id=IntentId(payment.intent_id or ""),
            amount=amount,
            application_fee=application_fee,
            asks_fee=payment.application_fee > 0,
        )
        return await self._plan_next(CAPTURE, "capture", payment, draft, operation_id, now)

    async def plan_cancel(
        self, order_id: str, reason: CancellationReason, now: datetime
    ) -> OperationId | None:
        """Write the cancellation down; see `Payments.plan_cancel`."""
        require_transaction()
        payment = await reading.find_live(order_id)
        if payment is None:
            return None
        if payment.status == states.SUCCEEDED or payment.intent_id is None:
            raise PaymentStepRefused("cancel", payment_status=payment.status)
        under_way = await operation_under_way(payment.id, CANCEL)
        if under_way is not None:
            return under_way
        operation_id = OperationId(new_id("op"))
        draft = CancelDraft(
            operation_id=operation_id,
            payment_id=PaymentId(payment.id),
            intent_id=IntentId(payment.intent_id),
            reason=reason,
        )
        return await self._plan_next(CANCEL, "cancel", payment, draft, operation_id, now)

    async def _plan_next(
        self,
        kind: str,
        word: str,
        payment: PaymentRecord,
        draft: CaptureDraft | CancelDraft,
        operation_id: OperationId,
        now: datetime,
    ) -> OperationId:
        """A new key only after a definite no: the number counts the noes so far (as `next_key` does)."""
        refused = await row(
            "SELECT count(*) AS noes FROM operations "
            "WHERE subject = $1 AND kind = $2 AND state = 'rejected'",
            payment.id,
            kind,
        )
        number = (refused["noes"] if refused else 0) + 1
        return await self._operations.plan(
            kind=kind,
            subject=payment.id,
            order_id=payment.order_id,
            key=reading.key_of(payment.order_id, payment.generation, f"{word}:{number}"),
            draft=draft,
            operation_id=operation_id,
            now=now,
        )


async def _held(order_id: str, step: str) -> PaymentRecord:
    require_transaction()
    payment = await reading.find_live(order_id)
    if payment is None:
        raise PaymentNotFound(order_id)
    if payment.status != states.REQUIRES_CAPTURE:
        raise PaymentStepRefused(step, payment_status=payment.status)
    return payment
