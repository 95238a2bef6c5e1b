"""`marketplace run`: one command brings everything, and one signal ends everything."""

import json
import os
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from marketplace.embedded_postgres import EmbeddedPostgres
from marketplace.supervisor import STOP_SECONDS
from tests.running.processes import marketplace
from tests.running.whole import running


def status_of(url: str) -> int:
    with urllib.request.urlopen(url, timeout=30) as answer:
        status: int = answer.status
        return status


def suspend_the_shop(port: int) -> None:
    seller = ask(port, "mk_test_demo_shop", "/v1/sellers/me")
    told = {"reason": "we are trying this out"}
    answer = ask(port, "mk_test_demo_admin", f"/v1/admin/sellers/{seller['id']}/suspension", told)
    assert answer["suspended_at"] is not None


def ask(port: int, key: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        headers=headers,
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def until_gone(processes: list[int]) -> None:
    deadline = time.monotonic() + 60
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
        suspend_the_shop(first.port)
        checked = marketplace("check", MARKETPLACE_DATA_DIR=str(tmp_path))
        assert checked.returncode == 0, checked.stderr
        assert "0 broken." in checked.stdout
        children = first.children()
        assert set(children) == {"sandbox", "serve", "work"}
        started = time.monotonic()
        first.process.send_signal(signal.SIGINT)
        assert first.process.wait(60) == 0
        assert time.monotonic() - started < STOP_SECONDS, "a process had to be killed"
        until_gone(list(children.values()))
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()
    assert not (tmp_path / "run.json").exists()
    # Again on the kept data, whatever people made of it: nothing to migrate, nothing to fill.
    with running(tmp_path) as second:
        assert "applied" not in second.said
        assert "The demo was filled already." in second.said
        assert '"event":"request"' in (tmp_path / "logs" / "serve.log.1").read_text()
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(60) == 0


@pytest.mark.parametrize("name", ["sandbox", "serve", "work"])
def test_when_one_process_dies_everything_stops_and_it_is_named(tmp_path: Path, name: str) -> None:
    with running(tmp_path, "--without-demo") as program:
        children = program.children()
        os.kill(children[name], signal.SIGKILL)
        assert program.process.wait(60) == 1
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
