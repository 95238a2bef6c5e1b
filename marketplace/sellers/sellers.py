"""Use cases of sellers: people open a shop, admins decide about it, every decision is on record."""

from datetime import datetime
from typing import Any, Final

import msgspec

from connect.accounts import Accounts
from connect.gateway import DashboardLink, OnboardingLink
from marketplace.messages import outbox
from marketplace.messages.kinds import Kind
from marketplace.oversight import audit
from marketplace.oversight.switches import require_on
from marketplace.sellers import records
from marketplace.sellers.errors import (
    SellerFactFixed,
    SellerNotFound,
    SellerProfileExists,
)
from marketplace.sellers.profile import (
    COLUMNS,
    Decision,
    NewSeller,
    SellerChanges,
    SellerProfile,
    changed,
    checked,
    checked_reason,
    decided,
    reinstated,
    require_not_own,
    suspended,
)
from payments.database import execute, row, transaction, value
from payments.ids import new_id

_DECIDED: Final[dict[str, Kind]] = {
    "seller.approved": "seller_approved",
    "seller.rejected": "seller_rejected",
    "seller.suspended": "seller_suspended",
    "seller.reinstated": "seller_reinstated",
}
"""What the seller is told of each decision."""


class Sellers:
    """Profiles, and the platform's decision about them. Another person's seller does not exist."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def open_profile(self, account_id: str, new: NewSeller, now: datetime) -> SellerProfile:
        """Make the account a seller, pending approval.

        Raises SellerProfileExists, NameRefused, CountryUnknown, CurrencyUnknown.
        """
        wanted = checked(new)
        async with transaction():
            made = await row(
                "INSERT INTO sellers (id, account_id, display_name, country, currency, approval, "
                "created_at) VALUES ($1, $2, $3, $4, $5, 'pending', $6) "
                f"ON CONFLICT (account_id) DO NOTHING RETURNING {COLUMNS}",
                new_id("sel"),
                account_id,
                wanted.display_name,
                wanted.country,
                wanted.currency,
                now,
            )
            if made is None:
                raise SellerProfileExists((await self.require_of_account(account_id)).id)
            profile = SellerProfile(**made)
            await audit.record(
                actor=account_id,
                action="seller.opened",
                subject=profile.id,
                after=msgspec.structs.asdict(wanted),
                now=now,
            )
            await _tell(profile, "onboarding_needed", None, now)
        return profile

    async def update(
        self, seller_id: str, account_id: str, changes: SellerChanges, now: datetime
    ) -> SellerProfile:
        """Change one's own profile. Orders that were placed keep the windows they were placed under.

        Country and currency are fixed once a connected account was asked for; the currency also
        once listings are priced in it.

        Raises SellerNotFound, SellerFactFixed, NameRefused, CountryUnknown, CurrencyUnknown,
        CancellationWindowsRefused.
        """
        async with transaction():
            before = await records.require_locked(seller_id)
            if before.account_id != account_id:
                raise SellerNotFound(seller_id)
            after = changed(before, changes)
            await self._require_free(before, after)
            await execute(
                "UPDATE sellers SET display_name = $2, country = $3, currency = $4, "
                "at_deadline = $5, cancellation_windows = $6 WHERE id = $1",
                after.id,
                after.display_name,
                after.country,
                after.currency,
                after.at_deadline,
                after.cancellation_windows,
            )
            if after != before:
                await _record(account_id, "seller.changed", before, after, None, now)
        return after

    async def require(self, seller_id: str) -> SellerProfile:
        """The seller, whoever asks. Raises SellerNotFound."""
        return await records.require(seller_id)

    async def require_own(self, seller_id: str, account_id: str) -> SellerProfile:
        """The seller that this account is. Raises SellerNotFound, for others' sellers too."""
        profile = await self.require(seller_id)
        if profile.account_id != account_id:
            raise SellerNotFound(seller_id)
        return profile

    async def require_of_account(self, account_id: str) -> SellerProfile:
        """The account's seller profile. Raises SellerNotFound."""
        return await records.require_of_account(account_id)

    async def onboarding_link(
        self,
        seller_id: str,
        *,
        account_id: str,
        email: str,
        return_url: str,
        refresh_url: str,
        now: datetime,
    ) -> OnboardingLink:
        """A new link to Stripe's hosted onboarding, for the seller's owner and nobody else.

        The first one opens the connected account. Raises SellerNotFound, SwitchedOff, AccountNotOpened,
        AccountIsClosed, LinkRefused, PaymentsUnavailable.
        """
        seller = await self.require_own(seller_id, account_id)
        await require_on("onboarding", seller_id=seller.id, currency=seller.currency, now=now)
        await self._accounts.open_account(
            seller.id,
            country=seller.country,
            currency=seller.currency,
            email=email,
            display_name=seller.display_name,
        )
        return await self._accounts.onboarding_link(
            seller.id, return_url=return_url, refresh_url=refresh_url
        )

    async def dashboard_link(self, seller_id: str, *, account_id: str) -> DashboardLink:
        """A new link into the seller's Stripe dashboard, for the seller's owner and nobody else.

        Raises SellerNotFound, AccountNotFound, AccountIsClosed, OnboardingIncomplete, LinkRefused,
        PaymentsUnavailable.
        """
        seller = await self.require_own(seller_id, account_id)
        return await self._accounts.dashboard_link(seller.id)

    async def decide(
        self, seller_id: str, decision: Decision, *, actor: str, reason: str, now: datetime
    ) -> SellerProfile:
        """Approve or reject a seller, as an admin.

        Raises SellerNotFound, SellerStepRefused, OwnSellerDecision, ReasonRequired.
        """
        why = checked_reason(reason)
        async with transaction():
            before = await _to_decide(seller_id, actor)
            after = decided(before, decision, why, now)
            await _write_decision(actor, f"seller.{after.approval}", before, after, why, now)
        return after

    async def suspend(
        self, seller_id: str, *, actor: str, reason: str, now: datetime
    ) -> SellerProfile:
        """Stop a seller from selling until reinstated, as an admin.

        Raises SellerNotFound, SellerStepRefused, OwnSellerDecision, ReasonRequired.
        """
        why = checked_reason(reason)
        async with transaction():
            before = await _to_decide(seller_id, actor)
            after = suspended(before, why, now)
            await _write_decision(actor, "seller.suspended", before, after, why, now)
        return after

    async def reinstate(
        self, seller_id: str, *, actor: str, reason: str, now: datetime
    ) -> SellerProfile:
        """End a suspension, as an admin.

        Raises SellerNotFound, SellerStepRefused, OwnSellerDecision, ReasonRequired.
        """
        why = checked_reason(reason)
        async with transaction():
            before = await _to_decide(seller_id, actor)
            after = reinstated(before)
            await _write_decision(actor, "seller.reinstated", before, after, why, now)
        return after

    async def _require_free(self, before: SellerProfile, after: SellerProfile) -> None:
        moved = [name for name in ("country", "currency") if name in _changed_facts(before, after)]
        if moved and await self._accounts.is_opened(before.id):
            raise SellerFactFixed(moved[0])
        if "currency" in moved and await value(
            "SELECT EXISTS (SELECT FROM listings WHERE seller_id = $1)", before.id
        ):
            raise SellerFactFixed("currency")


