"""The worker: a loop over sweeps. The rows' own state is the queue, so any number of workers may run.

A sweep is `run_once(now, limit)`: it claims due rows, works on them and answers how many. A notification
from the database only wakes the loop earlier; a worker that missed it finds the rows by itself.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime

import asyncpg
import msgspec
import structlog

from marketplace.settings import Settings
from payments.database import LOST
from payments.events import Clock

_log = structlog.get_logger("marketplace.worker")

CHANNEL = "marketplace_work"
"""Where the database says that an event was stored."""

_FIRST_PAUSE_SECONDS, _LAST_PAUSE_SECONDS = 0.5, 30.0
_PROBE_SECONDS, _ANSWER_SECONDS = 30.0, 5.0

RunOnce = Callable[[datetime, int], Awaitable[int]]


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """Work over due rows: how often to look when there is nothing (seconds), how many rows at a time.

    One whose rows each wait for Stripe has several `lanes`: as many passes at once, as if by as many workers.
    """

    name: str
    run_once: RunOnce
    every_seconds: float
    limit: int = 100
    lanes: int = 1
    woken: bool = False


async def work(sweeps: Sequence[Sweep], clock: Clock, stop: asyncio.Event, dsn: str) -> None:
    """Run every sweep until `stop` is set; what is under way is finished first."""
    woken = asyncio.Event()
    async with _listening(dsn, woken), asyncio.TaskGroup() as group:
        for sweep in sweeps:
            for lane in range(sweep.lanes):
                # One is woken; the others only find something when it cannot keep step.
                wake = woken if sweep.woken and lane == 0 else asyncio.Event()
                group.create_task(_loop(sweep, clock, stop, wake))


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """The `work` command: everything composed, every sweep running, until `stop` is set."""
    from marketplace.composition import compose

    composition = compose(settings)
    async with composition.running():
        _log.info("working", sweeps=[sweep.name for sweep in composition.sweeps])
        await work(composition.sweeps, composition.services.clock, stop, settings.database_url)
    _log.info("stopped")


async def drain(sweeps: Sequence[Sweep], now: datetime, *, rounds: int = 50) -> int:
    """Run the sweeps until none finds anything due: for tests, which move the clock themselves."""
    total = 0
    for _ in range(rounds):
        found = 0
        for sweep in sweeps:
            found += await sweep.run_once(now, sweep.limit)
        total += found
        if found == 0:
            break
    return total


async def _loop(sweep: Sweep, clock: Clock, stop: asyncio.Event, woken: asyncio.Event) -> None:
    while not stop.is_set():
        woken.clear()
        found = await _run(sweep, clock)
        if found >= sweep.limit:
            continue  # a full claim means there is probably more
        await _pause(sweep.every_seconds, stop, woken)


async def _run(sweep: Sweep, clock: Clock) -> int:
    """One pass; a failing pass is logged and tried again, it never ends the worker."""
    try:
        return await sweep.run_once(clock(), sweep.limit)
    except LOST as error:
        _log.warning("sweep could not run", sweep=sweep.name, error=type(error).__name__)
    except Exception:  # noqa: BLE001 - a bug in one sweep must not stop the others
        _log.exception("sweep failed", sweep=sweep.name, alarm=True)
    return 0


async def _pause(seconds: float, stop: asyncio.Event, woken: asyncio.Event) -> None:
    waits = [asyncio.create_task(stop.wait()), asyncio.create_task(woken.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


@contextlib.asynccontextmanager
async def _listening(dsn: str, woken: asyncio.Event) -> AsyncIterator[None]:
    """Listen for wake-ups meanwhile; where none come the loop simply polls."""
    listener = asyncio.create_task(_listen(dsn, woken))
    try:
        yield
    finally:
        listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listener


async def _listen(dsn: str, woken: asyncio.Event) -> None:
    """Hold a connection that hears wake-ups, and make a new one whenever it is lost."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            await _listen_until_lost(dsn, woken)
            pause = _FIRST_PAUSE_SECONDS
        except LOST as error:
            _log.warning("no wake-ups from the database, polling", error=type(error).__name__)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LAST_PAUSE_SECONDS)


async def _listen_until_lost(dsn: str, woken: asyncio.Event) -> None:
    """Raises what LOST says when there is no connection to be had."""
    lost = asyncio.Event()

    def wake(*_: object) -> None:
        woken.set()

    def end(_: object) -> None:
        lost.set()

    connection: asyncpg.Connection = await asyncpg.connect(dsn, timeout=_ANSWER_SECONDS)
    try:
        connection.add_termination_listener(end)
        await connection.add_listener(CHANNEL, wake)
        woken.set()  # what was said while nobody listened is found by looking
        while not lost.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), _PROBE_SECONDS)
            if not lost.is_set():
                # A network that went away without a word is only found out by talking.
                await connection.execute("SELECT 1", timeout=_ANSWER_SECONDS)
        _log.warning("the database has hung up, listening again")
    finally:
        with contextlib.suppress(*LOST):
            await connection.close(timeout=_ANSWER_SECONDS)
