"""Payments: plan, open, capture, cancel and refresh the PaymentIntent of an order.

`plan_*` runs inside the caller's transaction and only writes down what will be asked; after the commit
`open_intent` or `carry_out` asks Stripe and absorbs the answer. Nothing here confirms on create: a lost
create leaves an object that nobody holds the secret of, so nobody can pay it.
"""

from datetime import datetime

import asyncpg
import msgspec
import structlog

from payments import states
from payments.absorption import Absorption
from payments.currencies import check_chargeable
from payments.database import (
    execute,
    require_transaction,
    row,
    rows,
    transaction,
    value,
)
from payments.errors import (
    PaymentError,
    PaymentNotFound,
    PaymentStepRefused,
    StripeRejected,
)
from payments.events import Announce, Clock
from payments.gateway import (
    CancelDraft,
    CancellationReason,
    CaptureDraft,
    CaptureMethod,
    IntentDraft,
    IntentSnapshot,
    PaymentGateway,
)
from payments.ids import (
    ConnectedAccountId,
    IdempotencyKey,
    IntentId,
    OperationId,
    OrderId,
    PaymentId,
    SellerId,
    new_id,
)
from payments.intent_operations import (
    CANCEL,
    CAPTURE,
    CREATE,
    CancelIntent,
    CaptureIntent,
    CreateIntent,
)
from payments.operations import Operations
from payments.records import ATTEMPT_COLUMNS, COLUMNS, AttemptRecord, PaymentRecord

_log = structlog.get_logger("payments.lifecycle")

_AIM = {CAPTURE: states.SUCCEEDED, CANCEL: states.CANCELED}
UNEXPECTED_STATE = "payment_intent_unexpected_state"
"""Stripe's no when the PaymentIntent has moved on without us: read it, then decide anew."""


class DestinationCharge(msgspec.Struct, frozen=True, kw_only=True):
    """What an order wants paid: the platform charges, the seller's account receives, the fee comes back."""

    order_id: str
    seller_id: str
    generation: int
    amount: int
    currency: str
    application_fee: int
    destination: str
    capture_method: CaptureMethod
    receipt_email: str
    description: str


class IntentForBuyer(msgspec.Struct, frozen=True, kw_only=True):
    """What the order's buyer needs to pay at Stripe. Passed on at once, stored and logged nowhere."""

    intent_id: str
    client_secret: str
    status: str
    amount: int
    currency: str

    def __repr__(self) -> str:
        """Never shows the client secret."""
        return f"IntentForBuyer({self.intent_id}, {self.status})"


