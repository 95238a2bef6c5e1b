"""Which step of an order is told to whom, as what: the one table. Pure.

Buyers hear of what changes for them, sellers of what they must do or lose, admins of what needs a human.
The receipt is Stripe's to send. An order that ends before anything was paid is nobody's news.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from marketplace.messages.kinds import EventType, Kind


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What one step is to each audience; None is nothing."""

    buyer: Kind | None = None
    seller: Kind | None = None
    admins: Kind | None = None
    # What the seller's programs are told.
    event: EventType | None = None
    # Not told again for the same reason, however often somebody tries the same, until more has happened.
    once: bool = False
    # Only when money had been held or taken.
    after_payment: bool = False

    @property
    def silent(self) -> bool:
        """Whether nobody is told."""
        return not (self.buyer or self.seller or self.admins or self.event)


_SILENT: Final = News()

NEWS: Final[Mapping[str, News]] = MappingProxyType(
    {
        "checkout_begun": _SILENT,
        "changed": _SILENT,
        "change_refused": _SILENT,
        "confirmation_begun": _SILENT,
        "confirmation_ended": _SILENT,
        "payment_processing": News(buyer="payment_processing"),
        "payment_failed": News(buyer="payment_failed"),
        "payment_ended": _SILENT,
        "authorized": News(seller="order_to_prepare", event="order.authorized"),
        "authorized_late": News(
            seller="order_to_prepare", admins="order_revived", event="order.authorized"
        ),
        "captured": News(seller="order_paid", event="order.paid"),
        "captured_late": News(seller="order_paid", admins="order_revived", event="order.paid"),
        "fulfilment_held": News(
            seller="fulfilment_held", admins="fulfilment_held", event="order.held"
        ),
        "fulfilment_released": News(seller="fulfilment_released", event="order.released"),
        "preparation_asked": _SILENT,
        "preparation_refused": News(
            buyer="order_not_prepared",
            seller="sale_not_prepared",
            admins="capture_refused",
            once=True,
        ),
        "prepared": News(buyer="order_prepared", event="order.paid"),
        "deadline_reminded": News(seller="deadline_reminded"),
        "deadline_escalated": News(admins="deadline_escalated"),
        # What follows from it, a cancellation or a capture, is told.
        "deadline_reached": _SILENT,
        "session_scheduled": News(buyer="session_scheduled"),
        "shipped": News(buyer="order_shipped", event="order.shipped"),
        "tracking_corrected": News(buyer="tracking_corrected"),
        "completed": News(event="order.completed"),
        "buyer_absent": News(buyer="session_missed", event="order.completed"),
        "seller_absent": News(buyer="session_failed", seller="sale_missed"),
        "cancellation_asked": _SILENT,
        "canceled": News(
            buyer="order_canceled",
            seller="sale_canceled",
            event="order.canceled",
            after_payment=True,
        ),
        "expiry_asked": _SILENT,
        "expired": _SILENT,
        "hold_lapsed": News(buyer="hold_lapsed", seller="sale_lapsed", event="order.expired"),
        "refund_asked": _SILENT,
        "refunded": News(buyer="order_refunded", seller="sale_refunded", event="order.refunded"),
        "refund_failed": News(
            buyer="refund_failed",
            seller="sale_refund_failed",
            admins="refund_lost",
            event="order.refund_failed",
        ),
        "disputed": News(seller="disputed", admins="disputed", event="dispute.opened"),
        "dispute_closed": News(
            seller="dispute_closed", admins="dispute_closed", event="dispute.closed"
        ),
        "fraud_warned": News(seller="fraud_warned", admins="fraud_warned"),
    }
)

SILENT: Final = tuple(step for step, news in NEWS.items() if news.silent)
"""Steps that nobody is told of."""

INQUIRY: Final[Mapping[Kind, Kind]] = MappingProxyType(
    {"disputed": "inquiry_opened", "dispute_closed": "inquiry_closed"}
)
"""What is told instead while the bank only asks: nothing was taken, and a refund is possible."""


def news_of(step: str, from_status: str) -> News:
    """What `step` is to people, taken in `from_status`. Raises KeyError for a step not in the table."""
    news = NEWS[step]
    return _SILENT if news.after_payment and from_status == "checkout" else news
