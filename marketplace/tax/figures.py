"""A year's figures, seller by seller, from the ledger alone, as it was known at a moment.

A sale belongs to the quarter (UTC) in which its money was taken for the seller, and so does whatever moves of
it later: a refund, a dispute, a fee returned. A refund after the year's end therefore changes the year it
corrects, and not the next one. Since the ledger only grows and says when each posting was written down, the
figures of any past moment can be asked for again: what was filed, and what has changed since.

Consideration is what the seller got, net of what the platform kept (Directive (EU) 2021/514, Annex V,
section I.A.10): all that crossed the border of their accounts for a sale. Amounts are minor units, per
currency; nothing is converted.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final, Literal

import msgspec

from payments.currencies import CURRENCIES
from payments.database import rows

Activity = Literal["personal_services", "sale_of_goods"]
SALES_AT_ONCE: Final = 10_000
_STEPS: Final = {code: rules.step for code, rules in CURRENCIES.items() if rules.step > 1}
"""Currencies whose fees are divided in steps of more than one minor unit."""


class QuarterFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One quarter of one activity. `fees` are what the platform kept of it, tax on the fee included;
    `service_fees` what buyers paid on top and the platform kept: neither consideration nor a seller's fee.
    `taxes` is what was withheld from the seller for the state: nothing is.
    """

    quarter: int
    activities: int
    consideration: int
    fees: int
    service_fees: int
    taxes: int = 0


class ActivityFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A year of one activity in one currency: its four quarters."""

    activity: Activity
    currency: str
    quarters: tuple[QuarterFigures, ...]

    @property
    def activities(self) -> int:
        """How many, in the year."""
        return sum(one.activities for one in self.quarters)

    @property
    def consideration(self) -> int:
        """All the seller got."""
        return sum(one.consideration for one in self.quarters)

    @property
    def fees(self) -> int:
        """All the platform kept of it."""
        return sum(one.fees for one in self.quarters)


class Year(msgspec.Struct, frozen=True):
    """A calendar year, UTC."""

    number: int

    @property
    def first(self) -> datetime:
        """The moment it begins."""
        return datetime(self.number, 1, 1, tzinfo=UTC)

    @property
    def until(self) -> datetime:
        """The moment after its last."""
        return datetime(self.number + 1, 1, 1, tzinfo=UTC)


async def sellers_of(year: Year, as_of: datetime, after: str | None, limit: int) -> list[str]:
    """The sellers who sold anything in the year, as it was written down before `as_of`, by id."""
    found = await rows(
        "SELECT s.id FROM sellers s WHERE ($1::text IS NULL OR s.id > $1) AND EXISTS ("
        "  SELECT FROM postings p WHERE p.seller_id = s.id AND p.kind = 'capture' "
        "  AND p.occurred_at >= $2 AND p.occurred_at < $3 AND p.recorded_at < $4) "
        "ORDER BY s.id LIMIT $5",
        after,
        year.first,
        year.until,
        as_of,
        limit,
    )
    return [each["id"] for each in found]


async def figures(
    sellers: Sequence[str], year: Year, as_of: datetime, *, at_once: int = SALES_AT_ONCE
) -> dict[str, tuple[ActivityFigures, ...]]:
    """Each seller's activities of the year, of what was written down before `as_of`: about `at_once` sales
    are read by one query, so that none takes too long however much was sold."""
    kept: dict[str, dict[tuple[str, Activity], dict[int, QuarterFigures]]] = {}
    for piece in _pieces(await _sales_of(sellers, year), year, at_once):
        found = await rows(
            _FIGURES,
            piece.sellers,
            piece.first,
            piece.until,
            as_of,
            list(_STEPS),
            [*_STEPS.values()],
        )
        for each in found:
            activities = kept.setdefault(each["seller_id"], {})
            quarters = activities.setdefault((each["currency"], each["activity"]), {})
            number = each["quarter"]
            quarters[number] = _added(quarters.get(number) or _nothing(number), dict(each))
    return {
        seller_id: tuple(
            ActivityFigures(
                activity=activity,
                currency=currency,
                quarters=tuple(quarters.get(number) or _nothing(number) for number in range(1, 5)),
            )
            for (currency, activity), quarters in sorted(activities.items())
        )
        for seller_id, activities in kept.items()
    }


class _Piece(msgspec.Struct, frozen=True):
    """Sales that are read at once: of some sellers in the whole year, or of one in a part of it."""

    sellers: list[str]
    first: datetime
    until: datetime


async def _sales_of(sellers: Sequence[str], year: Year) -> dict[str, int]:
    found = await rows(
        "SELECT seller_id, count(*) AS sales FROM postings WHERE seller_id = ANY($1::text[]) "
        "AND kind = 'capture' AND occurred_at >= $2 AND occurred_at < $3 GROUP BY 1 ORDER BY 1",
        list(sellers),
        year.first,
        year.until,
    )
    return {each["seller_id"]: each["sales"] for each in found}


def _pieces(sales: Mapping[str, int], year: Year, at_once: int) -> Iterator[_Piece]:
    together: list[str] = []
    room = at_once
    for seller_id, count in sales.items():
        if count > at_once:
            yield from _parts_of(seller_id, year, -(-count // at_once))
            continue
        if count > room:
            yield _Piece(together, year.first, year.until)
            together, room = [], at_once
        together.append(seller_id)
        room -= count
    if together:
        yield _Piece(together, year.first, year.until)


def _parts_of(seller_id: str, year: Year, count: int) -> Iterator[_Piece]:
    """The year in `count` equal parts. A sale is of the part of its first capture, so of one only."""
    length = (year.until - year.first) / count
    ends = [*(year.first + length * number for number in range(count)), year.until]
    for first, until in pairwise(ends):
        yield _Piece([seller_id], first, until)


def _added(so_far: QuarterFigures, more: Mapping[str, Any]) -> QuarterFigures:
    names = ("activities", "consideration", "fees", "service_fees")
    sums = {name: getattr(so_far, name) + more[name] for name in names}
    return QuarterFigures(quarter=so_far.quarter, **sums)


def _nothing(quarter: int) -> QuarterFigures:
    return QuarterFigures(quarter=quarter, activities=0, consideration=0, fees=0, service_fees=0)


def _mine(account: str) -> str:
    """Whether an account is one of the seller's: what they have, what is set aside of it, what they owe."""
    return (
        f"p.{account} IN ('seller:' || c.seller_id, 'seller:' || c.seller_id || ':reserve', "
        f"'seller:' || c.seller_id || ':debt')"
    )


