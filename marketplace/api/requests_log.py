"""Around everything: the request's id, one log line, and the headers that every answer carries.

The line holds only what `_line` names: never a path, a query, a header or a body, for any of them may
carry a secret.
"""

import re
import time
from typing import Any

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from marketplace.api.principal import Principal
from marketplace.oversight.request_id import REQUEST_ID
from payments.ids import new_id

_log = structlog.get_logger("marketplace.requests")

_REQUEST_ID_SHAPE = re.compile(rb"[A-Za-z0-9_.\-]{8,64}")

PROBLEM_CODE = "problem_code"
"""Where the request's state keeps the code of the problem it was answered with."""

CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'"

_HEADERS = {
    b"content-security-policy": CONTENT_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    # What was answered to one caller is kept by nobody in between; a route may say otherwise.
    b"cache-control": b"no-store",
}
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")


class RequestsLog:
    """ASGI middleware around the whole application. `https` tells whether the public address is."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = dict(_HEADERS) | (dict([_STRICT_TRANSPORT]) if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything that is not HTTP passes through."""
        if scope["type"] == ScopeType.HTTP:
            await self._serve(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        request_id = _request_id(scope)
        token = REQUEST_ID.set(request_id)
        answer = _Answer(send, self._headers | {b"x-request-id": request_id.encode()})
        started = time.perf_counter()
        try:
            await self._app(scope, receive, answer.send)
        except Exception as error:
            log_failure(error, expected=False)
            if answer.status:
                raise  # half an answer is on its way: the server must cut it off
            await answer.internal_error(request_id)
        finally:
            _line(scope, answer.status, time.perf_counter() - started, request_id)
            REQUEST_ID.reset(token)


class _Answer:
    """Watches an answer go by and completes its headers."""

    def __init__(self, send: Send, headers: dict[bytes, bytes]) -> None:
        self._send, self._headers = send, headers
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", []))
            given = {name.lower() for name, _ in headers}
            headers += [pair for pair in self._headers.items() if pair[0] not in given]
            message["headers"] = headers
        await self._send(message)

    async def internal_error(self, request_id: str) -> None:
        """The last resort: an error that even the problem documents' handler did not survive."""
        body = (
            '{"type":"/problems/internal_error","title":"Something went wrong on our side",'
            f'"status":500,"code":"internal_error","request_id":"{request_id}"}}'
        ).encode()
        kind = (b"content-type", b"application/problem+json")
        length = (b"content-length", str(len(body)).encode())
        await self.send({"type": "http.response.start", "status": 500, "headers": [kind, length]})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})


def log_failure(error: BaseException, *, expected: bool) -> None:
    """Log what made an answer 5xx: a dependency that is away, or (`expected` false) a bug."""
    if expected:
        _log.warning("request could not be served", error=type(error).__qualname__)
    else:
        _log.error("request failed", exc_info=error, alarm=True, request_id=REQUEST_ID.get())


def _request_id(scope: HTTPScope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID_SHAPE.fullmatch(value):
            return value.decode("ascii")
    return new_id("req")


def _line(scope: HTTPScope, status: int, seconds: float, request_id: str) -> None:
    client = scope["client"]
    fields: dict[str, Any] = {
        "request_id": request_id,
        "method": scope["method"],
        "route": scope.get("path_template"),
        "status": status,
        "duration_ms": round(seconds * 1000, 1),
        "ip": client[0] if client else None,
    }
    principal = scope.get("user")
    if isinstance(principal, Principal):
        fields |= {"principal": principal.account_id, "via": principal.via.value}
    code = scope.get("state", {}).get(PROBLEM_CODE)
    if code:
        fields["code"] = code
    _log.info("request", **fields)
