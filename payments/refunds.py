"""Refunds: money back to the buyer; the seller's share and the fee follow the refund's policy.

The row exists, and counts against what is left, before Stripe is asked: parallel refunds are serialized by
the order's lock and can never exceed what was captured. The key is the refund's own id, so two equal
partial refunds are two refunds and a repeated request is one.
"""

from datetime import datetime
from typing import Literal

import msgspec
import structlog

from payments.currencies import check_whole
from payments.database import execute, lock_order, require_transaction, row, rows, value
from payments.errors import (
    PaymentError,
    RefundExceedsCaptured,
    RefundNotFound,
    RequestReused,
    StripeRejected,
)
from payments.events import Announce, Clock
from payments.gateway import PaymentGateway
from payments.ids import IdempotencyKey, IntentId, OperationId, OrderId, PaymentId, RefundId, new_id
from payments.operations import Operations
from payments.records import REFUND_COLUMNS, PaymentRecord, RefundRecord
from payments.refund_operations import CREATE, CreateRefund, SharedRefundDraft
from payments.refund_policy import RefundPolicy, Shares, shares
from payments.standing import captured_payment, refundable, standing

RefundReason = Literal["duplicate", "fraudulent", "requested_by_customer"]

_log = structlog.get_logger("payments.refunds")


class PlannedRefund(msgspec.Struct, frozen=True, kw_only=True):
    """A refund written down; `operation_id` is what to carry out."""

    refund_id: RefundId
    operation_id: OperationId


