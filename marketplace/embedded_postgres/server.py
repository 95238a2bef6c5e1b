"""Starting and stopping the server, on data kept between runs."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from marketplace.embedded_postgres.binaries import Binaries, find_binaries
from marketplace.embedded_postgres.errors import (
    DataDirectoryInUse,
    DataDirectoryRefused,
    PostgresDidNotStart,
)
from marketplace.embedded_postgres.identity import Identity, choose_identity, guard_command

# A server whose parent was just killed may still be shutting down when the next one starts.
LOCK_PATIENCE_SECONDS = 15.0

# Recovery after a crash replays the log and can take far longer than a normal start.
STARTUP_SECONDS = 180.0
STOP_SECONDS = 40.0

_POLL_SECONDS = 0.01
_SOCKET_PATH_LIMIT = 103  # sun_path holds 104 bytes on macOS, 108 on Linux, with its NUL
_LOG_TAIL_BYTES = 2_000
_LOG_KEPT_BYTES = 1_000_000

DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
"""Without these an acknowledged payment can be lost; they are on unless `fast` is asked."""
_FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "on"}


class EmbeddedPostgres:
    """A PostgreSQL server reached through a private Unix socket, alive only while we are.

    The data stays in `data_directory` between runs; beside it lie `<name>.lock`, held for the
    server's life, and `<name>.log`. `fast` gives up durability: for tests that do not test it.
    The same object may be stopped and started again and keeps its address.
    """

    def __init__(
        self,
        data_directory: Path,
        *,
        fast: bool = False,
        binaries: Binaries | None = None,
        lock_patience_seconds: float = LOCK_PATIENCE_SECONDS,
    ) -> None:
        self.data_directory = data_directory.absolute()
        self.log_path = self._beside(".log")
        self._options = _FAST if fast else DURABLE
        self._binaries = binaries
        self._lock_patience_seconds = lock_patience_seconds
        self._identity = Identity()
        self._socket_directory: Path | None = None
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def dsn(self) -> str:
        """The address of the database `postgres`, as asyncpg and libpq understand it."""
        return self.dsn_of("postgres")

    def dsn_of(self, database: str) -> str:
        """The address of one database of this server."""
        return f"postgresql://postgres@/{database}?host={self._socket_directory}"

    @property
    def running(self) -> bool:
        """Whether the server's process lives (it may have ended by itself)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> str:
        """Start the server, making its data first if there is none, and answer its address.

        Raises PostgresNotFound, DataDirectoryInUse, DataDirectoryRefused, PostgresDidNotStart.
        """
        if self.running:
            return self.dsn
        binaries = self._binaries or find_binaries()
        self._identity = choose_identity(binaries, self.data_directory)
        self._make_folder(self.data_directory.parent)
        self._lock = self._take_lock()
        try:
            self._make_data(binaries)
            # Only launchers holding our lock use this folder, so a pid file found now is stale,
            # even when its number is by now another process's.
            (self.data_directory / "postmaster.pid").unlink(missing_ok=True)
            self._launch(binaries)
            self._wait_until_ready()
        except BaseException:
            self.stop(immediate=True)
            raise
        return self.dsn

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server. `immediate` is as sudden as a power cut: the next start recovers."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            if immediate and process.poll() is None:
                os.write(process.stdin.fileno(), b"!")
            process.stdin.close()
            process.wait(STOP_SECONDS)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _beside(self, suffix: str) -> Path:
        return self.data_directory.with_name(self.data_directory.name + suffix)

    def _make_folder(self, folder: Path) -> None:
        for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
            missing.mkdir(exist_ok=True)
            self._identity.give(missing)

    def _take_lock(self) -> int:
        """Hold the lock file; the server's processes inherit it, so it outlives our death."""
        path = self._beside(".lock")
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except PermissionError as error:
            raise DataDirectoryRefused(
                self.data_directory,
                f"belongs to another user ({error}).",
                hint="Run as that user, or set MARKETPLACE_DATA_DIR to a folder of your own.",
            ) from None
        self._identity.give(path)
        deadline = time.monotonic() + self._lock_patience_seconds
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(_POLL_SECONDS)
                    continue
                os.close(lock)
                raise DataDirectoryInUse(self.data_directory) from None
            return lock

    def _make_data(self, binaries: Binaries) -> None:
        version = _major_version(binaries)
        if self.data_directory.exists():
            self._check_version(version)
            return
        # Made aside and renamed when whole: an interrupted first run leaves nothing half made.
        partial = self._beside(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        self._identity.give(partial)
        command = [str(binaries.initdb), "-D", str(partial), *_initdb_options(version)]
        if self._options is _FAST:
            command.append("--no-sync")
        with self._spawn(command, partial) as process:
            if process.wait(STARTUP_SECONDS) != 0:
                raise self._did_not_start("initdb failed.")
        partial.rename(self.data_directory)

    def _check_version(self, version: int) -> None:
        file = self.data_directory / "PG_VERSION"
        made_by = file.read_text(encoding="ascii").strip() if file.exists() else "unknown"
        if made_by != str(version):
            raise DataDirectoryRefused(
                self.data_directory,
                f"was made by PostgreSQL {made_by}, but the server found is {version}.",
                hint="Move that folder away to start with an empty database, or set DATABASE_URL.",
            )

    def _launch(self, binaries: Binaries) -> None:
        self._socket_directory = _make_socket_directory(self._socket_directory)
        self._identity.give(self._socket_directory)
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_directory),
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **self._options,
        }
        command = [str(binaries.postgres), "-D", str(self.data_directory)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self._process = self._spawn(command, self.data_directory, remove=self._socket_directory)

    def _spawn(
        self, command: list[str], folder: Path, *, remove: Path | None = None
    ) -> subprocess.Popen[bytes]:
        assert self._lock is not None
        too_long = self.log_path.exists() and self.log_path.stat().st_size > _LOG_KEPT_BYTES
        with self.log_path.open("wb" if too_long else "ab") as log:
            self._identity.give(self.log_path)
            return subprocess.Popen(
                guard_command(command, self._identity, folder, remove=remove),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(self._lock,),
                # Ctrl-C in a terminal reaches us, not the server: it must outlive our clean-up.
                start_new_session=True,
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS
        pid_file = self.data_directory / "postmaster.pid"
        while time.monotonic() < deadline:
            if not self.running:
                raise self._did_not_start("PostgreSQL ended while starting.")
            # The server writes its own state into the eighth line of its pid file.
            lines = pid_file.read_text().splitlines() if pid_file.exists() else []
            if len(lines) > 7 and lines[7].strip() == "ready":
                return
            time.sleep(_POLL_SECONDS)
        raise self._did_not_start(f"PostgreSQL was not ready after {STARTUP_SECONDS:.0f} s.")

    def _did_not_start(self, message: str) -> PostgresDidNotStart:
        log = self.log_path.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
        return PostgresDidNotStart(
            message, log=log, hint=f"Its whole log is {self.log_path}; or set DATABASE_URL."
        )


def _major_version(binaries: Binaries) -> int:
    answer = subprocess.run(
        [binaries.postgres, "--version"], capture_output=True, text=True, check=True
    )
    return int(answer.stdout.split()[2].split(".")[0])


def _initdb_options(version: int) -> list[str]:
    # From 17 on PostgreSQL carries C.UTF-8 itself, so sorting is the same on every machine.
    locale = (
        ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        if version >= 17
        else ["--locale=C.UTF-8"]
    )
    return ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-instructions", *locale]


def _make_socket_directory(previous: Path | None) -> Path:
    """A private folder (0700) whose path fits a socket address; the previous one if gone."""
    if previous is not None and not previous.exists():
        previous.mkdir(mode=0o700)
        return previous
    base = tempfile.gettempdir()
    if len(base) + len("/mp-12345678/.s.PGSQL.5432") > _SOCKET_PATH_LIMIT:
        base = "/tmp"
    return Path(tempfile.mkdtemp(prefix="mp-", dir=base))
