"""Service fees and credits in the life of an order: who pays what, and who holds how much of a credit."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from msgspec import UNSET

from marketplace.fees import credits
from marketplace.fees.credits import CreditRecord
from marketplace.fees.grants import Grants, NewCredit
from marketplace.fees.rules import FeeQuote
from marketplace.fees.schedule import Conditions, FeeRule
from marketplace.orders.records import Actor, OrderRecord
from marketplace.orders.refunds import RefundWish
from marketplace.orders.totals import Wanted
from marketplace.orders.trail import trail
from marketplace.oversight.approvals import Approvals
from payments.database import execute, row, value
from payments.ids import new_id
from tests.fees.publishing import publish, retire
from tests.orders.shop import Shop, account, listing

ADMIN = Actor("acc_admin", is_admin=True)
SERVICE = (
    FeeRule(
        id="rest",
        basis_points=1_000,
        fixed_per_unit={"eur": 10},
        tax_basis_points=1_900,
        service_basis_points=200,
        service_fixed={"eur": 50},
    ),
)
PLAIN = (FeeRule(id="rest", basis_points=1_000),)


@pytest_asyncio.fixture(loop_scope="session")
async def with_service_fee(shop: Shop) -> AsyncIterator[Shop]:
    """Buyers pay 2 % and 0.50 on top; sellers 10 %, 0.10 for each unit, and 19 % tax on that."""
    schedule = await publish(shop.schedules, SERVICE, shop.clock())
    yield shop
    await retire(shop.schedules, schedule.id, shop.clock())


@pytest_asyncio.fixture(loop_scope="session")
async def plain(shop: Shop) -> AsyncIterator[Shop]:
    """Ten in a hundred, and nothing else."""
    schedule = await publish(shop.schedules, PLAIN, shop.clock())
    yield shop
    await retire(shop.schedules, schedule.id, shop.clock())


async def order_of(shop: Shop, order_id: str) -> OrderRecord:
    return (await shop.see(order_id)).order


async def fee_of(shop: Shop, order_id: str) -> FeeQuote:
    return await shop.orders.fee_quote(order_id, ADMIN)


async def given(shop: Shop, seller_id: str, amount: int) -> CreditRecord:
    new = NewCredit(seller_id=seller_id, currency="eur", amount=amount)
    return await Grants(Approvals()).grant(
        new, actor="acc_admin", reason="Welcome", now=shop.clock()
    )


async def used(credit: CreditRecord) -> int:
    return (await credits.find(credit.id)).used


async def captured(order_id: str) -> tuple[int, int]:
    found = await row(
        "SELECT amount_captured, fee_captured FROM payments WHERE order_id = $1", order_id
    )
    assert found is not None
    return found["amount_captured"], found["fee_captured"]


async def test_a_buyer_pays_the_service_fee_and_the_seller_is_not_touched_by_it(
    with_service_fee: Shop,
) -> None:
    shop = with_service_fee
    owner, _ = await shop.a_seller()
    lesson = await listing(owner, kind="session", unit_amount=6_000)
    order_id = await shop.place(await account(), (lesson.id, 1))
    order, fee = await order_of(shop, order_id), await fee_of(shop, order_id)
    assert (order.total, order.service_fee) == (6_170, 170)
    assert (fee.fee_net, fee.fee_tax, fee.seller_amount) == (610, 116, 6_000 - 726)
    assert order.application_fee == 726 + 170
    await shop.pay(order_id)
    (placed, planned) = [
        entry.facts
        for entry in (await trail(order_id, Actor(owner))).entries
        if entry.event in ("order.placed", "payment.planned")
    ]
    assert (placed["service_fee"], placed["total"]) == (170, 6_170)
    assert sum(line["amount"] for line in placed["lines"]) + 170 == 6_170
    assert (planned["application_fee"], planned["service_fee"]) == (896, 170)
    assert await captured(order_id) == (6_170, 896)
    assert (await order_of(shop, order_id)).status == "paid"


async def test_a_partial_capture_takes_its_share_of_the_service_fee(with_service_fee: Shop) -> None:
    shop = with_service_fee
    owner, _ = await shop.a_seller()
    mat = await listing(owner, unit_amount=2_000)
    order_id = await shop.place(await account(), (mat.id, 3))
    assert (await order_of(shop, order_id)).total == 6_170
    await shop.pay(order_id)
    await shop.preparation.prepare(order_id, Actor(owner), shop.clock(), [Wanted(mat.id, 1)])
    # A third of 1.70 is 0.57; 10 % of 20.00, one unit, and 19 % of that: 2.10 and 0.40.
    assert await captured(order_id) == (2_057, 250 + 57)
    after = await order_of(shop, order_id)
    assert (after.status, after.held_reason) == ("paid", None)
    (line,) = (await shop.see(order_id)).lines
    assert line.quantity_prepared == 1


async def test_a_whole_capture_takes_all_of_it(with_service_fee: Shop) -> None:
    shop = with_service_fee
    owner, _ = await shop.a_seller()
    mat = await listing(owner, unit_amount=2_000)
    order_id = await shop.place(await account(), (mat.id, 3))
    await shop.pay(order_id)
    await shop.preparation.prepare(order_id, Actor(owner), shop.clock())
    order = await order_of(shop, order_id)
    assert await captured(order_id) == (order.total, order.application_fee)


async def test_a_changed_cart_changes_the_service_fee(with_service_fee: Shop) -> None:
    shop = with_service_fee
    owner, _ = await shop.a_seller()
    mat, buyer = await listing(owner, unit_amount=2_000), await account()
    order_id = await shop.place(buyer, (mat.id, 1))
    await shop.begin(order_id)
    await shop.changes.change(
        order_id, buyer, wanted=[Wanted(mat.id, 2)], shipping=UNSET, now=shop.clock()
    )
    order = await order_of(shop, order_id)
    assert (order.total, order.service_fee, order.cart_version) == (4_130, 130, 2)
    amended = await row(
        "SELECT amount, application_fee FROM payments WHERE order_id = $1", order_id
    )
    assert amended is not None
    assert tuple(amended) == (4_130, order.application_fee)


async def test_the_same_cart_again_changes_nothing(with_service_fee: Shop) -> None:
    shop = with_service_fee
    owner, _ = await shop.a_seller()
    mat, buyer = await listing(owner, unit_amount=2_000), await account()
    order_id = await shop.place(buyer, (mat.id, 1))
    shop.clock.move(minutes=5)
    await shop.changes.change(
        order_id, buyer, wanted=[Wanted(mat.id, 1)], shipping=UNSET, now=shop.clock()
    )
    assert (await order_of(shop, order_id)).cart_version == 1


async def test_an_expired_order_with_a_service_fee_is_begun_anew_at_its_total(
    with_service_fee: Shop,
) -> None:
    shop = with_service_fee
    owner, _ = await shop.a_seller()
    mat = await listing(owner, unit_amount=2_000)
    order_id = await shop.place(await account(), (mat.id, 1))
    await expire(shop, order_id)
    await shop.pay(order_id)
    assert (await order_of(shop, order_id)).status == "authorized"


async def test_a_promotion_counts_by_when_the_cart_was_priced(shop: Shop) -> None:
    start = shop.clock()
    free = FeeRule(
        id="free",
        basis_points=0,
        when=Conditions(placed_from=start, placed_before=start + timedelta(hours=1)),
    )
    schedule = await publish(shop.schedules, (free, *PLAIN), start)
    owner, _ = await shop.a_seller()
    mat, buyer = await listing(owner), await account()
    order_id = await shop.place(buyer, (mat.id, 2))
    await shop.pay(order_id)
    shop.clock.move(hours=2)
    late = await shop.place(buyer, (mat.id, 2))
    # What was placed in time stays free, also what is captured of it later.
    await shop.preparation.prepare(order_id, Actor(owner), shop.clock(), [Wanted(mat.id, 1)])
    assert await captured(order_id) == (2_500, 0)
    assert (await order_of(shop, late)).application_fee == 500
    await retire(shop.schedules, schedule.id, shop.clock())


async def test_a_credit_lessens_the_fee_until_it_is_used_up(plain: Shop) -> None:
    owner, seller_id = await plain.a_seller()
    lesson, buyer = await listing(owner, kind="session", unit_amount=6_000), await account()
    credit = await given(plain, seller_id, 1_000)
    orders = [await plain.place(buyer, (lesson.id, 1)) for _ in range(3)]
    found = [await order_of(plain, order_id) for order_id in orders]
    assert [(one.application_fee, one.fee_credit) for one in found] == [
        (0, 600),
        (200, 400),
        (600, 0),
    ]
    assert await used(credit) == 1_000
    await plain.pay(orders[1])
    assert await captured(orders[1]) == (6_000, 200)
    assert await used(credit) == 1_000


async def test_twenty_orders_at_once_use_a_credit_once(plain: Shop) -> None:
    owner, seller_id = await plain.a_seller()
    lesson = await listing(owner, kind="session", unit_amount=6_000)
    credit = await given(plain, seller_id, 1_000)
    buyers = [await account() for _ in range(20)]
    orders = await asyncio.gather(*(plain.place(buyer, (lesson.id, 1)) for buyer in buyers))
    found = [await order_of(plain, order_id) for order_id in orders]
    assert sum(one.fee_credit for one in found) == 1_000 == await used(credit)
    assert all(one.application_fee + one.fee_credit == 600 for one in found)
    for one in found:
        fee = await fee_of(plain, one.id)
        assert (fee.fee, fee.credit) == (one.application_fee, one.fee_credit)
        assert await credits.held_by(one.id) == one.fee_credit


async def test_one_key_at_once_takes_one_credit(plain: Shop) -> None:
    owner, seller_id = await plain.a_seller()
    lesson, buyer = await listing(owner, kind="session", unit_amount=6_000), await account()
    credit = await given(plain, seller_id, 5_000)
    placed = await asyncio.gather(
        *(
            plain.orders.place(buyer, [Wanted(lesson.id, 1)], "one-key", plain.clock())
            for _ in range(10)
        )
    )
    assert len({one.view.order.id for one in placed}) == 1
    assert await used(credit) == 600


async def test_an_order_that_ends_unpaid_gives_its_credit_back(plain: Shop) -> None:
    owner, seller_id = await plain.a_seller()
    mat, buyer = await listing(owner, unit_amount=6_000), await account()
    credit = await given(plain, seller_id, 1_000)
    order_id = await plain.place(buyer, (mat.id, 1))
    assert await used(credit) == 600
    await plain.cancellation.cancel(order_id, Actor(buyer), plain.clock())
    assert await used(credit) == 0
    assert await credits.held_by(order_id) == 0


async def test_a_paid_order_keeps_its_credit_when_it_is_refunded(plain: Shop) -> None:
    owner, seller_id = await plain.a_seller()
    lesson = await listing(owner, kind="session", unit_amount=6_000)
    credit = await given(plain, seller_id, 500)
    order_id = await plain.place(await account(), (lesson.id, 1))
    await plain.pay(order_id)
    await plain.refunds.ask(order_id, ADMIN, RefundWish(), idempotency_key="r", now=plain.clock())
    assert await used(credit) == 500


async def test_what_a_partial_capture_does_not_use_goes_back(plain: Shop) -> None:
    owner, seller_id = await plain.a_seller()
    mat = await listing(owner, unit_amount=2_000)
    credit = await given(plain, seller_id, 500)
    order_id = await plain.place(await account(), (mat.id, 3))
    assert await used(credit) == 500
    await plain.pay(order_id)
    await plain.preparation.prepare(order_id, Actor(owner), plain.clock(), [Wanted(mat.id, 1)])
    # The fee of one is 2.00: the credit pays it, and 3.00 of it are the seller's again.
    assert await captured(order_id) == (2_000, 0)
    assert await used(credit) == 200


async def test_a_changed_cart_takes_and_leaves_credit(plain: Shop) -> None:
    owner, seller_id = await plain.a_seller()
    mat, buyer = await listing(owner, unit_amount=2_000), await account()
    credit = await given(plain, seller_id, 500)
    order_id = await plain.place(buyer, (mat.id, 1))
    assert await used(credit) == 200
    await plain.begin(order_id)
    for quantity, expected, fee in ((4, 500, 300), (2, 400, 0), (1, 200, 0)):
        await plain.changes.change(
            order_id, buyer, wanted=[Wanted(mat.id, quantity)], shipping=UNSET, now=plain.clock()
        )
        order = await order_of(plain, order_id)
        assert (order.fee_credit, order.application_fee) == (expected, fee)
        assert await used(credit) == expected


async def test_the_orders_of_a_cart_share_the_credits_of_their_sellers(plain: Shop) -> None:
    one_owner, one = await plain.a_seller()
    other_owner, other = await plain.a_seller()
    mat = await listing(one_owner, unit_amount=6_000)
    lesson = await listing(one_owner, kind="session", unit_amount=6_000)
    block = await listing(other_owner, unit_amount=6_000)
    credit = await given(plain, one, 700)
    wanted = [Wanted(mat.id, 1), Wanted(lesson.id, 1), Wanted(block.id, 1)]
    group = await plain.groups.place(await account(), wanted, new_id("key"), plain.clock())
    found = {(each.order.seller_id, each.order.capture_method): each for each in group.view.orders}
    assert found[one, "manual"].order.fee_credit == 600
    assert found[one, "automatic"].order.fee_credit == 100
    assert found[other, "manual"].order.fee_credit == 0
    assert await used(credit) == 700


@pytest.mark.parametrize(("left", "fee"), [(1_000, 0), (250, 350), (0, 600)])
async def test_an_expired_order_takes_what_is_left_of_the_credit_again(
    plain: Shop, left: int, fee: int
) -> None:
    owner, seller_id = await plain.a_seller()
    mat, buyer = await listing(owner, unit_amount=6_000), await account()
    credit = await given(plain, seller_id, 1_000)
    order_id = await plain.place(buyer, (mat.id, 1))
    await expire(plain, order_id)
    assert await used(credit) == 0
    await execute(
        "UPDATE seller_fee_credits SET amount = greatest($2, 1), revoked_at = $3 WHERE id = $1",
        credit.id,
        left,
        plain.clock() if left == 0 else None,
    )
    await plain.pay(order_id)
    order = await order_of(plain, order_id)
    assert (order.status, order.application_fee) == ("authorized", fee)
    assert order.fee_credit == 600 - fee == await credits.held_by(order_id)
    asked = await value("SELECT application_fee FROM payments WHERE order_id = $1", order_id)
    assert asked == fee


async def expire(shop: Shop, order_id: str) -> None:
    """A day passes and nobody pays."""
    shop.clock.move(hours=25)
    await shop.expiry.expire_due(shop.clock(), 50)
    assert (await order_of(shop, order_id)).status == "expired"
