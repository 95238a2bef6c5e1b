"""The adapter of `ChainGateway`: Stripe's lists, page by page, as far as reconciliation compares them."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from payments.gateway import BalanceTransaction
from payments.reconciliation_gateway import (
    ChargeSeen,
    DisputeSeen,
    IntentSeen,
    Listed,
    RefundSeen,
    Span,
)
from payments.stripe_balance import ChargeFinder
from payments.stripe_client import StripeApi
from payments.stripe_lists import PAGE
from payments.stripe_snapshots import balance_transaction
from payments.stripe_wire import BalanceTransactionObject, Page, RefundObject, TransferData

_LATEST = "latest_charge"
_OF_REFUNDS = ("balance_transaction", "charge")

Wire = TypeVar("Wire")
Item = TypeVar("Item")


class _Charge(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    captured: bool
    paid: bool = False
    transfer: str | None = None
    application_fee: str | None = None
    payment_intent: str | None = None
    metadata: dict[str, str] = {}


class _Intent(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    status: str
    amount: int
    currency: str
    amount_received: int
    created: int
    metadata: dict[str, str]
    application_fee_amount: int | None = None
    transfer_data: TransferData | None = None
    latest_charge: _Charge | None = None


class _Refund(RefundObject, frozen=True, kw_only=True):
    payment_intent: str | None = None
    charge: _Charge | None = None


class _Dispute(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    amount: int
    currency: str
    charge: str
    status: str
    created: int
    payment_intent: str | None = None


class _Amount(msgspec.Struct, frozen=True, kw_only=True):
    amount: int
    currency: str


class _Balance(msgspec.Struct, frozen=True, kw_only=True):
    available: list[_Amount]
    pending: list[_Amount]


class StripeChain:
    """Stripe behind the port `payments.reconciliation_gateway.ChainGateway`."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    async def movements(self, span: Span, after: str | None) -> Listed[BalanceTransaction]:
        """GET /v1/balance_transactions; the charges that a page only hints at are asked for."""
        params = {**_of(span, after), "expand": ["data.source"]}
        answer = await self._api.request("get", "/v1/balance_transactions", params)
        page = answer.read(Page[BalanceTransactionObject])
        finder = ChargeFinder(self._api)
        finder.learn(page.data)
        found = [balance_transaction(one, await finder.charge_of(one)) for one in page.data]
        return Listed(tuple(found), _next(page))

    async def intents(self, span: Span, after: str | None) -> Listed[IntentSeen]:
        """GET /v1/payment_intents."""
        return await self._listed("/v1/payment_intents", span, after, _Intent, _intent, _LATEST)

    async def refunds(self, span: Span, after: str | None) -> Listed[RefundSeen]:
        """GET /v1/refunds."""
        return await self._listed("/v1/refunds", span, after, _Refund, _refund, *_OF_REFUNDS)

    async def disputes(self, span: Span, after: str | None) -> Listed[DisputeSeen]:
        """GET /v1/disputes."""
        return await self._listed("/v1/disputes", span, after, _Dispute, _dispute)

    async def intent(self, intent_id: str) -> IntentSeen:
        """GET /v1/payment_intents/{id}."""
        return _intent(await self._one("/v1/payment_intents/", intent_id, _Intent, _LATEST))

    async def refund(self, stripe_refund_id: str) -> RefundSeen:
        """GET /v1/refunds/{id}."""
        return _refund(await self._one("/v1/refunds/", stripe_refund_id, _Refund, *_OF_REFUNDS))

    async def dispute(self, stripe_dispute_id: str) -> DisputeSeen:
        """GET /v1/disputes/{id}."""
        return _dispute(await self._one("/v1/disputes/", stripe_dispute_id, _Dispute))

    async def charge(self, charge_id: str) -> ChargeSeen:
        """GET /v1/charges/{id}."""
        found = await self._one("/v1/charges/", charge_id, _Charge)
        return ChargeSeen(
            id=found.id,
            intent_id=found.payment_intent,
            payment_id=found.metadata.get("payment_id"),
        )

    async def moved_before(self, moment: datetime) -> bool:
        """GET /v1/balance_transactions, one of them."""
        params = {"created": {"lt": math.floor(moment.timestamp())}, "limit": 1}
        answer = await self._api.request("get", "/v1/balance_transactions", params)
        return bool(answer.read(Page[BalanceTransactionObject]).data)

    async def balance(self) -> dict[str, int]:
        """GET /v1/balance."""
        found = (await self._api.request("get", "/v1/balance")).read(_Balance)
        held: dict[str, int] = {}
        for one in (*found.available, *found.pending):
            held[one.currency] = held.get(one.currency, 0) + one.amount
        return held

    async def _listed(
        self,
        path: str,
        span: Span,
        after: str | None,
        wire: type[Wire],
        told: Callable[[Wire], Item],
        *expanded: str,
    ) -> Listed[Item]:
        params = _of(span, after) | {"expand": [f"data.{each}" for each in expanded]}
        answer = await self._api.request("get", path, params)
        page: Page[Any] = answer.read(Page[wire])  # type: ignore[valid-type]
        return Listed(tuple(told(one) for one in page.data), _next(page))

    async def _one(self, path: str, id: str, wire: type[Wire], *expanded: str) -> Wire:
        params = {"expand": list(expanded)}
        answer = await self._api.request("get", path + quote(id, safe=""), params)
        return answer.read(wire)


def _of(span: Span, after: str | None) -> dict[str, Any]:
    """Whole seconds, as Stripe's stamps are: the second in which the span begins is read too."""
    created = {"gte": math.floor(span.since.timestamp())}
    if span.until is not None:
        created["lt"] = math.ceil(span.until.timestamp())
    return {"created": created, "limit": PAGE, **({"starting_after": after} if after else {})}


def _next(page: Page[Any]) -> str | None:
    return str(page.data[-1].id) if page.has_more and page.data else None


def _intent(found: _Intent) -> IntentSeen:
    charge = found.latest_charge
    captured = charge is not None and charge.captured and charge.paid
    return IntentSeen(
        id=found.id,
        payment_id=found.metadata.get("payment_id"),
        order_id=found.metadata.get("order_id"),
        status=found.status,
        amount=found.amount,
        currency=found.currency,
        application_fee=found.application_fee_amount or 0,
        amount_received=found.amount_received,
        destination=found.transfer_data.destination if found.transfer_data else None,
        charge_id=charge.id if charge else None,
        captured=captured,
        transfer_id=charge.transfer if charge else None,
        application_fee_id=charge.application_fee if charge else None,
        created_at=_moment(found.created),
    )


def _refund(found: _Refund) -> RefundSeen:
    moved, charge = found.balance_transaction, found.charge
    uncaptured = charge is not None and not charge.captured
    return RefundSeen(
        id=found.id,
        refund_id=(found.metadata or {}).get("refund_id"),
        intent_id=found.payment_intent,
        charge_id=charge.id if charge else None,
        of_hold=uncaptured
        or (
            isinstance(moved, BalanceTransactionObject)
            and moved.reporting_category == "partial_capture_reversal"
        ),
        status=found.status or "pending",
        amount=found.amount,
        currency=found.currency,
        created_at=_moment(found.created),
    )


def _dispute(found: _Dispute) -> DisputeSeen:
    return DisputeSeen(
        id=found.id,
        charge_id=found.charge,
        intent_id=found.payment_intent,
        status=found.status,
        amount=found.amount,
        currency=found.currency,
        created_at=_moment(found.created),
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
