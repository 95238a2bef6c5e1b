"""The port: what connect asks of Stripe about a seller's balance and payouts. `stripe_payouts.py` answers it.

Everything here only reads, for one connected account at a time. Every method raises the errors of
`payments.errors`: StripeRejected, NotSent, OutcomeUnknown, StripeMisconfigured.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

import msgspec

from payments.ids import ConnectedAccountId


class PayoutSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A payout as Stripe last said. `amount` is minor units; below zero when Stripe debits the bank."""

    id: str
    account_id: ConnectedAccountId
    amount: int
    currency: str
    # Stripe's word: pending, in_transit, paid, failed, canceled.
    status: str
    # Made by Stripe's schedule: only such a payout knows which movements it carries.
    automatic: bool
    # Whether Stripe can already say which movements those are.
    items_known: bool
    # When the bank is expected to have it, or had it.
    arrival_at: datetime
    failure_code: str | None
    failure_message: str | None
    # When the money came back to the balance, once it has.
    returned_at: datetime | None
    created_at: datetime


class PayoutItemSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of the seller's balance that a payout carried, in minor units.

    `source_id` is what moved (`py_...`, `pyr_...`), `transfer_id` the platform's transfer behind it,
    where there is one, `kind` Stripe's reporting category.
    """

    id: str
    source_id: str | None
    transfer_id: str | None
    kind: str
    amount: int
    fee: int
    net: int
    currency: str
    created_at: datetime


class Funds(msgspec.Struct, frozen=True, kw_only=True):
    """A balance in one currency, in minor units; either may be below zero."""

    currency: str
    # Can be paid out now; and what will be, as the buyers' payments settle.
    available: int
    pending: int


class PayoutGateway(Protocol):
    """Stripe, as connect needs it for payouts."""

    async def retrieve_payout(
        self, account_id: ConnectedAccountId, payout_id: str
    ) -> PayoutSnapshot: ...

    def payouts(
        self, account_id: ConnectedAccountId, *, since: datetime | None
    ) -> AsyncIterator[PayoutSnapshot]:
        """Every payout of the account created since then (None: ever), the newest first."""
        ...

    async def items(
        self, account_id: ConnectedAccountId, payout_id: str
    ) -> tuple[PayoutItemSeen, ...]:
        """What an automatic payout carried; its own movement is not among them."""
        ...

    async def balance(self, account_id: ConnectedAccountId) -> tuple[Funds, ...]:
        """What the account holds at Stripe, by currency."""
        ...
