"""The adapter of `PaymentGateway`: our words into Stripe's parameters, objects into snapshots.

It decides nothing and retries nothing. Every parameter Stripe would default is said; whatever is
shown of a PaymentIntent is asked for whole in the same request.
"""

import math
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from payments.errors import MISSING, IntentMissing, OutcomeUnknown, StripeRejected
from payments.gateway import (
    BalanceTransaction,
    CancelDraft,
    CaptureDraft,
    ConfirmDraft,
    IntentDraft,
    IntentSnapshot,
    KeepCardDraft,
    RefundDraft,
    RefundSnapshot,
    UpdateDraft,
)
from payments.ids import IdempotencyKey, IntentId
from payments.stripe_balance import ChargeFinder
from payments.stripe_client import Answer, StripeApi
from payments.stripe_lists import pages
from payments.stripe_parameters import (
    KEPT_FOR,
    SHOWN_WHOLE,
    capturing,
    confirming,
    creating,
    updating,
)
from payments.stripe_snapshots import balance_transaction, intent_snapshot, refund_snapshot
from payments.stripe_wire import (
    BalanceTransactionObject,
    ChargeObject,
    Page,
    PaymentIntentObject,
    RefundObject,
)

LONGEST_LOOK_BACK_PAGES = 10
"""A thousand PaymentIntents: what was created since a create got lost, before search takes over."""
_CLOCKS_APART = timedelta(minutes=5)
_CROCKFORD_TO_PYTHON = str.maketrans("jkmnpqrstvwxyz", "ijklmnopqrstuv")


class StripePaymentGateway:
    """Stripe behind the port `payments.gateway.PaymentGateway`."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    async def create_intent(self, draft: IntentDraft, key: IdempotencyKey) -> IntentSnapshot:
        """Create the PaymentIntent without a payment method: an orphan can never be paid."""
        answer = await self._api.request("post", "/v1/payment_intents", creating(draft), key=key)
        return _shown(answer)

    async def update_intent(self, draft: UpdateDraft, key: IdempotencyKey) -> IntentSnapshot:
        """Bring amount, fee and shipping to those of another cart, in one request."""
        return _shown(await self._of_intent("post", _path(draft.intent_id), updating(draft), key))

    async def keep_card(self, draft: KeepCardDraft, key: IdempotencyKey) -> IntentSnapshot:
        """Have the card that pays kept for the buyer's later payments, or not after all."""
        usage = KEPT_FOR if draft.keep else ""  # the empty string takes it away
        params = {"setup_future_usage": usage, "expand": SHOWN_WHOLE}
        return _shown(await self._of_intent("post", _path(draft.intent_id), params, key))

    async def confirm_intent(self, draft: ConfirmDraft, key: IdempotencyKey) -> IntentSnapshot:
        """Pay with a saved card while the buyer is there."""
        path, params = _path(draft.intent_id, "confirm"), confirming(draft)
        return _shown(await self._of_intent("post", path, params, key))

    async def capture_intent(self, draft: CaptureDraft, key: IdempotencyKey) -> IntentSnapshot:
        """Capture once and for all; what is left of the hold is released."""
        path, params = _path(draft.intent_id, "capture"), capturing(draft)
        return _shown(await self._of_intent("post", path, params, key))

    async def cancel_intent(self, draft: CancelDraft, key: IdempotencyKey) -> IntentSnapshot:
        """Cancel the PaymentIntent and release its hold, if it has one."""
        params = {"cancellation_reason": draft.reason, "expand": SHOWN_WHOLE}
        return _shown(await self._of_intent("post", _path(draft.intent_id, "cancel"), params, key))

    async def retrieve_intent(self, intent_id: IntentId) -> IntentSnapshot:
        """The PaymentIntent with all that came of it; a further page only past ten refunds."""
        answer = await self._of_intent("get", _path(intent_id), {"expand": SHOWN_WHOLE})
        intent = answer.read(PaymentIntentObject)
        charge = intent.latest_charge
        if isinstance(charge, ChargeObject) and charge.refunds and charge.refunds.has_more:
            refunds = Page(data=await self._refunds(intent_id), has_more=False)
            whole = msgspec.structs.replace(charge, refunds=refunds)
            intent = msgspec.structs.replace(intent, latest_charge=whole)
        return intent_snapshot(intent, answer.request_id)

    async def find_intent(self, draft: IntentDraft) -> IntentSnapshot | None:
        """Look through what was created since the operation was planned, then by search.

        The list is exact but may be long; search lags by up to a minute. A refusal to look is not a
        refusal of the operation: it raises OutcomeUnknown.
        """
        try:
            found = await self._listed(draft)
        except StripeRejected as error:
            raise _cannot_look(error) from error
        return None if found is None else await self.retrieve_intent(IntentId(found))

    async def create_refund(self, draft: RefundDraft, key: IdempotencyKey) -> RefundSnapshot:
        """Give money back, saying both times who bears it."""
        answer = await self._api.request("post", "/v1/refunds", _refunding(draft), key=key)
        return refund_snapshot(answer.read(RefundObject))

    async def find_refund(self, draft: RefundDraft) -> RefundSnapshot | None:
        """Look through the refunds of the PaymentIntent. Raises OutcomeUnknown when it cannot."""
        try:
            refunds = await self._refunds(draft.intent_id)
        except StripeRejected as error:
            raise _cannot_look(error) from error
        ours = (one for one in refunds if (one.metadata or {}).get("refund_id") == draft.refund_id)
        found = next(ours, None)
        return None if found is None else refund_snapshot(found)

    async def _of_intent(
        self,
        method: Literal["get", "post"],
        path: str,
        params: Mapping[str, Any],
        key: IdempotencyKey | None = None,
    ) -> Answer:
        """Ask about one PaymentIntent. A 404 is about the object of the path, whatever else was named."""
        try:
            return await self._api.request(method, path, params, key=key)
        except StripeRejected as no:
            if (no.http_status, no.code) != (404, MISSING):
                raise
            raise IntentMissing(message=no.message, request_id=no.request_id) from no

    async def balance_transactions(
        self, *, since: datetime, until: datetime
    ) -> AsyncIterator[BalanceTransaction]:
        """Every movement created in `[since, until)`, newest first, each tied to its charge."""
        params = {"created": _between(since, until), "expand": ["data.source"]}
        finder = ChargeFinder(self._api)
        path = "/v1/balance_transactions"
        async for page, _ in pages(self._api, path, params, Page[BalanceTransactionObject]):
            finder.learn(page)
            for one in page:
                yield balance_transaction(one, await finder.charge_of(one))

    async def _listed(self, draft: IntentDraft) -> str | None:
        """The id of the PaymentIntent that carries the operation's id."""
        since = _minted_at(draft.operation_id) - _CLOCKS_APART
        params = {"created": {"gte": int(since.timestamp())}}
        looked = 0
        path = "/v1/payment_intents"
        async for page, _ in pages(self._api, path, params, Page[PaymentIntentObject]):
            for intent in page:
                if intent.metadata.get("operation_id") == draft.operation_id:
                    return intent.id
            looked += 1
            if looked == LONGEST_LOOK_BACK_PAGES:
                return await self._searched(draft)
        return None

    async def _searched(self, draft: IntentDraft) -> str | None:
        query = f"metadata['operation_id']:'{draft.operation_id}'"
        answer = await self._api.request("get", "/v1/payment_intents/search", {"query": query})
        found = answer.read(Page[PaymentIntentObject]).data
        return found[0].id if found else None

    async def _refunds(self, intent_id: IntentId) -> list[RefundObject]:
        params = {
            "payment_intent": intent_id,
            "expand": ["data.balance_transaction", "data.transfer_reversal"],
        }
        found = pages(self._api, "/v1/refunds", params, Page[RefundObject])
        return [one async for page, _ in found for one in page]


