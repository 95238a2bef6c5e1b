"""The trail's order and words: which chapter of an order's life a thing belongs to, and how it is told. Pure.

Stripe's stamps are whole seconds and a computer does much within one, so what happened in the same second
is put in the order of an order's life: its chapter.
"""

from typing import Final

(
    PLACED,
    CHECKOUT,
    CONFIRMED,
    HELD,
    PREPARED,
    PAID,
    FULFILLED,
    GIVEN_BACK,
    DISPUTED,
    OWED,
    PAID_OUT,
) = range(11)

STEP_WORDS: Final[dict[str, tuple[int, str]]] = {
    "placed": (PLACED, "The order was placed"),
    "checkout_begun": (CHECKOUT, "Checkout began"),
    "changed": (CHECKOUT, "The cart was changed"),
    "change_refused": (CHECKOUT, "A change of the cart was refused"),
    "confirmation_begun": (CONFIRMED, "The buyer began to pay"),
    "confirmation_ended": (CONFIRMED, "The buyer did not finish paying"),
    "payment_processing": (CONFIRMED, "The payment is on its way"),
    "payment_failed": (CONFIRMED, "The payment failed"),
    "payment_ended": (CONFIRMED, "The payment was ended"),
    "authorized": (HELD, "The bank holds the money"),
    "authorized_late": (HELD, "The bank holds the money of an order that had ended"),
    "fulfilment_held": (PREPARED, "The order was stopped until somebody has looked at its money"),
    "fulfilment_released": (PREPARED, "The order may go on"),
    "deadline_reminded": (PREPARED, "The seller was reminded to prepare the order"),
    "deadline_escalated": (PREPARED, "An admin was told that the order is not prepared"),
    "deadline_reached": (PREPARED, "The time to prepare the order was over"),
    "preparation_asked": (PREPARED, "The seller has the order ready"),
    "preparation_refused": (PREPARED, "The money could not be taken: the seller cannot be paid"),
    "cancellation_asked": (PREPARED, "Cancellation was asked for"),
    "expiry_asked": (PREPARED, "The time to pay was over"),
    "captured": (PAID, "The order is paid"),
    "prepared": (PAID, "The order is paid"),
    "captured_late": (PAID, "An order that had ended was paid"),
    "canceled": (PAID, "The order was canceled"),
    "expired": (PAID, "The order expired"),
    "hold_lapsed": (PAID, "The bank released the money: it was not taken in time"),
    "session_scheduled": (FULFILLED, "The session has a time"),
    "shipped": (FULFILLED, "The order was shipped"),
    "tracking_corrected": (FULFILLED, "The tracking number was corrected"),
    "completed": (FULFILLED, "The order is complete"),
    "buyer_absent": (FULFILLED, "The buyer did not come to the session"),
    "seller_absent": (FULFILLED, "The seller did not come to the session"),
    "refund_asked": (GIVEN_BACK, "A refund was asked for"),
    "refunded": (GIVEN_BACK, "A refund reached the buyer"),
    "refund_failed": (GIVEN_BACK, "A refund did not reach the buyer"),
    "disputed": (DISPUTED, "The buyer's bank disputes the payment"),
    "dispute_closed": (DISPUTED, "The dispute was decided"),
    "fraud_warned": (DISPUTED, "The bank warned of fraud"),
}
"""Every step of an order, and what it is called in its trail."""

BEGINNINGS: Final = frozenset(
    {
        "placed",
        "checkout_begun",
        "confirmation_begun",
        "preparation_asked",
        "cancellation_asked",
        "expiry_asked",
        "refund_asked",
    }
)
"""Steps that come before what they cause; the others follow it."""

BANK_AGREED: Final = frozenset(
    {"authorized", "authorized_late", "captured", "captured_late", "prepared"}
)
"""Steps that follow a yes of the bank."""
GIVING_BACK: Final = frozenset({"refund_asked", "refunded", "refund_failed"})
"""Steps that follow a refund, also one that was made at Stripe."""

