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


def declined(intent: IntentSnapshot, decline_code: str, charge_id: str) -> IntentSnapshot:
    """The bank said no."""
    seen = DeclineSeen(
        reference=charge_id,
        code="card_declined",
        decline_code=decline_code,
        advice_code=None,
        card=VISA,
    )
    return msgspec.structs.replace(intent, decline=seen)


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
