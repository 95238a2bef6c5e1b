"""The served program, an admin, a seller whose books were written by hand, and a stranger."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest_asyncio

from marketplace.app import app_of
from marketplace.composition import compose
from tests.api.harness import Browser, new_admin, serving, settings_for
from tests.clocks import MovedClock
from tests.papers.bookkeeping import NOVEMBER, Bookkeeper, schedule, sealed

NOW = datetime(2026, 12, 5, 9, tzinfo=UTC)


@dataclass
class Office:
    """Who uses it."""

    clock: MovedClock
    admin: Browser
    seller: Browser
    stranger: Browser
    books: Bookkeeper

    @property
    def base(self) -> str:
        """The seller's own path."""
        return f"/v1/sellers/{self.books.seller_id}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(database_url: str) -> AsyncIterator[Office]:
    """Two sales of November, one of them refunded in part."""
    clock = MovedClock(NOW)
    app = app_of(compose(settings_for(database_url), clock))
    async with serving(app):
        admin = await new_admin(app, clock)
        seller = await Browser(app, ip="198.51.100.1").sign_up("coach@example.com")
        stranger = await Browser(app, ip="198.51.100.2").sign_up("stranger@example.com")
        shop = {"display_name": "=A <b>shop</b>", "country": "DE", "currency": "eur"}
        opened = (await seller.post("/v1/sellers", shop)).json()
        books = Bookkeeper(opened["id"], seller.account["id"], await schedule())
        await books.sale(6_000, NOVEMBER, kind="session")
        sale = await books.sale(2_000, NOVEMBER)
        await sale.refund(1_020, 139, NOVEMBER)
        await sealed(NOW)
        yield Office(clock, admin, seller, stranger, books)
