"""Facts about connected accounts, in the past tense, handed upward in the transaction that made them true."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from connect.capability import AccountState


class PayoutFact(msgspec.Struct, frozen=True, kw_only=True):
    """Which payout of whom. Minor units; below zero when Stripe debits the seller's bank."""

    payout_id: str
    account_id: str
    seller_id: str
    amount: int
    currency: str
    arrival_at: datetime
    occurred_at: datetime


class PayoutPaid(PayoutFact, frozen=True, kw_only=True):
    """The bank has it. Stripe may still learn, days later, that it has not: PayoutFailed follows then."""


class PayoutFailed(PayoutFact, frozen=True, kw_only=True):
    """The money came back to the seller's Stripe balance; `failure_code` is Stripe's word for why."""

    failure_code: str | None
    # Money on a closed account reaches nobody by itself: people must look the same day.
    account_closed: bool


class AccountChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A connected account stands elsewhere than `before` (None: it was just opened), or is due sooner.

    `missing` is what Stripe wants to know; at `deadline` it starts to restrict the account.
    """

    seller_id: str
    account_id: str
    before: AccountState | None
    after: AccountState
    missing: tuple[str, ...]
    deadline: datetime | None
    # When Stripe was asked.
    occurred_at: datetime


PayoutEvent = PayoutPaid | PayoutFailed
AnnouncePayout = Callable[[PayoutEvent], Awaitable[None]]
AnnounceAccount = Callable[[AccountChanged], Awaitable[None]]
"""Called inside the open transaction; whatever it raises undoes the whole step."""
