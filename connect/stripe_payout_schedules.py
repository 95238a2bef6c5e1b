"""The adapter of `PayoutHoldGateway`: Stripe's Balance Settings, asked with the Stripe-Account header."""

import msgspec

from connect.payout_hold_gateway import MANUAL, PayoutSchedule, PayoutScheduleDraft
from payments.ids import ConnectedAccountId, IdempotencyKey
from payments.stripe_client import Answer, StripeApi

_PATH = "/v1/balance_settings"


class _Payouts(msgspec.Struct, frozen=True):
    schedule: PayoutSchedule | None = None


class _Payments(msgspec.Struct, frozen=True):
    payouts: _Payouts | None = None


class _Settings(msgspec.Struct, frozen=True):
    """Source: the BalanceSettings object, API version 2026-10-28.endive."""

    payments: _Payments


class StripePayoutSchedules:
    """Stripe, asked on behalf of one connected account at a time."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    async def payout_schedule(self, account_id: ConnectedAccountId) -> PayoutSchedule:
        """GET /v1/balance_settings."""
        return _schedule(await self._api.request("get", _PATH, account=account_id))

    async def change_payout_schedule(
        self, draft: PayoutScheduleDraft, key: IdempotencyKey
    ) -> PayoutSchedule:
        """POST /v1/balance_settings."""
        wanted = {
            name: list(told) if isinstance(told, tuple) else told
            for name, told in msgspec.structs.asdict(draft.wanted).items()
            if told is not None
        }
        params = {"payments": {"payouts": {"schedule": wanted}}}
        return _schedule(
            await self._api.request("post", _PATH, params, key=key, account=draft.account_id)
        )


def _schedule(answer: Answer) -> PayoutSchedule:
    """An account without one is never paid out by itself."""
    payouts = answer.read(_Settings).payments.payouts
    return (payouts.schedule if payouts else None) or MANUAL
