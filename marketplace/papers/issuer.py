"""Who issues papers: the platform's legal person, as an admin says it. Nothing is issued without one.

A correction is a new row: what was issued names the issuer as it was then.
"""

from datetime import datetime

import msgspec

from marketplace.books.months import Month
from marketplace.oversight import audit
from marketplace.papers.errors import IssuerRefused
from marketplace.sellers.countries import COUNTRIES
from marketplace.tax.texts import canonical_text
from payments.database import execute, row, transaction, value
from payments.ids import new_id

TEXT_LIMIT = 200


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """As it is printed on papers."""

    legal_name: str
    line1: str
    city: str
    country: str
    line2: str | None = None
    postal_code: str | None = None
    vat_number: str | None = None
    tax_number: str | None = None
    registration_number: str | None = None
    email: str | None = None


class IssuerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The issuer since `set_at`; `papers_from` is the first month that papers are issued of."""

    issuer: Issuer
    papers_from: str
    set_by: str
    set_at: datetime


async def current() -> IssuerRecord | None:
    """Who issues papers now; None when nobody was named."""
    found = await row(
        "SELECT details, papers_from, set_by, set_at FROM paper_issuers "
        "ORDER BY set_at DESC, id DESC LIMIT 1"
    )
    if found is None:
        return None
    return IssuerRecord(
        issuer=msgspec.json.decode(found["details"], type=Issuer),
        papers_from=found["papers_from"],
        set_by=found["set_by"],
        set_at=found["set_at"],
    )


async def name(
    issuer: Issuer, *, papers_from: str | None, actor: str, now: datetime
) -> IssuerRecord:
    """Let this be the issuer of every paper from now on, as an admin.

    Papers begin with `papers_from` (None: as before, or with this month), which is fixed when a month was
    closed. Raises IssuerRefused.
    """
    wanted = checked(issuer)
    async with transaction():
        await lock_issuers()
        before = await current()
        first = papers_from or (before.papers_from if before else f"{now:%Y-%m}")
        await _require_free(first, before, now)
        await execute(
            "INSERT INTO paper_issuers (id, details, papers_from, set_by, set_at) "
            "VALUES ($1, $2, $3, $4, $5)",
            new_id("pis"),
            msgspec.json.encode(wanted).decode(),
            first,
            actor,
            now,
        )
        await audit.record(
            actor=actor,
            action="paper_issuer.named",
            subject="paper_issuer",
            before=None if before is None else _facts(before.issuer, before.papers_from),
            after=_facts(wanted, first),
            now=now,
        )
    return IssuerRecord(issuer=wanted, papers_from=first, set_by=actor, set_at=now)


async def lock_issuers() -> None:
    """In the open transaction: nobody else names an issuer, or closes the first month, until its end."""
    await execute("SELECT pg_advisory_xact_lock(hashtextextended('paper_issuers', 0))")


def checked(issuer: Issuer) -> Issuer:
    """The issuer with clean texts. Raises IssuerRefused."""
    told = msgspec.structs.asdict(issuer)
    for path, text in told.items():
        if text is not None:
            told[path] = canonical_text(text, TEXT_LIMIT)
            if told[path] is None:
                raise IssuerRefused(path, "text")
    if told["country"] not in COUNTRIES:
        raise IssuerRefused("country", "country")
    return Issuer(**told)


async def _require_free(first: str, before: IssuerRecord | None, now: datetime) -> None:
    if Month.named(first).first > now:
        raise IssuerRefused("papers_from", "month_to_come")
    if before is None or first == before.papers_from:
        return
    if await value("SELECT EXISTS (SELECT FROM paper_months)"):
        raise IssuerRefused("papers_from", "month_fixed")


def _facts(issuer: Issuer, papers_from: str) -> dict[str, str | None]:
    return {**msgspec.structs.asdict(issuer), "papers_from": papers_from}
