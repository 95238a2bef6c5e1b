"""Checkouts that end: after a day, with their seller, and what becomes of money that came too late."""

import pytest

from marketplace.catalog.listings import ListingChanges
from marketplace.orders.checkout import Buyer
from marketplace.orders.confirmation import Shown
from marketplace.orders.errors import (
    ListingNotOffered,
    OrderStepRefused,
    TotalChanged,
)
from marketplace.orders.reactions import react
from marketplace.sellers.errors import SellerNotPayable
from payments.database import execute, transaction, value
from payments.events import PaymentAuthorized
from tests.connect.fakes import RESTRICTED
from tests.fakes import CHALLENGED, DEBIT
from tests.orders.carts import Basket, a_basket
from tests.orders.deals import ADMIN
from tests.orders.shop import Shop, account, listing, stock_of


async def a_day_passes(shop: Shop) -> None:
    await shop.expiry.expire_due(shop.clock.move(hours=24))


async def test_an_expired_order_begins_anew_with_another_payment_intent(shop: Shop) -> None:
    basket = await a_basket(shop)
    first = await basket.confirm()
    await a_day_passes(shop)
    assert await shop.status(basket.id) == "expired"
    assert await stock_of(basket.thing) == (10, 0)
    second = await basket.begin()
    assert second.intent_id != first.intent_id
    order = (await shop.see(basket.id)).order
    assert (order.status, order.generation, order.frozen_at) == ("checkout", 2, None)
    assert order.checkout_expires_at > shop.clock.move(hours=23)
    assert await stock_of(basket.thing) == (10, 2)
    intent = await basket.confirm()
    shop.stripe.pay(intent.intent_id)
    await shop.hear(basket.id)
    assert await shop.status(basket.id) == "authorized"


async def test_an_expired_order_confirmed_with_a_saved_card_begins_anew_too(shop: Shop) -> None:
    basket = await a_basket(shop, "session")
    await basket.begin()
    await a_day_passes(shop)
    assert (await basket.confirm(card_id=await basket.card())).status == "succeeded"
    assert await shop.status(basket.id) == "paid"


async def test_after_a_day_its_prices_are_of_another_day(shop: Shop) -> None:
    basket = await a_basket(shop)
    await a_day_passes(shop)
    await shop.catalog.update(
        basket.owner, basket.thing, ListingChanges(unit_amount=2_600), shop.clock()
    )
    with pytest.raises(TotalChanged) as refusal:
        await basket.begin()
    assert (refusal.value.shown, refusal.value.total) == (5_000, 5_200)
    await shop.catalog.archive(basket.owner, basket.thing, shop.clock())
    with pytest.raises(ListingNotOffered):
        await basket.begin()
    assert await shop.status(basket.id) == "expired"


async def test_it_can_expire_as_often_as_it_was_begun(shop: Shop) -> None:
    """What was asked of an earlier PaymentIntent says nothing about a later one."""
    basket = await a_basket(shop)
    await basket.begin()
    await a_day_passes(shop)
    second = await basket.begin()
    shop.stripe.end(second.intent_id, "automatic")
    await shop.hear(basket.id)
    assert await shop.status(basket.id) == "checkout"
    await basket.begin()
    await a_day_passes(shop)
    assert await shop.status(basket.id) == "expired"
    assert (await shop.steps(basket.id)).count("expiry_asked") == 2


