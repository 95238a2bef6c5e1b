"""Stripe's webhooks: verify on the raw body, store once, answer 200. Nothing else happens here.

One address for each kind of destination, each with its own list of secrets: `platform` (snapshot events
about our payments), `accounts` (thin events about connected accounts) and `connect` (snapshot events of
connected accounts). They stand in front of Litestar: its routing and our layers for people would cost more
than the receipt itself (docs/decisions/0011).
"""

import asyncio
from typing import Any, cast

import asyncpg
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from marketplace.settings import Settings
from payments.errors import DatabaseUnavailable, SignatureRefused
from payments.events import Clock
from payments.inbox import Door
from payments.receipt import Delivery, Receipt, read_delivery
from payments.signatures import verify

LARGEST_BODY = 1024 * 1024
"""Bytes. Stripe's largest events are some hundred kilobytes."""

BODY_SECONDS = 15
"""How long a delivery may take to arrive."""

_log = structlog.get_logger("marketplace.webhooks")


class BodyTooLarge(Exception):
    """More bytes than any event of Stripe's has."""


class WebhookDoors:
    """ASGI in front of the application: deliveries are taken here, everything else passes through.

    A door without a secret is not there: an empty secret is a forgeable one.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        receipt: Receipt,
        clock: Clock,
    ) -> None:
        self._app = app
        self._secrets: dict[Door, tuple[str, ...]] = {
            "platform": settings.stripe_webhook_secrets_platform,
            "accounts": settings.stripe_webhook_secrets_accounts,
            "connect": settings.stripe_webhook_secrets_connect,
        }
        self._doors = {
            f"/webhooks/stripe/{door}": door for door, keys in self._secrets.items() if keys
        }
        self._receipt = receipt
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a delivery, or pass the request on."""
        door = self._doors.get(scope["path"]) if scope["type"] == ScopeType.HTTP else None
        if door is None:
            await self._app(scope, receive, send)
            return
        told = cast(HTTPScope, scope)
        told["path_template"] = told["path"]  # for the request's log line
        if told["method"] != "POST":
            await _refuse(send, 405, "method_not_allowed", (b"allow", b"POST"))
            return
        await self._take(door, scope, receive, send)

    async def _take(self, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(receive)
            now = self._clock()
            verify(body, _header(scope, b"stripe-signature"), self._secrets[door], now)
            delivery = read_delivery(door, body, now)
        except TimeoutError:
            await _refuse(send, 408, "request_timeout")
        except BodyTooLarge:
            await _refuse(send, 413, "payload_too_large")
        except SignatureRefused as refused:
            _log.warning("webhook refused", door=door, why=refused.why)
            await _refuse(send, 400, "signature_refused")
        else:
            await self._keep(delivery, send)

    async def _keep(self, delivery: Delivery, send: Send) -> None:
        try:
            await self._receipt.keep(delivery)
        except (
            DatabaseUnavailable,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            OSError,
        ) as error:
            # Not stored, so not acknowledged: Stripe delivers it again.
            _log.warning("webhook not stored", error=type(error).__name__)
            await _refuse(send, 503, "database_unavailable", (b"retry-after", b"5"))
        else:
            await _answer(send, 200, b"{}", (b"content-type", b"application/json"))


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise SignatureRefused("the sender hung up")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > LARGEST_BODY:
            raise BodyTooLarge
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return None


async def _refuse(send: Send, status: int, code: str, *headers: tuple[bytes, bytes]) -> None:
    """A problem document without detail: whoever forges signatures is told nothing about why."""
    body = f'{{"type":"/problems/{code}","status":{status},"code":"{code}"}}'.encode()
    await _answer(send, status, body, (b"content-type", b"application/problem+json"), *headers)


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", str(len(body)).encode())
    start: Any = {"type": "http.response.start", "status": status, "headers": [*headers, length]}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})
