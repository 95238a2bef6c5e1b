"""Disputes over HTTP: seen and answered by an order's seller, overseen by admins."""

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody

from marketplace.api.actors import deciding, reading
from marketplace.api.idempotency import repeatable
from marketplace.api.policies import admin, signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.disputes import (
    DisputeAnswer,
    DisputeList,
    EvidenceAnswer,
    EvidenceEdit,
)
from marketplace.disputes.cases import DisputeFilter
from marketplace.paging import PageRequest
from marketplace.services import Services


@get(
    "/v1/sellers/{seller_id:str}/disputes",
    **signed_in("orders:read"),
    summary="Disputes of your sales",
)
async def list_seller_disputes(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
    open: FromQuery[bool | None] = None,
) -> DisputeList:
    """The newest first; `open=true` leaves out those that are decided."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    wanted = DisputeFilter(seller_id=seller.id, owner_id=principal.account_id, open=open)
    return DisputeList.of(await services.disputes.list(wanted, page))


@get("/v1/admin/disputes", **admin("admin:read"), summary="All disputes")
async def list_all_disputes(
    services: NamedDependency[Services],
    page: NamedDependency[PageRequest],
    seller_id: FromQuery[str | None] = None,
    open: FromQuery[bool | None] = None,
) -> DisputeList:
    """Disputes of everybody, the newest first."""
    wanted = DisputeFilter(seller_id=seller_id, open=open)
    return DisputeList.of(await services.disputes.list(wanted, page))


@get("/v1/disputes/{dispute_id:str}", **signed_in("orders:read"), summary="One dispute")
async def read_dispute(
    dispute_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> DisputeAnswer:
    """For the seller of the order and for admins."""
    return DisputeAnswer.of(await services.disputes.find(dispute_id, reading(principal)))


@get(
    "/v1/disputes/{dispute_id:str}/evidence",
    **signed_in("orders:read"),
    summary="The evidence of a dispute",
)
async def read_evidence(
    dispute_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> EvidenceAnswer:
    """Built from the order, its tracking and its messages, with your words over it."""
    return EvidenceAnswer.of(await services.disputes.evidence(dispute_id, reading(principal)))


@put(
    "/v1/disputes/{dispute_id:str}/evidence",
    **signed_in("orders:write"),
    summary="Write the evidence of a dispute",
)
async def edit_evidence(
    dispute_id: FromPath[str],
    data: JSONBody[EvidenceEdit],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> EvidenceAnswer:
    """Replaces your words; nothing is sent to the bank yet."""
    pack = await services.disputes.edit(
        dispute_id, deciding(principal), data.fields, services.clock()
    )
    return EvidenceAnswer.of(pack)


@post(
    "/v1/disputes/{dispute_id:str}/submission",
    **signed_in("orders:write"),
    **repeatable(),
    status_code=200,
    summary="Submit the evidence to the bank",
)
async def submit_evidence(
    dispute_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> EvidenceAnswer:
    """Once, and for good: the bank looks at what `GET .../evidence` shows now."""
    pack = await services.disputes.submit(dispute_id, deciding(principal), services.clock())
    return EvidenceAnswer.of(pack)


@post(
    "/v1/disputes/{dispute_id:str}/acceptance",
    **signed_in("orders:write"),
    **repeatable(),
    status_code=200,
    summary="Give a dispute up",
)
async def accept_dispute(
    dispute_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> DisputeAnswer:
    """It is lost at once, and the buyer keeps the money."""
    return DisputeAnswer.of(
        await services.disputes.accept(dispute_id, deciding(principal), services.clock())
    )


ROUTES: list[HTTPRouteHandler] = [
    list_seller_disputes,
    list_all_disputes,
    read_dispute,
    read_evidence,
    edit_evidence,
    submit_evidence,
    accept_dispute,
]
