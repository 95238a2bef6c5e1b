"""The adapter of `DisputeGateway`: Stripe's disputes and early fraud warnings into snapshots."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from payments.dispute_gateway import (
    AcceptanceDraft,
    DisputeSnapshot,
    EvidenceDraft,
    FraudWarningSnapshot,
)
from payments.ids import IdempotencyKey
from payments.stripe_client import StripeApi
from payments.stripe_lists import pages
from payments.stripe_wire import BalanceTransactionObject, Page


class EvidenceDetails(msgspec.Struct, frozen=True, kw_only=True):
    """`evidence_details`: until when the bank listens, and what it was told."""

    due_by: int | None = None
    past_due: bool = False
    submission_count: int = 0


class DisputeObject(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute; `balance_transactions` are its movements on the platform's balance, two at most."""

    id: str
    amount: int
    currency: str
    charge: str
    reason: str
    status: str
    created: int
    balance_transactions: list[BalanceTransactionObject]
    evidence_details: EvidenceDetails
    is_charge_refundable: bool = False
    payment_intent: str | None = None


class WarningObject(msgspec.Struct, frozen=True, kw_only=True):
    """A `radar.early_fraud_warning`."""

    id: str
    charge: str
    fraud_type: str
    actionable: bool
    created: int
    payment_intent: str | None = None


class StripeDisputes:
    """Stripe behind the port `payments.dispute_gateway.DisputeGateway`."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    async def retrieve_dispute(self, stripe_dispute_id: str) -> DisputeSnapshot:
        """The dispute as it stands."""
        answer = await self._api.request("get", _path(stripe_dispute_id))
        return dispute_snapshot(answer.read(DisputeObject), answer.request_id)

    async def disputes(self, *, since: datetime) -> AsyncIterator[DisputeSnapshot]:
        """Every dispute opened since then, newest first, page by page."""
        params = {"created": {"gte": int(since.timestamp())}}
        found = pages(self._api, "/v1/disputes", params, Page[DisputeObject])
        async for page, request_id in found:
            for one in page:
                yield dispute_snapshot(one, request_id)

    async def send_evidence(self, draft: EvidenceDraft, key: IdempotencyKey) -> DisputeSnapshot:
        """Store the evidence at Stripe; with `submit` the bank is told, once."""
        params: dict[str, Any] = {
            "evidence": draft.fields,
            "submit": draft.submit,
            "metadata": {"dispute_id": draft.dispute_id},
        }
        path = _path(draft.stripe_dispute_id)
        answer = await self._api.request("post", path, params, key=key)
        return dispute_snapshot(answer.read(DisputeObject), answer.request_id)

    async def accept_dispute(self, draft: AcceptanceDraft, key: IdempotencyKey) -> DisputeSnapshot:
        """Give it up: Stripe closes it as lost."""
        path = _path(draft.stripe_dispute_id, "close")
        answer = await self._api.request("post", path, {}, key=key)
        return dispute_snapshot(answer.read(DisputeObject), answer.request_id)

    async def retrieve_warning(self, stripe_warning_id: str) -> FraudWarningSnapshot:
        """The early fraud warning as it stands."""
        path = f"/v1/radar/early_fraud_warnings/{quote(stripe_warning_id, safe='')}"
        warning = (await self._api.request("get", path)).read(WarningObject)
        return FraudWarningSnapshot(
            id=warning.id,
            charge_id=warning.charge,
            intent_id=warning.payment_intent,
            fraud_type=warning.fraud_type,
            actionable=warning.actionable,
            created_at=_time(warning.created),
        )


def dispute_snapshot(dispute: DisputeObject, request_id: str | None) -> DisputeSnapshot:
    """The dispute in our words. Withdrawals are negative movements at Stripe, give-backs positive ones."""
    moved = [one for one in dispute.balance_transactions if one.currency == dispute.currency]
    foreign = [one for one in dispute.balance_transactions if one.currency != dispute.currency]
    details = dispute.evidence_details
    return DisputeSnapshot(
        id=dispute.id,
        charge_id=dispute.charge,
        intent_id=dispute.payment_intent,
        amount=dispute.amount,
        currency=dispute.currency,
        reason=dispute.reason,
        status=dispute.status,
        refundable=dispute.is_charge_refundable,
        withdrawn=-sum(one.amount for one in moved if one.amount < 0)
        + (dispute.amount if any(one.amount < 0 for one in foreign) else 0),
        # Of converted money only the whole is known to be the dispute's amount.
        reinstated=sum(one.amount for one in moved if one.amount > 0)
        + (dispute.amount if foreign and dispute.status == _WON else 0),
        cost=sum(one.fee for one in moved if one.fee > 0),
        cost_returned=-sum(one.fee for one in moved if one.fee < 0),
        evidence_due_by=_time(details.due_by) if details.due_by is not None else None,
        submissions=details.submission_count,
        past_due=details.past_due,
        created_at=_time(dispute.created),
        request_id=request_id,
    )


_WON = "won"


def _path(stripe_dispute_id: str, action: str = "") -> str:
    path = f"/v1/disputes/{quote(stripe_dispute_id, safe='')}"
    return f"{path}/{action}" if action else path


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
