"""Stripe's JSON as far as payments reads it: pure structs, API version 2026-10-28.endive.

Only the fields we use are named; every other one is ignored. A field is optional here when
Stripe's own description says so. An answer that does not fit is treated as no answer at all
(OutcomeUnknown), so that a surprise can never be booked.
"""

from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec


class Identified(Protocol):
    """An object of Stripe's: lists are walked by id."""

    @property
    def id(self) -> str: ...


Item = TypeVar("Item", bound=Identified)


class Page(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """A page of a list or of a search, newest first."""

    data: list[Item]
    has_more: bool


class CardDetails(msgspec.Struct, frozen=True):
    """`payment_method_details.card` of a charge, `payment_method.card` of an error."""

    brand: str | None = None
    last4: str | None = None
    fingerprint: str | None = None
    # Unix seconds; only while the money is held and not captured.
    capture_before: int | None = None


class MethodDetails(msgspec.Struct, frozen=True):
    """`payment_method_details` of a charge."""

    card: CardDetails | None = None


class MethodObject(msgspec.Struct, frozen=True, kw_only=True):
    """A PaymentMethod: a new one for each card a browser sends."""

    id: str
    card: CardDetails | None = None


class BalanceTransactionObject(msgspec.Struct, frozen=True, kw_only=True):
    """A movement of a Stripe balance; `source` is an id, or the object when it was expanded."""

    id: str
    type: str
    reporting_category: str
    amount: int
    fee: int
    net: int
    currency: str
    created: int
    source: str | dict[str, Any] | None


class ApplicationFeeObject(msgspec.Struct, frozen=True, kw_only=True):
    """The platform's fee; `originating_transaction` is our charge."""

    id: str
    amount: int
    amount_refunded: int
    originating_transaction: str | None = None


class TransferObject(msgspec.Struct, frozen=True, kw_only=True):
    """Money moved to the connected account; `source_transaction` is our charge."""

    id: str
    source_transaction: str | None = None


class ReversalObject(msgspec.Struct, frozen=True, kw_only=True):
    """Money of a transfer that came back with a refund."""

    id: str
    amount: int


class RefundObject(msgspec.Struct, frozen=True, kw_only=True):
    """Money going back to the buyer."""

    id: str
    amount: int
    currency: str
    status: str | None
    created: int
    reason: str | None = None
    failure_reason: str | None = None
    balance_transaction: str | BalanceTransactionObject | None = None
    # The seller's money coming back with it, when that was asked for.
    transfer_reversal: str | ReversalObject | None = None
    pending_reason: str | None = None
    metadata: dict[str, str] | None = None


class ChargeObject(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to take the money, with what came of it."""

    id: str
    status: str
    amount: int
    amount_captured: int
    amount_refunded: int
    currency: str
    captured: bool
    created: int
    transfer: str | TransferObject | None = None
    application_fee: str | ApplicationFeeObject | None = None
    balance_transaction: str | BalanceTransactionObject | None = None
    payment_method_details: MethodDetails | None = None
    # Only there when expanded.
    refunds: Page[RefundObject] | None = None


class TransferData(msgspec.Struct, frozen=True, kw_only=True):
    """Where a destination charge sends its money: an account's id."""

    destination: str


class PaymentErrorObject(msgspec.Struct, frozen=True, kw_only=True):
    """`last_payment_error` of a PaymentIntent: why the last confirmation failed."""

    type: str
    code: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None
    charge: str | None = None
    payment_method: MethodObject | None = None


class PaymentIntentObject(msgspec.Struct, frozen=True, kw_only=True):
    """A PaymentIntent; `latest_charge` is an id, or the charge when it was expanded."""

    object: Literal["payment_intent"]
    id: str
    status: str
    amount: int
    currency: str
    capture_method: str
    amount_capturable: int
    amount_received: int
    created: int
    client_secret: str
    metadata: dict[str, str]
    application_fee_amount: int | None = None
    transfer_data: TransferData | None = None
    cancellation_reason: str | None = None
    last_payment_error: PaymentErrorObject | None = None
    customer: str | None = None
    setup_future_usage: str | None = None
    payment_method: str | None = None
    latest_charge: str | ChargeObject | None = None

    def __repr__(self) -> str:
        """Never shows the client secret."""
        return f"PaymentIntentObject({self.id}, {self.status})"
