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
from marketplace.api.stripe import webhook_handlers
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
    return build(services, services.settings, _routes(composition), lifespan=[lifespan])


def _routes(composition: Composition) -> list[ControllerRouterHandler]:
    services = composition.services
    settings = services.settings
    return [
        *listings.ROUTES,
        *orders.ROUTES,
        *refunds.ROUTES,
        *sellers.ROUTES,
        *admin_sellers.ROUTES,
        *admin_orders.ROUTES,
        *admin_fees.ROUTES,
        *webhook_handlers(
            {
                "platform": settings.stripe_webhook_secrets_platform,
                "accounts": settings.stripe_webhook_secrets_accounts,
                "connect": settings.stripe_webhook_secrets_connect,
            },
            services.receipt,
            services.clock,
        ),
    ]
