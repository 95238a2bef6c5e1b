"""Who may call a route. Every route says so where it is declared; the application is not built otherwise.

    @get("/v1/orders", **signed_in("orders:read"))
    @post("/v1/admin/sellers/{seller_id:str}/approval", **admin("admin:write"))
    @get("/v1/listings", **anyone())

A signed-in browser has every scope its roles give; a program has the scopes of its key. Whose object it
is, is not a policy: the use case asks for the caller's own, and another person's is not found.
"""

import enum
from collections.abc import Iterable
from typing import Any

import msgspec
from litestar.handlers import BaseRouteHandler
from litestar.routes import BaseRoute, HTTPRoute

from marketplace.people.scopes import ADMIN_SCOPES, SCOPES

_OPT = "policy"


class Audience(enum.Enum):
    """The three kinds of callers."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    ADMIN = "admin"


class Policy(msgspec.Struct, frozen=True):
    """A route's audience and, unless it is open, the scope a caller needs."""

    audience: Audience
    scope: str | None = None


class ScopeUnknown(ValueError):
    """A route asks for a scope that is not in the closed list: a programmer's mistake."""


class PolicyMissing(TypeError):
    """Routes that do not say who may call them. The application refuses to be built."""

    def __init__(self, routes: list[str]) -> None:
        self.routes = routes
        super().__init__("no policy on: " + ", ".join(routes))


def anyone() -> dict[str, Any]:
    """No credentials are looked at."""
    return {_OPT: Policy(Audience.ANYONE)}


def signed_in(scope: str) -> dict[str, Any]:
    """A person with a session, or a program whose key has `scope`. Raises ScopeUnknown."""
    if scope not in SCOPES or scope in ADMIN_SCOPES:
        raise ScopeUnknown(scope)
    return {_OPT: Policy(Audience.SIGNED_IN, scope)}


def admin(scope: str) -> dict[str, Any]:
    """An admin with a session, or an admin's key with `scope`. Raises ScopeUnknown."""
    if scope not in ADMIN_SCOPES:
        raise ScopeUnknown(scope)
    return {_OPT: Policy(Audience.ADMIN, scope)}


def policy_of(handler: BaseRouteHandler) -> Policy | None:
    """What the route declared, or None."""
    found = handler.opt.get(_OPT)
    return found if isinstance(found, Policy) else None


def require_policies(routes: Iterable[BaseRoute]) -> None:
    """Raise PolicyMissing when a route does not say who may call it."""
    missing = sorted(
        f"{method} {route.path}"
        for route in routes
        for method, handler in handlers_of(route)
        if policy_of(handler) is None
    )
    if missing:
        raise PolicyMissing(missing)


def handlers_of(route: BaseRoute) -> list[tuple[str, BaseRouteHandler]]:
    """The declared handlers of a route by method; the OPTIONS that Litestar adds is not one of them."""
    if not isinstance(route, HTTPRoute):
        return [("ASGI", handler) for handler in _other_handlers(route)]
    return [
        (str(method), handler)
        for method, (handler, _) in route.route_handler_map.items()
        if not is_automatic(handler)
    ]


def is_automatic(handler: BaseRouteHandler) -> bool:
    """Whether Litestar made this handler itself, to answer OPTIONS with the allowed methods."""
    return getattr(handler, "http_methods", None) == {"OPTIONS"} and policy_of(handler) is None


def _other_handlers(route: BaseRoute) -> list[BaseRouteHandler]:
    handler = getattr(route, "route_handler", None)
    return [handler] if isinstance(handler, BaseRouteHandler) else []
