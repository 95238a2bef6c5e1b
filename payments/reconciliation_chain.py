"""The chain of a destination charge, link by link: Stripe's lists against our rows, its movements against our
postings. What differs is read at Stripe again and taken in; what differs even then is somebody's to look at.

No transaction may be open. Everything can be done twice: a run that was stopped goes on where it was.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, TypeVar

import msgspec

from payments import reconciliation_mirror as mirror
from payments.database import rows
from payments.errors import StripeRejected
from payments.events import Clock
from payments.gateway import BalanceTransaction
from payments.reconciliation import KINDS
from payments.reconciliation_findings import (
    Finding,
    Known,
    dispute_differs,
    intent_differs,
    refund_differs,
)
from payments.reconciliation_gateway import (
    ChainGateway,
    DisputeSeen,
    IntentSeen,
    Listed,
    RefundSeen,
    Span,
)
from payments.reconciliation_healing import Healing
from payments.records import COLUMNS, PaymentRecord

State = Literal["timing", "healed", "case"]
"""Too young to be called a difference; gone since Stripe was read again; there to stay."""
Item = TypeVar("Item", IntentSeen, RefundSeen, DisputeSeen)
_LONGEST_WORD: Final = 60


class Verdict(msgspec.Struct, frozen=True):
    """A difference, and what became of it."""

    finding: Finding
    state: State


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """What one page brought: how many objects, what differed, and where to go on (None: it was the last)."""

    read: int
    verdicts: list[Verdict] = []
    after: str | None = None


class Chain:
    """Reads and compares. What began before `settled_before` and still differs is a difference."""

    def __init__(self, gateway: ChainGateway, healing: Healing, clock: Clock) -> None:
        self._gateway, self._healing, self._clock = gateway, healing, clock

    async def movements(self, span: Span, after: str | None) -> Slice:
        """Keep a page of the platform's balance transactions."""
        page = await self._gateway.movements(span, after)
        await mirror.keep(page.data, self._clock())
        return Slice(read=len(page.data), after=page.after)

    async def intents(self, span: Span, after: str | None, settled_before: datetime) -> Slice:
        """A page of PaymentIntents against payments; those of other programs are none of ours."""
        page = await self._gateway.intents(span, after)
        found = await _intents_differ(page.data)
        return await self._judged(page, found, settled_before)

    async def refunds(self, span: Span, after: str | None, settled_before: datetime) -> Slice:
        """A page of refunds against their rows."""
        page = await self._gateway.refunds(span, after)
        found = await _refunds_differ(page.data)
        return await self._judged(page, found, settled_before)

    async def disputes(self, span: Span, after: str | None, settled_before: datetime) -> Slice:
        """A page of disputes against their rows."""
        page = await self._gateway.disputes(span, after)
        found = await _disputes_differ(page.data)
        return await self._judged(page, found, settled_before)

    async def again(self, found: Finding) -> list[Finding]:
        """Read the PaymentIntent, refund or dispute of a difference once more and take it in.

        Answers what still differs of it. Raises StripeRejected, NotSent, OutcomeUnknown.
        """
        stripe_id = found.stripe_id or ""
        match found.word:
            case "refund":
                await self._healing.payment(found.payment_id)
                seen = await self._gateway.refund(stripe_id)
                left = await _refunds_differ([seen])
            case "dispute":
                await self._healing.dispute(stripe_id)
                left = await _disputes_differ([await self._gateway.dispute(stripe_id)])
            case _:
                await self._healing.payment(found.payment_id, stripe_id)
                left = await _intents_differ([await self._gateway.intent(stripe_id)])
        return left.get(stripe_id, [])

    async def _judged(
        self,
        page: Listed[Item],
        found: dict[str, list[Finding]],
        settled_before: datetime,
    ) -> Slice:
        """Read what differs again: what is gone then was healed. What is young is left for later."""
        verdicts: list[Verdict] = []
        for seen in page.data:
            before = found.get(seen.id, [])
            if seen.created_at >= settled_before:
                verdicts += [Verdict(one, "timing") for one in before]
            elif before:
                left = {one.key: one for one in await self._left(before)}
                verdicts += [Verdict(one, "healed") for one in before if one.key not in left]
                verdicts += [Verdict(one, "case") for one in left.values()]
        return Slice(read=len(page.data), verdicts=verdicts, after=page.after)

    async def _left(self, before: Sequence[Finding]) -> Sequence[Finding]:
        """What still differs of one object; all of it where Stripe lists it and will not show it."""
        try:
            return await self.again(before[0])
        except StripeRejected:
            return before

    async def unexplained(
        self, since: datetime, until: datetime, after: str, settled_before: datetime, limit: int
    ) -> Slice:
        """Movements that no payment of ours explains: of types we do not know, or of unknown charges."""
        found = await mirror.unexplained(since, until, after, limit)
        by_charge: dict[str, list[BalanceTransaction]] = {}
        verdicts: list[Verdict] = []
        for one in found:
            if one.charge_id is not None and one.reporting_category in KINDS:
                by_charge.setdefault(one.charge_id, []).append(one)
            else:
                verdicts.append(Verdict(_of_nobody(one), "case"))
        for charge_id, moved in by_charge.items():
            verdicts.append(await self._of_charge(charge_id, moved, settled_before))
        after_it = found[-1].id if len(found) == limit else None
        return Slice(read=len(found), verdicts=verdicts, after=after_it)

    async def _of_charge(
        self, charge_id: str, moved: Sequence[BalanceTransaction], settled_before: datetime
    ) -> Verdict:
        finding = Finding(
            kind="missing_here",
            what="charge",
            stripe_id=charge_id,
            currency=moved[0].currency,
            theirs=sum(one.amount for one in moved if KINDS[one.reporting_category] == "charged"),
        )
        if max(one.created_at for one in moved) >= settled_before:
            return Verdict(finding, "timing")
        known = await self._adopt(charge_id)
        if known is None:
            return Verdict(finding, "case")
        healed = msgspec.structs.replace(finding, payment_id=known[0], order_id=known[1])
        return Verdict(healed, "healed")

    async def _adopt(self, charge_id: str) -> tuple[str, str] | None:
        """The payment and order of a charge we had not heard of, once it is read."""
        try:
            seen = await self._gateway.charge(charge_id)
        except StripeRejected:
            return None
        if seen.intent_id is not None:
            await self._healing.payment(seen.payment_id, seen.intent_id)
        found = await rows("SELECT id, order_id FROM payments WHERE charge_id = $1", charge_id)
        return (found[0]["id"], found[0]["order_id"]) if found else None


