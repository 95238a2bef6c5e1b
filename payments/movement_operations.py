"""What reversals, transfers and returned fees mean to the journal: the performers.

Each asks the gateway, reads back what a lost answer may have done, and books it. What Stripe will not take
back becomes a debt; what it will not send yet is sent later.
"""

from datetime import datetime, timedelta

import msgspec
import structlog

from payments import ledger
from payments.absorption import Absorption
from payments.database import execute, lock_order, value
from payments.debt_book import lock_debt, open_debt, settle
from payments.errors import OutcomeUnknown, SnapshotContradicts, StripeRejected
from payments.events import Announce, Clock
from payments.gateway import IntentSnapshot, PaymentGateway
from payments.ids import IdempotencyKey, OperationId, new_id
from payments.movements import DEBT_CAUSE, TRANSFER, Movement, lock_movement, retotal
from payments.operations import Operation, next_key, put_in_line
from payments.restoration import is_void, restore_after_failure
from payments.transfer_gateway import (
    FeeReturnDraft,
    Moved,
    ReversalDraft,
    TransferDraft,
    TransferGateway,
)

FIRST_PAUSE = timedelta(hours=1)
LONGEST_PAUSE = timedelta(days=1)
TRIES = 30
"""Of a transfer that Stripe refuses, most often for want of available money: about a month."""

_log = structlog.get_logger("payments.transfers")


class ReverseTransfer:
    """Performs a reversal; one that Stripe refuses for good is a debt of the seller's."""

    draft_type = ReversalDraft

    def __init__(self, gateway: TransferGateway, announce: Announce, clock: Clock) -> None:
        self._gateway, self._announce, self._clock = gateway, announce, clock

    async def send(self, draft: ReversalDraft, key: IdempotencyKey) -> Moved:
        return await self._gateway.reverse(draft, key)

    async def find(self, draft: ReversalDraft) -> Moved | None:
        return await self._gateway.find_reversal(draft)

    async def succeeded(self, operation: Operation, draft: ReversalDraft, result: Moved) -> str:
        movement = await _book(draft.order_id, draft.movement_id, result, self._clock())
        if movement is not None:
            if movement.cause.startswith(DEBT_CAUSE):
                await _settle(movement, self._announce, self._clock())
            await self._look_back(movement)
        return result.id

    async def rejected(
        self, operation: Operation, draft: ReversalDraft, rejection: StripeRejected
    ) -> None:
        await lock_order(draft.order_id)
        movement = await lock_movement(draft.movement_id)
        if movement.status != "planned":
            return
        now = self._clock()
        await _refuse(movement, rejection, now)
        _log.error(
            "a seller's transfer could not be taken back",
            movement_id=movement.id,
            code=rejection.code,
            alarm=True,
        )
        # A debt that could not be netted is still owed; so is nothing for a refund that did not come about.
        if not movement.cause.startswith(DEBT_CAUSE) and not await is_void(movement.cause):
            await open_debt(movement.subject, movement.amount, movement.cause, self._announce, now)
        await self._look_back(movement)

    async def _look_back(self, movement: Movement) -> None:
        """The refund it was for may have failed while this was under way."""
        refund_id = _refund_of(movement.cause)
        if refund_id is not None:
            await restore_after_failure(refund_id, self._announce, self._clock())


class SendTransfer:
    """Performs a transfer to the seller. It is owed to them, so a no is not the end: it is tried again."""

    draft_type = TransferDraft

    def __init__(self, gateway: TransferGateway, clock: Clock) -> None:
        self._gateway, self._clock = gateway, clock

    async def send(self, draft: TransferDraft, key: IdempotencyKey) -> Moved:
        return await self._gateway.transfer(draft, key)

    async def find(self, draft: TransferDraft) -> Moved | None:
        return await self._gateway.find_transfer(draft)

    async def succeeded(self, operation: Operation, draft: TransferDraft, result: Moved) -> str:
        await _book(draft.order_id, draft.movement_id, result, self._clock())
        return result.id

    async def rejected(
        self, operation: Operation, draft: TransferDraft, rejection: StripeRejected
    ) -> None:
        await lock_order(draft.order_id)
        movement = await lock_movement(draft.movement_id)
        if movement.status != "planned":
            return
        now = self._clock()
        noes: int = await value(
            "SELECT count(*) FROM operations WHERE subject = $1 AND state = 'rejected'", movement.id
        )
        _log.error(
            "money that is a seller's could not be sent to them",
            movement_id=movement.id,
            code=rejection.code,
            tries=noes + 1,
            alarm=True,
        )
        if noes + 1 >= TRIES:
            await _refuse(movement, rejection, now)
            return
        operation_id = OperationId(new_id("op"))
        await put_in_line(
            kind=TRANSFER,
            subject=movement.id,
            order_id=draft.order_id,
            key=next_key(operation.idempotency_key),
            draft=msgspec.structs.replace(draft, operation_id=operation_id),
            operation_id=operation_id,
            due_at=now + min(FIRST_PAUSE * 2 ** min(noes, 5), LONGEST_PAUSE),
            now=now,
        )


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
                "WHERE 'refund:' || id = (SELECT cause FROM fee_returns WHERE id = $1)",
                draft.fee_return_id,
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
        cause = await value("SELECT cause FROM fee_returns WHERE id = $1", draft.fee_return_id)
        refund_id = _refund_of(cause)
        if refund_id is not None:
            await restore_after_failure(refund_id, self._announce, self._clock())


async def _book(order_id: str, movement_id: str, result: Moved, now: datetime) -> Movement | None:
    """Write what Stripe did down, once; None when that had been done."""
    await lock_order(order_id)
    movement = await lock_movement(movement_id)
    if movement.status != "planned":
        return None
    if result.currency != movement.currency:
        # Booked in another currency it would be another amount (gumroad 6464: 416 against 366).
        _log.error("stripe moved another currency", movement_id=movement.id, alarm=True)
        raise SnapshotContradicts("currency", ours=movement.currency, theirs=result.currency)
    await execute(
        "UPDATE transfer_movements SET status = 'succeeded', stripe_id = $2, updated_at = $3 "
        "WHERE id = $1",
        movement.id,
        result.id,
        now,
    )
    seller = ledger.seller_account(movement.seller_id)
    back = movement.kind == "reversal"
    entry = ledger.Entry(
        cause=f"{movement.id}:moved",
        kind="transfer_reversal" if back else "transfer",
        source=seller if back else ledger.RECOVERED,
        target=ledger.RECOVERED if back else seller,
        amount=movement.amount,
        occurred_at=result.created_at,
    )
    await ledger.post(movement.subject, [entry], now)
    await retotal(movement.payment_id, now)
    return movement


async def _settle(movement: Movement, announce: Announce, now: datetime) -> None:
    """The debt that a reversal was for is smaller now."""
    debt = await lock_debt(movement.cause.split(":")[1])
    if debt is not None:
        cause = f"{movement.id}:settled"
        await settle(debt, min(movement.amount, debt.left), movement.subject, cause, announce, now)


async def _refuse(movement: Movement, rejection: StripeRejected, now: datetime) -> None:
    await execute(
        "UPDATE transfer_movements SET status = 'refused', failure_code = $2, updated_at = $3 "
        "WHERE id = $1",
        movement.id,
        rejection.code[:80],
        now,
    )


def _refund_of(cause: str) -> str | None:
    """The refund that a cause names: `refund:rfd_...`, with `+1` for a second part."""
    kind, _, id = cause.partition(":")
    return id.partition("+")[0] if kind == "refund" else None
