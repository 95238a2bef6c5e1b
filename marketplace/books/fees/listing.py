"""Every application fee, filtered, sorted and paged; and all of them, however many, for an export.

Filters and sorts are closed lists. A page starts after a cursor that holds the sorted value and the payment,
so that a fee that changes meanwhile moves no other one.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Literal

import asyncpg
import msgspec

from marketplace.books.errors import FeeFilterRefused, FeeReviewNotFound
from marketplace.books.fees.assessing import CODES
from marketplace.books.fees.figures import FeeFigures
from marketplace.paging import Page, PageRequest
from payments.currencies import CURRENCIES
from payments.database import execute, row, rows, transaction, value

SortBy = Literal["time", "fee", "rate", "margin"]
Direction = Literal["desc", "asc"]
Captured = Literal["whole", "part"]
Returned = Literal["none", "part", "whole"]

_PIECE: Final = 5000
_FEW: Final = 20_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_BIGGEST: Final = 2**62
_SORTS: Final[Mapping[SortBy, str]] = {
    "time": "captured_at",
    "fee": "fee_taken",
    "rate": "rate_basis_points",
    "margin": "net",
}
_AMOUNTS: Final = ("fee", "margin")
_CAPTURED: Final[Mapping[Captured, str]] = {
    "whole": "captured >= gross",
    "part": "captured < gross",
}
_RETURNED: Final[Mapping[Returned, str]] = {
    "none": "fee_returned = 0",
    "part": "fee_returned > 0 AND fee_returned < fee_taken",
    "whole": "fee_returned > 0 AND fee_returned = fee_taken",
}


class ReviewedFee(FeeFigures, frozen=True, kw_only=True):
    """The application fee of one payment. `gross` is the order's total; `fee_expected` what the schedule asks
    for on what was captured (None: nobody can say); `rule_ids` what priced it."""

    payment_id: str
    order_id: str
    seller_id: str
    captured_at: datetime
    gross: int
    fee_expected: int | None
    rate_basis_points: int
    schedule_id: str
    schedule_version: int
    rule_ids: list[str]
    categories: list[str]
    anomalies: list[str]
    reviewed_at: datetime | None
    reviewed_by: str | None
    updated_at: datetime


class FeeFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which fees; None leaves a field open. Captured from the day `since` on, and before `until` (UTC).

    `anomaly` is a code, `any` or `none`.
    """

    order_id: str | None = None
    seller_id: str | None = None
    category: str | None = None
    rule_id: str | None = None
    schedule_version: int | None = None
    currency: str | None = None
    since: date | None = None
    until: date | None = None
    captured: Captured | None = None
    returned: Returned | None = None
    anomaly: str | None = None
    reviewed: bool | None = None


class FeeSort(msgspec.Struct, frozen=True, kw_only=True):
    """In which order; the newest first unless it says otherwise."""

    by: SortBy = "time"
    direction: Direction = "desc"

    def cursor(self, fee: ReviewedFee) -> str:
        """What the page after this fee starts after."""
        value: Any = fee.net if self.by == "margin" else getattr(fee, _SORTS[self.by])
        if isinstance(value, datetime):
            value = (value - _EPOCH) // _MICROSECOND
        return f"{value}:{fee.payment_id}"


THE_NEWEST_FIRST: Final = FeeSort()

_COLUMNS = ", ".join(ReviewedFee.__struct_fields__)


async def find(payment_id: str) -> ReviewedFee:
    """One fee. Raises FeeReviewNotFound."""
    found = await row(f"SELECT {_COLUMNS} FROM fee_reviews WHERE payment_id = $1", payment_id)
    if found is None:
        raise FeeReviewNotFound(payment_id)
    return ReviewedFee(**found)


async def fees(wanted: FeeFilter, sort: FeeSort, page: PageRequest) -> Page[ReviewedFee]:
    """A page of fees; a cursor of another sort is an empty page.

    Raises FeeFilterRefused, also where what fits is so far apart that it is not found in time: of a shorter
    period it is.
    """
    require_answerable(wanted, sort)
    after = None
    if page.starting_after is not None:
        after = _after(page.starting_after, sort)
        if after is None:
            return Page([], False)
    try:
        return Page.cut(await _read(wanted, sort, after, page.fetched), page)
    except asyncpg.QueryCanceledError as error:
        raise FeeFilterRefused("from", "takes_too_long") from error


async def every_fee(wanted: FeeFilter, sort: FeeSort, written: str) -> AsyncIterator[list[str]]:
    """All of them in pieces, each fee as the SQL `written` says.

    Each piece is a statement of its own, so that nothing is held while they are sent.
    """
    after = None
    column = _SORTS[sort.by]
    while True:
        columns = f"{written} AS written, {column} AS place, payment_id"
        found = await _records(columns, wanted, sort, after, _PIECE)
        if found:
            yield [record["written"] for record in found]
        if len(found) < _PIECE:
            return
        after = (found[-1]["place"], found[-1]["payment_id"])


def require_answerable(wanted: FeeFilter, sort: FeeSort) -> None:
    """Raise FeeFilterRefused for what no list can show."""
    if wanted.anomaly not in (None, "any", "none", *CODES):
        raise FeeFilterRefused("anomaly", "unknown", ("any", "none", *CODES))
    if sort.by in _AMOUNTS and wanted.currency is None:
        raise FeeFilterRefused("sort", "needs_currency")
    require_currency(wanted.currency)
    require_period(wanted.since, wanted.until)


def require_currency(currency: str | None) -> None:
    """Raise FeeFilterRefused for one that no payment could have: nothing found would look like no fees."""
    if currency is not None and currency not in CURRENCIES:
        raise FeeFilterRefused("currency", "unknown", tuple(sorted(CURRENCIES)))


