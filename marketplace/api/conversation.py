"""The messages between buyer and seller of an order, over HTTP."""

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from marketplace.api.actors import deciding, reading
from marketplace.api.idempotency import repeatable
from marketplace.api.policies import signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.conversation import (
    NewOrderMessage,
    OrderMessageAnswer,
    OrderMessageList,
)
from marketplace.paging import PageRequest
from marketplace.services import Services


@post(
    "/v1/orders/{order_id:str}/messages",
    **signed_in("orders:write"),
    **repeatable(),
    summary="Write about an order",
)
async def write_message(
    order_id: FromPath[str],
    data: JSONBody[NewOrderMessage],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> OrderMessageAnswer:
    """To the order's other party. What is written stays written."""
    written = await services.conversation.write(
        order_id, deciding(principal), data.body, services.clock()
    )
    return OrderMessageAnswer.of(written)


@get(
    "/v1/orders/{order_id:str}/messages",
    **signed_in("orders:read"),
    summary="What was written about an order",
)
async def list_messages(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
) -> OrderMessageList:
    """The first message first."""
    return OrderMessageList.of(await services.conversation.list(order_id, reading(principal), page))


ROUTES: list[HTTPRouteHandler] = [write_message, list_messages]
