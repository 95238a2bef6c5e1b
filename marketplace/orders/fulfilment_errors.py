"""What can go wrong between a held payment and a happy buyer. Classes carry data, and no HTTP.

OrderError
|-- LineUnknown           what was prepared is not in the order
|-- PreparedTooMany       more was prepared than was ordered
|-- NothingPrepared       nothing is left to capture: cancel the order instead
|-- PreparationUnderWay   the money is being captured for other lines
|-- CancellationUnderWay  the buyer's money is on its way back
|-- ShippedAlready        what is on its way is refunded, not canceled
|-- NotPaidFor            no captured money is behind this order
|-- ParcelRefused         no carrier or tracking number could be this
|-- NotASession           only sessions have a time
|-- SessionTimeRefused    a time that lies behind, too far ahead, or is no span
|-- SessionNotStarted     nobody can have missed it yet
`-- CompletionTooEarly    it is not certain yet that the buyer has what they paid for
"""

from datetime import datetime

from marketplace.orders.errors import OrderError


class LineUnknown(OrderError):
    """`listing_id` was prepared and is no line of the order."""

    def __init__(self, order_id: str, listing_id: str) -> None:
        self.order_id, self.listing_id = order_id, listing_id
        super().__init__(order_id, listing_id)


class PreparedTooMany(OrderError):
    """`quantity` was prepared where `ordered` were ordered; or less than none."""

    def __init__(self, listing_id: str, quantity: int, ordered: int) -> None:
        self.listing_id, self.quantity, self.ordered = listing_id, quantity, ordered
        super().__init__(listing_id, quantity, ordered)


class NothingPrepared(OrderError):
    """Every line was left out: there is nothing to capture, so the order is to be canceled."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class PreparationUnderWay(OrderError):
    """The money is being captured for other lines: an order is captured once."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class CancellationUnderWay(OrderError):
    """Somebody canceled the order: the buyer's money is on its way back, or should be."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class ShippedAlready(OrderError):
    """The parcel is on its way: its buyer asks the seller for a refund instead of canceling."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class NotPaidFor(OrderError):
    """No captured money is behind the order, or all of it went back: nothing should leave the shop."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class ParcelRefused(OrderError):
    """`field` (carrier, tracking_number) is empty, longer than `limit`, or not printable."""

    def __init__(self, field: str, limit: int) -> None:
        self.field, self.limit = field, limit
        super().__init__(field, limit)


class NotASession(OrderError):
    """The order is of products: it has no time."""

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(order_id)


class SessionTimeRefused(OrderError):
    """`why`: past, too_soon, too_far, too_short or too_long; `limit` is the nearest time that would do."""

    def __init__(self, why: str, limit: datetime) -> None:
        self.why, self.limit = why, limit
        super().__init__(why, limit)


class SessionNotStarted(OrderError):
    """Nobody can have missed it yet: `absent_from` is when they can, None before it has a time."""

    def __init__(self, order_id: str, absent_from: datetime | None) -> None:
        self.order_id, self.absent_from = order_id, absent_from
        super().__init__(order_id, absent_from)


class CompletionTooEarly(OrderError):
    """`why`: not_scheduled, session_ahead, not_shipped, or buyer_may_object.

    `allowed_from` is when the caller may complete it; None while nobody can say.
    """

    def __init__(self, order_id: str, why: str, allowed_from: datetime | None) -> None:
        self.order_id, self.why, self.allowed_from = order_id, why, allowed_from
        super().__init__(order_id, why, allowed_from)
