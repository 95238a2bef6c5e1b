"""One application for each module, on a database of the module's own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from litestar import Litestar

from marketplace.api.application import build
from marketplace.composition import compose
from tests.api.harness import Browser, serving, settings_for
from tests.api.practice import PRACTICE_ROUTES
from tests.clocks import MovedClock


@pytest.fixture(scope="module")
def clock() -> MovedClock:
    return MovedClock()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(database_url: str, clock: MovedClock) -> AsyncIterator[Litestar]:
    """The routes of people, health and documentation, and those of `practice.py`."""
    composition = compose(settings_for(database_url), clock)
    built = build(
        composition.services,
        composition.services.settings,
        PRACTICE_ROUTES,
        lifespan=[lambda _: composition.running()],
    )
    async with serving(built):
        yield built
    composition.services.people.close()


@pytest.fixture
def browser(app: Litestar) -> Browser:
    """A browser nobody has signed in with yet."""
    return Browser(app)
