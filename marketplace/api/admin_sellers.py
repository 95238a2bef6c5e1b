"""What admins see of sellers and decide about them. Every decision has a reason and is on record."""

from typing import Annotated

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from connect.capability import AccountState
from marketplace.api.policies import admin
from marketplace.api.principal import Principal
from marketplace.api.schemas.sellers import (
    ApprovalDecision,
    ListedSellerAnswer,
    SellerAnswer,
    SellerList,
    SuspensionReason,
)
from marketplace.paging import PageRequest
from marketplace.sellers.directory import SellerFilter, list_sellers
from marketplace.sellers.profile import Approval
from marketplace.services import Services

_Word = Annotated[str | None, QueryParameter(max_length=80)]
_Name = Annotated[str | None, QueryParameter(min_length=2, max_length=80)]


@get("/v1/admin/sellers", **admin("admin:read"), summary="All sellers")
async def list_all_sellers(
    page: NamedDependency[PageRequest],
    approval: FromQuery[Approval | None] = None,
    # Litestar keeps the name `state` for itself.
    account_state: Annotated[AccountState | None, QueryParameter(name="state")] = None,
    suspended: FromQuery[bool | None] = None,
    account_id: _Word = None,
    name: _Name = None,
) -> SellerList:
    """Newest first: by the platform's decision, the state of their account at Stripe, their person, or
    words of their name."""
    found = await list_sellers(
        SellerFilter(
            approval=approval,
            state=account_state,
            suspended=suspended,
            account_id=account_id,
            name=name,
        ),
        page,
    )
    return SellerList(
        data=[ListedSellerAnswer.of(each) for each in found.data], has_more=found.has_more
    )


@post(
    "/v1/admin/sellers/{seller_id:str}/approval",
    **admin("admin:write"),
    status_code=200,
    summary="Approve or reject a seller",
)
async def decide_approval(
    seller_id: FromPath[str],
    data: JSONBody[ApprovalDecision],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> SellerAnswer:
    """A pending seller is approved or rejected; a rejected one may be approved later."""
    profile = await services.sellers.decide(
        seller_id,
        data.decision,
        actor=principal.account_id,
        reason=data.reason,
        now=services.clock(),
    )
    return SellerAnswer.of(profile)


@post(
    "/v1/admin/sellers/{seller_id:str}/suspension",
    **admin("admin:write"),
    status_code=200,
    summary="Suspend a seller",
)
async def suspend_seller(
    seller_id: FromPath[str],
    data: JSONBody[SuspensionReason],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> SellerAnswer:
    """Nothing of theirs can be paid for or captured until they are reinstated."""
    profile = await services.sellers.suspend(
        seller_id, actor=principal.account_id, reason=data.reason, now=services.clock()
    )
    return SellerAnswer.of(profile)


@delete(
    "/v1/admin/sellers/{seller_id:str}/suspension",
    **admin("admin:write"),
    status_code=200,
    summary="Reinstate a seller",
)
async def reinstate_seller(
    seller_id: FromPath[str],
    reason: Annotated[str, QueryParameter(min_length=1, max_length=500, description="Why.")],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> SellerAnswer:
    """The suspension ends; who suspended and why stays in the audit log."""
    profile = await services.sellers.reinstate(
        seller_id, actor=principal.account_id, reason=reason, now=services.clock()
    )
    return SellerAnswer.of(profile)


ROUTES: list[HTTPRouteHandler] = [
    list_all_sellers,
    decide_approval,
    suspend_seller,
    reinstate_seller,
]