class Refunds:
    """The use cases of giving money back."""

    def __init__(
        self,
        gateway: PaymentGateway,
        operations: Operations,
        announce: Announce,
        clock: Clock,
    ) -> None:
        self._operations = operations
        operations.register(CREATE, CreateRefund(gateway, announce, clock), standing=True)

    async def plan(
        self,
        order_id: str,
        *,
        amount: int | None,
        reason: RefundReason | None,
        requested_by: str,
        idempotency_key: str,
        now: datetime,
        policy: RefundPolicy | None = None,
        lines: str | None = None,
    ) -> PlannedRefund:
        """Reserve `amount` (minor units; None means all that is left) and write the refund down.

        `lines` is kept with it: what of the order it is for, as JSON. Without a `policy` the seller bears it
        and the fee is returned. Inside the caller's transaction; takes the order's lock. The same
        requester with the same key gets the same refund. Raises PaymentNotFound, PaymentStepRefused when
        nothing was captured, PaymentDisputed, RefundExceedsCaptured, AmountNotChargeable where the currency
        has no such amount, RequestReused when the key stood for another refund.
        """
        require_transaction()
        await lock_order(order_id)
        earlier = await self._requested(order_id, amount, lines, requested_by, idempotency_key)
        if earlier is not None:
            return earlier
        payment = await captured_payment(order_id)
        left = await refundable(payment)
        asked = left if amount is None else amount
        if not 0 < asked <= left:
            raise RefundExceedsCaptured(asked=asked, refundable=left, currency=payment.currency)
        check_whole(asked, payment.currency)
        policy = policy or RefundPolicy()
        parts = shares(asked, policy, await standing(payment))
        refund_id = RefundId(new_id("rfd"))
        await _insert(
            refund_id,
            payment,
            asked,
            reason,
            policy,
            parts,
            lines,
            requested_by,
            idempotency_key,
            now,
        )
        operation_id = await self._plan_operation(refund_id, payment, asked, reason, parts, now)
        return PlannedRefund(refund_id=refund_id, operation_id=operation_id)

    async def left(self, order_id: str) -> int:
        """What may still be given back of the order, in minor units, in the open transaction.

        Raises PaymentNotFound, PaymentStepRefused when nothing was captured, PaymentDisputed.
        """
        return await refundable(await captured_payment(order_id))

    async def carry_out(self, planned: PlannedRefund) -> RefundRecord:
        """Ask Stripe for the refund, and for the seller's share of it.

        No transaction may be open. Raises StripeRejected, NotSent, OutcomeUnknown. Once the buyer has their
        money nothing more is raised: what is still open of the seller's share is the sweep's.
        """
        try:
            await self._operations.carry_out(planned.operation_id)
        except StripeRejected:
            # Refused with the seller's part, it may have been planned anew without it.
            renewed = await self._latest(planned.refund_id)
            if renewed == planned.operation_id:
                raise
            await self._operations.carry_out(renewed)
        await self._carry_on(planned.refund_id)
        return await self.require(planned.refund_id)

    async def is_known(self, requested_by: str, idempotency_key: str) -> bool:
        """Whether this very request was made before."""
        return bool(
            await value(
                "SELECT EXISTS (SELECT FROM refunds WHERE requested_by = $1 AND idempotency_key = $2)",
                requested_by,
                idempotency_key,
            )
        )

    async def require(self, refund_id: str) -> RefundRecord:
        """The refund with this id. Raises RefundNotFound."""
        found = await row(f"SELECT {REFUND_COLUMNS} FROM refunds WHERE id = $1", refund_id)
        if found is None:
            raise RefundNotFound(refund_id)
        return RefundRecord(**found)

    async def of_order(
        self, order_id: str, after: str | None = None, limit: int | None = None
    ) -> list[RefundRecord]:
        """Refunds of the order, oldest first, imported ones included: all, or at most `limit` after one."""
        found = await rows(
            f"SELECT {REFUND_COLUMNS} FROM refunds WHERE order_id = $1 "
            "AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3",
            order_id,
            after,
            limit,
        )
        return [RefundRecord(**record) for record in found]

    async def _plan_operation(
        self,
        refund_id: RefundId,
        payment: PaymentRecord,
        amount: int,
        reason: RefundReason | None,
        parts: Shares,
        now: datetime,
    ) -> OperationId:
        operation_id = OperationId(new_id("op"))
        draft = SharedRefundDraft(
            operation_id=operation_id,
            refund_id=refund_id,
            payment_id=PaymentId(payment.id),
            order_id=OrderId(payment.order_id),
            intent_id=IntentId(payment.intent_id or ""),
            amount=amount,
            reason=reason,
            reverse_transfer=parts.with_transfer,
            refund_application_fee=parts.with_fee,
            reversal=parts.reversal,
            fee_return=parts.fee_return,
        )
        return await self._operations.plan(
            kind=CREATE,
            subject=refund_id,
            order_id=payment.order_id,
            key=IdempotencyKey(f"refund:{refund_id}"),
            draft=draft,
            operation_id=operation_id,
            now=now,
        )

    async def _carry_on(self, refund_id: str) -> None:
        """Carry out what follows from the refund; the buyer has their money whatever comes of it."""
        followers = await rows(
            "SELECT o.id FROM operations o WHERE o.concluded_at IS NULL AND o.subject IN ("
            "  SELECT id FROM transfer_movements WHERE status = 'planned' AND kind = 'reversal' "
            "  AND (cause = $1 OR cause LIKE $1 || '+%') "
            "  UNION ALL SELECT id FROM fee_returns WHERE cause = $1 AND status = 'planned') "
            "ORDER BY o.due_at, o.id",
            f"refund:{refund_id}",
        )
        for record in followers:
            try:
                await self._operations.carry_out(OperationId(record["id"]))
            except PaymentError as error:
                _log.warning(
                    "the seller's part of a refund is open or refused",
                    refund_id=refund_id,
                    operation_id=record["id"],
                    outcome=type(error).__name__,
                )

    async def _latest(self, refund_id: str) -> OperationId:
        found = await row(
            "SELECT id FROM operations WHERE subject = $1 AND kind = $2 "
            "ORDER BY created_at DESC, id DESC LIMIT 1",
            refund_id,
            CREATE,
        )
        assert found is not None
        return OperationId(found["id"])

    async def _requested(
        self,
        order_id: str,
        amount: int | None,
        lines: str | None,
        requested_by: str,
        idempotency_key: str,
    ) -> PlannedRefund | None:
        found = await row(
            "SELECT r.id, r.order_id, r.amount, r.lines, o.id AS operation_id "
            "FROM refunds r JOIN operations o "
            "ON o.subject = r.id AND o.kind = $3 "
            "WHERE r.requested_by = $1 AND r.idempotency_key = $2 "
            # The latest: an earlier one had no effect at Stripe.
            "ORDER BY o.created_at DESC LIMIT 1",
            requested_by,
            idempotency_key,
            CREATE,
        )
        if found is None:
            return None
        same = found["order_id"] == order_id and found["lines"] == lines
        if not same or amount not in (None, found["amount"]):
            raise RequestReused(idempotency_key)
        return PlannedRefund(
            refund_id=RefundId(found["id"]), operation_id=OperationId(found["operation_id"])
        )


async def _insert(
    refund_id: RefundId,
    payment: PaymentRecord,
    amount: int,
    reason: str | None,
    policy: RefundPolicy,
    parts: Shares,
    lines: str | None,
    requested_by: str,
    idempotency_key: str,
    now: datetime,
) -> None:
    await execute(
        "INSERT INTO refunds (id, payment_id, order_id, currency, amount, reason, status, requested_by, "
        "idempotency_key, reverse_transfer, return_fee, transfer_amount, fee_amount, lines, "
        "created_at, updated_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, 'planned', $7, $8, $9, $10, $11, $12, $13, $14, $14)",
        refund_id,
        payment.id,
        payment.order_id,
        payment.currency,
        amount,
        reason,
        requested_by,
        idempotency_key,
        parts.seller_bears,
        parts.seller_bears and policy.returns_fee,
        amount if parts.with_transfer else 0,
        parts.fee,
        lines,
        now,
    )
