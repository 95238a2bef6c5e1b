"""What can go wrong with the books. Classes carry data, not sentences, and no HTTP."""

from datetime import datetime
from typing import Literal


class BooksError(Exception):
    """Root of everything books raise."""


class StatementNotFound(BooksError):
    """There is no such month, or it has not begun."""

    def __init__(self, month: str) -> None:
        self.month = month
        super().__init__(month)


AdjustmentFault = Literal[
    "amount",
    "account_not_adjustable",
    "one_account",
    "two_sellers",
    "seller_needed",
    "seller_differs",
    "currency_differs",
    "order_not_paid",
]


class AdjustmentRefused(BooksError):
    """These books cannot be adjusted so. `accounts` are those that can be."""

    def __init__(self, why: AdjustmentFault, accounts: tuple[str, ...]) -> None:
        self.why, self.accounts = why, accounts
        super().__init__(why)


class FeeReviewNotFound(BooksError):
    """No fee of such a payment: nothing of it was captured."""

    def __init__(self, payment_id: str) -> None:
        self.payment_id = payment_id
        super().__init__(payment_id)


class FeeChanged(BooksError):
    """The fee is not as its reviewer saw it: it was updated at `updated_at`."""

    def __init__(self, payment_id: str, updated_at: datetime) -> None:
        self.payment_id, self.updated_at = payment_id, updated_at
        super().__init__(payment_id, updated_at)


class FeesBeingCounted(BooksError):
    """So many movements wait to be summed up, after books were filled from elsewhere, that adding them to the
    sums would take longer than an answer may: at least `waiting`. The sweep works them off by itself."""

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        super().__init__(waiting)


class FeeFilterRefused(BooksError):
    """A filter, sort or grouping that cannot be answered: which parameter, and a stable word that says why.

    `needs_currency`: amounts of several currencies cannot be put in one order. `unknown`: no such word.
    `one_filter_only`: sums are kept by one of seller, category and rule at a time.
    `ends_before_it_begins`. `takes_too_long`: what fits is too far apart among all there is.
    """

    def __init__(self, path: str, why: str, allowed: tuple[str, ...] = ()) -> None:
        self.path, self.why, self.allowed = path, why, allowed
        super().__init__(path, why, allowed)
