"""Refunds over HTTP: asked for by an order's seller or an admin, seen by the buyer too."""

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import UNSET

from marketplace.api.actors import deciding, reading
from marketplace.api.idempotency import key_required
from marketplace.api.policies import signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.refunds import RefundAnswer, RefundList, RefundRequest
from marketplace.services import Services


@post(
    "/v1/orders/{order_id:str}/refunds",
    **signed_in("refunds:write"),
    **key_required(),
    summary="Refund an order",
)
async def ask_for_refund(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    idempotency_key: NamedDependency[str],
    data: JSONBody[RefundRequest | None] = None,
) -> RefundAnswer:
    """All that is left, or an amount; your transfer is reversed and the fee returned in proportion."""
    wanted = data or RefundRequest()
    refund = await services.refunds.ask(
        order_id,
        deciding(principal),
        amount=None if wanted.amount is UNSET else wanted.amount,
        reason=None if wanted.reason is UNSET else wanted.reason,
        idempotency_key=idempotency_key,
        now=services.clock(),
    )
    return RefundAnswer.of(refund)


@get("/v1/orders/{order_id:str}/refunds", **signed_in("refunds:read"), summary="Refunds")
async def list_refunds(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> RefundList:
    """Every refund of the order, those made at Stripe included."""
    return RefundList.of(await services.refunds.list(order_id, reading(principal)))


ROUTES: list[HTTPRouteHandler] = [ask_for_refund, list_refunds]
