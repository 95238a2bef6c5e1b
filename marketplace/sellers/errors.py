"""What can go wrong with sellers. Classes carry data, not sentences, and no HTTP.

SellerError
|-- SellerNotFound          no such seller, or somebody else's: the same answer
|-- SellerProfileExists     an account has one seller profile
|-- CountryUnknown          not a code of ISO 3166
|-- SellerFactFixed         the country or currency can no longer change
|-- SellerStepRefused       the platform's decision does not follow from the last one
|-- OwnSellerDecision       nobody decides about their own shop
|-- ReasonRequired          a decision says why
|-- CancellationWindowsRefused   windows that nobody could read
`-- SellerNotPayable        the gate: nothing was asked of Stripe
"""

from typing import Any

from connect.capability import Reason
from connect.snapshot import Requirement


class SellerError(Exception):
    """Root of everything sellers raise."""

    def __init__(self, *details: Any) -> None:
        super().__init__(*details)


class SellerNotFound(SellerError):
    """No such seller, or it is somebody else's: nobody learns which."""

    def __init__(self, seller_id: str) -> None:
        self.seller_id = seller_id
        super().__init__(seller_id)


class SellerProfileExists(SellerError):
    """The account is a seller already: `seller_id`."""

    def __init__(self, seller_id: str) -> None:
        self.seller_id = seller_id
        super().__init__(seller_id)


class CountryUnknown(SellerError):
    """Not a two-letter code of ISO 3166-1, in upper case."""

    def __init__(self, country: str) -> None:
        self.country = country
        super().__init__(country)


class SellerFactFixed(SellerError):
    """`field` (country, currency) is fixed.

    The account was opened with it, or listings are priced in it.
    """

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(field)


class SellerStepRefused(SellerError):
    """`step` (approve, reject, suspend, reinstate) does not follow from where the seller stands."""

    def __init__(self, step: str, *, approval: str, suspended: bool) -> None:
        self.step, self.approval, self.suspended = step, approval, suspended
        super().__init__(step, approval, suspended)


class OwnSellerDecision(SellerError):
    """An admin may not decide about the shop that is their own."""


class ReasonRequired(SellerError):
    """A decision about a seller says why, in 1 to `limit` visible characters."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(limit)


class CancellationWindowsRefused(SellerError):
    """`why`: count, hours_before or refund_basis_points outside `limit`; hours_rise or refund_rises."""

    def __init__(self, why: str, *, limit: int) -> None:
        self.why, self.limit = why, limit
        super().__init__(why, limit)


class SellerNotPayable(SellerError):
    """The seller, whose account is `account_id`, cannot be paid now: stable codes, and what is missing."""

    def __init__(
        self,
        seller_id: str,
        account_id: str,
        reasons: tuple[Reason, ...],
        missing: tuple[Requirement, ...],
    ) -> None:
        self.seller_id, self.account_id = seller_id, account_id
        self.reasons, self.missing = reasons, missing
        super().__init__(seller_id, reasons)
