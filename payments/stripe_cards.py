"""The adapter of `CardGateway`: Customers, SetupIntents and saved cards at Stripe. It decides nothing."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from payments.card_gateway import (
    CardSnapshot,
    CustomerDraft,
    CustomerSnapshot,
    DetachDraft,
    SetupDraft,
    SetupSnapshot,
)
from payments.errors import OutcomeUnknown, StripeRejected
from payments.gateway import CardSeen, DeclineSeen
from payments.ids import IdempotencyKey
from payments.stripe_client import Answer, StripeApi
from payments.stripe_lists import pages
from payments.stripe_wire import CardDetails, Item, Page


class CustomerObject(msgspec.Struct, frozen=True, kw_only=True):
    """A Customer; of a deleted one Stripe tells only that it was."""

    id: str
    deleted: bool = False
    metadata: dict[str, str] = {}


class SavedCardDetails(CardDetails, frozen=True):
    """`card` of a PaymentMethod."""

    exp_month: int | None = None
    exp_year: int | None = None


class SavedMethodObject(msgspec.Struct, frozen=True, kw_only=True):
    """A PaymentMethod that a Customer keeps."""

    id: str
    created: int
    card: SavedCardDetails | None = None


class SetupErrorObject(msgspec.Struct, frozen=True, kw_only=True):
    """`last_setup_error`: why the card could not be kept."""

    code: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None
    payment_method: SavedMethodObject | None = None


class SetupIntentObject(msgspec.Struct, frozen=True, kw_only=True):
    """A SetupIntent."""

    id: str
    status: str
    client_secret: str
    customer: str | None = None
    metadata: dict[str, str] = {}
    last_setup_error: SetupErrorObject | None = None

    def __repr__(self) -> str:
        """Never shows the client secret."""
        return f"SetupIntentObject({self.id}, {self.status})"


class StripeCards:
    """Stripe behind the port `payments.card_gateway.CardGateway`."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    async def create_customer(self, draft: CustomerDraft, key: IdempotencyKey) -> CustomerSnapshot:
        """A Customer who is known to us by the buyer's id."""
        params = {
            "email": draft.email,
            "metadata": {"buyer_id": draft.buyer_id, "operation_id": draft.operation_id},
        }
        answer = await self._api.request("post", "/v1/customers", params, key=key)
        return _customer(answer.read(CustomerObject), answer.request_id)

    async def find_customer(self, draft: CustomerDraft) -> CustomerSnapshot | None:
        """Look through the Customers of that address. Raises OutcomeUnknown when it cannot."""
        params = {"email": draft.email}
        async for one in self._all("/v1/customers", params, Page[CustomerObject]):
            if one.metadata.get("operation_id") == draft.operation_id:
                return _customer(one, None)
        return None

    async def retrieve_customer(self, customer_id: str) -> CustomerSnapshot:
        """The Customer, who may have been deleted."""
        answer = await self._api.request("get", f"/v1/customers/{quote(customer_id, safe='')}")
        return _customer(answer.read(CustomerObject), answer.request_id)

    async def create_setup(self, draft: SetupDraft, key: IdempotencyKey) -> SetupSnapshot:
        """A SetupIntent for cards that will pay while their owner is there."""
        params = {
            "customer": draft.customer_id,
            "usage": "on_session",
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "metadata": {
                "setup_id": draft.setup_id,
                "buyer_id": draft.buyer_id,
                "operation_id": draft.operation_id,
            },
        }
        return _setup(await self._api.request("post", "/v1/setup_intents", params, key=key))

    async def find_setup(self, draft: SetupDraft) -> SetupSnapshot | None:
        """Look through the Customer's SetupIntents. Raises OutcomeUnknown when it cannot."""
        params = {"customer": draft.customer_id}
        async for one in self._all("/v1/setup_intents", params, Page[SetupIntentObject]):
            if one.metadata.get("setup_id") == draft.setup_id:
                return _setup_snapshot(one, None)
        return None

    async def retrieve_setup(self, stripe_setup_id: str) -> SetupSnapshot:
        """The SetupIntent as it is now."""
        path = f"/v1/setup_intents/{quote(stripe_setup_id, safe='')}"
        return _setup(await self._api.request("get", path))

    async def detach_card(self, draft: DetachDraft, key: IdempotencyKey) -> CardSnapshot:
        """The Customer keeps the card no longer; it can never be used again."""
        path = f"/v1/payment_methods/{quote(draft.payment_method_id, safe='')}/detach"
        answer = await self._api.request("post", path, {}, key=key)
        return _card(answer.read(SavedMethodObject), answer.request_id)

    async def cards_of(self, customer_id: str) -> list[CardSnapshot]:
        """Every card the Customer keeps, the newest first."""
        path = f"/v1/customers/{quote(customer_id, safe='')}/payment_methods"
        found = pages(self._api, path, {"type": "card"}, Page[SavedMethodObject])
        return [_card(one, None) async for page, _ in found for one in page]

    async def _all(
        self, path: str, params: Mapping[str, Any], kind: type[Page[Item]]
    ) -> AsyncIterator[Item]:
        """Every item of a list that is read to look for something: a no is no answer to that."""
        try:
            async for page, _ in pages(self._api, path, params, kind):
                for one in page:
                    yield one
        except StripeRejected as refusal:
            why = f"cannot_look:{refusal.code}"
            raise OutcomeUnknown(why, request_id=refusal.request_id) from refusal


def _customer(customer: CustomerObject, request_id: str | None) -> CustomerSnapshot:
    return CustomerSnapshot(id=customer.id, deleted=customer.deleted, request_id=request_id)


def _setup(answer: Answer) -> SetupSnapshot:
    return _setup_snapshot(answer.read(SetupIntentObject), answer.request_id)


def _setup_snapshot(setup: SetupIntentObject, request_id: str | None) -> SetupSnapshot:
    error = setup.last_setup_error
    return SetupSnapshot(
        id=setup.id,
        setup_id=setup.metadata.get("setup_id"),
        status=setup.status,
        customer_id=setup.customer,
        client_secret=setup.client_secret,
        decline=_decline(setup.id, error) if error else None,
        request_id=request_id,
    )


def _decline(setup_id: str, error: SetupErrorObject) -> DeclineSeen:
    method = error.payment_method
    card = method.card if method else None
    return DeclineSeen(
        reference=f"{method.id if method else setup_id}:{error.code}",
        code=error.code,
        decline_code=error.decline_code,
        advice_code=error.advice_code,
        card=CardSeen(card.brand, card.last4, card.fingerprint) if card else None,
        payment_method_id=method.id if method else None,
    )


def _card(method: SavedMethodObject, request_id: str | None) -> CardSnapshot:
    card = method.card or SavedCardDetails()
    return CardSnapshot(
        payment_method_id=method.id,
        brand=card.brand,
        last4=card.last4,
        expiry_month=card.exp_month,
        expiry_year=card.exp_year,
        fingerprint=card.fingerprint,
        created_at=datetime.fromtimestamp(method.created, UTC),
        request_id=request_id,
    )
