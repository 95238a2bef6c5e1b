"""Fills a database with ten million payments as the program would have written them in three years.

Set by set, with triggers asleep and indexes made afterwards. Of all payments there are the fee reviews, the
ledger and its sums; of the newest there are orders, lines, steps, attempts and payments too: what is asked of
those looks at what is recent, or along an index.
"""

import time
from collections.abc import Sequence

import asyncpg
import msgspec

from marketplace.books.fees.contributions import FIGURES, by_grain, moved
from marketplace.fees.rules import FeeInputs, PricedLine, quote
from marketplace.fees.schedules import Schedules
from marketplace.people.tokens import hashed
from payments.database import engine
from tests.benchmarks.ten_million_cast import ADMIN, BUYER, NOW, OWNER, SELLERS, TOKEN

YEARS = 3
BUYERS = 500_000
_FIRST_DAY = "2023-11-21Z"
_SCOPES = ("admin:read", "admin:write", "fees:read", "orders:read", "sellers:read", "refunds:read")
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def _floor(moment: str) -> str:
    """SQL of the first ten characters of an id that was minted at a moment (`payments.ids.id_floor`)."""
    milliseconds = f"(extract(epoch FROM {moment}) * 1000)::bigint"
    return " || ".join(
        f"substr('{_CROCKFORD}', (({milliseconds} >> {shift}) & 31)::int + 1, 1)"
        for shift in range(45, -1, -5)
    )


