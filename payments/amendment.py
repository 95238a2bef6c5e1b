"""Amending a PaymentIntent: amount, fee and shipping follow the cart in one update until somebody pays.

While the update is under way the payment has two amounts (`amount` and `amount_next`). Whichever way Stripe's
truth arrives, `amounts.py` decides which of them holds.
"""

from datetime import datetime
from typing import Final

from payments import reading, states
from payments.absorption import Absorption
from payments.currencies import check_chargeable
from payments.database import execute, lock_order, require_transaction, transaction
from payments.errors import IntentMissing, NotSent, PaymentStepRefused, StripeRejected
from payments.events import AmendmentRefused, Announce, Clock
from payments.gateway import IntentSnapshot, PaymentGateway, Shipping, UpdateDraft
from payments.ids import IdempotencyKey, IntentId, OperationId, OrderId, PaymentId, new_id
from payments.journal import Operation
from payments.operations import Operations
from payments.records import PaymentRecord
from payments.under_way import CANCEL, CONFIRM, UPDATE, amendment_under_way, operation_under_way

STEP: Final = "amend"


class Amendment:
    """Plans what a changed cart asks of Stripe."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def plan(
        self,
        order_id: str,
        *,
        amount: int,
        application_fee: int,
        version: int,
        shipping: Shipping | None,
        now: datetime,
    ) -> OperationId | None:
        """Write the update down; see `Payments.plan_amendment`."""
        require_transaction()
        payment = await reading.find_live(order_id)
        if payment is None:
            return None
        check_chargeable(amount, payment.currency)
        await _require_amendable(payment, version)
        operation_id = OperationId(new_id("op"))
        draft = UpdateDraft(
            operation_id=operation_id,
            payment_id=PaymentId(payment.id),
            order_id=OrderId(order_id),
            intent_id=IntentId(payment.intent_id or ""),
            version=version,
            amount=amount,
            application_fee=application_fee,
            shipping=shipping,
        )
        planned = await self._operations.plan(
            kind=UPDATE,
            subject=payment.id,
            order_id=order_id,
            key=reading.key_of(order_id, payment.generation, f"pi:update:{version}"),
            draft=draft,
            operation_id=operation_id,
            now=now,
        )
        if planned == operation_id:
            await _expect(payment.id, draft, now)
        return planned


async def _require_amendable(payment: PaymentRecord, version: int) -> None:
    """Raise PaymentStepRefused unless Stripe would take another amount, and nothing else is on its way."""
    under_way = await amendment_under_way(payment.id)
    if under_way is not None and under_way.version == version:
        return  # asked for twice
    busy = under_way is not None or any(
        [await operation_under_way(payment.id, kind) for kind in (CONFIRM, CANCEL)]
    )
    if busy or payment.intent_id is None or payment.status not in states.AMENDABLE:
        raise PaymentStepRefused(STEP, payment_status=payment.status)


async def _expect(payment_id: str, draft: UpdateDraft, now: datetime) -> None:
    await execute(
        "UPDATE payments SET amount_next = $2, application_fee_next = $3, updated_at = $4 "
        "WHERE id = $1",
        payment_id,
        draft.amount,
        draft.application_fee,
        now,
    )


class UpdateIntent:
    """Performs the update. What Stripe then shows is told to the order by whoever absorbs it first."""

    draft_type = UpdateDraft

    def __init__(
        self, gateway: PaymentGateway, absorption: Absorption, announce: Announce, clock: Clock
    ) -> None:
        self._gateway, self._absorption = gateway, absorption
        self._announce, self._clock = announce, clock

    async def send(self, draft: UpdateDraft, key: IdempotencyKey) -> IntentSnapshot:
        """An update makes Stripe forget the last refusal: it is read and kept first."""
        await self._keep_attempts(draft)
        return await self._gateway.update_intent(draft, key)

    async def find(self, draft: UpdateDraft) -> IntentSnapshot | None:
        snapshot = await self._gateway.retrieve_intent(draft.intent_id)
        taken = (snapshot.amount, snapshot.cart_version) == (draft.amount, draft.version)
        return snapshot if taken else None

    async def succeeded(
        self, operation: Operation, draft: UpdateDraft, result: IntentSnapshot
    ) -> str:
        await self._absorption.absorb(draft.order_id, result)
        return result.id

    async def rejected(
        self, operation: Operation, draft: UpdateDraft, rejection: StripeRejected
    ) -> None:
        """Stripe will not have it: the payment asks for what it asked for before."""
        await lock_order(draft.order_id)
        if isinstance(rejection.snapshot, IntentSnapshot):
            await self._absorption.absorb(draft.order_id, rejection.snapshot)
        now = self._clock()
        if await _give_up(operation.id, draft, now):
            await self._announce(
                AmendmentRefused(
                    order_id=draft.order_id,
                    payment_id=draft.payment_id,
                    occurred_at=now,
                    version=draft.version,
                    code=rejection.code,
                )
            )

    async def _keep_attempts(self, draft: UpdateDraft) -> None:
        try:
            snapshot = await self._gateway.retrieve_intent(draft.intent_id)
        except IntentMissing:
            raise  # there is nothing to amend either
        except StripeRejected as refusal:
            # A no to looking is no answer about the amendment, which was not sent.
            raise NotSent(f"cannot_look:{refusal.code}") from refusal
        async with transaction():
            await self._absorption.absorb(draft.order_id, snapshot)


async def _give_up(operation_id: str, draft: UpdateDraft, now: datetime) -> bool:
    """Forget the other amount; answers whether it was still this operation's to forget."""
    return bool(
        await execute(
            "UPDATE payments SET amount_next = NULL, application_fee_next = NULL, updated_at = $3 "
            "WHERE id = $2 AND amount_next IS NOT NULL AND EXISTS "
            "(SELECT 1 FROM operations WHERE id = $1 AND concluded_at IS NULL)",
            operation_id,
            draft.payment_id,
            now,
        )
    )
