"""What accounts hold, now or at any moment of the past, and one account's postings with its running balance.

A balance is that of all postings recorded before the moment. The days before are sums that are kept
(`payments.account_days`); the moment's own day, and what is not sealed yet, is added up from the postings, in
the same statement. So a balance costs one day of postings, however long the ledger is.
"""

from datetime import UTC, date, datetime, time
from typing import Any, Final

import msgspec

from marketplace.books.ledger_review import POSTING_COLUMNS, AccountEntry
from marketplace.paging import Page, PageRequest
from payments.account_days import UNSEALED
from payments.database import row, rows

_NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_LAST: Final = chr(0x10FFFF)
"""Sorts after every address."""


class AccountBalance(msgspec.Struct, frozen=True, kw_only=True):
    """What an account holds: incoming less outgoing. All accounts of a currency sum to zero."""

    account: str
    currency: str
    amount: int

    @property
    def id(self) -> str:
        """What the next page starts after."""
        return f"{self.account}:{self.currency}"


class BalanceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which accounts, and when: as recorded before `at`, or now.

    `account` is an address, or the beginning of addresses when it ends in a colon: `seller:`.
    """

    account: str | None = None
    currency: str | None = None
    at: datetime | None = None

    def between(self, after: str | None) -> tuple[str, str, str]:
        """Where a page begins: behind this account and currency; and the last address it may reach."""
        first, last = self.account or "", self.account or _LAST
        if first.endswith(":"):
            last = first + _LAST
        account, _, currency = (after or "").rpartition(":")
        return *max((account, currency), (first, "")), last


EVERYTHING: Final = BalanceFilter()


async def balances(page: PageRequest, wanted: BalanceFilter = EVERYTHING) -> Page[AccountBalance]:
    """What every account that fits holds, by its address; one statement."""
    at = wanted.at or _NEVER
    found = await rows(
        _BALANCES,
        at,
        _day(at),
        _midnight(_day(at)),
        *wanted.between(page.starting_after),
        wanted.currency,
        page.fetched,
    )
    return Page.cut([AccountBalance(**record) for record in found], page)


async def entries(account: str, currency: str, page: PageRequest) -> Page[AccountEntry]:
    """The account's postings, the latest recorded first, each with the balance after it; one statement."""
    after = await _place(page.starting_after)
    if after is None:
        return Page([], False)
    found = await rows(_ENTRIES, account, currency, *after, _day(after[0]), page.fetched)
    listed = []
    balance = found[0]["balance"] if found else 0
    for posting in found:
        entry = AccountEntry.of(posting, account, balance)
        listed.append(entry)
        balance -= entry.moved
    return Page.cut(listed, page)


async def _place(posting_id: str | None) -> tuple[datetime, str] | None:
    """Where the list goes on: before this moment and id. None for a posting that is not there."""
    if posting_id is None:
        return _NEVER, ""
    found: Any = await row("SELECT recorded_at, id FROM postings WHERE id = $1", posting_id)
    return None if found is None else (found["recorded_at"], found["id"])


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


_LEGS = """
SELECT target AS account, currency, recorded_at, amount FROM {postings}
UNION ALL SELECT source, currency, recorded_at, -amount FROM {postings}
"""
_FITS = (
    '(account COLLATE "C", currency) > ($4, $5) AND account COLLATE "C" <= $6 '
    "AND ($7::text IS NULL OR currency = $7)"
)
# One walk along the index of the days, as far as the page goes: an account that only moved since sorts into
# the page, where its days are added too, or behind it.
_BALANCES = f"""
WITH near AS MATERIALIZED (
    SELECT source, target, currency, amount, recorded_at FROM postings
    WHERE recorded_at >= $3 AND recorded_at < $1
    UNION ALL SELECT * FROM ({UNSEALED}) AS waiting WHERE recorded_at < $3
), held AS (
    (SELECT account COLLATE "C" AS account, currency, sum(moved) AS amount FROM account_days
     WHERE day < $2 AND {_FITS} GROUP BY 1, 2 ORDER BY 1, 2 LIMIT $8)
    UNION ALL
    SELECT account COLLATE "C", currency, sum(amount) FROM ({_LEGS.format(postings="near")}) AS legs
    WHERE {_FITS} GROUP BY 1, 2
)
SELECT account, currency, sum(amount)::bigint AS amount FROM held
GROUP BY account, currency ORDER BY account, currency LIMIT $8
"""
# Day by day backwards from where the page begins, and only days on which the account moved. The day's end is
# said where its postings are added up, though a moment before it is: the planner would else think of a third
# of the ledger.
_ENTRIES = f"""
WITH waiting AS MATERIALIZED (
    SELECT * FROM ({UNSEALED}) AS unsealed WHERE currency = $2 AND $1 IN (source, target)
), days AS (
    SELECT day FROM account_days WHERE account COLLATE "C" = $1 AND currency = $2 AND day <= $5
    UNION SELECT (recorded_at AT TIME ZONE 'UTC')::date FROM waiting
), page AS MATERIALIZED (
    SELECT d.day, p.* FROM (SELECT day FROM days ORDER BY day DESC) AS d CROSS JOIN LATERAL (
        SELECT {POSTING_COLUMNS} FROM postings
        WHERE recorded_at >= d.day::timestamp AT TIME ZONE 'UTC'
        AND recorded_at < (d.day + 1)::timestamp AT TIME ZONE 'UTC'
        AND currency = $2 AND $1 IN (source, target) AND (recorded_at, id) < ($3, $4)
        ORDER BY recorded_at DESC, id DESC LIMIT $6
    ) AS p ORDER BY d.day DESC, p.recorded_at DESC, p.id DESC LIMIT $6
), first AS (
    SELECT day, day::timestamp AT TIME ZONE 'UTC' AS midnight, recorded_at, id FROM page
    ORDER BY recorded_at DESC, id DESC LIMIT 1
), balance AS MATERIALIZED (
    SELECT coalesce((SELECT sum(moved) FROM account_days d
                     WHERE d.account COLLATE "C" = $1 AND d.currency = $2 AND d.day < f.day), 0)
        + coalesce((SELECT sum(CASE WHEN p.target = $1 THEN p.amount ELSE -p.amount END) FROM postings p
                    WHERE p.recorded_at >= f.midnight AND p.recorded_at < f.midnight + interval '1 day'
                    AND (p.recorded_at, p.id) <= (f.recorded_at, f.id)
                    AND p.currency = $2 AND $1 IN (p.source, p.target)), 0)
        + coalesce((SELECT sum(CASE WHEN w.target = $1 THEN w.amount ELSE -w.amount END) FROM waiting w
                    WHERE w.recorded_at < f.midnight), 0) AS balance
    FROM first f
)
SELECT page.*, balance::bigint FROM page, balance ORDER BY recorded_at DESC, id DESC
"""
