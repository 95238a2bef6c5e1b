"""Stock is set aside once, sold once or given back once, whoever races for it."""

import asyncio
import random

import pytest

from marketplace.catalog import stock
from marketplace.catalog.errors import OutOfStock
from payments.database import lock_order, row, transaction
from payments.errors import NoTransaction
from tests.orders.shop import NOON, account, listing, place_bare, seller

pytestmark = pytest.mark.usefixtures("database")


async def counted(listing_id: str) -> tuple[int, int]:
    found = await row(
        "SELECT stock_on_hand, stock_reserved FROM listings WHERE id = $1", listing_id
    )
    assert found is not None
    return found["stock_on_hand"], found["stock_reserved"]


async def reserve(order_id: str, quantities: dict[str, int]) -> None:
    async with transaction():
        await lock_order(order_id)
        await stock.reserve(order_id, quantities, NOON)


async def release(order_id: str) -> None:
    async with transaction():
        await stock.release(order_id)


async def sell(order_id: str) -> tuple[str, ...]:
    async with transaction():
        return await stock.sell(order_id)


class Shelf:
    """One seller with some listings, and orders for them."""

    def __init__(self, owner: str, seller_id: str, buyer: str) -> None:
        self.owner, self.seller_id, self.buyer = owner, seller_id, buyer

    async def listing(self, on_hand: int | None = 10) -> str:
        kind = "session" if on_hand is None else "product"
        return (await listing(self.owner, kind=kind, stock_on_hand=on_hand)).id

    async def order(self) -> str:
        return await place_bare(self.buyer, self.seller_id)


@pytest.fixture
async def shelf() -> Shelf:
    owner = await account()
    return Shelf(owner, await seller(owner), await account())


async def test_held_stock_is_set_aside_and_each_step_may_be_repeated(shelf: Shelf) -> None:
    mat, order_id = await shelf.listing(10), await shelf.order()
    for _ in range(2):
        await reserve(order_id, {mat: 3})
        assert await counted(mat) == (10, 3)
    for _ in range(2):
        assert await sell(order_id) == ()
        assert await counted(mat) == (7, 0)
    await release(order_id)
    assert await counted(mat) == (7, 0)


async def test_released_stock_can_be_held_again(shelf: Shelf) -> None:
    mat, order_id = await shelf.listing(10), await shelf.order()
    await reserve(order_id, {mat: 3})
    for _ in range(2):
        await release(order_id)
        assert await counted(mat) == (10, 0)
    await reserve(order_id, {mat: 3})
    assert await counted(mat) == (10, 3)


async def test_all_lines_are_held_or_none(shelf: Shelf) -> None:
    plenty, scarce = await shelf.listing(10), await shelf.listing(1)
    with pytest.raises(OutOfStock) as refusal:
        await reserve(await shelf.order(), {plenty: 1, scarce: 2})
    assert (refusal.value.listing_id, refusal.value.available) == (scarce, 1)
    assert await counted(plenty) == (10, 0)


async def test_sessions_have_no_stock_to_hold(shelf: Shelf) -> None:
    session, order_id = await shelf.listing(None), await shelf.order()
    await reserve(order_id, {session: 5})
    assert await sell(order_id) == ()


async def test_money_that_came_late_takes_what_is_left_and_names_what_is_not(shelf: Shelf) -> None:
    mat, block = await shelf.listing(10), await shelf.listing(1)
    late, other = await shelf.order(), await shelf.order()
    await reserve(late, {mat: 2, block: 1})
    await release(late)
    await reserve(other, {block: 1})
    assert await sell(late) == (block,)
    assert await counted(mat) == (8, 0)
    assert await counted(block) == (1, 1)
    assert await sell(late) == (block,)
    assert await counted(mat) == (8, 0)


async def test_stock_moves_only_inside_a_transaction(shelf: Shelf) -> None:
    order_id = await shelf.order()
    for step in (stock.reserve(order_id, {}, NOON), stock.release(order_id), stock.sell(order_id)):
        with pytest.raises(NoTransaction):
            await step


async def test_fifty_buyers_race_for_the_last_one_and_exactly_one_wins(shelf: Shelf) -> None:
    last = await shelf.listing(1)
    orders = [await shelf.order() for _ in range(50)]

    async def try_one(order_id: str) -> bool:
        try:
            await reserve(order_id, {last: 1})
        except OutOfStock:
            return False
        return True

    assert sum(await asyncio.gather(*map(try_one, orders))) == 1
    assert await counted(last) == (1, 1)


async def test_orders_for_the_same_things_never_wait_in_a_circle(shelf: Shelf) -> None:
    things = [await shelf.listing(1_000) for _ in range(6)]
    orders = [await shelf.order() for _ in range(30)]
    luck = random.Random(7)

    async def buy(order_id: str) -> None:
        await reserve(order_id, dict.fromkeys(luck.sample(things, 4), 2))
        await (sell if luck.random() < 0.5 else release)(order_id)

    await asyncio.gather(*map(buy, orders))
    counts = [await counted(thing) for thing in things]
    assert all(reserved == 0 for _, reserved in counts)
    assert all(on_hand % 2 == 0 for on_hand, _ in counts)


async def adjust(order_id: str, quantities: dict[str, int]) -> None:
    async with transaction():
        await lock_order(order_id)
        await stock.adjust(order_id, quantities, NOON)


async def test_a_cart_that_changes_holds_exactly_what_is_in_it(shelf: Shelf) -> None:
    mat, block, hour = await shelf.listing(), await shelf.listing(), await shelf.listing(None)
    order_id = await shelf.order()
    await reserve(order_id, {mat: 2})
    await adjust(order_id, {mat: 3, block: 1, hour: 1})
    assert (await counted(mat), await counted(block)) == ((10, 3), (10, 1))
    await adjust(order_id, {block: 4})
    assert (await counted(mat), await counted(block)) == ((10, 0), (10, 4))


async def test_a_change_beyond_the_stock_changes_nothing(shelf: Shelf) -> None:
    mat, block = await shelf.listing(5), await shelf.listing(1)
    order_id = await shelf.order()
    await reserve(order_id, {mat: 2})
    with pytest.raises(OutOfStock) as refusal:
        await adjust(order_id, {mat: 6, block: 1})
    assert (refusal.value.listing_id, refusal.value.available) == (mat, 5)
    with pytest.raises(OutOfStock):
        await adjust(order_id, {mat: 4, block: 2})
    assert (await counted(mat), await counted(block)) == ((5, 2), (1, 0))


async def test_what_was_put_back_is_not_sold_with_the_rest(shelf: Shelf) -> None:
    mat, block = await shelf.listing(), await shelf.listing()
    order_id = await shelf.order()
    await reserve(order_id, {mat: 2})
    await release(order_id)
    async with transaction():
        await stock.forget(order_id)
    await reserve(order_id, {block: 1})
    assert await sell(order_id) == ()
    assert (await counted(mat), await counted(block)) == ((10, 0), (9, 0))
