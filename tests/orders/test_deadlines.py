"""The clock of a hold: reminded, escalated, ended before the bank ends it."""

from datetime import UTC, datetime, timedelta

import pytest

from marketplace.orders import deadlines
from marketplace.orders.hold_stages import ENDED, moments, stage_of
from marketplace.orders.reactions import react
from payments.database import execute, transaction, value
from payments.errors import OutcomeUnknown
from payments.events import PaymentAuthorized
from payments.gateway import CancelDraft
from tests.orders.deals import ADMIN, Deal, a_deal, a_held_deal
from tests.orders.shop import Shop, stock_of

HELD = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


async def ends(deal: Deal) -> datetime:
    found = await value("SELECT capture_before FROM payments WHERE order_id = $1", deal.id)
    assert isinstance(found, datetime)
    return found


async def at(shop: Shop, deal: Deal, before: timedelta) -> None:
    """The sweep runs so long before the bank's hold ends."""
    shop.clock.moment = await ends(deal) - before
    await shop.deadlines.run_due(shop.clock())


async def told(shop: Shop, deal: Deal) -> list[tuple[str, str | None]]:
    """What the clock had to say about the order."""
    history = await shop.orders.history(deal.id, ADMIN)
    return [(one.step, one.reason) for one in history if one.step.startswith("deadline")]


async def captures(deal: Deal) -> None:
    """The seller wants late holds captured."""
    await execute(
        "UPDATE sellers SET at_deadline = 'capture' WHERE account_id = $1", deal.seller.account_id
    )


def test_a_week_long_hold_has_all_its_stages() -> None:
    before = HELD + timedelta(days=7)
    stages = moments(HELD, before)
    assert [before - moment for moment in stages] == [
        timedelta(hours=48),
        timedelta(hours=24),
        timedelta(hours=12),
        ENDED,
    ]
    assert stage_of(stages, HELD) == 0
    assert stage_of(stages, before - timedelta(hours=24)) == 2
    assert stage_of(stages, before) == 4


@pytest.mark.parametrize(
    ("hours", "stage", "ahead"),
    [(168, 0, 2), (49, 0, 2), (48, 1, 2), (30, 1, 2), (20, 2, 2), (10, 3, 2), (4, 3, 1)],
)
def test_a_short_hold_begins_at_the_stage_it_is_in_and_keeps_three_quarters(
    hours: int, stage: int, ahead: float
) -> None:
    before = HELD + timedelta(hours=hours)
    stages = moments(HELD, before)
    assert stage_of(stages, HELD) == stage
    assert before - stages[-1] == timedelta(hours=ahead)
    assert stages[-1] - HELD >= timedelta(hours=hours) * 3 / 4


