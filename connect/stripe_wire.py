"""Stripe's JSON of connected accounts as far as connect reads it, and what it says in our words.

Pure. Every part may be null or absent: Accounts v2 leaves out what was not asked for with `include`.
"""

from datetime import datetime

import msgspec

from connect.snapshot import (
    NOT_REQUESTED,
    AccountSnapshot,
    CapabilitySeen,
    Requirement,
    StatusDetail,
)
from payments.ids import ConnectedAccountId


class DetailObject(msgspec.Struct, frozen=True):
    """Why a capability is not active."""

    code: str
    resolution: str | None = None


class CapabilityObject(msgspec.Struct, frozen=True):
    """One capability."""

    status: str
    status_details: tuple[DetailObject, ...] = ()


class StripeBalanceObject(msgspec.Struct, frozen=True):
    """What the account may do with its Stripe balance."""

    stripe_transfers: CapabilityObject | None = None
    payouts: CapabilityObject | None = None


class CapabilitiesObject(msgspec.Struct, frozen=True):
    """`configuration.recipient.capabilities`."""

    stripe_balance: StripeBalanceObject | None = None


class RecipientObject(msgspec.Struct, frozen=True):
    """The configuration that receives transfers."""

    capabilities: CapabilitiesObject | None = None


class ConfigurationObject(msgspec.Struct, frozen=True):
    """What the account is applied to."""

    recipient: RecipientObject | None = None


class DeadlineObject(msgspec.Struct, frozen=True):
    """How near a requirement is; only the summary tells a time."""

    status: str | None = None
    time: datetime | None = None


class EntryErrorObject(msgspec.Struct, frozen=True):
    """What was wrong with what was given."""

    code: str


class EntryObject(msgspec.Struct, frozen=True):
    """One thing Stripe wants to know."""

    description: str
    awaiting_action_from: str
    minimum_deadline: DeadlineObject | None = None
    errors: tuple[EntryErrorObject, ...] = ()


class SummaryObject(msgspec.Struct, frozen=True):
    """The strictest of all requirements."""

    minimum_deadline: DeadlineObject | None = None


class RequirementsObject(msgspec.Struct, frozen=True):
    """`requirements` and `future_requirements`."""

    entries: tuple[EntryObject, ...] | None = None
    summary: SummaryObject | None = None


class IdentityObject(msgspec.Struct, frozen=True):
    """Who the account is; only the country is read."""

    country: str | None = None


class DefaultsObject(msgspec.Struct, frozen=True):
    """What the account settles in."""

    currency: str | None = None


class AccountObject(msgspec.Struct, frozen=True):
    """`v2.core.account`, as far as we read it."""

    id: str
    applied_configurations: tuple[str, ...] | None = None
    closed: bool | None = None
    configuration: ConfigurationObject | None = None
    defaults: DefaultsObject | None = None
    identity: IdentityObject | None = None
    requirements: RequirementsObject | None = None
    future_requirements: RequirementsObject | None = None


class NamedAccount(msgspec.Struct, frozen=True):
    """An account in a list: enough to recognise it."""

    id: str
    metadata: dict[str, str] | None = None


class AccountPage(msgspec.Struct, frozen=True):
    """A page of the list of accounts."""

    data: tuple[NamedAccount, ...]
    next_page_url: str | None = None


class AccountLinkObject(msgspec.Struct, frozen=True):
    """`v2.core.account_link`."""

    url: str
    expires_at: datetime


class LoginLinkObject(msgspec.Struct, frozen=True):
    """`login_link` of v1."""

    url: str


def account_snapshot(account: AccountObject, request_id: str | None) -> AccountSnapshot:
    """The snapshot an answer stands for. What is not told is not active."""
    balance = _balance_of(account)
    deadline = _deadline_of(account.requirements)
    country = account.identity.country if account.identity else None
    return AccountSnapshot(
        id=ConnectedAccountId(account.id),
        country=(country or "").upper(),
        default_currency=account.defaults.currency if account.defaults else None,
        recipient="recipient" in (account.applied_configurations or ()),
        transfers=_seen(balance.stripe_transfers),
        payouts=_seen(balance.payouts),
        requirements=_entries(account.requirements),
        future_requirements=_entries(account.future_requirements),
        deadline_status=deadline.status,
        deadline=deadline.time,
        closed=account.closed is True,
        request_id=request_id,
    )


def _balance_of(account: AccountObject) -> StripeBalanceObject:
    recipient = account.configuration.recipient if account.configuration else None
    capabilities = recipient.capabilities if recipient else None
    balance = capabilities.stripe_balance if capabilities else None
    return balance or StripeBalanceObject()


def _seen(capability: CapabilityObject | None) -> CapabilitySeen:
    if capability is None:
        return CapabilitySeen(NOT_REQUESTED)
    details = tuple(StatusDetail(each.code, each.resolution) for each in capability.status_details)
    return CapabilitySeen(capability.status, details)


def _entries(requirements: RequirementsObject | None) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(
            description=entry.description,
            awaiting_action_from=entry.awaiting_action_from,
            deadline_status=entry.minimum_deadline.status if entry.minimum_deadline else None,
            errors=tuple(each.code for each in entry.errors),
        )
        for entry in (requirements.entries if requirements else None) or ()
    )


def _deadline_of(requirements: RequirementsObject | None) -> DeadlineObject:
    summary = requirements.summary if requirements else None
    return (summary.minimum_deadline if summary else None) or DeadlineObject()
