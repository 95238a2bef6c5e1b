"""Sums of fees per day, week, month, seller, category, rule or currency; never over two currencies.

What was folded in is read from `fee_totals`, what still waits from the postings themselves, in one snapshot:
the answer is the recount's, at every moment, however many payments there are.
"""

from datetime import date, timedelta
from typing import Any, Final, Literal

import msgspec

from marketplace.books.errors import FeeFilterRefused, FeesBeingCounted
from marketplace.books.fees.contributions import FIGURES, SUMS, Dimension, contributions, moved
from marketplace.books.fees.figures import FeeFigures
from marketplace.books.fees.folding import SPREAD_RECORD, json_of, spread_of
from marketplace.books.fees.listing import require_currency, require_period
from marketplace.books.fees.loading import load
from marketplace.books.fees.periods import Cut, cut
from marketplace.fees.schedules import Schedules
from marketplace.paging import Page, PageRequest
from payments.database import execute, rows, transaction, value

GroupBy = Literal["day", "week", "month", "seller", "category", "rule", "currency"]

WAITING: Final = 50_000
"""So many movements that are not folded in yet are too many to be read with each sum."""
_BEGINS: Final = {
    "day": "starts_on",
    "week": "date_trunc('week', starts_on::timestamp)::date",
    "month": "date_trunc('month', starts_on::timestamp)::date",
}
_SPREAD: Final = ("category", "rule")
_UNSPREAD: Final = """
SELECT DISTINCT m.payment_id FROM fee_movements m
WHERE NOT EXISTS (SELECT FROM fee_reviews r WHERE r.payment_id = m.payment_id)
"""
_COLUMNS: Final = ", ".join(FIGURES)
_AFTER: Final = "($12::text, $13::text)"
_WAITING: Final = "fee_movements w JOIN postings p ON p.id = w.posting_id"


class SummaryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What to sum up: at most one of seller, category and rule. From the day `since` on, before `until`."""

    seller_id: str | None = None
    category: str | None = None
    rule_id: str | None = None
    currency: str | None = None
    since: date | None = None
    until: date | None = None


class FeeSummary(FeeFigures, frozen=True, kw_only=True):
    """The sums of one group in one currency. `key` is the first day of a period (UTC; of a week its Monday),
    or the seller, category, rule or currency. A payment of two categories counts in both."""

    key: str
    payments: int

    @property
    def id(self) -> str:
        """What the next page starts after."""
        return f"{self.key}:{self.currency}"


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    dimension: Dimension
    key: str | None
    currency: str | None
    days: Cut
    after: tuple[str, str] | None


async def summary(
    group_by: GroupBy, wanted: SummaryFilter, page: PageRequest, schedules: Schedules
) -> Page[FeeSummary]:
    """A page of sums: periods with the newest first, others by their key.

    Raises FeeFilterRefused, and FeesBeingCounted where too much is not folded in yet.
    """
    require_currency(wanted.currency)
    require_period(wanted.since, wanted.until)
    asked = _asked(group_by, wanted, page.starting_after)
    if page.starting_after is not None and asked.after is None:
        return Page([], False)
    async with transaction():
        await execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        await _require_few_waiting()
        spread = await _spread_of_waiting(schedules) if asked.dimension in _SPREAD else "[]"
        found = await _read(group_by, asked, spread, page.fetched)
    return Page.cut([FeeSummary(**record) for record in found], page)


def _asked(group_by: GroupBy, wanted: SummaryFilter, cursor: str | None) -> _Asked:
    """Raises FeeFilterRefused: sums are kept by one dimension at a time."""
    given: dict[Dimension, str | None] = {
        "seller": wanted.seller_id,
        "category": wanted.category,
        "rule": wanted.rule_id,
    }
    filters = {dimension: key for dimension, key in given.items() if key is not None}
    dimension: Dimension = "all"
    if group_by in ("seller", "category", "rule"):
        dimension = group_by
    elif filters:
        dimension = next(iter(filters))
    others = [name for name in filters if name != dimension]
    if others:
        raise FeeFilterRefused(_PARAMETERS[others[0]], "one_filter_only", (dimension,))
    return _Asked(
        dimension=dimension,
        key="" if dimension == "all" else filters.get(dimension),
        currency=wanted.currency,
        days=cut(wanted.since, wanted.until),
        after=_after(group_by, cursor, "" if dimension == "all" else filters.get(dimension, "")),
    )


_PARAMETERS: Final[dict[Dimension, str]] = {
    "all": "group_by",
    "seller": "seller_id",
    "category": "category",
    "rule": "rule_id",
}


def _after(group_by: GroupBy, cursor: str | None, only_key: str) -> tuple[str, str] | None:
    key, colon, currency = (cursor or "").rpartition(":")
    if not colon:
        return None
    if group_by == "currency":
        return only_key, currency
    if group_by in _BEGINS:
        try:
            key = date.fromisoformat(key).isoformat()
        except ValueError:
            return None
    return key, currency


async def _require_few_waiting() -> None:
    """Raise FeesBeingCounted where more waits than is read in time; the sums would be exact, but late."""
    waiting = await value("SELECT count(*) FROM (SELECT FROM fee_movements LIMIT $1) AS w", WAITING)
    if waiting == WAITING:
        raise FeesBeingCounted(waiting)


async def _spread_of_waiting(schedules: Schedules) -> str:
    """How those payments are spread that no fold has seen yet."""
    waiting = [record["payment_id"] for record in await rows(_UNSPREAD)]
    return json_of([spread_of(one) for one in await load(waiting, schedules)] if waiting else [])


async def _read(group_by: GroupBy, asked: _Asked, spread: str, limit: int) -> list[dict[str, Any]]:
    if group_by in _BEGINS:
        return await _by_period(group_by, asked, spread, limit)
    found = await _by_key(asked, spread, limit)
    if group_by != "currency":
        return found
    return [{**record, "key": record["currency"]} for record in found]


def _waiting(dimension: Dimension) -> str:
    """CTEs whose last, `waiting`, is what is not in the sums yet. `$1` spreads what no fold has seen."""
    return f"""
    moved AS MATERIALIZED ({moved("true", source=_WAITING)}),
    spread AS (
        SELECT r.payment_id, r.categories, r.category_amounts, r.category_fees, r.rule_ids,
            r.rule_amounts, r.rule_fees
        FROM fee_reviews r WHERE r.payment_id IN (SELECT payment_id FROM moved)
        UNION ALL SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS given ({SPREAD_RECORD})
    ),
    waiting AS MATERIALIZED (
        SELECT * FROM ({contributions(dimension, spread="spread")}) AS c
        WHERE ($2::text IS NULL OR c.key = $2::text)
            AND ($3::text IS NULL OR c.currency = $3::text)
            AND c.starts_on >= $4 AND c.starts_on < $5
    )
    """


async def _by_period(
    group_by: GroupBy, asked: _Asked, spread: str, limit: int
) -> list[dict[str, Any]]:
    key, currency = asked.after or (None, None)
    span = asked.days.whole
    until = span.until
    if key is not None:
        # Everything after this period was shown.
        until = min(until, _end_of(group_by, date.fromisoformat(key)))
    found = await rows(
        f"""
        WITH {_waiting(asked.dimension)}, days AS (
            SELECT {_BEGINS[group_by]} AS begins, currency, {_COLUMNS} FROM fee_totals
            WHERE dimension = '{asked.dimension}' AND grain = 'day' AND key = $2::text
                AND ($3::text IS NULL OR currency = $3::text) AND starts_on >= $4 AND starts_on < $5
            UNION ALL SELECT {_BEGINS[group_by]}, currency, {_COLUMNS} FROM waiting
        )
        SELECT to_char(begins, 'YYYY-MM-DD') AS key, currency, {SUMS}
        FROM days GROUP BY begins, currency
        HAVING $6::text IS NULL OR (begins, currency) < ($6::text::date, $7::text)
        ORDER BY begins DESC, currency DESC LIMIT {limit}
        """,
        spread,
        asked.key,
        asked.currency,
        span.since,
        max(span.since, until),
        key,
        currency,
    )
    return [dict(record) for record in found]


async def _by_key(asked: _Asked, spread: str, limit: int) -> list[dict[str, Any]]:
    """A walk along the keys that have a month in the period; of each the whole months and the days around."""
    days = asked.days
    after_key, after_currency = asked.after or (None, None)
    found = await rows(
        f"""
        WITH RECURSIVE {_waiting(asked.dimension)}, keys AS (
            ({_next_key(asked, _AFTER if asked.after else "")})
            UNION ALL SELECT r.* FROM keys k
            CROSS JOIN LATERAL ({_next_key(asked, "(k.key, k.currency)")}) AS r
        ), kept AS (
            SELECT k.key, k.currency, s.* FROM keys k CROSS JOIN LATERAL (
                SELECT {SUMS}, count(*) AS sums FROM ({_pieces(asked.dimension)}) AS pieces
            ) AS s WHERE s.sums > 0 LIMIT {limit}
        )
        SELECT r.key, r.currency, {SUMS} FROM (
            SELECT key, currency, {_COLUMNS} FROM kept
            UNION ALL SELECT key, currency, {_COLUMNS} FROM waiting
        ) AS r
        WHERE $12::text IS NULL OR (r.key, r.currency) > {_AFTER}
        GROUP BY r.key, r.currency ORDER BY r.key, r.currency LIMIT {limit}
        """,
        spread,
        asked.key,
        asked.currency,
        days.whole.since,
        days.whole.until,
        days.touched.since,
        days.touched.until,
        days.months.since,
        days.months.until,
        days.before.until,
        days.after.since,
        after_key,
        after_currency,
    )
    return [dict(record) for record in found]


def _pieces(dimension: Dimension) -> str:
    """The sums of one key: each piece a range of the index, which has the figures too. With OR between
    them each row would be looked up in the table, where no two of a seller lie together."""
    return " UNION ALL ".join(
        f"SELECT {_COLUMNS} FROM fee_totals t WHERE t.dimension = '{dimension}' "
        f"AND t.grain = '{grain}' AND t.key = k.key AND t.currency = k.currency "
        f"AND t.starts_on >= {since} AND t.starts_on < {until}"
        for grain, since, until in (
            ("month", "$8", "$9"),
            ("day", "$4", "$10"),
            ("day", "$11", "$5"),
        )
    )


def _next_key(asked: _Asked, after: str) -> str:
    """The first key after another, as one look into the index, whatever the planner thinks of how many there
    are. Conditions are written only where given, so that the index is entered at the right place."""
    conditions = []
    if asked.key is not None:
        conditions.append("AND t.key = $2::text")
    if after:
        conditions.append(f"AND (t.key, t.currency) > {after}")
    if asked.currency is not None:
        conditions.append("AND t.currency = $3::text")
    return f"""
    SELECT t.key, t.currency FROM fee_totals t
    WHERE t.dimension = '{asked.dimension}' AND t.grain = 'month'
        AND t.starts_on >= $6 AND t.starts_on < $7 {" ".join(conditions)}
    ORDER BY t.key, t.currency LIMIT 1
    """


def _end_of(group_by: GroupBy, begins: date) -> date:
    if group_by == "day":
        return _later(begins, 1)
    if group_by == "week":
        return _later(begins, 7)
    return _later(begins.replace(day=28), 4).replace(day=1)


def _later(day: date, days: int) -> date:
    return date.max if date.max - day <= timedelta(days=days) else day + timedelta(days=days)
