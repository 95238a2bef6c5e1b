"""One-click with a saved card: one attempt at a time, a new key after each no, never against advice."""

import msgspec
import pytest

from payments.database import execute, lock_order, transaction
from payments.errors import (
    CardDeclined,
    CardNotFound,
    CardNotToBeRetried,
    NotSent,
    OutcomeUnknown,
    PaymentNotFound,
    PaymentStepRefused,
    RequestReused,
)
from payments.gateway import ConfirmDraft
from payments.ids import OperationId, new_id
from tests.payments.conftest import Till, at_once

VISA, DECLINED, LOST = (
    "pm_card_visa",
    "pm_card_visa_chargeDeclined",
    "pm_card_visa_chargeDeclinedLostCard",
)
CHALLENGED = "pm_card_authenticationRequired"
NEW_CUSTOMER = "INSERT INTO buyer_customers (buyer_id, customer_id, created_at) VALUES ($1, $2, $3)"


async def saved(till: Till, *cards: str) -> str:
    """A buyer's Customer with these cards; answers its id."""
    buyer_id, customer_id, now = new_id("acc"), new_id("cus"), till.clock()
    await execute("DELETE FROM cards")
    await execute(NEW_CUSTOMER, buyer_id, customer_id, now)
    for card in cards:
        await execute(
            "INSERT INTO cards (id, buyer_id, payment_method_id, fingerprint, is_default, created_at) "
            "VALUES ($1, $2, $3, $4, false, $5)",
            new_id("crd"),
            buyer_id,
            card,
            f"fp_{card}",
            now,
        )
    return customer_id


async def plan(
    till: Till, order_id: str, card: str = VISA, attempt_no: int | None = None
) -> OperationId:
    async with transaction():
        await lock_order(order_id)
        return await till.payments.plan_confirmation(order_id, card, attempt_no, till.clock())


async def confirm(till: Till, order_id: str, card: str = VISA) -> str:
    """Answers the status."""
    operation_id = await plan(till, order_id, card)
    return (await till.payments.carry_out_confirmation(operation_id)).status


def keys(till: Till) -> list[str]:
    return [one.key for one in till.gateway.asked if one.method == "confirm_intent"]


async def test_a_saved_card_pays_in_one_click(till: Till, order_id: str) -> None:
    customer_id = await saved(till, VISA)
    await till.open(order_id, customer_id=customer_id)
    assert await confirm(till, order_id) == "succeeded"
    assert till.heard() == ["PaymentCaptured"]
    asked = next(one for one in till.gateway.asked if one.method == "confirm_intent")
    assert asked.key == f"order:{order_id}:g1:confirm:1"
    assert isinstance(asked.draft, ConfirmDraft)
    assert (asked.draft.payment_method_id, asked.draft.amount) == (VISA, 6000)
    payment = await till.payments.find(order_id)
    assert payment is not None
    assert payment.payment_method_id == VISA


async def test_twenty_clicks_are_one_attempt(till: Till, order_id: str) -> None:
    await till.open(order_id, customer_id=await saved(till, VISA))
    operation_id = await plan(till, order_id, attempt_no=1)
    assert await plan(till, order_id, attempt_no=1) == operation_id
    clicks = [till.payments.carry_out_confirmation(operation_id) for _ in range(20)]
    statuses = {getattr(each, "status", each) for each in await at_once(*clicks)}
    assert statuses == {"succeeded"}
    assert keys(till) == [f"order:{order_id}:g1:confirm:1"]
    assert await plan(till, order_id, attempt_no=1) == operation_id, "also after its end"


