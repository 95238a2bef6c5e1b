"""The fee review: what the platform took of each payment, by which rule, and what it has left of it.

Every figure is a sum of postings; the order only says which rule priced it. Money that was not captured was
not earned, so an order appears when its first capture is posted. Amounts are minor units.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from marketplace.paging import Page, PageRequest
from payments.database import rows
from payments.money import BASIS_POINTS, cumulative_share

GroupBy = Literal["day", "seller"]

_SUMS = """
    coalesce(sum(p.amount) FILTER (WHERE p.kind = 'capture'), 0)::bigint AS captured,
    coalesce(sum(CASE p.kind WHEN 'refund' THEN p.amount WHEN 'refund_failure' THEN -p.amount END),
        0)::bigint AS refunded,
    coalesce(sum(p.amount) FILTER (WHERE p.kind = 'application_fee'), 0)::bigint AS fee_taken,
    coalesce(sum(p.amount) FILTER (WHERE p.kind = 'fee_refund'), 0)::bigint AS fee_returned,
    coalesce(sum(p.amount) FILTER (WHERE p.kind = 'processing_cost'), 0)::bigint AS processing_cost
"""


class FeeFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which postings to look at; None means any. From `since`, and before `until`."""

    seller_id: str | None = None
    currency: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class FeeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What moved, in minor units of one currency."""

    currency: str
    captured: int
    refunded: int
    fee_taken: int
    fee_returned: int
    processing_cost: int

    @property
    def net(self) -> int:
        """What the platform has left of the fee: less what it returned and Stripe cost. May be negative."""
        return self.fee_taken - self.fee_returned - self.processing_cost

    @property
    def effective_rate_basis_points(self) -> int | None:
        """The fee taken as a share of what was captured, rounded half up; None where nothing was."""
        if not 0 <= self.fee_taken <= self.captured or self.captured == 0:
            return None
        return cumulative_share(BASIS_POINTS, self.fee_taken, self.captured)


class ReviewedFee(FeeFigures, frozen=True, kw_only=True):
    """The application fee of one payment. `gross` is the order's total, `rule_ids` what priced it."""

    payment_id: str
    order_id: str
    seller_id: str
    gross: int
    rule_ids: tuple[str, ...]
    schedule_id: str
    schedule_version: int
    captured_at: datetime


class FeeSummary(FeeFigures, frozen=True, kw_only=True):
    """The sums of one day or one seller, in one currency. `key` is the day (UTC) or the seller's id."""

    key: str
    payments: int

    @property
    def id(self) -> str:
        """What the next page starts after."""
        return f"{self.key}:{self.currency}"


class FeeReview:
    """Reads fees out of the ledger, for admins."""

    async def list(self, wanted: FeeFilter, page: PageRequest) -> Page[ReviewedFee]:
        """The fee of every captured payment, the newest payment first; one query."""
        given = _Conditions("p.kind = 'capture'")
        given.add_all(_wanted(wanted))
        given.add("p.payment_id <", page.starting_after)
        found = await rows(
            f"""
            WITH page AS (
                SELECT DISTINCT p.payment_id FROM postings p WHERE {given.sql}
                ORDER BY p.payment_id DESC LIMIT {page.fetched}
            )
            SELECT p.payment_id, p.order_id, p.seller_id, p.currency, o.total AS gross,
                ARRAY(SELECT part ->> 'rule_id'
                    FROM jsonb_array_elements(o.fee_working::jsonb -> 'parts') AS part) AS rule_ids,
                f.id AS schedule_id, f.version AS schedule_version,
                min(p.occurred_at) FILTER (WHERE p.kind = 'capture') AS captured_at, {_SUMS}
            FROM page JOIN postings p USING (payment_id) JOIN orders o ON o.id = p.order_id
            JOIN fee_schedules f ON f.id = o.fee_schedule_id
            GROUP BY p.payment_id, p.order_id, p.seller_id, p.currency, o.id, f.id
            ORDER BY p.payment_id DESC
            """,
            *given.arguments,
        )
        fees = [
            ReviewedFee(**{**dict(record), "rule_ids": tuple(record["rule_ids"])})
            for record in found
        ]
        return Page.cut(fees, page)

    async def summary(
        self, group_by: GroupBy, wanted: FeeFilter, page: PageRequest
    ) -> Page[FeeSummary]:
        """Sums per day (the newest first) or per seller, and per currency; one query.

        Each posting counts on the day it happened: a fee returned in May lessens May, not the March it
        was taken in.
        """
        given = _Conditions("true")
        given.add_all(_wanted(wanted))
        key, order, after = _GROUPS[group_by]
        having = "true"
        if page.starting_after is not None:
            having = f"{key} || ':' || p.currency {after} ${given.bind(page.starting_after)}"
        found = await rows(
            f"SELECT {key} AS key, p.currency, {_SUMS}, "
            "count(DISTINCT p.payment_id) FILTER (WHERE p.kind = 'capture') AS payments "
            f"FROM postings p WHERE {given.sql} GROUP BY 1, 2 HAVING {having} "
            f"ORDER BY {key} || ':' || p.currency {order} LIMIT {page.fetched}",
            *given.arguments,
        )
        return Page.cut([FeeSummary(**record) for record in found], page)


_GROUPS: Final[Mapping[GroupBy, tuple[str, str, str]]] = {
    "day": ("to_char(p.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')", "DESC", "<"),
    "seller": ("p.seller_id", "ASC", ">"),
}


class _Conditions:
    """Conditions of a query and their arguments; only those that are given, so that indexes serve them."""

    def __init__(self, first: str) -> None:
        self._conditions = [first]
        self.arguments: list[Any] = []

    @property
    def sql(self) -> str:
        return " AND ".join(self._conditions)

    def bind(self, argument: Any) -> int:
        """Add an argument; answers its number."""
        self.arguments.append(argument)
        return len(self.arguments)

    def add(self, condition: str, argument: Any) -> None:
        """`condition` followed by the argument, unless that is None."""
        if argument is not None:
            self._conditions.append(f"{condition} ${self.bind(argument)}")

    def add_all(self, given: Mapping[str, Any]) -> None:
        for condition, argument in given.items():
            self.add(condition, argument)


def _wanted(wanted: FeeFilter) -> dict[str, Any]:
    return {
        "p.seller_id =": wanted.seller_id,
        "p.currency =": wanted.currency,
        "p.occurred_at >=": wanted.since,
        "p.occurred_at <": wanted.until,
    }
