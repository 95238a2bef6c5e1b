"""The history of attempts: what the buyer's bank said each time, kept once and for all.

Stripe forgets the last refusal as soon as a PaymentIntent is changed or tried again; this does not.
"""

from datetime import datetime

from payments.database import execute
from payments.declines import reason_of
from payments.events import Announce, PaymentDeclined
from payments.gateway import CardSeen, ChargeSnapshot, DeclineSeen, IntentSnapshot
from payments.ids import new_id
from payments.records import PaymentRecord

_INSERT = (
    "INSERT INTO attempts (id, payment_id, order_id, reference, outcome, reason, stripe_code, "
    "decline_code, advice_code, card_brand, card_last4, card_fingerprint, payment_method_id, "
    "request_id, occurred_at) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) "
    "ON CONFLICT (payment_id, reference) DO NOTHING"
)
_NO_CARD = CardSeen(brand=None, last4=None)


async def note_attempts(
    payment: PaymentRecord, snapshot: IntentSnapshot, announce: Announce, now: datetime
) -> None:
    """Keep what the snapshot shows of attempts, each once; a new refusal is announced."""
    if snapshot.decline is not None:
        reason = reason_of(snapshot.decline.code, snapshot.decline.decline_code)
        if await _note_decline(payment, snapshot.decline, reason, snapshot.request_id, now):
            await announce(
                PaymentDeclined(
                    order_id=payment.order_id,
                    payment_id=payment.id,
                    occurred_at=now,
                    reason=reason,
                )
            )
    # One that is on its way (a bank debit) has no outcome yet.
    if snapshot.charge is not None and snapshot.charge.status == "succeeded":
        await _note_success(payment, snapshot, snapshot.charge)


async def _note_decline(
    payment: PaymentRecord,
    decline: DeclineSeen,
    reason: str,
    request_id: str | None,
    now: datetime,
) -> bool:
    """Keep a declined attempt once; answers whether it was new."""
    card = decline.card or _NO_CARD
    return bool(
        await execute(
            _INSERT,
            new_id("att"),
            payment.id,
            payment.order_id,
            decline.reference,
            "declined",
            reason,
            decline.code,
            decline.decline_code,
            decline.advice_code,
            card.brand,
            card.last4,
            card.fingerprint,
            decline.payment_method_id,
            request_id,
            now,
        )
    )


async def _note_success(
    payment: PaymentRecord, snapshot: IntentSnapshot, charge: ChargeSnapshot
) -> None:
    card = charge.card or _NO_CARD
    await execute(
        _INSERT,
        new_id("att"),
        payment.id,
        payment.order_id,
        charge.id,
        "captured" if charge.captured else "authorized",
        None,
        None,
        None,
        None,
        card.brand,
        card.last4,
        card.fingerprint,
        snapshot.payment_method_id,
        snapshot.request_id,
        charge.created_at,
    )
