"""What becomes of a PaymentIntent in the fake: snapshots of the states tests bring it into."""

from datetime import datetime, timedelta

import msgspec

from payments.gateway import (
    CardSeen,
    ChargeSnapshot,
    DeclineSeen,
    IntentSnapshot,
    RefundSnapshot,
)

VISA = CardSeen(brand="visa", last4="4242")
HOLD = timedelta(days=7)


def declined(
    intent: IntentSnapshot,
    decline_code: str,
    charge_id: str,
    payment_method_id: str,
    advice_code: str | None = None,
) -> IntentSnapshot:
    """The bank said no."""
    seen = DeclineSeen(
        reference=charge_id,
        code="card_declined",
        decline_code=decline_code,
        advice_code=advice_code,
        card=VISA,
        payment_method_id=payment_method_id,
    )
    return msgspec.structs.replace(
        intent, status="requires_payment_method", decline=seen, payment_method_id=None
    )


def challenged(intent: IntentSnapshot) -> IntentSnapshot:
    """The bank wants to see the buyer first."""
    return msgspec.structs.replace(intent, status="requires_action", decline=None)


def on_its_way(intent: IntentSnapshot, charge_id: str, now: datetime) -> IntentSnapshot:
    """A bank debit was sent: Stripe calls its charge captured before any money came."""
    sent = held(intent, charge_id, now)
    assert sent.charge is not None
    pending = msgspec.structs.replace(
        sent.charge, status="pending", captured=True, amount_captured=intent.amount, card=None
    )
    return msgspec.structs.replace(sent, status="processing", amount_capturable=0, charge=pending)


def held(intent: IntentSnapshot, charge_id: str, now: datetime) -> IntentSnapshot:
    """The bank holds the money; nothing has moved."""
    charge = ChargeSnapshot(
        id=charge_id,
        status="succeeded",
        captured=False,
        amount_captured=0,
        amount_refunded=0,
        transfer_id=None,
        application_fee_id=None,
        application_fee=0,
        fee_refunded=0,
        processing_cost=0,
        capture_before=now + HOLD if intent.capture_method == "manual" else None,
        card=VISA,
        refunds=(),
        created_at=now,
    )
    return msgspec.structs.replace(
        intent,
        status="requires_capture",
        amount_capturable=intent.amount,
        decline=None,
        charge=charge,
    )


def with_refunds(intent: IntentSnapshot, refunds: tuple[RefundSnapshot, ...]) -> IntentSnapshot:
    """The charge with these refunds, newest first, and their total."""
    assert intent.charge is not None
    total = sum(one.amount for one in refunds if one.status not in ("failed", "canceled"))
    charge = msgspec.structs.replace(intent.charge, refunds=refunds, amount_refunded=total)
    return msgspec.structs.replace(intent, charge=charge)
