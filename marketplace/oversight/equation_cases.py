"""Whether what broke a balance equation is gone, whatever days the next run is over.

That a later day adds up says nothing of an earlier one. Stripe's own equation is asked over all the time
since its case began: from the balance it began with to the one now, by every movement read in between. Of
our ledger's, the payments that made the sums differ are kept, and each must agree now. What still differs is
carried on, so that a case found again by another run forgets nothing of the first.
"""

from collections.abc import Collection

import msgspec

from marketplace.oversight.balance_equation import MOST_UNEVEN, Checkpoint
from marketplace.oversight.found_cases import BrokenEquation, broken_equations
from marketplace.oversight.reconciliation_keeping import MARGIN, Work
from marketplace.oversight.reconciliation_runs import covered_from
from payments import reconciliation_mirror as mirror
from payments.reconciliation_books import uneven

LEDGER, STRIPE = "equation.ledger", "equation.stripe"
Broken = Collection[tuple[str, str]]


async def gone(work: Work, broken: Broken) -> list[str]:
    """Cases of earlier runs whose equation holds again; `broken` are (what, currency) of this run's own."""
    ended = []
    for one in await broken_equations(work.id):
        before = msgspec.json.decode(one.checkpoint, type=Checkpoint)
        if one.what == STRIPE:
            left = await _stripe_differs(work, one, before)
        else:
            left = await _ledger_differs(work, one, before)
        if not left and (one.what, one.currency) not in broken:
            ended.append(one.id)
    return ended


async def _stripe_differs(work: Work, one: BrokenEquation, before: Checkpoint) -> bool:
    base, closing = before.base_of(one.currency), work.checkpoint.closing
    if base is None:
        return not _covers(work, one)
    # Also where all adds up: this run's own sum may differ by just what makes up for the older one.
    work.checkpoint.broken_from[one.currency] = base
    read_from = (await covered_from(work.id, work.since) - MARGIN).replace(microsecond=0)
    if closing is not None and read_from <= base.at:
        moved = await mirror.net_between(base.at, work.read_until)
        total = sum(net.total for net in moved if net.currency == one.currency)
        if base.balance + total == closing.get(one.currency, 0):
            return False
    return True


async def _ledger_differs(work: Work, one: BrokenEquation, before: Checkpoint) -> bool:
    payments = before.uneven.get(one.currency, [])
    if not 0 < len(payments) < MOST_UNEVEN:
        return not _covers(work, one)
    left = (await uneven(payments)).get(one.currency, [])
    work.checkpoint.add_uneven(one.currency, left)
    return bool(left)


def _covers(work: Work, one: BrokenEquation) -> bool:
    """Whether this run looked at all that the one which found it did."""
    return one.since >= work.since and one.read_until <= work.read_until
