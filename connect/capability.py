"""The verdict: may this seller be paid? Pure: time, snapshot and decision are passed in.

Stripe needs only the transfers capability to accept a destination charge. Payouts are asked for too
(a policy switch), so that money never piles up for a seller who cannot be paid out. A requirement
with a deadline ahead is a warning: when it passes, Stripe changes the capability itself. Whatever
is unknown, missing or too old reads as "not payable".
"""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from connect.snapshot import NOT_REQUESTED, AccountSnapshot, CapabilitySeen, Requirement
from payments.ids import ConnectedAccountId

ACTIVE = "active"
CLOCK_SKEW = timedelta(seconds=60)
"""How far two machines' clocks may differ; a snapshot from further ahead is not trusted."""


class AccountState(StrEnum):
    """Where the connected account stands, whatever the platform decided about its seller."""

    NOT_STARTED = "not_started"
    INCOMPLETE = "incomplete"
    PENDING_REVIEW = "pending_review"
    READY = "ready"
    READY_WITH_DEADLINE = "ready_with_deadline"
    RESTRICTED = "restricted"
    REJECTED = "rejected"
    UNSUPPORTED = "unsupported"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a seller cannot be paid: a closed list of stable codes, in the order they are told."""

    NO_ACCOUNT = "no_account"
    ACCOUNT_CLOSED = "account_closed"
    SNAPSHOT_TOO_OLD = "snapshot_too_old"
    RECIPIENT_MISSING = "recipient_missing"
    TRANSFERS_INACTIVE = "transfers_inactive"
    PAYOUTS_INACTIVE = "payouts_inactive"
    NOT_APPROVED = "not_approved"
    APPROVAL_REJECTED = "approval_rejected"
    SUSPENDED = "suspended"
    FROZEN = "frozen"


class PlatformStanding(msgspec.Struct, frozen=True):
    """What the platform decided: `approval` is `pending`, `approved` or `rejected`.

    The money of a `frozen` seller stands still: nothing of theirs is paid, captured or paid out.
    """

    approval: str
    suspended: bool
    frozen: bool = False


class CapabilityPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What we ask for beyond Stripe's minimum, and how old a snapshot may be (seconds)."""

    payouts_required: bool = True
    # Older than this is refreshed before money moves.
    fresh_seconds: int = 60
    # When Stripe cannot be asked, this is the oldest snapshot a yes may rest on.
    longest_trusted_seconds: int = 15 * 60


class KnownAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot with the moment it was asked for, and whether something has happened since."""

    seller_id: str
    snapshot: AccountSnapshot
    checked_at: datetime
    stale: bool


class PayoutCapability(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict. `payable` holds exactly when there is no reason against it."""

    account_id: ConnectedAccountId | None
    payable: bool
    state: AccountState
    reasons: tuple[Reason, ...]
    # What stops or will soon stop the account, and what Stripe will want later.
    missing: tuple[Requirement, ...]
    upcoming: tuple[Requirement, ...]
    deadline: datetime | None
    checked_at: datetime | None


def assess(
    known: KnownAccount | None,
    standing: PlatformStanding,
    policy: CapabilityPolicy,
    now: datetime,
) -> PayoutCapability:
    """Judge what is known of the account at `now`, together with what the platform decided."""
    trusted = known is not None and is_trusted(known, policy, now)
    reasons = (*_of_account(known, trusted, policy), *_of_platform(standing))
    snapshot = None if known is None else known.snapshot
    return PayoutCapability(
        account_id=None if snapshot is None else snapshot.id,
        payable=not reasons,
        state=_state_at(snapshot, trusted, policy),
        reasons=reasons,
        missing=() if snapshot is None else due_of(snapshot),
        upcoming=() if snapshot is None else _upcoming(snapshot),
        deadline=None if snapshot is None else snapshot.deadline,
        checked_at=None if known is None else known.checked_at,
    )


def is_fresh(known: KnownAccount, policy: CapabilityPolicy, now: datetime) -> bool:
    """Whether money may move on this snapshot without asking Stripe again."""
    return not known.stale and _within(known.checked_at, policy.fresh_seconds, now)


def is_trusted(known: KnownAccount, policy: CapabilityPolicy, now: datetime) -> bool:
    """Whether this snapshot may still say yes when Stripe cannot be asked."""
    return _within(known.checked_at, policy.longest_trusted_seconds, now)


def state_of(snapshot: AccountSnapshot, policy: CapabilityPolicy) -> AccountState:
    """Where the account stands by its snapshot alone, however old it is."""
    if snapshot.closed:
        return AccountState.CLOSED
    inactive = [seen for seen in _asked_for(snapshot, policy) if seen.status != ACTIVE]
    if inactive:
        return _unready(snapshot, inactive)
    if not snapshot.recipient:
        return AccountState.RESTRICTED
    return AccountState.READY_WITH_DEADLINE if _has_deadline(snapshot) else AccountState.READY


