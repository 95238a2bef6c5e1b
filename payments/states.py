"""Statuses of a payment: Stripe's own words, and the order in which they may be believed.

Stripe owns the status. An answer may be older than what we know (a slow read, a late webhook), so a status
is merged by how settled it is: a settled one is never undone by an unsettled one, and among equals the
one just read wins. Source: the PaymentIntent lifecycle in Stripe's documentation.
"""

PLANNED = "planned"
"""Ours: the row exists, Stripe has not answered yet."""
REFUSED = "refused"
"""Ours: Stripe refused to create the PaymentIntent."""
REQUIRES_CAPTURE = "requires_capture"
SUCCEEDED = "succeeded"
CANCELED = "canceled"

OPEN = frozenset(
    {
        PLANNED,
        "requires_payment_method",
        "requires_confirmation",
        "requires_action",
        "processing",
    }
)
"""Nothing is held or taken yet; the buyer may still pay, or try again after a decline."""
FINAL = frozenset({SUCCEEDED, CANCELED, REFUSED})
MONEY = frozenset({REQUIRES_CAPTURE, SUCCEEDED})
"""Money is held or was taken."""
PROCESSING = "processing"
"""An asynchronous method is on its way: it settles or fails days later, and is not paid until then."""
AMENDABLE = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})
"""Stripe changes the amount in these only; a challenge of the earlier amount becomes worthless."""
KNOWN = OPEN | FINAL | {REQUIRES_CAPTURE}


def settledness(status: str) -> int:
    """0 while the buyer may still try, 1 while money is held, 2 when nothing can change any more."""
    if status in FINAL:
        return 2
    return 1 if status == REQUIRES_CAPTURE else 0


def merged(ours: str, theirs: str) -> str:
    """The status to believe when we hold `ours` and just read `theirs`.

    A word Stripe did not have when this was written counts as unsettled news about an open payment and is
    not believed over anything: the row keeps its status until a known word arrives.
    """
    if theirs not in KNOWN or ours in FINAL:
        return ours
    return ours if settledness(theirs) < settledness(ours) else theirs


def dead(status: str) -> bool:
    """Whether a payment in this status can never take money again, so that a new one may be made."""
    return status in (CANCELED, REFUSED)