async def test_a_decline_is_kept_and_the_next_attempt_has_a_key_of_its_own(
    till: Till, order_id: str
) -> None:
    await till.open(order_id, customer_id=await saved(till, DECLINED, VISA))
    with pytest.raises(CardDeclined) as declined:
        await confirm(till, order_id, DECLINED)
    assert declined.value.decline_code == "generic_decline"
    [attempt] = await till.payments.attempts(order_id)
    assert (attempt.outcome, attempt.reason) == ("declined", "card_declined")
    assert till.heard() == ["PaymentDeclined"]
    assert await confirm(till, order_id) == "succeeded"
    assert keys(till) == [f"order:{order_id}:g1:confirm:{number}" for number in (1, 2)]


async def test_a_decline_asked_for_again_is_the_same_decline(till: Till, order_id: str) -> None:
    await till.open(order_id, customer_id=await saved(till, DECLINED))
    operation_id = await plan(till, order_id, DECLINED, 1)
    for _ in range(2):
        with pytest.raises(CardDeclined) as declined:
            await till.payments.carry_out_confirmation(operation_id)
        assert declined.value.decline_code == "generic_decline"
    assert len(keys(till)) == 1


async def test_a_card_the_bank_wants_no_more_of_is_not_tried_again(
    till: Till, order_id: str
) -> None:
    await till.open(order_id, customer_id=await saved(till, LOST, VISA))
    with pytest.raises(CardDeclined):
        await confirm(till, order_id, LOST)
    with pytest.raises(CardNotToBeRetried) as refused:
        await confirm(till, order_id, LOST)
    assert refused.value.reason == "card_declined", "as any other decline"
    assert len(keys(till)) == 1
    assert await confirm(till, order_id) == "succeeded"


async def test_the_same_card_given_another_way_is_known_by_its_fingerprint(
    till: Till, order_id: str
) -> None:
    await till.open(order_id, customer_id=await saved(till, LOST, VISA))
    with pytest.raises(CardDeclined):
        await confirm(till, order_id, LOST)
    await execute(
        "UPDATE attempts SET card_fingerprint = $2 WHERE order_id = $1", order_id, f"fp_{VISA}"
    )
    with pytest.raises(CardNotToBeRetried):
        await plan(till, order_id)


async def test_the_bank_wants_to_see_the_buyer(till: Till, order_id: str) -> None:
    await till.open(order_id, customer_id=await saved(till, CHALLENGED))
    operation_id = await plan(till, order_id, CHALLENGED)
    intent = await till.payments.carry_out_confirmation(operation_id)
    assert intent.status == "requires_action"
    assert intent.client_secret not in repr(intent)
    assert intent.client_secret.startswith(intent.intent_id)
    till.gateway.pay(intent.intent_id, CHALLENGED)
    assert (await till.payments.refresh(order_id)).status == "succeeded"


async def test_another_buyers_card_can_never_pay(till: Till, order_id: str) -> None:
    await saved(till, VISA)
    mine = new_id("cus")
    await execute(NEW_CUSTOMER, new_id("acc"), mine, till.clock())
    await till.open(order_id, customer_id=mine)
    with pytest.raises(CardNotFound):
        await plan(till, order_id)
    assert keys(till) == []


async def test_a_removed_card_can_not_pay(till: Till, order_id: str) -> None:
    await till.open(order_id, customer_id=await saved(till, VISA))
    await execute("UPDATE cards SET removed_at = $1", till.clock())
    with pytest.raises(CardNotFound):
        await plan(till, order_id)


async def test_there_are_never_two_attempts_at_once(till: Till, order_id: str) -> None:
    await till.open(order_id, customer_id=await saved(till, VISA, DECLINED))
    assert await plan(till, order_id, DECLINED) == await plan(till, order_id, DECLINED)
    for attempt_no in (None, 2):
        with pytest.raises(PaymentStepRefused):
            await plan(till, order_id, VISA, attempt_no)


async def test_an_attempt_number_belongs_to_one_card(till: Till, order_id: str) -> None:
    await till.open(order_id, customer_id=await saved(till, VISA, DECLINED))
    with pytest.raises(CardDeclined):
        await confirm(till, order_id, DECLINED)
    with pytest.raises(RequestReused):
        await plan(till, order_id, VISA, 1)


