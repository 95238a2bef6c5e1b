"""What a refund means to the journal: ask, read the payment, book it, and plan what has to follow.

What follows is the seller's part where it cannot come with the refund itself: a reversal of its own, and the
fee given back by our own number. It is planned when the refund exists, never before.
"""

import msgspec

from payments.absorption import Absorption
from payments.database import execute, lock_order, value
from payments.errors import OutcomeUnknown, SellerCannotReceive, StripeRejected
from payments.events import Announce, Clock, RefundFailed
from payments.fee_returns import plan_fee_return
from payments.gateway import IntentSnapshot, PaymentGateway, RefundDraft, RefundSnapshot
from payments.ids import IdempotencyKey, OperationId, new_id
from payments.journal import Operation, next_key, put_in_line
from payments.movements import plan_reversal

CREATE = "create_refund"
_SELLER_SHORT = frozenset({"balance_insufficient", "insufficient_funds", "account_closed"})
"""Stripe's words for a transfer that it will not take back with the refund."""


class SharedRefundDraft(RefundDraft, frozen=True, kw_only=True):
    """A refund, and what of the seller's share is asked for by itself once it is made. Minor units."""

    reversal: int = 0
    fee_return: int = 0


class Refunded(msgspec.Struct, frozen=True, kw_only=True):
    """Stripe's answer, and the whole payment read after it: the reversal and the returned fee."""

    refund: RefundSnapshot
    intent: IntentSnapshot

    @property
    def request_id(self) -> str | None:
        """Stripe's id of the request that told this."""
        return self.intent.request_id

    def whole(self) -> IntentSnapshot:
        """The payment with this refund in it, should the read have missed it."""
        charge = self.intent.charge
        if charge is None or self.refund.id in {seen.id for seen in charge.refunds}:
            return self.intent
        charge = msgspec.structs.replace(charge, refunds=(*charge.refunds, self.refund))
        return msgspec.structs.replace(self.intent, charge=charge)


class CreateRefund:
    """Performs the refund: ask, then read the payment. Both are repeated safely under the same key."""

    draft_type = SharedRefundDraft

    def __init__(self, gateway: PaymentGateway, announce: Announce, clock: Clock) -> None:
        self._gateway, self._announce, self._clock = gateway, announce, clock
        self._absorption = Absorption(announce, clock)

    async def send(self, draft: SharedRefundDraft, key: IdempotencyKey) -> Refunded:
        return await self._read(draft, await self._gateway.create_refund(draft, key))

    async def find(self, draft: SharedRefundDraft) -> Refunded | None:
        refund = await self._gateway.find_refund(draft)
        return None if refund is None else await self._read(draft, refund)

    async def _read(self, draft: SharedRefundDraft, refund: RefundSnapshot) -> Refunded:
        try:
            intent = await self._gateway.retrieve_intent(draft.intent_id)
        except StripeRejected as refusal:
            # The refund is made: a no to reading the payment must never count as a no to it.
            raise OutcomeUnknown(f"cannot_look:{refusal.code}") from refusal
        return Refunded(refund=refund, intent=intent)

    async def succeeded(
        self, operation: Operation, draft: SharedRefundDraft, result: Refunded
    ) -> str:
        payment = await self._absorption.absorb(draft.order_id, result.whole())
        stands = await value(
            "SELECT status NOT IN ('failed', 'canceled') FROM refunds WHERE id = $1",
            draft.refund_id,
        )
        if stands:
            now = self._clock()
            # The fee first: with it the seller may have just what is taken back then.
            if draft.fee_return:
                await plan_fee_return(payment, draft.fee_return, draft.refund_id, now)
            if draft.reversal:
                cause = f"refund:{draft.refund_id}"
                await plan_reversal(payment.id, draft.reversal, cause, self._announce, now)
        return result.refund.id

    async def rejected(
        self, operation: Operation, draft: SharedRefundDraft, rejection: StripeRejected
    ) -> None:
        """Stripe will not refund: what was reserved is free again.

        Where it only will not take the seller's part back, the buyer gets their money all the same and the
        seller's part is asked for by itself: refused again, it is a debt.
        """
        await lock_order(draft.order_id)
        if draft.reverse_transfer and _names_the_seller(rejection):
            await self._apart(operation, draft)
            return
        now = self._clock()
        refused = await execute(
            "UPDATE refunds SET status = 'refused', failure_reason = $2, updated_at = $3 "
            "WHERE id = $1 AND status = 'planned'",
            draft.refund_id,
            rejection.code[:80],
            now,
        )
        if refused:
            await self._announce(
                RefundFailed(
                    order_id=draft.order_id,
                    payment_id=draft.payment_id,
                    occurred_at=now,
                    refund_id=draft.refund_id,
                    amount=draft.amount,
                    reason=rejection.code,
                )
            )

    async def _apart(self, operation: Operation, draft: SharedRefundDraft) -> None:
        """Ask for the refund alone under the next key, with the seller's part to follow."""
        now = self._clock()
        fee: int = await value("SELECT fee_amount FROM refunds WHERE id = $1", draft.refund_id)
        await execute(
            "UPDATE refunds SET transfer_amount = 0, updated_at = $2 WHERE id = $1",
            draft.refund_id,
            now,
        )
        operation_id = OperationId(new_id("op"))
        await put_in_line(
            kind=CREATE,
            subject=draft.refund_id,
            order_id=draft.order_id,
            key=next_key(operation.idempotency_key),
            draft=msgspec.structs.replace(
                draft,
                operation_id=operation_id,
                reverse_transfer=False,
                refund_application_fee=False,
                reversal=draft.amount,
                fee_return=fee,
            ),
            operation_id=operation_id,
            due_at=now,
            now=now,
        )


def _names_the_seller(rejection: StripeRejected) -> bool:
    return isinstance(rejection, SellerCannotReceive) or rejection.code in _SELLER_SHORT