def require_period(since: date | None, until: date | None) -> None:
    """Raise FeeFilterRefused for one that ends before it begins."""
    if since is not None and until is not None and until <= since:
        raise FeeFilterRefused("to", "ends_before_it_begins")


class _Conditions:
    """Conditions of a query and their arguments; only those that are given, so that indexes serve them."""

    def __init__(self) -> None:
        self._conditions = ["true"]
        self.arguments: list[Any] = []

    @property
    def sql(self) -> str:
        return " AND ".join(self._conditions)

    def bind(self, argument: Any) -> str:
        """Add an argument; answers its name."""
        self.arguments.append(argument)
        return f"${len(self.arguments)}"

    def add(self, condition: str, argument: Any) -> None:
        """`condition`, whose `$` is the argument, unless that is None."""
        if argument is not None:
            self._conditions.append(condition.replace("$", self.bind(argument)))

    def add_text(self, condition: str | None) -> None:
        if condition is not None:
            self._conditions.append(condition)


async def _read(
    wanted: FeeFilter, sort: FeeSort, after: tuple[Any, str] | None, limit: int
) -> list[ReviewedFee]:
    found = await _records(_COLUMNS, wanted, sort, after, limit)
    return [ReviewedFee(**record) for record in found]


async def _records(
    columns: str, wanted: FeeFilter, sort: FeeSort, after: tuple[Any, str] | None, limit: int
) -> list[asyncpg.Record]:
    given = _conditions(wanted)
    column, descending = _SORTS[sort.by], sort.direction == "desc"
    if after is not None:
        kind = "timestamptz" if sort.by == "time" else "bigint"
        sorted_value, payment_id = given.bind(after[0]), given.bind(after[1])
        sign = "<" if descending else ">"
        given.add_text(f"({column}, payment_id) {sign} ({sorted_value}::{kind}, {payment_id})")
    fitting = f"SELECT * FROM fee_reviews WHERE {given.sql}"
    if await _are_few(wanted) or await _rarely_meet(wanted):
        fitting = f"WITH few AS MATERIALIZED ({fitting}) SELECT * FROM few"
    return await rows(
        f"SELECT {columns} FROM ({fitting}) AS fitting "
        f"ORDER BY {column} {sort.direction}, payment_id {sort.direction} LIMIT {limit}",
        *given.arguments,
    )


async def _are_few(wanted: FeeFilter) -> bool:
    """Whether so few payments have the category or the rule that all of them are looked up and then sorted,
    instead of walking along the sort until a page is full."""
    named = [
        (dimension, key)
        for dimension, key in (("category", wanted.category), ("rule", wanted.rule_id))
        if key is not None
    ]
    if not named:
        return False
    least: int | None = await value(
        "SELECT min(n.payments) FROM ("
        "  SELECT coalesce(sum(t.payments), 0)::bigint AS payments"
        "  FROM unnest($1::text[], $2::text[]) AS k (dimension, key) LEFT JOIN fee_totals t"
        "  ON t.dimension = k.dimension AND t.grain = 'month' AND t.key = k.key"
        "  GROUP BY k.dimension, k.key) AS n",
        [dimension for dimension, _ in named],
        [key for _, key in named],
    )
    return (least or 0) < _FEW


async def _rarely_meet(wanted: FeeFilter) -> bool:
    """Whether so few payments have both the category and the rule. Sums are kept of one of them at a time:
    both are looked up, as far as a list of few may be long, with the index of each whole in memory."""
    if wanted.category is None or wanted.rule_id is None:
        return False
    async with transaction():
        await execute("SET LOCAL work_mem = '64MB'")
        await execute("SET LOCAL enable_seqscan = off")
        meeting: int = await value(
            "SELECT count(*) FROM (SELECT FROM fee_reviews WHERE categories @> ARRAY[$1::varchar] "
            "AND rule_ids @> ARRAY[$2::varchar] LIMIT $3) AS meeting",
            wanted.category,
            wanted.rule_id,
            _FEW,
        )
    return meeting < _FEW


def _conditions(wanted: FeeFilter) -> _Conditions:
    given = _Conditions()
    given.add("payment_id IN (SELECT id FROM payments WHERE order_id = $)", wanted.order_id)
    given.add("seller_id = $", wanted.seller_id)
    given.add("categories @> ARRAY[$::varchar]", wanted.category)
    given.add("rule_ids @> ARRAY[$::varchar]", wanted.rule_id)
    given.add("schedule_version = $", wanted.schedule_version)
    given.add("currency = $", wanted.currency)
    given.add("captured_at >= $", _midnight(wanted.since))
    given.add("captured_at < $", _midnight(wanted.until))
    given.add_text(_CAPTURED[wanted.captured] if wanted.captured else None)
    given.add_text(_RETURNED[wanted.returned] if wanted.returned else None)
    if wanted.anomaly in ("any", "none"):
        given.add_text(f"anomalies {'<>' if wanted.anomaly == 'any' else '='} '{{}}'")
    elif wanted.anomaly is not None:
        given.add_text("anomalies <> '{}'")
        given.add("anomalies @> ARRAY[$::varchar]", wanted.anomaly)
    if wanted.reviewed is not None:
        given.add_text(f"reviewed_at IS {'NOT ' if wanted.reviewed else ''}NULL")
    return given


def _after(cursor: str, sort: FeeSort) -> tuple[Any, str] | None:
    """The value and the payment of a cursor; None where it is none."""
    text, _, payment_id = cursor.partition(":")
    try:
        number = int(text)
        if abs(number) > _BIGGEST:
            return None
        value = number if sort.by != "time" else _EPOCH + number * _MICROSECOND
    except (ValueError, OverflowError):
        return None
    return value, payment_id


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)
