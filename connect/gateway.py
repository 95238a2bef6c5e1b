"""The port: what connect asks of Stripe, in our words. `stripe_accounts.py` answers it.

Every mutating method takes the idempotency key; an adapter holds no decisions. Every method raises
the errors of `payments.errors`: StripeRejected, NotSent, OutcomeUnknown, StripeMisconfigured. Links
are bearer tokens: single use, minted when somebody clicks, never stored, never logged.
"""

from datetime import datetime
from typing import Protocol

import msgspec

from connect.snapshot import AccountSnapshot
from payments.gateway import Draft
from payments.ids import ConnectedAccountId, IdempotencyKey, OperationId, SellerId


class AccountDraft(Draft, frozen=True, kw_only=True):
    """A connected account to be. Whether person or company is asked by Stripe while onboarding."""

    operation_id: OperationId
    seller_id: SellerId
    country: str
    currency: str
    email: str
    display_name: str


class OnboardingLink(msgspec.Struct, frozen=True):
    """Where the seller gives Stripe what it wants to know; works once, until `expires_at`."""

    url: str
    expires_at: datetime

    def __repr__(self) -> str:
        """Never shows the address: whoever has it can use it."""
        return f"OnboardingLink(expires_at={self.expires_at.isoformat()})"


class DashboardLink(msgspec.Struct, frozen=True):
    """Signs the seller in to their Express dashboard; works once."""

    url: str

    def __repr__(self) -> str:
        """Never shows the address: whoever has it is signed in."""
        return "DashboardLink()"


class AccountGateway(Protocol):
    """Stripe, as connect needs it."""

    async def create_account(self, draft: AccountDraft, key: IdempotencyKey) -> AccountSnapshot: ...

    async def retrieve_account(self, account_id: ConnectedAccountId) -> AccountSnapshot: ...

    async def find_account(self, draft: AccountDraft) -> AccountSnapshot | None:
        """Look for the account a lost create may have made (by metadata `seller_id`)."""
        ...

    async def create_onboarding_link(
        self,
        account_id: ConnectedAccountId,
        *,
        return_url: str,
        refresh_url: str,
        key: IdempotencyKey,
    ) -> OnboardingLink: ...

    async def create_dashboard_link(
        self, account_id: ConnectedAccountId, key: IdempotencyKey
    ) -> DashboardLink: ...
