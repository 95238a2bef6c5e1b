"""What sellers send and are answered, and what admins see of them."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from connect.capability import AccountState, Reason
from connect.snapshot import Requirement
from marketplace.sellers.cancellation_windows import CancellationWindow, Windows
from marketplace.sellers.directory import ListedSeller
from marketplace.sellers.profile import (
    Approval,
    AtDeadline,
    NewSeller,
    SellerChanges,
    SellerProfile,
)
from marketplace.sellers.vouching import Vouched

_ShopName = Annotated[str, Meta(max_length=480, examples=["Ada's coaching"])]
_Country = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=2,
        description="Where the seller lives or is registered: ISO 3166-1, two upper-case letters.",
        examples=["DE"],
    ),
]
_Currency = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=3,
        description="What the seller's listings are priced in: ISO 4217, three lower-case letters.",
        examples=["eur"],
    ),
]
_AtDeadline = Annotated[
    AtDeadline,
    Meta(
        description="What becomes of a hold that you did not prepare in time.", examples=["cancel"]
    ),
]
_Reason = Annotated[
    str,
    Meta(min_length=1, max_length=500, examples=["Identity and listings were checked by hand"]),
]
_SellerId = Annotated[str, Meta(examples=["sel_01k9zc3v5m8q2r4t6w8y0abcde"])]


class SellerOpening(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new seller profile."""

    display_name: _ShopName
    country: _Country
    currency: _Currency

    def told(self) -> NewSeller:
        """In the words of sellers."""
        return NewSeller(
            display_name=self.display_name, country=self.country, currency=self.currency
        )


class CancellationWindowBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Canceled by the buyer at least so many hours before a session: that share is refunded."""

    hours_before: Annotated[int, Meta(examples=[24])]
    refund_basis_points: Annotated[int, Meta(description="10000 is all.", examples=[10_000])]

    @classmethod
    def of(cls, window: CancellationWindow) -> "CancellationWindowBody":
        """As it was kept."""
        return cls(hours_before=window.hours_before, refund_basis_points=window.refund_basis_points)

    def told(self) -> CancellationWindow:
        """In the words of sellers."""
        return CancellationWindow(
            hours_before=self.hours_before, refund_basis_points=self.refund_basis_points
        )


class SellerPatch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to change; what is absent stays."""

    display_name: _ShopName | UnsetType = UNSET
    country: _Country | UnsetType = UNSET
    currency: _Currency | UnsetType = UNSET
    at_deadline: _AtDeadline | UnsetType = UNSET
    cancellation_windows: (
        Annotated[
            list[CancellationWindowBody],
            Meta(description="Null brings the platform's back. Placed orders keep theirs."),
        ]
        | UnsetType
        | None
    ) = UNSET

    def told(self) -> SellerChanges:
        """In the words of sellers."""
        return SellerChanges(
            display_name=_given(self.display_name),
            country=_given(self.country),
            currency=_given(self.currency),
            at_deadline=None if isinstance(self.at_deadline, UnsetType) else self.at_deadline,
            cancellation_windows=self._windows(),
        )

    def _windows(self) -> Windows | UnsetType | None:
        wanted = self.cancellation_windows
        if wanted is None or isinstance(wanted, UnsetType):
            return wanted
        return tuple(window.told() for window in wanted)


