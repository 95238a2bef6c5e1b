"""What can go wrong with orders. Classes carry data, not sentences, and no HTTP.

OrderError (what stands between a held payment and a happy buyer is in `fulfilment_errors.py`)
|-- OrderNotFound         no such order, or not this person's: the same answer
|-- OrderStepRefused      the order's status does not allow this step
|-- PaidAlready           money was taken while a cancellation was asked for
|-- SellerOnly            only the order's seller, or an admin, may do this
|-- OwnOrderDecision      an admin decides nothing about what they bought or sell themself
|-- CheckoutOver          the time to pay is over
|-- HoldLapsing           the bank's hold ends too soon to capture safely
|-- MessageRefused        an empty message, or one that is too long
|-- RefundLinesRefused    these lines cannot be refunded
|-- RefundPolicyForAdmins who bears a refund is the platform's to say
|-- RefundPolicyRefused   a fee that nobody could be given back
|-- RefundNeedsApproval   more than one admin may refund alone
|-- OrderKeyReused        the same idempotency key with another order's content
|-- ChangeUnderWay        a change of the cart waits for Stripe's answer
|-- CartFrozen            the buyer is confirming: the cart may not change now
|-- ConfirmationUnderWay  a payment is on its way: it cannot be gone back on
|-- TotalChanged          the order costs something else than the buyer was shown
|-- BoughtAlready         the buyer just bought the same: asked before money is taken again
|-- FulfilmentHeld        the money does not match the order: people look first
|-- FulfilmentNotHeld     there is nothing to release
|-- ShippingRefused       this address cannot be sent to
|-- ShippingNotNeeded     a session is not shipped
|-- GroupNotFound         no such checkout group, or not this person's
|-- GroupAbandoned        the buyer gave the checkout group up
|-- GroupTotalsChanged    the group costs something else than the buyer was shown
`-- LinesRefused          what was asked for cannot be one order
    |-- NoLines / TooManyLines / TooManySellers / QuantityRefused / ListingRepeated
    |-- ListingNotOffered
    |-- SeveralSellers / SeveralCurrencies / MixedCapture
    `-- OwnListing
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from payments.money import Money


class OrderError(Exception):
    """Root of everything orders raise."""

    def __init__(self, *details: Any) -> None:
        super().__init__(*details)


class OrderNotFound(OrderError):
    """No such order, or it is somebody else's: nobody learns which."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class OrderStepRefused(OrderError):
    """The order's status does not allow `step`."""

    def __init__(self, order_status: str, step: str) -> None:
        self.order_status, self.step = order_status, step
        super().__init__(order_status, step)


class PaidAlready(OrderError):
    """The money was taken while a cancellation was asked for: asked again, it is given back."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class RefundLinesRefused(OrderError):
    """`why`: count, repeated, unknown, quantity, too_many, or with_amount where an amount came along."""

    def __init__(self, why: str, *, listing_id: str | None = None, refundable: int = 0) -> None:
        self.why, self.listing_id, self.refundable = why, listing_id, refundable
        super().__init__(why, listing_id, refundable)


class RefundPolicyForAdmins(OrderError):
    """Only an admin says who bears a refund and what becomes of the fee."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class RefundPolicyRefused(OrderError):
    """`why` is `fee_of_platform`: a refund that the platform bears costs the seller no fee."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class RefundNeedsApproval(OrderError):
    """An admin would have refunded `amount` of the order alone, more than `limit`: minor units."""

    def __init__(self, order_id: str, *, amount: int, limit: int, currency: str) -> None:
        self.order_id, self.amount = order_id, amount
        self.limit, self.currency = limit, currency
        super().__init__(order_id, amount, limit, currency)


class SellerOnly(OrderError):
    """The caller may see the order, but only its seller (or an admin) may do this."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class OwnOrderDecision(OrderError):
    """An admin is a party to this order: another admin decides about it."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class CheckoutOver(OrderError):
    """The time to pay is over: the order is about to expire."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class HoldLapsing(OrderError):
    """The bank's hold ends at `capture_before`: too near, or past, to capture safely."""

    def __init__(self, order_id: str, capture_before: datetime) -> None:
        self.order_id, self.capture_before = order_id, capture_before
        super().__init__(order_id, capture_before)


class MessageRefused(OrderError):
    """A message about an order that is empty, or longer than `limit` characters."""

    def __init__(self, length: int, limit: int) -> None:
        self.length, self.limit = length, limit
        super().__init__(length, limit)


