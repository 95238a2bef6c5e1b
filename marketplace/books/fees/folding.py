"""Folds what moved into the fee review: one row per payment, sums per day and month, anomalies.

One fold at a time, so that no row of sums is ever waited for. Postings only append to `fee_movements`; what a
fold takes from there and what it adds to the sums become visible together.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from marketplace.books.fees.assessing import Anomaly, anomalies
from marketplace.books.fees.contributions import FIGURES, by_grain, moved
from marketplace.books.fees.loading import LoadedPayment, load
from marketplace.fees.schedules import Schedules
from payments.database import execute, rows, transaction, value

_TAKE: Final = """
DELETE FROM fee_movements WHERE id IN (SELECT id FROM fee_movements ORDER BY id LIMIT $1)
RETURNING payment_id, posting_id
"""
_FIGURES: Final = (
    "gross",
    "captured",
    "refunded",
    "fee_taken",
    "fee_expected",
    "fee_returned",
    "processing_cost",
    "net",
    "rate_basis_points",
    "anomalies",
)
_UNCHANGED = " AND ".join(f"r.{name} IS NOT DISTINCT FROM excluded.{name}" for name in _FIGURES)
_SPREAD = (
    "categories text[], category_amounts bigint[], category_fees bigint[], "
    "rule_ids text[], rule_amounts bigint[], rule_fees bigint[]"
)
SPREAD_RECORD: Final = f"payment_id text, {_SPREAD}"
"""The shape of what `spread_of` answers, for `jsonb_to_recordset`."""
# How a payment is spread is decided once: what is in the sums already was divided that way.
_KEEP: Final = f"""
INSERT INTO fee_reviews AS r (payment_id, order_id, seller_id, currency, captured_at, gross, captured,
    refunded, fee_taken, fee_expected, fee_returned, processing_cost, net, rate_basis_points, schedule_id,
    schedule_version, anomalies, categories, category_amounts, category_fees, rule_ids, rule_amounts,
    rule_fees, updated_at)
SELECT payment_id, order_id, seller_id, currency, captured_at, gross, captured,
    refunded, fee_taken, fee_expected, fee_returned, processing_cost, net, rate_basis_points, schedule_id,
    schedule_version, anomalies, categories, category_amounts, category_fees, rule_ids, rule_amounts,
    rule_fees, $2
FROM jsonb_to_recordset($1::text::jsonb) AS n (payment_id text, order_id text, seller_id text,
    currency text, captured_at timestamptz, gross bigint, captured bigint, refunded bigint,
    fee_taken bigint, fee_expected bigint, fee_returned bigint, processing_cost bigint, net bigint,
    rate_basis_points int, schedule_id text, schedule_version int, anomalies text[], {_SPREAD})
ON CONFLICT (payment_id) DO UPDATE SET
    ({", ".join(_FIGURES)}) = ROW({", ".join(f"excluded.{name}" for name in _FIGURES)}),
    captured_at = excluded.captured_at,
    reviewed_at = CASE WHEN {_UNCHANGED} THEN r.reviewed_at END,
    reviewed_by = CASE WHEN {_UNCHANGED} THEN r.reviewed_by END,
    updated_at = excluded.updated_at
"""
_ADD: Final = f"""
INSERT INTO fee_totals (dimension, grain, key, currency, starts_on, {", ".join(FIGURES)})
WITH moved AS MATERIALIZED ({moved("p.id = ANY($1::text[])")})
SELECT * FROM ({by_grain()}) AS added ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (dimension, grain, key, currency, starts_on) DO UPDATE SET
    {", ".join(f"{figure} = fee_totals.{figure} + excluded.{figure}" for figure in FIGURES)}
"""
_FLAG: Final = """
INSERT INTO fee_anomalies AS a (id, payment_id, code, facts, found_at)
SELECT f.payment_id || ':' || f.code, f.payment_id, f.code, f.facts, $4
FROM unnest($1::text[], $2::text[], $3::text[]) AS f (payment_id, code, facts)
ON CONFLICT (id) DO UPDATE SET facts = excluded.facts, resolved_at = NULL,
    found_at = CASE WHEN a.resolved_at IS NULL THEN a.found_at ELSE excluded.found_at END
