"""Canceling picks void or refund by itself, at every stage, and says beforehand what comes back."""

import asyncio
from datetime import timedelta

import pytest

from marketplace.orders.errors import OrderNotFound, OrderStepRefused
from marketplace.orders.fulfilment import cancellation_key
from marketplace.orders.fulfilment_errors import ShippedAlready
from marketplace.orders.reading import OrderView
from marketplace.orders.records import Actor
from marketplace.orders.refunds import RefundWish
from marketplace.orders.sessions import Appointment
from marketplace.orders.shipping import Parcel
from marketplace.orders.totals import Wanted
from payments.database import execute, value
from payments.errors import OutcomeUnknown, PaymentDisputed, PaymentStepRefused
from payments.gateway import RefundDraft
from tests.fakes import DEBIT
from tests.orders.carts import a_basket
from tests.orders.deals import ADMIN, Deal, a_deal, a_dispute, a_held_deal, a_paid_deal
from tests.orders.shop import Shop, account, stock_of


async def a_prepared_deal(shop: Shop) -> Deal:
    deal = await a_held_deal(shop)
    await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    return deal


async def a_shipped_deal(shop: Shop) -> Deal:
    deal = await a_prepared_deal(shop)
    parcel = Parcel(carrier="DHL", tracking_number="1")
    await shop.shipping.ship(deal.id, deal.seller, parcel, shop.clock())
    return deal


async def a_session_in(shop: Shop, hours: float) -> Deal:
    """A session whose time was set more than a day ago, and that begins in so many hours."""
    deal = await a_paid_deal(shop)
    starts_at = shop.clock() + timedelta(hours=48 + hours)
    lasts = timedelta(hours=1)
    await shop.coach_sessions.schedule(
        deal.id, deal.seller, Appointment(starts_at=starts_at, lasts=lasts), shop.clock()
    )
    shop.clock.move(hours=48)
    return deal


def money(view: OrderView) -> tuple[int, int]:
    assert view.payment is not None
    return view.payment.amount_captured, view.payment.amount_refunded


@pytest.mark.parametrize("by", ["buyer", "seller", "admin"])
async def test_before_anything_is_taken_nothing_is_asked_of_stripe(shop: Shop, by: str) -> None:
    deal = await a_deal(shop)
    actor = ADMIN if by == "admin" else getattr(deal, by)
    terms = await shop.cancellation.terms(deal.id, actor, shop.clock())
    assert (terms.effect, terms.refund) == ("nothing_taken", 0)
    view = await shop.cancellation.cancel(deal.id, actor, shop.clock())
    assert view.order.status == "canceled"
    assert shop.stripe.asked == []


