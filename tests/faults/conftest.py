"""One town for the faults of a module; after every test the town is at rest and its books are exact."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import structlog

from tests.faults.invariants import broken_at_rest, require_invariants
from tests.stories.town import Person, Town, running_town


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks() -> None:
    """The pretty ones show every local variable and hold the event loop up for seconds."""
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], renderer])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def quiet_town(database_url: str) -> AsyncIterator[Town]:
    async with running_town(database_url) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def town(quiet_town: Town) -> AsyncIterator[Town]:
    """The module's town; it must come to rest with everything in order."""
    quiet_town.keeps_pace(30)
    yield quiet_town
    await quiet_town.stripe("DELETE", "/_sandbox/faults")
    await at_rest(quiet_town)


async def at_rest(town: Town) -> None:
    """Let what was put off happen, for a quarter of an hour at most, then assert what must always be true."""
    await town.passes(seconds=10)  # what Stripe holds back goes on its way
    for _ in range(10):
        if not await broken_at_rest():
            break
        await town.passes(seconds=90)
    await require_invariants(
        town.sandbox.sandbox.world, town.composition.services.gateway, town.clock
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def admin(quiet_town: Town) -> Person:
    return await quiet_town.admin()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def coach(quiet_town: Town, admin: Person) -> Person:
    return await quiet_town.seller("coach", admin=admin)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def buyer(quiet_town: Town) -> Person:
    return await quiet_town.arrives("buyer")
