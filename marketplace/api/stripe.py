"""Stripe's webhooks: verify on the raw body, store once, answer 200. Nothing else happens here.

One address for each kind of destination, each with its own list of secrets: `platform` (snapshot events
about our payments), `accounts` (thin events about connected accounts) and `connect` (snapshot events of
connected accounts). They stand in front of Litestar: its routing and our layers for people would cost more
than the receipt itself (docs/decisions/0011).
"""

import asyncio
import time
from typing import Any, cast

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from marketplace.api.problem_table import require_meaning
from marketplace.api.problems import MEDIA_TYPE
from marketplace.settings import Settings
from payments.errors import SignatureRefused
from payments.events import Clock
from payments.inbox import Door
from payments.receipt import Delivery, Receipt, read_delivery
from payments.signatures import verify

LARGEST_BODY = 1024 * 1024
"""Bytes. Stripe's largest events are some hundred kilobytes."""

BODY_SECONDS = 15
"""How long a delivery may take to arrive."""

_PROBLEM = MEDIA_TYPE.encode()
_log = structlog.get_logger("marketplace.webhooks")


class BodyTooLarge(Exception):
    """More bytes than any event of Stripe's has."""


class _Outcome(msgspec.Struct, frozen=True):
    """How a delivery ended: the answer, and for our log the event or the reason."""

    status: int = 200
    body: bytes = b"{}"
    media_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    event_id: str | None = None
    why: str | None = None


def _refused(
    code: str, *, why: str | None = None, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> _Outcome:
    """A problem document without detail: whoever forges signatures is told nothing about why."""
    status, title = require_meaning(code)
    problem = {"type": f"/problems/{code}", "title": title, "status": status, "code": code}
    return _Outcome(status, msgspec.json.encode(problem), _PROBLEM, headers, why=why)


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
        started = time.perf_counter()
        outcome = await self._take(door, cast(HTTPScope, scope), receive)
        await _answer(send, outcome)
        _log.info(
            "request",
            method=cast(HTTPScope, scope)["method"],
            route=scope["path"],
            status=outcome.status,
            duration_ms=round((time.perf_counter() - started) * 1000, 1),
            event_id=outcome.event_id,
            why=outcome.why,
        )

    async def _take(self, door: Door, scope: HTTPScope, receive: Receive) -> _Outcome:
        if scope["method"] != "POST":
            return _refused("method_not_allowed", headers=((b"allow", b"POST"),))
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(receive)
            now = self._clock()
            verify(body, _header(scope, b"stripe-signature"), self._secrets[door], now)
            delivery = read_delivery(door, body, now)
        except TimeoutError:
            return _refused("body_too_slow")
        except BodyTooLarge:
            return _refused("body_too_large")
        except SignatureRefused as refused:
            return _refused("signature_refused", why=refused.why)
        return await self._keep(delivery)

    async def _keep(self, delivery: Delivery) -> _Outcome:
        try:
            await self._receipt.keep(delivery)
        except Exception as error:  # noqa: BLE001 - whatever it is, the event is not on disk
            # Not stored, so not acknowledged: Stripe delivers it again.
            why = type(error).__name__
            return _refused("not_stored", why=why, headers=((b"retry-after", b"5"),))
        return _Outcome(event_id=delivery.event_id)


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


def _header(scope: HTTPScope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return None


async def _answer(send: Send, outcome: _Outcome) -> None:
    length = str(len(outcome.body)).encode()
    about = ((b"content-type", outcome.media_type), (b"content-length", length), *outcome.headers)
    start: Any = {"type": "http.response.start", "status": outcome.status, "headers": about}
    await send(start)
    await send({"type": "http.response.body", "body": outcome.body, "more_body": False})
