"""How long a million postings take to be sealed and verified, and how long balances of the past take then.

    python -m tests.benchmarks.chains [--postings 1000000] [--profile]

Goals: verified at 20,000 rows a second or more, a page of balances and of an account within 250 ms. A durable
PostgreSQL is started, filled, and removed at the end.
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

from marketplace.books import account_balances
from marketplace.books.account_balances import BalanceFilter
from marketplace.paging import PageRequest
from payments import ledger
from payments.chain_verification import verify
from payments.database import engine
from payments.ledger_chain import POSTINGS, seal
from tests.benchmarks.databases import running_server

ROWS_PER_SECOND = 20_000
PAGE_SECONDS = 0.25
SEALED_AT_ONCE = 1000
NOW = datetime(2026, 11, 21, tzinfo=UTC)

# Captures and fees of ten thousand sellers over a year, by the program's own trigger.
_SEED = """
INSERT INTO postings (id, cause, kind, source, target, amount, currency, seller_id, occurred_at, recorded_at)
SELECT 'pst_' || lpad(n::text, 26, '0'), 'cause:' || n, CASE n % 2 WHEN 0 THEN 'debt' ELSE 'payout' END,
    CASE n % 2 WHEN 0 THEN 'buyers' ELSE 'seller:' || seller END,
    CASE n % 2 WHEN 0 THEN 'seller:' || seller ELSE 'platform:fees' END,
    1 + n % 9973, CASE n % 5 WHEN 0 THEN 'usd' ELSE 'eur' END, seller, moment, moment
FROM (SELECT n, 'sel_' || lpad((n / 2 * 7919 % 10000)::text, 26, '0') AS seller,
    timestamptz '2025-11-21Z' + n * interval '1 year' / $postings AS moment
    FROM generate_series(0::bigint, $postings - 1) AS n) AS made
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure once and say whether the goals were met."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.chains", description=__doc__)
    parser.add_argument("--postings", type=int, default=1_000_000)
    parser.add_argument("--profile", action="store_true", help="say which functions cost the most")
    asked = parser.parse_args(arguments)
    with running_server() as server:
        url = server.prepare("chains")
        asyncio.run(_fill(url, asked.postings))
        profile = cProfile.Profile()
        if asked.profile:
            profile.enable()
        met = asyncio.run(_measure(url, asked.postings))
        profile.disable()
    if asked.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(15)
    _say("within the goals" if met else "NOT within the goals")
    return 0 if met else 1


async def _fill(url: str, postings: int) -> None:
    began = time.perf_counter()
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_SEED.replace("$postings", str(postings)))
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    _say(f"filled in {time.perf_counter() - began:.0f} s")


async def _measure(url: str, postings: int) -> bool:
    await engine().start(url, pool_size=4)
    try:
        sealing = _Timed("sealed", postings)
        while await seal(POSTINGS, NOW, SEALED_AT_ONCE):
            pass
        sealing.end()
        verifying = _Timed("verified", postings)
        found = [finding async for finding in verify(POSTINGS, progress=verifying.shown)]
        assert found == [], found[:3]
        seconds = verifying.end()
        return await _pages() and postings / seconds >= ROWS_PER_SECOND
    finally:
        await engine().stop()


async def _pages() -> bool:
    """Whether every page is quick; the balances are compared with a full count."""
    at = NOW - timedelta(days=100, hours=5)
    whole = {(one.account, one.currency): one.amount for one in await ledger.balances(before=at)}
    slowest = 0.0
    for wanted in (BalanceFilter(), BalanceFilter(at=at), BalanceFilter(account="seller:", at=at)):
        began = time.perf_counter()
        found = await account_balances.balances(PageRequest(limit=100), wanted)
        slowest = max(slowest, time.perf_counter() - began)
        if wanted.at is not None:
            assert all(whole[one.account, one.currency] == one.amount for one in found.data)
        _say(f"balances, {wanted.account or 'all'} at {wanted.at}: {_ms(began)}")
    for account in ("platform:fees", f"seller:sel_{1:026}"):
        began = time.perf_counter()
        await account_balances.entries(account, "eur", PageRequest(limit=100))
        slowest = max(slowest, time.perf_counter() - began)
        _say(f"postings of {account}: {_ms(began)}")
    return slowest < PAGE_SECONDS


def _ms(began: float) -> str:
    return f"{1000 * (time.perf_counter() - began):.0f} ms"


class _Timed:
    """Says how far something is every five seconds, and how long it took."""

    def __init__(self, what: str, rows: int) -> None:
        self._what, self._rows = what, rows
        self._began = self._shown_at = time.perf_counter()

    def shown(self, done: int, of: int) -> None:
        if time.perf_counter() - self._shown_at > 5:
            self._shown_at = time.perf_counter()
            _say(f"  {self._shown_at - self._began:5.1f} s  {done:,} of {of:,}")

    def end(self) -> float:
        seconds = time.perf_counter() - self._began
        _say(
            f"{self._rows:,} {self._what} in {seconds:.1f} s: {self._rows / seconds:,.0f} a second"
        )
        return seconds


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
