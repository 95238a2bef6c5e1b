"""The whole application over HTTP, with admins, on a database of the module's own; Stripe is not reached."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from litestar import Litestar

from marketplace.api.application import build
from marketplace.api.routes import ROUTES
from marketplace.composition import Composition, compose
from tests.api.harness import Browser, new_admin, serving, settings_for
from tests.clocks import MovedClock


@pytest.fixture(scope="module")
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture(scope="module")
def composition(database_url: str, clock: MovedClock) -> Composition:
    return compose(settings_for(database_url), clock)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(composition: Composition) -> AsyncIterator[Litestar]:
    """Every route of the program."""
    built = build(
        composition.services,
        composition.services.settings,
        ROUTES,
        lifespan=[lambda _: composition.running()],
    )
    async with serving(built):
        await composition.services.fees.ensure_first(composition.services.clock())
        yield built
    composition.services.people.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def admin(app: Litestar, clock: MovedClock) -> Browser:
    """An admin's program: its key outlives the hours that pass here."""
    return await with_a_key(app, await new_admin(app, clock))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def second(app: Litestar, clock: MovedClock) -> Browser:
    """Another admin's."""
    return await with_a_key(app, await new_admin(app, clock, "second@example.com"))


async def with_a_key(app: Litestar, person: Browser) -> Browser:
    """A client with a key of this admin's."""
    token = await person.api_key("admin:read", "admin:write", "account:read")
    program = Browser(app)
    program.http.headers["Authorization"] = f"Bearer {token}"
    program.account = person.account
    return program
