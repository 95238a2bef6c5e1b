"""Messages over HTTP: what people were written."""

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from marketplace.api import mailbox_page
from marketplace.api.policies import anyone, signed_in
from marketplace.api.principal import Principal
from marketplace.api.refusals import RequestRefused
from marketplace.api.schemas.messages import MessageList
from marketplace.paging import PageRequest
from marketplace.services import Services

_SHOWN = 100


@get("/v1/me/messages", **signed_in("account:read"), summary="What you were written")
async def list_own_messages(
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
) -> MessageList:
    """Every message to you, the newest first, also those that were e-mailed."""
    return MessageList.of(await services.messages.list_own(principal.account_id, page))


@get("/mailbox", **anyone(), include_in_schema=False, media_type="text/html")
async def mailbox(services: NamedDependency[Services]) -> Response[str]:
    """Everybody's messages, where no real people are and nothing is e-mailed; not found elsewhere."""
    if not services.settings.mailbox_shown:
        raise RequestRefused("not_found")
    posted = await services.messages.latest_of_everybody(_SHOWN)
    return Response(
        mailbox_page.page(posted), headers={"Content-Security-Policy": mailbox_page.POLICY}
    )


ROUTES: list[HTTPRouteHandler] = [list_own_messages, mailbox]
