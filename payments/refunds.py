"""Refunds: money back to the buyer, the seller's transfer reversed and the fee returned with it.

The row exists, and counts against what is left, before Stripe is asked: parallel refunds are serialized by
the order's lock and can never exceed what was captured. The key is the refund's own id, so two equal
partial refunds are two refunds and a repeated request is one.
"""

from datetime import datetime
from typing import Literal

import msgspec

from payments.absorption import Absorption
from payments.currencies import check_whole
from payments.database import execute, lock_order, require_transaction, row, rows, value
from payments.errors import (
    OutcomeUnknown,
    PaymentNotFound,
    PaymentStepRefused,
    RefundExceedsCaptured,
    RefundNotFound,
    RequestReused,
    StripeRejected,
)
from payments.events import Announce, Clock
from payments.gateway import IntentSnapshot, PaymentGateway, RefundDraft, RefundSnapshot
from payments.ids import IdempotencyKey, IntentId, OperationId, OrderId, PaymentId, RefundId, new_id
from payments.operations import Operation, Operations
from payments.records import COLUMNS, REFUND_COLUMNS, PaymentRecord, RefundRecord

CREATE = "create_refund"
RefundReason = Literal["duplicate", "fraudulent", "requested_by_customer"]
_OUT = "('failed', 'canceled', 'refused')"
"""Statuses of refunds that took nothing, or gave it back: they do not count against the captured total."""


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
        performer = _CreateRefund(gateway, Absorption(announce, clock), clock)
        operations.register(CREATE, performer, standing=True)

    async def plan(
        self,
        order_id: str,
        *,
        amount: int | None,
        reason: RefundReason | None,
        requested_by: str,
        idempotency_key: str,
        now: datetime,
    ) -> PlannedRefund:
        """Reserve `amount` (minor units; None means all that is left) and write the refund down.

        Inside the caller's transaction; takes the order's lock. The same requester with the same key gets
        the same refund. Raises PaymentNotFound, PaymentStepRefused when nothing was captured,
        RefundExceedsCaptured, AmountNotChargeable where the currency has no such amount, RequestReused when
        the key stood for another refund.
        """
        require_transaction()
        await lock_order(order_id)
        earlier = await self._requested(order_id, amount, requested_by, idempotency_key)
        if earlier is not None:
            return earlier
        payment = await self._captured(order_id)
        left = payment.amount_captured - await _reserved(payment.id)
        asked = left if amount is None else amount
        if not 0 < asked <= left:
            raise RefundExceedsCaptured(asked=asked, refundable=left, currency=payment.currency)
        check_whole(asked, payment.currency)
        refund_id, operation_id = RefundId(new_id("rfd")), OperationId(new_id("op"))
        await _insert(refund_id, payment, asked, reason, requested_by, idempotency_key, now)
        draft = RefundDraft(
            operation_id=operation_id,
            refund_id=refund_id,
            payment_id=PaymentId(payment.id),
            order_id=OrderId(order_id),
            intent_id=IntentId(payment.intent_id or ""),
            amount=asked,
            reason=reason,
            reverse_transfer=True,
            # Stripe refuses to return the fee of a charge that had none.
            refund_application_fee=payment.fee_captured > 0,
        )
        await self._operations.plan(
            kind=CREATE,
            subject=refund_id,
            order_id=order_id,
            key=IdempotencyKey(f"refund:{refund_id}"),
            draft=draft,
            operation_id=operation_id,
            now=now,
        )
        return PlannedRefund(refund_id=refund_id, operation_id=operation_id)

    async def carry_out(self, planned: PlannedRefund) -> RefundRecord:
        """Ask Stripe for the refund and book it with its reversal and fee.

        No transaction may be open. Raises StripeRejected, NotSent, OutcomeUnknown.
        """
        await self._operations.carry_out(planned.operation_id)
        return await self.require(planned.refund_id)

    async def require(self, refund_id: str) -> RefundRecord:
        """The refund with this id. Raises RefundNotFound."""
        found = await row(f"SELECT {REFUND_COLUMNS} FROM refunds WHERE id = $1", refund_id)
        if found is None:
            raise RefundNotFound(refund_id)
        return RefundRecord(**found)

    async def of_order(self, order_id: str) -> list[RefundRecord]:
        """Every refund of the order, oldest first, imported ones included."""
        found = await rows(
            f"SELECT {REFUND_COLUMNS} FROM refunds WHERE order_id = $1 ORDER BY id", order_id
        )
        return [RefundRecord(**record) for record in found]

    async def _requested(
        self, order_id: str, amount: int | None, requested_by: str, idempotency_key: str
    ) -> PlannedRefund | None:
        found = await row(
            "SELECT r.id, r.order_id, r.amount, o.id AS operation_id FROM refunds r JOIN operations o "
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
        if found["order_id"] != order_id or amount not in (None, found["amount"]):
            raise RequestReused(idempotency_key)
        return PlannedRefund(
            refund_id=RefundId(found["id"]), operation_id=OperationId(found["operation_id"])
        )

    async def _captured(self, order_id: str) -> PaymentRecord:
        found = await row(
            f"SELECT {COLUMNS} FROM payments WHERE order_id = $1 AND live FOR UPDATE", order_id
        )
        if found is None:
            raise PaymentNotFound(order_id)
        payment = PaymentRecord(**found)
        if payment.amount_captured == 0:
            raise PaymentStepRefused("refund", payment_status=payment.status)
        return payment


class _Refunded(msgspec.Struct, frozen=True, kw_only=True):
    """Stripe's answer, and the whole payment read after it: the reversal and the returned fee."""

    refund: RefundSnapshot
    intent: IntentSnapshot

    @property
    def request_id(self) -> str | None:
        """Stripe's id of the request that told this."""
        return self.intent.request_id

    def whole(self) -> IntentSnapshot:
        """The payment with this refund in it, should the read have missed it."""
        charge = self.intent.charge
        if charge is None or self.refund.id in {seen.id for seen in charge.refunds}:
            return self.intent
        charge = msgspec.structs.replace(charge, refunds=(*charge.refunds, self.refund))
        return msgspec.structs.replace(self.intent, charge=charge)


class _CreateRefund:
    """Performs the refund: ask, then read the payment. Both are repeated safely under the same key."""

    draft_type = RefundDraft

    def __init__(self, gateway: PaymentGateway, absorption: Absorption, clock: Clock) -> None:
        self._gateway, self._absorption, self._clock = gateway, absorption, clock

    async def send(self, draft: RefundDraft, key: IdempotencyKey) -> _Refunded:
        return await self._read(draft, await self._gateway.create_refund(draft, key))

    async def find(self, draft: RefundDraft) -> _Refunded | None:
        refund = await self._gateway.find_refund(draft)
        return None if refund is None else await self._read(draft, refund)

    async def _read(self, draft: RefundDraft, refund: RefundSnapshot) -> _Refunded:
        try:
            intent = await self._gateway.retrieve_intent(draft.intent_id)
        except StripeRejected as refusal:
            # The refund is made: a no to reading the payment must never count as a no to it.
            raise OutcomeUnknown(f"cannot_look:{refusal.code}") from refusal
        return _Refunded(refund=refund, intent=intent)

    async def succeeded(self, operation: Operation, draft: RefundDraft, result: _Refunded) -> str:
        await self._absorption.absorb(draft.order_id, result.whole())
        return result.refund.id

    async def rejected(
        self, operation: Operation, draft: RefundDraft, rejection: StripeRejected
    ) -> None:
        """Stripe will not refund: what was reserved is free again."""
        await lock_order(draft.order_id)
        await execute(
            "UPDATE refunds SET status = 'refused', failure_reason = $2, updated_at = $3 "
            "WHERE id = $1 AND status = 'planned'",
            draft.refund_id,
            rejection.code[:80],
            self._clock(),
        )


async def _reserved(payment_id: str) -> int:
    """What refunds that are not out have taken or may still take. Minor units."""
    taken: int = await value(
        "SELECT coalesce(sum(amount), 0)::bigint FROM refunds "
        f"WHERE payment_id = $1 AND status NOT IN {_OUT}",
        payment_id,
    )
    return taken


async def _insert(
    refund_id: RefundId,
    payment: PaymentRecord,
    amount: int,
    reason: str | None,
    requested_by: str,
    idempotency_key: str,
    now: datetime,
) -> None:
    await execute(
        "INSERT INTO refunds (id, payment_id, order_id, currency, amount, reason, status, requested_by, "
        "idempotency_key, created_at, updated_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, 'planned', $7, $8, $9, $9)",
        refund_id,
        payment.id,
        payment.order_id,
        payment.currency,
        amount,
        reason,
        requested_by,
        idempotency_key,
        now,
    )
