"""Taking reports out: personal data of many people, so it is on record who did."""

from datetime import datetime
from typing import Literal

from marketplace.oversight import audit
from marketplace.tax.reports import Asked
from payments.database import transaction


async def note(wanted: Asked, form: Literal["csv", "json"], *, actor: str, now: datetime) -> None:
    """Write down that `actor` takes this report out."""
    async with transaction():
        await audit.record(
            actor=actor,
            action="tax_report.exported",
            subject=str(wanted.year.number),
            after={
                "form": form,
                "as_of": wanted.as_of,
                "changed_since": wanted.changed_since,
            },
            now=now,
        )
