"""One PostgreSQL for the test session, and a fresh migrated database for each module.

The server is the embedded one (durability off), or the one named by DATABASE_URL.
"""

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

from marketplace.embedded_postgres import EmbeddedPostgres
from marketplace.migrating import migrate


@dataclass(frozen=True)
class Databases:
    """A server on which databases can be made. `dsn` is the database to make them from."""

    dsn: str

    def dsn_of(self, name: str) -> str:
        return urlunsplit(urlsplit(self.dsn)._replace(path=f"/{name}"))

    async def create(self, *, template: str | None = None) -> str:
        """Make an empty database, or a copy of another, and answer its name."""
        name = f"marketplace_test_{uuid.uuid4().hex[:12]}"
        copy = f' TEMPLATE "{template}"' if template else ""
        await self._run(f'CREATE DATABASE "{name}"{copy}')
        return name

    async def drop(self, name: str) -> None:
        """Remove a database, ending whoever is still connected to it."""
        await self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def _run(self, statement: str) -> None:
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """The session's server."""
    given = os.environ.get("DATABASE_URL")
    if given:
        yield Databases(given)
        return
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "data", fast=True) as server:
        yield Databases(server.dsn)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated_template(databases: Databases) -> AsyncIterator[str]:
    """The name of a database that went through every migration; copied, never used itself."""
    name = await databases.create()
    await migrate(databases.dsn_of(name))
    yield name
    await databases.drop(name)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database_url(databases: Databases, migrated_template: str) -> AsyncIterator[str]:
    """The address of a fresh, migrated database of this module's own."""
    name = await databases.create(template=migrated_template)
    yield databases.dsn_of(name)
    await databases.drop(name)


@pytest_asyncio.fixture(loop_scope="session")
async def empty_database_url(databases: Databases) -> AsyncIterator[str]:
    """The address of a fresh database without any table, for one test."""
    name = await databases.create()
    yield databases.dsn_of(name)
    await databases.drop(name)
