"""The amount follows the cart in one update; whatever is paid is known, and never with another total."""

import msgspec
import pytest

from payments.database import lock_order, transaction
from payments.errors import (
    AmountNotChargeable,
    NotSent,
    OutcomeUnknown,
    PaymentStepRefused,
    RequestReused,
    SnapshotContradicts,
    StripeRejected,
)
from payments.events import AmendmentRefused, AmountMismatched, PaymentAmended
from payments.gateway import Address, IntentSnapshot, Shipping, UpdateDraft
from payments.ids import OperationId
from tests.payments.conftest import Till, at_once, postings

HOME = Shipping(name="Ada", address=Address(line1="1 Lane", city="Paris", country="FR"))


async def plan(
    till: Till, order_id: str, version: int = 2, amount: int = 7000, fee: int = 700
) -> OperationId | None:
    async with transaction():
        await lock_order(order_id)
        return await till.payments.plan_amendment(
            order_id,
            amount=amount,
            application_fee=fee,
            version=version,
            shipping=HOME,
            now=till.clock(),
        )


async def amend(till: Till, order_id: str, version: int = 2, amount: int = 7000) -> None:
    operation_id = await plan(till, order_id, version, amount)
    assert operation_id is not None
    await till.payments.carry_out(operation_id)


async def amounts(till: Till, order_id: str) -> tuple[int, int, int | None]:
    payment = await till.payments.find(order_id)
    assert payment is not None
    return payment.amount, payment.application_fee, payment.amount_next


async def shown(till: Till, intent_id: str) -> IntentSnapshot:
    return await till.gateway.retrieve_intent(intent_id)


async def absorb(till: Till, order_id: str, snapshot: IntentSnapshot) -> None:
    async with transaction():
        await till.payments._absorption.absorb(order_id, snapshot)


async def test_amount_fee_and_shipping_follow_the_cart_in_one_update(
    till: Till, order_id: str
) -> None:
    intent = await till.open(order_id)
    await amend(till, order_id)
    asked = [one for one in till.gateway.asked if one.method == "update_intent"]
    assert [one.key for one in asked] == [f"order:{order_id}:g1:pi:update:2"]
    draft = asked[0].draft
    assert isinstance(draft, UpdateDraft)
    assert (draft.amount, draft.application_fee, draft.shipping) == (7000, 700, HOME)
    assert await amounts(till, order_id) == (7000, 700, None)
    assert till.told == [
        PaymentAmended(
            order_id=order_id,
            payment_id=draft.payment_id,
            occurred_at=till.clock(),
            version=2,
            amount=7000,
            application_fee=700,
        )
    ]
    till.gateway.pay(intent.intent_id)
    payment = await till.payments.refresh(order_id)
    assert (payment.amount_captured, payment.fee_captured) == (7000, 700)


async def test_nothing_is_asked_where_no_payment_intent_is_alive(till: Till, order_id: str) -> None:
    assert await plan(till, order_id) is None


async def test_asked_twice_at_once_it_is_one_update(till: Till, order_id: str) -> None:
    await till.open(order_id)
    first, second = await plan(till, order_id), await plan(till, order_id)
    assert first == second is not None
    assert first is not None
    await at_once(till.payments.carry_out(first), till.payments.carry_out(first))
    assert len([one for one in till.gateway.asked if one.method == "update_intent"]) == 1
    assert till.heard() == ["PaymentAmended"]
    with pytest.raises(RequestReused):
        await plan(till, order_id, amount=8000)


async def test_one_change_waits_for_the_other(till: Till, order_id: str) -> None:
    await till.open(order_id)
    assert await plan(till, order_id) is not None
    with pytest.raises(PaymentStepRefused):
        await plan(till, order_id, version=3)


@pytest.mark.parametrize("amount", [49, 100_000_000])
async def test_an_amount_stripe_would_refuse_is_refused_before(
    till: Till, order_id: str, amount: int
) -> None:
    await till.open(order_id)
    with pytest.raises(AmountNotChargeable):
        await plan(till, order_id, amount=amount, fee=0)


