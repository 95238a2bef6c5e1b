"""Sellers' own webhooks over HTTP: where their programs are told of their orders and their money."""

from litestar import delete, get, patch, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from marketplace.api.idempotency import once
from marketplace.api.policies import signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.webhook_endpoints import (
    IssuedWebhookEndpointAnswer,
    NewWebhookEndpoint,
    SellerEventList,
    WebhookDeliveryAnswer,
    WebhookDeliveryList,
    WebhookEndpointAnswer,
    WebhookEndpointChanges,
    WebhookEndpointList,
)
from marketplace.messages import delivered
from marketplace.paging import PageRequest
from marketplace.services import Services

_ALL = "/v1/sellers/{seller_id:str}/webhook-endpoints"
_ONE = f"{_ALL}/{{endpoint_id:str}}"


@post(_ALL, **signed_in("sellers:write"), **once(), summary="Make a webhook endpoint")
async def create_webhook_endpoint(
    seller_id: FromPath[str],
    data: JSONBody[NewWebhookEndpoint],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> IssuedWebhookEndpointAnswer:
    """Events are POSTed there, signed as Standard Webhooks are. The secret is in this answer only."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    issued = await services.webhook_endpoints.create(
        seller.id,
        url=data.url,
        types=data.types,
        description=data.description,
        actor=principal.account_id,
        now=services.clock(),
    )
    return IssuedWebhookEndpointAnswer.of(issued)


@get(_ALL, **signed_in("sellers:read"), summary="Your webhook endpoints")
async def list_webhook_endpoints(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> WebhookEndpointList:
    """Every one of them, without its secret: a seller has at most ten."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    found = await services.webhook_endpoints.list(seller.id)
    return WebhookEndpointList(data=[WebhookEndpointAnswer.of(one) for one in found])


@get(_ONE, **signed_in("sellers:read"), summary="One webhook endpoint")
async def read_webhook_endpoint(
    seller_id: FromPath[str],
    endpoint_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> WebhookEndpointAnswer:
    """Without its secret."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    return WebhookEndpointAnswer.of(
        await services.webhook_endpoints.require(seller.id, endpoint_id)
    )


@patch(_ONE, **signed_in("sellers:write"), summary="Change a webhook endpoint")
async def change_webhook_endpoint(
    seller_id: FromPath[str],
    endpoint_id: FromPath[str],
    data: JSONBody[WebhookEndpointChanges],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> WebhookEndpointAnswer:
    """Its address, its types, or whether it is enabled. What it missed is not sent by itself."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    changed = await services.webhook_endpoints.change(
        seller.id, endpoint_id, data.told(), actor=principal.account_id, now=services.clock()
    )
    return WebhookEndpointAnswer.of(changed)


@delete(_ONE, **signed_in("sellers:write"), summary="Remove a webhook endpoint")
async def remove_webhook_endpoint(
    seller_id: FromPath[str],
    endpoint_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> None:
    """Nothing more is sent there; its deliveries are forgotten, the events stay."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    await services.webhook_endpoints.remove(
        seller.id, endpoint_id, actor=principal.account_id, now=services.clock()
    )


@post(
    f"{_ONE}/secret",
    **signed_in("sellers:write"),
    **once(),
    status_code=200,
    summary="Roll a webhook secret",
)
async def roll_webhook_secret(
    seller_id: FromPath[str],
    endpoint_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> IssuedWebhookEndpointAnswer:
    """A new secret. For 24 hours deliveries carry a signature of each, so that nothing is missed."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    issued = await services.webhook_endpoints.roll_secret(
        seller.id, endpoint_id, actor=principal.account_id, now=services.clock()
    )
    return IssuedWebhookEndpointAnswer.of(issued)


@post(
    f"{_ONE}/ping", **signed_in("sellers:write"), status_code=202, summary="Try a webhook endpoint"
)
async def ping_webhook_endpoint(
    seller_id: FromPath[str],
    endpoint_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> WebhookDeliveryAnswer:
    """Sends it an `endpoint.ping`, whatever types it wants. Read the delivery to see what came of it."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    delivery_id = await services.webhook_endpoints.ping(seller.id, endpoint_id, services.clock())
    return WebhookDeliveryAnswer.of(await delivered.require(seller.id, endpoint_id, delivery_id))


@get(f"{_ONE}/deliveries", **signed_in("sellers:read"), summary="Deliveries of a webhook endpoint")
async def list_webhook_deliveries(
    seller_id: FromPath[str],
    endpoint_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
) -> WebhookDeliveryList:
    """What was sent there, how often, and what it answered last; the newest first."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    endpoint = await services.webhook_endpoints.require(seller.id, endpoint_id)
    return WebhookDeliveryList.of(await delivered.deliveries(seller.id, endpoint.id, page))


@get(
    f"{_ONE}/deliveries/{{delivery_id:str}}",
    **signed_in("sellers:read"),
    summary="One delivery",
)
async def read_webhook_delivery(
    seller_id: FromPath[str],
    endpoint_id: FromPath[str],
    delivery_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> WebhookDeliveryAnswer:
    """How it stands."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    return WebhookDeliveryAnswer.of(await delivered.require(seller.id, endpoint_id, delivery_id))


@post(
    f"{_ONE}/deliveries/{{delivery_id:str}}/redelivery",
    **signed_in("sellers:write"),
    status_code=202,
    summary="Deliver again",
)
async def redeliver_webhook(
    seller_id: FromPath[str],
    endpoint_id: FromPath[str],
    delivery_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> WebhookDeliveryAnswer:
    """The same event with the same `webhook-id`, whatever became of it, at once and with every retry."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    return WebhookDeliveryAnswer.of(
        await delivered.redeliver(seller.id, endpoint_id, delivery_id, services.clock())
    )


@get("/v1/sellers/{seller_id:str}/events", **signed_in("sellers:read"), summary="Your events")
async def list_seller_events(
    seller_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
) -> SellerEventList:
    """Everything that was or would have been delivered, the newest first: to catch up after an outage."""
    seller = await services.sellers.require_own(seller_id, principal.account_id)
    return SellerEventList.of(await delivered.events(seller.id, page))


ROUTES: list[HTTPRouteHandler] = [
    create_webhook_endpoint,
    list_webhook_endpoints,
    read_webhook_endpoint,
    change_webhook_endpoint,
    remove_webhook_endpoint,
    roll_webhook_secret,
    ping_webhook_endpoint,
    list_webhook_deliveries,
    read_webhook_delivery,
    redeliver_webhook,
    list_seller_events,
]
