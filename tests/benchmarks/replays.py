"""How long fee rules take to be replayed on a million past orders, as the worker does it.

    python -m tests.benchmarks.replays [--orders 1000000] [--profile]

Goal: under 60 seconds, with progress shown. A durable PostgreSQL is started, filled, and removed at the end.
"""

import argparse
import asyncio
import cProfile
import pstats
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from marketplace.fees.draft_records import DraftContent
from marketplace.fees.drafts import Drafts
from marketplace.fees.replays import Replays, ReplayWanted
from marketplace.fees.schedule import Conditions, FeeRule, Tier
from marketplace.fees.schedules import Schedules
from payments.database import engine
from tests.benchmarks.databases import running_server

GOAL_SECONDS = 60.0
SELLERS = 10_000
NOW = datetime(2026, 11, 21, tzinfo=UTC)

# References are not checked while it is filled: what is measured is reading.
_SEED = f"""
SET session_replication_role = replica;
INSERT INTO sellers (id, account_id, display_name, country, currency, approval, created_at)
SELECT 'sel_' || lpad(n::text, 26, '0'), 'acc_' || n, 'A shop', 'DE',
    CASE n % 5 WHEN 0 THEN 'usd' ELSE 'eur' END, 'approved', now()
FROM generate_series(0, {SELLERS - 1}) AS n;
INSERT INTO orders (id, buyer_id, seller_id, currency, status, total, capture_method, application_fee,
    fee_schedule_id, fee_rule_id, fee_working, generation, idempotency_key, created_at, updated_at,
    checkout_expires_at)
SELECT 'ord_' || lpad(n::text, 26, '0'), 'acc_b', 'sel_' || lpad((n * 7919 % {SELLERS})::text, 26, '0'),
    CASE n * 7919 % {SELLERS} % 5 WHEN 0 THEN 'usd' ELSE 'eur' END,
    (ARRAY['paid', 'completed', 'shipped', 'authorized'])[n % 4 + 1],
    amount + CASE WHEN n % 5 = 0 THEN 1500 ELSE 0 END, 'manual', amount / 10, 'fsc_1', 'any',
    repeat('x', 600), 1, n::text, placed_at, placed_at, placed_at
FROM (SELECT n, 500 + n * 2654435761 % 49500 AS amount,
    timestamptz '2026-01-01' + n * interval '1 year' / $orders AS placed_at
    FROM generate_series(0::bigint, $orders - 1) AS n) AS made;
INSERT INTO order_lines (id, order_id, position, listing_id, kind, title, category, unit_amount, quantity,
    amount)
SELECT 'lin_' || o.id || p.position, o.id, p.position, 'lst_' || p.position,
    CASE WHEN o.id::text ~ '[02468]$' THEN 'product' ELSE 'session' END, 'Something',
    (ARRAY['yoga', 'chess', 'cooking', 'coaching', 'piano', 'running'])[ascii(right(o.id, 1)) % 6 + 1],
    CASE p.position WHEN 0 THEN o.total - p.rest ELSE 1500 END, 1,
    CASE p.position WHEN 0 THEN o.total - p.rest ELSE 1500 END
FROM orders o CROSS JOIN LATERAL (
    SELECT 0 AS position, CASE WHEN right(o.id, 1) IN ('0', '5') THEN 1500 ELSE 0 END AS rest
    UNION ALL SELECT 1, 1500 WHERE right(o.id, 1) IN ('0', '5')) AS p;
"""

RULES = (
    FeeRule(
        id="spring",
        basis_points=0,
        when=Conditions(
            categories=("running",),
            placed_from=datetime(2026, 3, 1, tzinfo=UTC),
            placed_before=datetime(2026, 4, 1, tzinfo=UTC),
        ),
    ),
    FeeRule(
        id="friends",
        basis_points=300,
        when=Conditions(seller_ids=tuple(f"sel_{number:026}" for number in range(0, 500, 5))),
    ),
    FeeRule(
        id="large",
        basis_points=800,
        when=Conditions(currencies=("eur",), amount_from=30_000),
        tax_basis_points=1_900,
    ),
    FeeRule(id="sessions", basis_points=1_400, when=Conditions(kinds=("session",))),
    FeeRule(
        id="rest",
        basis_points=1_000,
        fixed={"eur": 30, "usd": 35},
        floor={"eur": 60},
        tiers={
            "eur": (
                Tier(amount_from=0, basis_points=1_200),
                Tier(amount_from=10_000, basis_points=900),
            )
        },
        service_basis_points=200,
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure once and say whether the goal was met."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.replays", description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--profile", action="store_true", help="say which functions cost the most")
    asked = parser.parse_args(arguments)
    with running_server() as server:
        url = server.prepare("replays")
        asyncio.run(_fill(url, asked.orders))
        profile = cProfile.Profile()
        if asked.profile:
            profile.enable()
        seconds = asyncio.run(_replay(url, asked.orders))
        profile.disable()
    if asked.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(15)
    goal = GOAL_SECONDS * asked.orders / 1_000_000
    _say(f"{asked.orders} orders in {seconds:.1f} s: {asked.orders / seconds:,.0f} a second")
    _say("within the goal" if seconds < goal else f"MORE than the goal of {goal:.0f} s")
    return 0 if seconds < goal else 1


async def _fill(url: str, orders: int) -> None:
    began = time.perf_counter()
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_SEED.replace("$orders", str(orders)))
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    _say(f"filled in {time.perf_counter() - began:.0f} s")


async def _replay(url: str, orders: int) -> float:
    await engine().start(url, pool_size=4)
    try:
        schedules = Schedules()
        await schedules.ensure_first(NOW)
        content = DraftContent(title="The prices of 2027", rules=RULES)
        draft = await Drafts(schedules).create(content, "acc_admin", NOW)
        replays = Replays(schedules)
        asked = await replays.ask(ReplayWanted(draft_id=draft.id), "acc_admin", NOW)
        began = shown = time.perf_counter()
        now = NOW
        while await replays.run_once(now, 1):
            now += timedelta(seconds=1)
            if time.perf_counter() - shown > 5:
                shown = time.perf_counter()
                stands = await replays.find(asked.id)
                _say(f"  {shown - began:5.1f} s  {stands.orders_done} of {stands.orders_total}")
        seconds = time.perf_counter() - began
        done = await replays.find(asked.id)
        assert (done.state, done.orders_done) == ("done", orders), done
        return seconds
    finally:
        await engine().stop()


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