# The biggest of 2,000 sellers has one payment of forty-five and $biggest more, evenly in time.
_MADE = f"""
CREATE UNLOGGED TABLE made AS
SELECT m.*, {_floor("m.at")} || lpad(m.n::text, 16, '0') AS body,
    'sel_' || lpad(m.seller::text, 26, '0') AS seller_id,
    (ARRAY['eur', 'eur', 'usd', 'gbp', 'jpy'])[m.seller % 5 + 1] AS currency,
    amount / 10 AS fee, amount * 29 / 1000 + 30 AS cost,
    (ARRAY['yoga', 'chess', 'tea', 'piano', 'running', 'coaching', 'pottery', 'maths', 'dance', 'french',
           'baking', 'knitting'])[(m.seller + m.n % 2) % 12 + 1] AS category,
    'rule_' || (m.n + m.seller) % 12 AS rule_id, m.n % 10 = 0 AS mixed,
    CASE WHEN m.n % 20 = 7 AND m.at + interval '3 days' < $1 THEN m.at + interval '3 days' END AS back_at
FROM (SELECT n, CASE WHEN (n + 1) * $biggest / $payments > n * $biggest / $payments THEN 0
            ELSE floor({SELLERS} * power(n * 2654435761 % 1000003 / 1000003.0, 2))::int END AS seller,
        500 + n * 2654435761 % 49500 AS amount,
        timestamptz '{_FIRST_DAY}' + n * (interval '{YEARS} years' / $payments) AS at
    FROM generate_series(0::bigint, $payments - 1) AS n) AS m
"""
_REVIEWS = """
INSERT INTO fee_reviews (payment_id, order_id, seller_id, currency, captured_at, gross, captured, refunded,
    fee_taken, fee_expected, fee_returned, processing_cost, net, rate_basis_points, schedule_id,
    schedule_version, categories, category_amounts, category_fees, rule_ids, rule_amounts, rule_fees,
    anomalies, reviewed_at, reviewed_by, updated_at)
SELECT 'pay_' || body, 'ord_' || body, seller_id, currency, at, amount, amount,
    CASE WHEN back_at IS NULL THEN 0 ELSE amount END, fee,
    fee + (n % 300 = 11)::int, CASE WHEN back_at IS NULL THEN 0 ELSE fee END, cost,
    fee - cost - CASE WHEN back_at IS NULL THEN 0 ELSE fee END, 1000 - n % 7, 'fsc_1',
    1 + (n * 6 / $payments)::int,
    CASE WHEN mixed THEN ARRAY[category, 'books'] ELSE ARRAY[category] END,
    CASE WHEN mixed THEN ARRAY[amount - 200, 200] ELSE ARRAY[amount] END,
    CASE WHEN mixed THEN ARRAY[fee - 20, 20] ELSE ARRAY[fee] END,
    ARRAY[rule_id], ARRAY[amount], ARRAY[fee],
    CASE WHEN n % 300 = 11 THEN ARRAY['fee_differs'] ELSE '{}' END,
    CASE WHEN n % 50 = 1 THEN at + interval '1 day' END, CASE WHEN n % 50 = 1 THEN 'acc_admin' END, at
FROM made
"""
_ANOMALIES = """
INSERT INTO fee_anomalies (id, payment_id, code, facts, found_at)
SELECT 'pay_' || body || ':fee_differs', 'pay_' || body, 'fee_differs', '{"taken":1,"expected":2}', at
FROM made WHERE n % 300 = 11
"""
_POSTINGS = f"""
INSERT INTO postings (id, cause, kind, source, target, amount, currency, order_id, payment_id, seller_id,
    occurred_at, recorded_at)
SELECT 'pst_' || left(body, 10) || lpad((n * 3 + place)::text, 16, '0'),
    'pay_' || body || word || p.amount, kind, source, target, p.amount, currency, 'ord_' || body,
    'pay_' || body, seller_id, at, at
FROM made m CROSS JOIN LATERAL (VALUES
    (0, ':captured:', 'capture', 'buyers', 'seller:' || seller_id, m.amount),
    (1, ':fee:', 'application_fee', 'seller:' || seller_id, 'platform:fees', fee),
    (2, ':processing:', 'processing_cost', 'platform:fees', 'stripe:processing', cost)
) AS p (place, word, kind, source, target, amount)
UNION ALL
SELECT 'pst_' || {_floor("back_at")} || lpad((n * 2 + place)::text, 16, '0'),
    'rfd_' || body || word, kind, source, target, p.amount, currency, 'ord_' || body, 'pay_' || body,
    seller_id, back_at, back_at
FROM made m CROSS JOIN LATERAL (VALUES
    (0, ':refunded', 'refund', 'seller:' || seller_id, 'buyers', m.amount),
    (1, ':fee_returned', 'fee_refund', 'platform:fees', 'seller:' || seller_id, fee)
) AS p (place, word, kind, source, target, amount)
WHERE back_at IS NOT NULL
"""
_ACCOUNT_DAYS = """
INSERT INTO account_days (id, account, currency, day, moved, movements)
SELECT account || ':' || currency || ':' || to_char(day, 'YYYY-MM-DD'), account, currency, day, sum(amount),
    count(*)
FROM (SELECT target AS account, currency, (recorded_at AT TIME ZONE 'UTC')::date AS day, amount FROM postings
    UNION ALL SELECT source, currency, (recorded_at AT TIME ZONE 'UTC')::date, -amount FROM postings) AS legs
GROUP BY account, currency, day
"""
_TOTALS = f"""
INSERT INTO fee_totals (dimension, grain, key, currency, starts_on, {", ".join(FIGURES)})
WITH moved AS MATERIALIZED ({moved("true")}) SELECT * FROM ({by_grain()}) AS counted
"""
_ORDERS = f"""
INSERT INTO orders (id, buyer_id, seller_id, currency, status, total, capture_method, application_fee,
    fee_schedule_id, fee_rule_id, fee_working, generation, idempotency_key, created_at, updated_at,
    checkout_expires_at)
SELECT 'ord_' || body, CASE WHEN n % 1000 = 0 THEN '{BUYER}' ELSE 'acc_' || n * 7919 % {BUYERS} END,
    seller_id, currency, 'completed', amount, 'automatic', fee, 'fsc_1', rule_id, $working, 1, n::text,
    at, at, at
FROM made
"""
_LINES = """
INSERT INTO order_lines (id, order_id, position, listing_id, kind, title, category, unit_amount, quantity,
    amount, quantity_prepared)
SELECT 'lin_' || body || position, 'ord_' || body, position, 'lst_' || position, 'session',
    'An hour of it', l.category, l.amount, 1, l.amount, 1
FROM made m CROSS JOIN LATERAL (
    SELECT 0 AS position, m.category, CASE WHEN mixed THEN amount - 200 ELSE amount END AS amount
    UNION ALL SELECT 1, 'books', 200 WHERE mixed) AS l
"""
_STEPS = """
INSERT INTO order_steps (id, order_id, position, step, from_status, to_status, actor, occurred_at)
SELECT 'stp_' || body || position, 'ord_' || body, position, step, from_status, to_status, 'stripe', at
FROM made CROSS JOIN (VALUES (0, 'placed', NULL, 'checkout'), (1, 'captured', 'checkout', 'paid'),
    (2, 'completed', 'paid', 'completed')) AS s (position, step, from_status, to_status)
"""
_PAYMENTS = """
INSERT INTO payments (id, order_id, seller_id, generation, live, currency, amount, application_fee,
    capture_method, destination, status, intent_id, charge_id, transfer_id, amount_capturable,
    amount_captured, fee_captured, amount_refunded, fee_refunded, transfer_reversed, processing_cost,
    created_at, updated_at, checked_at)
SELECT 'pay_' || body, 'ord_' || body, seller_id, 1, true, currency, amount, fee, 'automatic', 'acct_1',
    'succeeded', 'pi_' || body, 'ch_' || body, 'tr_' || body, 0, amount, fee,
    CASE WHEN back_at IS NULL THEN 0 ELSE amount END, CASE WHEN back_at IS NULL THEN 0 ELSE fee END,
    CASE WHEN back_at IS NULL THEN 0 ELSE amount END, cost, at, at, at
FROM made
"""
_REFUNDS = """
INSERT INTO refunds (id, payment_id, order_id, currency, amount, status, stripe_refund_id, transfer_amount,
    fee_amount, created_at, updated_at)
SELECT 'rfd_' || body, 'pay_' || body, 'ord_' || body, currency, amount, 'succeeded', 're_' || body, amount,
    fee, back_at, back_at
FROM made WHERE back_at IS NOT NULL
"""
_ATTEMPTS = """
INSERT INTO attempts (id, payment_id, order_id, reference, outcome, occurred_at)
SELECT 'att_' || body, 'pay_' || body, 'ord_' || body, 'ch_' || body, 'captured', at FROM made
"""
_PEOPLE = f"""
INSERT INTO accounts (id, email, display_name, password_hash, is_admin, created_at)
SELECT id, id || '@example.com', 'Somebody', 'no password', id = '{ADMIN}', now()
FROM (SELECT unnest(ARRAY['{ADMIN}', '{BUYER}', '{OWNER}']) AS id
    UNION ALL SELECT 'acc_' || n FROM generate_series(0, {BUYERS - 1}) AS n) AS a;
INSERT INTO sellers (id, account_id, display_name, country, currency, approval, created_at)
SELECT 'sel_' || lpad(n::text, 26, '0'), CASE n WHEN 0 THEN '{OWNER}' ELSE 'acc_owner' || n END,
    'A shop', 'DE', (ARRAY['eur', 'eur', 'usd', 'gbp', 'jpy'])[n % 5 + 1], 'approved', now()
FROM generate_series(0, {SELLERS - 1}) AS n;
INSERT INTO connected_accounts (account_id, seller_id, country, transfers_status, payouts_status,
    status_details, requirements, closed, checked_at, state, nudges, nudges_absorbed, refresh_at, created_at)
SELECT 'acct_' || n, 'sel_' || lpad(n::text, 26, '0'), 'DE', 'active', 'active', '{{}}', '[]', false, now(),
    'ready', 0, 0, now(), now() FROM generate_series(0, {SELLERS - 1}) AS n
"""
_KEYS = """
INSERT INTO api_keys (id, account_id, name, preview, token_hash, scopes, created_at)
SELECT 'key_' || account, account, 'benchmark', 'mk_', hash, $3::text[], now()
FROM unnest($1::text[], $2::text[]) AS k (account, hash)
"""
_OF_ALL = (
    ("fee_reviews", _REVIEWS),
    ("fee_anomalies", _ANOMALIES),
    ("postings", _POSTINGS),
    ("account_days", _ACCOUNT_DAYS),
    ("fee_totals", _TOTALS),
)
_OF_THE_NEWEST = (
    ("orders", _ORDERS),
    ("order_lines", _LINES),
    ("order_steps", _STEPS),
    ("payments", _PAYMENTS),
    ("refunds", _REFUNDS),
    ("attempts", _ATTEMPTS),
)


