"""A sandbox on a free port, emptied before every test, and a place where its events arrive."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from aiohttp import web

from stripe_sandbox.config import Destination, SandboxConfig
from stripe_sandbox.server import RunningSandbox, running_sandbox

SECRET = "sk_test_tests"
PUBLISHABLE = "pk_test_tests"
VERSION = "2026-10-28.endive"
SIGNING_SECRETS = {
    "platform": "whsec_platform",
    "accounts": "whsec_accounts",
    "connect": "whsec_connect",
}


@dataclass
class Receiver:
    """An endpoint that keeps what arrives and answers the statuses it is given, then 200."""

    base_url: str = ""
    received: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    pause_seconds: float = 0.0
    # What arrives waits here, once there is a door.
    open_door: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def accept(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        self.reached.set()
        await asyncio.sleep(self.pause_seconds)
        if self.open_door:
            await self.open_door.wait()
        self.received.append((request.path.strip("/"), headers, body))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    def events(self, scope: str = "platform") -> list[dict[str, Any]]:
        return [json.loads(body) for where, _headers, body in self.received if where == scope]

    def types(self, scope: str = "platform") -> list[str]:
        return [event["type"] for event in self.events(scope)]

    def destination(self, scope: Any, *secrets: str) -> Destination:
        url = f"{self.base_url}/{scope}"
        return Destination(scope, url, secrets or (SIGNING_SECRETS[scope],))


@pytest.fixture(scope="session")
async def served() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(SandboxConfig(port=0, delivery_timeout_seconds=60)) as running:
        yield running


@pytest.fixture
def sandbox(served: RunningSandbox) -> RunningSandbox:
    served.sandbox.reset()
    served.sandbox.deliveries.replace_destinations([])
    return served


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{scope}", receiver.accept)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield receiver
    await runner.cleanup()


@pytest.fixture
async def stripe(sandbox: RunningSandbox) -> AsyncIterator[httpx.AsyncClient]:
    """Stripe, as the platform's server calls it (plain HTTP: no certificates to load)."""
    headers = {"Authorization": f"Bearer {SECRET}", "Stripe-Version": VERSION}
    async with httpx.AsyncClient(
        base_url=sandbox.base_url, headers=headers, verify=False, timeout=60
    ) as client:
        yield client


@pytest.fixture
async def browser(sandbox: RunningSandbox) -> AsyncIterator[httpx.AsyncClient]:
    """Stripe, as a buyer's browser calls it, and the pages Stripe hosts."""
    headers = {"Authorization": f"Bearer {PUBLISHABLE}"}
    async with httpx.AsyncClient(
        base_url=sandbox.base_url, headers=headers, verify=False, timeout=60
    ) as client:
        yield client


@pytest.fixture
async def listening(sandbox: RunningSandbox, receiver: Receiver) -> Receiver:
    """The receiver, with all three scopes delivered to it."""
    scopes = ("platform", "accounts", "connect")
    sandbox.sandbox.deliveries.replace_destinations([receiver.destination(s) for s in scopes])
    return receiver
