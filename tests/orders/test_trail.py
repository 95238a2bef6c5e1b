"""The trail read from the database: who may read it, at what cost, and at one instant."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from marketplace.orders.errors import OrderNotFound
from marketplace.orders.records import Actor
from marketplace.orders.refunds import RefundWish
from marketplace.orders.trail import trail
from marketplace.orders.trail_entries import Audience
from payments.database import engine
from payments.ids import new_id
from tests.orders.deals import ADMIN, Deal, a_paid_deal
from tests.orders.shop import Shop, account


@asynccontextmanager
async def statements_heard() -> AsyncIterator[list[str]]:
    """Every statement sent to the database meanwhile, on connections that were idle before."""
    heard: list[str] = []

    def listen(told: Any) -> None:
        heard.append(told.query)

    pool = engine().pool
    assert pool is not None
    connections = [await pool.acquire() for _ in range(pool.get_idle_size())]
    for connection in connections:
        connection.add_query_logger(listen)
    for connection in connections:
        await pool.release(connection)
    try:
        yield heard
    finally:
        # The proxies are new at each acquiring, what they stand for is the same.
        for connection in [await pool.acquire() for _ in range(pool.get_idle_size())]:
            connection.remove_query_logger(listen)
            await pool.release(connection)


async def how_many(deal: Deal) -> int:
    async with statements_heard() as heard:
        await trail(deal.id, ADMIN)
    return len([one for one in heard if one.lstrip().upper().startswith(("SELECT", "WITH"))])


async def test_it_costs_the_same_however_much_happened(shop: Shop) -> None:
    quiet, busy = await a_paid_deal(shop), await a_paid_deal(shop)
    for _ in range(4):
        wish = RefundWish(amount=100)
        await shop.refunds.ask(
            busy.id, busy.seller, wish, idempotency_key=new_id("key"), now=shop.clock()
        )
    few, many = await trail(quiet.id, ADMIN), await trail(busy.id, ADMIN)
    assert len(many.entries) > len(few.entries) + 12
    assert await how_many(quiet) == await how_many(busy) > 10


async def test_everybody_reads_their_own_and_strangers_nothing(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    told = {actor: await trail(deal.id, actor) for actor in (deal.buyer, deal.seller, ADMIN)}
    assert [one.audience for one in told.values()] == [
        Audience.BUYER,
        Audience.SELLER,
        Audience.ADMIN,
    ]
    events = {one.audience: [entry.event for entry in one.entries] for one in told.values()}
    assert "stripe.create_intent" in events[Audience.ADMIN]
    assert "books.application_fee" in events[Audience.SELLER]
    assert events[Audience.BUYER][0] == "order.placed"
    assert not any(one.startswith("stripe.") for one in events[Audience.BUYER])
    with pytest.raises(OrderNotFound):
        await trail(deal.id, Actor(await account()))
    with pytest.raises(OrderNotFound):
        await trail("ord_unknown", ADMIN)
