"""The way to the database when nobody says that it is gone: packets vanish, no connection is closed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest_asyncio

from payments.database import LOST, Engine

PATIENCE_SECONDS = 0.3


class Wire:
    """A TCP way to the server that can fall silent."""

    def __init__(self, dsn: str) -> None:
        self._to = urlsplit(dsn)
        self._open = asyncio.Event()
        self._open.set()
        self._carriers: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def laid(self) -> AsyncIterator[str]:
        """The address to use instead of the server's."""
        server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        who = self._to.netloc.rpartition("@")[0]
        try:
            yield f"postgresql://{who}@127.0.0.1:{port}{self._to.path}"
        finally:
            server.close()
            for carrier in self._carriers:
                carrier.cancel()
            await asyncio.gather(*self._carriers, return_exceptions=True)

    def fall_silent(self) -> None:
        self._open.clear()

    def recover(self) -> None:
        self._open.set()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await self._reach()
        for source, sink in ((reader, their_writer), (their_reader, writer)):
            carrier = asyncio.create_task(self._carry(source, sink))
            self._carriers.add(carrier)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError), contextlib.closing(sink):
            while data := await source.read(65_536):
                await self._open.wait()
                sink.write(data)
                await sink.drain()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self._to.port or 5432
        for folder in parse_qs(self._to.query).get("host", []):
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
        return await asyncio.open_connection(self._to.hostname, port)


@pytest_asyncio.fixture(loop_scope="session")
async def wire(database_url: str) -> Wire:
    return Wire(database_url)


@pytest_asyncio.fixture(loop_scope="session")
async def far_engine(wire: Wire) -> AsyncIterator[Engine]:
    """An engine of its own at the far end of the wire."""
    async with wire.laid() as dsn:
        engine = Engine(config={})
        await engine.start(dsn, pool_size=2, answer_seconds=PATIENCE_SECONDS)
        yield engine
        await engine.stop()


async def _asked(engine: Engine) -> int:
    async with engine.transaction() as transaction:
        answer: int = await transaction.connection.fetchval("SELECT 1")
    return answer


async def _refused_within_seconds(task: asyncio.Task[int]) -> BaseException | None:
    """How the task ended; a deadline around it would itself wait for a connection that does not answer."""
    done, _ = await asyncio.wait([task], timeout=10)
    assert done, "still waiting"
    return asyncio.CancelledError() if task.cancelled() else task.exception()


async def test_nobody_waits_for_ever_for_a_server_that_fell_silent(
    wire: Wire, far_engine: Engine
) -> None:
    assert await _asked(far_engine) == 1
    wire.fall_silent()
    for _ in range(2):
        refusal = await _refused_within_seconds(asyncio.create_task(_asked(far_engine)))
        assert isinstance(refusal, LOST)
    wire.recover()
    assert await _asked(far_engine) == 1


async def test_a_cancelled_task_does_not_wait_for_a_silent_server_either(
    wire: Wire, far_engine: Engine
) -> None:
    assert await _asked(far_engine) == 1
    wire.fall_silent()
    task = asyncio.create_task(_asked(far_engine))
    await asyncio.sleep(0.05)
    task.cancel()
    await _refused_within_seconds(task)
    wire.recover()
    assert await _asked(far_engine) == 1
