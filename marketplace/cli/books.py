"""Commands about the books: `reconcile` and `check`."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from marketplace import settings
from marketplace.cli.outcomes import FAILED, Ended, configured, database_outcomes, require_migrated
from marketplace.settings import Settings

if TYPE_CHECKING:
    from marketplace.invariants.check import Broken
    from payments.reconciliation import Difference, Reconciled


@click.command()
@click.option(
    "--days",
    default=2,
    show_default=True,
    type=click.IntRange(1, 3650),
    help="How far back, by when payments were made.",
)
def reconcile(days: int) -> None:
    """Compare the ledger with Stripe's balance transactions.

    Payment by payment, kind by kind. Changes nothing. Ends with 0 when there is no difference.
    """
    chosen = configured(settings.WORKING)
    require_migrated(chosen)
    with database_outcomes(chosen.database_shown()):
        found = asyncio.run(_reconcile(chosen, days))
    for difference in found.differences:
        click.echo(_told(difference))
    click.echo(
        f"{found.payments} payments, {found.balance_transactions} balance transactions, "
        f"{len(found.differences)} differences."
    )
    if found.differences:
        raise Ended(
            FAILED,
            "the books and Stripe do not agree.",
            "A difference of the last minutes may still be on its way: run this again first.",
        )


async def _reconcile(chosen: Settings, days: int) -> "Reconciled":
    from marketplace.composition import compose
    from payments.errors import PaymentsUnavailable, StripeMisconfigured
    from payments.reconciliation import reconcile as compare

    composition = compose(chosen)
    services = composition.services
    now = services.clock()
    try:
        async with composition.running():
            return await compare(
                services.gateway,
                since=now - timedelta(days=days),
                # A second more: Stripe's stamps are whole seconds.
                until=now + timedelta(seconds=1),
            )
    except PaymentsUnavailable as error:
        raise Ended(FAILED, f"Stripe could not be read to the end ({error.why}).") from None
    except StripeMisconfigured as error:
        raise Ended(FAILED, f"Stripe refuses our key ({error.code}).") from None


def _told(one: "Difference") -> str:
    whose = one.order_id or one.stripe_id or "?"
    return f"{one.what:24} {whose}  ours {one.ours}  Stripe's {one.theirs}  {one.currency}"


@click.command()
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    help="Only what was made in so many days; everything without it.",
)
def check(days: int | None) -> None:
    """Ask every rule that must never be broken about orders, money and books.

    Changes nothing. Ends with 0 when all of them hold.
    """
    chosen = configured(settings.DATABASE)
    require_migrated(chosen)
    with database_outcomes(chosen.database_shown()):
        asked, found = asyncio.run(_check(chosen, days))
    for one in found:
        click.echo(f"{one.rule.code:18} {one.rule.name}\n    {', '.join(one.ids)}")
    click.echo(f"{asked} rules, {len(found)} broken.")
    if found:
        raise Ended(
            FAILED,
            "what must never be is there.",
            "docs/operating.md says what each rule means and where to look.",
        )


async def _check(chosen: Settings, days: int | None) -> "tuple[int, list[Broken]]":
    from marketplace.composition import wall_clock
    from marketplace.invariants.check import RULES, broken
    from payments.database import engine

    now = wall_clock()
    await engine().start(chosen.database_url, pool_size=1)
    try:
        since = None if days is None else now - timedelta(days=days)
        return len(RULES), await broken(now, since=since)
    finally:
        await engine().stop()
