"""The whole program with real parts, for stories: served over HTTP, with a Stripe sandbox and a worker.

Nothing is faked inside the program: the API is called over a socket, stripe-python talks to the sandbox
over another, webhooks arrive signed over a third. Only the clock is ours, and the sandbox's moves with it.
`settle` waits until every webhook was delivered and every sweep found nothing left to do.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import uvicorn

from marketplace.app import app_of
from marketplace.composition import Composition, compose
from marketplace.settings import SERVING, Settings
from marketplace.worker import drain
from payments.ids import new_id
from stripe_sandbox.config import Destination, SandboxConfig
from stripe_sandbox.server import GuestServer, RunningSandbox, running_sandbox
from tests.clocks import MovedClock

SECRET_KEY = "sk_test_stories0123456789"
PUBLISHABLE_KEY = "pk_test_stories0123456789"
SECRETS = {scope: f"whsec_{scope}_of_the_stories" for scope in ("platform", "accounts", "connect")}
PASSWORD = "seven-otters-sing-at-dawn"
# A loaded machine answers slowly; an event given up on would only come again hours later.
PATIENCE_SECONDS = 45.0


def a_client(**options: Any) -> httpx.AsyncClient:
    """A client for this machine: without certificates, which take longer to load than most requests."""
    return httpx.AsyncClient(verify=False, **options)


@dataclass
class Person:
    """Somebody with a browser: a session cookie, a CSRF token, and what they have."""

    town: "Town"
    http: httpx.AsyncClient
    email: str
    account_id: str = ""
    seller_id: str = ""
    csrf: str = ""

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None
    ) -> httpx.Response:
        """One request as this person's browser makes it."""
        headers = {"X-CSRF-Token": self.csrf, "Origin": self.town.base_url}
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self.http.request(method, path, json=body, headers=headers)

    async def get(self, path: str, **query: Any) -> Any:
        """The JSON of a read that must succeed."""
        answer = await self.http.get(path, params=query)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """The JSON of a write that must succeed."""
        answer = await self.call("POST", path, body, key=key or new_id("key"))
        assert answer.status_code in (200, 201, 202), (path, answer.status_code, answer.text)
        return answer.json()

    async def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status and code of a request that must be refused with a problem document."""
        answer = await self.call(method, path, body, key=new_id("key"))
        assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
        assert answer.status_code >= 400, answer.text
        return answer.status_code, answer.json()["code"]

    # What people do

    async def order(self, *lines: tuple[str, int]) -> Any:
        """Place an order of (listing id, quantity)."""
        wanted = [{"listing_id": listing, "quantity": quantity} for listing, quantity in lines]
        return await self.post("/v1/orders", {"lines": wanted})

    async def checkout(self, order_id: str) -> Any:
        # Stories buy the same thing many times; the guard against that has stories of its own.
        return await self.post(f"/v1/orders/{order_id}/checkout", {"again": True})

    async def pays(self, listing: str, quantity: int = 1, card: str = "pm_card_visa") -> str:
        """Order, checkout and confirm; answers the order's id, settled."""
        order = await self.order((listing, quantity))
        checkout = await self.checkout(order["id"])
        await self.town.confirm(checkout, card)
        await self.town.settle()
        return str(order["id"])


