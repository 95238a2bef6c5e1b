"""HTTP as ASGI hands it over: requests in, answers out, and connections cut on purpose."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from .errors import StripeError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LARGEST_BODY_BYTES = 1024 * 1024
CUT = "stripe_sandbox.cut"
"""The key of `scope["extensions"]` under which the server offers to abort the connection."""


class ConnectionCut(Exception):
    """This request gets no answer: its connection breaks."""


@dataclass(slots=True, frozen=True)
class Request:
    """A request, read whole. Header names are lower case."""

    method: str
    path: str
    query: bytes
    headers: dict[str, str]
    body: bytes

    @property
    def base_url(self) -> str:
        """Where the caller found us, for the links we hand out."""
        return f"http://{self.headers.get('host', '127.0.0.1')}"


@dataclass(slots=True)
class Answer:
    """An answer, written whole."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: Any, status: int = 200) -> "Answer":
        return cls(status, msgspec.json.encode(value), {"content-type": "application/json"})

    @classmethod
    def html(cls, page: str, status: int = 200) -> "Answer":
        headers = {
            "content-type": "text/html; charset=utf-8",
            "cache-control": "no-store",
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
            "base-uri 'none'; frame-ancestors 'none'",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
        }
        return cls(status, page.encode(), headers)

    @classmethod
    def redirect(cls, url: str) -> "Answer":
        """303: whatever was asked, GET this next."""
        return cls(303, b"", {"location": url, "cache-control": "no-store"})


async def read_request(scope: Message, receive: Receive) -> Request:
    """The whole request; StripeError 413 for a body that is too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY_BYTES:
            raise StripeError(413, "Request body too large.", executed=False)
        if not message.get("more_body"):
            break
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=scope.get("query_string", b""),
        headers={k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]},
        body=bytes(body),
    )


async def write_answer(answer: Answer, send: Send) -> None:
    """Send the whole answer."""
    headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def cut_connection(scope: Message, receive: Receive) -> None:
    """Reset the caller's connection without a byte of an answer.

    Under a server that does not offer it (an in-process transport), raises ConnectionResetError.
    """
    cut = scope.get("extensions", {}).get(CUT)
    if cut is None:
        raise ConnectionResetError("the sandbox cut this connection on purpose")
    cut["abort"]()
    await receive()  # the body was read, so this is the disconnection
