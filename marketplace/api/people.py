"""Accounts, sessions and API keys over HTTP."""

from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from marketplace.api.doorkeeper import COOKIE, client_address, session_token
from marketplace.api.idempotency import once, repeatable
from marketplace.api.policies import anyone, signed_in
from marketplace.api.principal import Principal, Via
from marketplace.api.schemas.people import (
    AccountAnswer,
    ApiKeyAnswer,
    ApiKeyList,
    IssuedApiKeyAnswer,
    MeAnswer,
    NewApiKey,
    PasswordChange,
    SignedInAnswer,
    SignedOutAnswer,
    SignIn,
    SignUp,
)
from marketplace.paging import PageRequest
from marketplace.people.scopes import grantable_scopes
from marketplace.people.sessions import OpenedSession
from marketplace.people.tokens import csrf_token_of
from marketplace.services import Services

_SIGNED_OUT = Cookie(
    key=COOKIE, value="", path="/", secure=True, httponly=True, samesite="lax", max_age=0
)


@post("/v1/accounts", **anyone(), **repeatable(), summary="Sign up")
async def sign_up(
    data: JSONBody[SignUp], services: NamedDependency[Services], request: Request[Any, Any, Any]
) -> AccountAnswer:
    """Make an account. Everyone can buy; a seller profile is opened with `POST /v1/sellers`."""
    account = await services.people.sign_up(
        email=data.email,
        password=data.password,
        display_name=data.display_name,
        address=client_address(request.scope),
    )
    return AccountAnswer.of(account)


@post("/v1/sessions", **anyone(), **repeatable(), summary="Sign in")
async def sign_in(
    data: JSONBody[SignIn], services: NamedDependency[Services], request: Request[Any, Any, Any]
) -> Response[SignedInAnswer]:
    """Begin a session of 12 hours, 30 minutes when idle (admins: 8 hours, 15 minutes).

    The session is a cookie; a session the browser had before is ended.
    """
    account, session = await services.people.sign_in(
        email=data.email,
        password=data.password,
        address=client_address(request.scope),
        replacing=session_token(request.scope),
    )
    answer = SignedInAnswer(
        account=AccountAnswer.of(account),
        csrf_token=session.csrf_token,
        expires_at=session.expires_at,
    )
    return Response(answer, cookies=[_cookie(session)])


@delete(
    "/v1/sessions/current",
    **signed_in("account:write"),
    status_code=200,
    summary="Sign out",
)
async def sign_out(
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    request: Request[Any, Any, Any],
) -> Response[SignedOutAnswer]:
    """End this session."""
    token = session_token(request.scope)
    if token is not None:
        await services.people.sign_out(token)
    return Response(SignedOutAnswer(ended=1), cookies=[_SIGNED_OUT])


@delete(
    "/v1/sessions",
    **signed_in("account:write"),
    status_code=200,
    summary="Sign out everywhere",
)
async def sign_out_everywhere(
    services: NamedDependency[Services], principal: NamedDependency[Principal]
) -> Response[SignedOutAnswer]:
    """End every session of yours, this one too. API keys stay."""
    ended = await services.people.sign_out_everywhere(principal.account_id)
    return Response(SignedOutAnswer(ended=ended), cookies=[_SIGNED_OUT])


@get("/v1/me", **signed_in("account:read"), summary="Who am I")
async def me(principal: NamedDependency[Principal], request: Request[Any, Any, Any]) -> MeAnswer:
    """Who is calling, and with which scopes."""
    token = session_token(request.scope) if principal.via is Via.SESSION else None
    scopes = principal.scopes
    if scopes is None:
        scopes = grantable_scopes(is_admin=principal.is_admin) | {"account:write"}
    return MeAnswer(
        id=principal.account_id,
        email=principal.email,
        display_name=principal.display_name,
        is_admin=principal.is_admin,
        email_proved_at=principal.email_proved_at,
        via=principal.via.value,
        scopes=sorted(scopes),
        csrf_token=csrf_token_of(token) if token else None,
    )


@post(
    "/v1/me/password",
    **signed_in("account:write"),
    **repeatable(),
    status_code=204,
    summary="Change your password",
)
async def change_password(
    data: JSONBody[PasswordChange],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    request: Request[Any, Any, Any],
) -> None:
    """Every other session of yours is ended. API keys stay."""
    await services.people.change_password(
        principal.account_id,
        current=data.current_password,
        new=data.new_password,
        session_token=session_token(request.scope),
    )


@post("/v1/api-keys", **signed_in("account:write"), **once(), summary="Make an API key")
async def issue_api_key(
    data: JSONBody[NewApiKey],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> IssuedApiKeyAnswer:
    """The token is in this answer and nowhere else. A program sends it as `Authorization: Bearer`."""
    issued = await services.people.api_keys.issue(
        principal.account_id,
        is_admin=principal.is_admin,
        name=data.name,
        scopes=data.scopes,
        expires_at=data.expires_at,
        now=services.clock(),
    )
    return IssuedApiKeyAnswer(api_key=ApiKeyAnswer.of(issued.key), token=issued.token)


@get("/v1/api-keys", **signed_in("account:read"), summary="Your API keys")
async def list_api_keys(
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
    page: NamedDependency[PageRequest],
) -> ApiKeyList:
    """Every key that was not revoked, also those that are over, without its token; the newest first."""
    keys = await services.people.api_keys.list(principal.account_id, page)
    return ApiKeyList(data=[ApiKeyAnswer.of(key) for key in keys.data], has_more=keys.has_more)


@delete("/v1/api-keys/{api_key_id:str}", **signed_in("account:write"), summary="Revoke an API key")
async def revoke_api_key(
    api_key_id: FromPath[str],
    services: NamedDependency[Services],
    principal: NamedDependency[Principal],
) -> None:
    """The key stops working at once."""
    await services.people.api_keys.revoke(principal.account_id, api_key_id, services.clock())


def _cookie(session: OpenedSession) -> Cookie:
    return Cookie(
        key=COOKIE,
        value=session.token,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
        expires=None,
    )


ROUTES: list[HTTPRouteHandler] = [
    sign_up,
    sign_in,
    sign_out,
    sign_out_everywhere,
    me,
    change_password,
    issue_api_key,
    list_api_keys,
    revoke_api_key,
]
