"""The adapter of `TransferGateway`: reversals, transfers and fee refunds at Stripe."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from payments.errors import OutcomeUnknown, StripeRejected
from payments.ids import IdempotencyKey
from payments.stripe_client import StripeApi
from payments.stripe_lists import pages
from payments.stripe_wire import Page
from payments.transfer_gateway import (
    FeeReturnDraft,
    ForeignReversals,
    Moved,
    ReversalDraft,
    TransferDraft,
)


class _MovedObject(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer, a transfer reversal or a fee refund: what the three have in common."""

    id: str
    amount: int
    currency: str
    created: int
    metadata: dict[str, str] | None = None


class _ReversalObject(_MovedObject, frozen=True, kw_only=True):
    """`source_refund` is the refund that it came with, if it did."""

    source_refund: str | None = None


class _TransferObject(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer, as far as reversals have used it up."""

    amount: int
    amount_reversed: int


class StripeTransfers:
    """Stripe behind the port `payments.transfer_gateway.TransferGateway`."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    async def reverse(self, draft: ReversalDraft, key: IdempotencyKey) -> Moved:
        """Take money back; the fee is returned by its own request, with a number of ours."""
        params = {
            "amount": draft.amount,
            "refund_application_fee": False,
            "metadata": _about(draft, movement_id=draft.movement_id),
        }
        return await self._make(_reversals(draft.transfer_id), params, key)

    async def find_reversal(self, draft: ReversalDraft) -> Moved | None:
        """Look through the reversals of the transfer. Raises OutcomeUnknown when it cannot."""
        path = _reversals(draft.transfer_id)
        return await self._find(path, {}, "movement_id", draft.movement_id)

    async def left_of(self, transfer_id: str) -> int:
        """How much of a transfer has not been reversed, by whomever."""
        answer = await self._api.request("get", f"/v1/transfers/{quote(transfer_id, safe='')}")
        shown = answer.read(_TransferObject)
        return shown.amount - shown.amount_reversed

    async def foreign_reversals(self, transfer_id: str) -> ForeignReversals | None:
        """What was reversed of it past this program: without our metadata, and not with a refund."""
        path = _reversals(transfer_id)
        found = [
            one
            async for page, _ in pages(self._api, path, {}, Page[_ReversalObject])
            for one in page
            if one.source_refund is None and "movement_id" not in (one.metadata or {})
        ]
        if not found:
            return None
        latest = max(found, key=lambda one: one.created)
        return ForeignReversals(
            amount=sum(one.amount for one in found),
            latest_id=latest.id,
            latest_at=datetime.fromtimestamp(latest.created, UTC),
        )

    async def transfer(self, draft: TransferDraft, key: IdempotencyKey) -> Moved:
        """Send money to the seller from the platform's available balance."""
        params = {
            "amount": draft.amount,
            "currency": draft.currency,
            "destination": draft.destination,
            "transfer_group": f"order_{draft.order_id}",
            # Reconciliation ties the movement to its payment by this: there is no source transaction.
            "metadata": _about(draft, movement_id=draft.movement_id, charge_id=draft.charge_id),
        }
        return await self._make("/v1/transfers", params, key)

    async def find_transfer(self, draft: TransferDraft) -> Moved | None:
        """Look through the transfers of the order's group. Raises OutcomeUnknown when it cannot."""
        group = {"transfer_group": f"order_{draft.order_id}"}
        return await self._find("/v1/transfers", group, "movement_id", draft.movement_id)

    async def return_fee(self, draft: FeeReturnDraft, key: IdempotencyKey) -> Moved:
        """Give a part of the fee back, exactly as much as we say."""
        params = {
            "amount": draft.amount,
            "metadata": _about(draft, fee_return_id=draft.fee_return_id),
        }
        return await self._make(_fee_refunds(draft), params, key)

    async def find_fee_return(self, draft: FeeReturnDraft) -> Moved | None:
        """Look through the refunds of the fee. Raises OutcomeUnknown when it cannot."""
        return await self._find(_fee_refunds(draft), {}, "fee_return_id", draft.fee_return_id)

    async def _make(self, path: str, params: Mapping[str, Any], key: IdempotencyKey) -> Moved:
        answer = await self._api.request("post", path, params, key=key)
        return _moved(answer.read(_MovedObject), answer.request_id)

    async def _find(
        self, path: str, params: Mapping[str, Any], name: str, ours: str
    ) -> Moved | None:
        """The object of the list whose metadata carries our id."""
        try:
            found = pages(self._api, path, params, Page[_ReversalObject])
            async for page, request_id in found:
                for one in page:
                    if (one.metadata or {}).get(name) == ours:
                        return _moved(one, request_id)
        except StripeRejected as error:
            # A no to looking is no answer about what was asked for.
            raise OutcomeUnknown(f"cannot_look:{error.code}") from error
        return None


def _about(draft: ReversalDraft | TransferDraft | FeeReturnDraft, **ours: str) -> dict[str, str]:
    return {
        **ours,
        "order_id": draft.order_id,
        "payment_id": draft.payment_id,
        "operation_id": draft.operation_id,
    }


def _moved(shown: _MovedObject, request_id: str | None) -> Moved:
    return Moved(
        id=shown.id,
        amount=shown.amount,
        currency=shown.currency,
        created_at=datetime.fromtimestamp(shown.created, UTC),
        request_id=request_id,
    )


def _reversals(transfer_id: str) -> str:
    return f"/v1/transfers/{quote(transfer_id, safe='')}/reversals"


def _fee_refunds(draft: FeeReturnDraft) -> str:
    return f"/v1/application_fees/{quote(draft.fee_id, safe='')}/refunds"
