"""The one place where every route's policy is enforced: who is calling, and may they.

A browser shows a session cookie, and on anything that changes something also proves that the request was
made by our own page (CSRF). A program shows an API key in `Authorization`. Never both: a request with two
identities is refused, so that none can borrow the other's.
"""

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from marketplace.api.policies import Audience, Policy, policy_of
from marketplace.api.principal import Principal, Via
from marketplace.api.refusals import RequestRefused
from marketplace.oversight.request_id import API_KEY_ID
from marketplace.people.accounts import Account
from marketplace.people.errors import NotSignedIn
from marketplace.people.people import People
from marketplace.people.sessions import csrf_matches

COOKIE = "__Host-session"
CSRF_HEADER = "X-CSRF-Token"

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST_TOKEN = 256


class Doorkeeper:
    """ASGI middleware of every route: puts the Principal into `scope["user"]` or refuses."""

    def __init__(self, app: ASGIApp, *, people: People, public_origin: str) -> None:
        self._app, self._people, self._public_origin = app, people, public_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the caller pass, or raise NotSignedIn or RequestRefused."""
        policy = policy_of(scope["route_handler"])
        if (
            scope["type"] != ScopeType.HTTP
            or policy is None
            or policy.audience not in {Audience.SIGNED_IN, Audience.ADMIN}
        ):
            await self._app(scope, receive, send)
            return
        principal = scope["user"] = await self._admit(scope, policy)
        key = API_KEY_ID.set(principal.api_key_id)
        try:
            await self._app(scope, receive, send)
        finally:
            API_KEY_ID.reset(key)

    async def _admit(self, scope: HTTPScope, policy: Policy) -> Principal:
        bearer, cookie = _bearer_token(scope), session_token(scope)
        if bearer is not None and cookie is not None:
            raise NotSignedIn("two_credentials")
        if bearer is not None:
            principal = await self._program(bearer)
        elif cookie is not None:
            principal = await self._browser(scope, cookie)
        else:
            raise NotSignedIn("missing")
        _require_rights(principal, policy)
        return principal

    async def _program(self, token: str) -> Principal:
        owner = await self._people.owner_of_api_key(token)
        return _principal(owner.account, Via.API_KEY, owner.scopes, owner.api_key_id)

    async def _browser(self, scope: HTTPScope, token: str) -> Principal:
        account = await self._people.account_of_session(token)
        if scope["method"] not in _SAFE_METHODS:
            self._require_own_page(scope, token)
        return _principal(account, Via.SESSION, None)

    def _require_own_page(self, scope: HTTPScope, token: str) -> None:
        """Raise csrf_refused unless the request carries the session's token and no foreign origin."""
        given = _only(scope, b"x-csrf-token")
        if given is None or not csrf_matches(token, given):
            raise RequestRefused("csrf_refused", f"Send the session's csrf_token as {CSRF_HEADER}.")
        site = _only(scope, b"sec-fetch-site")
        if site not in {None, "same-origin", "none"}:
            raise RequestRefused("csrf_refused", "The request came from another site.")
        origin = _only(scope, b"origin")
        if origin not in {None, self._public_origin, _own_origin(scope)}:
            raise RequestRefused("csrf_refused", "The request came from another origin.")


def session_token(scope: HTTPScope) -> str | None:
    """The session cookie's value, or None. Two different ones are refused: one was planted."""
    prefix = f"{COOKIE}="
    found = {
        part.strip()[len(prefix) :]
        for line in _all(scope, b"cookie")
        for part in line.split(";")
        if part.strip().startswith(prefix)
    } - {""}
    if not found:
        return None
    if len(found) > 1 or len(max(found)) > _LONGEST_TOKEN:
        raise NotSignedIn("malformed")
    return found.pop()


def client_address(scope: HTTPScope) -> str:
    """The network the caller is limited by: an IPv4 address, or the /64 that one IPv6 site has."""
    client = scope["client"]
    host = client[0] if client else "unknown"
    if ":" not in host:
        return host
    return ":".join(host.split("%")[0].split(":")[:4])


def _bearer_token(scope: HTTPScope) -> str | None:
    given = _only(scope, b"authorization")
    if given is None:
        return None
    scheme, _, token = given.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > _LONGEST_TOKEN:
        raise NotSignedIn("malformed")
    return token


def _require_rights(principal: Principal, policy: Policy) -> None:
    if policy.audience is Audience.ADMIN and not principal.is_admin:
        raise RequestRefused("admins_only")
    if policy.scope is not None and not principal.may(policy.scope):
        raise RequestRefused("scope_missing", scope=policy.scope)


def _principal(
    account: Account, via: Via, scopes: frozenset[str] | None, api_key_id: str | None = None
) -> Principal:
    return Principal(
        account_id=account.id,
        email=account.email,
        display_name=account.display_name,
        is_admin=account.is_admin,
        email_proved_at=account.email_proved_at,
        scopes=scopes,
        via=via,
        api_key_id=api_key_id,
    )


def _own_origin(scope: HTTPScope) -> str:
    """The address the browser believes it talks to; another site's page cannot choose this header."""
    return f"{scope['scheme']}://{_only(scope, b'host') or ''}"


def _only(scope: HTTPScope, name: bytes) -> str | None:
    found = _all(scope, name)
    if len(found) > 1:
        raise RequestRefused("header_malformed", f"{name.decode()} was sent twice.")
    return found[0] if found else None


def _all(scope: HTTPScope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
