"""What creating, capturing and canceling a PaymentIntent mean to the journal: the performers.

Each asks the gateway, reads back what a lost answer may have done, and absorbs what Stripe said. The use
cases that plan them are in `lifecycle.py`; updating and confirming are with their own, in `amendment.py` and
`confirmation.py`.
"""

from typing import Any

from payments import states
from payments.absorption import MOVED_ON, Absorption
from payments.database import execute, lock_order, value
from payments.errors import CardDeclined, IntentMissing, SellerCannotReceive, StripeRejected
from payments.events import (
    Announce,
    CaptureRefused,
    Clock,
    ConfirmationRefused,
    PaymentNotCreated,
)
from payments.gateway import CancelDraft, CaptureDraft, IntentDraft, IntentSnapshot, PaymentGateway
from payments.ids import IdempotencyKey
from payments.journal import NO_EFFECT, Operation
from payments.missing_intents import give_up
from payments.under_way import CANCEL, CAPTURE, CONFIRM, CREATE, UPDATE

__all__ = ["CANCEL", "CAPTURE", "CONFIRM", "CREATE", "UPDATE"]


class CreateIntent:
    """Performs the creation: the id is stored before anybody can pay."""

    draft_type = IntentDraft

    def __init__(
        self, gateway: PaymentGateway, absorption: Absorption, announce: Announce, clock: Clock
    ) -> None:
        self._gateway, self._absorption = gateway, absorption
        self._announce, self._clock = announce, clock

    async def send(self, draft: IntentDraft, key: IdempotencyKey) -> IntentSnapshot:
        return await self._gateway.create_intent(draft, key)

    async def find(self, draft: IntentDraft) -> IntentSnapshot | None:
        return await self._gateway.find_intent(draft)

    async def succeeded(
        self, operation: Operation, draft: IntentDraft, result: IntentSnapshot
    ) -> str:
        await self._absorption.absorb(draft.order_id, result)
        return result.id

    async def rejected(
        self, operation: Operation, draft: IntentDraft, rejection: StripeRejected
    ) -> None:
        """Stripe will not create it: the payment is dead and the order may try a new generation."""
        await lock_order(draft.order_id)
        now = self._clock()
        changed = await execute(
            "UPDATE payments SET status = 'refused', live = false, updated_at = $2 "
            "WHERE id = $1 AND status = 'planned'",
            draft.payment_id,
            now,
        )
        if changed:
            await self._announce(
                PaymentNotCreated(
                    order_id=draft.order_id,
                    payment_id=draft.payment_id,
                    occurred_at=now,
                    code=rejection.code,
                )
            )


class OnIntent:
    """What acts on a stored PaymentIntent shares: its state tells the outcome, after a no too."""

    def __init__(self, gateway: PaymentGateway, absorption: Absorption) -> None:
        self._gateway, self._absorption = gateway, absorption

    async def succeeded(self, operation: Operation, draft: Any, result: IntentSnapshot) -> str:
        await self._absorption.absorb(operation.order_id or "", result)
        return result.id

    async def rejected(self, operation: Operation, draft: Any, rejection: StripeRejected) -> None:
        if isinstance(rejection.snapshot, IntentSnapshot):
            await self._absorption.absorb(operation.order_id or "", rejection.snapshot)


class ToldWhenRefused(OnIntent):
    """What somebody waits for: Stripe's own no is announced, once, whoever heard it.

    Not where the PaymentIntent only moved on without us, and not the bank's no: absorbed, those are facts
    of their own.
    """

    refused: type[CaptureRefused | ConfirmationRefused]

    def __init__(
        self, gateway: PaymentGateway, absorption: Absorption, announce: Announce, clock: Clock
    ) -> None:
        super().__init__(gateway, absorption)
        self._announce, self._clock = announce, clock

    async def rejected(self, operation: Operation, draft: Any, rejection: StripeRejected) -> None:
        order_id = operation.order_id or ""
        await lock_order(order_id)
        await super().rejected(operation, draft, rejection)
        told_otherwise = rejection.code in MOVED_ON or isinstance(rejection, CardDeclined)
        if told_otherwise or rejection.code == NO_EFFECT or not await _is_open(operation):
            return
        await self._announce(
            self.refused(
                order_id=order_id,
                payment_id=operation.subject,
                occurred_at=self._clock(),
                code=rejection.code,
                seller_cannot_receive=isinstance(rejection, SellerCannotReceive),
            )
        )


class CaptureIntent(ToldWhenRefused):
    """Performs the one final capture."""

    draft_type = CaptureDraft
    refused = CaptureRefused

    async def send(self, draft: CaptureDraft, key: IdempotencyKey) -> IntentSnapshot:
        return await self._gateway.capture_intent(draft, key)

    async def find(self, draft: CaptureDraft) -> IntentSnapshot | None:
        snapshot = await self._gateway.retrieve_intent(draft.intent_id)
        return snapshot if snapshot.status == states.SUCCEEDED else None


class CancelIntent(OnIntent):
    """Performs the cancellation; a hold on the card is released with it.

    A PaymentIntent that Stripe does not know is given up: else its order could never end.
    """

    draft_type = CancelDraft

    def __init__(
        self, gateway: PaymentGateway, absorption: Absorption, announce: Announce, clock: Clock
    ) -> None:
        super().__init__(gateway, absorption)
        self._announce, self._clock = announce, clock

    async def rejected(self, operation: Operation, draft: Any, rejection: StripeRejected) -> None:
        if isinstance(rejection, IntentMissing):
            order_id = operation.order_id or ""
            await give_up(order_id, operation.subject, self._announce, self._clock())
        await super().rejected(operation, draft, rejection)

    async def send(self, draft: CancelDraft, key: IdempotencyKey) -> IntentSnapshot:
        return await self._gateway.cancel_intent(draft, key)

    async def find(self, draft: CancelDraft) -> IntentSnapshot | None:
        try:
            snapshot = await self._gateway.retrieve_intent(draft.intent_id)
        except IntentMissing:
            return None  # asked for once more, the cancellation is refused for that, and given up
        return snapshot if snapshot.status == states.CANCELED else None


async def _is_open(operation: Operation) -> bool:
    """Whether nobody else has concluded it."""
    return bool(
        await value("SELECT concluded_at IS NULL FROM operations WHERE id = $1", operation.id)
    )
