"""Fee credits over HTTP, for admins."""

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from marketplace.api.idempotency import key_required
from marketplace.api.policies import admin
from marketplace.api.principal import Principal
from marketplace.api.schemas.debts import ApprovalAnswer
from marketplace.api.schemas.fee_credits import (
    FeeCreditAnswer,
    FeeCreditList,
    FeeCreditMovementList,
    NewFeeCredit,
    RevocationReason,
)
from marketplace.fees import credits, grants
from marketplace.paging import PageRequest
from marketplace.sellers.profile import checked_reason
from marketplace.services import Services

_CREDITS = "/v1/admin/fee-credits"
_CREDIT = f"{_CREDITS}/{{credit_id:str}}"
_Seller = Annotated[str | None, QueryParameter(max_length=64)]


@get(_CREDITS, **admin("fees:read"), summary="Fee credits")
async def list_fee_credits(
    page: NamedDependency[PageRequest], seller_id: _Seller = None
) -> FeeCreditList:
    """Of one seller or of all, the newest first."""
    return FeeCreditList.of(await credits.credits_of(seller_id, page))


@post(_CREDITS, **admin("admin:write"), **key_required(), summary="Grant a fee credit")
async def grant_fee_credit(
    data: JSONBody[NewFeeCredit],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> FeeCreditAnswer:
    """Fees of orders placed from now on are lessened by it, until it is used up or over.

    What is more than one admin may grant a seller within a month is asked for as an approval.
    """
    credit = await services.fee_grants.grant(
        data.told(),
        actor=principal.account_id,
        reason=checked_reason(data.reason),
        now=services.clock(),
    )
    return FeeCreditAnswer.of(credit)


@post(
    "/v1/admin/fee-credit-approvals",
    **admin("admin:write"),
    status_code=202,
    summary="Ask for a large fee credit",
)
async def ask_for_fee_credit_approval(
    data: JSONBody[NewFeeCredit],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> ApprovalAnswer:
    """It is granted when another admin approves."""
    approval = await services.fee_grants.ask(
        data.told(),
        actor=principal.account_id,
        reason=checked_reason(data.reason),
        now=services.clock(),
    )
    return ApprovalAnswer.of(approval)


@get(_CREDIT, **admin("fees:read"), summary="One fee credit")
async def read_fee_credit(credit_id: FromPath[str]) -> FeeCreditAnswer:
    """How much of it is left."""
    return FeeCreditAnswer.of(await credits.find(credit_id))


@get(f"{_CREDIT}/movements", **admin("fees:read"), summary="What orders took of a credit")
async def list_fee_credit_movements(
    credit_id: FromPath[str], page: NamedDependency[PageRequest]
) -> FeeCreditMovementList:
    """And what they gave back, because they were not captured, or not whole."""
    return FeeCreditMovementList.of(await credits.movements_of(credit_id, page))


@post(f"{_CREDIT}/revocation", **admin("admin:write"), status_code=200, summary="End a fee credit")
async def revoke_fee_credit(
    credit_id: FromPath[str],
    data: JSONBody[RevocationReason],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> FeeCreditAnswer:
    """What is left of it; orders keep what they took."""
    credit = await grants.revoke(
        credit_id,
        actor=principal.account_id,
        reason=checked_reason(data.reason),
        now=services.clock(),
    )
    return FeeCreditAnswer.of(credit)


ROUTES: list[HTTPRouteHandler] = [
    list_fee_credits,
    grant_fee_credit,
    ask_for_fee_credit_approval,
    read_fee_credit,
    list_fee_credit_movements,
    revoke_fee_credit,
]
