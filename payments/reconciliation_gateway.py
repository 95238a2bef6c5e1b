"""The port: what reconciliation reads at Stripe, a page at a time so that it can stop and go on.

Everything here only reads. Lists come newest first; `after` is the last id of the page before. Every method
raises StripeRejected, NotSent, OutcomeUnknown, StripeMisconfigured.
"""

from datetime import datetime
from typing import Generic, Protocol, TypeVar

import msgspec

from payments.gateway import BalanceTransaction

Item = TypeVar("Item")


class Span(msgspec.Struct, frozen=True):
    """What Stripe made at `since` or after, and before `until` (None: until now), to the second."""

    since: datetime
    until: datetime | None


class Listed(msgspec.Struct, Generic[Item], frozen=True):
    """One page; `after` is where to go on, None at the end."""

    data: tuple[Item, ...]
    after: str | None


class IntentSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A PaymentIntent with its latest charge. Amounts are minor units."""

    id: str
    payment_id: str | None
    order_id: str | None
    status: str
    amount: int
    currency: str
    application_fee: int
    amount_received: int
    destination: str | None
    charge_id: str | None
    # Whether the charge's money was taken, and where it went from there.
    captured: bool
    transfer_id: str | None
    application_fee_id: str | None
    created_at: datetime


class RefundSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A refund; `refund_id` is ours where we asked for it."""

    id: str
    refund_id: str | None
    intent_id: str | None
    charge_id: str | None
    # A released hold, or what a partial capture left of it, is listed as a refund too: nobody got money back.
    of_hold: bool
    status: str
    amount: int
    currency: str
    created_at: datetime


class DisputeSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute, as far as lists tell."""

    id: str
    charge_id: str
    intent_id: str | None
    status: str
    amount: int
    currency: str
    created_at: datetime


class ChargeSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a charge is: its PaymentIntent, and what we wrote on it."""

    id: str
    intent_id: str | None
    payment_id: str | None


class ChainGateway(Protocol):
    """Stripe, as reconciliation needs it."""

    async def movements(self, span: Span, after: str | None) -> Listed[BalanceTransaction]:
        """Movements of the platform's balance, each tied to its charge."""
        ...

    async def intents(self, span: Span, after: str | None) -> Listed[IntentSeen]: ...

    async def refunds(self, span: Span, after: str | None) -> Listed[RefundSeen]: ...

    async def disputes(self, span: Span, after: str | None) -> Listed[DisputeSeen]: ...

    async def intent(self, intent_id: str) -> IntentSeen: ...

    async def refund(self, stripe_refund_id: str) -> RefundSeen: ...

    async def dispute(self, stripe_dispute_id: str) -> DisputeSeen: ...

    async def charge(self, charge_id: str) -> ChargeSeen: ...

    async def moved_before(self, moment: datetime) -> bool:
        """Whether the platform's balance ever moved before that moment."""
        ...

    async def balance(self) -> dict[str, int]:
        """What the platform holds by currency, available or on its way, in minor units."""
        ...
