"""Rows of payments as the code reads them: facts without behaviour, no client secret among them."""

from datetime import datetime

import msgspec

from payments.declines import DeclineReason


class PaymentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One payment. Amounts are minor units of `currency`."""

    id: str
    order_id: str
    seller_id: str
    generation: int
    live: bool
    currency: str
    amount: int
    application_fee: int
    amount_next: int | None
    application_fee_next: int | None
    capture_method: str
    customer_id: str | None
    payment_method_id: str | None
    destination: str
    status: str
    intent_id: str | None
    charge_id: str | None
    transfer_id: str | None
    application_fee_id: str | None
    amount_capturable: int
    amount_captured: int
    fee_captured: int
    amount_refunded: int
    fee_refunded: int
    transfer_reversed: int
    transfer_restored: int
    processing_cost: int
    capture_before: datetime | None
    cancellation_reason: str | None
    created_at: datetime
    updated_at: datetime
    checked_at: datetime
    recheck_at: datetime | None
    missing_since: datetime | None


COLUMNS = ", ".join(PaymentRecord.__struct_fields__)


class RefundRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One refund. Amounts are minor units of `currency`."""

    id: str
    payment_id: str
    order_id: str
    currency: str
    amount: int
    reason: str | None
    reverse_transfer: bool | None
    return_fee: bool | None
    lines: str | None
    pending_reason: str | None
    # What it takes back of the order's transfer by itself, and the seller's part of the fee with it.
    transfer_amount: int
    fee_amount: int
    status: str
    stripe_refund_id: str | None
    requested_by: str | None
    failure_reason: str | None
    created_at: datetime
    updated_at: datetime


REFUND_COLUMNS = ", ".join(RefundRecord.__struct_fields__)


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a bank said once; `reason` is our stable code, None when it said yes.

    `advice_code` is Stripe's word, for operators: told to a buyer it would give a stolen card away.
    """

    id: str
    order_id: str
    payment_id: str
    outcome: str
    reason: DeclineReason | None
    advice_code: str | None
    card_brand: str | None
    card_last4: str | None
    occurred_at: datetime


ATTEMPT_COLUMNS = ", ".join(AttemptRecord.__struct_fields__)
