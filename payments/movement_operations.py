"""What reversals and transfers mean to the journal: the performers.

Each asks the gateway, reads back what a lost answer may have done, and books it. What Stripe will not take
back becomes a debt; what it will not send yet is sent later.
"""

from datetime import datetime, timedelta

import msgspec
import structlog

from payments import ledger
from payments.database import execute, lock_order, value
from payments.debt_book import lock_debt, open_debt, settle
from payments.errors import OutcomeUnknown, SnapshotContradicts, StripeRejected
from payments.events import Announce, Clock, TransferGivenUp, TransferSent
from payments.ids import IdempotencyKey, OperationId, new_id
from payments.journal import Operation, next_key, put_in_line
from payments.movements import DEBT_CAUSE, TRANSFER, Movement, lock_movement, refund_of, retotal
from payments.restoration import is_void, restore_after_failure
from payments.reversed_elsewhere import ReversedElsewhere, taken_elsewhere
from payments.transfer_gateway import (
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
        try:
            return await self._gateway.reverse(draft, key)
        except StripeRejected as refusal:
            left = await self._left_of(draft.transfer_id)
            if left < draft.amount:
                raise ReversedElsewhere(refusal, left) from refusal
            raise

    async def _left_of(self, transfer_id: str) -> int:
        try:
            return await self._gateway.left_of(transfer_id)
        except StripeRejected as error:
            # Without it nobody knows whether the seller owes anything: it is asked for again.
            raise OutcomeUnknown(f"cannot_look:{error.code}") from error

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
        _log.error(
            "a seller's transfer could not be taken back",
            movement_id=movement.id,
            code=rejection.code,
            alarm=True,
        )
        taken = 0
        if isinstance(rejection, ReversedElsewhere):
            taken = await taken_elsewhere(movement, rejection.left, self._announce, now)
        if taken < movement.amount:
            await self._owe(movement, movement.amount - taken, rejection, now)
        elif movement.cause.startswith(DEBT_CAUSE):
            await _settle(movement, self._announce, now)
        await self._look_back(movement)

    async def _owe(
        self, movement: Movement, amount: int, rejection: StripeRejected, now: datetime
    ) -> None:
        await _refuse(movement, rejection, now)
        # A debt that could not be netted is still owed; so is nothing for a refund that did not come about.
        if not movement.cause.startswith(DEBT_CAUSE) and not await is_void(movement.cause):
            await open_debt(movement.subject, amount, movement.cause, self._announce, now)

    async def _look_back(self, movement: Movement) -> None:
        """The refund it was for may have failed while this was under way."""
        refund_id = refund_of(movement.cause)
        if refund_id is not None:
            await restore_after_failure(refund_id, self._announce, self._clock())


class SendTransfer:
    """Performs a transfer to the seller. It is owed to them, so a no is not the end: it is tried again.

    After a month of noes that is told as a fact, for people to act on.
    """

    draft_type = TransferDraft

    def __init__(self, gateway: TransferGateway, announce: Announce, clock: Clock) -> None:
        self._gateway, self._announce, self._clock = gateway, announce, clock

    async def send(self, draft: TransferDraft, key: IdempotencyKey) -> Moved:
        return await self._gateway.transfer(draft, key)

    async def find(self, draft: TransferDraft) -> Moved | None:
        return await self._gateway.find_transfer(draft)

    async def succeeded(self, operation: Operation, draft: TransferDraft, result: Moved) -> str:
        movement = await _book(draft.order_id, draft.movement_id, result, self._clock())
        if movement is not None and await _noes(movement.id):
            await self._announce(
                TransferSent(
                    order_id=movement.order_id,
                    payment_id=movement.payment_id,
                    occurred_at=self._clock(),
                    movement_id=movement.id,
                    amount=movement.amount,
                )
            )
        return result.id

    async def rejected(
        self, operation: Operation, draft: TransferDraft, rejection: StripeRejected
    ) -> None:
        await lock_order(draft.order_id)
        movement = await lock_movement(draft.movement_id)
        if movement.status != "planned":
            return
        now = self._clock()
        noes = await _noes(movement.id)
        _log.error(
            "money that is a seller's could not be sent to them",
            movement_id=movement.id,
            code=rejection.code,
            tries=noes + 1,
            alarm=True,
        )
        if noes + 1 >= TRIES:
            await self._give_up(movement, rejection, now)
            return
        pause = min(FIRST_PAUSE * 2 ** min(noes, 5), LONGEST_PAUSE)
        await send_anew(operation, draft, now + pause, now)

    async def _give_up(self, movement: Movement, rejection: StripeRejected, now: datetime) -> None:
        await _refuse(movement, rejection, now)
        await self._announce(
            TransferGivenUp(
                order_id=movement.order_id,
                payment_id=movement.payment_id,
                occurred_at=now,
                movement_id=movement.id,
                seller_id=movement.seller_id,
                amount=movement.amount,
                code=rejection.code,
            )
        )


async def send_anew(
    operation: Operation, draft: TransferDraft, due_at: datetime, now: datetime
) -> OperationId:
    """Put the transfer in line once more, after a definite no: a new request under the next key."""
    operation_id = OperationId(new_id("op"))
    return await put_in_line(
        kind=TRANSFER,
        subject=draft.movement_id,
        order_id=draft.order_id,
        key=next_key(operation.idempotency_key),
        draft=msgspec.structs.replace(draft, operation_id=operation_id),
        operation_id=operation_id,
        due_at=due_at,
        now=now,
    )


async def _noes(movement_id: str) -> int:
    """How often Stripe refused it."""
    return int(
        await value(
            "SELECT count(*) FROM operations WHERE subject = $1 AND state = 'rejected'", movement_id
        )
    )


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
