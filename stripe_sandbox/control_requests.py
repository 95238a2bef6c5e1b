"""What a control reads of its request."""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import parse_qs

import msgspec

from .errors import Json
from .http import Request
from .sandbox import Sandbox

Control = Callable[[Sandbox, Request], Awaitable[Json]]
T = TypeVar("T")


def body_of(request: Request, shape: type[T]) -> T:
    """The body, checked. Raises `msgspec.ValidationError` for one of another shape."""
    return msgspec.json.decode(request.body or b"{}", type=shape)


def last_of(request: Request) -> str:
    """The last part of the path: the id."""
    return request.path.rsplit("/", 1)[-1]


def query_of(request: Request, name: str) -> str | None:
    """A query parameter, if it is there."""
    return parse_qs(request.query.decode("latin-1")).get(name, [None])[0]
