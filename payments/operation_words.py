"""What an operation of the journal means, in words for people who look after it. Pure.

Keys are forgotten by Stripe after 24 hours (v1) or 30 days (v2): until an hour before that the same request
may be sent again, and Stripe answers what it answered, or should have. After that Stripe is only read.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import msgspec

from payments.asking import KEY_LIFETIME
from payments.journal import NO_EFFECT

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "create_intent": "make the PaymentIntent that the buyer pays",
        "keep_card": "keep the card that pays",
        "update_intent": "change what the PaymentIntent asks for, as the cart changed",
        "confirm_intent": "charge the buyer's saved card",
        "capture_intent": "take the money that the buyer's bank holds",
        "cancel_intent": "end the PaymentIntent and release the hold",
        "create_refund": "give the buyer money back",
        "reverse_transfer": "take the seller's share back",
        "transfer": "send the seller their share again",
        "return_fee": "give a part of the application fee back to the seller",
        "dispute_evidence": "store or submit evidence about a dispute",
        "accept_dispute": "give a dispute up",
        "write_tracking": "write a parcel's tracking on the charge",
        "create_customer": "make the buyer's Customer",
        "create_setup": "begin to save a card",
        "detach_card": "forget a saved card",
        "create_account": "open a seller's connected account",
        "pause_payouts": "hold back or resume a seller's automatic payouts",
    }
)
"""What each kind asks Stripe for."""

_HAPPENED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "planned": "It was written down and not sent yet.",
        "sending": "It was sent, and no answer has been taken in yet.",
        "not_sent": "Stripe certainly did nothing: it was busy, or could not be reached.",
        "unknown": "The answer got lost: Stripe may have done it or not.",
        "succeeded": "Stripe did it.",
        "rejected": "Stripe gave a definite no, and did nothing.",
    }
)


class OperationRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the journal, as people look at it. `parameters` is the frozen JSON."""

    id: str
    kind: str
    subject: str
    order_id: str | None
    idempotency_key: str
    parameters: str
    state: str
    attempts: int
    lease_until: datetime | None
    due_at: datetime | None
    first_sent_at: datetime | None
    created_at: datetime
    concluded_at: datetime | None
    request_id: str | None
    result_id: str | None
    error_code: str | None
    error_message: str | None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """An operation told in sentences."""

    asked_for: str
    happened: str
    next: str
    to_do: str | None
    # Whether the same request may still be sent without ever doing it twice, and until when.
    sendable: bool
    sendable_until: datetime | None


def explained(operation: OperationRow, now: datetime) -> Explanation:
    """What it is about, what happened, what happens next, and what a person can do."""
    until = sendable_until(operation)
    sendable = operation.concluded_at is None and (until is None or now < until)
    return Explanation(
        asked_for=WORDS.get(operation.kind, operation.kind.replace("_", " ")),
        happened=_happened(operation),
        next=_next(operation, sendable, now),
        to_do=_to_do(operation),
        sendable=sendable,
        sendable_until=until if operation.concluded_at is None else None,
    )


def sendable_until(operation: OperationRow) -> datetime | None:
    """Until when its key may be sent; None before it was sent for the first time."""
    sent = operation.first_sent_at
    return None if sent is None else sent + KEY_LIFETIME


def _happened(operation: OperationRow) -> str:
    if operation.state == "rejected" and operation.error_code == NO_EFFECT:
        return "Stripe was read back: nothing had come of it."
    told = _HAPPENED[operation.state]
    return f"{told} The last word: {operation.error_code}." if operation.error_code else told


def _next(operation: OperationRow, sendable: bool, now: datetime) -> str:
    if operation.concluded_at is not None:
        return "Nothing: it is concluded. A new try is a new operation with a new key."
    if operation.lease_until is not None and operation.lease_until > now:
        return "A process has it now; should that process die, another takes it up at `due_at`."
    if sendable:
        return (
            "The worker sends the same request again at `due_at`, under the same key: never twice."
        )
    return "The worker reads Stripe at `due_at`; the request itself is never sent again."


def _to_do(operation: OperationRow) -> str | None:
    if operation.concluded_at is not None:
        return None
    if operation.attempts >= _MANY:
        return "Run `marketplace doctor`, and look for `request_id` in Stripe's Dashboard; then resolve it."
    return "Wait, or resolve it now: Stripe is read, and what is found is taken in."


_MANY: Final = 10

STUCK_AFTER: Final = timedelta(hours=1)
"""An operation that is open for so long wants a person."""