async def _to_decide(seller_id: str, actor: str) -> SellerProfile:
    profile = await records.require_locked(seller_id)
    require_not_own(profile, actor)
    return profile


async def _write_decision(
    actor: str,
    action: str,
    before: SellerProfile,
    after: SellerProfile,
    reason: str | None,
    now: datetime,
) -> None:
    await execute(
        "UPDATE sellers SET approval = $2, approval_reason = $3, approved_at = $4, "
        "suspended_at = $5, suspension_reason = $6 WHERE id = $1",
        after.id,
        after.approval,
        after.approval_reason,
        after.approved_at,
        after.suspended_at,
        after.suspension_reason,
    )
    await _record(actor, action, before, after, reason, now)
    await _tell(after, _DECIDED[action], reason, now)


async def _tell(seller: SellerProfile, kind: Kind, reason: str | None, now: datetime) -> None:
    await outbox.tell(
        kind=kind,
        account_id=seller.account_id,
        subject_id=seller.id,
        cause=f"seller:{seller.id}:{kind}:{now.isoformat()}",
        facts={"seller_id": seller.id, "shop": seller.display_name, "reason": reason},
        now=now,
    )


async def _record(
    actor: str,
    action: str,
    before: SellerProfile,
    after: SellerProfile,
    reason: str | None,
    now: datetime,
) -> None:
    facts = _changed_facts(before, after)
    await audit.record(
        actor=actor,
        action=action,
        subject=after.id,
        before={name: old for name, (old, _) in facts.items()},
        after={name: new for name, (_, new) in facts.items()},
        reason=reason,
        now=now,
    )


def _changed_facts(before: SellerProfile, after: SellerProfile) -> dict[str, tuple[Any, Any]]:
    old, new = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
    return {name: (old[name], new[name]) for name in old if old[name] != new[name]}
