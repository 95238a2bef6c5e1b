"""Giving a buyer's money back, by the order's seller or an admin: in full, or an amount."""

from datetime import datetime

from marketplace.orders import records, steps
from marketplace.orders.errors import OrderNotFound, SellerOnly
from marketplace.orders.order_states import after
from marketplace.orders.records import Actor
from payments.database import transaction
from payments.records import RefundRecord
from payments.refunds import PlannedRefund, RefundReason, Refunds


class OrderRefunds:
    """Use cases of an order's refunds."""

    def __init__(self, refunds: Refunds) -> None:
        self._refunds = refunds

    async def ask(
        self,
        order_id: str,
        actor: Actor,
        *,
        amount: int | None,
        reason: RefundReason | None,
        idempotency_key: str,
        now: datetime,
    ) -> RefundRecord:
        """Refund `amount` (minor units), or all that is left when it is None.

        The seller's transfer is reversed and the fee returned in proportion. The same key from the same
        person is the same refund. Raises OrderNotFound, SellerOnly, OrderStepRefused, RequestReused,
        RefundExceedsCaptured, AmountNotChargeable, StripeRejected; after NotSent and OutcomeUnknown the
        refund stands and is carried out later.
        """
        async with transaction():
            planned = await self._plan(order_id, actor, amount, reason, idempotency_key, now)
        return await self._refunds.carry_out(planned)

    async def list(self, order_id: str, actor: Actor) -> list[RefundRecord]:
        """Every refund of the order, oldest first, those made at Stripe included. Raises OrderNotFound."""
        return await self._refunds.of_order((await records.require(order_id, actor)).id)

    async def _plan(
        self,
        order_id: str,
        actor: Actor,
        amount: int | None,
        reason: RefundReason | None,
        idempotency_key: str,
        now: datetime,
    ) -> PlannedRefund:
        order = await records.lock(order_id)
        if not actor.sees(order):
            raise OrderNotFound(order_id)
        if not actor.sells(order):
            raise SellerOnly(order_id)
        after(order.status, "refund_asked")
        planned = await self._refunds.plan(
            order_id,
            amount=amount,
            reason=reason,
            requested_by=actor.account_id,
            idempotency_key=idempotency_key,
            now=now,
        )
        asked = await steps.latest(order_id, ["refund_asked"], reason=planned.refund_id)
        if asked is None:
            await steps.take(
                order,
                "refund_asked",
                actor=actor.account_id,
                now=now,
                reason=planned.refund_id,
            )
        return planned