@dataclass
class Town:
    """A running marketplace and everything around it."""

    base_url: str
    sandbox: RunningSandbox
    composition: Composition
    clock: MovedClock
    browsers: list[httpx.AsyncClient] = field(default_factory=list)

    async def arrives(self, name: str = "somebody") -> Person:
        """A person signs up and signs in."""
        email = f"{name}.{new_id('x')[-12:]}@example.com"
        person = Person(town=self, http=self._browser(), email=email)
        await self._signs_up(person, name)
        await self.signs_in(person)
        return person

    async def _signs_up(self, person: Person, name: str) -> None:
        body = {"email": person.email, "password": PASSWORD, "display_name": name.title()}
        answer = await person.http.post("/v1/accounts", json=body)
        assert answer.status_code == 201, answer.text
        person.account_id = answer.json()["id"]

    async def signs_in(self, person: Person) -> None:
        answer = await person.http.post(
            "/v1/sessions", json={"email": person.email, "password": PASSWORD}
        )
        assert answer.status_code == 201, answer.text
        # Python's cookie jar sends Secure cookies over TLS only; browsers make an exception for localhost.
        person.http.headers["Cookie"] = answer.headers["set-cookie"].split(";")[0]
        person.csrf = answer.json()["csrf_token"]

    async def admin(self) -> Person:
        """An admin, made as the command line makes them."""
        email = f"admin.{new_id('x')[-12:]}@example.com"
        account = await self.composition.services.people.create_admin(email, PASSWORD, "Admin")
        person = Person(town=self, http=self._browser(), email=email, account_id=account.id)
        await self.signs_in(person)
        return person

    async def seller(self, name: str = "coach", *, admin: Person | None = None) -> Person:
        """A seller who can be paid: profile, onboarding at Stripe, approval."""
        person = await self.arrives(name)
        await self.opens_shop(person)
        await self.onboards(person)
        await self.approves(admin or await self.admin(), person)
        return person

    async def opens_shop(self, person: Person, country: str = "DE", currency: str = "eur") -> None:
        body = {"display_name": f"{person.email}'s shop", "country": country, "currency": currency}
        person.seller_id = (await person.post("/v1/sellers", body))["id"]

    async def onboards(self, person: Person, outcome: str = "complete") -> httpx.Response:
        """Follow a fresh onboarding link to Stripe's hosted page and fill it in."""
        link = await person.post(f"/v1/sellers/{person.seller_id}/onboarding-link")
        async with a_client() as browser:
            page = await browser.get(link["url"])
            assert page.status_code == 200, page.text
            answer = await browser.post(link["url"], data={"outcome": outcome})
            assert answer.status_code == 303, answer.text
        await self.settle()
        return answer

    async def approves(self, admin: Person, seller: Person) -> None:
        await admin.post(
            f"/v1/admin/sellers/{seller.seller_id}/approval",
            {"decision": "approve", "reason": "looked at"},
        )

    async def lists(self, seller: Person, **changes: Any) -> str:
        """Publish a listing; a session unless told otherwise. Answers its id."""
        facts: dict[str, Any] = {
            "kind": "session",
            "title": "An hour with a coach",
            "description": "Sixty minutes, online.",
            "category": "coaching",
            "unit_amount": 6000,
            "currency": "eur",
        }
        return str((await seller.post("/v1/listings", facts | changes))["id"])

    async def product(self, seller: Person, stock: int = 5, unit_amount: int = 2500) -> str:
        return await self.lists(
            seller,
            kind="product",
            title="A yoga mat",
            description="Rolls up.",
            category="goods",
            unit_amount=unit_amount,
            stock_on_hand=stock,
        )

    # Stripe's side

    async def confirm(self, checkout: Any, card: str = "pm_card_visa") -> httpx.Response:
        """The buyer's browser confirms at Stripe, exactly as Stripe.js does."""
        async with a_client(base_url=self.sandbox.base_url) as browser:
            return await browser.post(
                f"/v1/payment_intents/{checkout['payment_intent']}/confirm",
                data={
                    "client_secret": checkout["client_secret"],
                    "payment_method": card,
                    "return_url": f"{self.base_url}/paid",
                },
                headers={"Authorization": f"Bearer {checkout['publishable_key']}"},
            )

    async def challenge(self, intent: Any, outcome: str) -> None:
        """The buyer answers the bank's 3-D Secure page: `complete` or `fail`."""
        url = intent["next_action"]["redirect_to_url"]["url"]
        async with a_client() as browser:
            answer = await browser.post(url, data={"outcome": outcome})
        assert answer.status_code == 303, answer.text

    async def account_of(self, seller: Person) -> str:
        """The seller's connected account, as our books know it."""
        known = await self.composition.services.accounts.require_fresh(
            seller.seller_id,  # type: ignore[arg-type]
            self.clock(),
        )
        assert known is not None
        return str(known.snapshot.id)

    async def restricts(self, seller: Person, status: str = "restricted") -> None:
        """Stripe takes the seller's transfers away (or gives them back), and tells us."""
        account = await self.account_of(seller)
        await self.stripe(
            "POST", f"/_sandbox/accounts/{account}", json={"stripe_transfers": status}
        )
        await self.settle()

    async def stripe(self, method: str, path: str, **options: Any) -> Any:
        """The sandbox's API as the platform sees it, or its control surface."""
        async with a_client(base_url=self.sandbox.base_url) as client:
            answer = await client.request(
                method,
                path,
                headers={
                    "Authorization": f"Bearer {SECRET_KEY}",
                    "Stripe-Version": "2026-10-28.endive",
                },
                **options,
            )
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def fault(self, **fault: Any) -> None:
        """Switch a fault on at the sandbox."""
        await self.stripe("POST", "/_sandbox/faults", json=fault)

    async def asked(self, method: str, path: str) -> list[Any]:
        """What Stripe was asked with this method on paths that start so."""
        found = (await self.stripe("GET", "/_sandbox/requests"))["requests"]
        return [one for one in found if one["method"] == method and one["path"].startswith(path)]

    # Time

    def keeps_pace(self, seconds: float) -> None:
        """Stripe's clock runs on while ours stands still, and what is signed five minutes ahead of ours is
        refused: catch up when it is further ahead than `seconds`, between two stories at the best."""
        ahead = self.sandbox.sandbox.world.now() - self.clock().timestamp()
        if ahead > seconds:
            self.clock.move(seconds=ahead)

    async def settle(self) -> None:
        """Deliver what is in the air, work on what is due, until nothing moves any more."""
        self.keeps_pace(240)
        for _ in range(20):
            assert await self.sandbox.sandbox.deliveries.settled(PATIENCE_SECONDS)
            if await drain(self.composition.sweeps, self.clock()) == 0:
                return
        raise AssertionError("the town does not come to rest")

    async def passes(self, **time: float) -> None:
        """Time passes for us and for Stripe, and what is due happens."""
        before = self.clock()
        after = self.clock.move(**time)
        self.sandbox.sandbox.advance(int((after - before).total_seconds()))
        await self.settle()

    async def waits_for_morning_near_midnight(self, hours: float) -> None:
        """For stories that count what was done: what the worker does every night is not to fall into the
        next `hours`. Midnight further off changes nothing."""
        midnight = datetime.combine(self.clock(), time.min, UTC) + timedelta(days=1)
        left = midnight - self.clock()
        if left <= timedelta(hours=hours):
            await self.passes(seconds=(left + timedelta(hours=9)).total_seconds())

    def _browser(self) -> httpx.AsyncClient:
        browser = a_client(base_url=self.base_url, timeout=30)
        self.browsers.append(browser)
        return browser