class ApprovalDecision(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the platform decides about a seller, and why; the seller is shown the reason."""

    decision: Annotated[Literal["approve", "reject"], Meta(examples=["approve"])]
    reason: _Reason


class SuspensionReason(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why a seller is stopped from selling; the seller is shown it."""

    reason: Annotated[
        str, Meta(min_length=1, max_length=500, examples=["Several buyers were not served"])
    ]


class FreezeReason(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why a seller's money is to stand still, or to move again; the seller is shown it."""

    reason: Annotated[
        str, Meta(min_length=1, max_length=500, examples=["A court has asked for it"])
    ]


class SellerAnswer(msgspec.Struct, kw_only=True):
    """A seller as its owner sees it."""

    id: _SellerId
    display_name: _ShopName
    country: _Country
    currency: _Currency
    approval: Annotated[Approval, Meta(examples=["approved"])]
    approval_reason: Annotated[
        str | None, Meta(examples=["Identity and listings were checked by hand"])
    ]
    approved_at: datetime | None
    suspended_at: datetime | None
    suspension_reason: str | None
    frozen_at: datetime | None
    freeze_reason: str | None
    created_at: datetime
    at_deadline: _AtDeadline
    cancellation_windows: list[CancellationWindowBody]

    @classmethod
    def of(cls, profile: SellerProfile) -> "SellerAnswer":
        """As `profile` stands."""
        windows = [CancellationWindowBody.of(window) for window in profile.windows]
        facts = {name: getattr(profile, name) for name in cls.__struct_fields__}
        return cls(**facts | {"cancellation_windows": windows})


class ListedSellerAnswer(msgspec.Struct, kw_only=True):
    """A seller as admins see it. `state` is the connected account's when it was last read."""

    id: Annotated[_SellerId, Meta(description="The seller's: what the next page starts after.")]
    seller: SellerAnswer
    account_id: Annotated[str, Meta(examples=["acc_01k9zc3v5m8q2r4t6w8y0abcde"])]
    state: Annotated[AccountState, Meta(examples=["ready"])]
    connected_account_id: Annotated[str | None, Meta(examples=["acct_1PgafTB7sFWwfAlM"])]

    @classmethod
    def of(cls, listed: ListedSeller) -> "ListedSellerAnswer":
        """As `listed` was found."""
        return cls(
            id=listed.profile.id,
            seller=SellerAnswer.of(listed.profile),
            account_id=listed.profile.account_id,
            state=listed.state,
            connected_account_id=listed.connected_account_id,
        )


class SellerList(msgspec.Struct, kw_only=True):
    """Sellers, newest first."""

    data: list[ListedSellerAnswer]
    has_more: bool


class RequirementAnswer(msgspec.Struct, kw_only=True):
    """Something Stripe wants to know before, or for, paying the seller."""

    description: Annotated[str, Meta(examples=["identity.individual.date_of_birth"])]
    awaiting_action_from: Annotated[str, Meta(description="user or stripe", examples=["user"])]
    deadline_status: Annotated[
        str | None, Meta(description="past_due, currently_due or eventually_due")
    ]
    errors: Annotated[list[str], Meta(description="What was wrong with what was given.")]

    @classmethod
    def of(cls, requirement: Requirement) -> "RequirementAnswer":
        """As `requirement` was told."""
        return cls(
            description=requirement.description,
            awaiting_action_from=requirement.awaiting_action_from,
            deadline_status=requirement.deadline_status,
            errors=list(requirement.errors),
        )


class PayoutCapabilityAnswer(msgspec.Struct, kw_only=True):
    """May this seller be paid? The same verdict that checkout asks for.

    `state` is the connected account's; `approval` and `suspended` are the platform's decision.
    """

    seller_id: _SellerId
    payable: Annotated[bool, Meta(examples=[False])]
    state: Annotated[AccountState, Meta(examples=["incomplete"])]
    reasons: Annotated[list[Reason], Meta(examples=[["transfers_inactive", "not_approved"]])]
    approval: Annotated[Approval, Meta(examples=["pending"])]
    suspended: bool
    missing: list[RequirementAnswer]
    upcoming: Annotated[list[RequirementAnswer], Meta(examples=[[]])]
    deadline: datetime | None
    checked_at: Annotated[datetime | None, Meta(description="When Stripe was last asked.")]

    @classmethod
    def of(cls, vouched: Vouched) -> "PayoutCapabilityAnswer":
        """As `vouched` was judged."""
        seller, verdict = vouched.seller, vouched.verdict
        return cls(
            seller_id=seller.id,
            payable=verdict.payable,
            state=verdict.state,
            reasons=list(verdict.reasons),
            approval=seller.approval,
            suspended=seller.suspended_at is not None,
            missing=[RequirementAnswer.of(each) for each in verdict.missing],
            upcoming=[RequirementAnswer.of(each) for each in verdict.upcoming],
            deadline=verdict.deadline,
            checked_at=verdict.checked_at,
        )


class OnboardingLinkAnswer(msgspec.Struct, kw_only=True):
    """Send the seller's browser here at once: the link works one time, for minutes."""

    url: Annotated[str, Meta(examples=["https://connect.stripe.com/setup/e/acct_1/x"])]
    expires_at: datetime


class DashboardLinkAnswer(msgspec.Struct, kw_only=True):
    """Send the seller's browser here at once: the link signs in, one time."""

    url: Annotated[str, Meta(examples=["https://connect.stripe.com/express/acct_1/x"])]


def _given(value: str | UnsetType) -> str | None:
    return None if isinstance(value, UnsetType) else value
