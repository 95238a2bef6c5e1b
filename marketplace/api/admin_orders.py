"""Orders over HTTP, for admins."""

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from marketplace.api.actors import deciding, reading
from marketplace.api.policies import admin
from marketplace.api.principal import Principal
from marketplace.api.schemas.orders import (
    AdminOrderAnswer,
    AttemptList,
    FulfilmentRelease,
    OrderAnswer,
    OrderList,
    StepList,
)
from marketplace.api.schemas.refunds import RefundList
from marketplace.orders.order_states import Status
from marketplace.orders.reading import OrderFilter
from marketplace.paging import PageRequest
from marketplace.services import Services

_Id = Annotated[str | None, QueryParameter(max_length=64)]


@get("/v1/admin/orders", **admin("admin:read"), summary="All orders")
async def list_all_orders(
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
    status: FromQuery[Status | None] = None,
    seller_id: _Id = None,
    buyer_id: _Id = None,
) -> OrderList:
    """Orders of everybody, the newest first."""
    wanted = OrderFilter(status=status, seller_id=seller_id, buyer_id=buyer_id)
    return OrderList.of(await services.orders.list_all(wanted, page), reading(principal))


@get("/v1/admin/orders/{order_id:str}", **admin("admin:read"), summary="All about one order")
async def read_any_order(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> AdminOrderAnswer:
    """The order, its payment, its history, its attempts and refunds, and how its fee came about."""
    actor = reading(principal)
    view = await services.orders.find(order_id, actor)
    return AdminOrderAnswer(
        order=OrderAnswer.of(view, actor),
        payment_intent=view.payment.intent_id if view.payment else None,
        processing_cost=view.payment.processing_cost if view.payment else 0,
        fee=msgspec.to_builtins(await services.orders.fee_quote(order_id, actor)),
        steps=StepList.of(await services.orders.history(order_id, actor)).data,
        attempts=AttemptList.of(await services.payments.attempts(order_id)).data,
        refunds=RefundList.of(await services.refunds.list(order_id, actor), sells=True).data,
    )


@post(
    "/v1/admin/orders/{order_id:str}/fulfilment-release",
    **admin("admin:write"),
    status_code=200,
    summary="Release held fulfilment",
)
async def release_fulfilment(
    order_id: FromPath[str],
    data: JSONBody[FulfilmentRelease],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> OrderAnswer:
    """You have looked at why money and order differ, and say why the order may go on. On record."""
    actor = deciding(principal)
    view = await services.holds.release(order_id, actor, data.reason, services.clock())
    return OrderAnswer.of(view, actor)


ROUTES: list[HTTPRouteHandler] = [list_all_orders, read_any_order, release_fulfilment]
