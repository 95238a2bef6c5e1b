"""The journal of everything asked of Stripe over HTTP, for admins."""

from datetime import timedelta
from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from marketplace.api.policies import admin
from marketplace.api.principal import Principal
from marketplace.api.schemas.operations import (
    OperationDetailsAnswer,
    OperationList,
    OperationState,
    ResolutionAnswer,
    ResolutionReason,
)
from marketplace.paging import PageRequest
from marketplace.services import Services
from payments.operation_review import OperationFilter

_Word = Annotated[str | None, QueryParameter(max_length=40)]
_Age = Annotated[
    int | None,
    QueryParameter(ge=0, le=10**9, description="Only those planned at least so long ago."),
]


@get("/v1/admin/operations", **admin("admin:read"), summary="What was asked of Stripe")
async def list_operations(
    services: NamedDependency[Services],
    page: NamedDependency[PageRequest],
    # Litestar keeps the name `state` for itself.
    operation_state: Annotated[OperationState | None, QueryParameter(name="state")] = None,
    is_open: Annotated[
        bool | None, QueryParameter(name="open", description="Without an outcome.")
    ] = None,
    kind: _Word = None,
    order_id: _Word = None,
    older_than_seconds: _Age = None,
) -> OperationList:
    """Every request that changes something at Stripe, the newest first."""
    now = services.clock()
    age = None if older_than_seconds is None else timedelta(seconds=older_than_seconds)
    wanted = OperationFilter(
        state=operation_state,
        open=is_open,
        kind=kind,
        order_id=order_id,
        before=None if age is None else now - age,
    )
    return OperationList.of(await services.operation_desk.list(wanted, page), now)


@get(
    "/v1/admin/operations/{operation_id:str}",
    **admin("admin:read"),
    summary="One request to Stripe",
)
async def read_operation(
    operation_id: FromPath[str], services: NamedDependency[Services]
) -> OperationDetailsAnswer:
    """What was asked, when, how often, what happened, what happens next, and what you can do."""
    found = await services.operation_desk.require(operation_id)
    return OperationDetailsAnswer.of(found, services.clock())


@post(
    "/v1/admin/operations/{operation_id:str}/resolution",
    **admin("admin:write"),
    status_code=200,
    summary="Find an outcome out now",
)
async def resolve_operation(
    operation_id: FromPath[str],
    data: JSONBody[ResolutionReason],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> ResolutionAnswer:
    """Stripe is read, and what is found is taken in. Nothing is sent that could happen twice."""
    now = services.clock()
    resolved = await services.operation_desk.resolve(
        operation_id, actor=principal.account_id, reason=data.reason, now=now
    )
    return ResolutionAnswer.of(resolved, now)


ROUTES: list[HTTPRouteHandler] = [list_operations, read_operation, resolve_operation]
