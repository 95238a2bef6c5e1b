"""The end of an order: by its buyer, by its seller where that is fair, or by time."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from marketplace.orders.errors import FulfilmentHeld, OrderNotFound
from marketplace.orders.fulfilment_errors import CancellationUnderWay, CompletionTooEarly
from marketplace.orders.records import Actor
from marketplace.orders.refunds import RefundWish
from marketplace.orders.sessions import TIME_TO_COMPLAIN, Appointment
from marketplace.orders.shipping import DELIVERY_LASTS, Parcel
from payments.database import execute
from payments.errors import StripeRejected
from tests.orders.deals import ADMIN, Deal, a_held_deal, a_paid_deal
from tests.orders.shop import Shop, account

PARCEL = Parcel(carrier="DHL", tracking_number="1")
HOUR = timedelta(hours=1)


async def a_prepared_deal(shop: Shop) -> Deal:
    deal = await a_held_deal(shop)
    await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    return deal


async def a_shipped_deal(shop: Shop) -> Deal:
    deal = await a_prepared_deal(shop)
    await shop.shipping.ship(deal.id, deal.seller, PARCEL, shop.clock())
    return deal


async def a_scheduled_deal(shop: Shop) -> Deal:
    """A session that begins in a day."""
    deal = await a_paid_deal(shop)
    tomorrow = Appointment(starts_at=shop.clock() + timedelta(days=1), lasts=HOUR)
    await shop.coach_sessions.schedule(deal.id, deal.seller, tomorrow, shop.clock())
    return deal


async def refusal(shop: Shop, deal: Deal, actor: Actor) -> str:
    with pytest.raises(CompletionTooEarly) as refused:
        await shop.completion.complete(deal.id, actor, shop.clock())
    return refused.value.why


async def test_the_buyer_says_it_arrived(shop: Shop) -> None:
    deal = await a_shipped_deal(shop)
    view = await shop.completion.complete(deal.id, deal.buyer, shop.clock())
    assert view.order.status == "completed"
    last = (await shop.orders.history(deal.id, ADMIN))[-1]
    assert (last.step, last.actor, last.reason) == ("completed", deal.buyer.account_id, None)


async def test_the_buyer_may_have_picked_it_up(shop: Shop) -> None:
    deal = await a_prepared_deal(shop)
    view = await shop.completion.complete(deal.id, deal.buyer, shop.clock())
    assert view.order.status == "completed"


async def test_a_seller_does_not_decide_that_a_parcel_arrived(shop: Shop) -> None:
    prepared, shipped = await a_prepared_deal(shop), await a_shipped_deal(shop)
    assert await refusal(shop, prepared, prepared.seller) == "not_shipped"
    assert await refusal(shop, shipped, shipped.seller) == "buyer_may_object"
    for deal in (prepared, shipped):
        view = await shop.completion.complete(deal.id, ADMIN, shop.clock())
        assert view.order.status == "completed"


async def test_a_seller_closes_nothing_while_the_buyer_may_say_that_nobody_came(
    shop: Shop,
) -> None:
    deal = await a_scheduled_deal(shop)
    assert await refusal(shop, deal, deal.seller) == "buyer_may_object"
    shop.clock.move(hours=25 + 23)
    assert await refusal(shop, deal, deal.seller) == "buyer_may_object"
    shop.clock.move(hours=1)
    view = await shop.completion.complete(deal.id, deal.seller, shop.clock())
    assert view.order.status == "completed"


async def test_a_session_is_completed_by_its_buyer_once_it_began(shop: Shop) -> None:
    deal = await a_scheduled_deal(shop)
    assert await refusal(shop, deal, deal.buyer) == "session_ahead"
    shop.clock.move(hours=24)
    view = await shop.completion.complete(deal.id, deal.buyer, shop.clock())
    assert view.order.status == "completed"


async def test_a_session_without_a_time_is_the_buyers_to_complete(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    assert await refusal(shop, deal, deal.seller) == "not_scheduled"
    view = await shop.completion.complete(deal.id, deal.buyer, shop.clock())
    assert view.order.status == "completed"


async def test_what_nobody_objects_to_is_complete_by_time(shop: Shop) -> None:
    session, shipped = await a_scheduled_deal(shop), await a_shipped_deal(shop)
    unscheduled, unsent = await a_paid_deal(shop), await a_prepared_deal(shop)
    start = shop.clock()
    over = start + timedelta(days=1) + HOUR
    await shop.completion.complete_due(over + TIME_TO_COMPLAIN - timedelta(seconds=1))
    assert await shop.status(session.id) == "paid"
    await shop.completion.complete_due(over + TIME_TO_COMPLAIN)
    assert await shop.status(session.id) == "completed"
    await shop.completion.complete_due(start + DELIVERY_LASTS - timedelta(seconds=1))
    assert await shop.status(shipped.id) == "shipped"
    await shop.completion.complete_due(start + DELIVERY_LASTS)
    assert await shop.status(shipped.id) == "completed"
    last = (await shop.orders.history(shipped.id, ADMIN))[-1]
    assert (last.step, last.actor, last.reason) == ("completed", "platform", "by time")
    await shop.completion.complete_due(start + timedelta(days=300))
    assert await shop.status(unscheduled.id) == "paid"
    assert await shop.status(unsent.id) == "paid"


async def test_an_order_that_is_held_waits_and_does_not_keep_others_waiting(shop: Shop) -> None:
    held, other = await a_shipped_deal(shop), await a_shipped_deal(shop)
    await execute("UPDATE orders SET held_reason = 'too little' WHERE id = $1", held.id)
    for actor in (held.buyer, ADMIN):
        with pytest.raises(FulfilmentHeld):
            await shop.completion.complete(held.id, actor, shop.clock())
    now = shop.clock() + DELIVERY_LASTS
    assert await shop.completion.complete_due(now) == 2
    assert await shop.completion.complete_due(now) == 0
    assert (await shop.status(held.id), await shop.status(other.id)) == ("shipped", "completed")
    await execute("UPDATE orders SET held_reason = NULL WHERE id = $1", held.id)
    await shop.completion.complete_due(now + timedelta(hours=6))
    assert await shop.status(held.id) == "completed"


async def test_time_makes_no_sale_of_a_cancellation_whose_refund_failed(shop: Shop) -> None:
    deal = await a_scheduled_deal(shop)
    shop.stripe.refunds_refused = 1
    with pytest.raises(StripeRejected):
        await shop.cancellation.cancel(deal.id, deal.seller, shop.clock(), "ill")
    shop.clock.move(days=5)
    with capture_logs() as logs:
        assert await shop.completion.complete_due(shop.clock()) == 1
    assert [each["order_id"] for each in logs if each.get("alarm")] == [deal.id]
    assert await shop.status(deal.id) == "paid"
    assert await shop.completion.complete_due(shop.clock()) == 0, "put off"
    shop.clock.move(hours=7)
    with pytest.raises(CancellationUnderWay):
        await shop.completion.complete(deal.id, deal.seller, shop.clock())
    view = await shop.cancellation.cancel(deal.id, deal.seller, shop.clock(), "ill")
    assert view.order.status == "canceled"


async def test_a_cancellation_refunded_by_hand_after_all_is_complete_by_time(shop: Shop) -> None:
    deal = await a_scheduled_deal(shop)
    shop.stripe.refunds_refused = 1
    with pytest.raises(StripeRejected):
        await shop.cancellation.cancel(deal.id, deal.seller, shop.clock(), "ill")
    shop.clock.move(hours=1)
    await shop.refunds.ask(
        deal.id, deal.seller, RefundWish(), idempotency_key="again", now=shop.clock()
    )
    shop.clock.move(days=5)
    await shop.completion.complete_due(shop.clock())
    assert await shop.status(deal.id) == "completed"


async def test_strangers_complete_nothing(shop: Shop) -> None:
    deal = await a_shipped_deal(shop)
    with pytest.raises(OrderNotFound):
        await shop.completion.complete(deal.id, Actor(await account()), shop.clock())
