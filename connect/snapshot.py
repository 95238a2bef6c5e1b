"""What Stripe said a connected account is, at one moment: facts, in Stripe's own words.

Statuses stay text on purpose: Stripe may add values, and an unknown one must be kept, shown to an
admin and read as "not ready", never refused or guessed at.
"""

from datetime import datetime

import msgspec

from payments.ids import ConnectedAccountId

INACCESSIBLE = "inaccessible"
"""Our own status word: Stripe gave a definite no to reading the account."""
NOT_REQUESTED = "not_requested"
"""Our own status word: Stripe's answer does not name the capability."""


class StatusDetail(msgspec.Struct, frozen=True):
    """Why a capability is not active (`code`) and what would make it so (`resolution`)."""

    code: str
    resolution: str | None


class CapabilitySeen(msgspec.Struct, frozen=True):
    """A capability: active, pending, restricted, rejected, unsupported, or a newer word."""

    status: str
    details: tuple[StatusDetail, ...] = ()


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """Something Stripe wants to know. `awaiting_action_from` is `user` or `stripe`.

    `deadline_status` is `past_due`, `currently_due` or `eventually_due`; `errors` are Stripe's
    codes of what was wrong with what was given.
    """

    description: str
    awaiting_action_from: str
    deadline_status: str | None
    errors: tuple[str, ...] = ()


class AccountSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A connected account with the `recipient` configuration (Accounts v2)."""

    id: ConnectedAccountId
    country: str
    default_currency: str | None
    # Whether the configuration that receives transfers is applied at all.
    recipient: bool
    transfers: CapabilitySeen
    payouts: CapabilitySeen
    requirements: tuple[Requirement, ...]
    future_requirements: tuple[Requirement, ...]
    # Of the strictest requirement: its status, and the moment it starts to restrict the account.
    deadline_status: str | None
    deadline: datetime | None
    closed: bool
    request_id: str | None


def inaccessible(last: AccountSnapshot, request_id: str | None) -> AccountSnapshot:
    """The account after Stripe refused to show it: nothing is known to be active any more."""
    gone = CapabilitySeen(INACCESSIBLE)
    return msgspec.structs.replace(last, transfers=gone, payouts=gone, request_id=request_id)
