"""`marketplace serve` and `marketplace work` as processes that can be killed, and wires that can be cut.

A `Wire` stands between two parties, passes everything on, and can hold what it carries: the request before it
arrives, or the answer before it is heard. So a process is killed at a point, not at a time.
"""

import asyncio
import contextlib
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

from marketplace.composition import compose
from marketplace.settings import SERVING, Settings
from payments.database import execute
from stripe_sandbox.config import Destination, SandboxConfig
from stripe_sandbox.server import running_sandbox
from tests.clocks import MovedClock
from tests.running.processes import bare_env, command, free_port
from tests.stories.town import PUBLISHABLE_KEY, SECRET_KEY, SECRETS, Town, a_client


class WallClock(MovedClock):
    """The real time, as the processes have it."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


class Wire:
    """A TCP proxy on a free port. `hold_requests` and `hold_answers` stop that direction for bytes that
    contain one of the given words; `held` counts what is stopped."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.port = 0
        self.hold_requests: tuple[bytes, ...] = ()
        self.hold_answers: tuple[bytes, ...] = ()
        self.held = 0
        self._stopped = asyncio.Condition()
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def strung(self) -> AsyncIterator["Wire"]:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def hold(self, *, requests: tuple[bytes, ...] = (), answers: tuple[bytes, ...] = ()) -> None:
        """From now on stop what contains one of these words."""
        self.hold_requests, self.hold_answers, self.held = requests, answers, 0
        self._open.clear()

    def cut(self) -> None:
        """Lose everything that is held, with its connections, and hold nothing any more."""
        self.hold_requests = self.hold_answers = ()
        self._open.set()

    async def until_held(self, count: int) -> None:
        """Wait until that many messages are stopped."""
        async with asyncio.timeout(60), self._stopped:
            await self._stopped.wait_for(lambda: self.held >= count)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        finally:
            self._tasks.discard(task)
        # What is asked decides whether its answer is held: an answer does not name its path.
        marked = asyncio.Event()
        for each in (
            asyncio.create_task(self._requests(reader, far_writer, marked)),
            asyncio.create_task(self._answers(far_reader, writer, marked)),
        ):
            self._tasks.add(each)
            each.add_done_callback(self._tasks.discard)

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, marked: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            while data := await reader.read(65536):
                if any(word in data for word in self.hold_requests):
                    await self._stop()
                if any(word in data for word in self.hold_answers):
                    marked.set()
                writer.write(data)
                await writer.drain()

    async def _answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, marked: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            while data := await reader.read(65536):
                if marked.is_set():
                    marked.clear()
                    await self._stop()
                writer.write(data)
                await writer.drain()

    async def _stop(self) -> None:
        async with self._stopped:
            self.held += 1
            self._stopped.notify_all()
        await self._open.wait()
        raise ConnectionResetError


@dataclass
class Service:
    """Our own commands, with one environment, started and killed."""

    env: dict[str, str]
    port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    server: subprocess.Popen[bytes] | None = None

    async def serve(self) -> None:
        """Start a server and wait until it is ready."""
        self.server = server = self._start("serve")
        deadline = time.monotonic() + 90
        async with a_client() as client:
            while time.monotonic() < deadline:
                assert server.poll() is None, "the server ended while starting"
                with contextlib.suppress(httpx.TransportError):
                    answer = await client.get(f"http://127.0.0.1:{self.port}/health/ready")
                    if answer.status_code == 200:
                        return
                await asyncio.sleep(0.05)
        raise AssertionError("the server is not ready")

    def work(self) -> subprocess.Popen[bytes]:
        """Start a worker."""
        return self._start("work")

    async def kill_server(self) -> None:
        """End the server as a power cut does."""
        assert self.server is not None
        await self.kill(self.server)

    async def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a process, without its having a say."""
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait, 60)

    async def stop(self) -> None:
        """End whatever still runs."""
        for process in self.processes:
            if process.poll() is None:
                await self.kill(process)

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(command(name), env=self.env, stdout=log, stderr=log)
        self.processes.append(process)
        return process


@dataclass
class MortalTown:
    """A town whose server is a process; `to_stripe` and `to_us` are the wires it hangs on."""

    town: Town
    service: Service
    to_stripe: Wire
    to_us: Wire


@contextlib.asynccontextmanager
async def mortal_town(database_url: str) -> AsyncIterator[MortalTown]:
    """Everything real: sandbox and wires in this process, server and worker in their own."""
    with tempfile.TemporaryDirectory() as data:
        async with _mortal_town(database_url, data) as town:
            yield town


@contextlib.asynccontextmanager
async def _mortal_town(database_url: str, data: str) -> AsyncIterator[MortalTown]:
    port = free_port()
    async with Wire(port).strung() as to_us:
        base_url = f"http://localhost:{to_us.port}"
        destinations = tuple(
            Destination(scope, f"http://127.0.0.1:{port}/webhooks/stripe/{scope}", (secret,))  # type: ignore[arg-type]
            for scope, secret in SECRETS.items()
        )
        config = SandboxConfig(port=0, destinations=destinations)
        async with running_sandbox(config) as sandbox:
            sandbox_port = int(sandbox.base_url.rpartition(":")[2])
            async with Wire(sandbox_port).strung() as to_stripe:
                env = bare_env(
                    DATABASE_URL=database_url,
                    STRIPE_SECRET_KEY=SECRET_KEY,
                    STRIPE_PUBLISHABLE_KEY=PUBLISHABLE_KEY,
                    STRIPE_API_BASE=f"http://127.0.0.1:{to_stripe.port}",
                    PUBLIC_URL=base_url,
                    PORT=str(port),
                    LOG_LEVEL="WARNING",
                    MARKETPLACE_DATA_DIR=data,
                    **{f"STRIPE_WEBHOOK_SECRETS_{k.upper()}": v for k, v in SECRETS.items()},
                )
                service = Service(env, port)
                clock = WallClock()
                wanted = Settings.from_environment(
                    {**env, "STRIPE_API_BASE": sandbox.base_url}, require=SERVING
                )
                composition = compose(wanted, clock)
                async with composition.running():
                    await composition.services.fees.ensure_first(clock())
                    town = Town(base_url, sandbox, composition, clock)
                    try:
                        yield MortalTown(town, service, to_stripe, to_us)
                    finally:
                        await service.stop()
                        for browser in town.browsers:
                            await browser.aclose()


async def time_passes(seconds: int) -> None:
    """Age every lease and pause in the database, for a process' clock cannot be moved from outside."""
    age = f"interval '{seconds} seconds'"
    await execute(
        f"UPDATE operations SET lease_until = lease_until - {age}, due_at = due_at - {age}, "
        f"first_sent_at = first_sent_at - {age}"
    )
    await execute(f"UPDATE idempotent_requests SET started_at = started_at - {age}")
    await execute(f"UPDATE stripe_events SET due_at = due_at - {age}")
    await execute(f"UPDATE payments SET checked_at = checked_at - {age}")
