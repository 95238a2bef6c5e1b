"""A small marketplace in the database: accounts, sellers and listings, written as plain rows."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from marketplace.catalog.catalog import Catalog
from marketplace.catalog.listings import ListingRecord, NewListing
from payments.database import engine, execute
from payments.ids import new_id

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class MovableClock:
    """A clock that tests set forward."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(database_url: str) -> AsyncIterator[None]:
    """The engine, started on this module's own database with room for fifty at once."""
    await engine().start(database_url, pool_size=50)
    yield
    await engine().stop()


async def account() -> str:
    """A person; answers the account's id."""
    account_id = new_id("acc")
    await execute(
        "INSERT INTO accounts (id, email, display_name, password_hash, is_admin, created_at) "
        "VALUES ($1, $2, 'Somebody', 'no password', false, $3)",
        account_id,
        f"{account_id}@example.com",
        NOON,
    )
    return account_id


async def seller(account_id: str, currency: str = "eur") -> str:
    """An approved seller profile; answers its id."""
    seller_id = new_id("sel")
    await execute(
        "INSERT INTO sellers (id, account_id, display_name, country, currency, approval, created_at) "
        "VALUES ($1, $2, 'A shop', 'DE', $3, 'approved', $4)",
        seller_id,
        account_id,
        currency,
        NOON,
    )
    return seller_id


def new_listing(**changes: object) -> NewListing:
    facts: dict[str, object] = {
        "kind": "product",
        "title": "A yoga mat",
        "description": "Rolls up.",
        "category": "yoga",
        "unit_amount": 2_500,
        "currency": "eur",
        "stock_on_hand": 10,
    }
    if changes.get("kind") == "session":
        facts["stock_on_hand"] = None
    return NewListing(**{**facts, **changes})  # type: ignore[arg-type]


async def listing(owner_id: str, **changes: object) -> ListingRecord:
    """Something on offer by the account's seller."""
    return await Catalog().create(owner_id, new_listing(**changes), NOON)


async def place_bare(buyer_id: str, seller_id: str, order_id: str | None = None) -> str:
    """An order row that stock can be reserved for; answers its id."""
    order_id = order_id or new_id("ord")
    schedule_id = new_id("fsc")
    await execute(
        "INSERT INTO fee_schedules (id, version, rules, effective_from, created_at, created_by) "
        "SELECT $1, coalesce(max(version), 0) + 1, '[]', $2, $2, 'test' FROM fee_schedules",
        schedule_id,
        NOON,
    )
    await execute(
        "INSERT INTO orders (id, buyer_id, seller_id, currency, status, total, capture_method, "
        "application_fee, fee_schedule_id, fee_rule_id, fee_working, generation, idempotency_key, "
        "created_at, updated_at, checkout_expires_at) "
        "VALUES ($1, $2, $3, 'eur', 'checkout', 2500, 'manual', 0, $4, 'none', '{}', 0, $1, $5, $5, $5)",
        order_id,
        buyer_id,
        seller_id,
        schedule_id,
        NOON,
    )
    return order_id
