"""What a seller earned with each order: gross, fee, refunds and what is left, from the ledger alone.

Only what moved on the seller's own account counts: a refund that the platform bore is none of the seller's.
Amounts are minor units.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from marketplace.oversight.errors import RangeRefused
from marketplace.paging import Page, PageRequest
from payments.database import rows
from payments.ledger import seller_account


class EarningsFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which movements to count; None means any. From `since`, and before `until`."""

    currency: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class EarningsFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What moved on the seller's account, in minor units of one currency.

    `net` is what is left of it; `adjustments` is all that is neither a sale, its fee, nor a refund with
    its returned fee: disputes, reserves, debts, and transfers taken back or sent again.
    """

    currency: str
    gross: int
    fee: int
    refunded: int
    fee_returned: int
    net: int

    @property
    def adjustments(self) -> int:
        """What the other figures do not explain of the net, by kind of movement; may be below zero."""
        return self.net - (self.gross - self.fee - self.refunded + self.fee_returned)


class OrderEarnings(EarningsFigures, frozen=True, kw_only=True):
    """One order."""

    order_id: str
    order_status: str
    last_moved_at: datetime


class EarningsTotals(EarningsFigures, frozen=True, kw_only=True):
    """All orders that fit, in one currency."""

    orders: int


_LEG = "CASE $2 WHEN p.target THEN p.amount ELSE -p.amount END"
_SUMS = f"""
    coalesce(sum({_LEG}) FILTER (WHERE p.kind = 'capture'), 0)::bigint AS gross,
    coalesce(-sum({_LEG}) FILTER (WHERE p.kind = 'application_fee'), 0)::bigint AS fee,
    coalesce(-sum({_LEG}) FILTER (WHERE p.kind IN ('refund', 'refund_failure')), 0)::bigint AS refunded,
    coalesce(sum({_LEG}) FILTER (WHERE p.kind = 'fee_refund'), 0)::bigint AS fee_returned,
    sum({_LEG})::bigint AS net
"""
_MOVED = (
    "p.seller_id = $1 AND $2 IN (p.source, p.target) AND p.order_id IS NOT NULL "
    "AND ($3::text IS NULL OR p.currency = $3) "
    "AND ($4::timestamptz IS NULL OR p.occurred_at >= $4) "
    "AND ($5::timestamptz IS NULL OR p.occurred_at < $5)"
)


async def earnings(
    seller_id: str, wanted: EarningsFilter, page: PageRequest
) -> Page[OrderEarnings]:
    """Every order with money of the seller's, the newest first; what moved outside the filter is left out,
    so that the months of an order add up. Raises RangeRefused."""
    found = await rows(
        f"""
        WITH page AS (
            SELECT o.id AS order_id FROM orders o
            WHERE o.seller_id = $1 AND ($6::text IS NULL OR o.id < $6)
            AND EXISTS (SELECT FROM postings p WHERE p.order_id = o.id AND {_MOVED})
            ORDER BY o.id DESC LIMIT {page.fetched}
        )
        SELECT p.order_id, o.status AS order_status, p.currency,
            max(p.occurred_at) AS last_moved_at, {_SUMS}
        FROM page JOIN postings p USING (order_id) JOIN orders o ON o.id = p.order_id
        WHERE {_MOVED} GROUP BY p.order_id, o.status, p.currency ORDER BY p.order_id DESC
        """,
        *_arguments(seller_id, wanted),
        page.starting_after,
    )
    return Page.cut([OrderEarnings(**record) for record in found], page)


async def totals(seller_id: str, wanted: EarningsFilter) -> list[EarningsTotals]:
    """The sums of all orders that fit, by currency. Raises RangeRefused."""
    found = await rows(
        f"SELECT p.currency, count(DISTINCT p.order_id) AS orders, {_SUMS} FROM postings p "
        f"WHERE {_MOVED} GROUP BY p.currency ORDER BY p.currency",
        *_arguments(seller_id, wanted),
    )
    return [EarningsTotals(**record) for record in found]


def _arguments(seller_id: str, wanted: EarningsFilter) -> Sequence[Any]:
    begins, ends = wanted.since, wanted.until
    if begins is not None and ends is not None and ends <= begins:
        raise RangeRefused(begins, ends)
    return (seller_id, seller_account(seller_id), wanted.currency, wanted.since, wanted.until)