async def test_nobody_pays_while_the_cart_changes_and_no_cart_changes_while_somebody_pays(
    till: Till, order_id: str
) -> None:
    await till.open(order_id, customer_id=await saved(till, VISA))

    async def amend() -> OperationId | None:
        async with transaction():
            await lock_order(order_id)
            return await till.payments.plan_amendment(
                order_id,
                amount=7000,
                application_fee=700,
                version=2,
                shipping=None,
                now=till.clock(),
            )

    amendment = await amend()
    with pytest.raises(PaymentStepRefused):
        await plan(till, order_id)
    assert amendment is not None
    await till.payments.carry_out(amendment)
    await plan(till, order_id)
    with pytest.raises(PaymentStepRefused):
        async with transaction():
            await till.payments.plan_amendment(
                order_id,
                amount=8000,
                application_fee=800,
                version=3,
                shipping=None,
                now=till.clock(),
            )


async def test_paid_in_another_tab_meanwhile(till: Till, order_id: str) -> None:
    intent = await till.open(order_id, customer_id=await saved(till, VISA))
    operation_id = await plan(till, order_id)
    till.gateway.pay(intent.intent_id)
    assert (await till.payments.carry_out_confirmation(operation_id)).status == "succeeded"
    assert till.heard() == ["PaymentCaptured"]
    with pytest.raises(PaymentStepRefused):
        await plan(till, order_id)


async def test_canceled_meanwhile(till: Till, order_id: str) -> None:
    intent = await till.open(order_id, customer_id=await saved(till, VISA))
    operation_id = await plan(till, order_id)
    shown = await till.gateway.retrieve_intent(intent.intent_id)
    till.gateway.show_intent(msgspec.structs.replace(shown, status="canceled"))
    with pytest.raises(PaymentStepRefused) as refused:
        await till.payments.carry_out_confirmation(operation_id)
    assert refused.value.payment_status == "canceled"


async def test_there_must_be_something_to_pay(till: Till, order_id: str) -> None:
    await saved(till, VISA)
    with pytest.raises(PaymentNotFound):
        await plan(till, order_id)


async def test_a_lost_answer_charges_once(till: Till, order_id: str) -> None:
    """vendure 2949 and others: a timeout at confirmation, and the buyer paid twice."""
    await till.open(order_id, customer_id=await saved(till, VISA))
    till.gateway.lose_answer_after()
    operation_id = await plan(till, order_id)
    with pytest.raises(OutcomeUnknown):
        await till.payments.carry_out_confirmation(operation_id)
    intent = await till.payments.carry_out_confirmation(operation_id)
    assert intent.status == "succeeded"
    assert len(set(keys(till))) == 1
    assert till.heard() == ["PaymentCaptured"]


async def test_nobody_is_charged_long_after_they_asked(till: Till, order_id: str) -> None:
    """Stripe was away; by now the buyer has gone, or has paid another way."""
    await till.open(order_id, customer_id=await saved(till, VISA))
    till.gateway.lose_answer_before()
    operation_id = await plan(till, order_id)
    with pytest.raises(OutcomeUnknown):
        await till.payments.carry_out_confirmation(operation_id)
    await till.operations.resume_due(till.clock.move(minutes=11), 50)
    assert keys(till) == []
    with pytest.raises(NotSent):
        await till.payments.carry_out_confirmation(operation_id)
    assert await confirm(till, order_id) == "succeeded", "the lost ones never arrived"


async def test_what_was_done_long_ago_is_found(till: Till, order_id: str) -> None:
    await till.open(order_id, customer_id=await saved(till, DECLINED))
    till.gateway.lose_answer_after()
    with pytest.raises(OutcomeUnknown):
        await confirm(till, order_id, DECLINED)
    await till.operations.resume_due(till.clock.move(minutes=11), 50)
    assert till.heard() == ["PaymentDeclined"]
    assert len(keys(till)) == 1
