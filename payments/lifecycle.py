"""Payments: plan, open, amend, confirm, capture, cancel and refresh the PaymentIntent of an order.

`plan_*` runs inside the caller's transaction and only writes down what will be asked; after the commit
`open_intent`, `carry_out` or `carry_out_confirmation` asks Stripe and absorbs the answer. Nothing here
confirms on create: a lost create leaves an object that nobody holds the secret of, so nobody can pay it.
"""

from datetime import datetime
from typing import Final

from payments import missing_intents, reading, states
from payments.absorption import MOVED_ON, Absorption
from payments.amendment import Amendment, UpdateIntent
from payments.card_keeping import CardKeeping, KeepCard
from payments.charges import DestinationCharge, IntentForBuyer
from payments.confirmation import Confirmation, ConfirmIntent
from payments.currencies import check_chargeable
from payments.database import execute, require_transaction, row
from payments.errors import MISSING, PaymentStepRefused, StripeRejected
from payments.events import Announce, Clock
from payments.gateway import (
    CancellationReason,
    IntentDraft,
    IntentSnapshot,
    PaymentGateway,
    Shipping,
)
from payments.ids import (
    ConnectedAccountId,
    IntentId,
    OperationId,
    OrderId,
    PaymentId,
    SellerId,
    new_id,
)
from payments.intent_operations import CancelIntent, CaptureIntent, CreateIntent
from payments.operations import Operations
from payments.records import AttemptRecord, PaymentRecord
from payments.refreshing import Refreshing
from payments.taking import Taking
from payments.under_way import (
    CANCEL,
    CAPTURE,
    CONFIRM,
    CREATE,
    KEEP_CARD,
    UPDATE,
    operation_under_way,
)

__all__ = ["DestinationCharge", "IntentForBuyer", "Payments"]

_AIM: Final = {CAPTURE: states.SUCCEEDED, CANCEL: states.CANCELED}


