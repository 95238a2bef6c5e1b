"""A payment's life: opened once, held or captured, canceled, and read again whatever was lost."""

from datetime import timedelta

import msgspec
import pytest

from payments.database import execute, lock_order, transaction, value
from payments.errors import (
    AmountNotChargeable,
    IntentMissing,
    NotSent,
    OutcomeUnknown,
    PaymentNotFound,
    PaymentStepRefused,
    SellerCannotReceive,
    SnapshotContradicts,
)
from payments.ids import OperationId
from payments.lifecycle import DestinationCharge
from tests.payments.conftest import Till, at_once, postings


async def test_a_payment_is_opened_and_paid_and_booked(till: Till, order_id: str) -> None:
    intent = await till.open(order_id)
    assert intent.client_secret.startswith(intent.intent_id)
    till.gateway.pay(intent.intent_id)
    payment = await till.payments.refresh(order_id)
    assert (payment.status, payment.amount_captured, payment.fee_captured) == (
        "succeeded",
        6000,
        600,
    )
    assert [p[:3] for p in await postings(order_id)] == [
        ("application_fee", "seller:sel_1", "platform:fees"),
        ("capture", "buyers", "seller:sel_1"),
        ("processing_cost", "platform:fees", "stripe:processing"),
    ]
    assert till.heard() == ["PaymentCaptured"]


async def test_asked_again_it_is_the_same_payment_intent(till: Till, order_id: str) -> None:
    first = await till.open(order_id)
    again = await till.open(order_id)
    assert (again.intent_id, again.client_secret) == (first.intent_id, first.client_secret)
    assert await value("SELECT count(*) FROM payments WHERE order_id = $1", order_id) == 1


async def test_a_hundred_clicks_make_one_payment_intent_in_one_request(
    till: Till, order_id: str
) -> None:
    async def click() -> str:
        return (await till.open(order_id)).intent_id

    answers = await at_once(*[click() for _ in range(100)])
    assert len(set(answers)) == 1, answers
    assert len([a for a in till.gateway.asked if a.method == "create_intent"]) == 1


async def test_an_answer_lost_after_the_creation_still_makes_one_payment_intent(
    till: Till, order_id: str
) -> None:
    """woocommerce-gateway-stripe 3638: one order got two intents, both charged."""
    till.gateway.lose_answer_after()
    operation_id = await till.plan(order_id)
    with pytest.raises(OutcomeUnknown):
        await till.payments.open_intent(order_id, operation_id)
    intent = await till.payments.open_intent(order_id, operation_id)
    asked = [one for one in till.gateway.asked if one.method == "create_intent"]
    assert len(asked) == 2
    assert len({one.key for one in asked}) == 1, "silence is answered with the same key"
    assert intent.intent_id == (await till.payments.find(order_id)).intent_id  # type: ignore[union-attr]


async def test_absorbing_the_same_truth_fifty_times_changes_nothing(
    till: Till, order_id: str
) -> None:
    payment = await till.paid(order_id)
    before = await postings(order_id)
    await at_once(*[till.payments.refresh(order_id) for _ in range(50)])
    after = await till.payments.find(order_id)
    assert after is not None
    assert (after.amount_captured, await postings(order_id)) == (payment.amount_captured, before)
    assert till.heard() == ["PaymentCaptured"]


async def test_an_older_answer_after_a_newer_one_undoes_nothing(till: Till, order_id: str) -> None:
    intent = await till.open(order_id)
    old = await till.gateway.retrieve_intent(intent.intent_id)
    till.gateway.pay(intent.intent_id)
    await till.payments.refresh(order_id)
    async with transaction():
        payment = await till.payments._absorption.absorb(order_id, old)
    assert (payment.status, payment.amount_captured) == ("succeeded", 6000)


async def test_a_decline_is_kept_once_and_the_next_try_pays(till: Till, order_id: str) -> None:
    intent = await till.open(order_id)
    till.gateway.pay(intent.intent_id, "pm_card_visa_chargeDeclinedInsufficientFunds")
    for _ in range(3):
        await till.payments.refresh(order_id)
    [declined] = await till.payments.attempts(order_id)
    assert (declined.outcome, declined.reason) == ("declined", "insufficient_funds")
    till.gateway.pay(intent.intent_id)
    await till.payments.refresh(order_id)
    assert [one.outcome for one in await till.payments.attempts(order_id)] == [
        "declined",
        "captured",
    ]
    assert till.heard() == ["PaymentDeclined", "PaymentCaptured"]