class OrderKeyReused(OrderError):
    """The buyer's idempotency key made another order: `order_id`."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class ChangeUnderWay(OrderError):
    """A change to cart `version` was asked of Stripe and is not answered yet: wait a moment."""

    def __init__(self, order_id: str, version: int) -> None:
        self.order_id, self.version = order_id, version
        super().__init__(order_id, version)


class CartFrozen(OrderError):
    """The buyer began to confirm `total` (minor units): until that ended the cart stays as it is."""

    def __init__(self, order_id: str, total: int) -> None:
        self.order_id, self.total = order_id, total
        super().__init__(order_id, total)


class ConfirmationUnderWay(OrderError):
    """Stripe says `payment_status`: the payment may succeed at any moment."""

    def __init__(self, order_id: str, payment_status: str) -> None:
        self.order_id, self.payment_status = order_id, payment_status
        super().__init__(order_id, payment_status)


class TotalChanged(OrderError):
    """The buyer was shown `shown` of `shown_currency`; the order costs `total` of `currency`: minor units."""

    def __init__(
        self,
        order_id: str,
        *,
        shown: int,
        total: int,
        currency: str,
        shown_currency: str | None = None,
    ) -> None:
        self.order_id, self.shown, self.total, self.currency = order_id, shown, total, currency
        self.shown_currency = shown_currency or currency
        super().__init__(order_id, shown, self.shown_currency, total, currency)


class BoughtAlready(OrderError):
    """The buyer's order `bought_order_id` has the same lines, and is being or was just paid."""

    def __init__(self, order_id: str, bought_order_id: str) -> None:
        self.order_id, self.bought_order_id = order_id, bought_order_id
        super().__init__(order_id, bought_order_id)


class FulfilmentHeld(OrderError):
    """Nothing may be captured, shipped or completed until an admin has looked: `reason`."""

    def __init__(self, order_id: str, reason: str) -> None:
        self.order_id, self.reason = order_id, reason
        super().__init__(order_id, reason)


class FulfilmentNotHeld(OrderError):
    """Nothing is in the way of this order: there is nothing to release."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class ShippingRefused(OrderError):
    """`field` of a shipping address is missing or cannot be: nothing could be sent there."""

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(field)


class ShippingNotNeeded(OrderError):
    """Sessions are not shipped: keep the address. `order_id` None was not placed for it."""

    def __init__(self, order_id: str | None = None) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class GroupNotFound(OrderError):
    """No such checkout group, or it is somebody else's: nobody learns which."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        super().__init__(group_id)


class GroupAbandoned(OrderError):
    """The buyer gave this checkout group up: make another."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        super().__init__(group_id)


class GroupTotalsChanged(OrderError):
    """The group costs `totals` now, by currency."""

    def __init__(self, group_id: str, totals: Sequence[Money]) -> None:
        self.group_id, self.totals = group_id, tuple(totals)
        super().__init__(group_id, self.totals)


class LinesRefused(OrderError):
    """What was asked for cannot be one order."""


class NoLines(LinesRefused):
    """An order without lines."""


class TooManyLines(LinesRefused):
    """More lines than `limit`."""

    def __init__(self, count: int, limit: int) -> None:
        self.count, self.limit = count, limit
        super().__init__(count, limit)


class TooManySellers(LinesRefused):
    """A cart that would take more orders than `limit`: each is a payment of its own."""

    def __init__(self, count: int, limit: int) -> None:
        self.count, self.limit = count, limit
        super().__init__(count, limit)


class QuantityRefused(LinesRefused):
    """A quantity outside 1 to `limit`."""

    def __init__(self, listing_id: str, quantity: int, limit: int) -> None:
        self.listing_id, self.quantity, self.limit = listing_id, quantity, limit
        super().__init__(listing_id, quantity, limit)


class ListingRepeated(LinesRefused):
    """The same listing in two lines: say the quantity once."""

    def __init__(self, listing_id: str) -> None:
        self.listing_id = listing_id
        super().__init__(listing_id)


class ListingNotOffered(LinesRefused):
    """No such listing, or it is archived."""

    def __init__(self, listing_id: str) -> None:
        self.listing_id = listing_id
        super().__init__(listing_id)


class SeveralSellers(LinesRefused):
    """An order has one seller: make one order for each."""

    def __init__(self, seller_ids: tuple[str, ...]) -> None:
        self.seller_ids = seller_ids
        super().__init__(seller_ids)


class SeveralCurrencies(LinesRefused):
    """An order has one currency: make one order for each."""

    def __init__(self, currencies: tuple[str, ...]) -> None:
        self.currencies = currencies
        super().__init__(currencies)


class MixedCapture(LinesRefused):
    """Sessions are captured at checkout, products when prepared: one order cannot be both."""


class OwnListing(LinesRefused):
    """A seller may not buy from themself."""

    def __init__(self, seller_id: str) -> None:
        self.seller_id = seller_id
        super().__init__(seller_id)