def _half_up(amount: str, numerator: str, denominator: str) -> str:
    """`amount * numerator / denominator`, rounded half up, in whole numbers."""
    return f"div(2::numeric * ({amount}) * {numerator} + {denominator}, 2 * {denominator})::bigint"


# What pays a debt of another sale moves money of this one, and is no refund of it: left out on both sides.
_FIGURES: Final = f"""
WITH sold AS (
    SELECT p.payment_id, p.order_id, p.seller_id, p.currency, min(p.occurred_at) AS sold_at
    FROM postings p
    WHERE p.seller_id = ANY($1::text[]) AND p.kind = 'capture' AND p.recorded_at < $4
    AND p.occurred_at >= $2 AND p.occurred_at < $3
    AND NOT EXISTS (SELECT FROM postings e WHERE e.payment_id = p.payment_id AND e.kind = 'capture'
        AND e.recorded_at < $4 AND e.occurred_at < $2)
    GROUP BY p.payment_id, p.order_id, p.seller_id, p.currency
), sale AS (
    SELECT c.seller_id, c.currency, extract(quarter FROM c.sold_at AT TIME ZONE 'UTC')::int AS quarter,
        moved.got, moved.kept,
        CASE WHEN moved.taken = 0 OR part.service_fee = 0 THEN 0
            WHEN part.service_fee >= moved.taken THEN moved.kept
            WHEN moved.kept % part.step <> 0
            THEN {_half_up("moved.kept", "part.service_fee", "moved.taken")}
            ELSE {_half_up("moved.kept / part.step", "part.service_fee", "moved.taken")} * part.step
            END AS service_fee,
        (SELECT CASE l.kind WHEN 'session' THEN 'personal_services' ELSE 'sale_of_goods' END
         FROM order_lines l WHERE l.order_id = c.order_id
         GROUP BY l.kind ORDER BY sum(l.amount) DESC, l.kind LIMIT 1) AS activity
    FROM sold c JOIN orders o ON o.id = c.order_id
    CROSS JOIN LATERAL (
        SELECT sum(CASE WHEN {_mine("target")} THEN p.amount ELSE 0 END
                 - CASE WHEN {_mine("source")} THEN p.amount ELSE 0 END)::bigint AS got,
            coalesce(sum(CASE p.kind WHEN 'application_fee' THEN p.amount
                         WHEN 'fee_refund' THEN -p.amount END), 0)::bigint AS kept,
            coalesce(sum(p.amount) FILTER (WHERE p.kind = 'application_fee'), 0)::bigint AS taken,
            coalesce(sum(p.amount) FILTER (WHERE p.kind = 'capture'), 0)::bigint AS captured
        FROM postings p WHERE p.payment_id = c.payment_id AND p.recorded_at < $4
        AND p.kind <> 'debt_settled' AND NOT (p.kind = 'transfer_reversal' AND EXISTS (
            SELECT FROM transfer_movements m WHERE m.id = split_part(p.cause, ':', 1)
            AND m.cause LIKE 'debt:%'))
    ) AS moved
    LEFT JOIN unnest($5::text[], $6::int[]) AS coarse (currency, step) ON coarse.currency = c.currency
    -- Of what was captured, as the fee was computed; what is kept of it is divided as on papers.
    CROSS JOIN LATERAL (SELECT coalesce(coarse.step, 1) AS step, CASE moved.captured
        WHEN o.total THEN o.service_fee
        ELSE {_half_up("o.service_fee / coalesce(coarse.step, 1)", "moved.captured", "o.total")}
             * coalesce(coarse.step, 1) END AS service_fee
    ) AS part
)
SELECT seller_id, currency, coalesce(activity, 'sale_of_goods') AS activity, quarter,
    count(*) FILTER (WHERE got + kept > 0) AS activities, sum(got)::bigint AS consideration,
    sum(kept - service_fee)::bigint AS fees, sum(service_fee)::bigint AS service_fees
FROM sale GROUP BY 1, 2, 3, 4
"""