async def test_held_paid_and_canceled_money_has_its_amount(till: Till, order_id: str) -> None:
    intent = await till.open(order_id, capture_method="manual")
    till.gateway.pay(intent.intent_id)
    await till.payments.refresh(order_id)
    with pytest.raises(PaymentStepRefused) as refused:
        await plan(till, order_id)
    assert refused.value.payment_status == "requires_capture"


async def test_a_lost_answer_is_asked_for_again_under_the_same_key(
    till: Till, order_id: str
) -> None:
    await till.open(order_id)
    till.gateway.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await amend(till, order_id)
    assert await amounts(till, order_id) == (6000, 600, 7000), "both may be true"
    await till.operations.resume_due(till.clock.move(seconds=10), 50)
    assert await amounts(till, order_id) == (7000, 700, None)
    assert till.heard() == ["PaymentAmended"]


async def test_what_stripe_shows_decides_where_the_key_is_of_no_use(
    till: Till, order_id: str
) -> None:
    await till.open(order_id)
    till.gateway.store_500(executed=True)
    await amend_unknown(till, order_id)
    await till.operations.resume_due(till.clock.move(minutes=2), 50)
    assert await amounts(till, order_id) == (7000, 700, None)
    till.gateway.store_500(executed=False)
    await amend_unknown(till, order_id, version=3, amount=8000)
    await till.operations.resume_due(till.clock.move(minutes=2), 50)
    assert await amounts(till, order_id) == (7000, 700, None)
    assert till.heard() == ["PaymentAmended", "AmendmentRefused"]


async def amend_unknown(till: Till, order_id: str, version: int = 2, amount: int = 7000) -> None:
    with pytest.raises((OutcomeUnknown, NotSent)):
        await amend(till, order_id, version, amount)


async def test_paid_with_the_new_amount_before_its_answer_came(till: Till, order_id: str) -> None:
    """The order hears of the new amount before it hears of the money."""
    intent = await till.open(order_id)
    till.gateway.lose_answer_after()
    await amend_unknown(till, order_id)
    till.gateway.pay(intent.intent_id)
    payment = await till.payments.refresh(order_id)
    assert (payment.amount, payment.amount_captured, payment.amount_next) == (7000, 7000, None)
    await till.operations.resume_due(till.clock.move(seconds=10), 50)
    assert till.heard() == ["PaymentAmended", "PaymentCaptured"], "each once"


async def test_paid_with_the_old_amount_while_the_cart_changed(till: Till, order_id: str) -> None:
    """medusa and others charged a total that nobody was shown: here the change is refused instead."""
    intent = await till.open(order_id)
    operation_id = await plan(till, order_id)
    till.gateway.pay(intent.intent_id)
    assert operation_id is not None
    with pytest.raises(PaymentStepRefused) as refused:
        await till.payments.carry_out(operation_id)
    assert refused.value.payment_status == "succeeded"
    assert till.heard() == ["AmendmentRefused", "PaymentCaptured"]
    refusal = till.told[0]
    assert isinstance(refusal, AmendmentRefused)
    assert (refusal.version, refusal.code) == (2, "payment_intent_unexpected_state")
    assert await amounts(till, order_id) == (6000, 600, None)


async def test_canceled_while_the_cart_changed(till: Till, order_id: str) -> None:
    intent = await till.open(order_id)
    await plan(till, order_id)
    canceled = msgspec.structs.replace(await shown(till, intent.intent_id), status="canceled")
    till.gateway.show_intent(canceled)
    await till.payments.refresh(order_id)
    assert till.heard() == ["AmendmentRefused", "PaymentCanceled"]


async def test_stripes_no_leaves_the_amount_as_it_was(till: Till, order_id: str) -> None:
    intent = await till.open(order_id)
    operation_id = await plan(till, order_id)
    assert operation_id is not None
    odd = msgspec.structs.replace(await shown(till, intent.intent_id), status="processing")
    till.gateway.show_intent(odd)
    with pytest.raises((StripeRejected, PaymentStepRefused)):
        await till.payments.carry_out(operation_id)
    assert await amounts(till, order_id) == (6000, 600, None)
    assert till.heard() == ["PaymentProcessing", "AmendmentRefused"]