async def test_held_money_is_captured_once(till: Till, order_id: str) -> None:
    intent = await till.open(order_id, capture_method="manual")
    till.gateway.pay(intent.intent_id)
    held = await till.payments.refresh(order_id)
    assert (held.status, held.amount_captured) == ("requires_capture", 0)
    assert await postings(order_id) == [], "an authorization moves nothing"
    assert held.capture_before is not None

    answers = await at_once(*[till.capture(order_id) for _ in range(20)])
    assert [a for a in answers if a is not None and not isinstance(a, PaymentStepRefused)] == []
    assert len([a for a in till.gateway.asked if a.method == "capture_intent"]) == 1
    assert [p[0] for p in await postings(order_id)].count("capture") == 1
    assert till.heard() == ["PaymentAuthorized", "PaymentCaptured"]


async def test_a_capture_whose_answer_got_lost_is_finished_by_the_sweep(
    till: Till, order_id: str
) -> None:
    """woocommerce-gateway-stripe 3329: a timeout marked a paid order failed."""
    intent = await till.open(order_id, capture_method="manual")
    till.gateway.pay(intent.intent_id)
    await till.payments.refresh(order_id)
    till.gateway.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await till.capture(order_id)
    assert await till.operations.resume_due(till.clock.move(seconds=10), 10) == 1
    payment = await till.payments.find(order_id)
    assert payment is not None
    assert (payment.status, payment.amount_captured) == ("succeeded", 6000)


async def test_a_no_to_reading_back_is_no_answer_about_the_capture(
    till: Till, order_id: str
) -> None:
    intent = await till.open(order_id, capture_method="manual")
    till.gateway.pay(intent.intent_id)
    await till.payments.refresh(order_id)
    till.gateway.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await till.capture(order_id)
    till.clock.move(hours=24)
    till.gateway.reads_refused = 1
    with pytest.raises(OutcomeUnknown):
        await till.capture(order_id)
    await till.capture(order_id)
    payment = await till.payments.find(order_id)
    assert payment is not None
    assert (payment.status, payment.amount_captured) == ("succeeded", 6000)


async def test_a_slow_answer_about_the_seller_does_not_use_up_the_lease(
    till: Till, order_id: str
) -> None:
    """Else whoever planned it waits for a process that does not exist."""
    began = till.clock()
    till.clock.move(seconds=20)
    async with transaction():
        operation_id = await till.payments.plan_intent(
            DestinationCharge(
                order_id=order_id,
                seller_id="sel_1",
                generation=1,
                amount=6000,
                currency="eur",
                application_fee=600,
                destination="acct_1",
                capture_method="automatic",
                receipt_email="buyer@example.com",
                description="an order",
            ),
            began,
        )
    await till.payments.open_intent(order_id, operation_id)


async def test_nothing_is_captured_that_is_not_held(till: Till, order_id: str) -> None:
    await till.open(order_id, capture_method="manual")
    with pytest.raises(PaymentStepRefused):
        await till.capture(order_id)
    with pytest.raises(PaymentNotFound):
        await till.capture("ord_nothing")


async def test_a_canceled_payment_makes_room_for_the_next_generation(
    till: Till, order_id: str
) -> None:
    first = await till.open(order_id)
    async with transaction():
        operation_id = await till.payments.plan_cancel(order_id, "abandoned", till.clock())
    assert operation_id is not None
    await till.payments.carry_out(operation_id)
    assert till.heard() == ["PaymentCanceled"]
    assert await till.payments.find_live(order_id) is None
    second = await till.open(order_id, generation=2)
    assert second.intent_id != first.intent_id


async def test_a_cancel_that_lost_the_race_against_the_buyer_finds_the_order_paid(
    till: Till, order_id: str
) -> None:
    intent = await till.open(order_id)
    async with transaction():
        operation_id = await till.payments.plan_cancel(order_id, "abandoned", till.clock())
    till.gateway.pay(intent.intent_id)
    assert operation_id is not None
    with pytest.raises(PaymentStepRefused) as refused:
        await till.payments.carry_out(operation_id)
    assert refused.value.payment_status == "succeeded"
    assert till.heard() == ["PaymentCaptured"], "the money won, and is known"


async def test_stripes_no_to_the_creation_frees_the_order_for_another_try(
    till: Till, order_id: str
) -> None:
    till.gateway.closed_destinations.add("acct_1")
    operation_id = await till.plan(order_id)
    for _ in range(2):
        # Asked again it is the same no, of the same kind: whoever hears it looks at the seller anew.
        with pytest.raises(SellerCannotReceive):
            await till.payments.open_intent(order_id, operation_id)
    assert till.heard() == ["PaymentNotCreated"]
    till.gateway.closed_destinations.clear()
    await till.open(order_id, generation=2)


@pytest.mark.parametrize(("amount", "why"), [(49, "too_small"), (100_000_000, "too_large")])
async def test_an_amount_stripe_would_refuse_is_refused_before(
    till: Till, order_id: str, amount: int, why: str
) -> None:
    with pytest.raises(AmountNotChargeable) as refused:
        await till.plan(order_id, amount=amount, application_fee=0)
    assert refused.value.why == why
    assert till.gateway.asked == []


