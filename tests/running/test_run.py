"""`marketplace run`: one command brings everything, and one signal ends everything."""

import contextlib
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from marketplace.embedded_postgres import EmbeddedPostgres
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


def status_of(url: str) -> int:
    with urllib.request.urlopen(url, timeout=5) as answer:
        status: int = answer.status
        return status


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def until_gone(processes: list[int]) -> None:
    deadline = time.monotonic() + 20
    while not all(gone(process) for process in processes):
        assert time.monotonic() < deadline, "something outlived its parent"
        time.sleep(0.05)


def test_one_command_brings_everything_and_one_signal_ends_it(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        assert f"http://127.0.0.1:{first.port}" in first.said
        assert status_of(f"http://127.0.0.1:{first.port}/health/ready") == 200
        assert status_of(f"http://127.0.0.1:{first.sandbox_port}/_sandbox/clock") == 200
        assert "mk_test_demo_buyer" in first.said
        assert "{" not in first.said, "logs flood the terminal"
        assert '"event":"request"' in (tmp_path / "logs" / "serve.log").read_text()
        children = first.children()
        assert set(children) == {"sandbox", "serve", "work"}
        started = time.monotonic()
        first.process.send_signal(signal.SIGINT)
        assert first.process.wait(20) == 0
        assert time.monotonic() - started < 10
        until_gone(list(children.values()))
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()
    # Again on the kept data: nothing to migrate, and the sandbox knows what it knew.
    with running(tmp_path) as second:
        assert "applied" not in second.said
        assert "The demo was filled already." in second.said
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(20) == 0


@pytest.mark.parametrize("name", ["sandbox", "serve", "work"])
def test_when_one_process_dies_everything_stops_and_it_is_named(tmp_path: Path, name: str) -> None:
    with running(tmp_path, "--without-demo") as program:
        children = program.children()
        os.kill(children[name], signal.SIGKILL)
        assert program.process.wait(20) == 1
        assert program.process.stdout is not None
        told = program.process.stdout.read()
        assert f"`{name}` ended by signal 9" in told
        assert f"The end of {tmp_path}/logs/{name}.log:\n  " in told
        until_gone(list(children.values()))


def test_logs_come_to_the_terminal_when_asked_for(tmp_path: Path) -> None:
    with running(tmp_path, "--without-demo", "--logs") as program:
        assert '"event":"working"' in program.said
        assert not (tmp_path / "logs").exists()


def test_nothing_outlives_a_run_that_was_killed(tmp_path: Path) -> None:
    with running(tmp_path, "--without-demo") as program:
        children = program.children()
        program.process.kill()
        until_gone(list(children.values()))
    with EmbeddedPostgres(tmp_path / "postgres") as server:  # its lock is free: no server is left
        assert server.running
