"""Preparing, canceling and refunding; and what Stripe tells us that nobody here had asked for."""

import asyncio
from datetime import datetime, timedelta

import pytest

from marketplace.orders.errors import (
    HoldLapsing,
    OrderNotFound,
    OrderStepRefused,
    PaidAlready,
    SellerOnly,
)
from marketplace.orders.preparation import HOLD_MARGIN
from marketplace.orders.reactions import react
from marketplace.orders.records import Actor
from marketplace.sellers.errors import SellerNotPayable
from payments.database import execute, transaction, value
from payments.errors import OutcomeUnknown, PaymentStepRefused, RefundExceedsCaptured, RequestReused
from payments.events import (
    PaymentAuthorized,
    PaymentCanceled,
    PaymentCaptured,
    PaymentDeclined,
    PaymentEvent,
    PaymentNotCreated,
    RefundFailed,
    RefundSucceeded,
)
from tests.orders.shop import Shop, account, listing, stock_of

ADMIN = Actor("acc_admin", is_admin=True)


class Deal:
    """An order of two with its parties."""

    def __init__(self, order_id: str, thing: str, buyer: str, owner: str) -> None:
        self.id, self.thing = order_id, thing
        self.buyer, self.seller = Actor(buyer), Actor(owner)


async def a_deal(shop: Shop, kind: str = "product") -> Deal:
    owner, _ = await shop.a_seller()
    thing, buyer = (await listing(owner, kind=kind)).id, await account()
    return Deal(await shop.place(buyer, (thing, 2)), thing, buyer, owner)


async def a_held_deal(shop: Shop) -> Deal:
    deal = await a_deal(shop)
    await shop.pay(deal.id)
    return deal


async def a_paid_deal(shop: Shop) -> Deal:
    deal = await a_deal(shop, "session")
    await shop.pay(deal.id)
    return deal


async def tell(event: PaymentEvent) -> None:
    async with transaction():
        await react(event)


def about(deal: Deal, now: datetime) -> dict[str, object]:
    return {"order_id": deal.id, "payment_id": "pay_1", "occurred_at": now}


# Preparation


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
        ("preparation_asked", deal.seller.account_id),
        ("prepared", deal.seller.account_id),
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


# Cancellation


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


async def test_a_paid_order_is_refunded_not_canceled(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    with pytest.raises(PaidAlready):
        await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())


async def test_a_cancellation_that_lost_the_race_says_the_order_is_paid(shop: Shop) -> None:
    deal = await a_deal(shop, "session")
    intent = await shop.begin(deal.id)
    shop.stripe.pay(intent.intent_id)
    with pytest.raises(PaidAlready):
        await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert await shop.status(deal.id) == "paid"


