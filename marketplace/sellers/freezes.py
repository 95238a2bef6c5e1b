"""Freezing a seller's money: nothing of theirs is paid for, captured or paid out until two admins end it.

Checkout, confirmation and capture ask the gate (`vouching.py`), which says no from the moment of the freeze.
Stripe's automatic payouts are held by a request of their own, which is asked for again until Stripe says yes.
"""

from datetime import datetime
from typing import Final

import structlog

from connect.payout_holds import KIND, PayoutHolds
from marketplace.messages import outbox
from marketplace.messages.kinds import Kind
from marketplace.oversight import audit
from marketplace.oversight.approvals import ApprovalRecord, Approvals
from marketplace.oversight.errors import FrozenAlready, NotFrozen
from marketplace.sellers import records
from marketplace.sellers.profile import SellerProfile, checked_reason, require_not_own
from payments.database import execute, rows, transaction
from payments.ids import SellerId

_log = structlog.get_logger("marketplace.sellers")


UNFREEZE: Final = "seller.unfreeze"
"""What another admin approves."""


class Freezes:
    """The use cases of freezing."""

    def __init__(self, holds: PayoutHolds, approvals: Approvals) -> None:
        self._holds, self._approvals = holds, approvals
        approvals.register(UNFREEZE, self._unfreeze)

    async def freeze(
        self, seller_id: str, *, actor: str, reason: str, now: datetime
    ) -> SellerProfile:
        """Let the seller's money stand still, as an admin; one is enough.

        It stands for us when this returns; Stripe's automatic payouts are held at once, or by the sweep.
        Raises SellerNotFound, OwnSellerDecision, FrozenAlready, ReasonRequired.
        """
        why = checked_reason(reason)
        async with transaction():
            before = await records.require_locked(seller_id)
            require_not_own(before, actor)
            if before.frozen_at is not None:
                raise FrozenAlready(seller_id)
            await execute(
                "UPDATE sellers SET frozen_at = $2, frozen_by = $3, freeze_reason = $4 "
                "WHERE id = $1",
                seller_id,
                now,
                actor,
                why,
            )
            await _tell("seller_frozen", "seller.frozen", before, actor, why, now)
        await self._holds.bring_about(before.id, held=True)
        return await records.require(seller_id)

    async def ask_unfreeze(
        self, seller_id: str, *, actor: str, reason: str, now: datetime
    ) -> ApprovalRecord:
        """Ask that the freeze ends: it does when another admin approves.

        Raises SellerNotFound, OwnSellerDecision, NotFrozen, ReasonRequired, ApprovalAsked.
        """
        why = checked_reason(reason)
        async with transaction():
            frozen = await _require_frozen(seller_id, actor)
            return await self._approvals.ask(
                action=UNFREEZE,
                subject=seller_id,
                facts={"frozen_at": frozen.frozen_at, "freeze_reason": frozen.freeze_reason},
                reason=why,
                asked_by=actor,
                now=now,
            )

    async def _unfreeze(self, approval: ApprovalRecord, now: datetime) -> None:
        """What an approval brings about, in its transaction; payouts are let go by the sweep."""
        actor = approval.decided_by or ""
        frozen = await _require_frozen(approval.subject, actor)
        await execute(
            "UPDATE sellers SET frozen_at = NULL, frozen_by = NULL, freeze_reason = NULL "
            "WHERE id = $1",
            frozen.id,
        )
        await _tell("seller_unfrozen", "seller.unfrozen", frozen, actor, approval.reason, now)

    async def hold_due(self, now: datetime, limit: int) -> int:
        """The sweep: hold the payouts of frozen sellers, and let others' go; each is asked once an hour."""
        found = await rows(
            "SELECT s.id, s.frozen_at IS NOT NULL AS frozen FROM sellers s "
            "JOIN connected_accounts a ON a.seller_id = s.id AND NOT a.closed "
            "WHERE (s.frozen_at IS NOT NULL OR a.payouts_paused_at IS NOT NULL) "
            "AND (s.frozen_at IS NULL) <> (a.payouts_paused_at IS NULL) "
            "AND NOT EXISTS (SELECT FROM operations o WHERE o.subject = s.id AND o.kind = $1 "
            "  AND o.state = 'rejected' AND o.concluded_at > $2::timestamptz - interval '1 hour') "
            "LIMIT $3",
            KIND,
            now,
            limit,
        )
        done = [
            await self._holds.bring_about(SellerId(each["id"]), held=each["frozen"])
            for each in found
        ]
        return sum(done)

    async def keep_held(self, now: datetime, limit: int) -> int:
        """The sweep: hold payouts again that somebody let go at Stripe; each freeze is looked at in turn."""
        await self._holds.keep(limit)
        # What it finds is no queue: the next look is after a while.
        return 0


async def _require_frozen(seller_id: str, actor: str) -> SellerProfile:
    profile = await records.require_locked(seller_id)
    require_not_own(profile, actor)
    if profile.frozen_at is None:
        raise NotFrozen(seller_id)
    return profile


async def _tell(
    kind: Kind, action: str, seller: SellerProfile, actor: str, reason: str, now: datetime
) -> None:
    """Put it on record, and tell the seller."""
    frozen = kind == "seller_frozen"
    await audit.record(
        actor=actor,
        action=action,
        subject=seller.id,
        before={"frozen_at": seller.frozen_at, "freeze_reason": seller.freeze_reason},
        after={"frozen_at": now if frozen else None, "freeze_reason": reason if frozen else None},
        reason=reason,
        now=now,
    )
    await outbox.tell_seller(
        seller.id,
        kind=kind,
        subject_id=seller.id,
        cause=f"{kind}:{now.isoformat()}",
        facts={"shop": seller.display_name, "reason": reason},
        now=now,
    )
