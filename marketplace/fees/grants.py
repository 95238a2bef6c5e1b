"""Granting fee credits and ending them: an admin alone up to a limit, with another admin beyond it.

What one admin granted a seller within a month counts together, so that a large credit cannot be had in
small parts. Nobody grants or approves one for a seller of their own.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import msgspec

from marketplace.fees import credits
from marketplace.fees.credits import COLUMNS, CreditRecord
from marketplace.fees.errors import FeeCreditNeedsApproval, FeeCreditRefused, FeeCreditRevoked
from marketplace.oversight import audit
from marketplace.oversight.approvals import ApprovalRecord, Approvals
from marketplace.sellers import records as sellers
from marketplace.sellers.errors import SellerNotFound
from marketplace.sellers.profile import require_not_own
from payments.currencies import CURRENCIES, MAXIMUM_CHARGE
from payments.database import execute, row, transaction, value
from payments.ids import new_id

GRANT: Final = "fee_credit.grant"
"""What another admin approves."""
ALONE_UP_TO: Final = 100_000
"""In currencies that the settings do not name: 1,000.00 euros, or 100,000 yen."""
COUNTED_FOR: Final = timedelta(days=30)
"""How long what an admin granted alone counts against what they may still grant that seller."""


class NewCredit(msgspec.Struct, frozen=True, kw_only=True):
    """What an admin grants. `starts_at` None is at once, `ends_at` None is never."""

    seller_id: str
    currency: str
    amount: int
    starts_at: datetime | None = None
    ends_at: datetime | None = None


class Grants:
    """The use cases of fee credits that admins have."""

    def __init__(
        self, approvals: Approvals, alone_up_to: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        """`alone_up_to`: what one admin grants a seller, minor units by currency."""
        self._approvals, self._alone_up_to = approvals, alone_up_to
        approvals.register(GRANT, self._grant)

    async def grant(
        self, new: NewCredit, *, actor: str, reason: str, now: datetime
    ) -> CreditRecord:
        """Give a seller a credit.

        Raises FeeCreditRefused, saying where and why, OwnSellerDecision, and FeeCreditNeedsApproval where
        it is too much for one.
        """
        async with transaction():
            await _check(new, actor, now)
            _require_ahead(new, now)
            await self._require_alone(new, actor, now)
            return await _write(new, actor, None, reason, now)

    async def ask(
        self, new: NewCredit, *, actor: str, reason: str, now: datetime
    ) -> ApprovalRecord:
        """Ask for a credit of any amount, which another admin decides about.

        Raises FeeCreditRefused, OwnSellerDecision, ApprovalAsked.
        """
        async with transaction():
            await _check(new, actor, now)
            _require_ahead(new, now)
            return await self._approvals.ask(
                action=GRANT,
                subject=new.seller_id,
                facts=msgspec.to_builtins(new),
                reason=reason,
                asked_by=actor,
                now=now,
            )

    async def _grant(self, approval: ApprovalRecord, now: datetime) -> None:
        """What an approval brings about, in its transaction."""
        new, second = msgspec.convert(approval.facts, NewCredit), approval.decided_by or ""
        await _check(new, second, now)
        await _write(new, approval.asked_by, second, approval.reason, now)

    async def _require_alone(self, new: NewCredit, actor: str, now: datetime) -> None:
        limit = self._alone_up_to.get(new.currency, ALONE_UP_TO)
        granted: int = await value(
            "SELECT coalesce(sum(CASE WHEN revoked_at IS NULL THEN amount ELSE used END), 0)::bigint "
            "FROM seller_fee_credits WHERE seller_id = $1 AND currency = $2 AND granted_by = $3 "
            "AND approved_by IS NULL AND granted_at > $4",
            new.seller_id,
            new.currency,
            actor,
            now - COUNTED_FOR,
        )
        if granted + new.amount > limit:
            raise FeeCreditNeedsApproval(
                new.seller_id, amount=granted + new.amount, limit=limit, currency=new.currency
            )


async def revoke(credit_id: str, *, actor: str, reason: str, now: datetime) -> CreditRecord:
    """End what is left of a credit; orders keep what they took.

    Raises FeeCreditNotFound, FeeCreditRevoked.
    """
    async with transaction():
        found = await row(
            "UPDATE seller_fee_credits SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL "
            f"RETURNING {COLUMNS}",
            credit_id,
            now,
        )
        if found is None:
            raise FeeCreditRevoked((await credits.find(credit_id)).id)
        credit = CreditRecord(**found)
        await audit.record(
            actor=actor,
            action="fee_credit.revoked",
            subject=credit_id,
            before={"revoked_at": None, "left": credit.amount - credit.used},
            after={"revoked_at": now, "left": 0},
            reason=reason,
            now=now,
        )
    return credit


async def _check(new: NewCredit, actor: str, now: datetime) -> None:
    """The seller is locked: what one admin grants them at once, in parts, is counted one by one."""
    try:
        seller = await sellers.require_locked(new.seller_id)
    except SellerNotFound as nothing:
        raise FeeCreditRefused("seller_id", "seller_unknown") from nothing
    require_not_own(seller, actor)
    if new.currency != seller.currency:
        raise FeeCreditRefused("currency", "not_the_sellers")
    if not 0 < new.amount <= MAXIMUM_CHARGE:
        raise FeeCreditRefused("amount", "amount_outside")
    if new.amount % CURRENCIES[new.currency].step:
        raise FeeCreditRefused("amount", "amount_not_whole")
    if new.ends_at is not None and new.ends_at <= (new.starts_at or now):
        raise FeeCreditRefused("ends_at", "not_after_starts_at")
    if new.ends_at is not None and new.ends_at <= now:
        raise FeeCreditRefused("ends_at", "in_the_past")


def _require_ahead(new: NewCredit, now: datetime) -> None:
    """Nothing is granted for what was. A start that has come while the other admin decided is no mistake."""
    if new.starts_at is not None and new.starts_at < now:
        raise FeeCreditRefused("starts_at", "in_the_past")


async def _write(
    new: NewCredit, actor: str, approved_by: str | None, reason: str, now: datetime
) -> CreditRecord:
    credit = CreditRecord(
        id=new_id("fcr"),
        seller_id=new.seller_id,
        currency=new.currency,
        amount=new.amount,
        used=0,
        starts_at=new.starts_at or now,
        ends_at=new.ends_at,
        revoked_at=None,
        reason=reason,
        granted_by=actor,
        granted_at=now,
        approved_by=approved_by,
    )
    facts = msgspec.structs.asdict(credit)
    places = ", ".join(f"${at}" for at in range(1, len(facts) + 1))
    await execute(f"INSERT INTO seller_fee_credits ({COLUMNS}) VALUES ({places})", *facts.values())
    await audit.record(
        actor=actor,
        action="fee_credit.granted",
        subject=credit.id,
        after=facts,
        reason=reason,
        now=now,
    )
    return credit
