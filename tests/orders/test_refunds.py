"""Giving money back: once per key, never more than was paid, and kept in the history."""

import asyncio

import pytest

from marketplace.orders.errors import (
    OrderNotFound,
    OrderStepRefused,
    SellerOnly,
)
from marketplace.orders.records import Actor
from marketplace.orders.refunds import RefundWish
from payments.errors import RefundExceedsCaptured, RequestReused
from tests.orders.deals import ADMIN, Deal, a_held_deal, a_paid_deal
from tests.orders.shop import Shop, account


async def refund(
    shop: Shop, deal: Deal, actor: Actor, amount: int | None = None, key: str = "r1"
) -> int:
    done = await shop.refunds.ask(
        deal.id, actor, RefundWish(amount=amount), idempotency_key=key, now=shop.clock()
    )
    assert done.status == "succeeded"
    return done.amount


async def test_a_refund_is_asked_for_once_and_kept_in_the_history(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    assert await refund(shop, deal, deal.seller) == 5_000
    assert await refund(shop, deal, deal.seller) == 5_000
    assert shop.asked("create_refund") == 1
    assert len(await shop.refunds.list(deal.id, deal.buyer)) == 1
    told = await shop.orders.history(deal.id, deal.buyer)
    assert [(s.step, s.actor, s.reason) for s in told[-2:]] == [
        ("refund_asked", "seller", None),
        ("refunded", "seller", None),
    ]
    assert await shop.status(deal.id) == "paid"
    view = await shop.see(deal.id)
    assert view.payment is not None
    assert (view.payment.amount_refunded, view.payment.fee_refunded) == (
        5_000,
        view.order.application_fee,
    )


async def test_partial_refunds_add_up_and_never_exceed(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    assert await refund(shop, deal, deal.seller, 1_234, "a") == 1_234
    with pytest.raises(RefundExceedsCaptured) as refusal:
        await refund(shop, deal, deal.seller, 3_767, "b")
    assert refusal.value.refundable == 3_766
    assert await refund(shop, deal, ADMIN, None, "c") == 3_766


async def test_a_refund_key_means_one_refund(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    await refund(shop, deal, deal.seller, 100)
    with pytest.raises(RequestReused):
        await refund(shop, deal, deal.seller, 101)


async def test_only_the_seller_refunds_and_only_what_was_paid(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    with pytest.raises(SellerOnly):
        await refund(shop, deal, deal.buyer)
    with pytest.raises(OrderNotFound):
        await refund(shop, deal, Actor(await account()))
    held = await a_held_deal(shop)
    with pytest.raises(OrderStepRefused):
        await refund(shop, held, held.seller)


async def test_two_refunds_at_once_never_exceed_what_was_captured(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    answers = await asyncio.gather(
        *(refund(shop, deal, deal.seller, 3_000, f"k{n}") for n in range(10)),
        return_exceptions=True,
    )
    assert sum(answer == 3_000 for answer in answers) == 1
    assert sum(isinstance(answer, RefundExceedsCaptured) for answer in answers) == 9
