"""The worker's loops: passes at once where rows wait for Stripe, and none that ends the others."""

import asyncio
from datetime import UTC, datetime

import asyncpg

from marketplace.worker import CHANNEL, Sweep, work

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"


async def working(sweeps: list[Sweep], until: asyncio.Event, dsn: str = NOWHERE) -> None:
    """Run the worker until the event, a minute at most."""
    stop = asyncio.Event()
    worker = asyncio.create_task(work(sweeps, lambda: datetime.now(UTC), stop, dsn))
    try:
        async with asyncio.timeout(60):
            await until.wait()
    finally:
        stop.set()
        await worker


async def test_a_sweep_with_lanes_makes_as_many_passes_at_once() -> None:
    """One after the other, a worker would keep step with a few payments a second at most."""
    together, met = asyncio.Barrier(3), asyncio.Event()

    async def wait_for_stripe(now: datetime, limit: int) -> int:
        if not met.is_set():
            await together.wait()
            met.set()
        return 0

    await working([Sweep(name="slow", run_once=wait_for_stripe, every_seconds=60, lanes=3)], met)


async def test_a_sweep_that_fails_is_tried_again_and_the_others_go_on() -> None:
    failed, looked, enough = 0, 0, asyncio.Event()

    async def fail(now: datetime, limit: int) -> int:
        nonlocal failed
        failed += 1
        raise RuntimeError("a bug")

    async def look(now: datetime, limit: int) -> int:
        nonlocal looked
        looked += 1
        if looked >= 3 and failed >= 3:
            enough.set()
        return 0

    await working(
        [
            Sweep(name="failing", run_once=fail, every_seconds=0.01),
            Sweep(name="looking", run_once=look, every_seconds=0.01),
        ],
        enough,
    )


async def test_a_worker_whose_database_hung_up_is_woken_again(database_url: str) -> None:
    """A restart of the database must not leave every event to the polling for ever."""
    woken, hung_up, enough = 0, False, asyncio.Event()

    async def look(now: datetime, limit: int) -> int:
        nonlocal woken
        woken += 1
        if hung_up and woken > 1:
            enough.set()
        return 0

    async def hang_up_and_wake() -> None:
        nonlocal woken, hung_up
        connection = await asyncpg.connect(database_url)
        try:
            before = await _listener(connection)
            await connection.execute("SELECT pg_terminate_backend($1)", before)
            assert await _listener(connection, other_than=before)
            woken, hung_up = 0, True
            while not enough.is_set():
                await connection.execute(f"NOTIFY {CHANNEL}")
                await asyncio.sleep(0.05)
        finally:
            await connection.close()

    waker = asyncio.create_task(hang_up_and_wake())
    # Without a wake-up it would look once an hour.
    await working(
        [Sweep(name="looking", run_once=look, every_seconds=3600, woken=True)], enough, database_url
    )
    await waker


async def _listener(connection: asyncpg.Connection, other_than: int = 0) -> int:
    """Wait for the backend that listens, a minute at most; answers its process id."""
    for _ in range(6000):
        found = await connection.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND pid <> $1 AND query LIKE 'LISTEN%'",
            other_than,
        )
        if found is not None:
            return int(found)
        await asyncio.sleep(0.01)
    raise AssertionError("nobody listens")
