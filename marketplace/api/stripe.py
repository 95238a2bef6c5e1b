"""Stripe's webhooks: verify on the raw body, store once, answer 200. Nothing else happens here.

One address for each kind of destination, each with its own list of secrets: `platform` (snapshot events
about our payments), `accounts` (thin events about connected accounts) and `connect` (snapshot events of
connected accounts). These are bare ASGI handlers: Litestar's full route costs as much as the receipt.
"""

from typing import cast

import structlog
from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from marketplace.api.policies import webhook
from payments.errors import SignatureRefused
from payments.events import Clock
from payments.inbox import Door
from payments.receipt import Receipt, read_delivery
from payments.signatures import verify

LARGEST_BODY = 1024 * 1024
"""Bytes. Stripe's largest events are some hundred kilobytes."""

_log = structlog.get_logger("marketplace.webhooks")


class BodyTooLarge(Exception):
    """More bytes than any event of Stripe's has."""


def webhook_handlers(
    secrets: dict[Door, tuple[str, ...]], receipt: Receipt, clock: Clock
) -> list[ASGIRouteHandler]:
    """The three routes. A door without a secret is not opened: an empty secret is a forgeable one."""
    return [_door(door, keys, receipt, clock) for door, keys in secrets.items() if keys]


def _door(door: Door, secrets: tuple[str, ...], receipt: Receipt, clock: Clock) -> ASGIRouteHandler:
    @asgi(f"/webhooks/stripe/{door}", copy_scope=False, **webhook())
    async def deliver(scope: Scope, receive: Receive, send: Send) -> None:
        if cast(str, scope.get("method")) != "POST":
            await _answer(send, 405, b"", (b"allow", b"POST"))
            return
        try:
            body = await _read(receive)
            now = clock()
            verify(body, _header(scope, b"stripe-signature"), secrets, now)
            delivery = read_delivery(door, body, now)
        except BodyTooLarge:
            await _answer(send, 413, _problem(413, "payload_too_large"))
            return
        except SignatureRefused as refused:
            _log.warning("webhook refused", door=door, why=refused.why)
            await _answer(send, 400, _problem(400, "signature_refused"))
            return
        await receipt.keep(delivery)
        await _answer(send, 200, b"{}", (b"content-type", b"application/json"))

    return deliver


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


def _problem(status: int, code: str) -> bytes:
    # Without detail: whoever forges signatures is told nothing about why.
    return f'{{"type":"about:blank","status":{status},"code":"{code}"}}'.encode()


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    kind = (b"content-type", b"application/problem+json")
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                *(headers or (kind,)),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})
