"""Orders over HTTP, for their buyers and sellers."""

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody

from marketplace.api.actors import reading
from marketplace.api.idempotency import key_required
from marketplace.api.policies import signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.orders import (
    AttemptList,
    NewOrder,
    OrderAnswer,
    OrderList,
    StepList,
)
from marketplace.orders.order_states import Status
from marketplace.orders.reading import require_payer
from marketplace.paging import Page, PageRequest
from marketplace.services import Services


@post("/v1/orders", **signed_in("orders:write"), **key_required(), summary="Make an order")
async def place_order(
    data: JSONBody[NewOrder],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    idempotency_key: NamedDependency[str],
) -> OrderAnswer:
    """Say what and how many; prices and the fee are the server's, and fixed from here on.

    Nothing is set aside and nothing is charged yet: `POST /v1/orders/{id}/checkout` is next, within
    24 hours.
    """
    buyer = reading(principal)
    placed = await services.orders.place(
        buyer.account_id, data.told(), idempotency_key, services.clock(), data.sent_to()
    )
    return OrderAnswer.of(placed.view, buyer)


@get("/v1/orders", **signed_in("orders:read"), summary="Your orders")
async def list_orders(
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
    status: FromQuery[Status | None] = None,
) -> OrderList:
    """What you have bought, the newest first."""
    found = await services.orders.list_for_buyer(principal.account_id, page, status)
    return OrderList.of(found, reading(principal))


@get(
    "/v1/sellers/{seller_id:str}/orders",
    **signed_in("orders:read"),
    summary="Orders of your shop",
)
async def list_seller_orders(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
    status: FromQuery[Status | None] = None,
) -> OrderList:
    """What was bought of you, the newest first. Orders in `checkout` are shown when asked for only."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    found = await services.orders.list_for_seller(seller.id, principal.account_id, page, status)
    return OrderList.of(found, reading(principal))


@get("/v1/orders/{order_id:str}", **signed_in("orders:read"), summary="One order")
async def read_order(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> OrderAnswer:
    """For its buyer and its seller. After paying, the status follows Stripe's webhook."""
    actor = reading(principal)
    return OrderAnswer.of(await services.orders.find(order_id, actor), actor)


@get(
    "/v1/orders/{order_id:str}/attempts",
    **signed_in("orders:read"),
    summary="Attempts to pay",
)
async def list_attempts(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
) -> AttemptList:
    """For its buyer: what banks said each time, in our stable codes; the first one first."""
    order = await require_payer(order_id, reading(principal))
    found = await services.payments.attempts(order.id, page.starting_after, page.fetched)
    cut = Page.cut(found, page)
    return AttemptList.of(cut.data, has_more=cut.has_more)


@get("/v1/orders/{order_id:str}/history", **signed_in("orders:read"), summary="What happened")
async def read_history(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
) -> StepList:
    """The steps of the order, the first one first: what happened, who was behind it, and when."""
    found = await services.orders.history_page(order_id, reading(principal), page)
    return StepList.of(found.data, has_more=found.has_more)


ROUTES: list[HTTPRouteHandler] = [
    place_order,
    list_orders,
    list_seller_orders,
    read_order,
    list_attempts,
    read_history,
]