async def test_reminded_twice_escalated_and_released(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await at(shop, deal, timedelta(hours=48, seconds=1))
    assert await told(shop, deal) == []
    await at(shop, deal, timedelta(hours=48))
    assert await told(shop, deal) == [("deadline_reminded", "48h")]
    await at(shop, deal, timedelta(hours=24))
    await at(shop, deal, timedelta(hours=12))
    assert await told(shop, deal) == [
        ("deadline_reminded", "48h"),
        ("deadline_reminded", "24h"),
        ("deadline_escalated", "12h"),
    ]
    assert await shop.status(deal.id) == "authorized"
    await at(shop, deal, ENDED)
    assert await shop.status(deal.id) == "canceled"
    history = await shop.orders.history(deal.id, ADMIN)
    assert [(step.step, step.actor) for step in history[-3:]] == [
        ("deadline_reached", "platform"),
        ("cancellation_asked", "platform"),
        ("canceled", "platform"),
    ]
    [cancel] = [one for one in shop.stripe.asked if one.method == "cancel_intent"]
    assert isinstance(cancel.draft, CancelDraft)
    assert cancel.draft.reason == "abandoned"
    assert await stock_of(deal.thing) == (10, 0)
    assert await shop.deadlines.run_due(shop.clock.move(days=3)) == 0


async def test_nothing_is_told_twice_however_often_the_sweep_runs(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await at(shop, deal, timedelta(hours=47))
    for _ in range(3):
        await at(shop, deal, timedelta(hours=46))
    assert len(await told(shop, deal)) == 1


async def test_after_a_night_without_a_worker_only_the_latest_stage_is_told(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await at(shop, deal, timedelta(hours=11))
    assert await told(shop, deal) == [("deadline_escalated", "12h")]
    await at(shop, deal, ENDED)
    assert await shop.status(deal.id) == "canceled"


async def test_a_hold_for_a_day_skips_the_first_reminder(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    async with transaction():
        await deadlines.begin(deal.id, await ends(deal), await ends(deal) - timedelta(hours=30))
    await at(shop, deal, timedelta(hours=29))
    assert await told(shop, deal) == []
    await at(shop, deal, timedelta(hours=24))
    assert await told(shop, deal) == [("deadline_reminded", "24h")]


async def test_a_hold_without_an_end_waits_for_stripes_word(shop: Shop) -> None:
    deal = await a_deal(shop)
    async with transaction():
        await react(
            PaymentAuthorized(
                order_id=deal.id,
                payment_id="pay_1",
                occurred_at=shop.clock(),
                amount=5_000,
                capture_before=None,
            )
        )
    assert await shop.status(deal.id) == "authorized"
    assert await value("SELECT deadline_due_at FROM orders WHERE id = $1", deal.id) is None


async def test_a_bank_that_prolongs_the_hold_gives_more_time(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    first = await ends(deal)
    await execute(
        "UPDATE payments SET capture_before = capture_before + interval '20 days' "
        "WHERE order_id = $1",
        deal.id,
    )
    shop.clock.moment = first - timedelta(hours=1)
    await shop.deadlines.run_due(shop.clock())
    assert (await told(shop, deal), await shop.status(deal.id)) == ([], "authorized")
    await at(shop, deal, timedelta(hours=48))
    assert await told(shop, deal) == [("deadline_reminded", "48h")]


async def test_a_seller_may_have_late_holds_captured(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await captures(deal)
    await at(shop, deal, ENDED)
    view = await shop.see(deal.id)
    assert view.order.status == "paid"
    assert view.payment is not None
    assert (view.payment.amount_captured, view.payment.fee_captured) == (5_000, 530)
    history = await shop.orders.history(deal.id, ADMIN)
    assert [(step.step, step.actor) for step in history[-3:]] == [
        ("deadline_reached", "platform"),
        ("preparation_asked", "platform"),
        ("prepared", "platform"),
    ]
    assert await stock_of(deal.thing) == (8, 0)


async def test_a_seller_who_cannot_be_paid_by_then_captures_nothing(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await captures(deal)
    await execute(
        "UPDATE sellers SET suspended_at = $2 WHERE account_id = $1",
        deal.seller.account_id,
        shop.clock(),
    )
    await at(shop, deal, ENDED)
    assert await shop.status(deal.id) == "canceled"
    assert (shop.asked("capture_intent"), shop.asked("cancel_intent")) == (0, 1)
    assert await told(shop, deal) == [("deadline_reached", "not captured: suspended")]


async def test_stripes_own_no_to_the_capture_releases_the_hold_at_once(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await captures(deal)
    payment = await shop.payments.find_live(deal.id)
    assert payment is not None
    shop.stripe.closed_destinations.add(payment.destination)
    await at(shop, deal, ENDED)
    assert await shop.status(deal.id) == "canceled"
    assert len(await told(shop, deal)) == 1
    assert "preparation_refused" in await shop.steps(deal.id)


async def test_stripes_silence_about_the_seller_is_waited_out_while_there_is_time(
    shop: Shop,
) -> None:
    """Connect said nothing for a while, and the hold was released with two hours left of it."""
    for silent_for, status in ((timedelta(hours=1), "paid"), (timedelta(hours=2), "canceled")):
        deal = await a_held_deal(shop)
        await captures(deal)
        shop.stripe_accounts.silence = OutcomeUnknown("timeout")
        await at(shop, deal, ENDED)
        over = shop.clock() + silent_for
        while shop.clock() < over and await shop.status(deal.id) == "authorized":
            await shop.deadlines.run_due(shop.clock.move(minutes=10))
        if status == "canceled":
            assert await ends(deal) - shop.clock() == timedelta(minutes=30)
        shop.stripe_accounts.silence = None
        await shop.deadlines.run_due(shop.clock.move(minutes=10))
        assert await shop.status(deal.id) == status
        assert len(await told(shop, deal)) == 1


async def test_an_order_that_is_held_is_never_captured_by_the_clock(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await captures(deal)
    await execute("UPDATE orders SET held_reason = 'too little' WHERE id = $1", deal.id)
    await at(shop, deal, ENDED)
    assert await shop.status(deal.id) == "canceled"
    assert shop.asked("capture_intent") == 0


async def test_a_capture_without_an_answer_is_not_crossed_by_a_release(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    shop.clock.moment = await ends(deal) - ENDED - timedelta(seconds=1)
    shop.stripe.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    await at(shop, deal, ENDED)
    assert shop.asked("cancel_intent") == 0
    assert await shop.status(deal.id) == "authorized"
    await shop.resume()
    assert await shop.status(deal.id) == "paid"


async def test_a_release_without_an_answer_is_carried_out_later(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    shop.stripe.lose_answer_before()
    await at(shop, deal, ENDED)
    assert await shop.status(deal.id) == "authorized"
    assert await shop.deadlines.run_due(shop.clock()) == 0, "put off"
    await shop.deadlines.run_due(shop.clock.move(minutes=11))
    assert await shop.status(deal.id) == "canceled"
    assert (await shop.steps(deal.id)).count("deadline_reached") == 1
    assert (await shop.steps(deal.id)).count("cancellation_asked") == 1


async def test_the_seller_prepares_until_the_end(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    await at(shop, deal, timedelta(hours=12))
    view = await shop.preparation.prepare(deal.id, deal.seller, shop.clock())
    assert view.order.status == "paid"
    assert await shop.deadlines.run_due(shop.clock.move(days=2)) == 0
    assert len(await told(shop, deal)) == 1


async def test_a_hold_that_went_elsewhere_first_is_found_out(shop: Shop) -> None:
    deal = await a_held_deal(shop)
    shop.stripe.capture(await shop.intent_of(deal.id), 5_000, 530)
    await at(shop, deal, ENDED)
    assert await shop.status(deal.id) == "paid"
    assert (await shop.steps(deal.id))[-1] == "captured"
