"""A seller's program: a real HTTP server that keeps what it is sent, and checks signatures by itself."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Receiver:
    """What arrived, and what is answered."""

    url: str = ""
    status: int = 200
    body: bytes = b""
    location: str = ""
    hesitates_seconds: float = 0
    received: list[dict[str, Any]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.received.append({"path": request.path, "headers": dict(request.headers), "body": body})
        await asyncio.sleep(self.hesitates_seconds)
        headers = {"Location": self.location} if self.location else {}
        return web.Response(status=self.status, body=self.body, headers=headers)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The bodies, decoded."""
        return [json.loads(one["body"]) for one in self.received]

    @property
    def types(self) -> list[str]:
        return [one["type"] for one in self.events]


@asynccontextmanager
async def receiving(receiver: Receiver | None = None) -> AsyncIterator[Receiver]:
    """Run one on a free port of this machine."""
    receiver = receiver or Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def is_signed(received: dict[str, Any], secret: str) -> bool:
    """Whether `secret` signed it: HMAC written out by hand (RFC 2104), nothing of ours in it."""
    headers = {name.lower(): value for name, value in received["headers"].items()}
    content = b".".join(
        (
            headers["webhook-id"].encode(),
            headers["webhook-timestamp"].encode(),
            received["body"],
        )
    )
    key = base64.b64decode(secret.split("_", 1)[1]).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(one ^ 0x36 for one in key) + content).digest()
    outer = hashlib.sha256(bytes(one ^ 0x5C for one in key) + inner).digest()
    expected = "v1," + base64.b64encode(outer).decode()
    return expected in headers["webhook-signature"].split(" ")
