"""The port: what payments asks of Stripe, in our words. `stripe_gateway.py` answers it.

Arguments and results are ours; every mutating method takes the idempotency key; everything Stripe would
default is said explicitly; a snapshot is a fact without behaviour; an adapter holds no decisions. Every
method raises the errors of `payments.errors`: StripeRejected and its kinds, NotSent, OutcomeUnknown,
StripeMisconfigured. Amounts are minor units, times are aware UTC.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from payments.ids import (
    ConnectedAccountId,
    IdempotencyKey,
    IntentId,
    OperationId,
    OrderId,
    PaymentId,
    RefundId,
    SellerId,
)

CaptureMethod = Literal["automatic", "manual"]
CancellationReason = Literal["abandoned", "duplicate", "fraudulent", "requested_by_customer"]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """Frozen parameters of one request: stored with the operation, sent again unchanged."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where goods go. `country` is ISO 3166-1 alpha-2."""

    line1: str
    line2: str | None = None
    city: str | None = None
    postal_code: str | None = None
    state: str | None = None
    country: str


class Shipping(msgspec.Struct, frozen=True, kw_only=True):
    """To whom goods are sent; Stripe shows it to the bank and keeps it as evidence."""

    name: str
    phone: str | None = None
    address: Address


class IntentDraft(Draft, frozen=True, kw_only=True):
    """A destination charge to be: created without a payment method, so that nobody can pay an orphan."""

    operation_id: OperationId
    payment_id: PaymentId
    order_id: OrderId
    seller_id: SellerId
    generation: int
    amount: int
    currency: str
    application_fee: int
    destination: ConnectedAccountId
    capture_method: CaptureMethod
    receipt_email: str
    description: str
    # Only cards of this Customer of Stripe's may be used again, and only theirs are saved.
    customer_id: str | None = None
    save_card: bool = False
    shipping: Shipping | None = None


class UpdateDraft(Draft, frozen=True, kw_only=True):
    """Another cart: its amount, fee and shipping in one update. None as shipping leaves it as it is."""

    operation_id: OperationId
    payment_id: PaymentId
    order_id: OrderId
    intent_id: IntentId
    # Of the cart; Stripe keeps it, so that a read tells which cart it has.
    version: int
    amount: int
    application_fee: int
    shipping: Shipping | None


class KeepCardDraft(Draft, frozen=True, kw_only=True):
    """Whatever card pays this PaymentIntent is kept for its buyer, or is not (`keep` false)."""

    operation_id: OperationId
    payment_id: PaymentId
    order_id: OrderId
    intent_id: IntentId
    keep: bool = True


class ConfirmDraft(Draft, frozen=True, kw_only=True):
    """One attempt to pay with a saved card while its owner is there: exactly `amount`, or nothing."""

    operation_id: OperationId
    payment_id: PaymentId
    order_id: OrderId
    intent_id: IntentId
    payment_method_id: str
    amount: int
    # Where a bank that wants to see the buyer sends their browser back to.
    return_url: str | None
    asked_at: datetime


class CaptureDraft(Draft, frozen=True, kw_only=True):
    """One final capture. The fee is sent too: Stripe would only cap the old one."""

    operation_id: OperationId
    payment_id: PaymentId
    intent_id: IntentId
    amount: int
    application_fee: int
    # Whether the PaymentIntent asks for a fee: only then must a fee of zero be said.
    asks_fee: bool = True


class CancelDraft(Draft, frozen=True, kw_only=True):
    """Stop a PaymentIntent for good; a hold on the card is released."""

    operation_id: OperationId
    payment_id: PaymentId
    intent_id: IntentId
    reason: CancellationReason


class RefundDraft(Draft, frozen=True, kw_only=True):
    """Money back to the buyer, with the seller's transfer reversed and the fee returned in proportion."""

    operation_id: OperationId
    refund_id: RefundId
    payment_id: PaymentId
    order_id: OrderId
    intent_id: IntentId
    amount: int
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None
    reverse_transfer: bool
    refund_application_fee: bool


class CardSeen(msgspec.Struct, frozen=True):
    """What may be kept of a card."""

    brand: str | None
    last4: str | None
    # Stripe's mark of the card itself, whichever way it was given.
    fingerprint: str | None = None


class DeclineSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The PaymentIntent's last error, in Stripe's words. `reference` names it once and for all."""

    reference: str
    code: str | None
    decline_code: str | None
    advice_code: str | None
    card: CardSeen | None
    payment_method_id: str | None = None


class RefundSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A refund as Stripe says it is. `moved` tells whether it has a balance transaction."""

    id: str
    refund_id: RefundId | None
    amount: int
    currency: str
    status: str
    reason: str | None
    failure_reason: str | None
    moved: bool
    # The seller's part of it, when their transfer was reversed; None when the platform bore it all.
    transfer_reversal_id: str | None = None
    # How much of the transfer came back with it; None where only the reversal's id was shown.
    reversal_amount: int | None = None
    # Why it is pending, in Stripe's words: `processing`, `insufficient_funds`, `charge_pending`.
    pending_reason: str | None = None
    created_at: datetime


class ChargeSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The PaymentIntent's latest charge, with what came of it."""

    id: str
    status: str
    captured: bool
    amount_captured: int
    amount_refunded: int
    transfer_id: str | None
    application_fee_id: str | None
    application_fee: int
    fee_refunded: int
    processing_cost: int
    capture_before: datetime | None
    card: CardSeen | None
    refunds: tuple[RefundSnapshot, ...]
    created_at: datetime
    # When Stripe booked the money, which for a hold is days after `created_at`.
    captured_at: datetime | None = None
    # The currency that Stripe converted the money into; None where it was booked in the charge's own. What
    # Stripe kept of it is then no part of `processing_cost`.
    settled_in: str | None = None


class IntentSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What Stripe said a PaymentIntent is, at one moment. The client secret is passed on, never kept."""

    id: IntentId
    status: str
    amount: int
    currency: str
    application_fee: int
    capture_method: str
    destination: str | None
    amount_capturable: int
    amount_received: int
    cancellation_reason: str | None
    order_id: str | None
    payment_id: str | None
    client_secret: str
    decline: DeclineSeen | None
    # None when there is no charge yet, or when the answer only named it (see `complete`).
    charge: ChargeSnapshot | None
    # Whether `charge` tells all there is; False where Stripe gave only the charge's id.
    complete: bool
    created_at: datetime
    request_id: str | None
    customer_id: str | None = None
    # Whether paying also keeps the card for the customer.
    saves_card: bool = False
    payment_method_id: str | None = None
    # The cart that the last update brought; None when there was no update.
    cart_version: int | None = None

    def __repr__(self) -> str:
        """Never shows the client secret."""
        return f"IntentSnapshot({self.id}, {self.status}, {self.amount} {self.currency})"


class BalanceTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of the platform's Stripe balance, with the ids that tie it to a payment."""

    id: str
    type: str
    reporting_category: str
    amount: int
    fee: int
    net: int
    currency: str
    source_id: str | None
    # The charge this movement belongs to, read from the expanded source.
    charge_id: str | None
    created_at: datetime


class PaymentGateway(Protocol):
    """Stripe, as payments needs it."""

    async def create_intent(self, draft: IntentDraft, key: IdempotencyKey) -> IntentSnapshot: ...

    async def update_intent(self, draft: UpdateDraft, key: IdempotencyKey) -> IntentSnapshot: ...

    async def keep_card(self, draft: KeepCardDraft, key: IdempotencyKey) -> IntentSnapshot: ...

    async def confirm_intent(self, draft: ConfirmDraft, key: IdempotencyKey) -> IntentSnapshot: ...

    async def capture_intent(self, draft: CaptureDraft, key: IdempotencyKey) -> IntentSnapshot: ...

    async def cancel_intent(self, draft: CancelDraft, key: IdempotencyKey) -> IntentSnapshot: ...

    async def retrieve_intent(self, intent_id: IntentId) -> IntentSnapshot:
        """The PaymentIntent with its charge, refunds, fee and balance transaction, in one request.

        Like everything asked of one PaymentIntent it raises IntentMissing where Stripe does not know it.
        """
        ...

    async def find_intent(self, draft: IntentDraft) -> IntentSnapshot | None:
        """Look for the PaymentIntent a lost create may have made (by metadata `operation_id`)."""
        ...

    async def create_refund(self, draft: RefundDraft, key: IdempotencyKey) -> RefundSnapshot: ...

    async def find_refund(self, draft: RefundDraft) -> RefundSnapshot | None:
        """Look for the refund a lost request may have made (by metadata `refund_id`)."""
        ...

    def balance_transactions(
        self, *, since: datetime, until: datetime
    ) -> AsyncIterator[BalanceTransaction]:
        """Every movement of the platform's balance created in `[since, until)`, oldest last."""
        ...
