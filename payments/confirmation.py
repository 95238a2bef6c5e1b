"""Confirming with a saved card, asked by our server while the buyer is there.

One attempt at a time, each under a key of its own: Stripe answers a key as it did the first time. A card
that the bank said never to try again is not tried again for the same order.
"""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from payments import reading, states
from payments.absorption import UNEXPECTED_STATE
from payments.card_records import require_card_of_customer
from payments.charges import IntentForBuyer
from payments.database import require_transaction, row, value
from payments.errors import (
    CardDeclined,
    CardNotToBeRetried,
    PaymentNotFound,
    PaymentStepRefused,
    RequestReused,
    StripeRejected,
)
from payments.events import ConfirmationRefused
from payments.gateway import ConfirmDraft, IntentSnapshot
from payments.ids import IdempotencyKey, IntentId, OperationId, OrderId, PaymentId, new_id
from payments.intent_operations import ToldWhenRefused
from payments.journal import NO_EFFECT
from payments.operations import Operations
from payments.records import PaymentRecord
from payments.refreshing import Refreshing
from payments.under_way import CANCEL, CONFIRM, UPDATE, operation_under_way

STEP: Final = "confirm"
PATIENCE: Final = timedelta(minutes=10)
"""Nobody's card is charged later than this after they asked: they have gone, or paid another way."""


class Confirmation:
    """Plans and carries out attempts with saved cards."""

    def __init__(self, operations: Operations, refreshing: Refreshing) -> None:
        self._operations = operations
        self._refreshing = refreshing

    async def plan(
        self,
        order_id: str,
        payment_method_id: str,
        attempt_no: int | None,
        now: datetime,
        *,
        return_url: str | None,
    ) -> OperationId:
        """Write one attempt down; see `Payments.plan_confirmation`."""
        require_transaction()
        payment = await reading.find_live(order_id)
        if payment is None:
            raise PaymentNotFound(order_id)
        number = attempt_no or await _next_number(payment.id)
        key = reading.key_of(order_id, payment.generation, f"confirm:{number}")
        asked = await _asked_before(key, payment_method_id, payment)
        if asked is not None:
            return asked
        await _require_confirmable(payment)
        await require_card_of_customer(payment_method_id, payment.customer_id)
        await _require_worth_trying(payment, payment_method_id)
        operation_id = OperationId(new_id("op"))
        draft = ConfirmDraft(
            operation_id=operation_id,
            payment_id=PaymentId(payment.id),
            order_id=OrderId(order_id),
            intent_id=IntentId(payment.intent_id or ""),
            payment_method_id=payment_method_id,
            amount=payment.amount,
            return_url=return_url,
            asked_at=now,
        )
        return await self._operations.plan(
            kind=CONFIRM,
            subject=payment.id,
            order_id=order_id,
            key=key,
            draft=draft,
            operation_id=operation_id,
            now=now,
        )

    async def carry_out(self, operation_id: OperationId) -> IntentForBuyer:
        """Make the attempt; see `Payments.carry_out_confirmation`."""
        try:
            confirmed: IntentSnapshot | None = await self._operations.carry_out(operation_id)
        except CardDeclined:
            raise
        except StripeRejected as rejection:
            return await self._after_no(operation_id, rejection)
        if confirmed is not None:
            return IntentForBuyer.of(confirmed)
        order_id = (await self._operations.require(operation_id)).order_id
        return await self._refreshing.intent_for_buyer(order_id or "")

    async def _after_no(
        self, operation_id: OperationId, rejection: StripeRejected
    ) -> IntentForBuyer:
        """Paid by another tab meanwhile? Then that is the answer. Else the no, as it was the first time."""
        operation = await self._operations.require(operation_id)
        if rejection.code != UNEXPECTED_STATE:
            raise await _as_it_was(operation_id) or rejection
        payment = await self._refreshing.refresh(operation.order_id or "")
        if payment.status not in states.MONEY | {states.PROCESSING}:
            raise PaymentStepRefused(STEP, payment_status=payment.status) from rejection
        return await self._refreshing.intent_for_buyer(payment.order_id)


