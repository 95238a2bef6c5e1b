"""What an order does when its payment moves: told twice, late, or against everything."""

from datetime import datetime

import pytest

from marketplace.orders.errors import (
    OrderStepRefused,
)
from marketplace.orders.reactions import react
from payments.database import execute, transaction, value
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
from tests.orders.deals import ADMIN, Deal, a_deal, a_held_deal, a_paid_deal
from tests.orders.shop import Shop, stock_of


async def tell(event: PaymentEvent) -> None:
    async with transaction():
        await react(event)


def about(deal: Deal, now: datetime) -> dict[str, object]:
    return {"order_id": deal.id, "payment_id": "pay_1", "occurred_at": now}


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
