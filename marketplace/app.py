"""HTTP in front of the composition: `create_app(settings)` is what `marketplace serve` serves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar

from marketplace.api.application import build
from marketplace.api.routes import ROUTES
from marketplace.composition import Composition, compose
from marketplace.settings import Settings


def create_app(settings: Settings) -> Litestar:
    """The application for these settings; its lifespan opens and closes what it needs."""
    return app_of(compose(settings))


def app_of(composition: Composition) -> Litestar:
    """The application of a composition one already holds."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with composition.running():
            yield

    services = composition.services
    return build(services, services.settings, ROUTES, lifespan=[lifespan])
