"""What people are written about, and what sellers' programs are told of: two closed lists. Pure."""

from typing import Final, Literal, get_args

Kind = Literal[
    # A seller's account
    "onboarding_needed",
    "account_ready",
    "requirements_due",
    "account_restricted",
    "seller_restricted",
    "seller_approved",
    "seller_rejected",
    "seller_suspended",
    "seller_reinstated",
    # An order, from its payment to its end
    "payment_processing",
    "payment_failed",
    "order_to_prepare",
    "order_paid",
    "order_prepared",
    "order_revived",
    "preparation_refused",
    "deadline_reminded",
    "deadline_escalated",
    "deadline_reached",
    "fulfilment_held",
    "fulfilment_released",
    "session_scheduled",
    "order_shipped",
    "tracking_corrected",
    "order_completed",
    "session_missed_by_buyer",
    "session_missed_by_seller",
    "order_canceled",
    "hold_lapsed",
    # Money going back
    "refunded",
    "refund_failed",
    "disputed",
    "dispute_evidence_due",
    "dispute_closed",
    "fraud_warned",
    "debt_opened",
    "debt_settled",
    "debt_written_off",
    # A seller's money
    "payout_paid",
    "payout_failed",
    "statement_ready",
    # The rest
    "order_message",
    "approval_asked",
    "approval_decided",
    "webhook_endpoint_disabled",
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
