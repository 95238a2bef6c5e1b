"""The port: Stripe's schedule of automatic payouts. `stripe_payout_schedules.py` answers it.

Every method raises the errors of `payments.errors`: StripeRejected, NotSent, OutcomeUnknown,
StripeMisconfigured.
"""

from typing import Protocol

import msgspec

from payments.gateway import Draft
from payments.ids import ConnectedAccountId, IdempotencyKey, OperationId, SellerId


class PayoutSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """When Stripe pays out by itself: `daily`, `weekly`, `monthly`, or `manual` for never."""

    interval: str
    weekly_payout_days: tuple[str, ...] | None = None
    monthly_payout_days: tuple[int, ...] | None = None


MANUAL = PayoutSchedule(interval="manual")
"""Nothing is paid out by itself."""


class PayoutScheduleDraft(Draft, frozen=True, kw_only=True):
    """Another schedule for one account: `held` stops it, else `schedule` is put back.

    While it is held, `schedule` is what it was before.
    """

    operation_id: OperationId
    seller_id: SellerId
    account_id: ConnectedAccountId
    held: bool
    schedule: PayoutSchedule

    @property
    def wanted(self) -> PayoutSchedule:
        """What Stripe is asked for."""
        return MANUAL if self.held else self.schedule


class PayoutHoldGateway(Protocol):
    """Stripe, as somebody who holds payouts back needs it."""

    async def payout_schedule(self, account_id: ConnectedAccountId) -> PayoutSchedule: ...

    async def change_payout_schedule(
        self, draft: PayoutScheduleDraft, key: IdempotencyKey
    ) -> PayoutSchedule: ...
