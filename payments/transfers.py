"""Transfers: the seller's share of an order taken back, and sent to them again, outside of a refund.

    operation_id = await transfers.plan_reversal(payment.id, 4000, "dispute:dsp_1", now)
    ...
    await transfers.carry_out(operation_id)

Planned inside the caller's transaction, once for each cause; carried out afterwards, by the caller or by
the sweep over the journal. A reversal that Stripe refuses for good becomes a debt of the seller's. What
somebody reversed at Stripe is read and booked too (`refresh`).
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from payments.database import execute, transaction, value
from payments.events import Announce, Clock
from payments.fee_return_operations import ReturnFee
from payments.fee_returns import RETURN_FEE
from payments.gateway import PaymentGateway
from payments.ids import OperationId
from payments.inbox import Notice
from payments.movement_operations import ReverseTransfer, SendTransfer, send_anew
from payments.movements import (
    REVERSE,
    TRANSFER,
    Movement,
    lock_movement,
    movements_of,
    plan_reversal,
    sendable,
)
from payments.operations import Operations
from payments.restoration import restore
from payments.reversed_elsewhere import absorb, payment_of_transfer
from payments.transfer_gateway import TransferDraft, TransferGateway


class Transfers:
    """The use cases of a seller's share; registers what reversals, transfers and fee returns mean."""

    def __init__(
        self,
        gateway: TransferGateway,
        payments: PaymentGateway,
        operations: Operations,
        announce: Announce,
        clock: Clock,
    ) -> None:
        self._gateway, self._clock = gateway, clock
        self._operations, self._announce = operations, announce
        operations.register(REVERSE, ReverseTransfer(gateway, announce, clock), standing=True)
        operations.register(TRANSFER, SendTransfer(gateway, announce, clock), standing=True)
        operations.register(
            RETURN_FEE, ReturnFee(gateway, payments, announce, clock), standing=True
        )

    async def plan_reversal(
        self, payment_id: str, amount: int, cause: str, now: datetime
    ) -> OperationId | None:
        """Take `amount` (minor units) back from the seller because of `cause` (`dispute:dsp_...`).

        Inside the caller's transaction, the order's lock held; the same cause again is the same reversal.
        Never more than other causes left of what was captured; what cannot be taken because a debt was
        netted from this order is a debt at once. None when nothing is to be taken.
        """
        return await plan_reversal(payment_id, amount, cause, self._announce, now)

    async def plan_transfer(
        self, payment_id: str, amount: int, cause: str, now: datetime
    ) -> OperationId | None:
        """Send what `cause` had taken back to the seller again, up to `amount` (minor units).

        Inside the caller's transaction, the order's lock held. Debts behind which the cause was are no
        longer owed. None when nothing had been taken.
        """
        return await restore(payment_id, amount, cause, self._announce, now)

    async def carry_out(self, operation_id: OperationId) -> None:
        """Ask Stripe, for every part of the same cause. No transaction may be open.

        Raises StripeRejected, NotSent, OutcomeUnknown; after the latter two the sweep goes on with it.
        """
        operation = await self._operations.require(operation_id)
        cause = await value("SELECT cause FROM transfer_movements WHERE id = $1", operation.subject)
        await self._operations.carry_out(operation_id)
        for movement in await movements_of(cause):
            if movement.status == "planned" and movement.id != operation.subject:
                await self._operations.carry_out(await self._operation_of(movement))

    async def take_notices(self, notices: Sequence[Notice]) -> None:
        """The inbox's handler of `transfer.reversed`. Raises what `refresh` does."""
        for transfer_id in sorted({one.object_id for one in notices if one.object_id}):
            await self.refresh(transfer_id)

    async def refresh(self, transfer_id: str) -> None:
        """Read who reversed how much of the transfer, and book what was not ours. No transaction may be open.

        A transfer to nobody of ours is passed over. Raises NotSent while a reversal of ours is on its way,
        and what the gateway raises.
        """
        found = await payment_of_transfer(transfer_id)
        if found is None:
            return
        seen = await self._gateway.foreign_reversals(transfer_id)
        if seen is None:
            return
        async with transaction():
            await absorb(*found, transfer_id, seen, self._announce, self._clock())

    async def send_again(self, movement_id: str, now: datetime) -> OperationId | None:
        """Put a transfer in line that was given up; None when it was not, or is no longer owed.

        Inside the caller's transaction, the order's lock held.
        """
        movement = await lock_movement(movement_id)
        if (movement.kind, movement.status) != ("transfer", "refused"):
            return None
        if movement.amount > await sendable(movement.payment_id):
            return None
        await execute(
            "UPDATE transfer_movements SET status = 'planned', failure_code = NULL, updated_at = $2 "
            "WHERE id = $1",
            movement.id,
            now,
        )
        last = await self._operations.require(await self._operation_of(movement))
        draft = msgspec.json.decode(last.parameters, type=TransferDraft)
        return await send_anew(last, draft, now, now)

    async def of_cause(self, cause: str) -> list[Movement]:
        """What was planned because of `cause`, with what became of it."""
        return await movements_of(cause)

    async def _operation_of(self, movement: Movement) -> OperationId:
        found: str = await value(
            "SELECT id FROM operations WHERE subject = $1 ORDER BY created_at DESC, id DESC LIMIT 1",
            movement.id,
        )
        return OperationId(found)
