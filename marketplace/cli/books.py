"""Commands about the books: `reconcile`."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from marketplace import settings
from marketplace.cli.outcomes import FAILED, Ended, configured, database_outcomes, require_migrated
from marketplace.settings import Settings

if TYPE_CHECKING:
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
