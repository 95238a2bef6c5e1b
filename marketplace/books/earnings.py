"""What a seller earned with each order: gross, fee, refunds and what is left, from the ledger alone.

Only what moved on the seller's own account counts: a refund that the platform bore is none of the seller's.
Amounts are minor units.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from marketplace.oversight.errors import RangeRefused
from marketplace.paging import Page, PageRequest
from payments.database import rows


class EarningsFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which movements to count; None means any. From `since`, and before `until`."""

    currency: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING: Final = EarningsFilter()


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


# Word for word what the index `postings_of_account` holds: these postings, and all of them that is added up.
_OWN = "'seller:' || p.seller_id IN (p.source, p.target)"
_LEG = "CASE 'seller:' || p.seller_id WHEN p.target THEN p.amount ELSE -p.amount END"
_SUMS = f"""
    coalesce(sum({_LEG}) FILTER (WHERE p.kind = 'capture'), 0)::bigint AS gross,
    coalesce(-sum({_LEG}) FILTER (WHERE p.kind = 'application_fee'), 0)::bigint AS fee,
    coalesce(-sum({_LEG}) FILTER (WHERE p.kind IN ('refund', 'refund_failure')), 0)::bigint AS refunded,
    coalesce(sum({_LEG}) FILTER (WHERE p.kind = 'fee_refund'), 0)::bigint AS fee_returned,
    sum({_LEG})::bigint AS net
"""
# An order's postings by the order (OFFSET 0): the planner takes the seller's for fewer than they may be.
_OF_ORDER = "SELECT * FROM postings WHERE order_id = o.id OFFSET 0"


class _Moved:
    """SQL of the movements that fit, and its arguments: only conditions that are given, because a statement
    with all of them is planned for any after a few requests, and not for the one that is asked."""

    def __init__(self, seller_id: str, wanted: EarningsFilter) -> None:
        self.arguments: list[Any] = []
        conditions = [f"p.seller_id = {self.bind(seller_id)}", _OWN, "p.order_id IS NOT NULL"]
        given = {
            "p.currency =": wanted.currency,
            "p.occurred_at >=": wanted.since,
            "p.occurred_at <": wanted.until,
        }
        conditions += [f"{what} {self.bind(to)}" for what, to in given.items() if to is not None]
        self.sql = " AND ".join(conditions)

    def bind(self, argument: Any) -> str:
        """Add an argument; answers its name."""
        self.arguments.append(argument)
        return f"${len(self.arguments)}"


async def earnings(
    seller_id: str, wanted: EarningsFilter, page: PageRequest
) -> Page[OrderEarnings]:
    """Every order with money of the seller's, the newest first; what moved outside the filter is left out,
    so that the months of an order add up. Raises RangeRefused."""
    _require_range(wanted)
    moved = _Moved(seller_id, wanted)
    after = page.starting_after
    before = "true" if after is None else f"{{}} < {moved.bind(after)}"
    shown = _all_orders if wanted == EVERYTHING else _orders_of
    found = await rows(
        f"""
        WITH page AS MATERIALIZED ({shown(moved.sql, before)} LIMIT {page.fetched})
        SELECT p.order_id, o.status AS order_status, p.currency,
            max(p.occurred_at) AS last_moved_at, {_SUMS}
        FROM page JOIN orders o ON o.id = page.order_id CROSS JOIN LATERAL ({_OF_ORDER}) AS p
        WHERE {moved.sql} GROUP BY p.order_id, o.status, p.currency ORDER BY p.order_id DESC
        """,
        *moved.arguments,
    )
    return Page.cut([OrderEarnings(**record) for record in found], page)


def _all_orders(moved: str, before: str) -> str:
    """A walk along the seller's orders, as far as the page goes."""
    return f"""
    SELECT o.id AS order_id FROM orders o CROSS JOIN LATERAL (
        SELECT FROM ({_OF_ORDER}) AS p WHERE {moved} LIMIT 1
    ) AS moved
    WHERE o.seller_id = $1 AND {before.format("o.id")} ORDER BY o.id DESC
    """


def _orders_of(moved: str, before: str) -> str:
    """Those of the movements that fit, in the index alone: a walk along the orders might be over years in
    which none of them moved."""
    return f"""
    SELECT DISTINCT p.order_id FROM postings p WHERE {moved} AND {before.format("p.order_id")}
    ORDER BY p.order_id DESC
    """


async def totals(seller_id: str, wanted: EarningsFilter) -> list[EarningsTotals]:
    """The sums of all orders that fit, by currency. Raises RangeRefused."""
    _require_range(wanted)
    moved = _Moved(seller_id, wanted)
    found = await rows(
        f"""
        SELECT sums.*, counted.orders FROM (
            SELECT p.currency, {_SUMS} FROM postings p WHERE {moved.sql} GROUP BY p.currency
        ) AS sums JOIN (
            SELECT currency, count(*) AS orders FROM (
                SELECT DISTINCT p.currency, p.order_id FROM postings p WHERE {moved.sql}
            ) AS orders GROUP BY currency
        ) AS counted USING (currency) ORDER BY currency
        """,
        *moved.arguments,
    )
    return [EarningsTotals(**record) for record in found]


def _require_range(wanted: EarningsFilter) -> None:
    begins, ends = wanted.since, wanted.until
    if begins is not None and ends is not None and ends <= begins:
        raise RangeRefused(begins, ends)
