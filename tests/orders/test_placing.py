"""Orders are placed at the server's prices, once per key, and seen only by those they concern."""

import asyncio

import msgspec
import pytest

from marketplace.catalog.listings import ListingChanges
from marketplace.fees.rules import FeeQuote, quote
from marketplace.fees.schedule import FeeRule
from marketplace.orders.errors import OrderKeyReused, OrderNotFound, OwnListing
from marketplace.orders.reading import OrderFilter
from marketplace.orders.records import Actor
from marketplace.orders.totals import Wanted
from marketplace.paging import PageRequest
from payments.database import value
from payments.ids import new_id
from tests.fees.publishing import publish
from tests.orders.shop import NOON, Shop, account, listing


async def test_an_order_freezes_prices_and_fee(shop: Shop) -> None:
    owner, seller_id = await shop.a_seller()
    mat, block = await listing(owner), await listing(owner, unit_amount=999)
    buyer = await account()
    wanted = [Wanted(mat.id, 2), Wanted(block.id, 1)]
    placed = await shop.orders.place(buyer, wanted, "k1", NOON)
    order = placed.view.order
    assert placed.created
    assert (order.total, order.currency, order.seller_id) == (5_999, "eur", seller_id)
    assert (order.status, order.capture_method, order.generation) == ("checkout", "manual", 0)
    assert [line.amount for line in placed.view.lines] == [5_000, 999]
    # Everything else: 10 % (599.9 goes up) and 0.30.
    assert (order.application_fee, order.fee_rule_id) == (630, "everything-else")
    await shop.catalog.update(owner, mat.id, ListingChanges(unit_amount=9_900), NOON)
    assert (await shop.see(order.id)).lines == placed.view.lines
    assert await shop.steps(order.id) == ["placed"]


async def test_the_fee_can_be_computed_again_from_what_the_order_keeps(shop: Shop) -> None:
    owner, _ = await shop.a_seller()
    order_id = await shop.place(await account(), ((await listing(owner)).id, 3))
    text = await value("SELECT fee_working FROM orders WHERE id = $1", order_id)
    kept = msgspec.json.decode(text, type=FeeQuote)
    order = (await shop.see(order_id)).order
    assert kept.fee == order.application_fee
    assert quote(await shop.schedules.require(order.fee_schedule_id), kept.inputs) == kept


async def test_the_same_key_is_the_same_order(shop: Shop) -> None:
    owner, _ = await shop.a_seller()
    mat, buyer = await listing(owner), await account()
    first = await shop.orders.place(buyer, [Wanted(mat.id, 1)], "k1", NOON)
    again = await shop.orders.place(buyer, [Wanted(mat.id, 1)], "k1", NOON)
    assert (again.created, again.view) == (False, first.view)
    with pytest.raises(OrderKeyReused):
        await shop.orders.place(buyer, [Wanted(mat.id, 2)], "k1", NOON)
    other = await shop.orders.place(await account(), [Wanted(mat.id, 1)], "k1", NOON)
    assert other.created


async def test_twenty_requests_with_one_key_at_once_make_one_order(shop: Shop) -> None:
    owner, _ = await shop.a_seller()
    mat, buyer = await listing(owner), await account()
    placed = await asyncio.gather(
        *(shop.orders.place(buyer, [Wanted(mat.id, 1)], "k1", NOON) for _ in range(20))
    )
    assert len({one.view.order.id for one in placed}) == 1
    assert sum(one.created for one in placed) == 1


async def test_nobody_buys_from_themself(shop: Shop) -> None:
    owner, _ = await shop.a_seller()
    with pytest.raises(OwnListing):
        await shop.place(owner, ((await listing(owner)).id, 1))


async def test_an_order_exists_for_its_buyer_its_seller_and_admins_only(shop: Shop) -> None:
    owner, _ = await shop.a_seller()
    buyer = await account()
    order_id = await shop.place(buyer, ((await listing(owner)).id, 1))
    for actor in (Actor(buyer), Actor(owner), Actor("acc_admin", is_admin=True)):
        assert (await shop.orders.find(order_id, actor)).order.id == order_id
    stranger = Actor(await account())
    for read in (shop.orders.find, shop.orders.history):
        with pytest.raises(OrderNotFound):
            await read(order_id, stranger)
        with pytest.raises(OrderNotFound):
            await read(new_id("ord"), Actor(buyer))


async def test_lists_are_pages_of_ones_own(shop: Shop) -> None:
    owner, seller_id = await shop.a_seller()
    mat, buyer = await listing(owner), await account()
    made = sorted([await shop.place(buyer, (mat.id, 1)) for _ in range(3)], reverse=True)
    first = await shop.orders.list_for_buyer(buyer, PageRequest(limit=2))
    assert ([view.order.id for view in first.data], first.has_more) == (made[:2], True)
    rest = await shop.orders.list_for_buyer(buyer, PageRequest(limit=2, starting_after=made[1]))
    assert ([view.order.id for view in rest.data], rest.has_more) == (made[2:], False)
    assert (await shop.orders.list_for_seller(seller_id, owner, PageRequest())).data == []
    sold = await shop.orders.list_for_seller(seller_id, owner, PageRequest(), "checkout")
    assert [view.order.id for view in sold.data] == made
    assert all(view.lines for view in sold.data)
    foreign = await shop.orders.list_for_seller(seller_id, buyer, PageRequest())
    assert foreign.data == []
    everything = await shop.orders.list_all(
        OrderFilter(seller_id=seller_id, status="checkout"), PageRequest()
    )
    assert [view.order.id for view in everything.data] == made


async def test_new_rules_are_for_new_orders(shop: Shop) -> None:
    owner, _ = await shop.a_seller()
    mat, buyer = await listing(owner), await account()
    before = await shop.place(buyer, (mat.id, 1))
    published = await publish(
        shop.schedules, [FeeRule(id="half", basis_points=5_000)], shop.clock()
    )
    after = await shop.place(buyer, (mat.id, 1))
    assert (await shop.see(before)).order.application_fee == 280
    assert (await shop.see(after)).order.application_fee == 1_250
    assert (await shop.see(after)).order.fee_schedule_id == published.id
    newest = (await shop.schedules.list(PageRequest(limit=1))).data[0]
    assert newest == published
    noted = await value("SELECT action FROM audit_log WHERE subject = $1", published.id)
    assert noted == "fee_schedule.published"
