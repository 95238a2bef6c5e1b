"""Tables of payments. Amounts are minor units beside their currency; times are UTC.

A column says `default=None` unless older rows need another value: Piccolo would otherwise give the
database zeros and empty strings.
Partial indexes and triggers (append-only postings, totals that never fall) are in the migrations.
"""

from piccolo.columns import BigInt, Boolean, Integer, Text, Timestamptz, Varchar
from piccolo.constraints import Check, Unique
from piccolo.table import Table


class Payment(Table, tablename="payments"):
    """The money of one order, one row for each generation; Stripe owns the status."""

    id = Varchar(length=40, primary_key=True, default=None)
    order_id = Varchar(length=40, default=None)
    seller_id = Varchar(length=40, default=None)
    generation = Integer(default=None)
    # A live payment may still take money; the database allows one per order.
    live = Boolean(default=None)
    currency = Varchar(length=3, default=None)
    amount = BigInt(default=None)
    application_fee = BigInt(default=None)
    # What an update under way asks for: until it is concluded Stripe may show the one or the other.
    amount_next = BigInt(default=None, null=True)
    application_fee_next = BigInt(default=None, null=True)
    capture_method = Varchar(length=10, default=None)
    # Stripe's Customer of the buyer, where the card may be kept.
    customer_id = Varchar(length=64, default=None, null=True)
    # The card (Stripe's PaymentMethod) that paid or tried last.
    payment_method_id = Varchar(length=64, default=None, null=True)
    destination = Varchar(length=64, default=None)
    # Stripe's words, and `planned` before Stripe has answered for the first time.
    status = Varchar(length=32, default=None)
    intent_id = Varchar(length=64, default=None, null=True, unique=True)
    charge_id = Varchar(length=64, default=None, null=True, unique=True)
    transfer_id = Varchar(length=64, default=None, null=True)
    application_fee_id = Varchar(length=64, default=None, null=True)
    amount_capturable = BigInt(default=None)
    amount_captured = BigInt(default=None)
    fee_captured = BigInt(default=None)
    amount_refunded = BigInt(default=None)
    fee_refunded = BigInt(default=None)
    # What was taken back of the seller's transfer, and sent to them again, in total.
    transfer_reversed = BigInt(default=0)
    transfer_restored = BigInt(default=0)
    # What Stripe converted the money into; null where it was booked in the payment's own currency.
    settled_in = Varchar(length=3, default=None, null=True)
    processing_cost = BigInt(default=None)
    capture_before = Timestamptz(default=None, null=True)
    cancellation_reason = Varchar(length=40, default=None, null=True)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)
    # When Stripe was last asked how this payment stands; the sweep reads it.
    checked_at = Timestamptz(default=None)
    # When a settled payment is read again, in case Stripe moved it without our hearing; null: never.
    recheck_at = Timestamptz(default=None, null=True)
    # Since when Stripe answers that it knows no such PaymentIntent; null: it knows it.
    missing_since = Timestamptz(default=None, null=True)

    payments_amount_positive = Check("amount > 0")
    payments_fee_within_amount = Check("application_fee BETWEEN 0 AND amount")
    payments_next_amount_positive = Check("amount_next > 0")
    payments_next_fee_within_amount = Check("application_fee_next BETWEEN 0 AND amount_next")
    payments_next_together = Check("(amount_next IS NULL) = (application_fee_next IS NULL)")
    payments_reversed_within_captured = Check(
        "transfer_reversed BETWEEN 0 AND amount_captured + transfer_restored"
    )
    payments_restored_within_reversed = Check("transfer_restored BETWEEN 0 AND transfer_reversed")
    payments_captured_within_amount = Check("amount_captured BETWEEN 0 AND amount")
    payments_capturable_within_amount = Check("amount_capturable BETWEEN 0 AND amount")
    payments_fee_captured_within_captured = Check("fee_captured BETWEEN 0 AND amount_captured")
    payments_refunded_within_captured = Check("amount_refunded BETWEEN 0 AND amount_captured")
    payments_fee_refunded_within_fee = Check("fee_refunded BETWEEN 0 AND fee_captured")
    payments_processing_cost_positive = Check("processing_cost >= 0")
    payments_currency_known = Check("currency ~ '^[a-z]{3}$'")
    payments_capture_method_known = Check("capture_method IN ('automatic', 'manual')")
    payments_status_known = Check(
        "status IN ('planned', 'requires_payment_method', 'requires_confirmation', "
        "'requires_action', 'processing', 'requires_capture', 'succeeded', 'canceled', 'refused')"
    )
    payments_one_row_per_generation = Unique([order_id, generation])
    # Target of the composite foreign keys: currency and order of everything below are this row's.
    payments_identity = Unique([id, order_id, currency])