@asynccontextmanager
async def running_town(database_url: str, **changes: str) -> AsyncIterator[Town]:
    """A town on this database, on free ports of this machine."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    # A name, because browsers and curl keep Secure cookies for it without TLS.
    base_url = f"http://localhost:{listener.getsockname()[1]}"
    destinations = tuple(
        Destination(scope, f"{base_url}/webhooks/stripe/{scope}", (secret,))  # type: ignore[arg-type]
        for scope, secret in SECRETS.items()
    )
    config = SandboxConfig(
        port=0,
        destinations=destinations,
        receiver_shares_clock=True,
        delivery_timeout_seconds=PATIENCE_SECONDS,
    )
    with TemporaryDirectory() as data:
        async with running_sandbox(config) as sandbox:
            env = {
                "DATABASE_URL": database_url,
                "STRIPE_SECRET_KEY": SECRET_KEY,
                "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
                "STRIPE_API_BASE": sandbox.base_url,
                "PUBLIC_URL": base_url,
                "MARKETPLACE_DATA_DIR": data,
                **{f"STRIPE_WEBHOOK_SECRETS_{k.upper()}": v for k, v in SECRETS.items()},
                **changes,
            }
            clock = MovedClock()
            sandbox.sandbox.advance(int((clock() - datetime.now(UTC)).total_seconds()))
            composition = compose(Settings.from_environment(env, require=SERVING), clock)
            async with _served(composition, listener):
                await composition.services.fees.ensure_first(clock())
                town = Town(base_url, sandbox, composition, clock)
                yield town
                for browser in town.browsers:
                    await browser.aclose()


@asynccontextmanager
async def _served(composition: Composition, listener: socket.socket) -> AsyncIterator[None]:
    server = GuestServer(
        uvicorn.Config(app_of(composition), access_log=False, log_config=None, lifespan="on")
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        if task.done():
            task.result()
            raise AssertionError("the server did not start")
        await asyncio.sleep(0.005)
    try:
        yield
    finally:
        server.should_exit = True
        await task
