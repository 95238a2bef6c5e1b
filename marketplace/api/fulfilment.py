"""From a held payment to a happy buyer, over HTTP: prepare, ship, schedule, complete, cancel."""

from litestar import get, patch, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import UNSET

from marketplace.api.actors import deciding, reading
from marketplace.api.policies import signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.fulfilment import (
    AbsenceBody,
    CancellationRequest,
    CancellationTermsAnswer,
    ParcelBody,
    PreparationRequest,
    ScheduleBody,
)
from marketplace.api.schemas.orders import OrderAnswer
from marketplace.services import Services


@post(
    "/v1/orders/{order_id:str}/preparation",
    **signed_in("orders:write"),
    status_code=200,
    summary="Prepare an order",
)
async def prepare_order(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    data: JSONBody[PreparationRequest | None] = None,
) -> OrderAnswer:
    """You have the products ready: the money that the buyer's bank holds is captured now, once.

    Without `lines` everything is ready. What is left out is never captured: the rest of the hold is
    released, its stock is yours again, and the fee is computed anew.
    """
    actor = deciding(principal)
    ready = data.told() if data else None
    view = await services.preparation.prepare(order_id, actor, services.clock(), ready)
    return OrderAnswer.of(view, actor)


@post(
    "/v1/orders/{order_id:str}/shipment",
    **signed_in("orders:write"),
    status_code=200,
    summary="Ship an order",
)
async def ship_order(
    order_id: FromPath[str],
    data: JSONBody[ParcelBody],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> OrderAnswer:
    """The parcel is on its way; refused unless the money is captured. Stripe is told, for disputes."""
    actor = deciding(principal)
    view = await services.shipping.ship(order_id, actor, data.told(), services.clock())
    return OrderAnswer.of(view, actor)


@patch(
    "/v1/orders/{order_id:str}/shipment",
    **signed_in("orders:write"),
    summary="Correct carrier and tracking number",
)
async def correct_shipment(
    order_id: FromPath[str],
    data: JSONBody[ParcelBody],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> OrderAnswer:
    """While the parcel is on its way; saying the same again changes nothing."""
    actor = deciding(principal)
    view = await services.shipping.correct(order_id, actor, data.told(), services.clock())
    return OrderAnswer.of(view, actor)


@post(
    "/v1/orders/{order_id:str}/schedule",
    **signed_in("orders:write"),
    status_code=200,
    summary="Set or move the time of a session",
)
async def schedule_session(
    order_id: FromPath[str],
    data: JSONBody[ScheduleBody],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> OrderAnswer:
    """By its seller. For a day after that the buyer may cancel for nothing, whatever your windows say."""
    actor = deciding(principal)
    view = await services.coach_sessions.schedule(order_id, actor, data.told(), services.clock())
    return OrderAnswer.of(view, actor)


@post(
    "/v1/orders/{order_id:str}/no-show",
    **signed_in("orders:write"),
    status_code=200,
    summary="Say who did not come to a session",
)
async def report_absence(
    order_id: FromPath[str],
    data: JSONBody[AbsenceBody],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> OrderAnswer:
    """A quarter of an hour after the start. Without the buyer it is completed, if they had a day to object to
    its time; without the seller all of it is refunded and it is canceled.
    """
    actor, now = deciding(principal), services.clock()
    view = await services.coach_sessions.report_absence(order_id, actor, data.who, now)
    return OrderAnswer.of(view, actor)


@post(
    "/v1/orders/{order_id:str}/completion",
    **signed_in("orders:write"),
    status_code=200,
    summary="Complete an order",
)
async def complete_order(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> OrderAnswer:
    """By its buyer: it arrived, or the session took place.

    When nobody says so it is complete at `completes_at`: 14 days after shipping, or a day after the session.
    """
    actor = deciding(principal)
    view = await services.completion.complete(order_id, actor, services.clock())
    return OrderAnswer.of(view, actor)


@get(
    "/v1/orders/{order_id:str}/cancellation",
    **signed_in("orders:read"),
    summary="What canceling would do",
)
async def read_cancellation_terms(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> CancellationTermsAnswer:
    """What would come back if you canceled now; refused where canceling would be."""
    actor, now = reading(principal), services.clock()
    return CancellationTermsAnswer.of(await services.cancellation.terms(order_id, actor, now))


@post(
    "/v1/orders/{order_id:str}/cancellation",
    **signed_in("orders:write"),
    status_code=200,
    summary="Cancel an order",
)
async def cancel_order(
    order_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    data: JSONBody[CancellationRequest | None] = None,
) -> OrderAnswer:
    """By its buyer or its seller, at every stage: a hold is released, captured money is refunded.

    The order is canceled when the refund has succeeded; until then `canceling` is true. A buyer cannot cancel
    what is on its way: they ask for a refund.
    """
    actor = deciding(principal)
    reason = None if data is None or data.reason is UNSET else data.reason
    view = await services.cancellation.cancel(order_id, actor, services.clock(), reason)
    return OrderAnswer.of(view, actor)


ROUTES: list[HTTPRouteHandler] = [
    prepare_order,
    ship_order,
    correct_shipment,
    schedule_session,
    report_absence,
    complete_order,
    read_cancellation_terms,
    cancel_order,
]
