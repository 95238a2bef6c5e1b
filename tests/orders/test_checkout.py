"""From an order to money: the gate first, one PaymentIntent, and no order that waits for ever."""

import asyncio
from datetime import timedelta

import pytest

from marketplace.catalog.errors import OutOfStock
from marketplace.catalog.listings import ListingChanges
from marketplace.orders.checkout import Buyer
from marketplace.orders.errors import (
    CheckoutOver,
    ListingNotOffered,
    OrderNotFound,
    OrderStepRefused,
)
from marketplace.orders.placing import CHECKOUT_LASTS
from marketplace.orders.records import Actor
from marketplace.sellers.errors import SellerNotPayable
from payments.database import execute, value
from payments.errors import OutcomeUnknown, SellerCannotReceive
from tests.connect.fakes import RESTRICTED
from tests.orders.shop import Shop, account, listing, stock_of


async def an_order(shop: Shop, kind: str = "product", stock: int = 10) -> tuple[str, str]:
    """An order of two, and the listing."""
    owner, _ = await shop.a_seller()
    facts = {"stock_on_hand": stock} if kind == "product" else {}
    thing = (await listing(owner, kind=kind, **facts)).id
    return await shop.place(await account(), (thing, 2)), thing


async def test_a_session_is_paid_when_the_buyer_confirms(shop: Shop) -> None:
    order_id, _ = await an_order(shop, "session")
    intent = await shop.begin(order_id)
    assert (intent.amount, intent.currency, intent.status) == (
        5_000,
        "eur",
        "requires_payment_method",
    )
    shop.stripe.pay(intent.intent_id)
    await shop.hear(order_id)
    assert await shop.status(order_id) == "paid"
    assert await shop.steps(order_id) == ["placed", "checkout_begun", "captured"]


async def test_a_product_is_authorized_and_its_stock_stays_set_aside(shop: Shop) -> None:
    order_id, thing = await an_order(shop)
    await shop.pay(order_id)
    assert await shop.status(order_id) == "authorized"
    assert await stock_of(thing) == (10, 2)


async def test_what_stripe_is_asked_for_is_what_the_order_froze(shop: Shop) -> None:
    order_id, _ = await an_order(shop)
    await shop.begin(order_id)
    (asked,) = shop.stripe.asked
    order = (await shop.see(order_id)).order
    assert asked.key == f"order:{order_id}:g1:pi:create"
    draft = asked.draft
    assert draft.amount == order.total  # type: ignore[attr-defined]
    assert draft.application_fee == order.application_fee  # type: ignore[attr-defined]
    assert draft.receipt_email == "buyer@example.com"  # type: ignore[attr-defined]


async def test_asked_again_it_is_the_same_payment_intent(shop: Shop) -> None:
    order_id, thing = await an_order(shop)
    first = await shop.begin(order_id)
    second = await shop.begin(order_id)
    assert (second.intent_id, second.client_secret) == (first.intent_id, first.client_secret)
    assert shop.asked("create_intent") == 1
    assert await stock_of(thing) == (10, 2)
    assert await shop.steps(order_id) == ["placed", "checkout_begun"]


async def test_ten_tabs_at_once_get_one_payment_intent(shop: Shop) -> None:
    order_id, thing = await an_order(shop)
    intents = await asyncio.gather(*(shop.begin(order_id) for _ in range(10)))
    assert len({intent.intent_id for intent in intents}) == 1
    assert shop.asked("create_intent") == 1
    assert await stock_of(thing) == (10, 2)


async def test_the_client_secret_is_kept_nowhere(shop: Shop) -> None:
    order_id, _ = await an_order(shop)
    secret = (await shop.begin(order_id)).client_secret
    for table in ("payments", "operations", "orders", "order_steps", "audit_log"):
        kept = await value(
            f"SELECT count(*) FROM {table} AS t WHERE strpos(t::text, $1) > 0", secret
        )
        assert kept == 0, table


async def test_a_seller_who_cannot_be_paid_costs_stripe_no_request(shop: Shop) -> None:
    order_id, thing = await an_order(shop)
    seller_id = (await shop.see(order_id)).order.seller_id
    await execute("UPDATE sellers SET approval = 'pending' WHERE id = $1", seller_id)
    with pytest.raises(SellerNotPayable) as refusal:
        await shop.begin(order_id)
    assert [str(reason) for reason in refusal.value.reasons] == ["not_approved"]
    assert shop.stripe.asked == []
    assert await shop.payments.find(order_id) is None
    assert await stock_of(thing) == (10, 0)


