"""How long the fee review takes over many payments: sums, pages, a file, a full recount, a fold.

    python -m tests.benchmarks.fee_reviews [--payments 1000000]

A durable PostgreSQL is started, filled with a year of payments of 10,000 sellers in two currencies, and
removed at the end. The rows of `fee_reviews` and the postings are written as the sweep and the ledger would;
the sums come from the program's own recount. Every time is the median of five, as an admin's request would
wait for it: the SQL, the driver and the program's objects, without HTTP.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, get_args

import asyncpg
import msgspec

from marketplace.books.fee_review import FeeReview
from marketplace.books.fees import fee_csv
from marketplace.books.fees.contributions import FIGURES, by_grain, moved
from marketplace.books.fees.listing import FeeFilter, FeeSort, SortBy
from marketplace.books.fees.totals import GroupBy, SummaryFilter
from marketplace.fees.rules import FeeInputs, PricedLine, quote
from marketplace.fees.schedules import Schedules
from marketplace.invariants.check import broken
from marketplace.invariants.fee_review import FEE_REVIEW
from marketplace.paging import PAGE_LIMIT, PageRequest
from payments.database import engine, execute, value
from tests.benchmarks.databases import running_server

SELLERS = 10_000
FOLDED = 20_000
"""Payments that are folded in by the sweep, to measure it."""
ROUNDS = 5
NOW = datetime(2026, 12, 31, tzinfo=UTC)

_FILL = (
    f"""
    INSERT INTO fee_reviews (payment_id, order_id, seller_id, currency, captured_at, gross, captured,
        refunded, fee_taken, fee_expected, fee_returned, processing_cost, net, rate_basis_points,
        schedule_id, schedule_version, categories, category_amounts, category_fees, rule_ids,
        rule_amounts, rule_fees, anomalies, updated_at)
    SELECT 'pay_' || lpad(n::text, 26, '0'), 'ord_' || lpad(n::text, 26, '0'),
        'sel_' || lpad(seller::text, 26, '0'), CASE seller % 5 WHEN 0 THEN 'usd' ELSE 'eur' END, at,
        amount, amount, back, fee, fee, returned, cost, fee - returned - cost, 1000, 'fsc_1', 1,
        ARRAY[(ARRAY['yoga', 'chess', 'tea', 'piano', 'running', 'coaching'])[seller % 6 + 1]],
        ARRAY[amount], ARRAY[fee], ARRAY[(ARRAY['sessions', 'friends', 'large', 'rest'])[n % 4 + 1]],
        ARRAY[amount], ARRAY[fee],
        CASE WHEN fee - returned - cost < 0 THEN ARRAY['negative_margin'] ELSE '{{}}' END, at
    FROM (
        SELECT n, n * 7919 % {SELLERS} AS seller, amount, amount / 10 AS fee,
            CASE n % 20 WHEN 0 THEN amount ELSE 0 END AS back,
            CASE n % 20 WHEN 0 THEN amount / 10 ELSE 0 END AS returned, amount * 29 / 1000 + 30 AS cost,
            timestamptz '2026-01-01' + n * interval '1 year' / $payments AS at
        FROM (SELECT n, 500 + n * 2654435761 % 49500 AS amount
            FROM generate_series(0::bigint, $payments - 1) AS n) AS amounts
    ) AS made
    """,
    """
    INSERT INTO postings (id, cause, kind, source, target, amount, currency, order_id, payment_id, seller_id,
        occurred_at, recorded_at)
    SELECT 'pst_' || substr(r.payment_id, 5) || left(m.kind, 1),
        r.payment_id || ':' || m.word || ':' || m.amount, m.kind, 'one', 'other', m.amount,
        r.currency, r.order_id, r.payment_id, r.seller_id,
        r.captured_at, r.captured_at
    FROM fee_reviews r CROSS JOIN LATERAL (VALUES
        ('captured', 'capture', r.captured), ('fee', 'application_fee', r.fee_taken),
        ('processing', 'processing_cost', r.processing_cost), ('refunded', 'refund', r.refunded),
        ('fee_returned', 'fee_refund', r.fee_returned)) AS m (word, kind, amount)
    WHERE m.amount > 0
    """,
    f"""
    INSERT INTO fee_totals (dimension, grain, key, currency, starts_on, {", ".join(FIGURES)})
    WITH moved AS MATERIALIZED ({moved("true")}) SELECT * FROM ({by_grain()}) AS counted
    """,
)
_ORDERS = f"""
INSERT INTO orders (id, buyer_id, seller_id, currency, status, total, capture_method, application_fee,
    fee_schedule_id, fee_rule_id, fee_working, generation, idempotency_key, created_at, updated_at,
    checkout_expires_at)
