"""What is malformed is refused at the edge, with a stable code, before anything is looked up.

The body is read here whole, within a size and a time, and checked (`json_bodies.py`); a handler's `data` is
then decoded strictly: unknown fields, floats for integers and numbers in strings are refused. Stripe's
webhooks are left alone, for their signature is over the raw bytes.
"""

import asyncio
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec
from litestar import Request
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import (
    ASGIApp,
    HTTPReceiveMessage,
    HTTPRequestEvent,
    HTTPScope,
    Receive,
    Scope,
    Send,
)
from litestar.typing import FieldDefinition

from marketplace.api import field_errors
from marketplace.api.json_bodies import require_sound
from marketplace.api.refusals import RequestRefused

BODY_LIMIT = 64 * 1024
_HEADERS_LIMIT = 16 * 1024
# A phone on a bad line sends 64 KiB in less; a body that drips would hold its connection for ever.
_BODY_SECONDS = 15

_BODYLESS = frozenset({"GET", "HEAD", "OPTIONS"})
_DATE_FIRST = re.compile(r"\d{4}-\d\d-\d\d")

# Where a route keeps what `prepare` found out about it.
_QUERY_PARAMETERS = "query_parameters"
_QUERY_MOMENTS = "query_moments"
_DECODER = "body_decoder"
_ANY_QUERY = "any_query"


class StrictRequest(Request[Any, Any, Any]):
    """Decodes a body into exactly what its handler declared."""

    async def json(self) -> Any:
        """The handler's `data`. Raises RequestRefused(invalid_body) naming the field."""
        decoder: msgspec.json.Decoder[Any] = self.route_handler.opt[_DECODER]
        try:
            found = decoder.decode(await self.body())
        except msgspec.ValidationError as error:
            raise _invalid_body(str(error), self.route_handler) from None
        except msgspec.DecodeError:
            raise RequestRefused("body_not_json") from None
        if found is None:
            # A body that may be left out may not be null: that is more likely a mistake than a wish.
            raise _invalid_body("Expected `object`, got `null`", self.route_handler)
        return found


class Guard:
    """ASGI middleware of every route. Raises RequestRefused; reads and replays the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what is malformed, and pass on what is not."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        _require_sound_head(scope)
        handler = scope["route_handler"]
        if scope["method"] not in _BODYLESS:
            body = await _read(scope, receive)
            _require_fitting(scope, handler, body)
            receive = _replay(body, receive)
        await self._app(scope, receive, send)


def any_query() -> dict[str, Any]:
    """For a page that others lead to: what they add to its address is not looked at."""
    return {_ANY_QUERY: True}


def takes_any_query(handler: BaseRouteHandler) -> bool:
    """Whether the handler is such a page."""
    return bool(handler.opt.get(_ANY_QUERY))


def prepare(routes: Iterable[BaseRoute]) -> None:
    """Tell every handler its parameters by name, so that a misspelt filter is refused and not ignored,
    and make its decoder, so that a body's type that cannot be decoded is found when the app is built."""
    for route in routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler, kwargs in route.route_handler_map.values():
            names = {each.field_alias for each in kwargs.expected_query_params}
            handler.opt[_QUERY_PARAMETERS] = frozenset(names)
            declared = handler.parsed_fn_signature.parameters
            handler.opt[_QUERY_MOMENTS] = frozenset(
                each.field_alias
                for each in kwargs.expected_query_params
                if each.field_name in declared and _is_moment(declared[each.field_name])
            )
            if handler.parsed_data_field is not None:
                handler.opt[_DECODER] = msgspec.json.Decoder(handler.parsed_data_field.annotation)


def _is_moment(declared: FieldDefinition) -> bool:
    return declared.is_subclass_of(datetime) or declared.has_inner_subclass_of(datetime)


def _require_sound_head(scope: HTTPScope) -> None:
    if sum(len(name) + len(value) for name, value in scope["headers"]) > _HEADERS_LIMIT:
        raise RequestRefused("headers_too_large", limit_bytes=_HEADERS_LIMIT)
    if not _is_text(scope.get("raw_path") or b""):
        raise RequestRefused("path_malformed")
    query = scope["query_string"]
    if not query:
        return
    if not _is_text(query):
        raise RequestRefused("query_malformed")
    known: frozenset[str] | None = scope["route_handler"].opt.get(_QUERY_PARAMETERS)
    if known is None or takes_any_query(scope["route_handler"]):
        return  # a bare ASGI route reads its query itself, a page takes what others add
    moments: frozenset[str] = scope["route_handler"].opt[_QUERY_MOMENTS]
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in known:
            raise RequestRefused("unknown_parameter", known=sorted(known))
        if name in moments and not _DATE_FIRST.match(value):
            # A number would be read as seconds since 1970.
            wrong = {"field": name, "message": "Expected a moment as in RFC 3339"}
            raise RequestRefused("invalid_parameter", errors=[wrong])


def _is_text(encoded: bytes) -> bool:
    """Whether percent-encoded bytes are UTF-8 without NUL."""
    decoded = unquote_to_bytes(encoded)
    if b"\0" in decoded:
        return False
    try:
        decoded.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


async def _read(scope: HTTPScope, receive: Receive) -> bytes:
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await _read_whole(scope, receive)
    except TimeoutError:
        raise RequestRefused("body_too_slow", limit_seconds=_BODY_SECONDS) from None


async def _read_whole(scope: HTTPScope, receive: Receive) -> bytes:
    announced = _header(scope, b"content-length")
    if announced.isdigit() and int(announced[:12]) > BODY_LIMIT:
        raise RequestRefused("body_too_large", limit_bytes=BODY_LIMIT)
    parts: list[bytes] = []
    size = 0
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise RequestRefused("body_incomplete")
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > BODY_LIMIT:
            raise RequestRefused("body_too_large", limit_bytes=BODY_LIMIT)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _require_fitting(scope: HTTPScope, handler: BaseRouteHandler, body: bytes) -> None:
    field = handler.parsed_data_field
    if not body:
        if field is not None and not field.is_optional:
            raise RequestRefused("body_required")
        return
    _require_json_media(scope)
    if require_sound(body) != {} and field is None:
        raise RequestRefused("body_unexpected", "Send no body, or an empty object.")


def _require_json_media(scope: HTTPScope) -> None:
    media, _, parameters = _header(scope, b"content-type").partition(b";")
    charset = parameters.strip().lower()
    if media.strip().lower() != b"application/json" or charset not in {b"", b"charset=utf-8"}:
        raise RequestRefused("media_type_unsupported")
    if _header(scope, b"content-encoding") not in {b"", b"identity"}:
        raise RequestRefused("media_type_unsupported")


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body once, then whatever the server says next (that the client went away)."""
    told = False

    async def replayed() -> HTTPReceiveMessage:
        nonlocal told
        if told:
            return cast(HTTPReceiveMessage, await receive())
        told = True
        return HTTPRequestEvent(type="http.request", body=body, more_body=False)

    return cast(Receive, replayed)


def _header(scope: HTTPScope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


def _invalid_body(message: str, handler: BaseRouteHandler) -> RequestRefused:
    declared = handler.parsed_data_field
    wrong = field_errors.of_body(message, declared and declared.annotation)
    return RequestRefused("invalid_body", errors=[wrong])