def _minted_at(id: str) -> datetime:
    """When one of our ids was minted: milliseconds above 80 random bits (`payments.ids`)."""
    number = int(id.rpartition("_")[2].translate(_CROCKFORD_TO_PYTHON), 32)
    return datetime.fromtimestamp((number >> 80) // 1000, UTC)


def _refunding(draft: RefundDraft) -> dict[str, Any]:
    return {
        "payment_intent": draft.intent_id,
        "amount": draft.amount,
        "reason": draft.reason,
        # Stripe's defaults would leave the platform to pay for both.
        "reverse_transfer": draft.reverse_transfer,
        "refund_application_fee": draft.refund_application_fee,
        "metadata": {
            "refund_id": draft.refund_id,
            "order_id": draft.order_id,
            "payment_id": draft.payment_id,
            "operation_id": draft.operation_id,
        },
        "expand": ["transfer_reversal"],
    }


def _cannot_look(error: StripeRejected) -> OutcomeUnknown:
    return OutcomeUnknown(f"cannot_look:{error.code}", request_id=error.request_id)


def _shown(answer: Answer) -> IntentSnapshot:
    return intent_snapshot(answer.read(PaymentIntentObject), answer.request_id)


def _path(intent_id: IntentId, action: str = "") -> str:
    path = f"/v1/payment_intents/{quote(intent_id, safe='')}"
    return f"{path}/{action}" if action else path


def _between(since: datetime, until: datetime) -> dict[str, int]:
    """Stripe's stamps are whole seconds: the first at or after each bound."""
    return {"gte": math.ceil(since.timestamp()), "lt": math.ceil(until.timestamp())}
