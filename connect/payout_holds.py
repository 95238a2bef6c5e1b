"""Holding a seller's automatic payouts back at Stripe, and letting them go again as they were.

What is on its way to the bank already arrives: only what Stripe would send next is held. The schedule that an
account had is kept with it, and put back. Who is to be held is not decided here.
"""

from typing import Final

import msgspec
import structlog

from connect import records
from connect.payout_hold_gateway import (
    MANUAL,
    PayoutHoldGateway,
    PayoutSchedule,
    PayoutScheduleDraft,
)
from payments.database import execute, row, rows, transaction
from payments.errors import PaymentsUnavailable, StripeMisconfigured, StripeRejected
from payments.events import Clock
from payments.ids import ConnectedAccountId, IdempotencyKey, OperationId, SellerId, new_id
from payments.journal import Operation
from payments.operations import Operations

KIND: Final = "pause_payouts"

_log = structlog.get_logger("connect.payout_holds")


class PayoutHolds:
    """The use cases of holding payouts."""

    def __init__(self, gateway: PayoutHoldGateway, operations: Operations, clock: Clock) -> None:
        self._gateway, self._operations, self._clock = gateway, operations, clock
        operations.register(KIND, _ChangeSchedule(gateway, clock))

    async def bring_about(self, seller_id: SellerId, *, held: bool) -> bool:
        """Have the seller's payouts held, or not; answers whether they are as wanted now.

        A seller without an account has nothing to hold. Without Stripe's yes it is to be asked again, which
        is the caller's to do. No transaction may be open.
        """
        account = await _find(seller_id)
        if account is None or account.held is held:
            return True
        try:
            await self._operations.carry_out(await self._plan(seller_id, account, held))
        except (PaymentsUnavailable, StripeMisconfigured, StripeRejected) as error:
            _log.error(
                "payouts are not held as wanted",
                account=account.id,
                held=held,
                why=repr(error),
                alarm=True,
            )
        # What was under way may have been the other wish.
        account = await _find(seller_id)
        return account is None or account.held is held

    async def keep(self, limit: int) -> int:
        """Look at Stripe whether payouts that are held still are; where somebody let them go there they are
        held again. Answers how many were.

        A seller may be able to change their schedule themself, and so may whoever uses Stripe's Dashboard.
        """
        found = await rows(
            "SELECT seller_id, account_id FROM connected_accounts "
            "WHERE payouts_paused_at IS NOT NULL AND NOT closed ORDER BY random() LIMIT $1",
            limit,
        )
        again = [
            await self._keep(SellerId(each["seller_id"]), ConnectedAccountId(each["account_id"]))
            for each in found
        ]
        return sum(again)

    async def _keep(self, seller_id: SellerId, account_id: ConnectedAccountId) -> bool:
        try:
            shown = await self._gateway.payout_schedule(account_id)
        except (PaymentsUnavailable, StripeMisconfigured, StripeRejected) as error:
            _log.warning("held payouts could not be looked at", account=account_id, why=repr(error))
            return False
        if shown.interval == MANUAL.interval:
            return False
        _log.error(
            "held payouts were let go at stripe",
            account=account_id,
            interval=shown.interval,
            alarm=True,
        )
        # The schedule stays known: what is put back in the end is what it was before all this.
        await execute(
            "UPDATE connected_accounts SET payouts_paused_at = NULL WHERE account_id = $1",
            account_id,
        )
        return await self.bring_about(seller_id, held=True)

    async def _plan(self, seller_id: SellerId, account: "_Account", held: bool) -> OperationId:
        schedule = account.schedule
        if schedule is None:
            # Asked what it is before it is changed: a lost answer must not make us forget it.
            schedule = await self._gateway.payout_schedule(account.id)
        async with transaction():
            await records.lock_seller(seller_id)
            before = await rows(
                "SELECT id, concluded_at FROM operations WHERE kind = $1 AND subject = $2 "
                "ORDER BY id DESC",
                KIND,
                seller_id,
            )
            if before and before[0]["concluded_at"] is None:
                return OperationId(before[0]["id"])
            operation_id = OperationId(new_id("op"))
            return await self._operations.plan(
                kind=KIND,
                subject=seller_id,
                order_id=None,
                key=IdempotencyKey(f"seller:{seller_id}:payouts:{len(before) + 1}"),
                draft=PayoutScheduleDraft(
                    operation_id=operation_id,
                    seller_id=seller_id,
                    account_id=account.id,
                    held=held,
                    schedule=schedule,
                ),
                operation_id=operation_id,
                now=self._clock(),
            )


class _Account(msgspec.Struct, frozen=True):
    """An account, whether its payouts are held, and the schedule that it had before."""

    id: ConnectedAccountId
    held: bool
    schedule: PayoutSchedule | None


async def _find(seller_id: SellerId) -> _Account | None:
    found = await row(
        "SELECT account_id, payouts_paused_at, payout_schedule FROM connected_accounts "
        "WHERE seller_id = $1 AND NOT closed",
        seller_id,
    )
    if found is None:
        return None
    kept = found["payout_schedule"]
    return _Account(
        id=ConnectedAccountId(found["account_id"]),
        held=found["payouts_paused_at"] is not None,
        schedule=None if kept is None else msgspec.json.decode(kept, type=PayoutSchedule),
    )


class _ChangeSchedule:
    """The journal's performer."""

    draft_type = PayoutScheduleDraft

    def __init__(self, gateway: PayoutHoldGateway, clock: Clock) -> None:
        self._gateway, self._clock = gateway, clock

    async def send(self, draft: PayoutScheduleDraft, key: IdempotencyKey) -> PayoutSchedule:
        """Ask Stripe for the other schedule."""
        return await self._gateway.change_payout_schedule(draft, key)

    async def find(self, draft: PayoutScheduleDraft) -> PayoutSchedule | None:
        """The schedule, if it is the wanted one by now."""
        shown = await self._gateway.payout_schedule(draft.account_id)
        return shown if shown.interval == draft.wanted.interval else None

    async def succeeded(
        self, operation: Operation, draft: PayoutScheduleDraft, result: PayoutSchedule
    ) -> str:
        """Keep since when they are held, and what the schedule was; or forget both."""
        await execute(
            "UPDATE connected_accounts SET payouts_paused_at = $2, payout_schedule = $3 "
            "WHERE account_id = $1",
            draft.account_id,
            self._clock() if draft.held else None,
            msgspec.json.encode(draft.schedule).decode() if draft.held else None,
        )
        return draft.account_id

    async def rejected(
        self, operation: Operation, draft: PayoutScheduleDraft, rejection: StripeRejected
    ) -> None:
        """Nothing of ours changes: the journal keeps the no."""
