"""Rules of the fee review: what is kept up beside the books is what the books say, to the unit."""

from typing import Final

from marketplace.books.fees.contributions import FIGURES, by_grain, moved
from marketplace.invariants.rule import Rule

_WAITING = "fee_movements w JOIN postings p ON p.id = w.posting_id"
_COLUMNS = ", ".join(FIGURES)
_SAME = ", ".join(f"kept.{figure}" for figure in FIGURES)
_COUNTED = ", ".join(f"counted.{figure}" for figure in FIGURES)
_SUMS = ", ".join(f"sum({figure}) AS {figure}" for figure in FIGURES)

FEE_REVIEW: Final = (
    Rule(
        code="F1",
        name="a reviewed fee has the figures of its payment's postings",
        query=f"""
        WITH moved AS ({moved("p.payment_id >= 'pay_' || $1")})
        SELECT payment_id FROM (SELECT payment_id FROM (
            SELECT payment_id, sum(captured) AS captured, sum(refunded) AS refunded,
                sum(fee_taken) AS fee_taken, sum(fee_returned) AS fee_returned,
                sum(processing_cost) AS processing_cost
            FROM moved GROUP BY payment_id
        ) AS counted FULL JOIN (
            SELECT * FROM fee_reviews WHERE payment_id >= 'pay_' || $1
        ) AS kept USING (payment_id)
        WHERE (kept.captured, kept.refunded, kept.fee_taken, kept.fee_returned, kept.processing_cost)
            IS DISTINCT FROM (counted.captured, counted.refunded, counted.fee_taken,
                counted.fee_returned, counted.processing_cost)
        ) AS different WHERE NOT EXISTS (
            SELECT FROM fee_movements w WHERE w.payment_id = different.payment_id)""",
    ),
    # Over everything there is, or not at all: a part of the sums says nothing.
    Rule(
        code="F2",
        name="the sums of fees are what a full recount of the postings comes to",
        query=f"""
        SELECT dimension || ':' || grain || ':' || key || ':' || currency || ':' || starts_on
        FROM (
            WITH moved AS MATERIALIZED ({moved("true")}) SELECT * FROM ({by_grain()}) AS everything
        ) AS counted FULL JOIN (
            SELECT dimension, grain, key, currency, starts_on, {_SUMS} FROM (
                SELECT dimension, grain, key, currency, starts_on, {_COLUMNS} FROM fee_totals
                UNION ALL (
                    WITH moved AS MATERIALIZED ({moved("true", source=_WAITING)})
                    SELECT * FROM ({by_grain()}) AS waiting)
            ) AS each GROUP BY dimension, grain, key, currency, starts_on
        ) AS kept USING (dimension, grain, key, currency, starts_on)
        WHERE $1 = '' AND ({_SAME}) IS DISTINCT FROM ({_COUNTED})""",
    ),
)