async def test_a_restricted_account_is_found_out_before_money_is_asked_for(shop: Shop) -> None:
    order_id, _ = await an_order(shop)
    ((account_id, snapshot),) = shop.stripe_accounts.accounts.items()
    shop.stripe_accounts.change(account_id, transfers=RESTRICTED)
    assert snapshot.transfers != RESTRICTED
    shop.clock.move(minutes=2)
    with pytest.raises(SellerNotPayable):
        await shop.begin(order_id)
    assert shop.stripe.asked == []


async def test_only_the_buyer_begins_the_checkout(shop: Shop) -> None:
    order_id, _ = await an_order(shop)
    owner = (await shop.see(order_id)).order.owner_id
    for somebody in (owner, await account()):
        with pytest.raises(OrderNotFound):
            await shop.checkout.begin(order_id, Buyer(somebody, "x@example.com"), shop.clock())


async def test_the_last_ones_go_to_whoever_checks_out_first(shop: Shop) -> None:
    first, thing = await an_order(shop, stock=2)
    second = await shop.place(await account(), (thing, 1))
    await shop.begin(first)
    with pytest.raises(OutOfStock):
        await shop.begin(second)
    assert await shop.payments.find(second) is None
    assert await shop.steps(second) == ["placed"]


async def test_what_was_archived_meanwhile_is_not_sold(shop: Shop) -> None:
    order_id, thing = await an_order(shop)
    owner = (await shop.see(order_id)).order.owner_id
    await shop.catalog.archive(owner, thing, shop.clock())
    with pytest.raises(ListingNotOffered):
        await shop.begin(order_id)


async def test_a_price_that_changed_meanwhile_does_not_change_the_order(shop: Shop) -> None:
    order_id, thing = await an_order(shop)
    owner = (await shop.see(order_id)).order.owner_id
    await shop.catalog.update(owner, thing, ListingChanges(unit_amount=9_000), shop.clock())
    assert (await shop.begin(order_id)).amount == 5_000


async def test_a_decline_leaves_the_order_open_for_another_card(shop: Shop) -> None:
    order_id, _ = await an_order(shop, "session")
    await shop.pay(order_id, "pm_card_visa_chargeDeclinedInsufficientFunds")
    assert await shop.status(order_id) == "checkout"
    (attempt,) = await shop.payments.attempts(order_id)
    assert (attempt.outcome, attempt.reason) == ("declined", "insufficient_funds")
    await shop.pay(order_id)
    assert await shop.status(order_id) == "paid"


async def test_a_lost_answer_is_the_same_payment_intent_when_asked_again(shop: Shop) -> None:
    order_id, _ = await an_order(shop)
    shop.stripe.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await shop.begin(order_id)
    await shop.begin(order_id)
    assert len({one.key for one in shop.stripe.asked}) == 1
    await shop.pay(order_id)
    assert await shop.status(order_id) == "authorized"


async def test_stripes_refusal_gives_the_stock_back_and_another_try_is_a_new_generation(
    shop: Shop,
) -> None:
    order_id, thing = await an_order(shop)
    (destination,) = shop.stripe_accounts.accounts
    shop.stripe.closed_destinations.add(destination)
    with pytest.raises(SellerCannotReceive):
        await shop.begin(order_id)
    assert await stock_of(thing) == (10, 0)
    # Our snapshot of the account is doubted: it is read before the next try.
    assert await value(
        "SELECT nudges > nudges_absorbed FROM connected_accounts WHERE account_id = $1", destination
    )
    shop.stripe.closed_destinations.clear()
    await shop.begin(order_id)
    assert shop.stripe.asked[-1].key == f"order:{order_id}:g2:pi:create"
    assert await stock_of(thing) == (10, 2)
    assert await shop.steps(order_id) == [
        "placed",
        "checkout_begun",
        "payment_ended",
        "checkout_begun",
    ]


async def test_a_payment_intent_that_stripe_ended_is_replaced(shop: Shop) -> None:
    order_id, thing = await an_order(shop)
    first = await shop.begin(order_id)
    shop.stripe.end(first.intent_id, "automatic")
    second = await shop.begin(order_id)
    assert second.intent_id != first.intent_id
    assert (await shop.see(order_id)).order.generation == 2
    assert await stock_of(thing) == (10, 2)
    await shop.pay(order_id)
    assert await shop.status(order_id) == "authorized"


async def test_a_paid_order_has_no_checkout(shop: Shop) -> None:
    order_id, _ = await an_order(shop, "session")
    await shop.pay(order_id)
    with pytest.raises(OrderStepRefused) as refusal:
        await shop.begin(order_id)
    assert refusal.value.order_status == "paid"


