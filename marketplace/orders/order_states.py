"""Order statuses and the one table of legal steps. Pure.

A step is named by what happened. Some steps leave the status alone: that somebody *asked* for a
cancellation is a fact of its own, and tells who was behind the cancellation that Stripe reports later.
`authorized_late` and `captured_late` are repairs: they bring an order that had ended back to what
Stripe says is true, and stay visible as repairs for ever.
"""

from typing import Final, Literal, get_args

from marketplace.orders.errors import OrderStepRefused

Status = Literal["checkout", "authorized", "paid", "canceled", "expired"]
Step = Literal[
    "checkout_begun",
    "payment_ended",
    "authorized",
    "captured",
    "preparation_asked",
    "prepared",
    "cancellation_asked",
    "canceled",
    "expiry_asked",
    "expired",
    "hold_lapsed",
    "authorized_late",
    "captured_late",
    "refund_asked",
    "refunded",
    "refund_failed",
]

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
STEPS: Final[tuple[Step, ...]] = get_args(Step)
FIRST_STATUS: Final[Status] = "checkout"
FIRST_STEP: Final = "placed"
"""How an order's history begins; from no status, so it is not in the table."""

TRANSITIONS: Final[dict[tuple[Status, Step], Status]] = {
    # The buyer is given a PaymentIntent to confirm.
    ("checkout", "checkout_begun"): "checkout",
    # Stripe ended the PaymentIntent and nobody here had asked: checkout may begin again.
    ("checkout", "payment_ended"): "checkout",
    ("checkout", "cancellation_asked"): "checkout",
    ("checkout", "expiry_asked"): "checkout",
    ("checkout", "authorized"): "authorized",
    # Sessions are captured at checkout.
    ("checkout", "captured"): "paid",
    ("checkout", "canceled"): "canceled",
    ("checkout", "expired"): "expired",
    ("authorized", "preparation_asked"): "authorized",
    ("authorized", "cancellation_asked"): "authorized",
    ("authorized", "prepared"): "paid",
    # Captured, but not because the seller prepared the order here (Stripe's Dashboard).
    ("authorized", "captured"): "paid",
    ("authorized", "canceled"): "canceled",
    ("authorized", "hold_lapsed"): "expired",
    ("paid", "refund_asked"): "paid",
    ("paid", "refunded"): "paid",
    ("paid", "refund_failed"): "paid",
    ("canceled", "authorized_late"): "authorized",
    ("canceled", "captured_late"): "paid",
    ("expired", "authorized_late"): "authorized",
    ("expired", "captured_late"): "paid",
}

ENDED: Final[frozenset[Status]] = frozenset({"canceled", "expired"})
"""No money was taken, and none is expected."""


def after(status: Status, step: Step) -> Status:
    """The status that follows when `step` happens in `status`.

    Raises OrderStepRefused when the table has no such move: never a silent no-op.
    """
    try:
        return TRANSITIONS[status, step]
    except KeyError:
        raise OrderStepRefused(status, step) from None


def allows(status: Status, step: Step) -> bool:
    """Whether `step` may happen in `status`."""
    return (status, step) in TRANSITIONS
