"""A part of the application fee given back by our own number, where Stripe's proportion could drift."""

from datetime import datetime, timedelta

from payments.database import execute, require_transaction
from payments.ids import IdempotencyKey, IntentId, OperationId, new_id
from payments.journal import put_in_line
from payments.records import PaymentRecord
from payments.transfer_gateway import FeeReturnDraft

RETURN_FEE = "return_fee"


async def plan_fee_return(
    payment: PaymentRecord, amount: int, refund_id: str, now: datetime
) -> None:
    """Write down that `amount` of the fee goes back with this refund; once for each refund.

    Inside the transaction that learned of the refund, the order's lock held.
    """
    require_transaction()
    fee_return_id = new_id("frt")
    planned = await execute(
        "INSERT INTO fee_returns (id, payment_id, order_id, currency, amount, cause, status, created_at, "
        "updated_at) VALUES ($1, $2, $3, $4, $5, $6, 'planned', $7, $7) ON CONFLICT (cause) DO NOTHING",
        fee_return_id,
        payment.id,
        payment.order_id,
        payment.currency,
        amount,
        f"refund:{refund_id}",
        now,
    )
    if not planned:
        return
    operation_id = OperationId(new_id("op"))
    draft = FeeReturnDraft(
        operation_id=operation_id,
        fee_return_id=fee_return_id,
        payment_id=payment.id,
        order_id=payment.order_id,
        intent_id=IntentId(payment.intent_id or ""),
        fee_id=payment.application_fee_id or "",
        amount=amount,
    )
    await put_in_line(
        kind=RETURN_FEE,
        subject=fee_return_id,
        order_id=payment.order_id,
        key=IdempotencyKey(f"refund:{refund_id}:fee"),
        draft=draft,
        operation_id=operation_id,
        # Before a reversal of the same moment.
        due_at=now - timedelta(microseconds=1),
        now=now,
    )
