"""The adapter: payouts and balances of connected accounts, read with the Stripe-Account header."""

import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from connect.payout_gateway import Funds, PayoutItemSeen, PayoutSnapshot
from payments.ids import ConnectedAccountId
from payments.stripe_client import StripeApi
from payments.stripe_lists import pages
from payments.stripe_wire import BalanceTransactionObject, Page

_RETURNED = "failure_balance_transaction"


class _Movement(msgspec.Struct, frozen=True, kw_only=True):
    """A balance transaction, as far as its moment matters."""

    created: int


class _PayoutObject(msgspec.Struct, frozen=True, kw_only=True):
    """Source: the Payout object, API version 2026-10-28.endive."""

    id: str
    amount: int
    currency: str
    status: str
    automatic: bool
    arrival_date: int
    created: int
    reconciliation_status: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    failure_balance_transaction: _Movement | None = None


class _Amount(msgspec.Struct, frozen=True, kw_only=True):
    amount: int
    currency: str


class _BalanceObject(msgspec.Struct, frozen=True, kw_only=True):
    available: list[_Amount]
    pending: list[_Amount]


class StripePayouts:
    """Stripe, asked on behalf of one connected account at a time."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    async def retrieve_payout(
        self, account_id: ConnectedAccountId, payout_id: str
    ) -> PayoutSnapshot:
        """GET /v1/payouts/{id}."""
        path = f"/v1/payouts/{quote(payout_id, safe='')}"
        answer = await self._api.request("get", path, {"expand": [_RETURNED]}, account=account_id)
        return _snapshot(account_id, answer.read(_PayoutObject))

    async def payouts(
        self, account_id: ConnectedAccountId, *, since: datetime | None
    ) -> AsyncIterator[PayoutSnapshot]:
        """GET /v1/payouts, to its end."""
        params: dict[str, Any] = {"expand": [f"data.{_RETURNED}"]}
        if since is not None:
            params["created"] = {"gte": math.floor(since.timestamp())}
        found = pages(self._api, "/v1/payouts", params, Page[_PayoutObject], account=account_id)
        async for page, _ in found:
            for one in page:
                yield _snapshot(account_id, one)

    async def items(
        self, account_id: ConnectedAccountId, payout_id: str
    ) -> tuple[PayoutItemSeen, ...]:
        """GET /v1/balance_transactions?payout=, and the payments their refunds belong to."""
        params = {"payout": payout_id, "expand": ["data.source"]}
        found = pages(
            self._api,
            "/v1/balance_transactions",
            params,
            Page[BalanceTransactionObject],
            account=account_id,
        )
        movements = [
            one async for page, _ in found for one in page if _shown(one).get("id") != payout_id
        ]
        transfers = await self._transfers_behind(account_id, movements)
        return tuple(_item(one, transfers.get(_payment_of(one) or "")) for one in movements)

    async def balance(self, account_id: ConnectedAccountId) -> tuple[Funds, ...]:
        """GET /v1/balance."""
        answer = await self._api.request("get", "/v1/balance", account=account_id)
        found = answer.read(_BalanceObject)
        available, pending = _by_currency(found.available), _by_currency(found.pending)
        return tuple(
            Funds(currency=each, available=available.get(each, 0), pending=pending.get(each, 0))
            for each in sorted(available.keys() | pending.keys())
        )

    async def _transfers_behind(
        self, account_id: ConnectedAccountId, movements: list[BalanceTransactionObject]
    ) -> dict[str, str | None]:
        """The platform's transfer behind each payment; one that the page does not show is asked for."""
        known = {
            str(source["id"]): _text(source.get("source_transfer"))
            for source in map(_shown, movements)
            if source.get("object") == "charge"
        }
        for payment_id in dict.fromkeys(map(_payment_of, movements)):
            if payment_id is not None and payment_id not in known:
                path = f"/v1/charges/{quote(payment_id, safe='')}"
                answer = await self._api.request("get", path, account=account_id)
                known[payment_id] = _text(answer.data.get("source_transfer"))
        return known


def _snapshot(account_id: ConnectedAccountId, found: _PayoutObject) -> PayoutSnapshot:
    back = found.failure_balance_transaction
    return PayoutSnapshot(
        id=found.id,
        account_id=account_id,
        amount=found.amount,
        currency=found.currency,
        status=found.status,
        automatic=found.automatic,
        items_known=found.automatic and found.reconciliation_status == "completed",
        arrival_at=_moment(found.arrival_date),
        failure_code=found.failure_code,
        failure_message=found.failure_message,
        returned_at=None if back is None else _moment(back.created),
        created_at=_moment(found.created),
    )


def _item(one: BalanceTransactionObject, transfer_id: str | None) -> PayoutItemSeen:
    return PayoutItemSeen(
        id=one.id,
        source_id=_text(_shown(one).get("id", one.source)),
        transfer_id=transfer_id,
        kind=one.reporting_category,
        amount=one.amount,
        fee=one.fee,
        net=one.net,
        currency=one.currency,
        created_at=_moment(one.created),
    )


def _shown(one: BalanceTransactionObject) -> dict[str, Any]:
    """The object behind a movement; empty for one that Stripe shows no object of."""
    return one.source if isinstance(one.source, dict) else {}


def _payment_of(one: BalanceTransactionObject) -> str | None:
    """The seller's payment that a movement is of: itself, or the one that a refund refers to."""
    source = _shown(one)
    match source.get("object"):
        case "charge":
            return _text(source.get("id"))
        case "refund":
            return _text(source.get("charge"))
        case _:
            return None


def _by_currency(amounts: list[_Amount]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for one in amounts:
        sums[one.currency] = sums.get(one.currency, 0) + one.amount
    return sums


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
