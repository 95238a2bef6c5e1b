"""The command line: reads the settings, starts what a command names, and tells its outcome.

Decides nothing about the business. Anything slow to import is imported inside the command that
needs it, so that `--help` answers at once.
"""

import click

from marketplace.cli.books import check, reconcile
from marketplace.cli.everything import run
from marketplace.cli.fees import fees
from marketplace.cli.ledger import verify
from marketplace.cli.outcomes import EXIT_CODES
from marketplace.cli.processes import sandbox, serve, work
from marketplace.cli.tax import tax_report
from marketplace.cli.upkeep import admin, demo, doctor, migrate

__all__ = ["commands"]


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()),
)
@click.version_option(package_name="marketplace-payments")
def commands() -> None:
    """A marketplace on Stripe Connect: buyers pay sellers, the platform keeps a fee.

    Configured by environment variables only; the README has the table.
    """


for command in (
    run,
    serve,
    work,
    migrate,
    demo,
    doctor,
    reconcile,
    check,
    verify,
    fees,
    tax_report,
    admin,
    sandbox,
):
    commands.add_command(command)
