"""PaymentIntents that Stripe does not know: another account's key is in use, say, or this database was made
beside another Stripe. Noted once; what is not paid may end; what shows up later is believed.
"""

from datetime import datetime
from typing import Final

import msgspec
import structlog

from payments import states
from payments.database import execute, lock_order, require_transaction, value
from payments.events import Announce, PaymentCanceled
from payments.gateway import IntentSnapshot
from payments.records import PaymentRecord

GIVEN_UP: Final = "unknown_to_stripe"
"""Our reason for ending a payment: Stripe knows no such PaymentIntent, so nobody can pay it."""

_log = structlog.get_logger("payments.refreshing")


async def note_missing(order_id: str, intent_id: str, now: datetime) -> None:
    """The sweep asks for it no more; a run of reconciliation finds it, and asks."""
    noted = await execute(
        "UPDATE payments SET missing_since = $2, recheck_at = NULL, updated_at = $2 "
        "WHERE intent_id = $1 AND missing_since IS NULL AND status <> 'canceled'",
        intent_id,
        now,
    )
    if noted:
        _log.error(
            "Stripe does not know a PaymentIntent of ours",
            order_id=order_id,
            intent_id=intent_id,
            alarm=True,
        )


async def give_up(order_id: str, payment_id: str, announce: Announce, now: datetime) -> None:
    """End a payment whose PaymentIntent Stripe does not know, under the order's lock."""
    require_transaction()
    await lock_order(order_id)
    given_up = await execute(
        "UPDATE payments SET status = 'canceled', live = false, amount_capturable = 0, "
        "cancellation_reason = $2, missing_since = coalesce(missing_since, $3), updated_at = $3 "
        "WHERE id = $1 AND live AND status <> 'succeeded'",
        payment_id,
        GIVEN_UP,
        now,
    )
    if given_up:
        await announce(
            PaymentCanceled(
                order_id=order_id, payment_id=payment_id, occurred_at=now, reason=GIVEN_UP
            )
        )


async def may_come_back(order_id: str) -> bool:
    """Whether a payment of the order was given up, and Stripe has not told its end since."""
    return bool(
        await value(
            "SELECT EXISTS (SELECT FROM payments WHERE order_id = $1 AND cancellation_reason = $2)",
            order_id,
            GIVEN_UP,
        )
    )


def come_back(payment: PaymentRecord, snapshot: IntentSnapshot) -> PaymentRecord:
    """A payment that was given up, and Stripe shows its money after all: only Stripe's own end is final."""
    given_up = payment.status == states.CANCELED and payment.cancellation_reason == GIVEN_UP
    if not given_up or snapshot.status not in states.MONEY:
        return payment
    return msgspec.structs.replace(
        payment, status="requires_payment_method", live=True, cancellation_reason=None
    )
