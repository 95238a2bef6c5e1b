"""Refunds by lines: what they were sold for, exactly, never more of a line than was captured."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from marketplace.fees.schedule import FeeRule
from marketplace.orders import records
from marketplace.orders.errors import (
    OrderNotFound,
    RefundLinesRefused,
    RefundPolicyForAdmins,
    RefundPolicyRefused,
    SellerOnly,
)
from marketplace.orders.records import Actor
from marketplace.orders.refund_lines import RefundLine, read
from marketplace.orders.refunds import RefundWish
from marketplace.orders.totals import Wanted
from payments.database import execute, row, transaction
from payments.errors import PaymentDisputed, RefundExceedsCaptured, RequestReused, StripeRejected
from payments.ids import new_id
from payments.records import RefundRecord
from tests.fees.publishing import publish, retire
from tests.orders.deals import ADMIN, Deal, a_dispute, a_paid_deal
from tests.orders.shop import Shop, account, listing


async def refund(shop: Shop, deal: Deal, wish: RefundWish, key: str | None = None) -> RefundRecord:
    return await shop.refunds.ask(
        deal.id,
        ADMIN if wish.bearer or wish.fee else deal.seller,
        wish,
        idempotency_key=key or new_id("key"),
        now=shop.clock(),
    )


def some(listing_id: str, quantity: int) -> RefundWish:
    return RefundWish(lines=(RefundLine(listing_id, quantity),))


async def refunded_of(deal: Deal, listing_id: str) -> int:
    found = await row(
        "SELECT quantity_refunded FROM order_lines WHERE order_id = $1 AND listing_id = $2",
        deal.id,
        listing_id,
    )
    assert found is not None
    return int(found["quantity_refunded"])


async def a_cart(shop: Shop) -> tuple[Deal, str, str]:
    """Three sessions of 19.99 and one of 7.01, paid: 66.98 with one fee."""
    owner, _ = await shop.a_seller()
    first = (await listing(owner, kind="session", unit_amount=1_999)).id
    second = (await listing(owner, kind="session", unit_amount=701)).id
    buyer = await account()
    deal = Deal(await shop.place(buyer, (first, 3), (second, 1)), first, buyer, owner)
    await shop.pay(deal.id)
    return deal, first, second


async def test_lines_are_refunded_for_what_they_were_sold_for(shop: Shop) -> None:
    """omi 10158: 19.98 for 19.99."""
    deal, first, second = await a_cart(shop)
    one = await refund(shop, deal, some(first, 1))
    assert (one.status, one.amount) == ("succeeded", 1_999)
    assert one.lines is not None
    assert read(one.lines) == (RefundLine(first, 1),)
    rest = await refund(shop, deal, RefundWish(lines=(RefundLine(second, 1), RefundLine(first, 2))))
    assert rest.amount == 701 + 2 * 1_999
    view = await shop.see(deal.id)
    assert view.payment is not None
    assert view.payment.amount_refunded == view.order.total
    assert view.payment.fee_refunded == view.order.application_fee
    with pytest.raises(RefundLinesRefused) as refused:
        await refund(shop, deal, some(first, 1))
    assert (refused.value.why, refused.value.refundable) == ("too_many", 0)


@pytest_asyncio.fixture(loop_scope="session")
async def with_service_fee(shop: Shop) -> AsyncIterator[Shop]:
    """Buyers pay 2 % and 0.50 on top; sellers a tenth."""
    rule = FeeRule(
        id="rest", basis_points=1_000, service_basis_points=200, service_fixed={"eur": 50}
    )
    schedule = await publish(shop.schedules, (rule,), shop.clock())
    yield shop
    await retire(shop.schedules, schedule.id, shop.clock())


async def left_of(shop: Shop, deal: Deal) -> tuple[int, int]:
    """What the buyer has paid and what the seller has, after all refunds."""
    while await shop.operations.resume_due(shop.clock(), 50):
        pass
    await shop.hear(deal.id)
    payment = await shop.payments.find_live(deal.id)
    assert payment is not None
    paid = payment.amount_captured - payment.amount_refunded
    fee = payment.fee_captured - payment.fee_refunded
    return paid, payment.amount_captured - payment.transfer_reversed - fee


async def test_all_lines_in_any_order_are_all_that_was_captured(with_service_fee: Shop) -> None:
    """By bare prices the buyer never had the service fee back, and the seller kept a part of it."""
    shop = with_service_fee
    for order_of_lines in ((0, 0, 0, 1), (1, 0, 0, 0), (0, 1, 0, 0)):
        deal, *things = await a_cart(shop)
        assert (await shop.see(deal.id)).order.total == 6_698 + 134 + 50
        for one in order_of_lines:
            await refund(shop, deal, some(things[one], 1))
        assert await left_of(shop, deal) == (0, 0)


async def test_all_lines_of_a_partial_capture_are_all_that_was_captured(
    with_service_fee: Shop,
) -> None:
    shop = with_service_fee
    owner, _ = await shop.a_seller()
    mat, buyer = (await listing(owner, unit_amount=1_999)).id, await account()
    deal = Deal(await shop.place(buyer, (mat, 3)), mat, buyer, owner)
    await shop.pay(deal.id)
    await shop.preparation.prepare(deal.id, deal.seller, shop.clock(), [Wanted(mat, 2)])
    given = [(await refund(shop, deal, some(mat, 1))).amount for _ in range(2)]
    # 2 % of 59.97 and 0.50 are 1.70, a third of which is 0.57 and two thirds 1.13.
    assert given == [1_999 + 57, 1_999 + 56]
    assert await left_of(shop, deal) == (0, 0)


async def test_lines_refunded_again_after_a_failure_are_all_that_was_captured(
    with_service_fee: Shop,
) -> None:
    shop = with_service_fee
    deal, first, second = await a_cart(shop)
    failing = await refund(shop, deal, some(second, 1))
    await refund(shop, deal, some(first, 3))
    assert failing.stripe_refund_id is not None
    shop.stripe.fail_refund(failing.stripe_refund_id)
    await shop.hear(deal.id)
    while await shop.operations.resume_due(shop.clock(), 50):
        pass
    again = await refund(shop, deal, some(second, 1))
    view = await shop.see(deal.id)
    assert view.payment is not None
    assert view.payment.amount_refunded == view.order.total
    assert again.amount == failing.amount


async def test_parallel_refunds_of_a_line_never_exceed_it(shop: Shop) -> None:
    deal, first, _ = await a_cart(shop)
    answers = await asyncio.gather(
        *(refund(shop, deal, some(first, 2)) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(one, RefundRecord) for one in answers) == 1
    assert {one.why for one in answers if isinstance(one, RefundLinesRefused)} == {"too_many"}
    assert await refunded_of(deal, first) == 2


async def test_lines_and_amounts_share_one_ceiling(shop: Shop) -> None:
    deal, first, _ = await a_cart(shop)
    await refund(shop, deal, RefundWish(amount=5_000))
    with pytest.raises(RefundExceedsCaptured) as refused:
        await refund(shop, deal, some(first, 1))
    assert refused.value.refundable == 1_698
    assert await refunded_of(deal, first) == 0, "nothing was reserved"
    answers = await asyncio.gather(
        refund(shop, deal, RefundWish(amount=1_698)),
        refund(shop, deal, RefundWish()),
        return_exceptions=True,
    )
    assert sum(isinstance(one, RefundRecord) for one in answers) == 1


async def test_the_same_request_again_reserves_nothing_more(shop: Shop) -> None:
    deal, first, second = await a_cart(shop)
    one = await refund(shop, deal, some(first, 2), key="click")
    again = await refund(shop, deal, some(first, 2), key="click")
    assert one.id == again.id
    assert await refunded_of(deal, first) == 2
    with pytest.raises(RequestReused):
        await refund(shop, deal, some(first, 1), key="click")
    # The same money for other lines is another request.
    with pytest.raises(RequestReused):
        await refund(shop, deal, RefundWish(amount=2 * 1_999), key="click")
    assert await refunded_of(deal, second) == 0


@pytest.mark.parametrize(
    ("quantities", "why"),
    [
        ((), "count"),
        ((4,), "too_many"),
        ((0,), "quantity"),
        ((-1,), "quantity"),
        ((1, 1), "repeated"),
    ],
)
async def test_lines_that_cannot_be_refunded_change_nothing(
    shop: Shop, quantities: tuple[int, ...], why: str
) -> None:
    deal, first, _ = await a_cart(shop)
    wish = RefundWish(lines=tuple(RefundLine(first, quantity) for quantity in quantities))
    with pytest.raises(RefundLinesRefused) as refused:
        await refund(shop, deal, wish)
    assert refused.value.why == why
    assert await shop.refunds.list(deal.id, deal.buyer) == []
    assert await refunded_of(deal, first) == 0


async def test_a_line_of_another_order_or_an_amount_beside_lines_is_refused(shop: Shop) -> None:
    deal, first, _ = await a_cart(shop)
    with pytest.raises(RefundLinesRefused) as refused:
        await refund(shop, deal, some("lst_of_somebody", 1))
    assert refused.value.why == "unknown"
    both = RefundWish(amount=1, lines=(RefundLine(first, 1),))
    with pytest.raises(RefundLinesRefused) as refused:
        await refund(shop, deal, both)
    assert refused.value.why == "with_amount"


async def test_only_what_was_captured_of_a_line_is_refunded(shop: Shop) -> None:
    deal, first, _ = await a_cart(shop)
    await execute(
        "UPDATE order_lines SET quantity_prepared = 1 WHERE order_id = $1 AND listing_id = $2",
        deal.id,
        first,
    )
    with pytest.raises(RefundLinesRefused) as refused:
        await refund(shop, deal, some(first, 2))
    assert refused.value.refundable == 1
    assert (await refund(shop, deal, some(first, 1))).amount == 1_999


async def test_a_refund_of_lines_that_fails_frees_them(shop: Shop) -> None:
    """solidus_stripe 265: after a failed refund the order stayed refunded."""
    deal, first, _ = await a_cart(shop)
    done = await refund(shop, deal, some(first, 3))
    assert done.stripe_refund_id is not None
    shop.stripe.fail_refund(done.stripe_refund_id)
    await shop.hear(deal.id)
    await shop.hear(deal.id)
    assert await refunded_of(deal, first) == 0
    assert (await shop.steps(deal.id))[-2:] == ["refunded", "refund_failed"]
    while await shop.operations.resume_due(shop.clock(), 50):
        pass
    again = await refund(shop, deal, some(first, 3))
    assert (again.status, again.amount) == ("succeeded", 5_997)
    assert await refunded_of(deal, first) == 3


async def test_a_refund_of_lines_that_stripe_refuses_frees_them(shop: Shop) -> None:
    deal, first, _ = await a_cart(shop)
    intent = await shop.intent_of(deal.id)
    charge = shop.stripe._require(intent).charge
    assert charge is not None
    # Somebody refunded all of it at Stripe a moment ago, and we have not heard of it.
    gone = msgspec.structs.replace(charge, amount_refunded=charge.amount_captured)
    shop.stripe._keep(msgspec.structs.replace(shop.stripe._require(intent), charge=gone))
    with pytest.raises(StripeRejected):
        await refund(shop, deal, some(first, 3))
    assert await refunded_of(deal, first) == 0
    [refused] = await shop.refunds.list(deal.id, deal.buyer)
    assert refused.status == "refused"
    assert (await shop.steps(deal.id))[-1] == "refund_failed"


async def test_the_fee_schedule_says_what_becomes_of_the_fee(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    await execute("ALTER TABLE fee_schedules DISABLE TRIGGER fee_schedules_append_only")
    await execute(
        "UPDATE fee_schedules SET fee_on_refund = 'keep' "
        "WHERE id = (SELECT fee_schedule_id FROM orders WHERE id = $1)",
        deal.id,
    )
    try:
        kept = await refund(shop, deal, RefundWish(amount=1_000))
        assert kept.fee_amount == 0
        returned = await refund(shop, deal, RefundWish(amount=1_000, fee="return"))
        assert returned.fee_amount == 150
    finally:
        await execute(
            "UPDATE fee_schedules SET fee_on_refund = 'return' "
            "WHERE id = (SELECT fee_schedule_id FROM orders WHERE id = $1)",
            deal.id,
        )
        await execute("ALTER TABLE fee_schedules ENABLE TRIGGER fee_schedules_append_only")


async def test_who_bears_a_refund_is_an_admins_to_say(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    for wish in (RefundWish(bearer="platform"), RefundWish(fee="keep")):
        with pytest.raises(RefundPolicyForAdmins):
            await shop.refunds.ask(
                deal.id, deal.seller, wish, idempotency_key=new_id("key"), now=shop.clock()
            )
    with pytest.raises(RefundPolicyRefused):
        await refund(shop, deal, RefundWish(bearer="platform", fee="return"))
    borne = await refund(shop, deal, RefundWish(amount=1_000, bearer="platform"))
    assert (borne.reverse_transfer, borne.fee_amount, borne.transfer_amount) == (False, 0, 0)


async def test_a_refund_can_be_part_of_another_use_case(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    async with transaction():
        order = await records.lock(deal.id)
        planned = await shop.refunds.plan_within(
            order,
            amount=1_234,
            lines=None,
            reason=None,
            requested_by=deal.buyer.account_id,
            idempotency_key="late-money",
            now=shop.clock(),
        )
    assert (await shop.steps(deal.id))[-1] == "refund_asked"
    done = await shop.refunds.carry_out(planned)
    assert (done.status, done.amount) == ("succeeded", 1_234)


async def test_a_disputed_order_is_not_refunded(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    await a_dispute(shop, deal, 5_000, lost=False)
    with pytest.raises(PaymentDisputed):
        await refund(shop, deal, RefundWish())
    assert "refund_asked" not in await shop.steps(deal.id)


async def test_a_stranger_refunds_nothing_by_lines_either(shop: Shop) -> None:
    deal, first, _ = await a_cart(shop)
    for actor, error in ((Actor(await account()), OrderNotFound), (deal.buyer, SellerOnly)):
        with pytest.raises(error):
            await shop.refunds.ask(
                deal.id, actor, some(first, 1), idempotency_key="k", now=shop.clock()
            )
