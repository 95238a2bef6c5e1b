"""HTTP in front of the composition: `create_app(settings)` is what `marketplace serve` serves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar
from litestar.types import ControllerRouterHandler

from marketplace.api import (
    admin_fees,
    admin_orders,
    admin_sellers,
    listings,
    orders,
    refunds,
    sellers,
)
from marketplace.api.application import build
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
    return build(services, services.settings, _ROUTES, lifespan=[lifespan])


_ROUTES: tuple[ControllerRouterHandler, ...] = (
    *listings.ROUTES,
    *orders.ROUTES,
    *refunds.ROUTES,
    *sellers.ROUTES,
    *admin_sellers.ROUTES,
    *admin_orders.ROUTES,
    *admin_fees.ROUTES,
)
