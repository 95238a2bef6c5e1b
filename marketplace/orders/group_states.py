"""How a checkout of several sellers stands: always what its orders say, never kept. Pure."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from marketplace.orders.order_states import ENDED, Status

GroupState = Literal["open", "paying", "partly_paid", "paid", "ended", "abandoned"]
Next = Literal["pay", "confirm", "authenticate", "wait", "begin_anew", "nothing"]
"""What the buyer can do about one order of it."""

_AUTHENTICATE: Final = "requires_action"
_PROCESSING: Final = "processing"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What tells how one order of a group stands. `payment_status` is Stripe's word."""

    status: Status
    frozen: bool
    payment_status: str | None

    @property
    def unpaid(self) -> bool:
        """Whether it may still be paid."""
        return self.status in ("checkout", "expired")

    @property
    def paid(self) -> bool:
        """Whether its money is held or was taken."""
        return self.status != "checkout" and self.status not in ENDED


def state_of(orders: Sequence[Standing], *, abandoned: bool) -> GroupState:
    """The state of a group: what was paid is told before what was not.

    An abandoned group with money in it is partly paid until that is given back.
    """
    paid = sum(order.paid for order in orders)
    if paid == len(orders):
        return "paid"
    if paid:
        return "partly_paid"
    if abandoned:
        return "abandoned"
    if all(order.status in ENDED for order in orders):
        return "ended"
    paying = any(next_of(order) in ("confirm", "authenticate", "wait") for order in orders)
    return "paying" if paying else "open"


def next_of(order: Standing) -> Next:
    """What the buyer can do next about one order."""
    if order.status == "expired":
        return "begin_anew"
    if order.status != "checkout":
        return "nothing"
    if order.payment_status == _PROCESSING:
        return "wait"
    if order.payment_status == _AUTHENTICATE:
        return "authenticate"
    return "confirm" if order.frozen else "pay"
