"""connect on a real database, with Stripe in memory and time in hand."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from connect.accounts import Accounts
from connect.capability import CapabilityPolicy, PayoutCapability, PlatformStanding
from payments.database import engine, execute
from payments.ids import ConnectedAccountId, SellerId, new_id
from payments.operations import Operations
from tests.connect.fakes import FakeAccountGateway

APPROVED = PlatformStanding("approved", suspended=False)


@dataclass
class MovableClock:
    """Time that moves only when a test says so."""

    now: datetime = field(default_factory=lambda: datetime(2026, 11, 21, 12, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **amount: float) -> datetime:
        self.now += timedelta(**amount)
        return self.now


async def a_seller() -> SellerId:
    """A seller of somebody's; approved or not is passed in by the tests of connect."""
    account_id, seller_id = new_id("acc"), SellerId(new_id("sel"))
    now = datetime(2026, 11, 1, tzinfo=UTC)
    await execute(
        "INSERT INTO accounts (id, email, display_name, password_hash, is_admin, created_at) "
        "VALUES ($1, $2, 'Coach', '-', false, $3)",
        account_id,
        f"{account_id}@example.com",
        now,
    )
    await execute(
        "INSERT INTO sellers (id, account_id, display_name, country, currency, approval, "
        "created_at) VALUES ($1, $2, 'Coach', 'DE', 'eur', 'pending', $3)",
        seller_id,
        account_id,
        now,
    )
    return seller_id


@dataclass
class Connect:
    """Everything a test of connect touches."""

    gateway: FakeAccountGateway
    clock: MovableClock
    operations: Operations
    accounts: Accounts

    async def open(self, seller_id: SellerId) -> ConnectedAccountId:
        return await self.accounts.open_account(
            seller_id,
            country="DE",
            currency="eur",
            email="coach@example.com",
            display_name="Coach",
        )

    async def a_ready_seller(self) -> tuple[SellerId, ConnectedAccountId]:
        """A seller whose account was opened, onboarded and read just now."""
        seller_id = await a_seller()
        account_id = await self.open(seller_id)
        self.gateway.onboard(account_id)
        await self.accounts.refresh(account_id)
        return seller_id, account_id

    async def vouch(self, seller_id: SellerId) -> PayoutCapability:
        return await self.accounts.vouch(seller_id, APPROVED, self.clock())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(database_url: str) -> AsyncIterator[None]:
    """Piccolo's engine on this module's own database."""
    await engine().start(database_url)
    yield
    await engine().stop()


@pytest.fixture
def connect(database: None) -> Connect:
    """A fresh program on the module's database."""
    gateway, clock = FakeAccountGateway(), MovableClock()
    operations = Operations(clock)
    accounts = Accounts(gateway, operations, clock, CapabilityPolicy())
    return Connect(gateway, clock, operations, accounts)
