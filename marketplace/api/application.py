"""The HTTP application: what every request passes through, in this order.

Stripe's webhooks, which end here -> requests_log (id, log line, headers) -> routing -> doorkeeper (who, may
they) -> guard (malformed?) -> idempotency (done already?) -> the handler; every error on the way becomes a
problem document.
"""

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from litestar import Litestar, Request
from litestar.di import Provide
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from marketplace.api import audit as audit_routes
from marketplace.api import documentation, health, landing, mailed_links
from marketplace.api import people as people_routes
from marketplace.api.cursors import require_cursor
from marketplace.api.doorkeeper import Doorkeeper
from marketplace.api.guard import BODY_LIMIT, Guard, StrictRequest, prepare
from marketplace.api.idempotency import Idempotency, idempotency_key_of
from marketplace.api.policies import require_policies
from marketplace.api.principal import Principal
from marketplace.api.problems import answer_with_problem
from marketplace.api.requests_log import RequestsLog
from marketplace.api.stripe import WebhookDoors
from marketplace.paging import PAGE_DEFAULT, PAGE_LIMIT, PageRequest
from marketplace.settings import Settings

if TYPE_CHECKING:
    from marketplace.services import Services

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]

_OWN_ROUTES: tuple[ControllerRouterHandler, ...] = (
    *people_routes.ROUTES,
    *mailed_links.ROUTES,
    *audit_routes.ROUTES,
    *health.ROUTES,
    *documentation.ROUTES,
    *landing.ROUTES,
)


def build(
    services: "Services",
    settings: Settings,
    routers: Sequence[ControllerRouterHandler],
    *,
    lifespan: Sequence[Lifespan] = (),
) -> Litestar:
    """The application with `routers` beside the routes of people, health and documentation.

    Raises PolicyMissing when a route does not say who may call it.
    """
    app = Litestar(
        route_handlers=[*_OWN_ROUTES, *routers],
        middleware=[
            functools.partial(
                Doorkeeper, people=services.people, public_origin=_origin(settings.public_url)
            ),
            Guard,
            functools.partial(Idempotency, clock=services.clock),
        ],
        dependencies=_dependencies(services),
        exception_handlers={Exception: answer_with_problem},
        request_class=StrictRequest,
        request_max_body_size=BODY_LIMIT,
        openapi_config=None,
        logging_config=None,
        lifespan=list(lifespan),
        pdb_on_exception=False,
        debug=False,
    )
    require_policies(app.routes)
    prepare(app.routes)
    documentation.attach_description(app)
    # Around the router too: what it refuses gets an id, a line and headers as everything else does.
    logged = RequestsLog(app.asgi_handler, https=settings.public_url.startswith("https://"))
    app.asgi_handler = WebhookDoors(
        logged, settings=settings, receipt=services.receipt, clock=services.clock
    )
    return app


def _dependencies(services: "Services") -> dict[str, Provide]:
    def provide_services() -> Any:
        return services

    return {
        "services": Provide(provide_services, use_cache=False, sync_to_thread=False),
        "principal": Provide(_principal, sync_to_thread=False),
        "idempotency_key": Provide(_idempotency_key, sync_to_thread=False),
        "page": Provide(_page, sync_to_thread=False),
    }


def _principal(request: Request[Any, Any, Any]) -> Principal:
    principal = request.user
    assert isinstance(principal, Principal)
    return principal


def _idempotency_key(request: Request[Any, Any, Any]) -> str | None:
    return idempotency_key_of(request.scope)


def _page(
    request: Request[Any, Any, Any],
    limit: Annotated[
        int, QueryParameter(ge=1, le=PAGE_LIMIT, description="How many items at most.")
    ] = PAGE_DEFAULT,
    starting_after: Annotated[
        str | None,
        QueryParameter(max_length=64, description="The id of the last item you have."),
    ] = None,
) -> PageRequest:
    require_cursor(str(request.scope["path_template"]), starting_after)
    return PageRequest(limit=limit, starting_after=starting_after)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
