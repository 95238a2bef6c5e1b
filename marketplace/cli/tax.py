"""The command about tax: `tax-report`."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from marketplace import settings
from marketplace.cli.outcomes import FAILED, Ended, configured, database_outcomes, require_migrated
from marketplace.settings import Settings

if TYPE_CHECKING:
    from marketplace.tax.reports import Asked

_OPERATOR = "operator"
# As reports themselves write `as_of`, too.
_MOMENT = click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%d"])


@click.command("tax-report")
@click.argument("year")
@click.option("--as", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@click.option("--as-of", type=_MOMENT, help="As it was known at that moment (UTC); now without it.")
@click.option(
    "--changed-since", type=_MOMENT, help="Only sellers whose figures or tax details changed since."
)
def tax_report(
    year: str, form: str, as_of: datetime | None, changed_since: datetime | None
) -> None:
    """Write a year's report of sellers, shaped as DAC7 has it, to the standard output.

    Personal data: that it was taken out is in the audit log. docs/papers.md says what it holds.
    """
    from marketplace.composition import wall_clock
    from marketplace.tax import reports
    from marketplace.tax.errors import TaxError

    chosen = configured(settings.DATABASE)
    require_migrated(chosen)
    try:
        wanted = reports.asked(
            year, wall_clock(), as_of=_utc(as_of), changed_since=_utc(changed_since)
        )
    except TaxError:
        raise Ended(FAILED, "there is no report of that year and moment.") from None
    with database_outcomes(chosen.database_shown()):
        asyncio.run(_write(chosen, wanted, form))


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)


async def _write(chosen: Settings, wanted: "Asked", form: str) -> None:
    from marketplace.composition import wall_clock
    from marketplace.papers import issuer
    from marketplace.tax import exporting, report_csv, report_json, reports
    from payments.database import engine, execute

    await engine().start(chosen.database_url, pool_size=1, answer_seconds=None)
    try:
        # Its one connection is this command's alone: adding up a year takes as long as it takes.
        await execute("SET statement_timeout = 0")
        await exporting.note(
            wanted, "csv" if form == "csv" else "json", actor=_OPERATOR, now=wall_clock()
        )
        found = reports.every(wanted)
        pieces = (
            report_csv.lines(found)
            if form == "csv"
            else report_json.document(wanted, await issuer.current(), found)
        )
        async for piece in pieces:
            click.echo(piece, nl=False)
    finally:
        await engine().stop()
