"""Several processes as one program: they start in order, stop together, and none outlives us."""

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

_POLL_SECONDS = 0.1
# One process takes at most ten seconds for its requests in flight; then it is killed.
STOP_SECONDS = 15.0


class ChildEnded(Exception):
    """A process that should have stayed has ended. `exit_code` is negative for a signal."""

    def __init__(self, name: str, exit_code: int) -> None:
        how = f"by signal {-exit_code}" if exit_code < 0 else f"with exit code {exit_code}"
        super().__init__(f"`{name}` ended {how}")
        self.name = name
        self.exit_code = exit_code


class Supervisor:
    """Holds child processes; leaving its `with` block stops all of them, the last one first.

    Each child gets a pipe as standard input that ends when we do, however we end.
    """

    def __init__(self, *, stop_seconds: float = STOP_SECONDS) -> None:
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
        """Start a process that is to stay. A terminal's Ctrl-C reaches us only, not the child."""
        self._children[name] = subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, start_new_session=True
        )

    def run(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> int:
        """Run a process to its end, watching the others, and answer its exit code.

        Raises ChildEnded when one of the others ends meanwhile.
        """
        self.start(name, command, env)
        try:
            while (code := self._children[name].poll()) is None:
                self.check(but=name)
                time.sleep(_POLL_SECONDS)
        finally:
            self._end(self._children.pop(name), time.monotonic() + self._stop_seconds)
        return code

    def check(self, *, but: str | None = None) -> None:
        """Raise ChildEnded when a process that should have stayed has ended."""
        for name, child in self._children.items():
            code = child.poll()
            if code is not None and name != but:
                raise ChildEnded(name, code)

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
