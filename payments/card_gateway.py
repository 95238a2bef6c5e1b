"""The port for saved cards: what payments asks of Stripe about a buyer's Customer and their cards.

The rules of `gateway.py` hold here too: our words, an idempotency key for everything that changes something,
errors of `payments.errors`. `stripe_cards.py` answers it.
"""

from datetime import datetime
from typing import Protocol

import msgspec

from payments.gateway import DeclineSeen, Draft
from payments.ids import IdempotencyKey, OperationId


class CustomerDraft(Draft, frozen=True, kw_only=True):
    """Stripe's Customer of a buyer: what their cards belong to."""

    operation_id: OperationId
    buyer_id: str
    email: str


class SetupDraft(Draft, frozen=True, kw_only=True):
    """A SetupIntent: the buyer's browser gives a card to keep, without a payment."""

    operation_id: OperationId
    setup_id: str
    buyer_id: str
    customer_id: str


class DetachDraft(Draft, frozen=True, kw_only=True):
    """Take a card away from its Customer, for good."""

    operation_id: OperationId
    card_id: str
    buyer_id: str
    customer_id: str
    payment_method_id: str


class CustomerSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A Customer as Stripe says it is."""

    id: str
    deleted: bool
    request_id: str | None = None


class CardSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A card that a Customer keeps, as Stripe says it is."""

    payment_method_id: str
    brand: str | None
    last4: str | None
    expiry_month: int | None
    expiry_year: int | None
    fingerprint: str | None
    created_at: datetime
    request_id: str | None = None


class SetupSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A SetupIntent as Stripe says it is. The client secret is passed on, never kept."""

    id: str
    # Ours, from its metadata; None for one that this program did not make.
    setup_id: str | None
    status: str
    customer_id: str | None
    client_secret: str
    decline: DeclineSeen | None
    request_id: str | None = None

    def __repr__(self) -> str:
        """Never shows the client secret."""
        return f"SetupSnapshot({self.id}, {self.status})"


class CardGateway(Protocol):
    """Stripe, as saved cards need it."""

    async def create_customer(
        self, draft: CustomerDraft, key: IdempotencyKey
    ) -> CustomerSnapshot: ...

    async def find_customer(self, draft: CustomerDraft) -> CustomerSnapshot | None:
        """Look for the Customer a lost request may have made (by metadata `operation_id`)."""
        ...

    async def retrieve_customer(self, customer_id: str) -> CustomerSnapshot: ...

    async def create_setup(self, draft: SetupDraft, key: IdempotencyKey) -> SetupSnapshot: ...

    async def find_setup(self, draft: SetupDraft) -> SetupSnapshot | None:
        """Look for the SetupIntent a lost request may have made (by metadata `setup_id`)."""
        ...

    async def retrieve_setup(self, stripe_setup_id: str) -> SetupSnapshot: ...

    async def detach_card(self, draft: DetachDraft, key: IdempotencyKey) -> CardSnapshot: ...

    async def cards_of(self, customer_id: str) -> list[CardSnapshot]:
        """Every card the Customer keeps, the newest first."""
        ...
