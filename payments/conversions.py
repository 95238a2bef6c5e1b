"""Charges that Stripe converts: the platform has no balance in their currency. Told, and never guessed at.

The charge, its fee and its refunds are booked in the charge's own currency, which is what buyer and seller
agreed on. What Stripe kept, and what its rate won or lost, is money of another currency that no order is of:
it is in Stripe's balance transactions, and every run of the reconciliation says so. A transfer of converted
money counts in the other currency too, so nothing is taken back of it by an amount: what a seller owes is a
debt.
"""

import structlog

from payments.database import execute
from payments.records import PaymentRecord

_log = structlog.get_logger("payments.conversions")


async def note_conversion(payment: PaymentRecord, settled_in: str) -> None:
    """Remember what the payment was converted into, and ring the alarm, once. In the open transaction."""
    noted = await execute(
        "UPDATE payments SET settled_in = $2 WHERE id = $1 AND settled_in IS NULL",
        payment.id,
        settled_in,
    )
    if noted:
        _log.error(
            "stripe converted a payment",
            payment_id=payment.id,
            currency=payment.currency,
            settled_in=settled_in,
            alarm=True,
        )
