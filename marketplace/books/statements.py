"""Monthly statements: a seller's account from its opening to its closing balance, every movement between.

A movement belongs to the month in which it was written into the books (`recorded_at`), not to that in
which it happened (`occurred_at`, shown beside it): the books are append-only, so a month that is over never
changes, and what is learned late (of a webhook that got lost) is on the next statement. Opening plus
movements is closing by construction; amounts are minor units, signed as the seller's account sees them.
"""

from collections.abc import AsyncIterator
from datetime import datetime

import asyncpg
import msgspec

from marketplace.books.months import Month
from marketplace.books.words import place_of
from marketplace.paging import PAGE_LIMIT, Page, PageRequest
from payments.account_days import UNSEALED
from payments.database import rows
from payments.ledger import seller_account


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """One posting on the seller's account. `reference` is what it is about: a payment, refund or payout."""

    id: str
    kind: str
    amount: int
    currency: str
    reference: str
    order_id: str | None
    occurred_at: datetime
    recorded_at: datetime
    # What a transfer's own movement is because of: `refund:...`, `dispute:...`, `debt:...`.
    because: str | None = None


class KindSum(msgspec.Struct, frozen=True, kw_only=True):
    """All movements of a kind."""

    kind: str
    movements: int
    amount: int


class CurrencyStatement(msgspec.Struct, frozen=True, kw_only=True):
    """One currency of a month: `opening + moved = closing`."""

    currency: str
    opening: int
    moved: int
    closing: int
    movements: int
    by_kind: tuple[KindSum, ...]


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A month of a seller. One that is not closed may still grow."""

    seller_id: str
    month: Month
    closed: bool
    currencies: tuple[CurrencyStatement, ...]


class StatementMonth(msgspec.Struct, frozen=True, kw_only=True):
    """A month with money."""

    name: str
    closed: bool
    currencies: tuple[str, ...]
    movements: int

    @property
    def id(self) -> str:
        """What the next page starts after."""
        return self.name


_LEG = "CASE $2 WHEN target THEN amount ELSE -amount END"
# What came in goes before what it paid for: a sale before its fee.
_OUTGOING = "source = $2"
_PLACE = f"recorded_at, {_OUTGOING}, id"
_MINE = "seller_id = $1 AND $2 IN (source, target)"

# What was before the month is what its account held then: the sums that are kept of whole days, and what is
# not sealed yet. So a statement costs a month of postings, however long the seller has been there.
_STATEMENT = f"""
SELECT currency, kind, count(*) AS movements, sum({_LEG})::bigint AS moved, 0 AS before
FROM postings WHERE {_MINE} AND recorded_at >= $3 AND recorded_at < $4 GROUP BY 1, 2
UNION ALL
SELECT currency, '', 0, 0, sum(amount)::bigint FROM (
    SELECT currency, moved AS amount FROM account_days
    WHERE account COLLATE "C" = $2 AND day < $5
    UNION ALL SELECT currency, {_LEG} FROM ({UNSEALED}) AS unsealed
    WHERE $2 IN (source, target) AND recorded_at < $3
) AS earlier GROUP BY currency
ORDER BY 1, 2
"""
# From the days that are kept, so that it costs as many rows as there were days, and what is not sealed yet.
_MONTHS = f"""
SELECT to_char(day, 'YYYY-MM') AS month, array_agg(DISTINCT currency ORDER BY currency) AS currencies,
    sum(movements)::bigint AS movements
FROM (
    SELECT day, currency, movements FROM account_days WHERE account COLLATE "C" = $1
    UNION ALL SELECT (recorded_at AT TIME ZONE 'UTC')::date, currency, 1 FROM ({UNSEALED}) AS unsealed
    WHERE $1 IN (source, target)
) AS days GROUP BY 1 HAVING $2::text IS NULL OR to_char(day, 'YYYY-MM') < $2 ORDER BY 1 DESC
"""


async def months(seller_id: str, page: PageRequest, now: datetime) -> Page[StatementMonth]:
    """The months in which money moved on the seller's account, the newest first."""
    found = await rows(
        f"{_MONTHS} LIMIT {page.fetched}",
        seller_account(seller_id),
        page.starting_after,
    )
    listed = [
        StatementMonth(
            name=each["month"],
            closed=Month.named(each["month"]).is_closed(now),
            currencies=tuple(each["currencies"]),
            movements=each["movements"],
        )
        for each in found
    ]
    return Page.cut(listed, page)


async def statement(seller_id: str, month: Month, now: datetime) -> Statement:
    """The month's balances and sums, by currency; one query."""
    found = await rows(
        _STATEMENT,
        seller_id,
        seller_account(seller_id),
        month.first,
        month.until,
        month.first.date(),
    )
    currencies = dict.fromkeys(each["currency"] for each in found)
    return Statement(
        seller_id=seller_id,
        month=month,
        closed=month.is_closed(now),
        currencies=tuple(
            _of_currency(currency, [each for each in found if each["currency"] == currency])
            for currency in currencies
        ),
    )


def _of_currency(currency: str, found: list[asyncpg.Record]) -> CurrencyStatement:
    opening = sum(each["before"] for each in found)
    moved = sum(each["moved"] for each in found)
    return CurrencyStatement(
        currency=currency,
        opening=opening,
        moved=moved,
        closing=opening + moved,
        movements=sum(each["movements"] for each in found),
        by_kind=tuple(
            KindSum(kind=each["kind"], movements=each["movements"], amount=each["moved"])
            for each in sorted(found, key=lambda one: place_of(one["kind"]))
            if each["movements"]
        ),
    )


async def movements(
    seller_id: str, month: Month, page: PageRequest, *, currency: str | None = None
) -> Page[Movement]:
    """The month's movements in the order in which they were written down."""
    found = await rows(
        f"SELECT id, kind, {_LEG} AS amount, currency, split_part(cause, ':', 1) AS reference, "
        "order_id, occurred_at, recorded_at, (SELECT m.cause FROM transfer_movements m "
        "WHERE m.id = split_part(postings.cause, ':', 1)) AS because "
        f"FROM postings WHERE {_MINE} "
        "AND recorded_at >= $3 AND recorded_at < $4 AND ($5::text IS NULL OR currency = $5) "
        f"AND ($6::text IS NULL OR ({_PLACE}) > (SELECT {_PLACE} FROM postings WHERE id = $6)) "
        f"ORDER BY {_PLACE} LIMIT {page.fetched}",
        seller_id,
        seller_account(seller_id),
        month.first,
        month.until,
        currency,
        page.starting_after,
    )
    return Page.cut([Movement(**record) for record in found], page)


async def every_movement(
    seller_id: str, month: Month, *, currency: str | None = None
) -> AsyncIterator[Movement]:
    """All of the month's movements, read page by page as they are asked for."""
    after: str | None = None
    while True:
        page = PageRequest(limit=PAGE_LIMIT, starting_after=after)
        found = await movements(seller_id, month, page, currency=currency)
        for movement in found.data:
            yield movement
        if not found.has_more:
            return
        after = found.data[-1].id
