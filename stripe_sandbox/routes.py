"""Which function plays which Stripe operation.

A handler is a synchronous function `handler(call) -> dict`, registered with `@route`. Before it is
called the shell has checked key, version, parameters and idempotency; after it, the shell expands
what was asked for and strips the sandbox's own keys.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

from .config import SandboxConfig
from .errors import Json, StripeError
from .world import World


@dataclass(slots=True)
class Call:
    """One request, checked: what a handler needs to know of it.

    `params` holds decoded, typed values: integers, booleans, lists, nested dictionaries. On v1 an
    empty string is kept as `""` and means "unset"; on v2 `None` does. `expand` and the publishable
    key's `key` are taken out. `account` is the `Stripe-Account` header.
    """

    world: World
    method: str
    path: str
    args: dict[str, str] = field(default_factory=dict)
    params: Json = field(default_factory=dict)
    publishable: bool = False
    account: str | None = None
    request_id: str = ""
    idempotency_key: str | None = None
    expand: list[str] = field(default_factory=list)
    base_url: str = ""
    config: SandboxConfig = field(default_factory=SandboxConfig)


Handler = Callable[[Call], Json]


@dataclass(slots=True, frozen=True)
class Route:
    """One operation: `parameters_of` names its description (`POST /v1/refunds/{}`).

    `publishable` lets a browser call it with the publishable key, `for_accounts` the platform call it
    for a connected account.
    """

    method: str
    pattern: str
    handler: Handler
    publishable: bool = False
    for_accounts: bool = False

    @property
    def parameters_of(self) -> str:
        return f"{self.method} {re.sub(r'{[^}]*}', '{}', self.pattern)}"


ROUTES: dict[tuple[str, int], list[Route]] = {}


def route(
    method: str, pattern: str, *, publishable: bool = False, for_accounts: bool = False
) -> Callable[[Handler], Handler]:
    """Register a handler, see `Route`."""

    def register(handler: Handler) -> Handler:
        depth = pattern.count("/")
        known = ROUTES.setdefault((method, depth), [])
        known.append(Route(method, pattern, handler, publishable, for_accounts))
        known.sort(key=lambda r: r.pattern.count("{"))  # fixed words win over names
        return handler

    return register


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route of a path and the names in it, or Stripe's 404 for an unknown URL."""
    parts = path.split("/")
    for candidate in ROUTES.get((method, path.count("/")), ()):
        args = _match(candidate.pattern.split("/"), parts)
        if args is not None:
            return candidate, args
    raise StripeError(
        404,
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we "
        "can help at https://support.stripe.com/.",
        executed=False,
    )


def _match(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    args: dict[str, str] = {}
    for want, have in zip(pattern, parts, strict=True):
        if want.startswith("{"):
            if not have:
                return None
            args[want[1:-1]] = unquote(have)
        elif want != have:
            return None
    return args


def list_of(
    call: Call,
    objects: list[Json],
    url: str,
    *,
    filters: dict[str, Any] | None = None,
    only: Callable[[Json], bool] = lambda _object: True,
) -> Json:
    """Stripe's list envelope over objects that are newest first.

    Honours `limit` (1 to 100, 10 when absent), `starting_after`, `ending_before`, `created` (a
    time or `gt`, `gte`, `lt`, `lte`), equality `filters` and what `only` lets pass; a cursor may
    have ceased to pass. Raises `resource_missing` for an unknown cursor.
    """
    limit = call.params.get("limit", 10)
    if not 1 <= limit <= 100:
        word = "greater than or equal to 1" if limit < 1 else "less than or equal to 100"
        raise StripeError(
            400, f"This value must be {word}.", code="parameter_invalid_integer", param="limit"
        )
    after, before = call.params.get("starting_after"), call.params.get("ending_before")
    if after:
        objects = objects[_position(objects, after, "starting_after") + 1 :]
    elif before:
        objects = objects[: _position(objects, before, "ending_before")]
    created = call.params.get("created")
    chosen = [o for o in objects if _passes(o, created, filters or {}) and only(o)]
    page = chosen[-limit:] if before and not after else chosen[:limit]
    return {"object": "list", "data": page, "has_more": len(chosen) > limit, "url": url}


def page_of(call: Call, objects: list[Json]) -> Json:
    """v2's list envelope: `limit` (1 to 100, 20 when absent) and a `page` to go on from."""
    limit = call.params.get("limit", 20)
    if not 1 <= limit <= 100:
        raise StripeError(400, "limit lies between 1 and 100.", code="invalid_limit", param="limit")
    page = call.params.get("page")
    start = _position(objects, page, "page") + 1 if page else 0
    chosen = objects[start : start + limit]
    more = len(objects) > start + limit
    filters = {k: v for k, v in call.params.items() if k not in ("limit", "page")}
    query = urlencode({"limit": limit, "page": chosen[-1]["id"], **filters}) if more else ""
    return {
        "data": chosen,
        "next_page_url": f"{call.path}?{query}" if more else None,
        "previous_page_url": None,
    }


def _passes(obj: Json, created: Any, filters: dict[str, Any]) -> bool:
    if any(value is not None and obj.get(name) != value for name, value in filters.items()):
        return False
    return created is None or passes_when(obj["created"], created)


def passes_when(moment: int, wanted: Any) -> bool:
    """Whether a time is the wanted one, or within `gt`, `gte`, `lt`, `lte`; None wants any."""
    if wanted is None:
        return True
    if isinstance(wanted, int):
        return moment == wanted
    return bool(
        moment > wanted.get("gt", -1)
        and moment >= wanted.get("gte", 0)
        and ("lt" not in wanted or moment < wanted["lt"])
        and ("lte" not in wanted or moment <= wanted["lte"])
    )


def _position(objects: list[Json], id: str, param: str) -> int:
    for index, obj in enumerate(objects):
        if obj["id"] == id:
            return index
    raise StripeError(400, f"No such object: '{id}'", code="resource_missing", param=param)
