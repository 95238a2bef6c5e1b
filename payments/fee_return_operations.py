"""What a returned fee means to the journal: return it, then read the payment, whose total is Stripe's."""

import structlog

from payments.absorption import Absorption
from payments.database import execute, lock_order, value
from payments.errors import OutcomeUnknown, StripeRejected
from payments.events import Announce, Clock
from payments.gateway import IntentSnapshot, PaymentGateway
from payments.ids import IdempotencyKey
from payments.journal import Operation
from payments.movements import refund_of
from payments.restoration import restore_after_failure
from payments.transfer_gateway import FeeReturnDraft, Moved, TransferGateway

_log = structlog.get_logger("payments.transfers")


class FeeReturned:
    """Stripe's answer to a returned fee, and the whole payment read after it."""

    def __init__(self, moved: Moved, intent: IntentSnapshot) -> None:
        self.moved, self.intent = moved, intent
        self.request_id = moved.request_id


class ReturnFee:
    """Performs the return of a part of the fee, then reads the payment: its total is Stripe's to say."""

    draft_type = FeeReturnDraft

    def __init__(
        self,
        transfers: TransferGateway,
        payments: PaymentGateway,
        announce: Announce,
        clock: Clock,
    ) -> None:
        self._transfers, self._payments = transfers, payments
        self._announce, self._clock = announce, clock
        self._absorption = Absorption(announce, clock)

    async def send(self, draft: FeeReturnDraft, key: IdempotencyKey) -> FeeReturned:
        return await self._read(draft, await self._transfers.return_fee(draft, key))

    async def find(self, draft: FeeReturnDraft) -> FeeReturned | None:
        found = await self._transfers.find_fee_return(draft)
        return None if found is None else await self._read(draft, found)

    async def _read(self, draft: FeeReturnDraft, moved: Moved) -> FeeReturned:
        try:
            return FeeReturned(moved, await self._payments.retrieve_intent(draft.intent_id))
        except StripeRejected as refusal:
            # The fee is returned: a no to reading the payment must never count as a no to it.
            raise OutcomeUnknown(f"cannot_look:{refusal.code}") from refusal

    async def succeeded(
        self, operation: Operation, draft: FeeReturnDraft, result: FeeReturned
    ) -> str:
        await lock_order(draft.order_id)
        await self._conclude(draft, "succeeded", stripe_id=result.moved.id)
        await self._absorption.absorb(draft.order_id, result.intent)
        await self._look_back(draft)
        return result.moved.id

    async def rejected(
        self, operation: Operation, draft: FeeReturnDraft, rejection: StripeRejected
    ) -> None:
        """Stripe will not return it: the refund it belongs to gave back no fee, and a later one may."""
        await lock_order(draft.order_id)
        _log.error(
            "a fee could not be returned",
            fee_return_id=draft.fee_return_id,
            code=rejection.code,
            alarm=True,
        )
        if await self._conclude(draft, "refused", failure_code=rejection.code[:80]):
            await execute(
                "UPDATE refunds SET fee_amount = greatest(fee_amount - $2, 0), updated_at = $3 "
                "WHERE id = $1",
                await _refund_behind(draft),
                draft.amount,
                self._clock(),
            )
        await self._look_back(draft)

    async def _conclude(
        self,
        draft: FeeReturnDraft,
        status: str,
        *,
        stripe_id: str | None = None,
        failure_code: str | None = None,
    ) -> bool:
        concluded = await execute(
            "UPDATE fee_returns SET status = $2, stripe_id = $3, failure_code = $4, updated_at = $5 "
            "WHERE id = $1 AND status = 'planned'",
            draft.fee_return_id,
            status,
            stripe_id,
            failure_code,
            self._clock(),
        )
        return concluded == 1

    async def _look_back(self, draft: FeeReturnDraft) -> None:
        refund_id = await _refund_behind(draft)
        if refund_id is not None:
            await restore_after_failure(refund_id, self._announce, self._clock())


async def _refund_behind(draft: FeeReturnDraft) -> str | None:
    return refund_of(
        await value("SELECT cause FROM fee_returns WHERE id = $1", draft.fee_return_id)
    )
