"""Order statuses and the one table of legal steps. Pure.

A step is named by what happened. Some steps leave the status alone: that somebody *asked* for a
cancellation is a fact of its own, and tells who was behind the cancellation that Stripe reports later.
`authorized_late` and `captured_late` are repairs: they bring an order that had ended back to what
Stripe says is true, and stay visible as repairs for ever.
"""

from typing import Final, Literal, get_args

from marketplace.orders.errors import OrderStepRefused

Status = Literal["checkout", "authorized", "paid", "shipped", "completed", "canceled", "expired"]
Step = Literal[
    "checkout_begun",
    "changed",
    "change_refused",
    "confirmation_begun",
    "confirmation_ended",
    "payment_processing",
    "payment_failed",
    "payment_ended",
    "authorized",
    "captured",
    "fulfilment_held",
    "fulfilment_released",
    "preparation_asked",
    "preparation_refused",
    "prepared",
    "deadline_reminded",
    "deadline_escalated",
    "deadline_reached",
    "session_scheduled",
    "shipped",
    "tracking_corrected",
    "completed",
    "buyer_absent",
    "seller_absent",
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
    "disputed",
    "dispute_closed",
    "fraud_warned",
]

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
STEPS: Final[tuple[Step, ...]] = get_args(Step)
FIRST_STATUS: Final[Status] = "checkout"
FIRST_STEP: Final = "placed"
"""How an order's history begins; from no status, so it is not in the table."""

_MOVES: Final[dict[tuple[Status, Step], Status]] = {
    # The buyer is given a PaymentIntent to confirm.
    ("checkout", "checkout_begun"): "checkout",
    # The cart became another one, and Stripe took the new amount.
    ("checkout", "changed"): "checkout",
    ("checkout", "change_refused"): "checkout",
    # From here to its end the cart is frozen: the buyer pays the total they were shown.
    ("checkout", "confirmation_begun"): "checkout",
    ("checkout", "confirmation_ended"): "checkout",
    # An asynchronous method (a bank debit): the money is on its way for days, then comes or not.
    ("checkout", "payment_processing"): "checkout",
    ("checkout", "payment_failed"): "checkout",
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
    # The seller can no longer be paid: nothing was captured.
    ("authorized", "preparation_refused"): "authorized",
    ("authorized", "deadline_reminded"): "authorized",
    ("authorized", "deadline_escalated"): "authorized",
    ("authorized", "deadline_reached"): "authorized",
    ("authorized", "cancellation_asked"): "authorized",
    ("authorized", "prepared"): "paid",
    # Captured, but not because the seller prepared the order here (Stripe's Dashboard).
    ("authorized", "captured"): "paid",
    ("authorized", "canceled"): "canceled",
    ("authorized", "hold_lapsed"): "expired",
    ("paid", "session_scheduled"): "paid",
    ("paid", "shipped"): "shipped",
    ("paid", "completed"): "completed",
    # Nobody came to the session: without the buyer it is done, without the seller it is canceled.
    ("paid", "buyer_absent"): "completed",
    ("paid", "seller_absent"): "paid",
    ("shipped", "tracking_corrected"): "shipped",
    ("shipped", "completed"): "completed",
    # The buyer wants it after all: a new generation, its earlier PaymentIntent was canceled at Stripe.
    ("expired", "checkout_begun"): "checkout",
    ("canceled", "authorized_late"): "authorized",
    ("canceled", "captured_late"): "paid",
    ("expired", "authorized_late"): "authorized",
    ("expired", "captured_late"): "paid",
}

PAID_FOR: Final[tuple[Status, ...]] = ("paid", "shipped", "completed")
"""Money was taken and the order goes on, or is done."""
_STAY: Final[dict[Step, tuple[Status, ...]]] = {
    # What may happen to the money without moving the order; `canceled` may have been paid before.
    "refund_asked": (*PAID_FOR, "canceled"),
    "refunded": (*PAID_FOR, "canceled"),
    "refund_failed": (*PAID_FOR, "canceled"),
    "disputed": (*PAID_FOR, "canceled"),
    "dispute_closed": (*PAID_FOR, "canceled"),
    # A bank may warn while it only holds the money, or after the hold has lapsed.
    "fraud_warned": ("authorized", *PAID_FOR, "canceled", "expired"),
    # The money does not match the order: people must look before anything goes out.
    "fulfilment_held": ("authorized", "paid"),
    "fulfilment_released": ("authorized", "paid"),
    # Paid for: canceled when the money is back (or when nothing is to be given back).
    "cancellation_asked": ("paid", "shipped"),
}
_CANCELED_AFTER_PAYMENT: Final[tuple[Status, ...]] = ("paid", "shipped")

TRANSITIONS: Final[dict[tuple[Status, Step], Status]] = (
    _MOVES
    | {(status, step): status for step, statuses in _STAY.items() for status in statuses}
    | {(status, "canceled"): "canceled" for status in _CANCELED_AFTER_PAYMENT}
)

ENDED: Final[frozenset[Status]] = frozenset({"canceled", "expired"})
"""Nothing more is expected of this order; whatever money was taken is or will be given back."""


def after(status: Status, step: Step) -> Status:
    """The status that follows when `step` happens in `status`.

    Raises OrderStepRefused when the table has no such move: never a silent no-op.
    """
    try:
        return TRANSITIONS[status, step]
    except KeyError:
        raise OrderStepRefused(status, step) from None
