"""What can go wrong with orders. Classes carry data, not sentences, and no HTTP.

OrderError
|-- OrderNotFound         no such order, or not this person's: the same answer
|-- OrderStepRefused      the order's status does not allow this step
|-- PaidAlready           money was taken: it can be refunded, not canceled
|-- SellerOnly            only the order's seller, or an admin, may do this
|-- CheckoutOver          the time to pay is over
|-- HoldLapsing           the bank's hold ends too soon to capture safely
|-- OrderKeyReused        the same idempotency key with another order's content
`-- LinesRefused          what was asked for cannot be one order
    |-- NoLines / TooManyLines / QuantityRefused / ListingRepeated
    |-- ListingNotOffered
    |-- SeveralSellers / SeveralCurrencies / MixedCapture
    `-- OwnListing
"""

from datetime import datetime
from typing import Any


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
    """The money was taken: ask for a refund instead of a cancellation."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class SellerOnly(OrderError):
    """The caller may see the order, but only its seller (or an admin) may do this."""

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


class OrderKeyReused(OrderError):
    """The buyer's idempotency key made another order: `order_id`."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class LinesRefused(OrderError):
    """What was asked for cannot be one order."""


class NoLines(LinesRefused):
    """An order without lines."""


class TooManyLines(LinesRefused):
    """More lines than `limit`."""

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
