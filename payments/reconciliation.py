"""Reconciliation: our ledger against Stripe's balance transactions, payment by payment.

Every movement of the platform's balance is tied to a charge, and every charge to a payment; per payment
and kind the sums must be equal. What is not equal is listed, never corrected here. Source of the kinds:
Stripe's reporting categories (docs, reports/reporting-categories).
"""

from collections import defaultdict
from collections.abc import AsyncIterable, Sequence, Set
from datetime import datetime
from typing import Any

import msgspec

from payments.database import rows
from payments.gateway import BalanceTransaction, PaymentGateway

KINDS = {
    "charge": "charged",
    # The part of a hold that was not captured: booked by Stripe as charge and reversal, by us not at all.
    "partial_capture_reversal": "charged",
    "transfer": "transferred",
    "transfer_reversal": "transfer_reversed",
    "platform_earning": "fee_earned",
    "platform_earning_refund": "fee_returned",
    "refund": "refunded",
    "refund_failure": "refund_failed",
    "dispute": "disputed",
    "dispute_reversal": "dispute_reinstated",
}
"""Stripe's reporting category to our word for the movement."""
NOT_OF_PAYMENTS = frozenset({"payout", "payout_reversal", "topup", "fee"})
"""Movements of the balance that no single payment explains."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One sum that is not equal, in minor units: what our books say, what Stripe's say."""

    what: str
    payment_id: str | None
    order_id: str | None
    stripe_id: str | None
    currency: str
    ours: int
    theirs: int


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared, and every difference found."""

    since: datetime
    until: datetime
    payments: int
    balance_transactions: int
    differences: list[Difference]


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """One payment as our ledger has it: sums by word, signed as on the platform's Stripe balance."""

    payment_id: str
    order_id: str
    charge_id: str | None
    currency: str
    sums: dict[str, int]


async def reconcile(gateway: PaymentGateway, *, since: datetime, until: datetime) -> Reconciled:
    """Compare all payments created in `[since, until)` with Stripe, reading Stripe up to `until`.

    What moved meanwhile of an older payment is not compared: its earlier movements were not read.
    Raises PaymentsUnavailable when Stripe cannot be read to the end.
    """
    books = await _our_books(since, until)
    theirs, unknown, count = await _their_books(
        gateway.balance_transactions(since=since, until=until)
    )
    differences = list(unknown)
    by_charge = {one.charge_id: one for one in books if one.charge_id is not None}
    for one in books:
        differences += _compare(one, theirs.get(one.charge_id or "", {}))
    for charge_id in await _unknown_to_us(theirs.keys() - by_charge.keys()):
        differences += _missing_here(charge_id, theirs[charge_id])
    return Reconciled(
        since=since,
        until=until,
        payments=len(books),
        balance_transactions=count,
        differences=differences,
    )


_OUR_SUMS = """
SELECT p.id AS payment_id, p.order_id, p.charge_id, p.currency,
       coalesce(sum(t.amount) FILTER (WHERE t.kind = 'capture'), 0)::bigint AS charged,
       -coalesce(sum(t.amount) FILTER (WHERE t.kind IN ('capture', 'transfer')), 0)::bigint
           AS transferred,
       coalesce(sum(t.amount) FILTER (WHERE t.kind = 'transfer_reversal'
           OR (t.kind = 'refund' AND t.source LIKE 'seller:%')), 0)::bigint AS transfer_reversed,
       coalesce(sum(t.amount) FILTER (WHERE t.kind = 'application_fee'), 0)::bigint AS fee_earned,
       -coalesce(sum(t.amount) FILTER (WHERE t.kind = 'fee_refund'), 0)::bigint AS fee_returned,
       -coalesce(sum(t.amount) FILTER (WHERE t.kind = 'refund'), 0)::bigint AS refunded,
       coalesce(sum(t.amount) FILTER (WHERE t.kind = 'refund_failure'), 0)::bigint AS refund_failed,
       -coalesce(sum(t.amount) FILTER (WHERE t.kind = 'dispute'), 0)::bigint AS disputed,
       coalesce(sum(t.amount) FILTER (WHERE t.kind = 'dispute_reinstated'), 0)::bigint
           AS dispute_reinstated,
       coalesce(sum(CASE WHEN t.target LIKE 'stripe:%' THEN t.amount ELSE -t.amount END)
           FILTER (WHERE t.kind IN ('processing_cost', 'dispute_cost')), 0)::bigint AS processing
FROM payments p LEFT JOIN postings t ON t.payment_id = p.id
WHERE {which}
GROUP BY p.id
"""
"""Sums by word, signed as on the platform's Stripe balance; `processing` is what Stripe kept of it."""
_ABOUT = ("payment_id", "order_id", "charge_id", "currency")


async def _our_books(since: datetime, until: datetime) -> list[Books]:
    return await _summed("p.created_at >= $1 AND p.created_at < $2", since, until)


async def books_of(payment_ids: Sequence[str]) -> list[Books]:
    """These payments as our ledger has them now."""
    return await _summed("p.id = ANY($1::text[])", list(payment_ids))


async def _summed(which: str, *arguments: Any) -> list[Books]:
    return [
        Books(
            **{name: record[name] for name in _ABOUT},
            sums={word: amount for word, amount in record.items() if word not in _ABOUT},
        )
        for record in await rows(_OUR_SUMS.format(which=which), *arguments)
    ]


_Sums = dict[str, dict[str, int]]


async def _their_books(
    transactions: AsyncIterable[BalanceTransaction],
) -> tuple[_Sums, list[Difference], int]:
    sums: _Sums = defaultdict(lambda: defaultdict(int))
    unknown: list[Difference] = []
    count = 0
    async for one in transactions:
        count += 1
        word = KINDS.get(one.reporting_category)
        if word is not None and one.charge_id is not None:
            sums[one.charge_id][word] += one.amount
            # Stripe's own price rides on the charge or the dispute, and on what gives it back.
            sums[one.charge_id]["processing"] += one.fee
        elif one.reporting_category not in NOT_OF_PAYMENTS:
            unknown.append(_unknown(one))
    return sums, unknown, count


async def _unknown_to_us(charge_ids: Set[str]) -> list[str]:
    found = await rows(
        "SELECT charge_id FROM payments WHERE charge_id = ANY($1::text[])", list(charge_ids)
    )
    return sorted(charge_ids - {record["charge_id"] for record in found})


def _compare(ours: Books, theirs: dict[str, int]) -> list[Difference]:
    return [
        Difference(
            what=word,
            payment_id=ours.payment_id,
            order_id=ours.order_id,
            stripe_id=ours.charge_id,
            currency=ours.currency,
            ours=amount,
            theirs=theirs.get(word, 0),
        )
        for word, amount in ours.sums.items()
        if amount != theirs.get(word, 0)
    ]


def _missing_here(charge_id: str, sums: dict[str, int]) -> list[Difference]:
    return [
        Difference(
            what=f"missing_here:{word}",
            payment_id=None,
            order_id=None,
            stripe_id=charge_id,
            currency="",
            ours=0,
            theirs=amount,
        )
        for word, amount in sums.items()
        if amount != 0
    ]


def _unknown(one: BalanceTransaction) -> Difference:
    return Difference(
        what=f"unknown:{one.type}",
        payment_id=None,
        order_id=None,
        stripe_id=one.id,
        currency=one.currency,
        ours=0,
        theirs=one.amount,
    )