class Payments:
    """The use cases of one order's payment."""

    def __init__(
        self, gateway: PaymentGateway, operations: Operations, announce: Announce, clock: Clock
    ) -> None:
        self._gateway = gateway
        self._operations = operations
        self._clock = clock
        self._absorption = Absorption(announce, clock)
        operations.register(CREATE, CreateIntent(gateway, self._absorption, announce, clock))
        operations.register(CAPTURE, CaptureIntent(gateway, self._absorption), standing=True)
        operations.register(CANCEL, CancelIntent(gateway, self._absorption), standing=True)

    async def plan_intent(self, charge: DestinationCharge, now: datetime) -> OperationId:
        """Write the payment and the creation of its PaymentIntent down.

        The caller holds the order's lock and found no live payment (`creation_of_live`); the database
        allows one. Raises AmountNotChargeable and CurrencyUnknown.
        """
        require_transaction()
        check_chargeable(charge.amount, charge.currency)
        payment_id, operation_id = PaymentId(new_id("pay")), OperationId(new_id("op"))
        await _insert_payment(payment_id, charge, now)
        draft = IntentDraft(
            operation_id=operation_id,
            payment_id=payment_id,
            order_id=OrderId(charge.order_id),
            seller_id=SellerId(charge.seller_id),
            generation=charge.generation,
            amount=charge.amount,
            currency=charge.currency,
            application_fee=charge.application_fee,
            destination=ConnectedAccountId(charge.destination),
            capture_method=charge.capture_method,
            receipt_email=charge.receipt_email,
            description=charge.description,
        )
        return await self._operations.plan(
            kind=CREATE,
            subject=payment_id,
            order_id=charge.order_id,
            key=_key(charge.order_id, charge.generation, "pi:create"),
            draft=draft,
            operation_id=operation_id,
            now=now,
        )

    async def creation_of_live(self, order_id: str) -> OperationId | None:
        """The operation that makes, or made, the order's live PaymentIntent; None when there is none."""
        found = await row(
            "SELECT o.id FROM payments p JOIN operations o ON o.subject = p.id AND o.kind = $2 "
            "WHERE p.order_id = $1 AND p.live",
            order_id,
            CREATE,
        )
        return None if found is None else OperationId(found["id"])

    async def is_being_canceled(self, order_id: str) -> bool:
        """Whether the order's live PaymentIntent is about to end: nobody should be asked to pay it."""
        payment = await self.find_live(order_id)
        return payment is not None and await _under_way(payment.id, CANCEL) is not None

    async def plan_capture(
        self, order_id: str, *, amount: int, application_fee: int, now: datetime
    ) -> OperationId:
        """Write the one final capture down. The caller holds the order's lock and asked the gate again.

        Raises PaymentStepRefused unless money is held, while it is being released, and where more than the
        hold is asked.
        """
        payment = await self._held(order_id, "capture")
        releasing = await _under_way(payment.id, CANCEL) is not None
        if releasing or not 0 < amount <= payment.amount_capturable:
            raise PaymentStepRefused("capture", payment_status=payment.status)
        operation_id = OperationId(new_id("op"))
        draft = CaptureDraft(
            operation_id=operation_id,
            payment_id=PaymentId(payment.id),
            intent_id=IntentId(payment.intent_id or ""),
            amount=amount,
            application_fee=application_fee,
        )
        return await self._plan_next(CAPTURE, "capture", payment, draft, operation_id, now)

    async def plan_cancel(
        self, order_id: str, reason: CancellationReason, now: datetime
    ) -> OperationId | None:
        """Write the cancellation down; None when no PaymentIntent of the order is alive at Stripe.

        One that is under way is joined, whatever its reason. Raises PaymentStepRefused when the money has
        already been taken, or while its creation is open.
        """
        require_transaction()
        payment = await self.find_live(order_id)
        if payment is None:
            return None
        if payment.status == states.SUCCEEDED or payment.intent_id is None:
            raise PaymentStepRefused("cancel", payment_status=payment.status)
        under_way = await _under_way(payment.id, CANCEL)
        if under_way is not None:
            return under_way
        operation_id = OperationId(new_id("op"))
        draft = CancelDraft(
            operation_id=operation_id,
            payment_id=PaymentId(payment.id),
            intent_id=IntentId(payment.intent_id),
            reason=reason,
        )
        return await self._plan_next(CANCEL, "cancel", payment, draft, operation_id, now)

    async def _plan_next(
        self,
        kind: str,
        word: str,
        payment: PaymentRecord,
        draft: CaptureDraft | CancelDraft,
        operation_id: OperationId,
        now: datetime,
    ) -> OperationId:
        """A new key only after a definite no: the number counts the noes so far (as `next_key` does)."""
        refused = await row(
            "SELECT count(*) AS noes FROM operations "
            "WHERE subject = $1 AND kind = $2 AND state = 'rejected'",
            payment.id,
            kind,
        )
        number = (refused["noes"] if refused else 0) + 1
        return await self._operations.plan(
            kind=kind,
            subject=payment.id,
            order_id=payment.order_id,
            key=_key(payment.order_id, payment.generation, f"{word}:{number}"),
            draft=draft,
            operation_id=operation_id,
            now=now,
        )

    async def open_intent(self, order_id: str, operation_id: OperationId) -> IntentForBuyer:
        """Create the PaymentIntent, or find the one that exists, and answer what the buyer needs.

        No transaction may be open. Raises StripeRejected and its kinds, NotSent, OutcomeUnknown.
        """
        created: IntentSnapshot | None = await self._operations.carry_out(operation_id)
        return _for_buyer(created) if created is not None else await self.intent_for_buyer(order_id)

    async def intent_for_buyer(self, order_id: str) -> IntentForBuyer:
        """Ask Stripe how the order's live PaymentIntent stands, absorb it, and answer what the buyer needs.

        Raises PaymentNotFound when the order has none.
        """
        payment = await self.find_live(order_id)
        if payment is None or payment.intent_id is None:
            raise PaymentNotFound(order_id)
        snapshot = await self._gateway.retrieve_intent(IntentId(payment.intent_id))
        async with transaction():
            await self._absorption.absorb(order_id, snapshot)
        return _for_buyer(snapshot)

    async def carry_out(self, operation_id: OperationId) -> None:
        """Capture or cancel as planned. No transaction may be open.

        When the PaymentIntent has moved on without us it is read and absorbed first, then
        PaymentStepRefused tells the status it really has. Raises StripeRejected and its kinds, NotSent,
        OutcomeUnknown.
        """
        try:
            await self._operations.carry_out(operation_id)
        except StripeRejected as rejection:
            operation = await self._operations.require(operation_id)
            if rejection.code != UNEXPECTED_STATE or operation.order_id is None:
                raise
            payment = await self.refresh(operation.order_id)
            if payment.status == _AIM[operation.kind]:
                return  # somebody else (the Dashboard, an answer that got lost) did just that
            raise PaymentStepRefused(operation.kind, payment_status=payment.status) from rejection

    async def refresh(self, order_id: str) -> PaymentRecord:
        """Ask Stripe how the order's latest PaymentIntent stands and absorb the answer.

        Raises PaymentNotFound when nothing was ever asked of Stripe for this order.
        """
        payment = await self.find(order_id)
        if payment is None or payment.intent_id is None:
            raise PaymentNotFound(order_id)
        return await self.refresh_intent(order_id, IntentId(payment.intent_id))

    async def refresh_intent(self, order_id: str, intent_id: IntentId) -> PaymentRecord:
        """Ask Stripe how this PaymentIntent of the order stands and absorb the answer."""
        snapshot = await self._gateway.retrieve_intent(intent_id)
        async with transaction():
            return await self._absorption.absorb(order_id, snapshot)

    async def refresh_due(self, now: datetime, limit: int = 50) -> int:
        """Read payments Stripe may have moved without our hearing of it; answers how many were read.

        Those that are open, and those with a refund on its way. A young payment is read every minute, an
        older one after an eighth of its age, a few hours at most: a lost webhook is made good within
        minutes, and a checkout abandoned for a day costs some thirty reads.
        """
        due = [*await _claim(_OPEN, now, limit), *await _claim(_REFUNDING, now, limit)]
        for record in due:
            try:
                await self.refresh_intent(record["order_id"], IntentId(record["intent_id"]))
            except PaymentError as error:
                _log.warning(
                    "payment could not be refreshed",
                    order_id=record["order_id"],
                    error=type(error).__name__,
                )
            except Exception:  # noqa: BLE001 - what one order cannot take in must not stop the others
                _log.exception(
                    "payment could not be absorbed", order_id=record["order_id"], alarm=True
                )
        return len(due)

    async def find(self, order_id: str) -> PaymentRecord | None:
        """The order's latest payment, whatever its status."""
        found = await row(
            f"SELECT {COLUMNS} FROM payments WHERE order_id = $1 ORDER BY generation DESC LIMIT 1",
            order_id,
        )
        return None if found is None else PaymentRecord(**found)

    async def find_live(self, order_id: str) -> PaymentRecord | None:
        """The order's payment that may still take money or has taken it; there is at most one."""
        found = await row(f"SELECT {COLUMNS} FROM payments WHERE order_id = $1 AND live", order_id)
        return None if found is None else PaymentRecord(**found)

    async def attempts(self, order_id: str) -> list[AttemptRecord]:
        """What banks said about this order, oldest first."""
        found = await rows(
            f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE order_id = $1 ORDER BY id", order_id
        )
        return [AttemptRecord(**record) for record in found]

    async def _held(self, order_id: str, step: str) -> PaymentRecord:
        require_transaction()
        payment = await self.find_live(order_id)
        if payment is None:
            raise PaymentNotFound(order_id)
        if payment.status != states.REQUIRES_CAPTURE:
            raise PaymentStepRefused(step, payment_status=payment.status)
        return payment


