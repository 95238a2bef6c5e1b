"""What buyers read about their orders. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from marketplace.messages.kinds import Kind
from marketplace.messages.templates import Text

_ORDER: Final = "/orders/{order_id}"

BUYER: Final[Mapping[Kind, Text]] = MappingProxyType(
    {
        "payment_processing": Text(
            "Your payment of {total} is on its way",
            (
                "Your bank is sending {total} for {items} from {shop}.",
                "That can take some days. We write again if it does not arrive.",
            ),
            None,
            _ORDER,
        ),
        "payment_failed": Text(
            "Your payment of {total} did not arrive",
            ("Your bank did not send {total} for {items} from {shop}.", "Nothing was taken."),
            "You can pay again, with another card if you like.",
            _ORDER,
        ),
        "order_prepared": Text(
            "Your order from {shop} was prepared",
            (
                "{shop} has your order ready: {items}.",
                "{captured_amount} were taken.",
                "The rest of what your bank held is released: {released_amount}.",
            ),
            None,
            _ORDER,
        ),
        "order_not_prepared": Text(
            "Your order from {shop} is delayed",
            (
                "{shop} cannot be paid at the moment, so your order could not be prepared: {items}.",
                "Nothing was taken. If this is not solved in time, the hold of {total} on your card "
                "is released.",
            ),
            "You can wait, or cancel the order.",
            _ORDER,
        ),
        "session_scheduled": Text(
            "Your session with {shop}",
            ("{items} with {shop} takes place on {session_at}.",),
            "If you cannot come, cancel in time: how much is given back depends on it.",
            _ORDER,
        ),
        "order_shipped": Text(
            "Your order from {shop} was shipped",
            (
                "On its way to you: {items}.",
                "Carrier: {carrier}. Tracking number: {tracking_number}.",
            ),
            None,
            _ORDER,
        ),
        "tracking_corrected": Text(
            "A new tracking number for your order from {shop}",
            (
                "{shop} has corrected how your order travels: {items}.",
                "Carrier: {carrier}. Tracking number: {tracking_number}.",
            ),
            None,
            _ORDER,
        ),
        "session_missed": Text(
            "You missed your session with {shop}",
            (
                "{shop} tells us that you did not come to {items}.",
                "It was to take place on {session_at}.",
                "What happens to your money follows the cancellation rules of your order.",
            ),
            "If this is not so, write to {shop} or ask the platform for help.",
            _ORDER,
        ),
        "session_failed": Text(
            "Your session with {shop} did not take place",
            ("{shop} did not come to {items}.", "What you paid is given back."),
            None,
            _ORDER,
        ),
        "order_canceled": Text(
            "Your order from {shop} was canceled",
            (
                "This order was canceled: {items}.",
                "The reason: {reason}.",
                "A hold on your card is released; what was taken is given back as the order says.",
            ),
            None,
            _ORDER,
        ),
        "hold_lapsed": Text(
            "Your order from {shop} has ended",
            (
                "{shop} did not prepare your order in time: {items}.",
                "Nothing was taken; the hold of {total} on your card has ended.",
            ),
            None,
            _ORDER,
        ),
        "order_refunded": Text(
            "You get {amount} back",
            (
                "{amount} of your order from {shop} were refunded: {items}.",
                "Banks need 5 to 10 days to show it.",
            ),
            None,
            _ORDER,
        ),
        "refund_failed": Text(
            "Your refund of {amount} could not be delivered",
            (
                "Your bank did not take {amount} back for your order from {shop}.",
                "What it said: {failure_reason}.",
            ),
            "The platform has been told, and finds another way to pay you.",
            _ORDER,
        ),
    }
)
