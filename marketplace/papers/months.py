"""Closing a month: which postings its papers cover is decided once, and never again (docs/decisions/0032).

A month covers what was recorded in it and is sealed in the ledger's chain when it is closed, and what was
recorded in an earlier month but sealed after that one had been closed. So a posting is covered by one month
whatever its dates say, and none falls between two.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from marketplace.books.months import Month
from marketplace.oversight import audit
from marketplace.paging import Page, PageRequest
from marketplace.papers.errors import PaperMonthRefused
from marketplace.papers.issuer import IssuerRecord, current, lock_issuers
from payments.database import execute, row, rows, transaction, value

ISSUED_AFTER: Final = timedelta(days=2)
"""How long after a month's end the worker issues its papers: time to mend what was seen to be wrong."""
_PIECE: Final = 50_000
_COLUMNS: Final = "month, sealed_through, late, closed_at, seller_after, concluded_at"


class PaperMonth(msgspec.Struct, frozen=True, kw_only=True):
    """A closed month. `late` are postings of months before; `concluded_at` is None while it is issued."""

    month: str
    sealed_through: int
    late: list[str]
    closed_at: datetime
    seller_after: str | None
    concluded_at: datetime | None

    @property
    def id(self) -> str:
        """What the next page starts after."""
        return self.month

    @property
    def span(self) -> Month:
        """The month itself."""
        return Month.named(self.month)


async def find(month: str) -> PaperMonth | None:
    """The month, if it was closed."""
    found = await row(f"SELECT {_COLUMNS} FROM paper_months WHERE month = $1", month)
    return None if found is None else PaperMonth(**found)


async def closed(page: PageRequest) -> Page[PaperMonth]:
    """Closed months, the newest first."""
    found = await rows(
        f"SELECT {_COLUMNS} FROM paper_months WHERE ($1::text IS NULL OR month < $1) "
        f"ORDER BY month DESC LIMIT {page.fetched}",
        page.starting_after,
    )
    return Page.cut([PaperMonth(**each) for each in found], page)


async def next_month(issuer: IssuerRecord) -> Month:
    """The month that is issued or will be closed next."""
    found = await row(
        "SELECT month, concluded_at FROM paper_months ORDER BY month DESC LIMIT 1",
    )
    if found is None:
        return Month.named(issuer.papers_from)
    last = Month.named(found["month"])
    return last if found["concluded_at"] is None else following(last)


def following(month: Month) -> Month:
    """The month after."""
    return Month.named(f"{month.until:%Y-%m}")


async def close(
    month: Month, issuer: IssuerRecord, now: datetime, *, actor: str | None = None
) -> PaperMonth:
    """Fix what the month covers; answers it as it was fixed, by whom ever. An `actor` who did is on record.

    Raises PaperMonthRefused.
    """
    known = await find(month.name)
    if known is not None:
        return known
    await _require_closable(month, issuer, now)
    head: int = await value(
        "SELECT coalesce(max(position), 0) FROM chain_links WHERE book = 'postings'"
    )
    late = await _late(month, head)
    async with transaction():
        await _require_begun(month)
        closed_now = await execute(
            "INSERT INTO paper_months (month, sealed_through, late, closed_at) "
            "VALUES ($1, $2, $3, $4) ON CONFLICT (month) DO NOTHING",
            month.name,
            head,
            late,
            now,
        )
        if closed_now and actor is not None:
            await audit.record(
                actor=actor, action="papers.month_closed", subject=month.name, now=now
            )
    fixed = await find(month.name)
    assert fixed is not None
    return fixed


async def _require_closable(month: Month, issuer: IssuerRecord, now: datetime) -> None:
    if not month.is_closed(now):
        raise PaperMonthRefused(month.name, "not_over")
    if month.name < issuer.papers_from:
        raise PaperMonthRefused(month.name, "before_first")
    if month != await next_month(issuer):
        raise PaperMonthRefused(month.name, "earlier_month_open")
    if await value(
        "SELECT EXISTS (SELECT FROM chain_waiting w JOIN postings p ON p.id = w.row_id "
        "WHERE w.book = 'postings' AND p.recorded_at < $1)",
        month.until,
    ):
        raise PaperMonthRefused(month.name, "books_not_sealed")


async def _require_begun(month: Month) -> None:
    """Nobody names another first month from here to the commit, and nobody has since it was looked at."""
    await lock_issuers()
    issuer = await current()
    if issuer is None or month.name < issuer.papers_from:
        raise PaperMonthRefused(month.name, "before_first")
    if month.name > issuer.papers_from and not await value(
        "SELECT EXISTS (SELECT FROM paper_months)"
    ):
        raise PaperMonthRefused(month.name, "earlier_month_open")


async def _late(month: Month, head: int) -> list[str]:
    """What was sealed since the month before was closed, but recorded before this one began."""
    place: int | None = await value("SELECT max(sealed_through) FROM paper_months")
    late: list[str] = []
    # Nothing is late for the first month: what is older than papers is in opening balances.
    while place is not None and place < head:
        found = await rows(
            "SELECT p.id FROM chain_links l JOIN postings p ON p.id = l.row_id "
            "WHERE l.book = 'postings' AND l.position > $1 AND l.position <= $2 "
            "AND l.position <= $3 AND p.recorded_at < $4 ORDER BY p.id",
            place,
            place + _PIECE,
            head,
            month.first,
        )
        late += [each["id"] for each in found]
        place += _PIECE
    return late
