"""Throws the sums of fees away and lets the sweep fold what moved into them anew, as when it happened."""

import time
from collections.abc import Callable
from typing import Final

import asyncpg

from marketplace.books.fees.contributions import FIGURES, KINDS, by_grain, moved
from marketplace.books.fees.folding import Folding
from marketplace.fees.schedules import Schedules
from payments.database import engine
from tests.benchmarks.ten_million_cast import NOW

FOLDED_AT_ONCE: Final = 5_000
_TOLD_EVERY: Final = 100_000
_FROM: Final = "coalesce((SELECT id FROM postings ORDER BY id DESC OFFSET $1 LIMIT 1), '')"
_NOTE: Final = """
INSERT INTO fee_movements (payment_id, posting_id) SELECT payment_id, id FROM postings
WHERE id > $1 AND payment_id IS NOT NULL AND kind = ANY($2) ORDER BY id
"""
_OLDER: Final = f"""
INSERT INTO fee_totals (dimension, grain, key, currency, starts_on, {", ".join(FIGURES)})
WITH moved AS MATERIALIZED ({moved("p.id <= $1")}) SELECT * FROM ({by_grain()}) AS counted
"""


async def fold_anew(url: str, newest: int, say: Callable[[str], None]) -> None:
    """The newest postings, so many, through the sweep; the older ones, if there are, in one statement."""
    connection = await asyncpg.connect(url)
    began = time.perf_counter()
    try:
        await connection.execute("SET work_mem = '256MB'")
        last = await connection.fetchval(f"SELECT {_FROM}", newest)
        async with connection.transaction():
            await connection.execute("TRUNCATE fee_totals, fee_movements")
            if last:
                await connection.execute(_OLDER, last)
            await connection.execute(_NOTE, last, list(KINDS))
        await connection.execute("ANALYZE fee_movements")
        waiting = await connection.fetchval("SELECT count(*) FROM fee_movements")
    finally:
        await connection.close()
    say(f"sums thrown away, {waiting:,} movements wait, {time.perf_counter() - began:.0f} s")
    await _sweep(url, say)


async def _sweep(url: str, say: Callable[[str], None]) -> None:
    await engine().start(url, pool_size=1, answer_seconds=None)
    folding, done, told, began = Folding(Schedules()), 0, 0, time.perf_counter()
    try:
        while folded := await folding.run_once(NOW, FOLDED_AT_ONCE):
            done += folded
            seconds = time.perf_counter() - began
            if done - told >= _TOLD_EVERY:
                told = done
                say(f"folded {done:,} movements, {done / seconds:,.0f} a second")
        say(f"folded all {done:,} movements in {time.perf_counter() - began:.0f} s")
    finally:
        await engine().stop()