_OPEN = "live AND status <> 'succeeded' AND intent_id IS NOT NULL"
_REFUNDING = (
    "id IN (SELECT payment_id FROM refunds WHERE status IN ('pending', 'requires_action')) "
    "AND status = 'succeeded'"
)


async def _claim(which: str, now: datetime, limit: int) -> list[asyncpg.Record]:
    """Payments of these that have not been read for long, each handed to one caller."""
    return await rows(
        "UPDATE payments SET checked_at = $1 WHERE id IN ("
        f"  SELECT id FROM payments WHERE {which} AND checked_at < $1::timestamptz - greatest("
        "    interval '1 minute', least(($1::timestamptz - created_at) / 8, interval '3 hours')) "
        "  ORDER BY checked_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING order_id, intent_id",
        now,
        limit,
    )


async def _under_way(payment_id: str, kind: str) -> OperationId | None:
    """The operation of that kind whose outcome is still open."""
    found: str | None = await value(
        "SELECT id FROM operations WHERE subject = $1 AND kind = $2 AND concluded_at IS NULL",
        payment_id,
        kind,
    )
    return None if found is None else OperationId(found)


def _key(order_id: str, generation: int, what: str) -> IdempotencyKey:
    return IdempotencyKey(f"order:{order_id}:g{generation}:{what}")


def _for_buyer(snapshot: IntentSnapshot) -> IntentForBuyer:
    return IntentForBuyer(
        intent_id=snapshot.id,
        client_secret=snapshot.client_secret,
        status=snapshot.status,
        amount=snapshot.amount,
        currency=snapshot.currency,
    )


async def _insert_payment(payment_id: PaymentId, charge: DestinationCharge, now: datetime) -> None:
    await execute(
        "INSERT INTO payments (id, order_id, seller_id, generation, live, currency, amount, "
        "application_fee, capture_method, destination, status, amount_capturable, amount_captured, "
        "fee_captured, amount_refunded, fee_refunded, processing_cost, created_at, updated_at, checked_at) "
        "VALUES ($1, $2, $3, $4, true, $5, $6, $7, $8, $9, 'planned', 0, 0, 0, 0, 0, 0, $10, $10, $10)",
        payment_id,
        charge.order_id,
        charge.seller_id,
        charge.generation,
        charge.currency,
        charge.amount,
        charge.application_fee,
        charge.capture_method,
        charge.destination,
        now,
    )