async def _next_number(payment_id: str) -> int:
    """The attempt under way, else the one after those that were."""
    found = await row(
        "SELECT count(*) AS made, count(*) FILTER (WHERE concluded_at IS NULL) AS open "
        "FROM operations WHERE subject = $1 AND kind = $2",
        payment_id,
        CONFIRM,
    )
    assert found is not None
    return int(found["made"] - found["open"] + 1)


async def _asked_before(
    key: IdempotencyKey, payment_method_id: str, payment: PaymentRecord
) -> OperationId | None:
    """The same attempt, asked for twice.

    Raises PaymentStepRefused while it is being made with another card, RequestReused when it was.
    """
    found = await row(
        "SELECT id, parameters, concluded_at FROM operations WHERE idempotency_key = $1", key
    )
    if found is None:
        return None
    draft = msgspec.json.decode(found["parameters"], type=ConfirmDraft)
    if draft.payment_method_id == payment_method_id:
        return OperationId(found["id"])
    if found["concluded_at"] is None:
        raise PaymentStepRefused(STEP, payment_status=payment.status)
    raise RequestReused(key)


async def _require_confirmable(payment: PaymentRecord) -> None:
    """Raise PaymentStepRefused unless the buyer may try, and nothing else is on its way."""
    busy = any([await operation_under_way(payment.id, kind) for kind in (UPDATE, CONFIRM, CANCEL)])
    if busy or payment.intent_id is None or payment.status not in states.AMENDABLE:
        raise PaymentStepRefused(STEP, payment_status=payment.status)


async def _require_worth_trying(payment: PaymentRecord, payment_method_id: str) -> None:
    """Raise CardNotToBeRetried when this very card was refused for good, however it was given."""
    reason: Any = await value(
        "SELECT reason FROM attempts WHERE order_id = $1 AND outcome = 'declined' "
        "AND advice_code = 'do_not_try_again' AND (payment_method_id = $2 OR card_fingerprint = "
        "(SELECT fingerprint FROM cards WHERE payment_method_id = $2)) ORDER BY id DESC LIMIT 1",
        payment.order_id,
        payment_method_id,
    )
    if reason is not None:
        raise CardNotToBeRetried(reason)


async def _as_it_was(operation_id: OperationId) -> CardDeclined | None:
    """The decline that concluded the attempt, for whoever asks again."""
    found = await row(
        "SELECT a.stripe_code, a.decline_code, a.advice_code, a.request_id FROM operations o "
        "JOIN attempts a ON a.payment_id = o.subject AND a.request_id = o.request_id "
        "WHERE o.id = $1 AND a.outcome = 'declined' LIMIT 1",
        operation_id,
    )
    if found is None:
        return None
    return CardDeclined(
        found["stripe_code"] or "card_declined",
        decline_code=found["decline_code"],
        advice_code=found["advice_code"],
        request_id=found["request_id"],
    )


class ConfirmIntent(ToldWhenRefused):
    """Performs one attempt: the bank's yes, its no, or its wish to see the buyer."""

    draft_type = ConfirmDraft
    refused = ConfirmationRefused

    async def send(self, draft: ConfirmDraft, key: IdempotencyKey) -> IntentSnapshot:
        if self._clock() - draft.asked_at < PATIENCE:
            return await self._gateway.confirm_intent(draft, key)
        found = await self.find(draft)
        if found is None:
            raise StripeRejected(NO_EFFECT, message="nobody waits for this payment any more")
        return found

    async def find(self, draft: ConfirmDraft) -> IntentSnapshot | None:
        """The PaymentIntent, if this card was tried on it."""
        snapshot = await self._gateway.retrieve_intent(draft.intent_id)
        moved = snapshot.status not in states.AMENDABLE
        challenged = (snapshot.status, snapshot.payment_method_id) == (
            "requires_action",
            draft.payment_method_id,
        )
        refused = (
            snapshot.decline is not None
            and snapshot.decline.payment_method_id == draft.payment_method_id
        )
        return snapshot if moved or challenged or refused else None