async def test_a_hold_is_released_not_refunded(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    terms = await shop.cancellation.terms(deal.id, deal.buyer, shop.clock())
    assert (terms.effect, terms.amount_captured, terms.refund) == ("hold_released", 0, 0)
    view = await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert view.order.status == "canceled"
    assert (shop.asked("cancel_intent"), shop.asked("create_refund")) == (1, 0)
    assert await stock_of(deal.thing) == (10, 0)


@pytest.mark.parametrize("by", ["buyer", "seller"])
async def test_what_was_captured_is_refunded_whole_and_its_stock_is_on_hand_again(
    shop: Shop, by: str
) -> None:
    deal = await a_prepared_deal(shop)
    assert await stock_of(deal.thing) == (8, 0)
    actor: Actor = getattr(deal, by)
    terms = await shop.cancellation.terms(deal.id, actor, shop.clock())
    assert (terms.effect, terms.refund, terms.windows) == ("refund", 5_000, ())
    view = await shop.cancellation.cancel(deal.id, actor, shop.clock(), "the wrong size")
    assert (view.order.status, money(view)) == ("canceled", (5_000, 5_000))
    assert await stock_of(deal.thing) == (10, 0)
    told = (await shop.orders.history(deal.id, ADMIN))[-4:]
    assert [(step.step, step.actor) for step in told] == [
        ("cancellation_asked", actor.account_id),
        ("refund_asked", actor.account_id),
        ("refunded", actor.account_id),
        ("canceled", actor.account_id),
    ]
    assert told[-1].reason == "the wrong size"


async def test_only_what_was_captured_goes_back(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await shop.preparation.prepare(deal.id, deal.seller, shop.clock(), [Wanted(deal.thing, 1)])
    view = await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert money(view) == (2_500, 2_500)
    assert await stock_of(deal.thing) == (10, 0)


async def test_what_was_refunded_before_is_not_given_twice(shop: Shop) -> None:
    deal = await a_prepared_deal(shop)
    await shop.refunds.ask(
        deal.id, deal.seller, RefundWish(amount=2_000), idempotency_key=deal.id, now=shop.clock()
    )
    terms = await shop.cancellation.terms(deal.id, deal.buyer, shop.clock())
    assert terms.refund == 3_000
    view = await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert (view.order.status, money(view)) == ("canceled", (5_000, 5_000))


async def test_what_a_lost_dispute_took_is_not_given_twice(shop: Shop) -> None:
    """Asked for all of it Stripe's rest was exceeded: the order could not be canceled at all."""
    deal = await a_prepared_deal(shop)
    await a_dispute(shop, deal, 2_000, lost=True)
    assert (await shop.cancellation.terms(deal.id, deal.buyer, shop.clock())).refund == 3_000
    view = await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert (view.order.status, money(view)) == ("canceled", (5_000, 3_000))


async def test_an_order_lost_whole_to_a_dispute_is_canceled_at_once(shop: Shop) -> None:
    deal = await a_prepared_deal(shop)
    await a_dispute(shop, deal, 5_000, lost=True)
    assert (await shop.cancellation.terms(deal.id, deal.seller, shop.clock())).refund == 0
    view = await shop.cancellation.cancel(deal.id, deal.seller, shop.clock())
    assert (view.order.status, money(view)) == ("canceled", (5_000, 0))


async def test_an_order_that_is_disputed_waits_for_the_end_of_it(shop: Shop) -> None:
    """Were it won, the buyer would have nothing and the seller the money of a canceled order."""
    deal = await a_prepared_deal(shop)
    await a_dispute(shop, deal, 5_000, lost=False)
    with pytest.raises(PaymentDisputed):
        await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert await shop.status(deal.id) == "paid"


async def test_an_order_refunded_whole_before_is_canceled_at_once(shop: Shop) -> None:
    deal = await a_prepared_deal(shop)
    await shop.refunds.ask(
        deal.id, deal.seller, RefundWish(), idempotency_key=deal.id, now=shop.clock()
    )
    assert await shop.status(deal.id) == "paid", "a refund alone cancels nothing"
    view = await shop.cancellation.cancel(deal.id, deal.seller, shop.clock())
    assert view.order.status == "canceled"
    assert shop.asked("create_refund") == 1


async def test_a_buyer_asks_for_a_refund_of_what_is_on_its_way(shop: Shop) -> None:
    deal = await a_shipped_deal(shop)
    for ask in (shop.cancellation.cancel, shop.cancellation.terms):
        with pytest.raises(ShippedAlready):
            await ask(deal.id, deal.buyer, shop.clock())
    assert shop.asked("create_refund") == 0
    view = await shop.cancellation.cancel(deal.id, deal.seller, shop.clock(), "lost on the way")
    assert (view.order.status, money(view)) == ("canceled", (5_000, 5_000))
    assert await stock_of(deal.thing) == (8, 0), "it left the shop"


@pytest.mark.parametrize(
    ("hours", "share", "refund"),
    [(72, 10_000, 5_000), (24, 10_000, 5_000), (23.9, 5_000, 2_500), (0.1, 5_000, 2_500)],
)
async def test_a_session_canceled_by_its_buyer_is_refunded_by_the_windows(
    shop: Shop, hours: float, share: int, refund: int
) -> None:
    deal = await a_session_in(shop, hours)
    terms = await shop.cancellation.terms(deal.id, deal.buyer, shop.clock())
    assert (terms.refund_basis_points, terms.refund) == (share, refund)
    assert len(terms.windows) == 2
    view = await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert (view.order.status, money(view)) == ("canceled", (5_000, refund))


async def test_after_the_start_nothing_comes_back_and_the_session_is_canceled_at_once(
    shop: Shop,
) -> None:
    deal = await a_session_in(shop, 1)
    shop.clock.move(hours=1)
    terms = await shop.cancellation.terms(deal.id, deal.buyer, shop.clock())
    assert (terms.effect, terms.refund) == ("refund", 0)
    view = await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert (view.order.status, money(view)) == ("canceled", (5_000, 0))
    assert shop.asked("create_refund") == 0


@pytest.mark.parametrize("hours", [30, 1, -1])
async def test_a_seller_who_cancels_a_session_gives_all_of_it_back(
    shop: Shop, hours: float
) -> None:
    deal = await a_session_in(shop, hours)
    assert (await shop.cancellation.terms(deal.id, deal.seller, shop.clock())).refund == 5_000
    view = await shop.cancellation.cancel(deal.id, deal.seller, shop.clock())
    assert (view.order.status, money(view)) == ("canceled", (5_000, 5_000))


async def test_a_session_without_a_time_is_refunded_whole(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    view = await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert money(view) == (5_000, 5_000)


async def test_a_time_moved_close_costs_the_buyer_nothing(shop: Shop) -> None:
    deal = await a_session_in(shop, 72)
    soon = Appointment(starts_at=shop.clock() + timedelta(hours=2), lasts=timedelta(hours=1))
    await shop.coach_sessions.schedule(deal.id, deal.seller, soon, shop.clock())
    shop.clock.move(hours=1)
    assert (await shop.cancellation.terms(deal.id, deal.buyer, shop.clock())).refund == 5_000


async def test_the_windows_are_those_of_the_day_of_the_order(shop: Shop) -> None:
    deal = await a_session_in(shop, 10)
    await execute(
        "UPDATE sellers SET cancellation_windows = $2 WHERE account_id = $1",
        deal.seller.account_id,
        '[{"hours_before": 72, "refund_basis_points": 0}]',
    )
    assert (await shop.cancellation.terms(deal.id, deal.buyer, shop.clock())).refund == 2_500
    after = await shop.place(await account(), (deal.thing, 1))
    assert (await shop.see(after)).order.cancellation_windows is not None


async def test_a_refund_without_an_answer_stands_and_is_shown_as_on_its_way(shop: Shop) -> None:
    deal = await a_prepared_deal(shop)
    shop.stripe.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock(), "changed my mind")
    view = await shop.see(deal.id)
    assert (view.order.status, view.canceling) == ("paid", True)
    again = await shop.cancellation.cancel(deal.id, deal.seller, shop.clock())
    assert again.canceling, "the same cancellation, whoever asks"
    assert (await shop.steps(deal.id)).count("cancellation_asked") == 1
    await shop.resume()
    view = await shop.see(deal.id)
    assert (view.order.status, view.canceling, money(view)) == ("canceled", False, (5_000, 5_000))


async def test_a_refund_that_stripe_refused_can_be_asked_for_again(shop: Shop) -> None:
    deal = await a_prepared_deal(shop)
    shop.stripe.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    await execute(
        "UPDATE refunds SET status = 'refused', updated_at = $2 WHERE order_id = $1",
        deal.id,
        shop.clock(),
    )
    await execute(
        "UPDATE operations SET state = 'rejected', concluded_at = $2, due_at = NULL, "
        "lease_until = NULL WHERE order_id = $1 AND kind = 'create_refund'",
        deal.id,
        shop.clock(),
    )
    view = await shop.see(deal.id)
    assert (view.order.status, view.canceling) == ("paid", False)
    view = await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert (view.order.status, money(view)) == ("canceled", (5_000, 5_000))


async def test_a_sellers_own_refund_never_passes_for_a_cancellation(shop: Shop) -> None:
    deal = await a_prepared_deal(shop)
    await shop.refunds.ask(
        deal.id,
        deal.seller,
        RefundWish(amount=1),
        idempotency_key=cancellation_key(deal.id, 1),
        now=shop.clock(),
    )
    assert await shop.status(deal.id) == "paid"
    view = await shop.cancellation.cancel(deal.id, deal.seller, shop.clock())
    assert (view.order.status, money(view)) == ("canceled", (5_000, 5_000))


async def test_ten_cancellations_at_once_refund_once(shop: Shop) -> None:
    deal = await a_prepared_deal(shop)
    asked = [
        shop.cancellation.cancel(deal.id, actor, shop.clock())
        for actor in (deal.buyer, deal.seller) * 5
    ]
    await asyncio.gather(*asked, return_exceptions=True)
    view = await shop.see(deal.id)
    assert (view.order.status, money(view)) == ("canceled", (5_000, 5_000))
    assert shop.asked("create_refund") == 1
    assert (await shop.steps(deal.id)).count("canceled") == 1


async def test_preparing_and_canceling_at_once_end_in_one_story(shop: Shop) -> None:
    for first in (True, False):
        deal = await a_held_deal(shop)
        asked = [
            shop.preparation.prepare(deal.id, deal.seller, shop.clock()),
            shop.cancellation.cancel(deal.id, deal.buyer, shop.clock()),
        ]
        await asyncio.gather(*(asked if first else asked[::-1]), return_exceptions=True)
        view = await shop.see(deal.id)
        assert (view.order.status, money(view)) in [("paid", (5_000, 0)), ("canceled", (0, 0))]
        on_hand = 8 if view.order.status == "paid" else 10
        assert await stock_of(deal.thing) == (on_hand, 0)


async def test_shipping_and_canceling_at_once_end_in_one_story(shop: Shop) -> None:
    parcel = Parcel(carrier="DHL", tracking_number="1")
    for first in (True, False):
        deal = await a_prepared_deal(shop)
        asked = [
            shop.shipping.ship(deal.id, deal.seller, parcel, shop.clock()),
            shop.cancellation.cancel(deal.id, deal.buyer, shop.clock()),
        ]
        await asyncio.gather(*(asked if first else asked[::-1]), return_exceptions=True)
        view = await shop.see(deal.id)
        if view.order.status == "shipped":
            assert (money(view), await stock_of(deal.thing)) == ((5_000, 0), (8, 0))
        else:
            assert view.shipment is None
            assert (money(view), await stock_of(deal.thing)) == ((5_000, 5_000), (10, 0))


async def test_a_cancellation_that_lost_the_race_gives_the_money_back(shop: Shop) -> None:
    deal = await a_deal(shop, "session")
    shop.stripe.pay((await shop.begin(deal.id)).intent_id)
    view = await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert (view.order.status, view.canceling) == ("paid", True)
    await shop.resume()
    view = await shop.see(deal.id)
    assert (view.order.status, money(view)) == ("canceled", (5_000, 5_000))


async def test_a_cancellation_whose_answer_got_lost_gives_back_what_came_meanwhile(
    shop: Shop,
) -> None:
    """It stood in the history of an order that was paid, and nobody did anything about it."""
    deal = await a_deal(shop, "session")
    intent = await shop.begin(deal.id)
    shop.stripe.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock(), "changed my mind")
    shop.stripe.pay(intent.intent_id)
    await shop.resume()
    view = await shop.see(deal.id)
    assert (view.order.status, money(view)) == ("canceled", (5_000, 5_000))
    last = (await shop.orders.history(deal.id, ADMIN))[-1]
    assert last.reason == "canceled before the money came: changed my mind"


async def test_a_debit_that_comes_after_its_order_was_canceled_goes_back(shop: Shop) -> None:
    deal = await a_deal(shop, "session")
    intent = await shop.begin(deal.id)
    shop.stripe.pay(intent.intent_id, DEBIT)
    await shop.hear(deal.id)
    with pytest.raises(PaymentStepRefused):
        await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    shop.stripe.settle_debit(intent.intent_id, succeeds=True)
    await shop.hear(deal.id)
    await shop.resume()
    view = await shop.see(deal.id)
    assert (view.order.status, money(view)) == ("canceled", (5_000, 5_000))


async def test_what_is_confirmed_again_after_a_cancellation_that_came_to_nothing_is_bought(
    shop: Shop,
) -> None:
    basket = await a_basket(shop, "session")
    intent = await basket.confirm()
    shop.stripe.pay(intent.intent_id, DEBIT)
    await shop.hear(basket.id)
    buyer = Actor(basket.buyer.account_id)
    with pytest.raises(PaymentStepRefused):
        await shop.cancellation.cancel(basket.id, buyer, shop.clock())
    shop.stripe.settle_debit(intent.intent_id, succeeds=False)
    await shop.hear(basket.id)
    await basket.confirm(card_id=await basket.card())
    view = await shop.see(basket.id)
    assert (view.order.status, view.canceling) == ("paid", False)


async def test_a_hold_captured_elsewhere_while_its_order_was_canceled_goes_back(
    shop: Shop,
) -> None:
    deal = await a_held_deal(shop)
    shop.stripe.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    shop.stripe.capture(await shop.intent_of(deal.id), 5_000, 530)
    await shop.resume()
    view = await shop.see(deal.id)
    assert (view.order.status, money(view)) == ("canceled", (5_000, 5_000))


async def test_strangers_learn_nothing(shop: Shop) -> None:
    deal = await a_prepared_deal(shop)
    stranger = Actor(await account())
    for ask in (shop.cancellation.cancel, shop.cancellation.terms):
        with pytest.raises(OrderNotFound):
            await ask(deal.id, stranger, shop.clock())


async def test_what_has_ended_is_not_canceled_again(shop: Shop) -> None:
    deal = await a_prepared_deal(shop)
    await shop.completion.complete(deal.id, deal.buyer, shop.clock())
    for actor in (deal.buyer, deal.seller, ADMIN):
        with pytest.raises(OrderStepRefused):
            await shop.cancellation.cancel(deal.id, actor, shop.clock())
    assert shop.asked("create_refund") == 0
    assert await stock_of(deal.thing) == (8, 0)


async def test_the_refund_says_what_for(shop: Shop) -> None:
    deal = await a_prepared_deal(shop)
    await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    [refund] = [one for one in shop.stripe.asked if one.method == "create_refund"]
    assert isinstance(refund.draft, RefundDraft)
    assert (refund.draft.amount, refund.draft.reason) == (5_000, "requested_by_customer")
    assert await value("SELECT requested_by FROM refunds WHERE order_id = $1", deal.id) == (
        deal.buyer.account_id
    )


def test_keys_of_cancellations_are_sentences() -> None:
    assert cancellation_key("ord_1", 2) == "cancellation:ord_1:2"
