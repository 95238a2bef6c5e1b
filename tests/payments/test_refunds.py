"""Refunds: reserved before they are asked, exact to the unit, one per request whatever gets lost."""

from typing import Any

import msgspec
import pytest

from payments import ledger
from payments.database import execute
from payments.errors import (
    AmountNotChargeable,
    OutcomeUnknown,
    PaymentNotFound,
    PaymentStepRefused,
    RefundExceedsCaptured,
    RequestReused,
)
from payments.gateway import RefundSnapshot
from payments.ids import new_id
from tests.payments.conftest import Till, at_once, balances_of, postings


async def test_a_full_refund_reverses_the_transfer_and_returns_the_fee(
    till: Till, order_id: str
) -> None:
    payment = await till.paid(order_id)
    refund = await till.refund(order_id)
    assert (refund.status, refund.amount) == ("succeeded", 6000)
    assert await balances_of(order_id) == {
        "buyers": 0,
        "seller:sel_1": 0,
        "platform:fees": -payment.processing_cost,
        "stripe:processing": payment.processing_cost,
    }
    after = await till.payments.find(order_id)
    assert after is not None
    assert (after.amount_refunded, after.fee_refunded) == (6000, 600)
    assert till.heard() == ["PaymentCaptured", "RefundSucceeded"]


async def test_parallel_refunds_never_exceed_what_was_captured(till: Till, order_id: str) -> None:
    """hyperswitch 13182: two parallel refunds gave back 120 of 100."""
    await till.paid(order_id)
    answers = await at_once(*[till.refund(order_id, 3600) for _ in range(20)])
    refused = [answer for answer in answers if isinstance(answer, RefundExceedsCaptured)]
    assert len(refused) == 19, answers
    payment = await till.payments.find(order_id)
    assert payment is not None
    assert payment.amount_refunded == 3600


async def test_two_equal_partial_refunds_are_two_refunds(till: Till, order_id: str) -> None:
    """Liberapay's key was the amount: the second legitimate refund returned the first."""
    await till.paid(order_id)
    first, second = await till.refund(order_id, 1000), await till.refund(order_id, 1000)
    assert first.stripe_refund_id != second.stripe_refund_id
    payment = await till.payments.find(order_id)
    assert payment is not None
    assert payment.amount_refunded == 2000


async def test_the_same_request_again_is_the_same_refund(till: Till, order_id: str) -> None:
    await till.paid(order_id)
    first = await till.refund(order_id, 1000, key="click")
    again = await till.refund(order_id, 1000, key="click")
    assert first.id == again.id
    assert len([a for a in till.gateway.asked if a.method == "create_refund"]) == 1


async def test_a_key_that_stood_for_another_refund_is_refused(till: Till, order_id: str) -> None:
    await till.paid(order_id)
    await till.refund(order_id, 1000, key="reused")
    with pytest.raises(RequestReused):
        await till.refund(order_id, 2000, key="reused")
    other = new_id("ord")
    await till.paid(other)
    with pytest.raises(RequestReused):
        await till.refund(other, 1000, key="reused")


async def test_a_refund_whose_answer_got_lost_is_made_once(till: Till, order_id: str) -> None:
    """OwnPay 222: a refund timeout was marked failed, and refunded again."""
    await till.paid(order_id)
    till.gateway.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await till.refund(order_id, 1000, key="lost")
    [open_refund] = await till.refunds.of_order(order_id)
    assert open_refund.status == "planned", "no verdict yet"
    assert await till.operations.resume_due(till.clock.move(seconds=10), 10) == 1
    [refund] = await till.refunds.of_order(order_id)
    assert (refund.status, refund.amount) == ("succeeded", 1000)
    payment = await till.payments.find(order_id)
    assert payment is not None
    assert payment.amount_refunded == 1000


async def test_a_refund_that_was_made_is_not_refused_because_the_payment_cannot_be_read(
    till: Till, order_id: str
) -> None:
    """Freed by mistake, the same money would have been given back twice."""
    await till.paid(order_id)
    till.gateway.reads_refused = 1
    with pytest.raises(OutcomeUnknown):
        await till.refund(order_id, key="unread")
    with pytest.raises(RefundExceedsCaptured):
        await till.refund(order_id, key="another")
    assert await till.operations.resume_due(till.clock.move(seconds=10), 10) == 1
    [refund] = await till.refunds.of_order(order_id)
    assert (refund.status, refund.amount) == ("succeeded", 6000)


