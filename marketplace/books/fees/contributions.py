"""What each posting adds to the sums of fees, as SQL: said once, for the sweep, the summary and the recount.

A posting counts on the day it happened (UTC): a fee returned in May lessens May, not the March it was taken
in. A payment counts where its first capture does. Over categories and rules each posting is divided by the
payment's weights on its own, with the differences of cumulative shares, so that the shares add up to it.
"""

from collections.abc import Sequence
from typing import Final, Literal, get_args

Dimension = Literal["all", "seller", "category", "rule"]
DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)
KINDS: Final = (
    "capture",
    "application_fee",
    "processing_cost",
    "refund",
    "refund_failure",
    "fee_refund",
)
"""The postings that are a figure of fees."""
FIGURES: Final = (
    "payments",
    "captured",
    "refunded",
    "fee_taken",
    "fee_returned",
    "processing_cost",
)
SUMS: Final = ", ".join(f"sum({figure})::bigint AS {figure}" for figure in FIGURES)
SPREAD_COLUMNS: Final = (
    "payment_id, categories, category_amounts, category_fees, rule_ids, rule_amounts, rule_fees"
)

_KINDS_SQL = ", ".join(f"'{kind}'" for kind in KINDS)
_COLUMNS = {
    "category": ("categories", "category_amounts", "category_fees"),
    "rule": ("rule_ids", "rule_amounts", "rule_fees"),
}
_BY_FEES = ("fee_taken", "fee_returned")


def moved(where: str, *, source: str = "postings p") -> str:
    """The figures of each posting of `source` for which `where` holds; the alias of postings is `p`."""
    return f"""
    SELECT p.payment_id, p.seller_id, p.currency, (p.occurred_at AT TIME ZONE 'UTC')::date AS starts_on,
        (p.kind = 'capture' AND p.cause = p.payment_id || ':captured:' || p.amount)::int AS payments,
        CASE p.kind WHEN 'capture' THEN p.amount ELSE 0 END AS captured,
        CASE p.kind WHEN 'refund' THEN p.amount WHEN 'refund_failure' THEN -p.amount ELSE 0 END
            AS refunded,
        CASE p.kind WHEN 'application_fee' THEN p.amount ELSE 0 END AS fee_taken,
        CASE p.kind WHEN 'fee_refund' THEN p.amount ELSE 0 END AS fee_returned,
        CASE p.kind WHEN 'processing_cost' THEN p.amount ELSE 0 END AS processing_cost
    FROM {source} WHERE p.payment_id IS NOT NULL AND p.kind IN ({_KINDS_SQL}) AND {where}
    """


def contributions(
    dimension: Dimension, *, moved: str = "moved", spread: str = "fee_reviews"
) -> str:
    """What the rows of `moved` add to one dimension: key, currency, day and figures.

    `spread` names a relation with `SPREAD_COLUMNS`.
    """
    if dimension in ("all", "seller"):
        key = "''::text" if dimension == "all" else "m.seller_id"
        figures = ", ".join(f"m.{figure}" for figure in FIGURES)
        return f"SELECT {key} AS key, m.currency, m.starts_on, {figures} FROM {moved} m"
    keys, amounts, fees = _COLUMNS[dimension]
    whole = ", ".join(f"m.{figure}" for figure in FIGURES)
    figures = ", ".join(f"{_share(figure)} AS {figure}" for figure in FIGURES)
    # Most payments have one category and one rule: nothing is divided, which takes a tenth of the time.
    return f"""
    SELECT s.{keys}[1]::text AS key, m.currency, m.starts_on, {whole}
    FROM {moved} m JOIN {spread} s USING (payment_id) WHERE cardinality(s.{keys}) = 1
    UNION ALL SELECT w.key, m.currency, m.starts_on, {figures}
    FROM {moved} m JOIN {spread} s USING (payment_id) CROSS JOIN LATERAL (
        SELECT u.key, u.amount, u.fee,
            sum(u.amount) OVER before_and_this - u.amount AS amount_before,
            sum(u.fee) OVER before_and_this - u.fee AS fee_before,
            sum(u.amount) OVER () AS amount_all, sum(u.fee) OVER () AS fee_all
        FROM unnest(s.{keys}, s.{amounts}, s.{fees}) WITH ORDINALITY AS u (key, amount, fee, position)
        WINDOW before_and_this AS (ORDER BY u.position)) AS w
    WHERE cardinality(s.{keys}) > 1
    """


def by_grain(dimensions: Sequence[Dimension] = DIMENSIONS, *, spread: str = "fee_reviews") -> str:
    """The sums of `moved` as `fee_totals` has them: per dimension, grain, key, currency and start."""
    figures = ", ".join(FIGURES)
    each = " UNION ALL ".join(
        f"SELECT '{dimension}' AS dimension, c.key, c.currency, c.starts_on, {SUMS} "
        f"FROM ({contributions(dimension, spread=spread)}) AS c GROUP BY 2, 3, 4"
        for dimension in dimensions
    )
    # Months are added up from their days, of which there are fewer than postings.
    return f"""
    WITH days AS MATERIALIZED ({each})
    SELECT dimension, 'day' AS grain, key, currency, starts_on, {figures} FROM days
    UNION ALL SELECT dimension, 'month', key, currency, date_trunc('month', starts_on)::date, {SUMS}
    FROM days GROUP BY 1, 3, 4, 5
    """


def _share(figure: str) -> str:
    if figure == "payments":
        return "m.payments"
    weight = "fee" if figure in _BY_FEES else "amount"
    return (
        f"(div(m.{figure} * (w.{weight}_before + w.{weight}), w.{weight}_all) "
        f"- div(m.{figure} * w.{weight}_before, w.{weight}_all))::bigint"
    )