def due_of(snapshot: AccountSnapshot) -> tuple[Requirement, ...]:
    """What stops or will soon stop the account."""
    return tuple(filter(_is_due, snapshot.requirements))


def onboarding_done(state: AccountState) -> bool:
    """Whether the seller has given everything once: before that the dashboard shows nothing."""
    return state not in (AccountState.NOT_STARTED, AccountState.INCOMPLETE, AccountState.CLOSED)


def refresh_again_at(state: AccountState, checked_at: datetime) -> datetime:
    """When to ask again unprompted: events tell of changes, this is the net under lost ones."""
    settled = (
        AccountState.READY,
        AccountState.READY_WITH_DEADLINE,
        AccountState.REJECTED,
        AccountState.UNSUPPORTED,
        AccountState.CLOSED,
    )
    return checked_at + (timedelta(hours=24) if state in settled else timedelta(hours=1))


def _of_account(
    known: KnownAccount | None, trusted: bool, policy: CapabilityPolicy
) -> list[Reason]:
    if known is None:
        return [Reason.NO_ACCOUNT]
    snapshot = known.snapshot
    found = {
        Reason.ACCOUNT_CLOSED: snapshot.closed,
        Reason.SNAPSHOT_TOO_OLD: not trusted,
        Reason.RECIPIENT_MISSING: not snapshot.recipient,
        Reason.TRANSFERS_INACTIVE: snapshot.transfers.status != ACTIVE,
        Reason.PAYOUTS_INACTIVE: policy.payouts_required and snapshot.payouts.status != ACTIVE,
    }
    return [reason for reason, holds in found.items() if holds]


def _of_platform(standing: PlatformStanding) -> list[Reason]:
    reasons = []
    if standing.approval == "rejected":
        reasons.append(Reason.APPROVAL_REJECTED)
    elif standing.approval != "approved":
        reasons.append(Reason.NOT_APPROVED)
    if standing.suspended:
        reasons.append(Reason.SUSPENDED)
    if standing.frozen:
        reasons.append(Reason.FROZEN)
    return reasons


def _state_at(
    snapshot: AccountSnapshot | None, trusted: bool, policy: CapabilityPolicy
) -> AccountState:
    if snapshot is None:
        return AccountState.NOT_STARTED
    state = state_of(snapshot, policy)
    # Closing is for ever; everything else may have changed since a snapshot that is too old.
    return state if trusted or state is AccountState.CLOSED else AccountState.UNKNOWN


def _unready(snapshot: AccountSnapshot, inactive: list[CapabilitySeen]) -> AccountState:
    """Which kind of not ready: final answers first, then what the seller can do something about."""
    statuses = {seen.status for seen in inactive}
    details = [detail for seen in inactive for detail in seen.details]
    due = due_of(snapshot)
    if "rejected" in statuses:
        return AccountState.REJECTED
    if "unsupported" in statuses:
        return AccountState.UNSUPPORTED
    if not statuses <= {"pending", "restricted", NOT_REQUESTED}:
        return AccountState.UNKNOWN
    if any(detail.resolution == "provide_info" for detail in details) or any(
        one.awaiting_action_from == "user" for one in due
    ):
        return AccountState.INCOMPLETE
    if "pending" in statuses or any(one.awaiting_action_from == "stripe" for one in due):
        return AccountState.PENDING_REVIEW
    return AccountState.RESTRICTED


def _asked_for(snapshot: AccountSnapshot, policy: CapabilityPolicy) -> list[CapabilitySeen]:
    if policy.payouts_required:
        return [snapshot.transfers, snapshot.payouts]
    return [snapshot.transfers]


def _is_due(requirement: Requirement) -> bool:
    """Due now, or in a way we do not know: only `eventually_due` is surely later."""
    return requirement.deadline_status != "eventually_due"


def _has_deadline(snapshot: AccountSnapshot) -> bool:
    if any(map(_is_due, snapshot.requirements)):
        return True
    return snapshot.deadline is not None and snapshot.deadline_status != "eventually_due"


def _upcoming(snapshot: AccountSnapshot) -> tuple[Requirement, ...]:
    later = [one for one in snapshot.requirements if not _is_due(one)]
    return (*later, *snapshot.future_requirements)


def _within(checked_at: datetime, seconds: int, now: datetime) -> bool:
    return -CLOCK_SKEW <= now - checked_at <= timedelta(seconds=seconds)