async def test_money_on_its_way_back_cannot_be_refunded_again(till: Till, order_id: str) -> None:
    await till.paid(order_id)
    till.gateway.lose_answer_before()
    with pytest.raises(OutcomeUnknown):
        await till.refund(order_id, 6000)
    with pytest.raises(RefundExceedsCaptured) as refused:
        await till.refund(order_id, 1)
    assert refused.value.refundable == 0


@pytest.mark.parametrize("parts", [[1] * 6, [1999, 1, 4000], [3333, 2222, 445], [7, 11, 13, 5969]])
async def test_any_sequence_of_partial_refunds_adds_up_exactly(
    till: Till, order_id: str, parts: list[int]
) -> None:
    await till.paid(order_id)
    for part in parts:
        await till.refund(order_id, part)
        held = await balances_of(order_id)
        assert sum(held.values()) == 0
        payment = await till.payments.find(order_id)
        assert payment is not None
        fee_left = payment.fee_captured - payment.fee_refunded
        assert held["seller:sel_1"] + fee_left == payment.amount_captured - payment.amount_refunded


@pytest.mark.parametrize("amount", [0, -1, 6001, 10**12])
async def test_an_amount_that_cannot_be_refunded_changes_nothing(
    till: Till, order_id: str, amount: int
) -> None:
    await till.paid(order_id)
    before = await postings(order_id)
    with pytest.raises(RefundExceedsCaptured):
        await till.refund(order_id, amount)
    assert await postings(order_id) == before
    assert await till.refunds.of_order(order_id) == []


@pytest.mark.parametrize(("currency", "amount"), [("isk", 150), ("kwd", 1001)])
async def test_an_amount_that_the_currency_does_not_have_is_not_asked_of_stripe(
    till: Till, order_id: str, currency: str, amount: int
) -> None:
    await till.paid(order_id, currency=currency)
    with pytest.raises(AmountNotChargeable) as refused:
        await till.refund(order_id, amount)
    assert refused.value.why == "not_whole"
    assert await till.refunds.of_order(order_id) == []


async def test_money_that_was_never_taken_is_not_refunded(till: Till, order_id: str) -> None:
    with pytest.raises(PaymentNotFound):
        await till.refund(order_id)
    intent = await till.open(order_id, capture_method="manual")
    till.gateway.pay(intent.intent_id)
    await till.payments.refresh(order_id)
    with pytest.raises(PaymentStepRefused):
        await till.refund(order_id)


async def test_a_refund_that_fails_days_later_returns_the_money_to_the_books(
    till: Till, order_id: str
) -> None:
    """woocommerce-gateway-stripe 4405: the order stayed refunded though the bank had sent it back."""
    await till.paid(order_id)
    refund = await till.refund(order_id)
    assert refund.stripe_refund_id is not None
    till.gateway.fail_refund(refund.stripe_refund_id)
    payment = await till.payments.refresh(order_id)
    assert payment.amount_refunded == 0
    assert (await till.refunds.require(refund.id)).status == "failed"
    assert (await balances_of(order_id))["buyers"] == -6000
    assert till.heard()[-1] == "RefundFailed"


def _seen(till: Till, **changes: Any) -> RefundSnapshot:
    """A refund of 10.00 that somebody made at Stripe's Dashboard."""
    facts: dict[str, Any] = {
        "id": new_id("re"),
        "refund_id": None,
        "amount": 1000,
        "currency": "eur",
        "status": "pending",
        "reason": None,
        "failure_reason": None,
        "moved": False,
        "transfer_reversal_id": "trr_1",
        "created_at": till.clock(),
    }
    return RefundSnapshot(**(facts | changes))


async def _nothing_else_is_due() -> None:
    await execute(
        "UPDATE payments SET checked_at = checked_at + interval '1 year', recheck_at = NULL"
    )


