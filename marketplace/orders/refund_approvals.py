"""Large refunds: one admin asks, another approves, and it is planned in that very transaction.

Stripe is asked by the journal's sweep, as for any refund whose process died: within half a minute.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from marketplace.orders import records
from marketplace.orders.order_states import after
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
        """Ask for a refund that another admin decides about; whether it is possible is looked at then too.

        Raises OrderNotFound, OrderStepRefused, ReasonRequired, ApprovalAsked.
        """
        why = checked_reason(reason)
        async with transaction():
            order = await records.lock(order_id)
            after(order.status, "refund_asked")
            return await self._approvals.ask(
                action=ACTION,
                subject=order_id,
                facts={"currency": order.currency, "wish": _written(wish)},
                reason=why,
                asked_by=actor.account_id,
                now=now,
            )

    async def _refund(self, approval: ApprovalRecord, now: datetime) -> None:
        """What an approval brings about, in its transaction."""
        await self._refunds.plan_approved(
            approval.subject,
            msgspec.convert(approval.facts["wish"], RefundWish),
            requested_by=approval.asked_by,
            idempotency_key=approved_key(approval.id),
            now=now,
        )


def _written(wish: RefundWish) -> dict[str, Any]:
    written: dict[str, Any] = msgspec.to_builtins(wish)
    return written