async def test_being_put_off_does_not_give_anybody_more_time(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.begin()
    before = (await shop.see(basket.id)).order.checkout_expires_at
    shop.stripe.lose_answer_before()
    await a_day_passes(shop)
    order = (await shop.see(basket.id)).order
    assert (order.status, order.checkout_expires_at) == ("checkout", before)
    assert order.expiry_due_at is not None
    assert order.expiry_due_at > before


async def test_a_debit_on_its_way_does_not_expire(shop: Shop) -> None:
    basket = await a_basket(shop, "session")
    intent = await basket.confirm()
    shop.stripe.pay(intent.intent_id, DEBIT)
    await a_day_passes(shop)
    assert await shop.status(basket.id) == "checkout"
    shop.stripe.settle_debit(intent.intent_id, succeeds=True)
    await shop.expiry.expire_due(shop.clock.move(hours=2))
    assert await shop.status(basket.id) == "paid"


async def test_a_debit_that_failed_after_the_day_ends_the_order(shop: Shop) -> None:
    basket = await a_basket(shop, "session")
    intent = await basket.confirm()
    shop.stripe.pay(intent.intent_id, DEBIT)
    await a_day_passes(shop)
    shop.stripe.settle_debit(intent.intent_id, succeeds=False)
    await shop.expiry.expire_due(shop.clock.move(hours=2))
    assert await shop.status(basket.id) == "expired"


async def test_a_challenge_nobody_answered_ends_with_its_day(shop: Shop) -> None:
    basket = await a_basket(shop)
    intent = await basket.confirm()
    shop.stripe.pay(intent.intent_id, CHALLENGED)
    await a_day_passes(shop)
    assert await shop.status(basket.id) == "expired"


async def end_unpayable(shop: Shop) -> None:
    await shop.expiry.mark_unpayable(shop.clock())
    await shop.expiry.expire_due(shop.clock())


async def test_a_suspended_sellers_open_checkouts_end(shop: Shop) -> None:
    basket, other = await a_basket(shop), await a_basket(shop)
    await basket.begin()
    await other.begin()
    seller_id = (await shop.see(basket.id)).order.seller_id
    await execute("UPDATE sellers SET suspended_at = $2 WHERE id = $1", seller_id, shop.clock())
    await end_unpayable(shop)
    last = (await shop.orders.history(basket.id, ADMIN))[-1]
    assert (last.step, last.actor, last.reason) == (
        "canceled",
        "platform",
        "the seller cannot be paid",
    )
    assert await stock_of(basket.thing) == (10, 0)
    assert await shop.status(other.id) == "checkout"


@pytest.mark.parametrize(
    "stopped", ["suspended_at = $2", "frozen_at = $2, freeze_reason = 'looked into'"]
)
async def test_who_pays_a_stopped_seller_in_the_last_second_is_not_left_alone(
    shop: Shop, stopped: str
) -> None:
    """The browser had the payment before: the money is held for people, and nobody else can pay."""
    owner, seller_id = await shop.a_seller()
    session = (await listing(owner, kind="session")).id
    faster, slower = [await shop.place(await account(), (session, 1)) for _ in range(2)]
    intent, _ = await shop.begin(faster), await shop.begin(slower)
    await execute(f"UPDATE sellers SET {stopped} WHERE id = $1", seller_id, shop.clock())
    for late in (faster, slower):
        order = (await shop.see(late)).order
        with pytest.raises(SellerNotPayable):
            await shop.confirmation.begin(
                late, Buyer(order.buyer_id, "b@x.com"), Shown(order.total), shop.clock()
            )
    shop.stripe.pay(intent.intent_id)
    await shop.hear(faster)
    await shop.hear(faster)
    paid = (await shop.see(faster)).order
    assert (paid.status, paid.held_reason) == (
        "paid",
        "the seller could not be paid any more when the money came",
    )
    assert (await shop.steps(faster)).count("fulfilment_held") == 1
    await end_unpayable(shop)
    assert await shop.status(slower) == "canceled"


async def test_a_seller_who_lost_their_capability_takes_no_more_money(shop: Shop) -> None:
    basket, paid = await a_basket(shop), await a_basket(shop)
    intent = await basket.begin()
    held = await paid.begin()
    accounts = list(shop.stripe_accounts.accounts)
    for account_id in accounts:
        shop.stripe_accounts.change(account_id, transfers=RESTRICTED)
        await shop.accounts.refresh(account_id)
    # This one was faster, and nobody told us.
    shop.stripe.pay(held.intent_id)
    await end_unpayable(shop)
    assert await shop.status(basket.id) == "canceled"
    assert (await shop.stripe.retrieve_intent(intent.intent_id)).status == "canceled"  # type: ignore[arg-type]
    assert await shop.status(paid.id) == "authorized"


async def test_being_able_to_be_paid_again_in_time_saves_the_checkout(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.begin()
    seller_id = (await shop.see(basket.id)).order.seller_id
    await execute("UPDATE sellers SET suspended_at = $2 WHERE id = $1", seller_id, shop.clock())
    await shop.expiry.mark_unpayable(shop.clock())
    await execute("UPDATE sellers SET suspended_at = NULL WHERE id = $1", seller_id)
    assert await shop.expiry.expire_due(shop.clock()) == 1
    assert await shop.expiry.expire_due(shop.clock()) == 0
    order = (await shop.see(basket.id)).order
    assert (order.status, order.expiry_due_at) == ("checkout", order.checkout_expires_at)


async def test_nobody_is_asked_to_pay_what_is_being_ended(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.begin()
    seller_id = (await shop.see(basket.id)).order.seller_id
    await execute("UPDATE sellers SET suspended_at = $2 WHERE id = $1", seller_id, shop.clock())
    shop.stripe.lose_answer_before()
    await end_unpayable(shop)
    await execute("UPDATE sellers SET suspended_at = NULL WHERE id = $1", seller_id)
    with pytest.raises(OrderStepRefused):
        await basket.begin()


async def a_hold_comes_late(basket: Basket) -> None:
    """Stripe tells of money for an order that has ended, whatever we had asked it for."""
    shop = basket.shop
    held = PaymentAuthorized(
        order_id=basket.id,
        payment_id=await value("SELECT id FROM payments WHERE order_id = $1", basket.id),
        occurred_at=shop.clock(),
        amount=5_000,
        capture_before=None,
    )
    async with transaction():
        await react(held, shop.give_back)


async def test_late_money_wins_while_the_goods_are_there(shop: Shop) -> None:
    basket = await a_basket(shop)
    await basket.begin()
    await a_day_passes(shop)
    await a_hold_comes_late(basket)
    assert await shop.status(basket.id) == "authorized"
    assert await stock_of(basket.thing) == (10, 2)


async def test_a_late_hold_on_what_is_sold_out_is_released_in_the_same_breath(shop: Shop) -> None:
    """Vendure and others kept money for orders that could never be delivered."""
    basket = await a_basket(shop)
    intent = await basket.begin()
    shop.stripe.pay(intent.intent_id)
    # Its order ended without Stripe: an operator did it by hand.
    await execute("UPDATE orders SET status = 'expired' WHERE id = $1", basket.id)
    async with transaction():
        await execute(
            "INSERT INTO order_steps (id, order_id, position, step, from_status, to_status, actor, "
            "occurred_at) VALUES ($1, $2, 2, 'expired', 'checkout', 'expired', 'platform', $3)",
            f"stp_{basket.id}",
            basket.id,
            shop.clock(),
        )
        await execute(
            "UPDATE stock_reservations SET state = 'released' WHERE order_id = $1", basket.id
        )
        await execute(
            "UPDATE listings SET stock_reserved = 0, stock_on_hand = 1 WHERE id = $1", basket.thing
        )
    await shop.hear(basket.id)
    assert (await shop.steps(basket.id))[-2:] == ["authorized_late", "cancellation_asked"]
    await shop.operations.resume_due(shop.clock.move(minutes=1))
    assert await shop.status(basket.id) == "canceled"
    assert (await shop.stripe.retrieve_intent(intent.intent_id)).status == "canceled"  # type: ignore[arg-type]


async def test_what_was_taken_for_what_is_sold_out_is_refunded_by_itself(shop: Shop) -> None:
    basket = await a_basket(shop)
    await shop.pay(basket.id)
    intent = await shop.intent_of(basket.id)
    await execute("UPDATE orders SET status = 'expired' WHERE id = $1", basket.id)
    async with transaction():
        await execute(
            "INSERT INTO order_steps (id, order_id, position, step, from_status, to_status, actor, "
            "occurred_at) VALUES ($1, $2, 3, 'hold_lapsed', 'authorized', 'expired', 'stripe', $3)",
            f"stp_{basket.id}",
            basket.id,
            shop.clock(),
        )
        await execute(
            "UPDATE stock_reservations SET state = 'released' WHERE order_id = $1", basket.id
        )
        await execute(
            "UPDATE listings SET stock_reserved = 0, stock_on_hand = 1 WHERE id = $1", basket.thing
        )
    shop.stripe.capture(intent, 5_000, 530)
    await shop.hear(basket.id)
    assert "captured_late" in await shop.steps(basket.id)
    assert "cancellation_asked" in await shop.steps(basket.id)
    await shop.operations.resume_due(shop.clock.move(minutes=1))
    assert await shop.status(basket.id) == "canceled"
    refunded = await value("SELECT amount_refunded FROM payments WHERE order_id = $1", basket.id)
    assert refunded == 5_000