async def test_a_refund_on_its_way_is_read_again_until_it_arrives(
    till: Till, order_id: str
) -> None:
    """Its payment is settled, so nothing else would be looked at should the webhook be lost."""
    await _nothing_else_is_due()
    payment = await till.paid(order_id)
    assert payment.intent_id is not None
    pending = _seen(till)
    till.gateway.show_refund(payment.intent_id, pending)
    assert (await till.payments.refresh(order_id)).amount_refunded == 0
    arrived = msgspec.structs.replace(pending, status="succeeded", moved=True)
    till.gateway.show_refund(payment.intent_id, arrived)
    assert await till.payments.refresh_due(till.clock.move(minutes=2), 50) == 1
    [refund] = await till.refunds.of_order(order_id)
    assert (refund.status, till.heard()) == ("succeeded", ["PaymentCaptured", "RefundSucceeded"])
    assert await till.payments.refresh_due(till.clock.move(minutes=50), 50) == 0


async def test_a_refund_made_in_the_dashboard_is_found_although_nobody_told_us(
    till: Till, order_id: str
) -> None:
    await _nothing_else_is_due()
    payment = await till.paid(order_id)
    assert payment.intent_id is not None
    till.gateway.show_refund(payment.intent_id, _seen(till, status="succeeded", moved=True))
    assert await till.payments.refresh_due(till.clock.move(minutes=59), 50) == 0
    assert await till.payments.refresh_due(till.clock.move(minutes=2), 50) == 1
    [refund] = await till.refunds.of_order(order_id)
    assert (refund.status, refund.requested_by) == ("succeeded", None)


async def test_a_settled_payment_is_read_ever_more_seldom_and_not_for_ever(
    till: Till, order_id: str
) -> None:
    await _nothing_else_is_due()
    await till.paid(order_id)
    month = [await till.payments.refresh_due(till.clock.move(hours=1), 50) for _ in range(30 * 24)]
    assert 20 < sum(month) < 30
    assert sum(month[:24]) > sum(month[-24 * 7 :])
    later = [await till.payments.refresh_due(till.clock.move(days=1), 50) for _ in range(365)]
    assert 4 < sum(later) < 8
    assert sum(later[120:]) == 0


async def test_a_settled_payment_that_cannot_be_read_is_tried_again_in_an_hour(
    till: Till, order_id: str
) -> None:
    await _nothing_else_is_due()
    await till.paid(order_id)
    till.gateway.reads_refused = 1
    assert await till.payments.refresh_due(till.clock.move(hours=2), 50) == 1
    assert await till.payments.refresh_due(till.clock.move(minutes=30), 50) == 0
    assert await till.payments.refresh_due(till.clock.move(minutes=31), 50) == 1


async def test_an_old_payment_whose_refund_is_on_its_way_is_read_every_few_hours(
    till: Till, order_id: str
) -> None:
    await _nothing_else_is_due()
    payment = await till.paid(order_id)
    assert payment.intent_id is not None
    till.clock.move(days=90)
    pending = _seen(till)
    till.gateway.show_refund(payment.intent_id, pending)
    await till.payments.refresh(order_id)
    reads = [await till.payments.refresh_due(till.clock.move(hours=1), 50) for _ in range(24)]
    assert 4 < sum(reads) < 12
    arrived = msgspec.structs.replace(pending, status="succeeded", moved=True)
    till.gateway.show_refund(payment.intent_id, arrived)
    await till.payments.refresh(order_id)


@pytest.mark.parametrize(("status", "moved"), [("succeeded", False), ("on_holiday", True)])
async def test_a_refund_is_believed_only_when_its_money_moved_and_its_status_is_known(
    till: Till, order_id: str, status: str, moved: bool
) -> None:
    payment = await till.paid(order_id)
    assert payment.intent_id is not None
    seen = _seen(till, status=status, moved=moved)
    till.gateway.show_refund(payment.intent_id, seen)
    await till.payments.refresh(order_id)
    [refund] = await till.refunds.of_order(order_id)
    assert refund.status == "pending"
    arrived = msgspec.structs.replace(seen, status="succeeded", moved=True)
    till.gateway.show_refund(payment.intent_id, arrived)
    assert (await till.payments.refresh(order_id)).amount_refunded == 1000


async def test_the_books_of_everybody_sum_to_zero(till: Till, order_id: str) -> None:
    await till.paid(order_id)
    await till.refund(order_id, 1234)
    assert sum(one.amount for one in await ledger.balances()) == 0
