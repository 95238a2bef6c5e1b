"""Freezing a seller's money over HTTP: one admin begins it, two end it."""

from litestar import post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from marketplace.api.policies import admin
from marketplace.api.principal import Principal
from marketplace.api.schemas.debts import ApprovalAnswer
from marketplace.api.schemas.sellers import FreezeReason, SellerAnswer
from marketplace.services import Services


@post(
    "/v1/admin/sellers/{seller_id:str}/freeze",
    **admin("admin:write"),
    status_code=200,
    summary="Freeze a seller's money",
)
async def freeze_seller(
    seller_id: FromPath[str],
    data: JSONBody[FreezeReason],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> SellerAnswer:
    """Nothing of theirs is paid for or captured, and Stripe holds their automatic payouts back."""
    profile = await services.freezes.freeze(
        seller_id, actor=principal.account_id, reason=data.reason, now=services.clock()
    )
    return SellerAnswer.of(profile)


@post(
    "/v1/admin/sellers/{seller_id:str}/unfreezing",
    **admin("admin:write"),
    status_code=202,
    summary="Ask that a seller's money moves again",
)
async def ask_unfreezing(
    seller_id: FromPath[str],
    data: JSONBody[FreezeReason],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> ApprovalAnswer:
    """It does when another admin approves."""
    approval = await services.freezes.ask_unfreeze(
        seller_id, actor=principal.account_id, reason=data.reason, now=services.clock()
    )
    return ApprovalAnswer.of(approval)


ROUTES: list[HTTPRouteHandler] = [freeze_seller, ask_unfreezing]
