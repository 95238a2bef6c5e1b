"""The load: a fixed number of requests over a fixed number of kept-alive connections.

It has a process of its own, whose CPU time is nobody's cost. Requests are built beforehand; a connection
sends its next one the moment an answer is there.
"""

import asyncio
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection as Pipe

import msgspec
import uvloop

from tests.benchmarks.processes import Child, settle_in
from tests.benchmarks.wire import Connection

PATIENCE_SECONDS = 30.0
"""The time one load may take; what was not answered by then is told."""


class Load(msgspec.Struct, frozen=True):
    """What to send, where."""

    port: int
    requests: Sequence[bytes]
    connections: int
    seconds: float = PATIENCE_SECONDS


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What came back: `seconds` from the first request to the last answer, each `latency` in seconds."""

    seconds: float
    latencies: list[float]
    unanswered: int
    refused: int
    first_refusal: str


class Generator(Child):
    """The process that makes the load."""

    def __init__(self, cores: frozenset[int]) -> None:
        super().__init__("the load generator", _generate, cores)

    def run(self, load: Load) -> Answers:
        answers: Answers = self.ask(load, load.seconds + 15)
        return answers


def _generate(pipe: Pipe, cores: frozenset[int]) -> None:
    settle_in(cores)
    while True:
        try:
            asked = pipe.recv()
        except EOFError:
            return
        if not isinstance(asked, Load):
            return
        pipe.send(uvloop.run(_run(asked)))


class _Run:
    """One load under way."""

    def __init__(self, load: Load) -> None:
        self._left = iter(load.requests)
        self._sent_at: dict[Connection, float] = {}
        self._open = len(load.requests)
        self.latencies: list[float] = []
        self.refused = 0
        self.first_refusal = ""
        self.done = asyncio.Event()

    def next(self, connection: Connection) -> None:
        message = next(self._left, None)
        if message is not None:
            self._sent_at[connection] = time.perf_counter()
            connection.send(message)

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        self.latencies.append(time.perf_counter() - self._sent_at[connection])
        if not 200 <= status < 300:
            self.refused += 1
            self.first_refusal = self.first_refusal or f"{status} {body[:600]!r}"
        self._open -= 1
        if self._open == 0:
            self.done.set()
        else:
            self.next(connection)


async def _run(load: Load) -> Answers:
    run = _Run(load)
    loop = asyncio.get_running_loop()
    connections = []
    for _ in range(min(load.connections, len(load.requests))):
        _, connection = await loop.create_connection(
            lambda: Connection(run.answered), "127.0.0.1", load.port
        )
        connections.append(connection)
    began = time.perf_counter()
    for connection in connections:
        run.next(connection)
    try:
        async with asyncio.timeout(load.seconds):
            await run.done.wait()
    except TimeoutError:
        pass  # told as `unanswered`
    took = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return Answers(
        seconds=took,
        latencies=run.latencies,
        unanswered=len(load.requests) - len(run.latencies),
        refused=run.refused,
        first_refusal=run.first_refusal,
    )
