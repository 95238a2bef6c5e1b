"""A seller as the code reads it, and what may be said and decided about one. Pure."""

import unicodedata
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from connect.capability import PlatformStanding
from marketplace.people.names import canonical_name
from marketplace.sellers import cancellation_windows
from marketplace.sellers.cancellation_windows import Windows
from marketplace.sellers.countries import COUNTRIES
from marketplace.sellers.errors import (
    CountryUnknown,
    OwnSellerDecision,
    ReasonRequired,
    SellerStepRefused,
)
from payments.currencies import currency
from payments.ids import SellerId

Approval = Literal["pending", "approved", "rejected"]
Decision = Literal["approve", "reject"]
AtDeadline = Literal["cancel", "capture"]
REASON_LIMIT = 500

_DECISIONS: dict[tuple[str, Decision], Approval] = {
    ("pending", "approve"): "approved",
    ("pending", "reject"): "rejected",
    # Considered again. The way back from approved is suspension, which orders already know.
    ("rejected", "approve"): "approved",
}


class SellerProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A person's shop and what the platform thinks of it."""

    id: SellerId
    account_id: str
    display_name: str
    country: str
    currency: str
    approval: Approval
    approval_reason: str | None
    approved_at: datetime | None
    suspended_at: datetime | None
    suspension_reason: str | None
    created_at: datetime
    # What happens to a hold that nobody prepared in time.
    at_deadline: AtDeadline = "cancel"
    # JSON; None stands for the platform's.
    cancellation_windows: str | None = None
    # Since when their money stands still, and why; ended by two admins only.
    frozen_at: datetime | None = None
    freeze_reason: str | None = None

    @property
    def windows(self) -> Windows:
        """How much of a session is refunded when its buyer cancels."""
        return cancellation_windows.decoded(self.cancellation_windows)

    @property
    def standing(self) -> PlatformStanding:
        """The platform's decision as connect's verdict wants it."""
        return PlatformStanding(
            self.approval,
            suspended=self.suspended_at is not None,
            frozen=self.frozen_at is not None,
        )


COLUMNS = ", ".join(SellerProfile.__struct_fields__)


class NewSeller(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says to become a seller."""

    display_name: str
    country: str
    currency: str


class SellerChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change; None leaves as it is. For the windows None brings the platform's back."""

    display_name: str | None = None
    country: str | None = None
    currency: str | None = None
    at_deadline: AtDeadline | None = None
    cancellation_windows: Windows | UnsetType | None = UNSET


def checked(new: NewSeller) -> NewSeller:
    """The new seller with a clean name. Raises NameRefused, CountryUnknown, CurrencyUnknown."""
    return NewSeller(
        display_name=canonical_name(new.display_name),
        country=_known_country(new.country),
        currency=currency(new.currency).code,
    )


def changed(profile: SellerProfile, changes: SellerChanges) -> SellerProfile:
    """The profile after the changes.

    Raises NameRefused, CountryUnknown, CurrencyUnknown, CancellationWindowsRefused.
    """
    wanted = checked(
        NewSeller(
            display_name=_or(changes.display_name, profile.display_name),
            country=_or(changes.country, profile.country),
            currency=_or(changes.currency, profile.currency),
        )
    )
    return msgspec.structs.replace(
        profile,
        display_name=wanted.display_name,
        country=wanted.country,
        currency=wanted.currency,
        at_deadline=changes.at_deadline or profile.at_deadline,
        cancellation_windows=_windows_after(profile, changes.cancellation_windows),
    )


def _windows_after(profile: SellerProfile, wanted: Windows | UnsetType | None) -> str | None:
    if isinstance(wanted, UnsetType):
        return profile.cancellation_windows
    return cancellation_windows.encoded(
        None if wanted is None else cancellation_windows.checked(wanted)
    )


def decided(
    profile: SellerProfile, decision: Decision, reason: str, now: datetime
) -> SellerProfile:
    """The profile after the platform's decision. Raises SellerStepRefused."""
    approval = _DECISIONS.get((profile.approval, decision))
    if approval is None:
        raise _refused(profile, decision)
    return msgspec.structs.replace(
        profile,
        approval=approval,
        approval_reason=reason,
        approved_at=now if approval == "approved" else None,
    )


def suspended(profile: SellerProfile, reason: str, now: datetime) -> SellerProfile:
    """The profile while suspended: nothing new is sold. Raises SellerStepRefused."""
    if profile.suspended_at is not None:
        raise _refused(profile, "suspend")
    return msgspec.structs.replace(profile, suspended_at=now, suspension_reason=reason)


def reinstated(profile: SellerProfile) -> SellerProfile:
    """The profile after its suspension. Raises SellerStepRefused."""
    if profile.suspended_at is None:
        raise _refused(profile, "reinstate")
    return msgspec.structs.replace(profile, suspended_at=None, suspension_reason=None)


def require_not_own(profile: SellerProfile, admin: str) -> None:
    """Nobody decides about their own shop. Raises OwnSellerDecision."""
    if profile.account_id == admin:
        raise OwnSellerDecision


def checked_reason(typed: str) -> str:
    """Why, in the admin's words, without control characters. Raises ReasonRequired."""
    reason = " ".join(typed.split())
    if not 1 <= len(reason) <= REASON_LIMIT or any(
        unicodedata.category(character) in {"Cc", "Cs", "Cn"} for character in reason
    ):
        raise ReasonRequired(REASON_LIMIT)
    return reason


def _refused(profile: SellerProfile, step: str) -> SellerStepRefused:
    return SellerStepRefused(
        step, approval=profile.approval, suspended=profile.suspended_at is not None
    )


def _known_country(code: str) -> str:
    if code not in COUNTRIES:
        raise CountryUnknown(code)
    return code


def _or(new: str | None, old: str) -> str:
    return old if new is None else new
