"""Sellers on a real database, with Stripe in memory and time in hand."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from connect.accounts import Accounts
from marketplace.sellers.profile import NewSeller, SellerProfile
from marketplace.sellers.sellers import Sellers
from marketplace.sellers.vouching import Vouching
from payments.database import engine, execute
from payments.ids import new_id
from payments.operations import Operations
from tests.clocks import MovedClock
from tests.connect.fakes import FakeAccountGateway

URLS = {"return_url": "https://shop.example/return", "refresh_url": "https://shop.example/refresh"}
COACH = NewSeller(display_name="Coach Ada", country="DE", currency="eur")


async def an_account(*, is_admin: bool = False) -> str:
    """A person who signed up."""
    account_id = new_id("acc")
    await execute(
        "INSERT INTO accounts (id, email, display_name, password_hash, is_admin, created_at) "
        "VALUES ($1, $2, 'Somebody', '-', $3, $4)",
        account_id,
        f"{account_id}@example.com",
        is_admin,
        datetime(2026, 11, 1, tzinfo=UTC),
    )
    return account_id


@dataclass
class Shop:
    """Everything a test of sellers touches."""

    stripe: FakeAccountGateway
    clock: MovedClock
    sellers: Sellers
    vouching: Vouching
    admin_id: str

    async def a_seller(self) -> SellerProfile:
        """Somebody who just opened a profile."""
        return await self.sellers.open_profile(await an_account(), COACH, self.clock())

    async def approve(self, seller: SellerProfile) -> SellerProfile:
        return await self.sellers.decide(
            seller.id, "approve", actor=self.admin_id, reason="Looks fine", now=self.clock()
        )

    async def suspend(self, seller: SellerProfile) -> SellerProfile:
        return await self.sellers.suspend(
            seller.id, actor=self.admin_id, reason="Not served", now=self.clock()
        )

    async def onboard(self, seller: SellerProfile) -> None:
        """The seller follows the link, gives everything, and the minute passes."""
        await self.sellers.onboarding_link(
            seller.id,
            account_id=seller.account_id,
            email="coach@example.com",
            now=self.clock(),
            **URLS,
        )
        self.stripe.onboard(self.stripe.sellers[seller.id])
        self.clock.move(seconds=61)

    async def a_payable_seller(self) -> SellerProfile:
        """Onboarded and approved."""
        seller = await self.a_seller()
        await self.onboard(seller)
        return await self.approve(seller)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(database_url: str) -> AsyncIterator[None]:
    """Piccolo's engine on this module's own database."""
    await engine().start(database_url)
    yield
    await engine().stop()


@pytest.fixture
async def shop(database: None) -> Shop:
    """A fresh program on the module's database."""
    stripe, clock = FakeAccountGateway(), MovedClock()
    accounts = Accounts(stripe, Operations(clock), clock)
    admin_id = await an_account(is_admin=True)
    return Shop(stripe, clock, Sellers(accounts), Vouching(accounts), admin_id)
