"""The real application on a real database, asked over HTTP without a socket.

    async with serving(app):
        browser = Browser(app)
        await browser.sign_up("ada@example.com")

Litestar's own test client runs the application in another event loop, where the database's pool cannot be
shared; here the application's lifespan runs in a task of its own, in the test's loop.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from litestar import Litestar

from marketplace.composition import compose
from marketplace.settings import Settings
from payments.database import rows
from payments.events import Clock

ADDRESS = "https://market.test"
PASSWORD = "seven-otters-sing-at-dawn"


def settings_for(database_url: str, **changes: Any) -> Settings:
    """Settings of a program that never reaches Stripe unless `changes` say where it is."""
    chosen: dict[str, Any] = {
        "database_url": database_url,
        "database_pool": 5,
        "stripe_secret_key": "sk_test_harness",
        "stripe_publishable_key": "pk_test_harness",
        "stripe_webhook_secrets_platform": ("whsec_harness",),
        "stripe_api_base": "http://127.0.0.1:9",
        "public_url": ADDRESS,
    }
    return Settings(**(chosen | changes))


@asynccontextmanager
async def serving(app: Litestar) -> AsyncIterator[Litestar]:
    """Run the application's lifespan in a task of its own, as a server does."""
    started, stop = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await stop.wait()

    life = asyncio.create_task(live())
    starting = asyncio.create_task(started.wait())
    await asyncio.wait({life, starting}, return_when=asyncio.FIRST_COMPLETED)
    starting.cancel()
    if life.done():
        await life
    try:
        yield app
    finally:
        stop.set()
        await life


def client_of(app: Litestar, *, ip: str = "192.0.2.7", **headers: str) -> httpx.AsyncClient:
    """An HTTP client of the application, from the network address `ip`."""
    transport = httpx.ASGITransport(app, client=(ip, 50_000))  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers=headers)


class Browser:
    """A person's browser: keeps the session cookie, sends the CSRF token and an origin."""

    def __init__(self, app: Litestar, *, ip: str = "192.0.2.7") -> None:
        self.http = client_of(app, ip=ip, origin=ADDRESS)
        self.account: dict[str, Any] = {}

    async def sign_up(self, email: str, *, name: str = "Ada Lovelace") -> "Browser":
        """Make an account and sign in with it."""
        given = {"email": email, "password": PASSWORD, "display_name": name}
        answer = await self.http.post("/v1/accounts", json=given)
        assert answer.status_code == 201, answer.text
        return await self.sign_in(email)

    async def sign_in(self, email: str, password: str = PASSWORD) -> "Browser":
        """Begin a session."""
        answer = await self.http.post("/v1/sessions", json={"email": email, "password": password})
        assert answer.status_code == 201, answer.text
        self.account = answer.json()["account"]
        self.http.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        return self

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.http.get(path, params=query)

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        """POST a JSON body, with an Idempotency-Key when given."""
        headers = {"Idempotency-Key": key} if key is not None else {}
        return await self.http.post(path, json=body, headers=headers)

    async def patch(self, path: str, body: Any) -> httpx.Response:
        return await self.http.patch(path, json=body)

    async def delete(self, path: str) -> httpx.Response:
        return await self.http.delete(path)

    async def api_key(self, *scopes: str) -> str:
        """A new key's token."""
        answer = await self.post("/v1/api-keys", {"name": "A program", "scopes": list(scopes)})
        assert answer.status_code == 201, answer.text
        token: str = answer.json()["token"]
        return token


async def a_person(app: Litestar, email: str) -> Browser:
    """The account with this address, made if need be, in a new browser."""
    browser = Browser(app)
    given = {"email": email, "password": PASSWORD, "display_name": "Ada"}
    answer = await browser.http.post("/v1/accounts", json=given)
    assert answer.status_code in {201, 409}
    return await browser.sign_in(email)


async def new_admin(app: Litestar, clock: Clock, email: str = "root@example.com") -> Browser:
    """An admin, made as the command line makes one, and signed in."""
    people = compose(settings_for(""), clock).services.people
    await people.create_admin(email, PASSWORD, "Root")
    people.close()
    return await Browser(app).sign_in(email)


async def everything_stored() -> dict[str, int]:
    """How many rows each table has: what a refused request must leave as it was."""
    tables = await rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {
        each["tablename"]: (await rows(f'SELECT count(*) AS n FROM "{each["tablename"]}"'))[0]["n"]
        for each in tables
    }
