"""A session's time, and what becomes of it when somebody did not come."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from marketplace.orders.errors import FulfilmentHeld, OrderNotFound, OrderStepRefused, SellerOnly
from marketplace.orders.fulfilment_errors import (
    CancellationUnderWay,
    CompletionTooEarly,
    NotASession,
    SessionNotStarted,
    SessionTimeRefused,
)
from marketplace.orders.records import Actor
from marketplace.orders.sessions import ABSENT_AFTER, TIME_TO_COMPLAIN, Appointment
from payments.database import execute
from payments.errors import OutcomeUnknown
from tests.orders.deals import ADMIN, Deal, a_held_deal, a_paid_deal
from tests.orders.shop import Shop, account

HOUR = timedelta(hours=1)


def in_hours(shop: Shop, hours: float, lasts: timedelta = HOUR) -> Appointment:
    return Appointment(starts_at=shop.clock() + timedelta(hours=hours), lasts=lasts)


async def a_scheduled_deal(shop: Shop, hours: float = 48) -> Deal:
    deal = await a_paid_deal(shop)
    await shop.coach_sessions.schedule(deal.id, deal.seller, in_hours(shop, hours), shop.clock())
    return deal


async def test_the_seller_sets_and_moves_the_time(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    first = in_hours(shop, 48, timedelta(minutes=50))
    view = await shop.coach_sessions.schedule(deal.id, deal.seller, first, shop.clock())
    order = view.order
    assert (order.session_at, order.session_ends_at) == (first.starts_at, first.ends_at)
    assert order.completes_at == first.ends_at + TIME_TO_COMPLAIN
    again = await shop.coach_sessions.schedule(deal.id, deal.seller, first, shop.clock())
    assert again.order == order, "the same time is no news"
    moved = await shop.coach_sessions.schedule(deal.id, ADMIN, in_hours(shop, 72), shop.clock())
    assert moved.order.session_at == shop.clock() + timedelta(hours=72)
    history = await shop.orders.history(deal.id, ADMIN)
    assert [step.reason for step in history if step.step == "session_scheduled"] == [
        first.starts_at.isoformat(),
        moved.order.session_at.isoformat(),
    ]


async def test_a_time_is_kept_in_utc_wherever_it_was_said(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    there = timezone(timedelta(hours=-8))
    starts_at = (shop.clock() + timedelta(days=3)).astimezone(there)
    appointment = Appointment(starts_at=starts_at, lasts=HOUR)
    view = await shop.coach_sessions.schedule(deal.id, deal.seller, appointment, shop.clock())
    assert view.order.session_at == starts_at
    last = (await shop.orders.history(deal.id, ADMIN))[-1]
    assert last.reason == starts_at.astimezone(UTC).isoformat()


@pytest.mark.parametrize(
    ("hours", "minutes", "why"),
    [
        (0, 60, "past"),
        (-1, 60, "past"),
        (0.9, 60, "too_soon"),
        (24 * 367, 60, "too_far"),
        (1, 4, "too_short"),
        (1, 24 * 60 + 1, "too_long"),
    ],
)
async def test_a_time_that_cannot_be_kept_is_refused(
    shop: Shop, hours: float, minutes: int, why: str
) -> None:
    deal = await a_paid_deal(shop)
    with pytest.raises(SessionTimeRefused) as refusal:
        await shop.coach_sessions.schedule(
            deal.id, deal.seller, in_hours(shop, hours, timedelta(minutes=minutes)), shop.clock()
        )
    assert refusal.value.why == why


async def test_the_end_of_time_is_too_far(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    for moment in (datetime(9999, 12, 31, 23, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)):
        with pytest.raises(SessionTimeRefused):
            await shop.coach_sessions.schedule(
                deal.id,
                deal.seller,
                Appointment(starts_at=moment, lasts=HOUR),
                shop.clock(),
            )


async def test_only_the_seller_sets_the_time_and_only_of_sessions(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    with pytest.raises(SellerOnly):
        await shop.coach_sessions.schedule(deal.id, deal.buyer, in_hours(shop, 1), shop.clock())
    with pytest.raises(OrderNotFound):
        await shop.coach_sessions.schedule(
            deal.id, Actor(await account()), in_hours(shop, 1), shop.clock()
        )
    held = await a_held_deal(shop)
    with pytest.raises(NotASession):
        await shop.coach_sessions.schedule(held.id, held.seller, in_hours(shop, 1), shop.clock())


async def test_without_the_buyer_it_is_completed_and_nothing_comes_back(shop: Shop) -> None:
    deal = await a_scheduled_deal(shop)
    shop.clock.move(hours=48)
    with pytest.raises(SessionNotStarted) as refusal:
        await shop.coach_sessions.report_absence(deal.id, deal.seller, "buyer", shop.clock())
    assert refusal.value.absent_from == shop.clock() + ABSENT_AFTER
    shop.clock.move(minutes=15)
    view = await shop.coach_sessions.report_absence(deal.id, deal.seller, "buyer", shop.clock())
    assert view.order.status == "completed"
    assert (await shop.steps(deal.id))[-1] == "buyer_absent"
    assert shop.asked("create_refund") == 0
    with pytest.raises(OrderStepRefused):
        await shop.coach_sessions.report_absence(deal.id, deal.buyer, "seller", shop.clock())


@pytest.mark.parametrize("by", ["buyer", "seller"])
async def test_without_the_seller_it_is_canceled_and_all_of_it_comes_back(
    shop: Shop, by: str
) -> None:
    deal = await a_scheduled_deal(shop)
    shop.clock.move(hours=48, minutes=15)
    actor: Actor = getattr(deal, by)
    view = await shop.coach_sessions.report_absence(deal.id, actor, "seller", shop.clock())
    assert view.order.status == "canceled"
    assert view.payment is not None
    assert view.payment.amount_refunded == view.order.total
    history = (await shop.orders.history(deal.id, ADMIN))[-5:]
    assert [(step.step, step.actor) for step in history] == [
        ("seller_absent", actor.account_id),
        ("cancellation_asked", actor.account_id),
        ("refund_asked", actor.account_id),
        ("refunded", actor.account_id),
        ("canceled", actor.account_id),
    ]


async def test_a_seller_may_own_up_beforehand_a_buyer_cannot_know(shop: Shop) -> None:
    deal = await a_scheduled_deal(shop)
    with pytest.raises(SessionNotStarted):
        await shop.coach_sessions.report_absence(deal.id, deal.buyer, "seller", shop.clock())
    view = await shop.coach_sessions.report_absence(deal.id, deal.seller, "seller", shop.clock())
    assert view.order.status == "canceled"


async def test_a_session_without_a_time_cannot_be_missed(shop: Shop) -> None:
    deal = await a_paid_deal(shop)
    for actor, absent in ((deal.buyer, "seller"), (deal.seller, "buyer"), (ADMIN, "buyer")):
        with pytest.raises(SessionNotStarted) as refusal:
            await shop.coach_sessions.report_absence(
                deal.id,
                actor,
                absent,  # type: ignore[arg-type]
                shop.clock(),
            )
        assert refusal.value.absent_from is None


async def test_nobody_misses_a_time_they_had_no_day_to_object_to(shop: Shop) -> None:
    """Set for the next hour, missed, and paid for, by somebody who never saw it."""
    deal = await a_scheduled_deal(shop, hours=1)
    shop.clock.move(hours=2)
    with pytest.raises(SessionNotStarted) as refusal:
        await shop.coach_sessions.report_absence(deal.id, deal.seller, "buyer", shop.clock())
    assert refusal.value.absent_from == shop.clock() + timedelta(hours=22)
    shop.clock.move(hours=22)
    view = await shop.coach_sessions.report_absence(deal.id, deal.seller, "buyer", shop.clock())
    assert view.order.status == "completed"


async def test_a_buyer_does_not_report_themself_and_strangers_nobody(shop: Shop) -> None:
    deal = await a_scheduled_deal(shop)
    shop.clock.move(hours=49)
    with pytest.raises(SellerOnly):
        await shop.coach_sessions.report_absence(deal.id, deal.buyer, "buyer", shop.clock())
    with pytest.raises(OrderNotFound):
        await shop.coach_sessions.report_absence(
            deal.id, Actor(await account()), "seller", shop.clock()
        )


async def test_a_refund_that_waits_for_stripe_keeps_the_session_as_it_is(shop: Shop) -> None:
    deal = await a_scheduled_deal(shop)
    shop.clock.move(hours=49)
    shop.stripe.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await shop.coach_sessions.report_absence(deal.id, deal.buyer, "seller", shop.clock())
    for attempt in (
        shop.coach_sessions.report_absence(deal.id, deal.seller, "buyer", shop.clock()),
        shop.coach_sessions.report_absence(deal.id, deal.buyer, "seller", shop.clock()),
        shop.coach_sessions.schedule(deal.id, deal.seller, in_hours(shop, 5), shop.clock()),
        shop.completion.complete(deal.id, deal.seller, shop.clock().replace(hour=23)),
    ):
        with pytest.raises((CancellationUnderWay, CompletionTooEarly)):
            await attempt
    await shop.completion.complete_due(shop.clock() + timedelta(days=3))
    assert await shop.status(deal.id) == "paid"
    await shop.resume()
    assert await shop.status(deal.id) == "canceled"


async def test_an_order_that_is_held_is_not_completed_by_an_absence(shop: Shop) -> None:
    deal = await a_scheduled_deal(shop)
    shop.clock.move(hours=49)
    await execute("UPDATE orders SET held_reason = 'too little' WHERE id = $1", deal.id)
    with pytest.raises(FulfilmentHeld):
        await shop.coach_sessions.report_absence(deal.id, deal.seller, "buyer", shop.clock())
