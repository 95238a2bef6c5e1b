"""The port for disputes and early fraud warnings: what payments asks of Stripe about them, in our words.

As in `gateway.py`: every mutating method takes the idempotency key, a snapshot is a fact without behaviour,
amounts are minor units, times are aware UTC. Every method raises StripeRejected and its kinds, NotSent,
OutcomeUnknown, StripeMisconfigured.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

import msgspec

from payments.gateway import Draft
from payments.ids import IdempotencyKey, OperationId


class EvidenceDraft(Draft, frozen=True, kw_only=True):
    """What is said to the bank; with `submit` it is final, the bank sees it once."""

    operation_id: OperationId
    dispute_id: str
    stripe_dispute_id: str
    # Stripe's evidence fields as text.
    fields: dict[str, str]
    submit: bool


class AcceptanceDraft(Draft, frozen=True, kw_only=True):
    """Give the dispute up: it is lost at once, and for good."""

    operation_id: OperationId
    dispute_id: str
    stripe_dispute_id: str


class DisputeSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute as Stripe says it is, at one moment.

    `withdrawn`, `reinstated`, `cost` and `cost_returned` are totals over its movements on the platform's
    balance.
    """

    id: str
    charge_id: str
    intent_id: str | None
    amount: int
    currency: str
    reason: str
    status: str
    refundable: bool
    withdrawn: int
    reinstated: int
    cost: int
    cost_returned: int
    evidence_due_by: datetime | None
    submissions: int
    past_due: bool
    created_at: datetime
    request_id: str | None = None


class FraudWarningSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """An early fraud warning: `actionable` while a refund would still avoid a dispute."""

    id: str
    charge_id: str
    intent_id: str | None
    fraud_type: str
    actionable: bool
    created_at: datetime


class DisputeGateway(Protocol):
    """Stripe, as disputes need it."""

    async def retrieve_dispute(self, stripe_dispute_id: str) -> DisputeSnapshot: ...

    def disputes(self, *, since: datetime) -> AsyncIterator[DisputeSnapshot]:
        """Every dispute opened since then, newest first."""
        ...

    async def send_evidence(self, draft: EvidenceDraft, key: IdempotencyKey) -> DisputeSnapshot: ...

    async def accept_dispute(
        self, draft: AcceptanceDraft, key: IdempotencyKey
    ) -> DisputeSnapshot: ...

    async def retrieve_warning(self, stripe_warning_id: str) -> FraudWarningSnapshot: ...
