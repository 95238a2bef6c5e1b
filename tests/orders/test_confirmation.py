"""Confirming: exactly what was shown, once, and back to the cart when nothing is under way."""

import asyncio

import pytest

from marketplace.orders.card_testing import CheckoutLimits
from marketplace.orders.checkout import Checkout
from marketplace.orders.confirmation import Confirmation
from marketplace.orders.errors import (
    BoughtAlready,
    CartFrozen,
    CheckoutOver,
    ConfirmationUnderWay,
    FulfilmentNotHeld,
    OrderNotFound,
    OrderStepRefused,
    TotalChanged,
)
from marketplace.orders.reactions import react
from marketplace.people.errors import TooManyTries
from marketplace.people.limits import Limit
from marketplace.sellers.errors import SellerNotPayable
from payments.database import execute, row, transaction
from payments.errors import (
    CardDeclined,
    CardNotFound,
    CardNotToBeRetried,
    OutcomeUnknown,
)
from payments.events import PaymentCaptured
from tests.fakes import CHALLENGED, DEBIT
from tests.orders.carts import Basket, a_basket
from tests.orders.deals import ADMIN, doubts
from tests.orders.shop import FakeCards, Shop, account, stock_of

INSUFFICIENT = "pm_card_visa_chargeDeclinedInsufficientFunds"


async def frozen(basket: Basket) -> int | None:
    order = (await basket.shop.see(basket.id)).order
    return None if order.frozen_at is None else order.frozen_total


async def test_the_browser_confirms_what_was_shown(shop: Shop) -> None:
    basket = await a_basket(shop)
    intent = await basket.confirm(5_000)
    assert (intent.amount, await frozen(basket)) == (5_000, 5_000)
    shop.stripe.pay(intent.intent_id)
    await shop.hear(basket.id)
    assert await shop.steps(basket.id) == [
        "placed",
        "checkout_begun",
        "confirmation_begun",
        "authorized",
    ]


