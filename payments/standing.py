"""How a payment stands before another refund, read under the order's lock."""

from payments.database import row, value
from payments.errors import PaymentDisputed, PaymentNotFound, PaymentStepRefused
from payments.movements import sources
from payments.records import COLUMNS, PaymentRecord
from payments.refund_policy import Standing

_SUMS = """
SELECT coalesce(sum(amount) FILTER (WHERE stands), 0)::bigint AS reserved,
       coalesce(sum(amount) FILTER (WHERE stands AND return_fee), 0)::bigint AS counted,
       coalesce(sum(fee_amount) FILTER (WHERE stands), 0)::bigint AS given,
       coalesce(sum(fee_returned) FILTER (WHERE status <> 'refused'), 0)::bigint AS explained,
       coalesce(sum(fee_returned) FILTER (WHERE on_its_way), 0)::bigint AS on_its_way,
       coalesce(bool_and(status NOT IN ('failed', 'canceled')), true) AS undisturbed
FROM (
    SELECT r.*, r.status NOT IN ('failed', 'canceled', 'refused') AS stands,
           CASE WHEN f.id IS NOT NULL THEN (CASE WHEN f.status = 'refused' THEN 0 ELSE f.amount END)
                WHEN r.transfer_amount > 0 THEN r.fee_amount ELSE 0 END AS fee_returned,
           CASE WHEN f.id IS NOT NULL THEN f.status = 'planned' ELSE r.status = 'planned' END
               AS on_its_way
    FROM refunds r LEFT JOIN fee_returns f ON f.cause = 'refund:' || r.id
    WHERE r.payment_id = $1
) AS each
"""
"""`explained` and `on_its_way` are parts of the fee that Stripe gives back: not those a reversal left out."""


async def captured_payment(order_id: str) -> PaymentRecord:
    """The order's payment, locked, with money to refund.

    Raises PaymentNotFound, PaymentStepRefused when nothing was captured, PaymentDisputed where a dispute
    forbids refunds, open or lost: the bank takes the money itself, and it would go back twice.
    """
    found = await row(
        f"SELECT {COLUMNS} FROM payments WHERE order_id = $1 AND live FOR UPDATE", order_id
    )
    if found is None:
        raise PaymentNotFound(order_id)
    payment = PaymentRecord(**found)
    if payment.amount_captured == 0:
        raise PaymentStepRefused("refund", payment_status=payment.status)
    dispute_id = await value(
        "SELECT id FROM disputes WHERE payment_id = $1 AND NOT refundable LIMIT 1",
        payment.id,
    )
    if dispute_id is not None:
        raise PaymentDisputed(dispute_id)
    return payment


async def refundable(payment: PaymentRecord) -> int:
    """What may still be refunded: captured, less refunds that stand, less what banks took for good."""
    sums = await row(_SUMS, payment.id)
    assert sums is not None
    return max(0, payment.amount_captured - int(sums["reserved"]) - await _lost(payment.id))


async def standing(payment: PaymentRecord) -> Standing:
    """How the payment stands before another refund."""
    sums = await row(_SUMS, payment.id)
    assert sums is not None
    # A fee that somebody returned at Stripe, without any refund.
    stray = max(0, payment.fee_refunded - sums["explained"])
    own = [one for one in await sources(payment.id) if one.transfer_id == payment.transfer_id]
    return Standing(
        currency=payment.currency,
        captured=payment.amount_captured,
        fee=payment.fee_captured,
        counted=sums["counted"],
        given=sums["given"] + stray,
        fee_left=payment.fee_captured - payment.fee_refunded - sums["on_its_way"],
        transfer_left=own[0].left if own else 0,
        transferred=payment.transfer_id is not None,
        undisturbed=sums["undisturbed"] and stray == 0 and sums["counted"] == sums["reserved"],
    )


async def unexplained_fee(payment: PaymentRecord) -> int:
    """What Stripe returned of the fee that no refund known so far accounts for. Minor units."""
    sums = await row(_SUMS, payment.id)
    assert sums is not None
    return max(0, payment.fee_refunded - int(sums["explained"]))


async def _lost(payment_id: str) -> int:
    lost: int = await value(
        "SELECT coalesce(sum(amount_withdrawn - amount_reinstated), 0)::bigint FROM disputes "
        "WHERE payment_id = $1",
        payment_id,
    )
    return lost
