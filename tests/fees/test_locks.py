"""Stock is locked before credits, and sellers' credits in one order: two orders never wait in a circle."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from msgspec import UNSET

from marketplace.fees.grants import Grants, NewCredit
from marketplace.fees.schedule import FeeRule
from marketplace.orders.records import Actor
from marketplace.orders.totals import Wanted
from marketplace.oversight.approvals import Approvals
from payments.database import execute, transaction, value
from payments.ids import new_id
from tests.fees.publishing import publish, retire
from tests.orders.shop import Shop, account, listing

STOCK = "SELECT FROM listings WHERE id = $1 FOR NO KEY UPDATE"
CREDIT = "SELECT FROM seller_fee_credits WHERE id = $1 FOR UPDATE"
SOMEBODY_WAITS_FOR_US = """
SELECT EXISTS (SELECT FROM pg_locks
WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))
"""


@pytest_asyncio.fixture(loop_scope="session")
async def plain(shop: Shop) -> AsyncIterator[Shop]:
    """Ten in a hundred, so that every order takes credit."""
    schedule = await publish(
        shop.schedules, (FeeRule(id="rest", basis_points=1_000),), shop.clock()
    )
    yield shop
    await retire(shop.schedules, schedule.id, shop.clock())


async def require_order(
    first: tuple[str, str], second: tuple[str, str], act: Callable[[], Awaitable[object]]
) -> None:
    """While `act` waits for what it locks first, it does not hold what it locks second."""
    begun = asyncio.Event()

    async def acting() -> None:
        await begun.wait()
        await act()

    # Made outside of the transaction, so that it has a connection of its own.
    task = asyncio.create_task(acting())
    try:
        async with transaction():
            await execute(*first)
            begun.set()
            async with asyncio.timeout(60):
                while not await value(SOMEBODY_WAITS_FOR_US):
                    await execute("SELECT pg_sleep(0.005)")
            await execute(f"{second[0]} NOWAIT", second[1])
    finally:
        await task


async def given(shop: Shop, seller_id: str) -> str:
    new = NewCredit(seller_id=seller_id, currency="eur", amount=1_000)
    credit = await Grants(Approvals()).grant(
        new, actor="acc_admin", reason="Welcome", now=shop.clock()
    )
    return credit.id


@pytest.mark.parametrize("act", ["change", "less", "cancel", "anew", "part"])
async def test_stock_is_locked_before_credits(plain: Shop, act: str) -> None:
    owner, seller_id = await plain.a_seller()
    mat, buyer = await listing(owner, unit_amount=2_000), await account()
    credit_id = await given(plain, seller_id)
    order_id = await plain.place(buyer, (mat.id, 3))

    async def change(quantity: int) -> None:
        await plain.changes.change(
            order_id, buyer, wanted=[Wanted(mat.id, quantity)], shipping=UNSET, now=plain.clock()
        )

    async def prepare_one() -> None:
        await plain.preparation.prepare(order_id, Actor(owner), plain.clock(), [Wanted(mat.id, 1)])

    acts: dict[str, Callable[[], Awaitable[object]]] = {
        "change": lambda: change(4),
        "less": lambda: change(1),
        "cancel": lambda: plain.cancellation.cancel(order_id, Actor(buyer), plain.clock()),
        "anew": lambda: plain.begin(order_id),
        "part": prepare_one,
    }
    if act == "part":
        await plain.pay(order_id)
    elif act == "anew":
        plain.clock.move(hours=25)
        await plain.expiry.expire_due(plain.clock(), 50)
    else:
        await plain.begin(order_id)
    await require_order((STOCK, mat.id), (CREDIT, credit_id), acts[act])


async def test_credits_of_several_sellers_are_locked_by_seller(plain: Shop) -> None:
    sellers = sorted([await plain.a_seller() for _ in range(2)], key=lambda each: each[1])
    first, second = [await given(plain, seller_id) for _, seller_id in sellers]
    mats = [await listing(owner, unit_amount=2_000) for owner, _ in sellers]
    buyer = await account()
    backwards = [Wanted(mat.id, 1) for mat in reversed(mats)]

    async def place() -> None:
        placed = await plain.groups.place(buyer, backwards, new_id("key"), plain.clock())
        # The cart's own order is kept.
        assert [each.lines[0].listing_id for each in placed.view.orders] == [
            wanted.listing_id for wanted in backwards
        ]

    await require_order((CREDIT, first), (CREDIT, second), place)