async def test_another_total_than_the_one_shown_is_refused_with_the_one_of_now(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.begin()
    await basket.change((basket.thing, 3))
    with pytest.raises(TotalChanged) as refusal:
        await basket.confirm(5_000)
    assert (refusal.value.shown, refusal.value.total) == (5_000, 7_500)
    assert await frozen(basket) is None
    assert (await basket.confirm(7_500)).amount == 7_500


async def test_a_saved_card_pays_at_once(shop: Shop) -> None:
    basket = await a_basket(shop, "session")
    card = await basket.card()
    intent = await basket.confirm(card_id=card)
    assert intent.status == "succeeded"
    assert await shop.status(basket.id) == "paid"
    assert shop.stripe.asked[-1].key == f"order:{basket.id}:g1:confirm:1"
    assert await shop.steps(basket.id) == [
        "placed",
        "checkout_begun",
        "confirmation_begun",
        "captured",
    ]


async def test_the_bank_wants_to_see_the_buyer(shop: Shop) -> None:
    basket = await a_basket(shop)
    intent = await basket.confirm(card_id=await basket.card(CHALLENGED))
    assert intent.status == "requires_action"
    assert intent.client_secret
    assert await frozen(basket) == 5_000
    # The browser goes on with the same PaymentIntent.
    shop.stripe.pay(intent.intent_id, CHALLENGED)
    await shop.hear(basket.id)
    assert await shop.status(basket.id) == "authorized"


async def test_a_declined_card_frees_the_cart_and_the_next_attempt_has_a_key_of_its_own(
    shop: Shop,
) -> None:
    """Uchat replayed one stored decline for a day because every attempt had the same key."""
    basket = await a_basket(shop)
    poor, good = await basket.card(INSUFFICIENT), await basket.card()
    with pytest.raises(CardDeclined):
        await basket.confirm(card_id=poor)
    assert await frozen(basket) is None
    await basket.change((basket.thing, 1))
    with pytest.raises(CardDeclined):
        await basket.confirm(card_id=poor)
    assert (await basket.confirm(card_id=good)).status == "requires_capture"
    keys = [one.key for one in shop.stripe.asked if one.method == "confirm_intent"]
    assert keys == [f"order:{basket.id}:g1:confirm:{number}" for number in (1, 2, 3)]
    outcomes = [attempt.outcome for attempt in await shop.payments.attempts(basket.id)]
    assert outcomes == ["declined", "declined", "authorized"]
    assert (await shop.see(basket.id)).order.total == 2_500


async def test_a_card_that_must_never_be_tried_again_is_not(shop: Shop) -> None:
    basket = await a_basket(shop)
    lost = await basket.card("pm_card_visa_chargeDeclinedLostCard")
    with pytest.raises(CardDeclined):
        await basket.confirm(card_id=lost)
    with pytest.raises(CardNotToBeRetried):
        await basket.confirm(card_id=lost)
    assert shop.asked("confirm_intent") == 1
    assert await frozen(basket) is None


async def test_a_confirmation_without_an_answer_is_the_same_attempt_when_asked_again(
    shop: Shop,
) -> None:
    basket = await a_basket(shop, "session")
    card = await basket.card()
    await basket.begin()
    shop.stripe.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await basket.confirm(card_id=card)
    with pytest.raises(CartFrozen):
        await basket.change((basket.thing, 1))
    await shop.operations.resume_due(shop.clock.move(minutes=1))
    assert await shop.status(basket.id) == "paid"
    assert len({one.key for one in shop.stripe.asked if one.method == "confirm_intent"}) == 1


async def test_an_attempt_that_only_the_sweep_heard_refused_frees_the_cart(shop: Shop) -> None:
    basket = await a_basket(shop, "session")
    card = await basket.card()
    await basket.begin()
    payment = await shop.payments.find_live(basket.id)
    assert payment is not None
    shop.stripe.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await basket.confirm(card_id=card)
    shop.stripe.closed_destinations.add(payment.destination)
    await shop.resume()
    assert (await shop.status(basket.id), await frozen(basket)) == ("checkout", None)
    assert await doubts(payment.destination) == 1
    await basket.change((basket.thing, 1))


async def test_two_clicks_are_one_attempt(shop: Shop) -> None:
    basket = await a_basket(shop, "session")
    card = await basket.card()
    await basket.begin()
    answers = await asyncio.gather(
        *[basket.confirm(5_000, card_id=card) for _ in range(4)], return_exceptions=True
    )
    assert await shop.status(basket.id) == "paid"
    assert len({one.key for one in shop.stripe.asked if one.method == "confirm_intent"}) == 1
    assert all(
        getattr(each, "status", None) == "succeeded" or isinstance(each, OrderStepRefused)
        for each in answers
    )


async def test_somebody_elses_card_is_no_card(shop: Shop) -> None:
    basket, other = await a_basket(shop), await a_basket(shop)
    card = await other.card()
    with pytest.raises(CardNotFound):
        await basket.confirm(card_id=card)
    assert await frozen(basket) is None


async def test_only_the_buyer_confirms_and_goes_back(shop: Shop) -> None:
    basket = await a_basket(shop)
    basket.buyer = type(basket.buyer)(await account(), "x@example.com")
    for refused in (basket.confirm, basket.go_back):
        with pytest.raises(OrderNotFound):
            await refused()


async def test_a_seller_lost_since_the_checkout_costs_nobody_anything(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.begin()
    seller_id = (await shop.see(basket.id)).order.seller_id
    await execute("UPDATE sellers SET suspended_at = $2 WHERE id = $1", seller_id, shop.clock())
    with pytest.raises(SellerNotPayable):
        await basket.confirm(card_id=await basket.card())
    assert shop.asked("confirm_intent") == 0


async def test_going_back_frees_the_cart_when_nothing_is_under_way(shop: Shop) -> None:
    basket = await a_basket(shop)
    first = await basket.confirm()
    assert (await basket.go_back()).order.frozen_at is None
    await basket.change((basket.thing, 1))
    again = await basket.confirm()
    assert (again.intent_id, again.amount) == (first.intent_id, 2_500)


async def test_going_back_from_the_banks_page_makes_sure_that_it_can_never_be_paid(
    shop: Shop,
) -> None:
    basket = await a_basket(shop)
    first = await basket.confirm()
    shop.stripe.pay(first.intent_id, CHALLENGED)
    await basket.go_back()
    assert (await shop.stripe.retrieve_intent(first.intent_id)).status == "canceled"  # type: ignore[arg-type]
    assert await shop.status(basket.id) == "checkout"
    assert await stock_of(basket.thing) == (10, 0)
    await basket.change((basket.thing, 1))
    second = await basket.confirm()
    assert (second.amount, second.intent_id != first.intent_id) == (2_500, True)


async def test_what_is_paid_or_on_its_way_cannot_be_gone_back_on(shop: Shop) -> None:
    paid, debit = await a_basket(shop), await a_basket(shop)
    for basket, card, refusal in (
        (paid, "pm_card_visa", OrderStepRefused),
        (debit, DEBIT, ConfirmationUnderWay),
    ):
        intent = await basket.confirm()
        shop.stripe.pay(intent.intent_id, card)
        with pytest.raises(refusal):
            await basket.go_back()


async def test_a_debit_on_its_way_is_waited_for_then_settles_or_fails(shop: Shop) -> None:
    for succeeds, status, last in (
        (True, "paid", "captured"),
        (False, "checkout", "confirmation_ended"),
    ):
        basket = await a_basket(shop, "session")
        intent = await basket.confirm()
        shop.stripe.pay(intent.intent_id, DEBIT)
        await shop.hear(basket.id)
        assert (await shop.steps(basket.id))[-1] == "payment_processing"
        with pytest.raises(CartFrozen):
            await basket.change((basket.thing, 1))
        with pytest.raises(ConfirmationUnderWay):
            await basket.confirm()
        shop.stripe.settle_debit(intent.intent_id, succeeds=succeeds)
        await shop.hear(basket.id)
        assert await shop.status(basket.id) == status
        assert (await shop.steps(basket.id))[-1] == last
        assert ("payment_failed" in await shop.steps(basket.id)) is not succeeds


async def test_the_same_again_is_asked_about_before_it_is_paid(shop: Shop) -> None:
    """Gumroad counted 177 unrefunded duplicates a week."""
    basket = await a_basket(shop)
    await shop.pay(basket.id)
    other = await basket.again()
    for refused in (other.begin, other.confirm):
        with pytest.raises(BoughtAlready) as refusal:
            await refused()
        assert refusal.value.bought_order_id == basket.id
    assert await shop.payments.find(other.id) is None
    await other.begin(again=True)
    intent = await other.confirm()
    shop.stripe.pay(intent.intent_id)
    await shop.hear(other.id)
    assert await shop.status(other.id) == "authorized"


async def test_what_is_not_the_same_or_long_ago_is_nobodys_mistake(shop: Shop) -> None:
    basket = await a_basket(shop)
    await shop.pay(basket.id)
    await (await basket.again((basket.thing, 1))).begin()
    await (await basket.again((basket.thing, 2), (basket.other, 1))).begin()
    shop.clock.move(minutes=61)
    await (await basket.again()).begin()


async def test_paid_without_our_having_heard_of_it_is_found_at_stripe(shop: Shop) -> None:
    basket = await a_basket(shop)
    intent = await basket.confirm()
    shop.stripe.pay(intent.intent_id)
    shop.clock.move(minutes=11)
    other = await basket.again()
    with pytest.raises(BoughtAlready):
        await other.begin()
    assert await shop.status(basket.id) == "authorized"


async def test_two_orders_of_the_same_confirmed_at_once_are_one_purchase(shop: Shop) -> None:
    basket = await a_basket(shop)
    other = await basket.again()
    await basket.begin()
    await other.begin()
    answers = await asyncio.gather(basket.confirm(), other.confirm(), return_exceptions=True)
    assert sorted(type(each).__name__ for each in answers) == ["BoughtAlready", "IntentForBuyer"]


async def test_given_back_it_may_be_bought_again(shop: Shop) -> None:
    basket = await a_basket(shop)
    await shop.pay(basket.id)
    await shop.cancellation.cancel(basket.id, ADMIN, shop.clock())
    await (await basket.again()).begin()


async def test_card_testing_is_slowed_down(shop: Shop) -> None:
    limits = CheckoutLimits(
        checkouts=Limit(allowed=2, window_seconds=3600),
        confirmations=Limit(allowed=3, window_seconds=3600),
        declines=Limit(allowed=2, window_seconds=3600),
    )
    shop.checkout = Checkout(shop.payments, shop.vouching, shop.catalog, FakeCards(), limits)
    shop.confirmation = Confirmation(
        shop.payments, shop.vouching, shop.checkout, return_url="https://x.test", limits=limits
    )
    basket = await a_basket(shop)
    poor = await basket.card(INSUFFICIENT)
    for _ in range(2):
        with pytest.raises(CardDeclined):
            await basket.confirm(card_id=poor)
    with pytest.raises(TooManyTries) as refusal:
        await basket.confirm(card_id=poor)
    assert refusal.value.retry_after_seconds == 3600
    shop.clock.move(minutes=30)
    with pytest.raises(TooManyTries) as refusal:
        await (await basket.again((basket.thing, 1))).confirm()
    assert refusal.value.retry_after_seconds == 1800
    shop.clock.move(minutes=30)
    await (await basket.again((basket.thing, 1))).begin()
    await (await basket.again((basket.other, 1))).begin()
    with pytest.raises(TooManyTries):
        await (await basket.again((basket.other, 2))).begin()
    await basket.begin()  # it has its PaymentIntent


async def test_after_its_time_nothing_is_confirmed(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.begin()
    shop.clock.move(hours=25)
    with pytest.raises(CheckoutOver):
        await basket.confirm()


async def test_money_that_is_not_what_was_shown_holds_fulfilment_until_an_admin_looked(
    shop: Shop,
) -> None:
    """Evershop settled an expensive order with a cheap payment."""
    basket = await a_basket(shop, "session")
    await basket.confirm()
    async with transaction():
        await react(
            PaymentCaptured(
                order_id=basket.id,
                payment_id="pay_x",
                occurred_at=shop.clock(),
                amount=100,
                application_fee=10,
            )
        )
    order = (await shop.see(basket.id)).order
    assert order.held_reason == "Stripe has 100, the order asks for 5000"
    assert (await shop.steps(basket.id))[-1] == "fulfilment_held"
    view = await shop.holds.release(basket.id, ADMIN, "the buyer paid the rest", shop.clock())
    assert view.order.held_reason is None
    kept = await row("SELECT actor, action, reason FROM audit_log WHERE subject = $1", basket.id)
    assert dict(kept or {}) == {
        "actor": ADMIN.account_id,
        "action": "order.fulfilment_released",
        "reason": "the buyer paid the rest",
    }
    with pytest.raises(FulfilmentNotHeld):
        await shop.holds.release(basket.id, ADMIN, "again", shop.clock())


async def test_a_page_left_open_that_pays_the_total_of_a_changed_cart_holds_fulfilment(
    shop: Shop,
) -> None:
    """Nobody was ever shown the new total, though it is what Stripe asks for."""
    basket = await a_basket(shop)
    intent = await basket.confirm(5_000)
    shop.clock.move(minutes=11)
    await basket.change((basket.thing, 3))
    shop.stripe.pay(intent.intent_id)
    await shop.hear(basket.id)
    order = (await shop.see(basket.id)).order
    assert (order.status, order.total) == ("authorized", 7_500)
    assert order.held_reason == "Stripe has 7500, the order asks for 5000"


async def test_another_card_tried_after_a_decline_pays_only_what_was_shown(shop: Shop) -> None:
    for quantity, held in ((2, None), (3, "Stripe has 7500, the order asks for 5000")):
        basket = await a_basket(shop)
        intent = await basket.confirm(5_000)
        shop.stripe.pay(intent.intent_id, INSUFFICIENT)
        await shop.hear(basket.id)
        await basket.change((basket.thing, quantity))
        shop.stripe.pay(intent.intent_id)
        await shop.hear(basket.id)
        order = (await shop.see(basket.id)).order
        assert (order.status, order.held_reason) == ("authorized", held)


async def test_the_new_total_once_shown_is_what_may_be_paid(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.confirm(5_000)
    await basket.go_back()
    await basket.change((basket.thing, 3))
    intent = await basket.confirm(7_500)
    shop.stripe.pay(intent.intent_id)
    await shop.hear(basket.id)
    order = (await shop.see(basket.id)).order
    assert (order.status, order.held_reason) == ("authorized", None)


async def test_what_stripe_cannot_tell_about_another_order_stops_nobody(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.confirm()
    shop.clock.move(minutes=11)
    other = await basket.again()
    shop.stripe.reads_refused = 1
    assert (await other.begin()).status == "requires_payment_method"
