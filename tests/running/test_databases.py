import asyncpg

from tests.databases import Databases


async def test_a_module_gets_a_database_of_its_own_dropped_afterwards(databases: Databases) -> None:
    name = await databases.create()
    connection = await asyncpg.connect(databases.dsn_of(name))
    assert await connection.fetchval("SELECT current_database()") == name
    await connection.close()
    await databases.drop(name)
    connection = await asyncpg.connect(databases.dsn)
    assert not await connection.fetchval(
        "SELECT count(*) FROM pg_database WHERE datname = $1", name
    )
    await connection.close()


async def test_a_fresh_database_is_migrated(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM migration") is not None
    await connection.close()
