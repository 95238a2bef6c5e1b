"""Which amount a payment asks for after a snapshot: the cart may change until somebody pays.

While an update is under way Stripe may show the earlier amount or the new one; which of the two was paid is
decided by Stripe alone, and told to the order before the money is. Money over an amount that the payment does
not ask for is taken in as it is and called a mismatch: what came is never not known.
"""

from typing import Literal

import msgspec
import structlog

from payments import states
from payments.errors import SnapshotContradicts
from payments.events import AmountMismatched
from payments.gateway import IntentSnapshot, UpdateDraft
from payments.records import PaymentRecord
from payments.under_way import amendment_under_way, was_asked_for

_log = structlog.get_logger("payments.amounts")


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a payment asks for from here on, in minor units, and what became of its amendment."""

    amount: int
    application_fee: int
    amount_next: int | None = None
    application_fee_next: int | None = None
    amendment: UpdateDraft | None = None
    outcome: Literal["amended", "refused"] | None = None
    # Money moved over an amount that was not the payment's.
    mismatched: bool = False


async def amounts_after(payment: PaymentRecord, snapshot: IntentSnapshot) -> Amounts:
    """What the payment asks for once the snapshot is taken in.

    Raises SnapshotContradicts for an amount that was never asked for, unless money moved over it.
    """
    over = states.settledness(snapshot.status) > 0
    if over and not snapshot.complete:
        return _unchanged(payment)  # not told whole: it will be read again
    amendment = None if payment.amount_next is None else await amendment_under_way(payment.id)
    if amendment is not None and _shows(snapshot, payment, amendment):
        return Amounts(
            amount=amendment.amount,
            application_fee=amendment.application_fee,
            amendment=amendment,
            outcome="amended",
        )
    if snapshot.amount != payment.amount:
        return await _other_amount(payment, snapshot, amendment)
    if amendment is not None and over:
        # Paid, or ended, as it was before: the other amount can no longer be.
        return Amounts(
            amount=payment.amount,
            application_fee=payment.application_fee,
            amendment=amendment,
            outcome="refused",
        )
    return _unchanged(payment)


async def _other_amount(
    payment: PaymentRecord, snapshot: IntentSnapshot, amendment: UpdateDraft | None
) -> Amounts:
    paid = snapshot.status in states.MONEY
    if paid and payment.status in states.OPEN:
        _log.error("another amount was paid", payment_id=payment.id, alarm=True)
        came = max(snapshot.amount, snapshot.amount_capturable, snapshot.amount_received)
        return Amounts(
            amount=came,
            application_fee=min(snapshot.application_fee, came),
            amendment=amendment,
            outcome=None if amendment is None else "refused",
            mismatched=True,
        )
    if not paid and await was_asked_for(payment.id, snapshot.amount):
        return _unchanged(payment)  # an older answer that came after a newer one
    _log.error("stripe contradicts our payment", payment_id=payment.id, field="amount", alarm=True)
    raise SnapshotContradicts("amount", ours=payment.amount, theirs=snapshot.amount)


def mismatch(
    before: PaymentRecord, after: PaymentRecord, snapshot: IntentSnapshot, amounts: Amounts
) -> AmountMismatched | None:
    """The fact that Stripe holds or took another amount, at the moment it became true."""
    if before.status not in states.OPEN or after.status not in states.MONEY:
        return None
    held = after.status == states.REQUIRES_CAPTURE
    received = snapshot.amount_capturable if held else snapshot.amount_received
    # A hold may be captured in part on purpose; nothing else may bring another amount.
    on_purpose = after.capture_method == "manual" and not held
    if not amounts.mismatched and (on_purpose or received == after.amount):
        return None
    return AmountMismatched(
        order_id=after.order_id,
        payment_id=after.id,
        occurred_at=after.updated_at,
        expected=before.amount if amounts.mismatched else after.amount,
        received=received,
    )


def _shows(snapshot: IntentSnapshot, payment: PaymentRecord, amendment: UpdateDraft) -> bool:
    """Whether Stripe has the new cart: told by its amount, or where that is the same by its version."""
    same_amount = amendment.amount == payment.amount
    return snapshot.amount == amendment.amount and (
        not same_amount or snapshot.cart_version == amendment.version
    )


def _unchanged(payment: PaymentRecord) -> Amounts:
    return Amounts(
        amount=payment.amount,
        application_fee=payment.application_fee,
        amount_next=payment.amount_next,
        application_fee_next=payment.application_fee_next,
    )
