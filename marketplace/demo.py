"""A small living marketplace, played through the HTTP API as people would, on a sandbox only.

Every step is repeatable: people, shops and listings are looked up before they are made, orders carry fixed
idempotency keys. A run that was interrupted is finished by the next one; once the story was played to its
end nothing is done any more, whatever people have made of it since: a shop suspended, a listing archived.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx

from marketplace.composition import wall_clock
from marketplace.demo_cast import (
    ADMIN,
    BLOCK,
    BUYER,
    CAST,
    COACH,
    MAT,
    NEWCOMER,
    PASSWORD,
    SESSION,
    SHOP,
    Character,
)
from marketplace.people.people import People
from marketplace.people.scopes import grantable_scopes
from marketplace.people.tokens import hashed
from marketplace.settings import Settings
from payments.database import engine, execute, value
from payments.ids import new_id

WAIT_SECONDS = 30.0
"""How long a webhook and the worker may take before the demo gives up."""


_LAST_ORDER = "session-declined"


class DemoStuck(Exception):
    """Something that should have happened did not, and `what` tells it. Is a worker running?"""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"the demo got no further: {what}")


async def fill(settings: Settings, address: str) -> str:
    """Fill the marketplace served at `address` and answer a sentence that tells what was new.

    Needs `serve`, `work` and the sandbox running. Raises DemoStuck when they do not do their part.
    """
    await engine().start(settings.database_url, pool_size=2)
    try:
        if await _played_to_its_end():
            return "The demo was filled already."
        before = await _census()
        await _cast_appears(settings)
        async with httpx.AsyncClient(base_url=address, timeout=30) as http:
            await _Play(http, settings).perform()
        return _told(before, await _census())
    except httpx.TransportError as error:
        where = error.request.url.copy_with(path="/", query=None)
        raise DemoStuck(f"{where} does not answer ({type(error).__name__})") from error
    finally:
        await engine().stop()


async def _played_to_its_end() -> bool:
    """Whether the story's last line was spoken: the bank's no to the order that is left open."""
    return bool(
        await value(
            "SELECT EXISTS (SELECT FROM attempts JOIN orders ON orders.id = attempts.order_id "
            "JOIN accounts ON accounts.id = orders.buyer_id "
            "WHERE accounts.email = $1 AND orders.idempotency_key = $2)",
            BUYER.email,
            f"demo-{_LAST_ORDER}",
        )
    )


async def _census() -> dict[str, int]:
    return {
        name: await value(f"SELECT count(*) FROM {table}")
        for name, table in (("people", "accounts"), ("listings", "listings"), ("orders", "orders"))
    }


def _told(before: dict[str, int], after: dict[str, int]) -> str:
    new = {name: count - before[name] for name, count in after.items() if count != before[name]}
    if not new:
        return "The demo was filled already."
    return f"The demo is filled: {', '.join(f'{count} {name}' for name, count in new.items())}."


async def _cast_appears(settings: Settings) -> None:
    """Accounts and fixed API keys; the keys are planted, because issued ones are random."""
    people = People(wall_clock, live=settings.live)
    try:
        for one in CAST:
            account_id = await value("SELECT id FROM accounts WHERE email = $1", one.email)
            await _has_key(account_id or await _signed_up(people, one), one)
    finally:
        people.close()


async def _signed_up(people: People, one: Character) -> str:
    if one is ADMIN:
        return (await people.create_admin(one.email, PASSWORD, one.name)).id
    account = await people.sign_up(
        email=one.email, password=PASSWORD, display_name=one.name, address="demo"
    )
    return account.id


async def _has_key(account_id: str, one: Character) -> None:
    await execute(
        "INSERT INTO api_keys (id, account_id, name, preview, token_hash, scopes, created_at) "
        "VALUES ($1, $2, 'demo', $3, $4, $5, now()) ON CONFLICT (token_hash) DO NOTHING",
        new_id("key"),
        account_id,
        one.token[:12],
        hashed(one.token),
        sorted(grantable_scopes(is_admin=one is ADMIN)),
    )


class _Play:
    """The story: two shops open, a buyer buys, one order goes back, one is disputed, one is sent."""

    def __init__(self, http: httpx.AsyncClient, settings: Settings) -> None:
        self._http = http
        self._settings = settings

    async def perform(self) -> None:
        await self._opens_shop(COACH, "DE")
        await self._opens_shop(SHOP, "DE")
        await self._has_profile(NEWCOMER, "FR")
        session = await self._listed(COACH, SESSION)
        mat = await self._listed(SHOP, MAT)
        await self._listed(SHOP, BLOCK)
        booked = await self._bought("session", session, 1)
        await self._scheduled(booked)
        back = await self._bought("session-refunded", session, 2)
        await self._refunded(back)
        await self._disputed(await self._bought("session-disputed", session, 1))
        prepared = await self._bought("mat-prepared", mat, 2)
        await self._prepared(prepared)
        sent = await self._bought("mat-shipped", mat, 1)
        await self._shipped(sent)
        await self._bought("mat-waiting", mat, 1)
        await self._declined(_LAST_ORDER, session)

    async def _opens_shop(self, who: Character, country: str) -> None:
        """Profile, onboarding on Stripe's page, approval: until money can reach them."""
        seller_id = await self._has_profile(who, country)
        path = f"/v1/sellers/{seller_id}"
        if not (await self._ask(who, "GET", f"{path}/payout-capability"))["payable"]:
            link = await self._ask(who, "POST", f"{path}/onboarding-link")
            await self._fills_in(link["url"])
        if (await self._ask(who, "GET", path))["approval"] != "approved":
            decision = {"decision": "approve", "reason": "a friend of the house"}
            await self._ask(ADMIN, "POST", f"/v1/admin/sellers/{seller_id}/approval", decision)

        async def payable() -> bool:
            return bool((await self._ask(who, "GET", f"{path}/payout-capability"))["payable"])

        await _until(payable, f"{who.name} can be paid")

    async def _has_profile(self, who: Character, country: str) -> str:
        answer = await self._send(who, "GET", "/v1/sellers/me")
        if answer.status_code == 404:
            body = {"display_name": who.name, "country": country, "currency": "eur"}
            return str((await self._ask(who, "POST", "/v1/sellers", body))["id"])
        return str(answer.json()["id"])

    async def _fills_in(self, url: str) -> None:
        """The seller's browser on the sandbox's hosted page."""
        async with httpx.AsyncClient(timeout=30) as browser:
            answer = await browser.post(url, data={"outcome": "complete"})
        if answer.status_code != 303:
            raise DemoStuck(f"the onboarding page answered {answer.status_code}")

    async def _listed(self, who: Character, listing: dict[str, Any]) -> str:
        seller = await self._ask(who, "GET", "/v1/sellers/me")
        found = await self._ask(who, "GET", f"/v1/listings?seller_id={seller['id']}&limit=100")
        for one in found["data"]:
            if one["title"] == listing["title"]:
                return str(one["id"])
        return str((await self._ask(who, "POST", "/v1/listings", listing))["id"])

    async def _bought(self, name: str, listing: str, quantity: int) -> str:
        """Order, checkout, confirm at Stripe, and wait until the webhook has done its work."""
        order = await self._ordered(name, listing, quantity)
        if order["status"] == "checkout":
            await self._confirms(order["id"], "pm_card_visa")

        async def done() -> bool:
            # A later run finds it further on: prepared, lapsed, whatever became of it.
            now = await self._ask(BUYER, "GET", f"/v1/orders/{order['id']}")
            return str(now["status"]) != "checkout"

        await _until(done, f"the payment of order {name}")
        return str(order["id"])

    async def _declined(self, name: str, listing: str) -> None:
        """An order whose first card was refused, left for the buyer to try again."""
        order = await self._ordered(name, listing, 1)
        attempts = f"/v1/orders/{order['id']}/attempts"
        if order["status"] == "checkout" and not (await self._ask(BUYER, "GET", attempts))["data"]:
            await self._confirms(order["id"], "pm_card_visa_chargeDeclinedInsufficientFunds")

    async def _ordered(self, name: str, listing: str, quantity: int) -> Any:
        lines = {"lines": [{"listing_id": listing, "quantity": quantity}]}
        order = await self._ask(BUYER, "POST", "/v1/orders", lines, key=f"demo-{name}")
        return await self._ask(BUYER, "GET", f"/v1/orders/{order['id']}")

    async def _confirms(self, order_id: str, card: str) -> None:
        """The buyer's browser at Stripe, exactly as Stripe.js does it."""
        # Cy likes to buy the same thing twice, and says so.
        again = {"again": True}
        checkout = await self._ask(BUYER, "POST", f"/v1/orders/{order_id}/checkout", again)
        async with httpx.AsyncClient(
            base_url=self._settings.stripe_api_base, timeout=30
        ) as browser:
            await browser.post(
                f"/v1/payment_intents/{checkout['payment_intent']}/confirm",
                data={
                    "client_secret": checkout["client_secret"],
                    "payment_method": card,
                    "return_url": self._settings.public_url,
                },
                headers={"Authorization": f"Bearer {checkout['publishable_key']}"},
            )

    async def _prepared(self, order_id: str) -> None:
        if (await self._ask(SHOP, "GET", f"/v1/orders/{order_id}"))["status"] == "authorized":
            await self._ask(SHOP, "POST", f"/v1/orders/{order_id}/preparation")

    async def _shipped(self, order_id: str) -> None:
        """Prepared and sent, after a word between the two."""
        await self._prepared(order_id)
        path = f"/v1/orders/{order_id}"
        if (await self._ask(SHOP, "GET", path))["status"] != "paid":
            return
        said = {"body": "When does the mat arrive?"}
        await self._ask(BUYER, "POST", f"{path}/messages", said, key="demo-question")
        parcel = {"carrier": "DHL", "tracking_number": "00340434161094000000"}
        await self._ask(SHOP, "POST", f"{path}/shipment", parcel)

    async def _scheduled(self, order_id: str) -> None:
        """A booked hour gets its time, a week from now."""
        path = f"/v1/orders/{order_id}"
        if (await self._ask(COACH, "GET", path))["status"] == "paid":
            starts_at = (wall_clock() + timedelta(days=7)).replace(
                minute=0, second=0, microsecond=0
            )
            await self._ask(
                COACH,
                "POST",
                f"{path}/schedule",
                {"starts_at": starts_at.isoformat(), "duration_minutes": 60},
            )

    async def _disputed(self, order_id: str) -> None:
        """The buyer's bank asks for the money back; the coach has nine days to answer."""
        path = f"/v1/admin/orders/{order_id}"
        order = await self._ask(ADMIN, "GET", path)

        async def told() -> bool:
            steps = (await self._ask(ADMIN, "GET", path))["steps"]
            return "disputed" in [one["step"] for one in steps]

        if not await told():
            async with httpx.AsyncClient(base_url=self._settings.stripe_api_base) as bank:
                claim = {"payment_intent": order["payment_intent"], "reason": "fraudulent"}
                await bank.post("/_sandbox/disputes", json=claim)
        await _until(told, "the dispute to be known")

    async def _refunded(self, order_id: str) -> None:
        if (await self._ask(COACH, "GET", f"/v1/orders/{order_id}"))["status"] != "paid":
            return
        body = {"amount": 6000, "reason": "requested_by_customer"}
        await self._ask(COACH, "POST", f"/v1/orders/{order_id}/refunds", body, key="demo-refund")

    async def _ask(
        self, who: Character, method: str, path: str, body: Any = None, key: str | None = None
    ) -> Any:
        answer = await self._send(who, method, path, body, key)
        if answer.status_code >= 400:
            raise DemoStuck(
                f"{method} {path} was answered {answer.status_code} {answer.text[:200]}"
            )
        return answer.json()

    async def _send(
        self, who: Character, method: str, path: str, body: Any = None, key: str | None = None
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {who.token}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self._http.request(method, path, json=body, headers=headers)


async def _until(true: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask again and again until it is so. Raises DemoStuck."""
    for _ in range(int(WAIT_SECONDS / 0.2)):
        if await true():
            return
        await asyncio.sleep(0.2)
    raise DemoStuck(f"waited {WAIT_SECONDS:.0f} s for {what}")