def _of_nobody(one: BalanceTransaction) -> Finding:
    known = one.reporting_category in KINDS
    return Finding(
        kind="missing_here" if known else "unknown_type",
        what=f"movement:{one.type}"[:_LONGEST_WORD],
        stripe_id=one.id,
        currency=one.currency,
        theirs=one.amount,
    )


async def _intents_differ(seen: Sequence[IntentSeen]) -> dict[str, list[Finding]]:
    found = await rows(
        f"SELECT {COLUMNS} FROM payments WHERE intent_id = ANY($1::text[])",
        [one.id for one in seen],
    )
    ours = {record["intent_id"]: PaymentRecord(**record) for record in found}
    return {
        one.id: intent_differs(ours.get(one.id), one)
        for one in seen
        if one.id in ours or one.payment_id is not None
    }


_ROWS_OF_REFUNDS = """
SELECT s.stripe_id, p.id AS payment_id, p.order_id, r.status, r.amount
FROM unnest($1::text[], $2::text[], $3::text[]) AS s (stripe_id, charge_id, intent_id)
JOIN payments p ON p.charge_id = s.charge_id OR p.intent_id = s.intent_id
LEFT JOIN refunds r ON r.stripe_refund_id = s.stripe_id
"""
_ROWS_OF_DISPUTES = """
SELECT s.stripe_id, p.id AS payment_id, p.order_id, r.status, r.amount
FROM unnest($1::text[], $2::text[], $3::text[]) AS s (stripe_id, charge_id, intent_id)
JOIN payments p ON p.charge_id = s.charge_id OR p.intent_id = s.intent_id
LEFT JOIN disputes r ON r.stripe_dispute_id = s.stripe_id
"""


async def _refunds_differ(seen: Sequence[RefundSeen]) -> dict[str, list[Finding]]:
    known = await _known(_ROWS_OF_REFUNDS, seen)
    return {
        one.id: refund_differs(known[one.id], one)
        for one in seen
        if one.id in known and not one.of_hold
    }


async def _disputes_differ(seen: Sequence[DisputeSeen]) -> dict[str, list[Finding]]:
    known = await _known(_ROWS_OF_DISPUTES, seen)
    return {one.id: dispute_differs(known[one.id], one) for one in seen if one.id in known}


async def _known(sql: str, seen: Sequence[RefundSeen] | Sequence[DisputeSeen]) -> dict[str, Known]:
    found = await rows(
        sql,
        [one.id for one in seen],
        [one.charge_id for one in seen],
        [one.intent_id for one in seen],
    )
    return {
        record["stripe_id"]: Known(**{k: v for k, v in record.items() if k != "stripe_id"})
        for record in found
    }
