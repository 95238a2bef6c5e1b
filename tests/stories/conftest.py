"""One town for the stories of a module; people and shops are new in each story."""

from collections.abc import AsyncIterator

import pytest_asyncio

from marketplace.invariants.check import broken, broken_chains
from tests.stories.town import Person, Town, running_town


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(database_url: str) -> AsyncIterator[Town]:
    async with running_town(database_url) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def invariants_hold(town: Town) -> AsyncIterator[None]:
    """Whatever happened in a story, at its end nothing is broken that must never be."""
    town.keeps_pace(30)
    yield
    found = [*await broken(town.clock()), *await broken_chains()]
    assert not found, {one.rule.name: one.ids for one in found}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def admin(town: Town) -> Person:
    return await town.admin()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def coach(town: Town, admin: Person) -> Person:
    return await town.seller("coach", admin=admin)


@pytest_asyncio.fixture(loop_scope="session")
async def buyer(town: Town) -> Person:
    return await town.arrives("buyer")
