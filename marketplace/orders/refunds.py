"""Giving a buyer's money back, by the order's seller or an admin: in full, an amount, or some lines."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from marketplace.orders import records, refund_lines, steps
from marketplace.orders.errors import (
    OrderNotFound,
    OrderStepRefused,
    RefundLinesRefused,
    RefundPolicyForAdmins,
    RefundPolicyRefused,
    SellerOnly,
)
from marketplace.orders.order_states import after
from marketplace.orders.records import Actor, OrderRecord
from marketplace.orders.refund_limits import RefundLimits
from marketplace.orders.refund_lines import RefundLine
from marketplace.oversight import audit
from marketplace.oversight.switches import require_on
from marketplace.paging import Page, PageRequest
from payments.database import transaction, value
from payments.errors import PaymentNotFound, RefundExceedsCaptured
from payments.records import RefundRecord
from payments.refund_policy import Bearer, FeeOnRefund, RefundPolicy
from payments.refunds import PlannedRefund, RefundReason, Refunds


class RefundWish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: an amount (minor units), some lines, or neither for all that is left.

    `bearer` and `fee` are an admin's to say; None leaves them to the fee schedule of the order.
    """

    amount: int | None = None
    lines: tuple[RefundLine, ...] | None = None
    reason: RefundReason | None = None
    bearer: Bearer | None = None
    fee: FeeOnRefund | None = None


