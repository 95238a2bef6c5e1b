"""The run's PostgreSQL: embedded, durable, on the disk the program would use, gone when the run ends."""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from marketplace.embedded_postgres import EmbeddedPostgres
from marketplace.migrating import migrate

# Not the system's folder for temporary files: that may be memory, where a commit costs nothing.
_FOLDER = Path(__file__).resolve().parents[2] / ".data"
_COMMITS_TRIED = 100
_MARK = "CREATE TABLE commits (id bigserial PRIMARY KEY)"


class Server:
    """The one server of a run, with databases made of templates."""

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self._postgres = postgres

    def prepare(self, name: str) -> str:
        """Make an empty, migrated database and answer its address."""
        self.run(f"CREATE DATABASE {name}")
        asyncio.run(migrate(self._postgres.dsn_of(name)))
        return self._postgres.dsn_of(name)

    def copy(self, template: str, name: str) -> str:
        """Make a copy of a database nobody is connected to and answer its address."""
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._postgres.dsn_of(name)

    def run(self, statement: str, *, database: str = "postgres") -> None:
        asyncio.run(_fetch(self._postgres.dsn_of(database), statement))

    def rows(self, query: str, *, database: str = "postgres") -> list[Any]:
        return asyncio.run(_fetch(self._postgres.dsn_of(database), query))

    def number(self, query: str, *, database: str = "postgres") -> int:
        return int(self.rows(query, database=database)[0][0])

    def checkpoint(self) -> None:
        """Write out what is due, so that nobody pays for what another one wrote."""
        self.run("CHECKPOINT")

    def watch_statements(self) -> None:
        """Count every statement from now on (pg_stat_statements); restarts the server."""
        self.run("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        self._postgres.stop()
        self._postgres.start()
        self.run("CREATE EXTENSION pg_stat_statements")

    def statements(self, database: str) -> list["Statement"]:
        """What was run in a database, the most often run first."""
        found = self.rows(
            "SELECT query, calls, total_exec_time / calls AS milliseconds FROM pg_stat_statements s "
            "JOIN pg_database d ON d.oid = s.dbid "
            f"WHERE d.datname = '{database}' AND toplevel ORDER BY calls DESC, query"
        )
        return [Statement(" ".join(one[0].split()), one[1], one[2]) for one in found]

    def forget_statements(self) -> None:
        self.run("SELECT pg_stat_statements_reset()")

    def facts(self) -> dict[str, str]:
        """What the numbers depend on; refuses to measure a server that does not keep what it says."""
        names = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
        facts = {name: str(self.rows(f"SHOW {name}")[0][0]) for name in names}
        assert all(facts[name] == "on" for name in names[1:]), facts
        facts["one_commit_ms"] = f"{asyncio.run(_commit_milliseconds(self._postgres.dsn)):.2f}"
        return facts


class Statement(msgspec.Struct, frozen=True):
    """One statement of SQL: how often it ran, and the database's time for it."""

    sql: str
    calls: int
    milliseconds: float


@contextlib.contextmanager
def running_server() -> Iterator[Server]:
    """A new server with durable settings, removed with its data at the end."""
    _FOLDER.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="benchmark-", dir=_FOLDER))
    try:
        with EmbeddedPostgres(folder / "postgres") as postgres:
            yield Server(postgres)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _fetch(dsn: str, statement: str) -> list[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        found: list[Any] = await connection.fetch(statement)
        return found
    finally:
        await connection.close()


async def _commit_milliseconds(dsn: str) -> float:
    """How long one small commit takes: the disk's share of everything below."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_MARK)
        began = time.perf_counter()
        for _ in range(_COMMITS_TRIED):
            await connection.execute("INSERT INTO commits DEFAULT VALUES")
        return (time.perf_counter() - began) * 1000 / _COMMITS_TRIED
    finally:
        await connection.close()
