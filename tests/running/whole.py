"""The whole program as `marketplace run` starts it, on free ports and a folder of its own."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.running.processes import bare_env, command, free_port

READY = "Ctrl-C stops everything."


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[str]
    port: int
    sandbox_port: int
    said: str

    def children(self) -> dict[str, int]:
        """The process ids of what it started, by the name of the command."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                status = (folder / "status").read_text()
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                if f"\nPPid:\t{self.process.pid}\n" in status and "marketplace" in words:
                    found[words[words.index("marketplace") + 1]] = int(folder.name)
        return found


@contextlib.contextmanager
def running(data: Path, *arguments: str) -> Iterator[Running]:
    port, sandbox_port = free_port(), free_port()
    env = bare_env(PORT=str(port), SANDBOX_PORT=str(sandbox_port), MARKETPLACE_DATA_DIR=str(data))
    with subprocess.Popen(
        command("run", *arguments),
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Running(process, port, sandbox_port, _listen(process))
        finally:
            process.kill()


def _listen(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if READY in line:
            return said
    raise AssertionError(f"it ended instead of running:\n{said}")
