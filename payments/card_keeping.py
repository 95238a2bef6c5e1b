"""Keeping the card of a payment that is open, or not: the buyer changed the box after checkout had begun."""

from datetime import datetime

import msgspec

from payments import reading, states
from payments.absorption import Absorption
from payments.database import require_transaction, rows, value
from payments.errors import StripeRejected
from payments.gateway import IntentSnapshot, KeepCardDraft, PaymentGateway
from payments.ids import IdempotencyKey, IntentId, OperationId, OrderId, PaymentId, new_id
from payments.journal import Operation
from payments.operations import Operations
from payments.under_way import CREATE, KEEP_CARD


class CardKeeping:
    """Plans what a buyer's wish to keep the card asks of Stripe."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def plan(self, order_id: str, keep: bool, now: datetime) -> OperationId | None:
        """Write the wish down where it differs from the last one; see `Payments.plan_keeping_card`."""
        require_transaction()
        payment = await reading.find_live(order_id)
        if payment is None or payment.intent_id is None or payment.customer_id is None:
            return None
        if payment.status not in states.AMENDABLE:
            return None
        wishes = await _wishes_of(payment.id)
        if wishes and wishes[-1].is_open:
            return wishes[-1].id
        granted = [wish.keep for wish in wishes if not wish.is_refused]
        if keep == (granted[-1] if granted else await _kept_from_the_start(payment.id)):
            return None
        operation_id = OperationId(new_id("op"))
        return await self._operations.plan(
            kind=KEEP_CARD,
            subject=payment.id,
            order_id=order_id,
            key=reading.key_of(order_id, payment.generation, f"pi:keep_card:{len(wishes) + 1}"),
            draft=KeepCardDraft(
                operation_id=operation_id,
                payment_id=PaymentId(payment.id),
                order_id=OrderId(order_id),
                intent_id=IntentId(payment.intent_id),
                keep=keep,
            ),
            operation_id=operation_id,
            now=now,
        )


class _Wish(msgspec.Struct, frozen=True):
    """What was asked about keeping the card, and what came of it."""

    id: OperationId
    keep: bool
    is_open: bool
    is_refused: bool


async def _wishes_of(payment_id: str) -> list[_Wish]:
    """All that was asked, in the order of its numbers; one under way is always the last."""
    found = await rows(
        "SELECT id, coalesce((parameters::jsonb ->> 'keep')::bool, true) AS keep, "
        "concluded_at IS NULL AS is_open, state = 'rejected' AS is_refused FROM operations "
        "WHERE subject = $1 AND kind = $2 ORDER BY length(idempotency_key), idempotency_key",
        payment_id,
        KEEP_CARD,
    )
    return [_Wish(**record) for record in found]


async def _kept_from_the_start(payment_id: str) -> bool:
    return bool(
        await value(
            "SELECT (parameters::jsonb ->> 'save_card')::bool FROM operations "
            "WHERE subject = $1 AND kind = $2 AND state = 'succeeded'",
            payment_id,
            CREATE,
        )
    )


class KeepCard:
    """Performs the update. Sent twice it says the same, so a lost answer needs no reading back."""

    draft_type = KeepCardDraft

    def __init__(self, gateway: PaymentGateway, absorption: Absorption) -> None:
        self._gateway, self._absorption = gateway, absorption

    async def send(self, draft: KeepCardDraft, key: IdempotencyKey) -> IntentSnapshot:
        return await self._gateway.keep_card(draft, key)

    async def find(self, draft: KeepCardDraft) -> IntentSnapshot | None:
        """A day later the buyer has paid, or has gone: the wish is over."""
        return await self._gateway.retrieve_intent(draft.intent_id)

    async def succeeded(
        self, operation: Operation, draft: KeepCardDraft, result: IntentSnapshot
    ) -> str:
        await self._absorption.absorb(draft.order_id, result)
        return result.id

    async def rejected(
        self, operation: Operation, draft: KeepCardDraft, rejection: StripeRejected
    ) -> None:
        """Paid or ended meanwhile: Stripe's truth is taken in, and the card is not kept."""
        if isinstance(rejection.snapshot, IntentSnapshot):
            await self._absorption.absorb(draft.order_id, rejection.snapshot)