async def fill(url: str, payments: int, orders: int, biggest: int) -> None:
    """Write so many payments, and orders of the newest of them; `biggest` of them are one seller's anyway."""
    await engine().start(url, pool_size=1)
    try:
        schedules = Schedules()
        await schedules.ensure_first(NOW)
        schedule = await schedules.current(NOW)
    finally:
        await engine().stop()
    line = PricedLine(listing_id="lst_0", category="yoga", kind="session", amount=6_000)
    fee = quote(schedule, FeeInputs(seller_id="sel_1", currency="eur", lines=(line,)))
    working = msgspec.json.encode(fee).decode()
    connection = await asyncpg.connect(url)
    try:
        for setting in (
            "session_replication_role = replica",
            "work_mem = '256MB'",
            "maintenance_work_mem = '1GB'",
            "synchronous_commit = off",
        ):
            await connection.execute(f"SET {setting}")
        await connection.execute(_PEOPLE)
        tokens = [TOKEN[one] for one in (ADMIN, BUYER, OWNER)]
        await connection.execute(
            _KEYS, [ADMIN, BUYER, OWNER], [hashed(token) for token in tokens], list(_SCOPES)
        )
        made = _MADE.replace("$payments", str(payments)).replace("$biggest", str(biggest))
        made = made.replace("$1", f"'{NOW.isoformat()}'")
        await _timed("made", connection, made)
        await _tables(connection, _OF_ALL, payments, working)
        await connection.execute(f"DELETE FROM made WHERE n < {payments - orders}")
        await _tables(connection, _OF_THE_NEWEST, payments, working)
        await connection.execute("DROP TABLE made")
        await _timed("VACUUM", connection, "VACUUM (ANALYZE)")
    finally:
        await connection.close()


async def _tables(
    connection: asyncpg.Connection,
    tables: Sequence[tuple[str, str]],
    payments: int,
    working: str,
) -> None:
    for table, sql in tables:
        indexes = await connection.fetch(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = $1 AND indexname NOT IN "
            "(SELECT conname FROM pg_constraint)",
            table,
        )
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['indexname']}")
        literal = "'" + working.replace("'", "''") + "'"
        filled = sql.replace("$payments", str(payments)).replace("$working", literal)
        filled = filled.replace("'fsc_1'", "(SELECT min(id) FROM fee_schedules)")
        await _timed(table, connection, filled)
        for index in indexes:
            await connection.execute(index["indexdef"])
        if table in ("fee_reviews", "postings"):
            await connection.execute(f"ANALYZE {table}")
        _say(f"{table}: {len(indexes)} indexes")


async def _timed(what: str, connection: asyncpg.Connection, sql: str) -> None:
    began = time.perf_counter()
    await connection.execute(sql)
    _say(f"{what}: {time.perf_counter() - began:.0f} s")


def _say(text: str) -> None:
    print(text, flush=True)