SELECT 'ord_new' || n, 'acc_b', 'sel_' || lpad((n % {SELLERS})::text, 26, '0'), 'eur', 'paid', 6000,
    'automatic', $2, $3, 'sessions', $1, 1, n::text, $4, $4, $4 FROM generate_series(1, {FOLDED}) AS n
"""
_PAYMENTS = """
INSERT INTO payments (id, order_id, seller_id, generation, live, currency, amount, application_fee,
    capture_method, destination, status, transfer_id, amount_capturable, amount_captured, fee_captured,
    amount_refunded, fee_refunded, processing_cost, created_at, updated_at, checked_at)
SELECT 'pay_new' || substr(id, 8), id, seller_id, 1, true, currency, total, application_fee, 'automatic',
    'acct_1', 'succeeded', 'tr_1', 0, total, application_fee, 0, 0, 204, created_at, created_at, created_at
FROM orders WHERE id LIKE 'ord_new%'
"""
_POST = """
INSERT INTO postings (id, cause, kind, source, target, amount, currency, order_id, payment_id, seller_id,
    occurred_at, recorded_at)
SELECT 'pst_' || substr(p.id, 5) || left(m.kind, 1),
    p.id || ':' || m.word || ':' || m.amount, m.kind, 'one', 'other', m.amount, p.currency,
    p.order_id, p.id, p.seller_id, $1, $1
FROM payments p CROSS JOIN LATERAL (VALUES ('captured', 'capture', p.amount_captured),
    ('fee', 'application_fee', p.fee_captured), ('processing', 'processing_cost', p.processing_cost))
    AS m (word, kind, amount)
WHERE p.id LIKE 'pay_new%'
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill, measure, and say whether the sums are what a full recount comes to."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.fee_reviews", description=__doc__
    )
    parser.add_argument("--payments", type=int, default=1_000_000)
    asked = parser.parse_args(arguments)
    with running_server() as server:
        url = server.prepare("fee_reviews")
        return asyncio.run(_measure(url, asked.payments))


async def _measure(url: str, payments: int) -> int:
    await _fill(url, payments)
    await engine().start(url, pool_size=4, answer_seconds=None)
    try:
        schedules = Schedules()
        await schedules.ensure_first(NOW)
        review = FeeReview(schedules, lambda: NOW)
        await _sums(review)
        await _pages(review)
        await _file(review)
        drifted = await _recount()
        await _folds(review, schedules)
        return drifted or await _recount()
    finally:
        await engine().stop()


async def _fill(url: str, payments: int) -> None:
    began = time.perf_counter()
    connection = await asyncpg.connect(url)
    try:
        # References are not checked while it is filled, and nothing is noted as waiting.
        await connection.execute("SET session_replication_role = replica")
        for statement in _FILL:
            await connection.execute(statement.replace("$payments", str(payments)))
        await connection.execute("VACUUM ANALYZE")
        postings = await connection.fetchval("SELECT count(*) FROM postings")
        sums = await connection.fetchval("SELECT count(*) FROM fee_totals")
    finally:
        await connection.close()
    _say(
        f"{payments:,} payments, {postings:,} postings, {sums:,} sums, "
        f"filled in {time.perf_counter() - began:.0f} s"
    )


async def _sums(review: FeeReview) -> None:
    whole, last = date(2026, 1, 1), date(2026, 12, 2)
    asked: list[tuple[str, GroupBy, SummaryFilter, str | None]] = []
    groups: tuple[GroupBy, ...] = get_args(GroupBy)
    for group in groups:
        for words, since in (("whole year", whole), ("last 30 days", last)):
            period = SummaryFilter(since=since, until=date(2027, 1, 1))
            asked.append((f"per {group}, {words}", group, period, None))
    period = SummaryFilter(since=date(2026, 1, 17), until=date(2026, 11, 12))
    asked.append(("per seller, from 17 January to 11 November", "seller", period, None))
    middle = f"sel_{SELLERS // 2:026}:eur"
    asked.append(("per seller, a page in the middle", "seller", SummaryFilter(since=whole), middle))
    one = SummaryFilter(seller_id=f"sel_{7:026}", since=whole)
    asked.append(("one seller per day, whole year", "day", one, None))
    for words, group, wanted, after in asked:
        page = PageRequest(limit=PAGE_LIMIT, starting_after=after)
        await _told(words, lambda g=group, w=wanted, p=page: review.summary(g, w, p))  # type: ignore[misc]