async def test_an_intent_that_is_not_what_was_asked_for_settles_nothing(
    till: Till, order_id: str
) -> None:
    """evershop PR 1025: a cheap intent settled an expensive order by mixing ids."""
    intent = await till.open(order_id)
    unpaid = await till.gateway.retrieve_intent(intent.intent_id)
    till.gateway.pay(intent.intent_id)
    paid = await till.gateway.retrieve_intent(intent.intent_id)
    for true, change in (
        (unpaid, {"amount": 1}),
        (paid, {"currency": "usd"}),
        (paid, {"destination": "acct_2"}),
        (paid, {"order_id": "ord_other"}),
    ):
        with pytest.raises(SnapshotContradicts):
            async with transaction():
                await till.payments._absorption.absorb(
                    order_id, msgspec.structs.replace(true, **change)
                )
    assert await postings(order_id) == []


async def test_a_lost_webhook_is_made_good_by_the_sweep_within_minutes(
    till: Till, order_id: str
) -> None:
    await execute(
        "UPDATE payments SET checked_at = checked_at + interval '1 year', recheck_at = NULL"
    )
    intent = await till.open(order_id)
    till.gateway.pay(intent.intent_id)
    assert await till.payments.refresh_due(till.clock(), 50) == 0
    assert await till.payments.refresh_due(till.clock.move(minutes=2), 50) == 1
    payment = await till.payments.find(order_id)
    assert payment is not None
    assert payment.status == "succeeded"


async def test_an_abandoned_checkout_costs_few_reads(till: Till, order_id: str) -> None:
    await execute(
        "UPDATE payments SET checked_at = checked_at + interval '1 year', recheck_at = NULL"
    )
    await till.open(order_id)
    reads = 0
    for _ in range(24 * 60):
        reads += await till.payments.refresh_due(till.clock.move(minutes=1), 50)
    assert 10 < reads < 60


async def test_the_database_allows_one_live_payment_and_no_falling_total(
    till: Till, order_id: str
) -> None:
    payment = await till.paid(order_id)
    with pytest.raises(Exception, match="totals never go down"):
        await execute("UPDATE payments SET amount_captured = 1 WHERE id = $1", payment.id)
    with pytest.raises(Exception, match="payments_one_live_per_order"):
        await execute(
            "INSERT INTO payments SELECT 'pay_copy', order_id, seller_id, 2, true, currency, amount, "
            "application_fee, capture_method, destination, 'planned', NULL, NULL, NULL, NULL, 0, 0, 0, 0, "
            "0, 0, NULL, NULL, created_at, updated_at, checked_at FROM payments WHERE id = $1",
            payment.id,
        )
    assert payment.created_at <= till.clock() + timedelta(seconds=1)


async def test_what_stripe_does_not_know_is_not_asked_for_until_somebody_asks(
    till: Till, order_id: str
) -> None:
    """The key of another account: read in vain once, and known again when asked."""
    await till.paid(order_id)
    till.gateway.another_account = True
    while await till.payments.refresh_due(till.clock.move(days=1), 50):
        pass
    assert await value("SELECT missing_since FROM payments WHERE order_id = $1", order_id)
    with pytest.raises(IntentMissing):
        await till.payments.refresh(order_id)
    till.gateway.another_account = False
    payment = await till.payments.refresh(order_id)
    assert (payment.missing_since, payment.status) == (None, "succeeded")
    assert await till.payments.refresh_due(till.clock.move(days=1), 50) >= 1


async def canceling(till: Till, order_id: str) -> OperationId:
    async with transaction():
        await lock_order(order_id)
        planned = await till.payments.plan_cancel(order_id, "abandoned", till.clock())
    assert planned is not None
    return planned


async def test_what_stripe_does_not_know_ends_a_day_later_too_and_money_of_any_amount_is_believed(
    till: Till, order_id: str
) -> None:
    intent = await till.open(order_id)
    till.gateway.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await till.payments.carry_out(await canceling(till, order_id))
    till.gateway.another_account = True
    till.clock.move(hours=24)
    with pytest.raises(NotSent):
        await till.payments.carry_out(await canceling(till, order_id))
    await till.payments.carry_out(await canceling(till, order_id))
    assert till.heard() == ["PaymentCanceled"]
    assert await till.payments.may_come_back(order_id)
    till.gateway.another_account = False
    # An update whose answer got lost had reached Stripe before.
    odd = msgspec.structs.replace(
        await till.gateway.retrieve_intent(intent.intent_id), amount=5000, application_fee=500
    )
    till.gateway.show_intent(odd)
    till.gateway.pay(intent.intent_id)
    payment = await till.payments.refresh(order_id)
    assert (payment.status, payment.live, payment.amount) == ("succeeded", True, 5000)
    assert till.heard()[1:] == ["PaymentCaptured", "AmountMismatched"]
    assert not await till.payments.may_come_back(order_id)
