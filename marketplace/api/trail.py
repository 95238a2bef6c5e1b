"""The trail of an order over HTTP: for its parties, and for admins."""

from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from marketplace.api.actors import reading
from marketplace.api.policies import admin, signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.trail import TrailAnswer
from marketplace.orders.trail import trail


@get(
    "/v1/orders/{order_id:str}/trail",
    **signed_in("orders:read"),
    summary="The story of an order",
)
async def read_trail(order_id: FromPath[str], principal: NamedDependency[Principal]) -> TrailAnswer:
    """From price to payout, in one ordered list: buyers read of their payment, sellers of their money."""
    return TrailAnswer.of(await trail(order_id, reading(principal)))


@get(
    "/v1/admin/orders/{order_id:str}/trail",
    **admin("admin:read"),
    summary="The whole story of an order",
)
async def read_whole_trail(
    order_id: FromPath[str], principal: NamedDependency[Principal]
) -> TrailAnswer:
    """With every request to Stripe and its key, every webhook, every posting, and who was behind it."""
    return TrailAnswer.of(await trail(order_id, reading(principal)))


ROUTES: list[HTTPRouteHandler] = [read_trail, read_whole_trail]
