"""Refunds over HTTP: asked for by an order's seller or an admin, seen by the buyer too."""

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from marketplace.api.actors import deciding, reading
from marketplace.api.idempotency import key_required
from marketplace.api.policies import admin, signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.debts import ApprovalAnswer
from marketplace.api.schemas.refunds import (
    RefundAnswer,
    RefundApprovalRequest,
    RefundList,
    RefundRequest,
)
from marketplace.orders import records
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
    """All that is left, an amount, or some lines; your transfer is reversed with it.

    The fee is returned to you in proportion where the order's fee schedule says so.
    """
    refund = await services.refunds.ask(
        order_id,
        deciding(principal),
        (data or RefundRequest()).told(),
        idempotency_key=idempotency_key,
        now=services.clock(),
    )
    return RefundAnswer.of(refund, sells=True)


@post(
    "/v1/admin/orders/{order_id:str}/refund-approvals",
    **admin("admin:write"),
    status_code=202,
    summary="Ask for a large refund",
)
async def ask_for_refund_approval(
    order_id: FromPath[str],
    data: JSONBody[RefundApprovalRequest],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> ApprovalAnswer:
    """It is made when another admin approves, and asked of Stripe within half a minute of that."""
    approval = await services.refund_approvals.ask(
        order_id,
        deciding(principal),
        data.refund.told(),
        reason=data.reason,
        now=services.clock(),
    )
    return ApprovalAnswer.of(approval)


@get("/v1/orders/{order_id:str}/refunds", **signed_in("refunds:read"), summary="Refunds")
async def list_refunds(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> RefundList:
    """Every refund of the order, those made at Stripe included."""
    actor = reading(principal)
    refunds = await services.refunds.list(order_id, actor)
    order = await records.require(order_id, actor)
    return RefundList.of(refunds, sells=actor.is_admin or actor.sells(order))


ROUTES: list[HTTPRouteHandler] = [ask_for_refund, ask_for_refund_approval, list_refunds]
