"""Payments' postings against the movements of their charges, over their whole lives."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from payments import reconciliation_mirror as mirror
from payments.database import rows
from payments.reconciliation import Books, books_of
from payments.reconciliation_chain import Verdict
from payments.reconciliation_findings import Finding, books_differ
from payments.reconciliation_healing import Healing
from payments.reconciliation_mirror import ChargeMoves
from payments.reconciliation_touched import Held, held_by_platform


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """One payment here and there, and what differs."""

    books: Books
    held: Held
    moves: ChargeMoves | None
    findings: list[Finding]

    @property
    def ours(self) -> tuple[str, int]:
        """Currency and minor units that the platform holds of it, by our ledger."""
        return self.books.currency, self.held.amount

    @property
    def theirs(self) -> tuple[str, int]:
        """What its movements left on the platform's balance."""
        if self.moves is None:
            return self.books.currency, 0
        return self.moves.currency, self.moves.net

    def young(self, settled_before: datetime) -> bool:
        """Whether its money moved so lately that the other side may not know yet."""
        moments = [self.held.moved_at, self.moves.moved_at if self.moves else None]
        return any(moment is not None and moment >= settled_before for moment in moments)


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What differed, and by currency what the platform should have kept of these payments: ours, theirs.

    Those that are too young are in neither sum.
    """

    payments: int
    verdicts: list[Verdict]
    ours: dict[str, int]
    theirs: dict[str, int]
    # By currency: payments of which the two differ.
    uneven: dict[str, list[str]]


async def compare(
    healing: Healing,
    payment_ids: Sequence[str],
    *,
    covered_from: datetime,
    settled_before: datetime,
) -> Compared:
    """Compare these payments; older ones than `covered_from` are passed over, as their first movements were
    never read."""
    sides = [one for one in await _sides(payment_ids) if one.held.created_at >= covered_from]
    verdicts: list[Verdict] = []
    ours: dict[str, int] = {}
    theirs: dict[str, int] = {}
    counted: list[Sides] = []
    for one in sides:
        now_is = one
        if one.findings and not one.young(settled_before):
            await healing.payment(one.books.payment_id)
            [now_is] = await _sides([one.books.payment_id])
        verdicts += _verdicts(one, now_is, settled_before)
        if not now_is.young(settled_before):
            counted.append(now_is)
            for sums, (currency, amount) in ((ours, now_is.ours), (theirs, now_is.theirs)):
                sums[currency] = sums.get(currency, 0) + amount
    return Compared(
        payments=len(sides),
        verdicts=verdicts,
        ours=ours,
        theirs=theirs,
        uneven=_uneven(counted),
    )


async def uneven(payment_ids: Sequence[str]) -> dict[str, list[str]]:
    """Those of the payments of which the platform holds now what Stripe did not leave it, by currency."""
    return _uneven(await _sides(payment_ids))


def _uneven(sides: Sequence[Sides]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in sides:
        if one.ours != one.theirs:
            for currency in {one.ours[0], one.theirs[0]}:
                found.setdefault(currency, []).append(one.books.payment_id)
    return found


def _verdicts(before: Sides, after: Sides, settled_before: datetime) -> list[Verdict]:
    left = {one.key for one in after.findings}
    healed = [Verdict(one, "healed") for one in before.findings if one.key not in left]
    young = after.young(settled_before)
    return healed + [Verdict(one, "timing" if young else "case") for one in after.findings]


async def _sides(payment_ids: Sequence[str]) -> list[Sides]:
    books = await books_of(payment_ids)
    held = await held_by_platform(payment_ids)
    charges = [one.charge_id for one in books if one.charge_id is not None]
    moves = await mirror.moves_of(charges)
    unknown = await _with_unknown_refunds(charges)
    return [
        Sides(
            books=one,
            held=held[one.payment_id],
            moves=moves.get(one.charge_id or ""),
            findings=_differ(one, moves.get(one.charge_id or ""), unknown),
        )
        for one in books
    ]


def _differ(books: Books, moves: ChargeMoves | None, unknown: set[str]) -> list[Finding]:
    return books_differ(
        books,
        {} if moves is None else moves.sums,
        None if moves is None else moves.currency,
        refunds_unknown=books.charge_id in unknown,
    )


async def _with_unknown_refunds(charge_ids: Sequence[str]) -> set[str]:
    """Charges of which Stripe moved a refund that no row of ours names."""
    found = await rows(
        "SELECT DISTINCT b.charge_id FROM balance_transactions b "
        "WHERE b.charge_id = ANY($1::text[]) AND b.reporting_category = 'refund' "
        "AND NOT EXISTS (SELECT FROM refunds r WHERE r.stripe_refund_id = b.source_id)",
        list(charge_ids),
    )
    return {record["charge_id"] for record in found}