async def _pages(review: FeeReview) -> None:
    sorts: tuple[SortBy, ...] = ("time", "fee", "rate", "margin")
    for by in sorts:
        sort, wanted = FeeSort(by=by), FeeFilter(currency="eur")
        await _page(review, f"fees by {by}, first page", wanted, sort, None)
        middle = await value(
            "SELECT payment_id FROM fee_reviews WHERE currency = 'eur' ORDER BY payment_id "
            "OFFSET (SELECT count(*) / 3 FROM fee_reviews) LIMIT 1"
        )
        after = sort.cursor(await review.find(middle))
        await _page(review, f"fees by {by}, far down", wanted, sort, after)
    newest = FeeSort()
    for words, wanted in (
        ("of one seller", FeeFilter(seller_id=f"sel_{7:026}")),
        ("of one category", FeeFilter(category="chess")),
        ("of a category nobody has", FeeFilter(category="nothing")),
        ("with an anomaly", FeeFilter(anomaly="any")),
        ("not reviewed", FeeFilter(reviewed=False)),
    ):
        await _page(review, f"fees {words}", wanted, newest, None)


async def _page(
    review: FeeReview, words: str, wanted: FeeFilter, sort: FeeSort, after: str | None
) -> None:
    page = PageRequest(limit=PAGE_LIMIT, starting_after=after)
    await _told(words, lambda: review.list(wanted, page, sort))


async def _file(review: FeeReview) -> None:
    began, size = time.perf_counter(), 0
    async for piece in fee_csv.lines(await review.every(FeeFilter())):
        size += len(piece)
    _say(f"a CSV of all: {time.perf_counter() - began:.1f} s, {size / 1e6:.0f} MB")


async def _recount() -> int:
    began = time.perf_counter()
    async with engine().transaction():
        await execute("SET LOCAL statement_timeout = 0")
        found = await broken(NOW, rules=FEE_REVIEW)
    seconds = time.perf_counter() - began
    _say(f"recounted in {seconds:.1f} s: {'DRIFTED ' + str(found) if found else 'the same'}")
    return 1 if found else 0


async def _folds(review: FeeReview, schedules: Schedules) -> None:
    """What posting costs with the note that something moved, and how fast the sweep takes it in."""
    schedule = await schedules.current(NOW)
    line = PricedLine(listing_id="lst_1", category="coaching", kind="session", amount=6_000)
    fee = quote(schedule, FeeInputs(seller_id="sel_1", currency="eur", lines=(line,)))
    async with engine().transaction():
        await execute("SET LOCAL statement_timeout = 0")
        await execute("SET LOCAL session_replication_role = replica")
        working = msgspec.json.encode(fee).decode()
        await execute(_ORDERS, working, fee.fee, schedule.id, NOW)
        await execute(_PAYMENTS)
    began = time.perf_counter()
    async with engine().transaction():
        await execute("SET LOCAL statement_timeout = 0")
        await execute(_POST, NOW)
    _say(f"{3 * FOLDED:,} postings in {time.perf_counter() - began:.1f} s, with their notes")
    wanted, page = SummaryFilter(since=date(2026, 1, 1)), PageRequest(limit=PAGE_LIMIT)
    await _told(
        f"per day while {3 * FOLDED:,} movements wait", lambda: review.summary("day", wanted, page)
    )
    began = time.perf_counter()
    while await review.folding.run_once(NOW, 1_000):
        pass
    seconds = time.perf_counter() - began
    _say(f"folded in {seconds:.1f} s: {FOLDED / seconds:,.0f} payments a second")


async def _told(words: str, asked: Callable[[], Awaitable[Any]]) -> None:
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        found = await asked()
        taken.append((time.perf_counter() - began) * 1000)
    _say(f"{statistics.median(taken):8.1f} ms  {words} ({len(found.data)} rows)")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
