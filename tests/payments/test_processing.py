"""Asynchronous methods: on their way for days, never treated as paid, settled or failed in the end."""

import pytest

from payments.database import transaction
from payments.errors import PaymentStepRefused
from payments.events import PaymentProcessing
from tests.fakes import DEBIT
from tests.payments.conftest import Till, postings


async def sent(till: Till, order_id: str) -> str:
    """A bank debit on its way; answers the PaymentIntent's id."""
    intent = await till.open(order_id)
    till.gateway.pay(intent.intent_id, DEBIT)
    payment = await till.payments.refresh(order_id)
    assert (payment.status, payment.amount_captured, payment.live) == ("processing", 0, True)
    return intent.intent_id


async def test_money_on_its_way_is_told_once_and_is_no_money(till: Till, order_id: str) -> None:
    await sent(till, order_id)
    await till.payments.refresh(order_id)
    assert till.heard() == ["PaymentProcessing"]
    fact = till.told[0]
    assert isinstance(fact, PaymentProcessing)
    assert fact.amount == 6000
    assert await postings(order_id) == []
    assert await till.payments.attempts(order_id) == []


async def test_days_later_the_money_came(till: Till, order_id: str) -> None:
    intent_id = await sent(till, order_id)
    till.clock.move(days=4)
    till.gateway.settle_debit(intent_id, succeeds=True)
    assert (await till.payments.refresh(order_id)).amount_captured == 6000
    assert till.heard() == ["PaymentProcessing", "PaymentCaptured"]


async def test_days_later_the_bank_said_no_and_the_buyer_tries_again(
    till: Till, order_id: str
) -> None:
    intent_id = await sent(till, order_id)
    till.clock.move(days=4)
    till.gateway.settle_debit(intent_id, succeeds=False)
    assert (await till.payments.refresh(order_id)).status == "requires_payment_method"
    [attempt] = await till.payments.attempts(order_id)
    assert attempt.outcome == "declined"
    till.gateway.pay(intent_id)
    await till.payments.refresh(order_id)
    assert till.heard() == ["PaymentProcessing", "PaymentDeclined", "PaymentCaptured"]


@pytest.mark.parametrize("stripe_agrees", [True, False])
async def test_canceling_what_is_on_its_way_is_for_stripe_to_allow(
    till: Till, order_id: str, stripe_agrees: bool
) -> None:
    await sent(till, order_id)
    till.gateway.cancels_debits = stripe_agrees
    async with transaction():
        operation_id = await till.payments.plan_cancel(
            order_id, "requested_by_customer", till.clock()
        )
    assert operation_id is not None
    if stripe_agrees:
        await till.payments.carry_out(operation_id)
        assert till.heard() == ["PaymentProcessing", "PaymentCanceled"]
        return
    with pytest.raises(PaymentStepRefused) as refused:
        await till.payments.carry_out(operation_id)
    assert refused.value.payment_status == "processing"
    assert till.heard() == ["PaymentProcessing"]
