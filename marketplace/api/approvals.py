"""Acts that need two admins, over HTTP."""

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from marketplace.api.policies import admin
from marketplace.api.principal import Principal
from marketplace.api.schemas.debts import ApprovalAnswer, ApprovalList, DecisionReason
from marketplace.oversight.approvals import State
from marketplace.paging import PageRequest
from marketplace.sellers.profile import checked_reason
from marketplace.services import Services

_Word = Annotated[str | None, QueryParameter(max_length=80)]


@get("/v1/admin/approvals", **admin("admin:read"), summary="Acts that need two admins")
async def list_approvals(
    services: NamedDependency[Services],
    page: NamedDependency[PageRequest],
    # Litestar keeps the name `state` for itself.
    approval_state: Annotated[State | None, QueryParameter(name="state")] = None,
    action: _Word = None,
    subject: _Word = None,
) -> ApprovalList:
    """What was asked for and what was decided, the newest first; of one act, or about one thing."""
    found = await services.approvals.page(approval_state, page, action=action, subject=subject)
    return ApprovalList.of(found)


@get("/v1/admin/approvals/{approval_id:str}", **admin("admin:read"), summary="One approval")
async def read_approval(
    approval_id: FromPath[str], services: NamedDependency[Services]
) -> ApprovalAnswer:
    """Who asked for what, why, and who decided."""
    return ApprovalAnswer.of(await services.approvals.require(approval_id))


@post(
    "/v1/admin/approvals/{approval_id:str}/approval",
    **admin("admin:write"),
    status_code=200,
    summary="Approve an act",
)
async def approve(
    approval_id: FromPath[str],
    data: JSONBody[DecisionReason],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> ApprovalAnswer:
    """It is done at once. Who asked for it cannot approve it."""
    decided = await services.approvals.approve(
        approval_id,
        by=principal.account_id,
        reason=checked_reason(data.reason),
        now=services.clock(),
    )
    return ApprovalAnswer.of(decided)


@post(
    "/v1/admin/approvals/{approval_id:str}/refusal",
    **admin("admin:write"),
    status_code=200,
    summary="Refuse an act",
)
async def refuse(
    approval_id: FromPath[str],
    data: JSONBody[DecisionReason],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> ApprovalAnswer:
    """It is not done. Who asked for it may withdraw it so."""
    decided = await services.approvals.refuse(
        approval_id,
        by=principal.account_id,
        reason=checked_reason(data.reason),
        now=services.clock(),
    )
    return ApprovalAnswer.of(decided)


ROUTES: list[HTTPRouteHandler] = [list_approvals, read_approval, approve, refuse]
