"""Disputes, what is told the bank about them, and its early warnings, as rows."""

from piccolo.columns import BigInt, Boolean, Text, Timestamptz, Varchar
from piccolo.constraints import Check
from piccolo.table import Table


class Dispute(Table, tablename="disputes"):
    """A buyer's bank asks for the money back. Stripe owns the status; amounts are minor units."""

    id = Varchar(length=40, primary_key=True, default=None)
    stripe_dispute_id = Varchar(length=64, default=None, unique=True)
    payment_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None)
    seller_id = Varchar(length=40, default=None)
    currency = Varchar(length=3, default=None)
    amount = BigInt(default=None)
    reason = Varchar(length=60, default=None)
    # Stripe's words: warning_needs_response, needs_response, under_review, won, lost, ...
    status = Varchar(length=32, default=None)
    # An inquiry takes no money (yet).
    inquiry = Boolean(default=None)
    # What Stripe took from and gave back to the platform's balance, and its price for it, in total.
    amount_withdrawn = BigInt(default=None)
    amount_reinstated = BigInt(default=None)
    cost = BigInt(default=None)
    # What of that price came back, as it does when a dispute is won.
    cost_returned = BigInt(default=None)
    # Who bears it while it is open: `reverse` takes the seller's transfer back, `reserve` only books it.
    policy = Varchar(length=10, default=None)
    refundable = Boolean(default=None)
    evidence_due_by = Timestamptz(default=None, null=True)
    evidence_submitted_at = Timestamptz(default=None, null=True)
    opened_at = Timestamptz(default=None)
    closed_at = Timestamptz(default=None, null=True)
    checked_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)

    disputes_amount_positive = Check("amount > 0")
    disputes_money_known = Check(
        "amount_withdrawn >= 0 AND amount_reinstated BETWEEN 0 AND amount_withdrawn "
        "AND cost_returned BETWEEN 0 AND cost"
    )
    disputes_policy_known = Check("policy IN ('reverse', 'reserve')")


class DisputeEvidence(Table, tablename="dispute_evidence"):
    """What is or was said to the bank: a draft that people may edit until it is submitted."""

    dispute_id = Varchar(length=40, primary_key=True, default=None)
    # JSON: Stripe's evidence fields as text.
    fields = Text(default=None)
    updated_by = Varchar(length=60, default=None)
    updated_at = Timestamptz(default=None)
    submitted_at = Timestamptz(default=None, null=True)


class FraudWarning(Table, tablename="fraud_warnings"):
    """An early fraud warning: the bank thinks the payment was not the card owner's."""

    stripe_warning_id = Varchar(length=64, primary_key=True, default=None)
    payment_id = Varchar(length=40, default=None)
    order_id = Varchar(length=40, default=None)
    fraud_type = Varchar(length=60, default=None)
    actionable = Boolean(default=None)
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)
