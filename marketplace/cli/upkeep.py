"""Commands that do one thing and end: `migrate`, `doctor`, `demo`, `admin create`."""

import asyncio
import sys

import click

from marketplace import settings
from marketplace.cli.beside import configured_beside_run
from marketplace.cli.outcomes import (
    FAILED,
    REFUSED,
    Ended,
    configured,
    database_outcomes,
    require_migrated,
)
from marketplace.demo_cast import sign_ins
from marketplace.settings import Settings

_PASSWORD_WHY = {
    "too_short": "needs at least {limit} characters",
    "too_long": "may have at most {limit} characters",
    "too_common": "is too common",
    "names_you": "names its owner",
}


@click.command()
def migrate() -> None:
    """Bring the database to the newest schema.

    A new database is also given the first fee schedule, without which nothing can be priced. Safe to
    run several times, also at once.
    """
    chosen = configured(settings.DATABASE)
    from marketplace import migrating

    with database_outcomes(chosen.database_shown()):
        applied = asyncio.run(migrating.migrate(chosen.database_url))
        published = asyncio.run(_first_fee_schedule(chosen))
    for migration_id in applied:
        click.echo(f"applied {migration_id}")
    if published:
        click.echo("published the first fee schedule")
    click.echo("The database is up to date.")


async def _first_fee_schedule(chosen: Settings) -> bool:
    """Publish the default schedule where there is none; answers whether it was needed."""
    from marketplace.composition import wall_clock
    from marketplace.fees.schedules import Schedules
    from payments.database import engine

    await engine().start(chosen.database_url, pool_size=1)
    try:
        return await Schedules().ensure_first(wall_clock())
    finally:
        await engine().stop()


@click.command()
def doctor() -> None:
    """Check what the program needs and say what to do.

    Database, migrations, durability, Stripe key, webhook secrets, clock, e-mail. Ends with 0 when
    nothing failed.
    """
    chosen = configured_beside_run(settings.WORKING)
    from marketplace.doctor import examine

    findings = asyncio.run(examine(chosen))
    signs = {"ok": ("ok", "green"), "warning": ("warn", "yellow"), "failure": ("FAIL", "red")}
    for finding in findings:
        sign, colour = signs[finding.grade]
        click.echo(f"{click.style(f'{sign:4}', fg=colour)}  {finding.subject}: {finding.said}")
        if finding.remedy:
            click.echo(f"      {finding.remedy}")
    failed = [finding for finding in findings if finding.grade == "failure"]
    if failed:
        raise Ended(FAILED, f"{len(failed)} of {len(findings)} checks failed.")


@click.command()
@click.option("--without-sign-ins", is_flag=True, help="Do not print the sign-ins.")
def demo(without_sign_ins: bool) -> None:
    """Fill a sandboxed marketplace and print the sign-ins.

    Needs `serve`, `work` and `sandbox` running. What is there already stays as it is.
    """
    chosen = configured()
    if not chosen.sandboxed:
        raise Ended(
            REFUSED,
            "the demo's passwords are public; it is refused where real Stripe keys are set.",
            "Unset STRIPE_SECRET_KEY and use `marketplace run`.",
        )
    require_migrated(chosen)
    from marketplace.cli.processes import local_address
    from marketplace.demo import DemoStuck, fill

    with database_outcomes(chosen.database_shown()):
        try:
            click.echo(asyncio.run(fill(chosen, local_address(chosen))))
        except DemoStuck as stuck:
            raise Ended(FAILED, f"{stuck}.", "Are `serve`, `work` and `sandbox` running?") from None
    if not without_sign_ins:
        click.echo("\n" + "\n".join(sign_ins()))


@click.group()
def admin() -> None:
    """Accounts of platform admins."""


@admin.command()
@click.option("--email", required=True, help="The address the admin signs in with.")
@click.option("--name", "display_name", default="Admin", show_default=True, help="Shown to others.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def create(email: str, display_name: str, password_stdin: bool) -> None:
    """Create an admin account. Asks for the password unless it comes on standard input."""
    chosen = configured_beside_run(settings.DATABASE)
    password = (
        sys.stdin.readline().rstrip("\r\n")
        if password_stdin
        else click.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    require_migrated(chosen)
    with database_outcomes(chosen.database_shown()):
        address = asyncio.run(_create_admin(chosen, email, password, display_name))
    click.echo(f"{address} is an admin.")


async def _create_admin(chosen: Settings, email: str, password: str, display_name: str) -> str:
    from datetime import UTC, datetime

    from marketplace.people import errors
    from marketplace.people.people import People
    from payments.database import engine

    people = People(clock=lambda: datetime.now(UTC))
    await engine().start(chosen.database_url, pool_size=1)
    try:
        return (await people.create_admin(email, password, display_name)).email
    except errors.PasswordRefused as refused:
        why = _PASSWORD_WHY[refused.why].format(limit=refused.limit)
        raise Ended(FAILED, f"the password {why}.") from None
    except errors.EmailRefused:
        raise Ended(FAILED, "that is not an e-mail address.") from None
    except errors.NameRefused as refused:
        raise Ended(FAILED, f"the name needs 1 to {refused.limit} visible characters.") from None
    except errors.EmailTaken:
        raise Ended(FAILED, "that address has an account already.") from None
    finally:
        people.close()
        await engine().stop()
