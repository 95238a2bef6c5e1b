"""Disputes as the code reads them, and the words of their statuses. Pure facts."""

from datetime import datetime
from typing import Final

import msgspec

CLOSED: Final = frozenset({"won", "lost", "warning_closed", "prevented"})
"""Nothing is open between the bank and the platform; an appeal may open it again."""
ANSWERABLE: Final = frozenset({"needs_response", "warning_needs_response", "appeal_needs_response"})
"""The bank listens: evidence may be submitted."""


class DisputeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One dispute. Amounts are minor units of `currency`; `status` is Stripe's word."""

    id: str
    stripe_dispute_id: str
    payment_id: str
    order_id: str
    seller_id: str
    currency: str
    amount: int
    reason: str
    status: str
    inquiry: bool
    amount_withdrawn: int
    amount_reinstated: int
    cost: int
    cost_returned: int
    policy: str
    refundable: bool
    evidence_due_by: datetime | None
    evidence_submitted_at: datetime | None
    opened_at: datetime
    closed_at: datetime | None
    checked_at: datetime
    updated_at: datetime


COLUMNS: Final = ", ".join(DisputeRecord.__struct_fields__)


class FraudWarningRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One early fraud warning; `actionable` while a refund would still avoid a dispute."""

    stripe_warning_id: str
    payment_id: str
    order_id: str
    fraud_type: str
    actionable: bool
    created_at: datetime
    updated_at: datetime


WARNING_COLUMNS: Final = ", ".join(FraudWarningRecord.__struct_fields__)
