"""Messages over HTTP: what people were written."""

from typing import Annotated

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from marketplace.api import mailbox_page
from marketplace.api.policies import admin, anyone, signed_in
from marketplace.api.principal import Principal
from marketplace.api.refusals import RequestRefused
from marketplace.api.schemas.messages import (
    MessageList,
    PostedMessageAnswer,
    PostedMessageList,
)
from marketplace.messages import undelivered
from marketplace.messages.undelivered import MessageFilter, State
from marketplace.paging import PageRequest
from marketplace.services import Services

_SHOWN = 100
_Id = Annotated[str | None, QueryParameter(max_length=64)]


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


@get("/v1/admin/messages", **admin("admin:read"), summary="E-mails to everybody")
async def list_posted_messages(
    page: NamedDependency[PageRequest],
    # Litestar keeps the name `state` for itself.
    message_state: Annotated[State | None, QueryParameter(name="state")] = None,
    account_id: _Id = None,
    subject_id: _Id = None,
) -> PostedMessageList:
    """To whom they are, and whether they were sent, the newest first; not what they say."""
    wanted = MessageFilter(state=message_state, account_id=account_id, subject_id=subject_id)
    return PostedMessageList.of(await undelivered.messages(wanted, page))


@post(
    "/v1/admin/messages/{message_id:str}/another-try",
    **admin("admin:write"),
    status_code=200,
    summary="Send again what was given up",
)
async def try_message_again(
    message_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> PostedMessageAnswer:
    """It is tried for three days from now."""
    message = await undelivered.try_again(
        message_id, actor=principal.account_id, now=services.clock()
    )
    return PostedMessageAnswer.of(message)


ROUTES: list[HTTPRouteHandler] = [
    list_own_messages,
    mailbox,
    list_posted_messages,
    try_message_again,
]
