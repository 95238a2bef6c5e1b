"""Facts about payments, in the past tense, handed upward inside the transaction that made them true."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec


class PaymentFact(msgspec.Struct, frozen=True, kw_only=True):
    """What every fact says: which order, which payment, when, and what made it known."""

    order_id: str
    payment_id: str
    occurred_at: datetime


class PaymentAuthorized(PaymentFact, frozen=True, kw_only=True):
    """The buyer's bank holds the amount. Capture it before `capture_before`. Minor units."""

    amount: int
    capture_before: datetime | None


class PaymentCaptured(PaymentFact, frozen=True, kw_only=True):
    """The money moved: `amount` in total so far, of which `application_fee` is the platform's."""

    amount: int
    application_fee: int


class PaymentDeclined(PaymentFact, frozen=True, kw_only=True):
    """The bank said no; `reason` is our stable code. The PaymentIntent can be tried again."""

    reason: str


class PaymentNotCreated(PaymentFact, frozen=True, kw_only=True):
    """Stripe refused to create the PaymentIntent; `code` is Stripe's. A new generation may be tried."""

    code: str


class PaymentCanceled(PaymentFact, frozen=True, kw_only=True):
    """The PaymentIntent can never be paid again; nothing was taken."""

    reason: str | None


class PaymentProcessing(PaymentFact, frozen=True, kw_only=True):
    """An asynchronous method is on its way: it settles or fails within days. Minor units."""

    amount: int


class PaymentAmended(PaymentFact, frozen=True, kw_only=True):
    """Stripe took the amount and fee of cart `version`. Minor units."""

    version: int
    amount: int
    application_fee: int


class AmendmentRefused(PaymentFact, frozen=True, kw_only=True):
    """Stripe refused the amount of cart `version`; the PaymentIntent still asks for the earlier one."""

    version: int
    code: str


class CaptureRefused(PaymentFact, frozen=True, kw_only=True):
    """Stripe will not take the money that is held; `code` is Stripe's. The hold stands as it was."""

    code: str
    seller_cannot_receive: bool


class ConfirmationRefused(PaymentFact, frozen=True, kw_only=True):
    """Stripe itself, not the bank, refused an attempt with a saved card; `code` is Stripe's."""

    code: str
    seller_cannot_receive: bool


class AmountMismatched(PaymentFact, frozen=True, kw_only=True):
    """Stripe holds or took `received` where the order asks for `expected`. Minor units."""

    expected: int
    received: int


class DisputeOpened(PaymentFact, frozen=True, kw_only=True):
    """The buyer's bank asks for `amount` (minor units) back; an `inquiry` takes no money yet."""

    dispute_id: str
    amount: int
    reason: str
    inquiry: bool
    evidence_due_by: datetime | None


class DisputeClosed(PaymentFact, frozen=True, kw_only=True):
    """The bank has decided; `status` is Stripe's word: won, lost, warning_closed, prevented."""

    dispute_id: str
    amount: int
    status: str


class FraudWarned(PaymentFact, frozen=True, kw_only=True):
    """The bank thinks that the payment was not the card owner's: refunding now avoids a dispute."""

    warning_id: str
    fraud_type: str
    actionable: bool


class DebtOpened(PaymentFact, frozen=True, kw_only=True):
    """The seller owes the platform `amount` (minor units): their transfer could not be taken back."""

    debt_id: str
    seller_id: str
    amount: int


class DebtSettled(PaymentFact, frozen=True, kw_only=True):
    """The seller owes `amount` (minor units) less, by this order's money or because the cause fell away."""

    debt_id: str
    seller_id: str
    amount: int
    left: int


class TransferReversed(PaymentFact, frozen=True, kw_only=True):
    """Somebody took `amount` (minor units) of the seller's share back at Stripe, past this program."""

    movement_id: str
    seller_id: str
    amount: int


class TransferGivenUp(PaymentFact, frozen=True, kw_only=True):
    """Stripe has said no for a month to sending the seller `amount` (minor units) that is theirs.

    `code` is Stripe's last word. Nothing tries it again by itself.
    """

    movement_id: str
    seller_id: str
    amount: int
    code: str


class TransferSent(PaymentFact, frozen=True, kw_only=True):
    """Money that Stripe had refused to send before reached the seller's account. Minor units."""

    movement_id: str
    amount: int


class RefundSucceeded(PaymentFact, frozen=True, kw_only=True):
    """Money went back to the buyer; `amount_refunded` is the payment's total so far."""

    refund_id: str
    amount: int
    amount_refunded: int


class RefundFailed(PaymentFact, frozen=True, kw_only=True):
    """A refund that Stripe could not deliver; the money is back on the platform's balance."""

    refund_id: str
    amount: int
    reason: str | None


PaymentEvent = (
    PaymentAuthorized
    | PaymentCaptured
    | PaymentDeclined
    | PaymentNotCreated
    | PaymentCanceled
    | PaymentProcessing
    | PaymentAmended
    | AmendmentRefused
    | CaptureRefused
    | ConfirmationRefused
    | AmountMismatched
    | RefundSucceeded
    | RefundFailed
    | DisputeOpened
    | DisputeClosed
    | FraudWarned
    | DebtOpened
    | DebtSettled
    | TransferReversed
    | TransferGivenUp
    | TransferSent
)
Announce = Callable[[PaymentEvent], Awaitable[None]]
"""Called inside the open transaction; whatever it raises undoes the whole step."""
Clock = Callable[[], datetime]
"""Now, aware, UTC. Passed in, so that tests move time instead of sleeping."""