async def test_refresh_asks_stripe_when_the_webhook_is_late(shop: Shop) -> None:
    order_id, _ = await an_order(shop, "session")
    buyer = Actor((await shop.see(order_id)).order.buyer_id)
    assert (await shop.checkout.refresh(order_id, buyer)).order.status == "checkout"
    intent = await shop.begin(order_id)
    shop.stripe.pay(intent.intent_id)
    assert (await shop.checkout.refresh(order_id, buyer)).order.status == "paid"
    with pytest.raises(OrderNotFound):
        await shop.checkout.refresh(order_id, Actor(await account()))


async def expire(shop: Shop) -> None:
    await shop.expiry.expire_due(shop.clock.move(seconds=CHECKOUT_LASTS.total_seconds()))


async def test_an_order_nobody_began_to_pay_expires(shop: Shop) -> None:
    order_id, _ = await an_order(shop)
    await shop.expiry.expire_due(shop.clock.move(hours=23, minutes=59))
    assert await shop.status(order_id) == "checkout"
    await expire(shop)
    assert await shop.status(order_id) == "expired"
    assert await shop.steps(order_id) == ["placed", "expired"]


async def test_an_abandoned_checkout_is_canceled_at_stripe_and_its_stock_given_back(
    shop: Shop,
) -> None:
    order_id, thing = await an_order(shop)
    await shop.begin(order_id)
    await expire(shop)
    assert await shop.status(order_id) == "expired"
    assert await stock_of(thing) == (10, 0)
    assert await shop.steps(order_id) == ["placed", "checkout_begun", "expiry_asked", "expired"]
    payment = await shop.payments.find(order_id)
    assert payment is not None
    assert (payment.status, payment.cancellation_reason) == ("canceled", "abandoned")


async def test_money_that_was_faster_than_the_expiry_stays(shop: Shop) -> None:
    order_id, _ = await an_order(shop, "session")
    intent = await shop.begin(order_id)
    shop.stripe.pay(intent.intent_id)
    await expire(shop)
    assert await shop.status(order_id) == "paid"
    assert await shop.steps(order_id) == ["placed", "checkout_begun", "captured"]


async def test_a_hold_made_in_time_survives_the_expiry_though_nobody_told_of_it(
    shop: Shop,
) -> None:
    """Stripe cancels a held PaymentIntent as readily as an abandoned one."""
    order_id, thing = await an_order(shop)
    shop.stripe.pay((await shop.begin(order_id)).intent_id)
    await expire(shop)
    assert await shop.status(order_id) == "authorized"
    assert await stock_of(thing) == (10, 2)
    assert shop.asked("cancel_intent") == 0


async def test_an_order_that_cannot_end_does_not_keep_the_others_open(shop: Shop) -> None:
    stuck, _ = await an_order(shop)
    shop.clock.move(seconds=1)
    order_id, _ = await an_order(shop)
    await shop.begin(stuck)
    # Its stock cannot be given back: whatever the reason, it is a bug to be found by an alarm.
    await execute("UPDATE stock_reservations SET quantity = 3 WHERE order_id = $1", stuck)
    await expire(shop)
    assert await shop.status(order_id) == "expired"
    assert await shop.status(stuck) == "checkout"
    assert await shop.expiry.expire_due(shop.clock()) == 0


async def test_an_expiry_without_an_answer_comes_back_later(shop: Shop) -> None:
    order_id, _ = await an_order(shop)
    await shop.begin(order_id)
    shop.stripe.lose_answer_before()
    await expire(shop)
    assert await shop.status(order_id) == "checkout"
    assert await shop.expiry.expire_due(shop.clock()) == 0
    await shop.expiry.expire_due(shop.clock.move(minutes=10))
    assert await shop.status(order_id) == "expired"
    assert (await shop.steps(order_id)).count("expiry_asked") == 1


async def test_nobody_is_asked_to_pay_what_is_about_to_end(shop: Shop) -> None:
    """Paid now, the hold would be released by the cancellation that is under way."""
    order_id, _ = await an_order(shop)
    await shop.begin(order_id)
    shop.stripe.lose_answer_before()
    await expire(shop)
    assert await shop.status(order_id) == "checkout"
    with pytest.raises(CheckoutOver):
        await shop.begin(order_id)


async def test_after_its_time_an_order_cannot_be_begun_even_before_the_sweep(shop: Shop) -> None:
    order_id, _ = await an_order(shop)
    shop.clock.move(seconds=(CHECKOUT_LASTS + timedelta(seconds=1)).total_seconds())
    with pytest.raises(CheckoutOver):
        await shop.begin(order_id)
