"""Refunds over HTTP: asked for by an order's seller or an admin, seen by the buyer too."""

from datetime import datetime
from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from marketplace.api.actors import deciding, reading
from marketplace.api.idempotency import key_required
from marketplace.api.moments import aware
from marketplace.api.policies import admin, signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.debts import ApprovalAnswer
from marketplace.api.schemas.refunds import (
    RefundAnswer,
    RefundApprovalRequest,
    RefundList,
    RefundRequest,
    ReviewedRefundList,
)
from marketplace.orders import refund_review
from marketplace.orders.refund_review import RefundFilter, RefundStatus
from marketplace.paging import PageRequest
from marketplace.services import Services

_Id = Annotated[str | None, QueryParameter(max_length=64)]
_Since = Annotated[
    datetime | None, QueryParameter(name="from", description="Asked for then or later: RFC 3339.")
]
_Until = Annotated[
    datetime | None, QueryParameter(name="to", description="Asked for before this moment.")
]


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
    page: NamedDependency[PageRequest],
) -> RefundList:
    """Every refund of the order, the first one first, those made at Stripe included."""
    actor = reading(principal)
    order, found = await services.refunds.page(order_id, actor, page)
    sells = actor.is_admin or actor.sells(order)
    return RefundList.of(found.data, sells=sells, has_more=found.has_more)


@get("/v1/admin/refunds", **admin("admin:read"), summary="Refunds of all orders")
async def list_all_refunds(
    page: NamedDependency[PageRequest],
    status: FromQuery[RefundStatus | None] = None,
    seller_id: _Id = None,
    order_id: _Id = None,
    requested_by: _Id = None,
    since: _Since = None,
    until: _Until = None,
) -> ReviewedRefundList:
    """The last one asked for first; those that were made at Stripe have nobody who asked."""
    wanted = RefundFilter(
        status=status,
        seller_id=seller_id,
        order_id=order_id,
        requested_by=requested_by,
        since=aware(since),
        until=aware(until),
    )
    return ReviewedRefundList.of(await refund_review.refunds(wanted, page))


ROUTES: list[HTTPRouteHandler] = [
    ask_for_refund,
    ask_for_refund_approval,
    list_refunds,
    list_all_refunds,
]
