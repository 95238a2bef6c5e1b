"""The worker's loops: passes at once where rows wait for Stripe, and none that ends the others."""

import asyncio
from datetime import UTC, datetime

from marketplace.worker import Sweep, work

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"


async def working(sweeps: list[Sweep], until: asyncio.Event) -> None:
    """Run the worker until the event, ten seconds at most."""
    stop = asyncio.Event()
    worker = asyncio.create_task(work(sweeps, lambda: datetime.now(UTC), stop, NOWHERE))
    try:
        async with asyncio.timeout(10):
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
