"""What may differ between our books and Stripe's, each with a stable word: comparing only, nothing is read.

A finding names what was compared, what we have and what Stripe has; its `key` is the same whenever the same
difference is found again.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from payments.reconciliation import Books
from payments.reconciliation_gateway import DisputeSeen, IntentSeen, RefundSeen
from payments.records import PaymentRecord
from payments.states import OPEN

Kind = Literal[
    "missing_here",
    "missing_there",
    "amount",
    "currency",
    "fee",
    "status",
    "skipped_transfer",
    "dashboard_refund",
    "unknown_type",
    "balance",
    "transfer_refused",
]
"""Missing in our books or at Stripe; another amount, currency, fee or status; a charge whose money was never
transferred to its seller; a refund made at Stripe; a movement of a type that we do not know; an equation of
balances that does not hold; a seller's money that Stripe will not send (found by trying, not comparing)."""
Value = int | str | None
"""An amount in minor units, a status or an id; None where there is nothing."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One difference."""

    kind: Kind
    what: str
    payment_id: str | None = None
    order_id: str | None = None
    stripe_id: str | None = None
    currency: str | None = None
    ours: Value = None
    theirs: Value = None

    @property
    def key(self) -> str:
        """The same for the same difference of the same object, whatever the amounts."""
        return f"{self.what}:{self.payment_id or self.stripe_id or self.currency}"

    @property
    def word(self) -> str:
        """What was compared, without which of its facts: `intent`, `refund`, `payout`, `charged`."""
        return self.what.split(":")[0].split(".")[0]


MISSING_INTENT: Final = "intent.missing"
_FEES = frozenset({"fee_earned", "fee_returned", "processing"})


def books_differ(
    ours: Books, theirs: Mapping[str, int], currency: str | None, *, refunds_unknown: bool
) -> list[Finding]:
    """One payment's sums against the movements of its charge.

    `currency` is the movements' own; `refunds_unknown`: Stripe lists a refund of it that our rows lack.
    """
    if currency is not None and currency != ours.currency:
        # Amounts of two currencies have nothing to say to each other.
        return [_of_books(ours, "currency", "currency", ours.currency, currency)]
    return [
        _sum_differs(ours, word, amount, theirs, refunds_unknown)
        for word, amount in ours.sums.items()
        if amount != theirs.get(word, 0)
    ]


def _sum_differs(
    ours: Books, word: str, amount: int, theirs: Mapping[str, int], refunds_unknown: bool
) -> Finding:
    seen = theirs.get(word, 0)
    return _of_books(
        ours, _kind_of_sum(word, amount, seen, theirs, refunds_unknown), word, amount, seen
    )


def _kind_of_sum(
    word: str, ours: int, seen: int, theirs: Mapping[str, int], refunds_unknown: bool
) -> Kind:
    if word in _FEES and (ours != 0 or theirs.get("charged", 0) == 0 or word == "processing"):
        return "fee"
    if word == "transferred" and seen == 0 and theirs.get("charged", 0) != 0:
        return "skipped_transfer"
    if word == "refunded" and refunds_unknown:
        return "dashboard_refund"
    if ours == 0:
        return "missing_here"
    return "missing_there" if seen == 0 else "amount"


def intent_missing(ours: PaymentRecord) -> Finding:
    """A payment whose PaymentIntent Stripe does not know."""
    return Finding(
        kind="missing_there",
        what=MISSING_INTENT,
        payment_id=ours.id,
        order_id=ours.order_id,
        stripe_id=ours.intent_id,
        currency=ours.currency,
        ours=ours.status,
    )


def _of_books(ours: Books, kind: Kind, what: str, mine: Value, theirs: Value) -> Finding:
    return Finding(
        kind=kind,
        what=what,
        payment_id=ours.payment_id,
        order_id=ours.order_id,
        stripe_id=ours.charge_id,
        currency=ours.currency,
        ours=mine,
        theirs=theirs,
    )


def intent_differs(ours: PaymentRecord | None, seen: IntentSeen) -> list[Finding]:
    """A PaymentIntent of ours against its payment; None: no payment names it."""
    if ours is None:
        return [_of_intent(seen, "missing_here", "intent", None, seen.status)]
    found: list[Finding] = []

    def compare(kind: Kind, what: str, mine: Value, theirs: Value) -> None:
        if mine != theirs:
            found.append(_of_intent(seen, kind, what, mine, theirs))

    compare("currency", "intent.currency", ours.currency, seen.currency)
    compare("status", "intent.status", ours.status, seen.status)
    compare("amount", "intent.received", ours.amount_captured, seen.amount_received)
    if ours.amount_next is None:
        compare("amount", "intent.amount", ours.amount, seen.amount)
        if seen.status in OPEN:
            compare("fee", "intent.application_fee", ours.application_fee, seen.application_fee)
    if seen.captured and seen.transfer_id is not None:
        compare("missing_here", "transfer", ours.transfer_id, seen.transfer_id)
    if seen.captured and seen.application_fee_id is not None:
        compare("fee", "application_fee", ours.application_fee_id, seen.application_fee_id)
    return found


def _of_intent(seen: IntentSeen, kind: Kind, what: str, mine: Value, theirs: Value) -> Finding:
    return Finding(
        kind=kind,
        what=what,
        payment_id=seen.payment_id,
        order_id=seen.order_id,
        stripe_id=seen.id,
        currency=seen.currency,
        ours=mine,
        theirs=theirs,
    )


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A refund or dispute as our rows have it; `status` is None where there is none of it."""

    payment_id: str
    order_id: str
    status: str | None
    amount: int | None


def refund_differs(ours: Known, seen: RefundSeen) -> list[Finding]:
    """A refund of one of our payments against its row."""
    about = {
        "payment_id": ours.payment_id,
        "order_id": ours.order_id,
        "stripe_id": seen.id,
        "currency": seen.currency,
    }
    if ours.status is None:
        kind: Kind = "dashboard_refund" if seen.refund_id is None else "missing_here"
        return [Finding(kind=kind, what=f"refund:{seen.id}", theirs=seen.amount, **about)]
    return _row_differs("refund", ours, seen.id, seen.status, seen.amount, about)


def dispute_differs(ours: Known, seen: DisputeSeen) -> list[Finding]:
    """A dispute of one of our payments against its row."""
    about = {
        "payment_id": ours.payment_id,
        "order_id": ours.order_id,
        "stripe_id": seen.id,
        "currency": seen.currency,
    }
    if ours.status is None:
        return [
            Finding(kind="missing_here", what=f"dispute:{seen.id}", theirs=seen.amount, **about)
        ]
    return _row_differs("dispute", ours, seen.id, seen.status, seen.amount, about)


def _row_differs(
    word: str, ours: Known, id: str, status: str, amount: int, about: dict[str, str]
) -> list[Finding]:
    found = []
    if ours.status != status:
        what = f"{word}.status:{id}"
        found.append(Finding(kind="status", what=what, ours=ours.status, theirs=status, **about))
    if ours.amount != amount:
        what = f"{word}.amount:{id}"
        found.append(Finding(kind="amount", what=what, ours=ours.amount, theirs=amount, **about))
    return found
