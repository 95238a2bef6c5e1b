"""Processes of a run: each lives no longer than its parent, tells its CPU time, and stops when told.

A server process builds its ASGI application itself, listens on a free port of loopback and runs uvicorn as
the program does. Conversation with the parent is one pipe, answered by a thread that sleeps otherwise.
"""

import contextlib
import cProfile
import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import uvicorn

START_SECONDS = 60.0
STOP_SECONDS = 15.0

_spawn = multiprocessing.get_context("spawn")


class DidNotStart(Exception):
    """A process of the run ended or fell silent."""


class Child:
    """A process started for this run. `target` gets the pipe's other end and then `arguments`."""

    def __init__(self, name: str, target: Callable[..., None], *arguments: Any) -> None:
        self.name = name
        self.pipe, theirs = _spawn.Pipe()
        self._process = _spawn.Process(target=target, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, seconds: float) -> Any:
        """What it says next. Raises DidNotStart when it says nothing for so long."""
        with contextlib.suppress(EOFError, OSError):
            if self.pipe.poll(seconds):
                return self.pipe.recv()
        raise DidNotStart(f"{self.name} ended or is silent; its own words are above")

    def ask(self, question: Any, seconds: float = STOP_SECONDS) -> Any:
        self.pipe.send(question)
        return self.answer(seconds)

    def stop(self) -> None:
        """Ask it to stop, then make it."""
        with contextlib.suppress(OSError):
            self.pipe.send("stop")
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


class Served(Child):
    """A process that answers HTTP on `port` of loopback."""

    def __init__(self, name: str, target: Callable[..., None], *arguments: Any) -> None:
        super().__init__(name, target, *arguments)
        self.port = int(self.answer(START_SECONDS))

    def cpu_seconds(self) -> float:
        """User and system time it has used itself."""
        return float(self.ask("cpu"))

    def resident_megabytes(self) -> float:
        """The largest it has been."""
        return float(self.ask("rss"))


def stay_on(cores: frozenset[int]) -> None:
    """Run on these cores only, where the system can be told so; no cores change nothing."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def settle_in(cores: frozenset[int]) -> None:
    """The first thing a child does: Ctrl-C is its parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stay_on(cores)


def listen() -> socket.socket:
    """A socket on a free port of loopback."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    return listener


def converse(pipe: Connection, stop: Callable[[], object]) -> None:
    """Answer the parent from a thread of its own; when the parent is gone, end at once."""

    def talk() -> None:
        while True:
            try:
                asked = pipe.recv()
            except (EOFError, OSError):
                os._exit(1)
            usage = resource.getrusage(resource.RUSAGE_SELF)
            if asked == "cpu":
                pipe.send(usage.ru_utime + usage.ru_stime)
            elif asked == "rss":
                # Kilobytes on Linux, bytes on macOS.
                pipe.send(usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024))
            else:
                stop()

    threading.Thread(target=talk, daemon=True).start()


class _Announcing(uvicorn.Server):
    """Tells its parent the port once it answers there."""

    def __init__(self, config: uvicorn.Config, pipe: Connection) -> None:
        super().__init__(config)
        self._pipe = pipe

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            converse(self._pipe, self._leave)
            self._pipe.send(sockets[0].getsockname()[1])

    def _leave(self) -> None:
        self.should_exit = True


def serve(
    pipe: Connection,
    cores: frozenset[int],
    profile_into: Path | None,
    build: Callable[..., Any],
    *arguments: Any,
) -> None:
    """The target of a server's process: `build(*arguments)` makes its ASGI application."""
    settle_in(cores)
    config = uvicorn.Config(
        build(*arguments),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=3,
    )
    with _profiled(profile_into):
        _Announcing(config, pipe).run(sockets=[listen()])


@contextlib.contextmanager
def _profiled(into: Path | None) -> Iterator[None]:
    if into is None:
        yield
        return
    with cProfile.Profile() as profiler:
        yield
    profiler.dump_stats(into)