# What others tell better: carts, refunds and disputes have rows of their own, with amounts.
_TOLD_BY_ROWS: Final = GIVING_BACK | {"changed", "disputed", "dispute_closed"}
OF_THE_BUYER: Final = frozenset(
    {"change_refused", "confirmation_begun", "confirmation_ended", "payment_ended"}
)
"""Steps of a buyer on their way to pay: sellers never read them."""
OF_THE_SELLER: Final = frozenset(
    {
        "preparation_asked",
        "deadline_reminded",
        "deadline_escalated",
        "deadline_reached",
        "fraud_warned",
        "fulfilment_held",
        "fulfilment_released",
    }
)
"""Steps between the seller and the platform: buyers never read them."""
HIDDEN_FROM_SELLERS: Final = _TOLD_BY_ROWS | OF_THE_BUYER
HIDDEN_FROM_BUYERS: Final = HIDDEN_FROM_SELLERS | OF_THE_SELLER
REASON_IS_AN_ID: Final = GIVING_BACK | {"disputed", "dispute_closed", "fraud_warned"}
"""Steps whose reason says which refund, dispute or warning they are about."""

_POSTING_CHAPTERS: Final = {
    "capture": PAID,
    "application_fee": PAID,
    "processing_cost": PAID,
    "refund": GIVEN_BACK,
    "fee_refund": GIVEN_BACK,
    "refund_failure": GIVEN_BACK,
    "transfer_reversal": GIVEN_BACK,
    "transfer": GIVEN_BACK,
    "dispute": DISPUTED,
    "dispute_reinstated": DISPUTED,
    "dispute_cost": DISPUTED,
    "reserve": DISPUTED,
    "reserve_released": DISPUTED,
    "debt": OWED,
    "debt_settled": OWED,
    "debt_written_off": OWED,
}

# The first that fits; a kind of operation is a sentence of its own (`create_intent`, `refund`, ...).
_OPERATION_CHAPTERS: Final = (
    ("confirm", CONFIRMED),
    ("capture", PREPARED),
    ("cancel", PREPARED),
    ("track", FULFILLED),
    ("evidence", DISPUTED),
    ("dispute", DISPUTED),
    ("refund", GIVEN_BACK),
    ("revers", GIVEN_BACK),
    ("transfer", GIVEN_BACK),
    ("return", GIVEN_BACK),
    ("create", CHECKOUT),
    ("amend", CHECKOUT),
    ("update", CHECKOUT),
    ("customer", CHECKOUT),
)
_EVENT_CHAPTERS: Final = (
    ("payment_intent.created", CHECKOUT),
    ("payment_intent.amount_capturable_updated", HELD),
    ("payment_intent.succeeded", PAID),
    ("payment_intent.canceled", PAID),
    ("payment_intent", CONFIRMED),
    ("charge.dispute", DISPUTED),
    ("charge.refund", GIVEN_BACK),
    ("charge.failed", CONFIRMED),
    ("charge.pending", CONFIRMED),
    ("charge", PAID),
    ("refund", GIVEN_BACK),
    ("application_fee.refund", GIVEN_BACK),
    ("application_fee", PAID),
    ("transfer.reversed", GIVEN_BACK),
    ("transfer.updated", GIVEN_BACK),
    ("transfer", PAID),
    ("radar", DISPUTED),
    ("payout", PAID_OUT),
)


def posting_chapter(kind: str) -> int:
    """Where a posting of this kind belongs."""
    return _POSTING_CHAPTERS.get(kind, PAID)


def posting_turn(kind: str) -> int:
    """Which of the postings of one moment comes first: the sale before its fee."""
    return list(_POSTING_CHAPTERS).index(kind) if kind in _POSTING_CHAPTERS else 0


def operation_chapter(kind: str) -> int:
    """Where a request of this kind to Stripe belongs."""
    return next((chapter for part, chapter in _OPERATION_CHAPTERS if part in kind), CHECKOUT)


def event_chapter(event_type: str) -> int:
    """Where an event of this type belongs."""
    return next(
        (chapter for start, chapter in _EVENT_CHAPTERS if event_type.startswith(start)), PAID
    )
