"""Sellers whose papers of a closed month could not be issued with the others': tried again until they can.

What the papers cover was fixed when the month was closed, so they say the same whenever they are issued;
their numbers are those of the day they are. A seller's later papers wait for the earlier ones: they open with
what those close with.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from payments.database import execute, rows, value

BEHIND: Final = "earlier_month"
"""Nothing failed of this month: an earlier one of the seller waits."""
MOST: Final = 20
"""When so many of a month wait, the fault is not that of a seller: issuing stops until it is mended."""
_COLUMNS: Final = "seller_id, month, failure, tries, since, due_at"

_PUT = f"""
INSERT INTO papers_waiting (id, month, seller_id, failure, tries, since, due_at)
SELECT $1::text || ':' || s.id, $1::text, s.id, $3::text, 1, $4::timestamptz, $4::timestamptz
    + CASE $3::text WHEN '{BEHIND}' THEN interval '0' ELSE interval '1 hour' END
FROM unnest($2::text[]) AS s (id)
ON CONFLICT (id) DO UPDATE SET failure = excluded.failure, tries = papers_waiting.tries + 1,
    due_at = $4::timestamptz + least(interval '1 hour' * papers_waiting.tries, interval '1 day')
"""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One seller's papers of one month: what went wrong last (a kind of error), how often, since when."""

    seller_id: str
    month: str
    failure: str
    tries: int
    since: datetime
    due_at: datetime


async def put(month: str, sellers: Sequence[str], failure: str, now: datetime) -> None:
    """Let them wait, or wait longer: an hour more after each try, a day at most."""
    await execute(_PUT, month, list(sellers), failure, now)


async def take(seller_id: str, month: str) -> bool:
    """Let them wait no more, in the transaction that issues; False: somebody else has issued them."""
    return bool(
        await execute(
            "DELETE FROM papers_waiting WHERE seller_id = $1 AND month = $2", seller_id, month
        )
    )


async def find(seller_id: str, month: str) -> Waiting | None:
    """Whether, and why, this seller's papers of the month wait."""
    found = await rows(
        f"SELECT {_COLUMNS} FROM papers_waiting WHERE seller_id = $1 AND month = $2",
        seller_id,
        month,
    )
    return Waiting(**found[0]) if found else None


async def behind(sellers: Sequence[str], month: str) -> list[str]:
    """Those of the sellers of whom an earlier month waits."""
    found = await rows(
        "SELECT DISTINCT seller_id FROM papers_waiting "
        "WHERE seller_id = ANY($1::text[]) AND month < $2",
        list(sellers),
        month,
    )
    return [each["seller_id"] for each in found]


async def due(now: datetime, limit: int) -> list[Waiting]:
    """What is to be tried again: of each seller the earliest month."""
    found = await rows(
        f"SELECT {_COLUMNS} FROM papers_waiting w WHERE due_at <= $1 AND NOT EXISTS ("
        "  SELECT FROM papers_waiting e WHERE e.seller_id = w.seller_id AND e.month < w.month) "
        "ORDER BY due_at LIMIT $2",
        now,
        limit,
    )
    return [Waiting(**each) for each in found]


async def count_of(month: str) -> int:
    """How many sellers' papers of the month failed."""
    counted: int = await value(
        "SELECT count(*) FROM papers_waiting WHERE month = $1 AND failure <> $2", month, BEHIND
    )
    return counted


async def of_months(months: Sequence[str]) -> dict[str, list[Waiting]]:
    """Everything that waits, by month."""
    found = await rows(
        f"SELECT {_COLUMNS} FROM papers_waiting WHERE month = ANY($1::text[]) ORDER BY id",
        list(months),
    )
    waiting: dict[str, list[Waiting]] = defaultdict(list)
    for each in found:
        waiting[each["month"]].append(Waiting(**each))
    return waiting