class Payments:
    """The use cases of one order's payment."""

    def __init__(
        self, gateway: PaymentGateway, operations: Operations, announce: Announce, clock: Clock
    ) -> None:
        self._operations = operations
        self._absorption = absorption = Absorption(announce, clock)
        self._refreshing = Refreshing(gateway, absorption, clock)
        self._amendment = Amendment(operations)
        self._confirmation = Confirmation(operations, self._refreshing)
        self._taking = Taking(operations)
        self._card_keeping = CardKeeping(operations)
        operations.register(CREATE, CreateIntent(gateway, absorption, announce, clock))
        operations.register(UPDATE, UpdateIntent(gateway, absorption, announce, clock))
        operations.register(KEEP_CARD, KeepCard(gateway, absorption))
        operations.register(CONFIRM, ConfirmIntent(gateway, absorption, announce, clock))
        operations.register(
            CAPTURE, CaptureIntent(gateway, absorption, announce, clock), standing=True
        )
        operations.register(
            CANCEL, CancelIntent(gateway, absorption, announce, clock), standing=True
        )

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
            customer_id=charge.customer_id,
            save_card=charge.save_card,
            shipping=charge.shipping,
        )
        return await self._operations.plan(
            kind=CREATE,
            subject=payment_id,
            order_id=charge.order_id,
            key=reading.key_of(charge.order_id, charge.generation, "pi:create"),
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
        return payment is not None and await operation_under_way(payment.id, CANCEL) is not None

    async def may_come_back(self, order_id: str) -> bool:
        """Whether a PaymentIntent of the order was given up that Stripe may know after all: beside another
        one both could be paid."""
        return await missing_intents.may_come_back(order_id)

    async def plan_capture(
        self, order_id: str, *, amount: int, application_fee: int, now: datetime
    ) -> OperationId:
        """Write the one final capture down. The caller holds the order's lock and asked the gate again.

        Raises PaymentStepRefused unless money is held, while it is being released, and where more than the
        hold is asked.
        """
        return await self._taking.plan_capture(
            order_id, amount=amount, application_fee=application_fee, now=now
        )

    async def plan_cancel(
        self, order_id: str, reason: CancellationReason, now: datetime
    ) -> OperationId | None:
        """Write the cancellation down; None when no PaymentIntent of the order is alive at Stripe.

        One that is under way is joined, whatever its reason. Raises PaymentStepRefused when the money has
        already been taken, or while its creation is open.
        """
        return await self._taking.plan_cancel(order_id, reason, now)

    async def open_intent(self, order_id: str, operation_id: OperationId) -> IntentForBuyer:
        """Create the PaymentIntent, or find the one that exists, and answer what the buyer needs.

        No transaction may be open. Raises StripeRejected and its kinds, NotSent, OutcomeUnknown.
        """
        created: IntentSnapshot | None = await self._operations.carry_out(operation_id)
        if created is None:
            return await self.intent_for_buyer(order_id)
        return IntentForBuyer.of(created)

    async def intent_for_buyer(self, order_id: str) -> IntentForBuyer:
        """Ask Stripe how the order's live PaymentIntent stands, absorb it, and answer what the buyer needs.

        Raises PaymentNotFound when the order has none.
        """
        return await self._refreshing.intent_for_buyer(order_id)

    async def plan_keeping_card(
        self, order_id: str, keep: bool, now: datetime
    ) -> OperationId | None:
        """Write down whether the card which pays the open PaymentIntent is to be kept.

        The caller holds the order's lock. Answers what to carry out first: an earlier wish that is under
        way still, else this one; None when it is so already, or no PaymentIntent could still do it.
        """
        return await self._card_keeping.plan(order_id, keep, now)

    async def plan_amendment(
        self,
        order_id: str,
        *,
        amount: int,
        application_fee: int,
        version: int,
        shipping: Shipping | None,
        now: datetime,
    ) -> OperationId | None:
        """Write down that the PaymentIntent follows the cart: minor units, and the cart's version.

        None when no PaymentIntent of the order is alive: the change needs nothing of Stripe. The caller
        holds the order's lock; `carry_out` asks. What Stripe did is announced as PaymentAmended or
        AmendmentRefused, once, whoever learns of it. Raises AmountNotChargeable, and PaymentStepRefused
        where Stripe takes no other amount any more, or while something else is on its way.
        """
        return await self._amendment.plan(
            order_id,
            amount=amount,
            application_fee=application_fee,
            version=version,
            shipping=shipping,
            now=now,
        )

    async def plan_confirmation(
        self,
        order_id: str,
        payment_method_id: str,
        attempt_no: int | None,
        now: datetime,
        *,
        return_url: str | None = None,
    ) -> OperationId:
        """Write one attempt to pay with a saved card down; there is never a second one beside it.

        `attempt_no` is part of its key: asked again it is the same attempt, also after its end. None is the
        attempt under way, else the next one. The caller holds the order's lock. Raises PaymentNotFound,
        CardNotFound (another buyer's card too), CardNotToBeRetried, RequestReused, and PaymentStepRefused
        where nobody may pay any more, or while something else is on its way.
        """
        return await self._confirmation.plan(
            order_id, payment_method_id, attempt_no, now, return_url=return_url
        )

    async def carry_out_confirmation(self, operation_id: OperationId) -> IntentForBuyer:
        """Make the attempt and answer how the PaymentIntent stands, for its buyer only.

        `requires_action` means that the bank wants to see the buyer: their browser goes on with the client
        secret. No transaction may be open. Raises CardDeclined (absorbed, the attempt kept),
        PaymentStepRefused, StripeRejected and its kinds, NotSent, OutcomeUnknown.
        """
        return await self._confirmation.carry_out(operation_id)

    async def carry_out(self, operation_id: OperationId) -> None:
        """Amend, capture or cancel as planned. No transaction may be open.

        When the PaymentIntent has moved on without us it is read and absorbed first, then
        PaymentStepRefused tells the status it really has. Raises StripeRejected and its kinds, NotSent,
        OutcomeUnknown.
        """
        try:
            await self._operations.carry_out(operation_id)
        except StripeRejected as rejection:
            operation = await self._operations.require(operation_id)
            if operation.kind == CANCEL and rejection.code == MISSING:
                return  # what Stripe does not know is given up: nobody can pay it
            if rejection.code not in MOVED_ON or operation.order_id is None:
                raise
            payment = await self.refresh(operation.order_id)
            if payment.status == _AIM.get(operation.kind):
                return  # somebody else (the Dashboard, an answer that got lost) did just that
            raise PaymentStepRefused(operation.kind, payment_status=payment.status) from rejection

    async def refresh(self, order_id: str) -> PaymentRecord:
        """Ask Stripe how the order's latest PaymentIntent stands and absorb the answer.

        Raises PaymentNotFound when nothing was ever asked of Stripe for this order.
        """
        return await self._refreshing.refresh(order_id)

    async def refresh_intent(self, order_id: str, intent_id: IntentId) -> PaymentRecord:
        """Ask Stripe how this PaymentIntent of the order stands and absorb the answer."""
        return await self._refreshing.refresh_intent(order_id, intent_id)

    async def refresh_due(self, now: datetime, limit: int = 50) -> int:
        """The sweep: read payments Stripe may have moved without our hearing of it (`refreshing.py`)."""
        return await self._refreshing.refresh_due(now, limit)

    async def find(self, order_id: str) -> PaymentRecord | None:
        """The order's latest payment, whatever its status."""
        return await reading.find(order_id)

    async def find_live(self, order_id: str) -> PaymentRecord | None:
        """The order's payment that may still take money or has taken it; there is at most one."""
        return await reading.find_live(order_id)

    async def attempts(
        self, order_id: str, after: str | None = None, limit: int | None = None
    ) -> list[AttemptRecord]:
        """What banks said about this order, oldest first: all of it, or at most `limit` after an attempt."""
        return await reading.attempts_of(order_id, after, limit)


async def _insert_payment(payment_id: PaymentId, charge: DestinationCharge, now: datetime) -> None:
    await execute(
        "INSERT INTO payments (id, order_id, seller_id, generation, live, currency, amount, "
        "application_fee, capture_method, customer_id, destination, status, amount_capturable, "
        "amount_captured, fee_captured, amount_refunded, fee_refunded, processing_cost, created_at, "
        "updated_at, checked_at) VALUES ($1, $2, $3, $4, true, $5, $6, $7, $8, $9, $10, 'planned', "
        "0, 0, 0, 0, 0, 0, $11, $11, $11)",
        payment_id,
        charge.order_id,
        charge.seller_id,
        charge.generation,
        charge.currency,
        charge.amount,
        charge.application_fee,
        charge.capture_method,
        charge.customer_id,
        charge.destination,
        now,
    )
