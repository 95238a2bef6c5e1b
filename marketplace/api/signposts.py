"""The pages that links in messages lead to while there is no front-end."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from marketplace.api.guard import any_query
from marketplace.api.policies import anyone
from marketplace.api.refusals import RequestRefused
from marketplace.pages import signposts
from marketplace.pages.frame import POLICY
from marketplace.services import Services


@get(
    "/pages/{path:path}",
    **anyone(),
    **any_query(),
    include_in_schema=False,
    media_type="text/html",
)
async def signpost(
    path: FromPath[str], services: NamedDependency[Services], request: Request[Any, Any, Any]
) -> Response[str]:
    """What the link is about and which route reads it; nobody's data is on it."""
    found = signposts.page(path, request.url.query, services.settings.public_url)
    if found is None:
        raise RequestRefused("not_found")
    # Stripe puts the client secret into the address that the bank leads back to.
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
    return Response(found, headers=headers)


ROUTES: list[HTTPRouteHandler] = [signpost]