class Operation(Table, tablename="operations"):
    """The journal: one row for everything ever asked of Stripe, written before it is asked."""

    id = Varchar(length=40, primary_key=True, default=None)
    kind = Varchar(length=32, default=None)
    # What it is about: a payment, a refund, a seller.
    subject = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None, null=True)
    idempotency_key = Varchar(length=255, default=None, unique=True)
    # Frozen JSON: what is sent again is exactly what was sent first (a trigger refuses changes).
    parameters = Text(default=None)
    state = Varchar(length=16, default=None)
    attempts = Integer(default=None)
    lease_until = Timestamptz(default=None, null=True)
    due_at = Timestamptz(default=None, null=True)
    first_sent_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz(default=None)
    concluded_at = Timestamptz(default=None, null=True)
    request_id = Varchar(length=64, default=None, null=True)
    result_id = Varchar(length=64, default=None, null=True)
    error_code = Varchar(length=80, default=None, null=True)
    error_message = Text(default=None, null=True)

    operations_state_known = Check(
        "state IN ('planned', 'sending', 'not_sent', 'unknown', 'succeeded', 'rejected')"
    )
    operations_concluded_or_due = Check("(concluded_at IS NULL) <> (due_at IS NULL)")
    operations_attempts_positive = Check("attempts >= 0")


class Refund(Table, tablename="refunds"):
    """Money going back to the buyer; the row exists before Stripe is asked."""

    id = Varchar(length=40, primary_key=True, default=None)
    payment_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None)
    currency = Varchar(length=3, default=None)
    amount = BigInt(default=None)
    reason = Varchar(length=40, default=None, null=True)
    # Who bears it: the seller, by reversing their transfer, or the platform; and whether the platform
    # returns its fee. Null for a refund made at Stripe.
    reverse_transfer = Boolean(default=None, null=True)
    return_fee = Boolean(default=None, null=True)
    # What the refund itself takes back of the order's transfer, and of the fee it gives the seller back.
    transfer_amount = BigInt(default=0)
    fee_amount = BigInt(default=0)
    # JSON: the order's lines and quantities it is for, when it was asked for by lines.
    lines = Text(default=None, null=True)
    pending_reason = Varchar(length=40, default=None, null=True)
    # `planned` and `refused` are ours; the others are Stripe's words.
    status = Varchar(length=20, default=None)
    stripe_refund_id = Varchar(length=64, default=None, null=True, unique=True)
    # Null for a refund made at Stripe (its Dashboard) and imported.
    requested_by = Varchar(length=40, default=None, null=True)
    idempotency_key = Varchar(length=255, default=None, null=True)
    failure_reason = Varchar(length=80, default=None, null=True)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)

    refunds_parts_within = Check(
        "transfer_amount BETWEEN 0 AND amount AND fee_amount BETWEEN 0 AND amount"
    )
    refunds_amount_positive = Check("amount > 0")
    refunds_status_known = Check(
        "status IN ('planned', 'refused', 'pending', 'requires_action', 'succeeded', 'failed', 'canceled')"
    )
    refunds_one_per_request = Unique([requested_by, idempotency_key])


class Attempt(Table, tablename="attempts"):
    """Each time the buyer's bank was asked: what it said, in Stripe's words and in our stable code."""

    id = Varchar(length=40, primary_key=True, default=None)
    payment_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None)
    # The charge, or for a refusal without one (failed authentication) the error's own mark.
    reference = Varchar(length=120, default=None)
    outcome = Varchar(length=16, default=None)
    reason = Varchar(length=40, default=None, null=True)
    stripe_code = Varchar(length=80, default=None, null=True)
    decline_code = Varchar(length=80, default=None, null=True)
    advice_code = Varchar(length=40, default=None, null=True)
    # Which card it was: "do not try again" is about one card.
    payment_method_id = Varchar(length=64, default=None, null=True)
    card_fingerprint = Varchar(length=64, default=None, null=True)
    card_brand = Varchar(length=24, default=None, null=True)
    card_last4 = Varchar(length=4, default=None, null=True)
    request_id = Varchar(length=64, default=None, null=True)
    occurred_at = Timestamptz(default=None)

    attempts_outcome_known = Check("outcome IN ('authorized', 'captured', 'declined')")
    attempts_once = Unique([payment_id, reference])
