"""Preparing and canceling: what becomes of the money a bank holds."""

import asyncio
from datetime import timedelta

import pytest

from marketplace.orders.errors import (
    HoldLapsing,
    OrderNotFound,
    OrderStepRefused,
    SellerOnly,
)
from marketplace.orders.fulfilment_errors import CancellationUnderWay
from marketplace.orders.preparation import HOLD_MARGIN
from marketplace.orders.records import Actor
from marketplace.orders.totals import Wanted
from marketplace.sellers.errors import SellerNotPayable
from payments.database import execute
from payments.errors import (
    OutcomeUnknown,
    PaymentStepRefused,
    SellerCannotReceive,
    StripeRejected,
)
from tests.orders.deals import ADMIN, a_deal, a_held_deal, a_paid_deal, doubts
from tests.orders.shop import Shop, account, stock_of


async def test_the_seller_prepares_and_the_hold_is_captured(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    view = await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    assert view.order.status == "paid"
    assert view.payment is not None
    assert (view.payment.amount_captured, view.payment.fee_captured) == (
        view.order.total,
        view.order.application_fee,
    )
    assert await stock_of(deal.thing) == (8, 0)
    told = await shop.orders.history(deal.id, deal.seller)
    assert [(step.step, step.actor) for step in told[-2:]] == [
        ("preparation_asked", "seller"),
        ("prepared", "seller"),
    ]


async def test_prepared_twice_at_once_is_captured_once(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    now = shop.clock()
    both = await asyncio.gather(
        *(shop.preparation.prepare(deal.id, deal.seller, now) for _ in range(2)),
        return_exceptions=True,
    )
    assert all(
        isinstance(one, OrderStepRefused) or one.order.status == "paid"  # type: ignore[union-attr]
        for one in both
    )
    assert shop.asked("capture_intent") == 1
    assert (await shop.steps(deal.id)).count("preparation_asked") == 1


async def test_a_capture_whose_answer_got_lost_is_the_same_capture(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    shop.stripe.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    assert await shop.status(deal.id) == "authorized"
    view = await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    assert view.order.status == "paid"
    assert len({one.key for one in shop.stripe.asked if one.method == "capture_intent"}) == 1


async def test_the_gate_is_asked_again_before_the_capture(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await execute(
        "UPDATE sellers SET suspended_at = $2 WHERE account_id = $1",
        deal.seller.account_id,
        shop.clock(),
    )
    with pytest.raises(SellerNotPayable):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    assert shop.asked("capture_intent") == 0
    assert await shop.status(deal.id) == "authorized"


async def test_a_hold_about_to_lapse_is_not_captured(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    payment = await shop.payments.find_live(deal.id)
    assert payment is not None
    assert payment.capture_before is not None
    shop.clock.moment = payment.capture_before - HOLD_MARGIN
    with pytest.raises(HoldLapsing):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    shop.clock.moment -= timedelta(seconds=1)
    view = await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    assert view.order.status == "paid"


async def test_only_the_seller_prepares(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    with pytest.raises(SellerOnly):
        await shop.preparation.prepare(deal.id, deal.buyer, shop.clock())
    with pytest.raises(OrderNotFound):
        await shop.preparation.prepare(deal.id, Actor(await account()), shop.clock())


async def test_what_is_not_authorized_cannot_be_prepared(shop: Shop) -> None:
    for deal in (await a_deal(shop), await a_paid_deal(shop)):
        with pytest.raises(OrderStepRefused):
            await shop.preparation.prepare(deal.id, deal.seller, shop.clock())


async def test_a_capture_at_the_dashboard_is_told_apart(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    shop.stripe.capture(await shop.intent_of(deal.id), 3_000, 100)
    await shop.hear(deal.id)
    last = (await shop.orders.history(deal.id, ADMIN))[-1]
    assert (last.step, last.to_status, last.actor) == ("captured", "paid", "stripe")
    assert last.reason == "captured 3000 of 5000"


async def test_a_hold_that_went_away_is_found_out_at_the_capture(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    shop.stripe.end(await shop.intent_of(deal.id), "automatic")
    with pytest.raises(PaymentStepRefused):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    assert await shop.status(deal.id) == "expired"
    assert (await shop.steps(deal.id))[-1] == "hold_lapsed"
    assert await stock_of(deal.thing) == (10, 0)


@pytest.mark.parametrize("by", ["buyer", "seller"])
async def test_a_hold_is_released_when_the_order_is_canceled(shop: Shop, by: str) -> None:
    deal = await a_held_deal(shop)
    actor: Actor = getattr(deal, by)
    view = await shop.cancellation.cancel(deal.id, actor, shop.clock(), "changed my mind")
    assert view.order.status == "canceled"
    assert await stock_of(deal.thing) == (10, 0)
    last = (await shop.orders.history(deal.id, ADMIN))[-1]
    assert (last.step, last.actor, last.reason) == (
        "canceled",
        actor.account_id,
        "changed my mind",
    )


async def test_an_order_without_a_payment_is_canceled_at_once(shop: Shop) -> None:
    deal = await a_deal(shop)
    view = await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert view.order.status == "canceled"
    assert shop.stripe.asked == []
    with pytest.raises(OrderStepRefused):
        await shop.begin(deal.id)
    with pytest.raises(OrderStepRefused):
        await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())


async def test_a_cancellation_without_an_answer_is_carried_out_later(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    shop.stripe.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert await shop.status(deal.id) == "authorized"
    view = await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert view.order.status == "canceled"
    assert (await shop.steps(deal.id)).count("cancellation_asked") == 1


async def test_a_cancellation_joins_the_expiry_that_is_under_way(shop: Shop) -> None:
    deal = await a_deal(shop)
    await shop.begin(deal.id)
    shop.stripe.lose_answer_before()
    await shop.expiry.expire_due(shop.clock.move(hours=24))
    view = await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert view.order.status == "canceled"
    last = (await shop.orders.history(deal.id, ADMIN))[-1]
    assert last.actor == deal.buyer.account_id


async def test_money_that_is_being_released_is_not_captured_meanwhile(shop: Shop) -> None:
    """The buyer was told that the cancellation stands."""
    deal = await a_held_deal(shop)
    shop.stripe.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    with pytest.raises(CancellationUnderWay):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    assert shop.asked("capture_intent") == 0
    await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert await shop.status(deal.id) == "canceled"


async def test_a_cancellation_that_stripe_refuses_still_keeps_the_money_from_being_taken(
    shop: Shop,
) -> None:
    """The seller could prepare over it, and the buyer paid for what they had canceled."""
    deal = await a_held_deal(shop)
    shop.stripe.cancels_refused = 1
    with pytest.raises(StripeRejected):
        await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    with pytest.raises(CancellationUnderWay):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    assert shop.asked("capture_intent") == 0
    await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert await shop.status(deal.id) == "canceled"


async def test_a_capture_that_only_the_sweep_heard_refused_is_told_to_everybody(
    shop: Shop,
) -> None:
    """Its answer was lost, and Stripe's no was the last that anybody heard of it."""
    deal = await a_held_deal(shop)
    payment = await shop.payments.find_live(deal.id)
    assert payment is not None
    shop.stripe.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock(), [Wanted(deal.thing, 1)])
    shop.stripe.closed_destinations.add(payment.destination)
    await shop.resume()
    last = (await shop.orders.history(deal.id, ADMIN))[-1]
    assert (last.step, last.actor, last.reason) == (
        "preparation_refused",
        deal.seller.account_id,
        "insufficient_capabilities_for_transfer",
    )
    assert [line.quantity_prepared for line in (await shop.see(deal.id)).lines] == [None]
    assert await doubts(payment.destination) == 1
    shop.stripe.closed_destinations.clear()
    view = await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    assert view.order.status == "paid"


async def test_a_refused_capture_is_told_once(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    payment = await shop.payments.find_live(deal.id)
    assert payment is not None
    shop.stripe.closed_destinations.add(payment.destination)
    with pytest.raises(SellerCannotReceive):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    assert (await shop.steps(deal.id)).count("preparation_refused") == 1
    assert await doubts(payment.destination) == 1


async def test_a_stranger_cancels_nothing(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    with pytest.raises(OrderNotFound):
        await shop.cancellation.cancel(deal.id, Actor(await account()), shop.clock())
