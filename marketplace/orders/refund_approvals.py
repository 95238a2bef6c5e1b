"""Large refunds: one admin asks, another approves, and it is planned in that very transaction.

Stripe is asked by the journal's sweep, as for any refund whose process died: within half a minute.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from marketplace.orders import records
from marketplace.orders.records import Actor
from marketplace.orders.refund_limits import approved_key
from marketplace.orders.refunds import OrderRefunds, RefundWish
from marketplace.oversight.approvals import ApprovalRecord, Approvals
from marketplace.sellers.profile import checked_reason
from payments.database import transaction

ACTION: Final = "order.refund"
"""What another admin approves."""


class RefundApprovals:
    """The use cases of refunds that need two."""

    def __init__(self, refunds: OrderRefunds, approvals: Approvals) -> None:
        self._refunds, self._approvals = refunds, approvals
        approvals.register(ACTION, self._refund)

    async def ask(
        self, order_id: str, actor: Actor, wish: RefundWish, *, reason: str, now: datetime
    ) -> ApprovalRecord:
        """Ask for a refund that another admin decides about.

        What would be given back is settled now, so that both agree on the same amount; whether it is still
        possible is looked at again then. Raises OrderNotFound, OwnOrderDecision, OrderStepRefused,
        RefundLinesRefused, RefundPolicyRefused, RefundExceedsCaptured, PaymentDisputed, ReasonRequired,
        ApprovalAsked.
        """
        why = checked_reason(reason)
        async with transaction():
            order = await records.lock(order_id)
            actor.require_decides(order)
            settled, amount = await self._refunds.settled(order, wish)
            return await self._approvals.ask(
                action=ACTION,
                subject=order_id,
                facts={"amount": amount, "currency": order.currency, "wish": _written(settled)},
                reason=why,
                asked_by=actor.account_id,
                now=now,
            )

    async def _refund(self, approval: ApprovalRecord, now: datetime) -> None:
        """What an approval brings about, in its transaction. Raises OwnOrderDecision, and what refunds do."""
        order = await records.lock(approval.subject)
        Actor(approval.decided_by or "", is_admin=True).require_decides(order)
        await self._refunds.plan_approved(
            order,
            msgspec.convert(approval.facts["wish"], RefundWish),
            requested_by=approval.asked_by,
            idempotency_key=approved_key(approval.id),
            now=now,
        )


def _written(wish: RefundWish) -> dict[str, Any]:
    written: dict[str, Any] = msgspec.to_builtins(wish)
    return written
