"""What mailed links open, over HTTP: a new password for who forgot theirs, and the proof of an address.

The pages are those the links lead to while there is no front-end. What a link carries stands in its fragment,
which the browser does not send: it comes here in a body, when the person has pressed a button.
"""

from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from marketplace.api.doorkeeper import client_address
from marketplace.api.guard import any_query
from marketplace.api.idempotency import repeatable
from marketplace.api.policies import anyone, signed_in
from marketplace.api.principal import Principal
from marketplace.api.schemas.people import (
    EmailProof,
    LinkAskedAnswer,
    NewPassword,
    PasswordReset,
)
from marketplace.messages.account_texts import PROOF, RESET
from marketplace.pages import mailed_links as pages
from marketplace.people.mailed_links import LASTS_SECONDS
from marketplace.services import Services


@post("/v1/password-resets", **anyone(), status_code=202, summary="Forgot your password")
async def ask_password_reset(
    data: JSONBody[PasswordReset],
    services: NamedDependency[Services],
    request: Request[Any, Any, Any],
) -> LinkAskedAnswer:
    """A link to choose a new one is mailed, if the address is an account's; the answer does not say so."""
    address = client_address(request.scope)
    await services.people.forgotten.ask(email=data.email, address=address)
    return LinkAskedAnswer(link_lasts_seconds=LASTS_SECONDS["password_reset"])


@post(
    "/v1/passwords",
    **anyone(),
    **repeatable(),
    status_code=204,
    summary="Choose a new password by a mailed link",
)
async def choose_password(
    data: JSONBody[NewPassword],
    services: NamedDependency[Services],
    request: Request[Any, Any, Any],
) -> None:
    """Every session of yours is ended; sign in with the new password. API keys stay. Works once."""
    await services.people.forgotten.choose(
        token=data.token, password=data.password, address=client_address(request.scope)
    )


@post(
    "/v1/me/email-proof",
    **signed_in("account:write"),
    status_code=202,
    summary="Have your address proved by a mailed link",
)
async def ask_email_proof(
    services: NamedDependency[Services], principal: NamedDependency[Principal]
) -> LinkAskedAnswer:
    """As was mailed when you signed up; the older link ends."""
    await services.people.email_proofs.ask(principal.account_id)
    return LinkAskedAnswer(link_lasts_seconds=LASTS_SECONDS["email_proof"])


@post(
    "/v1/email-proofs",
    **anyone(),
    **repeatable(),
    status_code=204,
    summary="Prove an address by a mailed link",
)
async def prove_email(
    data: JSONBody[EmailProof],
    services: NamedDependency[Services],
    request: Request[Any, Any, Any],
) -> None:
    """`email_proved_at` of the account says so from now on. Doing it again is the same."""
    await services.people.email_proofs.prove(
        token=data.token, address=client_address(request.scope)
    )


def _page(html: str) -> Response[str]:
    return Response(html, headers={"Content-Security-Policy": pages.POLICY})


@get(
    f"/pages{RESET}",
    **anyone(),
    **any_query(),
    include_in_schema=False,
    media_type="text/html",
    sync_to_thread=False,
)
def password_page() -> Response[str]:
    """Where a new password is asked for, or chosen by who came by the link."""
    return _page(pages.password_page())


@get(
    f"/pages{PROOF}",
    **anyone(),
    **any_query(),
    include_in_schema=False,
    media_type="text/html",
    sync_to_thread=False,
)
def proof_page() -> Response[str]:
    """Where an address is proved by who came by the link."""
    return _page(pages.proof_page())


@get(pages.SCRIPT, **anyone(), include_in_schema=False, sync_to_thread=False)
def pages_script() -> Response[bytes]:
    """The script of those pages."""
    return Response(
        pages.script(),
        media_type="text/javascript; charset=utf-8",
        headers={"Cache-Control": "public, max-age=3600"},
    )


ROUTES: list[HTTPRouteHandler] = [
    ask_password_reset,
    choose_password,
    ask_email_proof,
    prove_email,
    password_page,
    proof_page,
    pages_script,
]
