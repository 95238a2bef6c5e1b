"""What people are written about, and what sellers' programs are told of: two closed lists. Pure."""

from typing import Final, Literal, get_args

Kind = Literal[
    # To a seller, about their account
    "onboarding_needed",
    "account_ready",
    "requirements_due",
    "account_restricted",
    "seller_approved",
    "seller_rejected",
    "seller_suspended",
    "seller_reinstated",
    "seller_frozen",
    "seller_unfrozen",
    # To a buyer, about an order
    "payment_processing",
    "payment_failed",
    "order_prepared",
    "order_not_prepared",
    "session_scheduled",
    "order_shipped",
    "tracking_corrected",
    "session_missed",
    "session_failed",
    "order_canceled",
    "hold_lapsed",
    "order_refunded",
    "refund_failed",
    # To a seller, about a sale
    "order_to_prepare",
    "order_paid",
    "sale_not_prepared",
    "deadline_reminded",
    "fulfilment_held",
    "fulfilment_released",
    "sale_missed",
    "sale_canceled",
    "sale_lapsed",
    "sale_refunded",
    "sale_refund_failed",
    "disputed",
    "dispute_evidence_due",
    "dispute_closed",
    "inquiry_opened",
    "inquiry_closed",
    "fraud_warned",
    # To a seller, about money and programs
    "debt_opened",
    "debt_settled",
    "debt_written_off",
    "payout_paid",
    "payout_failed",
    "debit_made",
    "debit_failed",
    "webhook_endpoint_disabled",
    # To an admin
    "seller_restricted",
    "seller_payout_failed",
    "order_revived",
    "capture_refused",
    "deadline_escalated",
    "refund_lost",
    "approval_asked",
    "approval_decided",
    "fee_draft_submitted",
    "fee_draft_decided",
    "events_given_up",
    "events_missed",
    "stripe_silent",
    "operations_stuck",
    "cases_opened",
    # To the other party of an order
    "order_message",
]
EventType = Literal[
    "order.authorized",
    "order.paid",
    "order.held",
    "order.released",
    "order.shipped",
    "order.completed",
    "order.canceled",
    "order.expired",
    "order.refunded",
    "order.refund_failed",
    "dispute.opened",
    "dispute.closed",
    "payout.paid",
    "payout.failed",
    "seller.capability_changed",
    "endpoint.ping",
]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
EVENT_TYPES: Final[tuple[EventType, ...]] = get_args(EventType)
PING: Final[EventType] = "endpoint.ping"
"""Told only to the endpoint that asked for it."""