async def test_an_older_answer_after_the_change_is_no_contradiction(
    till: Till, order_id: str
) -> None:
    intent = await till.open(order_id)
    old = await shown(till, intent.intent_id)
    await amend(till, order_id)
    await absorb(till, order_id, old)
    assert await amounts(till, order_id) == (7000, 700, None)
    with pytest.raises(SnapshotContradicts):
        await absorb(till, order_id, msgspec.structs.replace(old, amount=6500))


async def test_the_same_amount_for_another_fee_is_told_by_the_carts_version(
    till: Till, order_id: str
) -> None:
    intent = await till.open(order_id)
    before = await shown(till, intent.intent_id)
    operation_id = await plan(till, order_id, amount=6000, fee=500)
    await absorb(till, order_id, before)
    assert till.heard() == []
    assert operation_id is not None
    await till.payments.carry_out(operation_id)
    assert await amounts(till, order_id) == (6000, 500, None)
    assert till.heard() == ["PaymentAmended"]


async def test_the_last_refusal_is_kept_before_an_update_makes_stripe_forget_it(
    till: Till, order_id: str
) -> None:
    intent = await till.open(order_id)
    till.gateway.pay(intent.intent_id, "pm_card_visa_chargeDeclined")
    await amend(till, order_id)
    [attempt] = await till.payments.attempts(order_id)
    assert attempt.reason == "card_declined"
    assert till.heard() == ["PaymentDeclined", "PaymentAmended"]


async def test_a_no_to_looking_is_no_answer_about_the_change(till: Till, order_id: str) -> None:
    await till.open(order_id)
    till.gateway.reads_refused = 1
    with pytest.raises(NotSent):
        await amend(till, order_id)
    await till.operations.resume_due(till.clock.move(seconds=10), 50)
    assert till.heard() == ["PaymentAmended"]


@pytest.mark.parametrize("capture_method", ["automatic", "manual"])
@pytest.mark.parametrize("amending", [False, True])
async def test_another_amount_than_the_orders_was_paid(
    till: Till, order_id: str, capture_method: str, amending: bool
) -> None:
    """It is taken in as it is, and told: nothing goes out until people have looked."""
    intent = await till.open(order_id, capture_method=capture_method)
    if amending:
        await plan(till, order_id)
    odd = msgspec.structs.replace(await shown(till, intent.intent_id), amount=5000)
    till.gateway.show_intent(odd)
    till.gateway.pay(intent.intent_id)
    payment = await till.payments.refresh(order_id)
    assert payment.amount == 5000
    mismatch = till.told[-1]
    assert isinstance(mismatch, AmountMismatched)
    assert (mismatch.expected, mismatch.received) == (6000, 5000)
    money = "PaymentCaptured" if capture_method == "automatic" else "PaymentAuthorized"
    expected = ["AmendmentRefused"] if amending else []
    assert till.heard() == [*expected, money, "AmountMismatched"]
    await till.payments.refresh(order_id)
    assert till.heard().count("AmountMismatched") == 1


async def test_less_was_received_than_the_amount_says(till: Till, order_id: str) -> None:
    intent = await till.open(order_id)
    till.gateway.pay(intent.intent_id)
    paid = await shown(till, intent.intent_id)
    assert paid.charge is not None
    charge = msgspec.structs.replace(paid.charge, amount_captured=5900)
    till.gateway.show_intent(msgspec.structs.replace(paid, amount_received=5900, charge=charge))
    await till.payments.refresh(order_id)
    mismatch = till.told[-1]
    assert isinstance(mismatch, AmountMismatched)
    assert (mismatch.expected, mismatch.received) == (6000, 5900)
    assert ("capture", "buyers", "seller:sel_1", 5900) in await postings(order_id)


async def test_a_partial_capture_is_no_mismatch(till: Till, order_id: str) -> None:
    intent = await till.open(order_id, capture_method="manual")
    till.gateway.pay(intent.intent_id)
    await till.payments.refresh(order_id)
    await till.capture(order_id, amount=4000, fee=400)
    assert till.heard() == ["PaymentAuthorized", "PaymentCaptured"]