class OrderRefunds:
    """Use cases of an order's refunds."""

    def __init__(self, refunds: Refunds, limits: RefundLimits | None = None) -> None:
        self._refunds = refunds
        self._limits = limits or RefundLimits()

    async def ask(
        self, order_id: str, actor: Actor, wish: RefundWish, *, idempotency_key: str, now: datetime
    ) -> RefundRecord:
        """Refund what is wished for.

        The seller bears it, with the part of the fee that the order's fee schedule returns to them, unless an
        admin says otherwise. The same key from the same person is the same refund. Raises OrderNotFound,
        SellerOnly, SwitchedOff, OrderStepRefused, RefundLinesRefused, RefundPolicyForAdmins,
        OwnOrderDecision, RefundPolicyRefused, RefundNeedsApproval, RequestReused, RefundExceedsCaptured,
        PaymentDisputed, AmountNotChargeable, StripeRejected; after NotSent and OutcomeUnknown the refund
        stands and is carried out later.
        """
        async with transaction():
            order = await records.lock(order_id)
            if not actor.sees(order):
                raise OrderNotFound(order_id)
            if not actor.sells(order):
                raise SellerOnly(order_id)
            _require_may_say(order, actor, wish)
            await require_on("refund", seller_id=order.seller_id, currency=order.currency, now=now)
            repeated = await self._refunds.is_known(actor.account_id, idempotency_key)
            planned = await self._plan(order, wish, actor.account_id, idempotency_key, now)
            await self.require_alone(order, actor, now)
            if not repeated and actor.decides(order):
                await _on_record(order, actor, planned, wish, now)
        return await self._refunds.carry_out(planned)

    async def plan_within(
        self,
        order: OrderRecord,
        *,
        amount: int | None,
        lines: Sequence[RefundLine] | None,
        reason: RefundReason | None,
        requested_by: str,
        idempotency_key: str,
        now: datetime,
    ) -> PlannedRefund:
        """Write a refund down inside another use case's transaction; `order` is locked.

        Carried out with `carry_out` after the commit, or by the sweep. Raises OrderStepRefused,
        RefundLinesRefused, RequestReused, RefundExceedsCaptured, PaymentDisputed, AmountNotChargeable,
        PaymentStepRefused.
        """
        wish = RefundWish(
            amount=amount, lines=None if lines is None else tuple(lines), reason=reason
        )
        return await self._plan(order, wish, requested_by, idempotency_key, now)

    async def plan_approved(
        self,
        order: OrderRecord,
        wish: RefundWish,
        *,
        requested_by: str,
        idempotency_key: str,
        now: datetime,
    ) -> PlannedRefund:
        """Write down what two admins agreed on of the locked order, inside the transaction of their approval.

        Raises SwitchedOff, and what `plan_within` does.
        """
        await require_on("refund", seller_id=order.seller_id, currency=order.currency, now=now)
        return await self._plan(order, wish, requested_by, idempotency_key, now)

    async def settled(self, order: OrderRecord, wish: RefundWish) -> tuple[RefundWish, int]:
        """The wish with its amount said, and that amount (minor units), as the locked order stands now.

        Raises OrderStepRefused, RefundLinesRefused, RefundPolicyRefused, RefundExceedsCaptured,
        PaymentDisputed.
        """
        after(order.status, "refund_asked")
        await _policy(order, wish)
        left = await self._left(order)
        if wish.lines is None:
            amount = left if wish.amount is None else wish.amount
            wish = msgspec.structs.replace(wish, amount=amount)
        elif wish.amount is not None:
            raise RefundLinesRefused("with_amount")
        else:
            amount = await refund_lines.worth(order, wish.lines)
        if not 0 < amount <= left:
            raise RefundExceedsCaptured(asked=amount, refundable=left, currency=order.currency)
        return wish, amount

    async def _left(self, order: OrderRecord) -> int:
        try:
            return await self._refunds.left(order.id)
        except PaymentNotFound as nothing:
            # The order is there, and was canceled before anybody paid.
            raise OrderStepRefused(order.status, "refund_asked") from nothing

    async def require_alone(self, order: OrderRecord, actor: Actor, now: datetime) -> None:
        """Raise RefundNeedsApproval when an admin's planned refunds are too much for one (`RefundLimits`)."""
        await self._limits.require_alone(order, actor, now)

    async def carry_out(self, planned: PlannedRefund) -> RefundRecord:
        """Ask Stripe for a planned refund. Raises StripeRejected, NotSent, OutcomeUnknown."""
        return await self._refunds.carry_out(planned)

    async def list(self, order_id: str, actor: Actor) -> list[RefundRecord]:
        """Every refund of the order, oldest first, those made at Stripe included. Raises OrderNotFound."""
        return await self._refunds.of_order((await records.require(order_id, actor)).id)

    async def page(
        self, order_id: str, actor: Actor, page: PageRequest
    ) -> tuple[OrderRecord, Page[RefundRecord]]:
        """The order, and some of its refunds, oldest first. Raises OrderNotFound."""
        order = await records.require(order_id, actor)
        found = await self._refunds.of_order(order.id, page.starting_after, page.fetched)
        return order, Page.cut(found, page)

    async def _plan(
        self, order: OrderRecord, wish: RefundWish, requested_by: str, key: str, now: datetime
    ) -> PlannedRefund:
        after(order.status, "refund_asked")
        amount, lines = wish.amount, None
        if wish.lines is not None:
            if amount is not None:
                raise RefundLinesRefused("with_amount")
            lines = refund_lines.written(wish.lines)
            if not await self._refunds.is_known(requested_by, key):
                amount = await refund_lines.reserve(order, wish.lines)
        try:
            planned = await self._refunds.plan(
                order.id,
                amount=amount,
                reason=wish.reason,
                requested_by=requested_by,
                idempotency_key=key,
                now=now,
                policy=await _policy(order, wish),
                lines=lines,
            )
        except PaymentNotFound as nothing:
            # The order is there, and was canceled before anybody paid.
            raise OrderStepRefused(order.status, "refund_asked") from nothing
        asked = await steps.latest(order.id, ["refund_asked"], reason=planned.refund_id)
        if asked is None:
            await steps.take(
                order, "refund_asked", actor=requested_by, now=now, reason=planned.refund_id
            )
        return planned


def _require_may_say(order: OrderRecord, actor: Actor, wish: RefundWish) -> None:
    """Who bears a refund is decided by an admin whose own money it is not."""
    if wish.bearer is None and wish.fee is None:
        return
    if not actor.is_admin:
        raise RefundPolicyForAdmins(order.id)
    actor.require_decides(order)


async def _on_record(
    order: OrderRecord, actor: Actor, planned: PlannedRefund, wish: RefundWish, now: datetime
) -> None:
    """An admin gave somebody else's money back."""
    await audit.record(
        actor=actor.account_id,
        action="refund.asked",
        subject=order.id,
        after={"refund": planned.refund_id, "wish": msgspec.to_builtins(wish)},
        reason=wish.reason,
        now=now,
    )


async def _policy(order: OrderRecord, wish: RefundWish) -> RefundPolicy:
    """The order's fee schedule says what becomes of the fee, unless an admin does."""
    if wish.bearer == "platform":
        if wish.fee == "return":
            raise RefundPolicyRefused("fee_of_platform")
        return RefundPolicy(bearer="platform", fee="keep")
    by_schedule: FeeOnRefund = await value(
        "SELECT fee_on_refund FROM fee_schedules WHERE id = $1", order.fee_schedule_id
    )
    return RefundPolicy(fee=wish.fee or by_schedule)
