"""Several processes as one program: they start in order, stop together, and none outlives us."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

_POLL_SECONDS = 0.1
# One process takes at most ten seconds for its requests in flight; then it is killed.
STOP_SECONDS = 15.0
_TAIL_BYTES = 64 * 1024


class ChildEnded(Exception):
    """A process that should have stayed has ended. `exit_code` is negative for a signal."""

    def __init__(self, name: str, exit_code: int, log: Path | None = None) -> None:
        how = f"by signal {-exit_code}" if exit_code < 0 else f"with exit code {exit_code}"
        super().__init__(f"`{name}` ended {how}")
        self.name = name
        self.exit_code = exit_code
        self.log = log

    def last_lines(self, count: int) -> list[str]:
        """The end of what the process has said, if that went into a file."""
        if self.log is None:
            return []
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-count:]


@dataclass(frozen=True)
class Finished:
    """A process that worked and ended: its exit code, and everything it said."""

    exit_code: int
    said: str


class Supervisor:
    """Holds child processes; leaving its `with` block stops all of them, the last one first.

    Each child gets a pipe as standard input that ends when we do, however we end. What those that
    stay say goes into a file of the folder `logs`, or to the terminal; the file of the time before is
    kept beside it as `….log.1`.
    """

    def __init__(self, *, logs: Path | None = None, stop_seconds: float = STOP_SECONDS) -> None:
        self._logs = logs
        self._stop_seconds = stop_seconds
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Start a process that is to stay. Raises OSError when its log cannot be written."""
        log = self._log_of(name)
        if log is None:
            self._spawn(name, command, env, None)
            return
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists():
            log.replace(log.with_name(f"{log.name}.1"))
        with open(log, "wb", opener=_private) as file:
            self._spawn(name, command, env, file)

    def run(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> Finished:
        """Run a process to its end, watching the others.

        Raises ChildEnded when one of the others ends meanwhile.
        """
        with tempfile.TemporaryFile() as output:
            self._spawn(name, command, env, output)
            try:
                while (code := self._children[name].poll()) is None:
                    self.check(but=name)
                    time.sleep(_POLL_SECONDS)
            finally:
                self._end(self._children.pop(name), time.monotonic() + self._stop_seconds)
            output.seek(0)
            return Finished(code, output.read().decode(errors="replace"))

    def check(self, *, but: str | None = None) -> None:
        """Raise ChildEnded when a process that should have stayed has ended."""
        for name, child in self._children.items():
            code = child.poll()
            if code is not None and name != but:
                raise ChildEnded(name, code, self._log_of(name))

    def watch(self) -> None:
        """Wait for ever. Raises ChildEnded, or what a signal handler of the caller raises."""
        while True:
            self.check()
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Ask every process to end, wait, and kill what does not."""
        deadline = time.monotonic() + self._stop_seconds
        for child in self._children.values():
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        while self._children:
            _, child = self._children.popitem()
            self._end(child, deadline)

    def _log_of(self, name: str) -> Path | None:
        return None if self._logs is None else self._logs / f"{name}.log"

    def _spawn(
        self, name: str, command: Sequence[str], env: Mapping[str, str], output: IO[bytes] | None
    ) -> None:
        self._children[name] = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            # A terminal's Ctrl-C reaches us only, not the child.
            start_new_session=True,
        )

    @staticmethod
    def _end(child: subprocess.Popen[bytes], deadline: float) -> None:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if child.stdin is not None:
            child.stdin.close()


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
