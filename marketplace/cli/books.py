"""Commands about the books: `reconcile` and `check`."""

import asyncio
import time
from collections.abc import Coroutine
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from marketplace import settings
from marketplace.cli.beside import configured_beside_run
from marketplace.cli.outcomes import FAILED, Ended, database_outcomes, require_migrated
from marketplace.settings import Settings

if TYPE_CHECKING:
    from marketplace.invariants.check import Broken
    from marketplace.oversight.reconciliation_runs import RunRecord
    from payments.reconciliation import Difference, Reconciled

_OPERATOR = "operator"
"""The actor of what is asked for at the terminal."""
_TOLD_EVERY_SECONDS: Final = 10.0

T = TypeVar("T")


@click.command()
@click.option(
    "--days",
    default=2,
    show_default=True,
    type=click.IntRange(1, 3650),
    help="How far back, by when payments were made.",
)
@click.option(
    "--heal",
    is_flag=True,
    help="Make a run of it: what differs is read at Stripe again, what stays becomes a case.",
)
def reconcile(days: int, heal: bool) -> None:
    """Compare the ledger with Stripe's balance transactions.

    Payment by payment, kind by kind. Without --heal it changes nothing. Ends with 0 when there is no
    difference.
    """
    chosen = configured_beside_run(settings.WORKING)
    require_migrated(chosen)
    if heal:
        _healed(chosen, days)
        return
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


def _healed(chosen: Settings, days: int) -> None:
    with database_outcomes(chosen.database_shown()):
        run = asyncio.run(_run(chosen, days))
    click.echo(
        f"{run.id}: {run.read} objects read, {run.compared} payments compared, "
        f"{run.timing} too young, {run.healed} healed, {run.cases} cases."
    )
    for one in run.equations:
        word = "holds" if one.holds else "is broken"
        click.echo(f"The balance equation of {one.currency} {word}.")
    if run.state != "done":
        raise Ended(
            FAILED,
            f"the run is {run.state}, in its phase {run.phase}.",
            "Stripe gave no answer, or another worker has it; a worker goes on with it.",
        )
    if run.cases:
        raise Ended(
            FAILED,
            "the books and Stripe do not agree.",
            f"See /v1/admin/cases?run_id={run.id}.",
        )


async def _run(chosen: Settings, days: int) -> "RunRecord":
    from marketplace.composition import compose
    from marketplace.oversight import reconciliation_runs

    composition = compose(chosen)
    services = composition.services
    async with composition.running():
        now = services.clock()
        run = await reconciliation_runs.ask(
            now - timedelta(days=days), None, actor=_OPERATOR, now=now
        )
        while await services.reconciliation.go_on(services.clock(), run.id):
            run = await reconciliation_runs.find(run.id)
            if run.concluded_at is not None:
                break
        return await reconciliation_runs.find(run.id)


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

    Changes nothing, and says which rule it is at when one takes long. Ends with 0 when all of them hold.
    """
    chosen = configured_beside_run(settings.DATABASE)
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
    from marketplace.invariants.check import (
        INVARIANTS,
        LATEST_LINKS,
        RULES,
        SEALED,
        ask,
        broken_chains,
        look_at_everything,
    )
    from payments.database import engine

    now = wall_clock()
    await engine().start(chosen.database_url, pool_size=1, answer_seconds=None)
    try:
        await look_at_everything()
        since = None if days is None else now - timedelta(days=days)
        latest = None if days is None else LATEST_LINKS
        found = [
            await _watched(f"{rule.code}, {place} of {len(INVARIANTS)}", ask(rule, now, since))
            for place, rule in enumerate(RULES, 1)
        ]
        chains = await _watched(f"{SEALED.code}, the last", broken_chains(latest))
        return len(INVARIANTS), [one for one in [*found, *chains] if one is not None]
    finally:
        await engine().stop()


async def _watched(which: str, asked: Coroutine[Any, Any, T]) -> T:
    """The answer; while it is not there, somebody who waits is told what is asked."""
    asking, began = asyncio.create_task(asked), time.monotonic()
    while not (await asyncio.wait({asking}, timeout=_TOLD_EVERY_SECONDS))[0]:
        click.echo(f"asking {which}: {time.monotonic() - began:.0f} s so far", err=True)
    return asking.result()
