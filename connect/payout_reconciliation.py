"""Payouts of connected accounts: Stripe's lists against our rows, what they carried, and the books."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from connect.payout_gateway import PayoutGateway, PayoutSnapshot
from connect.payouts import Payouts
from payments.database import rows
from payments.ids import ConnectedAccountId
from payments.reconciliation_chain import Verdict
from payments.reconciliation_findings import Finding, Kind, Value


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """A payout as we have it: what its items come to (None: they are not known), and its postings."""

    id: str
    amount: int
    currency: str
    status: str
    carried: int | None
    posted: int


_ROWS = """
SELECT p.id, p.amount, p.currency, p.status,
       (SELECT sum(i.net)::bigint FROM payout_items i WHERE i.payout_id = p.id) AS carried,
       (SELECT coalesce(sum(CASE WHEN t.source = 'banks' THEN -t.amount ELSE t.amount END), 0)::bigint
        FROM postings t WHERE t.cause IN (p.id || ':paid_out', p.id || ':returned')) AS posted
FROM payouts p WHERE p.account_id = $1 AND p.created_at >= $2 AND p.created_at < $3
"""
_MOMENT = timedelta(microseconds=1)
_RETURNED = frozenset({"failed", "canceled"})


class PayoutReconciliation:
    """Compares one connected account at a time; what differs is read again and taken in."""

    def __init__(self, gateway: PayoutGateway, payouts: Payouts) -> None:
        self._gateway, self._payouts = gateway, payouts

    async def accounts(self, after: str, limit: int) -> list[str]:
        """The connected accounts that ever had money to be paid out, by id."""
        found = await rows(
            "SELECT account_id FROM connected_accounts a WHERE account_id > $1 AND NOT closed "
            "AND EXISTS (SELECT FROM postings t WHERE t.seller_id = a.seller_id) "
            "ORDER BY account_id LIMIT $2",
            after,
            limit,
        )
        return [record["account_id"] for record in found]

    async def compare(
        self, account_id: str, since: datetime, until: datetime, settled_before: datetime
    ) -> tuple[int, list[Verdict]]:
        """How many payouts the account had in `[since, until)`, and what differs of them."""
        account = ConnectedAccountId(account_id)
        seen = [
            one
            async for one in self._gateway.payouts(account, since=since)
            if since <= one.created_at < until
        ]
        before = await _differences(account, seen, since, until)
        young = {one.id for one in seen if one.created_at >= settled_before}
        odd = {one.stripe_id for one in before if one.stripe_id not in young}
        again = [await self._again(account, one) if one.id in odd else one for one in seen]
        left = before if not odd else await _differences(account, again, since, until)
        keys = {one.key for one in left}
        return len(seen), [
            *[Verdict(one, "healed") for one in before if one.key not in keys],
            *[Verdict(one, "timing" if one.stripe_id in young else "case") for one in left],
        ]

    async def remains(self, found: Finding) -> bool:
        """Whether an older difference of a payout is still there, once it was read again.

        Raises the errors of `payments.errors`.
        """
        owner = await rows(
            "SELECT account_id, created_at FROM payouts WHERE id = $1", found.stripe_id
        )
        if not owner:
            return True
        account, made = ConnectedAccountId(owner[0]["account_id"]), owner[0]["created_at"]
        await self._payouts.refresh(account, found.stripe_id or "")
        seen = await self._gateway.retrieve_payout(account, found.stripe_id or "")
        left = await _differences(account, [seen], made, made + _MOMENT)
        return any(one.key == found.key for one in left)

    async def _again(self, account: ConnectedAccountId, one: PayoutSnapshot) -> PayoutSnapshot:
        await self._payouts.refresh(account, one.id)
        return await self._gateway.retrieve_payout(account, one.id)


async def _differences(
    account: ConnectedAccountId,
    seen: Sequence[PayoutSnapshot],
    since: datetime,
    until: datetime,
) -> list[Finding]:
    known = {each["id"]: _Row(**each) for each in await rows(_ROWS, account, since, until)}
    found = [one for payout in seen for one in _of_payout(known.get(payout.id), payout)]
    listed = {one.id for one in seen}
    return found + [
        _finding("missing_there", "payout", row.id, row.currency, row.amount, None)
        for row in known.values()
        if row.id not in listed
    ]


def _of_payout(ours: _Row | None, seen: PayoutSnapshot) -> list[Finding]:
    if ours is None:
        return [_finding("missing_here", "payout", seen.id, seen.currency, None, seen.amount)]
    posted = 0 if seen.status in _RETURNED else seen.amount
    compared: list[tuple[Kind, str, Any, Any]] = [
        ("currency", "payout.currency", ours.currency, seen.currency),
        ("amount", "payout.amount", ours.amount, seen.amount),
        ("status", "payout.status", ours.status, seen.status),
        ("amount", "payout.posted", ours.posted, posted),
    ]
    if ours.carried is not None:
        compared.append(("amount", "payout.carried", ours.carried, seen.amount))
    return [
        _finding(kind, what, seen.id, seen.currency, mine, theirs)
        for kind, what, mine, theirs in compared
        if mine != theirs
    ]


def _finding(
    kind: Kind, what: str, payout_id: str, currency: str, ours: Value, theirs: Value
) -> Finding:
    return Finding(
        kind=kind, what=what, stripe_id=payout_id, currency=currency, ours=ours, theirs=theirs
    )
