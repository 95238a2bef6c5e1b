"""The served application with Stripe in memory behind it, and people who use it over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest_asyncio
from litestar import Litestar

from marketplace.app import app_of
from marketplace.composition import compose
from payments.database import execute
from payments.ids import SellerId, new_id
from tests.api.harness import Browser, new_admin, serving, settings_for
from tests.clocks import MovedClock
from tests.orders.shop import Shop, assembled


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def market(database_url: str) -> AsyncIterator["Market"]:
    """The application with Stripe in memory behind it."""
    clock = MovedClock()
    shop = assembled(clock)
    composition = compose(settings_for(database_url), clock)
    services = replace(
        composition.services,
        accounts=shop.accounts,
        payments=shop.payments,
        refunds=shop.refunds,
        checkout=shop.checkout,
        changes=shop.changes,
        confirmation=shop.confirmation,
        groups=shop.groups,
        group_payment=shop.group_payment,
        expiry=shop.expiry,
        cancellation=shop.cancellation,
        preparation=shop.preparation,
        deadlines=shop.deadlines,
        shipping=shop.shipping,
        coach_sessions=shop.coach_sessions,
        completion=shop.completion,
    )
    async with serving(app_of(replace(composition, services=services))) as app:
        await shop.schedules.ensure_first(clock())
        admin = await new_admin(app, clock)
        yield Market(app, shop, admin)


class Market:
    """The served application, the shop behind it, and its admin."""

    def __init__(self, app: Litestar, shop: Shop, admin: Browser) -> None:
        self.app, self.shop, self.admin = app, shop, admin
        self.people = 0

    async def person(self) -> Browser:
        self.people += 1
        address = f"198.51.100.{self.people}"  # sign-ups are limited by address
        return await Browser(self.app, ip=address).sign_up(f"{new_id('x')}@example.com")

    async def seller(self) -> tuple[Browser, str]:
        """A seller who can be paid."""
        person = await self.person()
        opened = await person.post(
            "/v1/sellers", {"display_name": "A shop", "country": "DE", "currency": "eur"}
        )
        seller_id = SellerId(opened.json()["id"])
        destination = await self.shop.accounts.open_account(
            seller_id, country="DE", currency="eur", email="s@example.com", display_name="A shop"
        )
        self.shop.stripe_accounts.onboard(destination)
        await self.shop.accounts.refresh(destination)
        await execute("UPDATE sellers SET approval = 'approved' WHERE id = $1", seller_id)
        return person, seller_id

    async def deal(self, **changes: Any) -> "Deal":
        """A seller, a buyer, and an order of two."""
        seller, seller_id = await self.seller()
        listing = await created(seller, "/v1/listings", a_listing(**changes))
        buyer = await self.person()
        order = await created(buyer, "/v1/orders", wanting((listing["id"], 2)), key=new_id("key"))
        return Deal(seller, seller_id, buyer, listing["id"], order["id"])


class Deal:
    """Two people, a listing and an order."""

    def __init__(
        self, seller: Browser, seller_id: str, buyer: Browser, listing_id: str, order_id: str
    ) -> None:
        self.seller, self.seller_id, self.buyer = seller, seller_id, buyer
        self.listing_id, self.order_id = listing_id, order_id

    def path(self, action: str = "") -> str:
        return f"/v1/orders/{self.order_id}" + (f"/{action}" if action else "")


async def paid(market: Market) -> Deal:
    deal = await market.deal(**SESSION)
    intent = (await deal.buyer.post(deal.path("checkout"))).json()["payment_intent"]
    market.shop.stripe.pay(intent)
    await deal.buyer.post(deal.path("refresh"))
    return deal


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def standing(market: Market) -> Deal:
    """One deal for all the requests that must change nothing."""
    return await market.deal()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def standing_paid(market: Market) -> Deal:
    """The same, paid."""
    return await paid(market)


def a_listing(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "kind": "product",
        "title": "A yoga mat",
        "category": "yoga",
        "unit_amount": 2_500,
        "currency": "eur",
        "stock_on_hand": 10,
    }
    facts.update(changes)
    return {name: fact for name, fact in facts.items() if fact is not None}


SESSION = {"kind": "session", "stock_on_hand": None}


def wanting(*lines: tuple[str, int]) -> dict[str, Any]:
    return {"lines": [{"listing_id": id, "quantity": quantity} for id, quantity in lines]}


async def created(
    person: Browser, path: str, body: dict[str, Any], key: str | None = None
) -> dict[str, Any]:
    answer = await person.post(path, body, key=key)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def shown(person: Browser, path: str, **query: Any) -> dict[str, Any]:
    answer = await person.get(path, **query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told