WHERE a.resolved_at IS NOT NULL OR a.facts <> excluded.facts
"""
_RESOLVE: Final = """
UPDATE fee_anomalies SET resolved_at = $3
WHERE resolved_at IS NULL AND payment_id = ANY($1::text[]) AND NOT id = ANY($2::text[])
"""
_ONE_AT_A_TIME = "SELECT pg_try_advisory_xact_lock(hashtextextended('fee_reviews', 0))"


class Folding:
    """The sweep that keeps the fee review up."""

    def __init__(self, schedules: Schedules) -> None:
        self._schedules = schedules

    async def run_once(self, now: datetime, limit: int) -> int:
        """Fold up to `limit` movements in, in one transaction; answers how many (0 while another does)."""
        async with transaction():
            if not await value(_ONE_AT_A_TIME):
                return 0
            taken = await rows(_TAKE, limit)
            if not taken:
                return 0
            payments = await load(sorted({one["payment_id"] for one in taken}), self._schedules)
            found = [anomalies(one.facts, one.explained.expected, one.schedule) for one in payments]
            await _keep(payments, found, now)
            await execute(_ADD, [one["posting_id"] for one in taken if one["posting_id"]])
            await _flag(payments, found, now)
            return len(taken)


def spread_of(payment: LoadedPayment) -> dict[str, Any]:
    """How a payment is spread, in the columns of `fee_reviews`."""
    explained = payment.explained
    categories, rules = explained.categories, explained.rules
    return {
        "payment_id": payment.payment_id,
        "categories": categories.keys,
        "category_amounts": categories.amounts,
        "category_fees": categories.fees,
        "rule_ids": rules.keys,
        "rule_amounts": rules.amounts,
        "rule_fees": rules.fees,
    }


def json_of(records: Sequence[dict[str, Any]]) -> str:
    """Rows as one argument of a statement."""
    return msgspec.json.encode(records).decode()


def _row(payment: LoadedPayment, found: Sequence[Anomaly]) -> dict[str, Any]:
    facts = payment.facts
    return {
        **spread_of(payment),
        "order_id": payment.order_id,
        "seller_id": payment.seller_id,
        "currency": facts.currency,
        "captured_at": payment.captured_at,
        "gross": facts.gross,
        "captured": facts.captured,
        "refunded": facts.refunded,
        "fee_taken": facts.fee_taken,
        "fee_expected": payment.explained.expected,
        "fee_returned": facts.fee_returned,
        "processing_cost": facts.processing_cost,
        "net": facts.net,
        "rate_basis_points": facts.effective_rate_basis_points or 0,
        "schedule_id": payment.schedule_id,
        "schedule_version": payment.schedule_version,
        "anomalies": sorted(one.code for one in found),
    }


async def _keep(
    payments: Sequence[LoadedPayment], found: Sequence[Sequence[Anomaly]], now: datetime
) -> None:
    records = [_row(payment, odd) for payment, odd in zip(payments, found, strict=True)]
    await execute(_KEEP, json_of(records), now)


async def _flag(
    payments: Sequence[LoadedPayment], found: Sequence[Sequence[Anomaly]], now: datetime
) -> None:
    flagged = [
        (payment.payment_id, one)
        for payment, odd in zip(payments, found, strict=True)
        for one in odd
    ]
    ids = [f"{payment_id}:{one.code}" for payment_id, one in flagged]
    await execute(_RESOLVE, [payment.payment_id for payment in payments], ids, now)
    await execute(
        _FLAG,
        [payment_id for payment_id, _ in flagged],
        [one.code for _, one in flagged],
        [msgspec.json.encode(one.facts).decode() for _, one in flagged],
        now,
    )