async def test_a_cancellation_without_an_answer_is_carried_out_later(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    shop.stripe.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert await shop.status(deal.id) == "authorized"
    view = await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert view.order.status == "canceled"
    assert (await shop.steps(deal.id)).count("cancellation_asked") == 1


async def test_a_stranger_cancels_nothing(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    with pytest.raises(OrderNotFound):
        await shop.cancellation.cancel(deal.id, Actor(await account()), shop.clock())


# Refunds


async def refund(
    shop: Shop, deal: Deal, actor: Actor, amount: int | None = None, key: str = "r1"
) -> int:
    done = await shop.refunds.ask(
        deal.id, actor, amount=amount, reason=None, idempotency_key=key, now=shop.clock()
    )
    assert done.status == "succeeded"
    return done.amount


async def test_a_refund_is_asked_for_once_and_kept_in_the_history(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    assert await refund(shop, deal, deal.seller) == 5_000
    assert await refund(shop, deal, deal.seller) == 5_000
    assert shop.asked("create_refund") == 1
    (kept,) = await shop.refunds.list(deal.id, deal.buyer)
    told = await shop.orders.history(deal.id, deal.buyer)
    assert [(s.step, s.actor, s.reason) for s in told[-2:]] == [
        ("refund_asked", deal.seller.account_id, kept.id),
        ("refunded", deal.seller.account_id, kept.id),
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


# Facts, told twice, late, or against everything


async def test_every_fact_may_be_told_twice(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    now = shop.clock()
    held = PaymentAuthorized(**about(deal, now), amount=5_000, capture_before=None)  # type: ignore[arg-type]
    captured = PaymentCaptured(**about(deal, now), amount=5_000, application_fee=530)  # type: ignore[arg-type]
    refunded = RefundSucceeded(
        **about(deal, now),  # type: ignore[arg-type]
        refund_id="rfd_1",
        amount=1,
        amount_refunded=1,
    )
    failed = RefundFailed(**about(deal, now), refund_id="rfd_1", amount=1, reason=None)  # type: ignore[arg-type]
    declined = PaymentDeclined(**about(deal, now), reason="card_declined")  # type: ignore[arg-type]
    for event in (held, captured, captured, held, refunded, refunded, declined, failed, failed):
        await tell(event)
    assert await shop.steps(deal.id) == [
        "placed",
        "checkout_begun",
        "authorized",
        "captured",
        "refunded",
        "refund_failed",
    ]
    assert await stock_of(deal.thing) == (8, 0)


async def test_a_hold_released_at_the_dashboard_cancels_the_order(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    shop.stripe.end(await shop.intent_of(deal.id), "requested_by_customer")
    await shop.hear(deal.id)
    last = (await shop.orders.history(deal.id, ADMIN))[-1]
    assert (last.step, last.to_status, last.actor) == ("canceled", "canceled", "stripe")


async def test_money_for_an_order_that_had_ended_is_a_visible_repair(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    now = shop.clock()
    await tell(PaymentCaptured(**about(deal, now), amount=5_000, application_fee=530))  # type: ignore[arg-type]
    last = (await shop.orders.history(deal.id, ADMIN))[-1]
    assert (last.step, last.from_status, last.to_status) == ("captured_late", "canceled", "paid")
    assert await stock_of(deal.thing) == (8, 0)


async def test_a_hold_for_an_order_that_had_ended_says_what_is_out_of_stock(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    await execute("UPDATE listings SET stock_on_hand = 1 WHERE id = $1", deal.thing)
    now = shop.clock()
    await tell(PaymentAuthorized(**about(deal, now), amount=5_000, capture_before=None))  # type: ignore[arg-type]
    last = (await shop.orders.history(deal.id, ADMIN))[-1]
    assert (last.step, last.to_status) == ("authorized_late", "authorized")
    assert last.reason == f"out of stock: {deal.thing}"
    view = await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    assert view.order.status == "canceled"


async def test_a_fact_that_cannot_follow_is_refused_whole(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    before = await shop.steps(deal.id)
    with pytest.raises(OrderStepRefused):
        await tell(PaymentCanceled(**about(deal, shop.clock()), reason="automatic"))  # type: ignore[arg-type]
    assert await shop.steps(deal.id) == before


async def test_facts_about_an_ended_order_that_change_nothing(shop: Shop) -> None:
    deal = await a_deal(shop)
    await shop.cancellation.cancel(deal.id, deal.buyer, shop.clock())
    before = await shop.steps(deal.id)
    await tell(PaymentCanceled(**about(deal, shop.clock()), reason=None))  # type: ignore[arg-type]
    await tell(PaymentNotCreated(**about(deal, shop.clock()), code="account_invalid"))  # type: ignore[arg-type]
    assert await shop.steps(deal.id) == before


async def test_status_and_history_always_agree(shop: Shop) -> None:
    contradicting = await value(
        "SELECT count(*) FROM orders o WHERE status <> (SELECT to_status FROM order_steps s "
        "WHERE s.order_id = o.id ORDER BY position DESC LIMIT 1)"
    )
    broken = await value(
        "SELECT count(*) FROM (SELECT from_status, lag(to_status) OVER "
        "(PARTITION BY order_id ORDER BY position) AS before FROM order_steps) AS s "
        "WHERE from_status IS DISTINCT FROM before"
    )
    assert (contradicting, broken) == (0, 0)
