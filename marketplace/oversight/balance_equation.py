"""The balance equation: what Stripe's movements add up to is how its balance moved, and what our ledger says
the platform kept of its orders is what those orders left on that balance. By currency, in minor units.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from marketplace.oversight.reconciliation_runs import Equation
from payments import reconciliation_mirror as mirror
from payments.database import row
from payments.reconciliation_gateway import ChainGateway, Span

MOST_UNEVEN: Final = 1_000
"""So many payments that differ are remembered; of more, only a run over the same days tells."""
_TRIES: Final = 3


class Base(msgspec.Struct, frozen=True):
    """Stripe's balance at a moment, before anything differed. Minor units."""

    at: datetime
    balance: int


class Checkpoint(msgspec.Struct, kw_only=True):
    """The sums of a run under way, kept with it."""

    # From when on this run's equation counts movements, and Stripe's balance then and at `read_until`.
    counted_from: datetime | None = None
    opening: dict[str, int] | None = None
    closing: dict[str, int] | None = None
    ledger: dict[str, int] = {}
    stripe: dict[str, int] = {}
    # By currency: payments of which ours and Stripe's differ; from where an older difference is counted.
    uneven: dict[str, list[str]] = {}
    broken_from: dict[str, Base] = {}

    def base_of(self, currency: str) -> Base | None:
        """From where the equation of Stripe's balance is counted, an older difference with it."""
        if currency in self.broken_from:
            return self.broken_from[currency]
        if self.counted_from is None or self.opening is None:
            return None
        return Base(self.counted_from, self.opening.get(currency, 0))

    def add_uneven(self, currency: str, payment_ids: Iterable[str]) -> None:
        """Keep these, as far as there is room."""
        known = self.uneven.setdefault(currency, [])
        fresh = [one for one in payment_ids if one not in known]
        self.uneven[currency] = (known + fresh)[:MOST_UNEVEN]

    def add(self, ledger: dict[str, int], stripe: dict[str, int]) -> None:
        """Count more payments in."""
        for sums, more in ((self.ledger, ledger), (self.stripe, stripe)):
            for currency, amount in more.items():
                sums[currency] = sums.get(currency, 0) + amount


async def snapshot(
    gateway: ChainGateway, run_id: str, at: datetime, into: Checkpoint, since: datetime
) -> None:
    """Take Stripe's balance as it was at `at`, and find one to begin from: an earlier run's within this run's
    reach, or nothing where Stripe's list begins with it.
    """
    into.closing = await _balance_at(gateway, at)
    base = await row(
        "SELECT read_until, checkpoint FROM reconciliation_runs WHERE state = 'done' AND id <> $1 "
        "AND read_until >= $2 AND read_until < $3 AND checkpoint::jsonb ->> 'closing' IS NOT NULL "
        "ORDER BY read_until LIMIT 1",
        run_id,
        since,
        at,
    )
    if base is not None:
        into.counted_from = base["read_until"]
        into.opening = msgspec.json.decode(base["checkpoint"], type=Checkpoint).closing
        return
    into.counted_from = since.replace(microsecond=0)
    into.opening = None if await gateway.moved_before(into.counted_from) else {}


async def _balance_at(gateway: ChainGateway, at: datetime) -> dict[str, int] | None:
    """The balance now, less what moved since `at`; None when it kept moving while it was read."""
    for _ in range(_TRIES):
        before, _ = await _moved_since(gateway, at)
        balance = await gateway.balance()
        after, moved = await _moved_since(gateway, at)
        if before == after:
            return {
                currency: balance.get(currency, 0) - moved.get(currency, 0)
                for currency in balance.keys() | moved.keys()
            }
    return None


async def _moved_since(gateway: ChainGateway, at: datetime) -> tuple[set[str], dict[str, int]]:
    ids: set[str] = set()
    moved: dict[str, int] = {}
    after: str | None = None
    while True:
        page = await gateway.movements(Span(at, None), after)
        for one in page.data:
            ids.add(one.id)
            moved[one.currency] = moved.get(one.currency, 0) + one.net
        after = page.after
        if after is None:
            return ids, moved


async def equations(sums: Checkpoint, until: datetime) -> list[Equation]:
    """One for each currency that was held, moved or compared."""
    begins = sums.counted_from or until
    moved = {one.currency: one for one in await mirror.net_between(begins, until)}
    opening, closing = sums.opening, sums.closing
    currencies = {*moved, *(opening or {}), *(closing or {}), *sums.ledger, *sums.stripe}
    return [_equation(each, sums, moved.get(each)) for each in sorted(currencies)]


def _equation(currency: str, sums: Checkpoint, moved: mirror.Net | None) -> Equation:
    opening = None if sums.opening is None else sums.opening.get(currency, 0)
    closing = None if sums.closing is None else sums.closing.get(currency, 0)
    total = 0 if moved is None else moved.total
    ledger, stripe = sums.ledger.get(currency, 0), sums.stripe.get(currency, 0)
    adds_up = opening is None or closing is None or opening + total == closing
    return Equation(
        currency=currency,
        opening=opening,
        closing=closing,
        moved=total,
        moved_by_orders=0 if moved is None else moved.of_orders,
        ledger=ledger,
        stripe=stripe,
        holds=adds_up and ledger == stripe,
    )
