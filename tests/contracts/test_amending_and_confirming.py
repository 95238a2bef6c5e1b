"""What payments may rely on when a cart changes and when a saved card pays, whoever answers."""

from datetime import UTC, datetime
from typing import Any

import pytest

from payments.card_gateway import CustomerDraft, SetupDraft
from payments.errors import CardDeclined, OutcomeUnknown, StripeRejected
from payments.gateway import (
    Address,
    ConfirmDraft,
    IntentSnapshot,
    KeepCardDraft,
    Shipping,
    UpdateDraft,
)
from payments.ids import OrderId, PaymentId, new_id
from tests.contracts.test_payment_gateway import AMOUNT, FEE, key, opened, operation, paid
from tests.contracts.worlds import World

HOME = Shipping(
    name="Ada Lovelace",
    phone="+33123456789",
    address=Address(line1="1 Lane", city="Paris", postal_code="75001", country="FR"),
)


def update_draft(intent: IntentSnapshot, amount: int, fee: int, version: int = 2) -> UpdateDraft:
    return UpdateDraft(
        operation_id=operation(),
        payment_id=PaymentId(intent.payment_id or ""),
        order_id=OrderId(intent.order_id or ""),
        intent_id=intent.id,
        version=version,
        amount=amount,
        application_fee=fee,
        shipping=HOME,
    )


def keep_draft(intent: IntentSnapshot, *, keep: bool = True) -> KeepCardDraft:
    return KeepCardDraft(
        operation_id=operation(),
        payment_id=PaymentId(intent.payment_id or ""),
        order_id=OrderId(intent.order_id or ""),
        intent_id=intent.id,
        keep=keep,
    )


def confirm_draft(intent: IntentSnapshot, card: str, amount: int = AMOUNT) -> ConfirmDraft:
    return ConfirmDraft(
        operation_id=operation(),
        payment_id=PaymentId(intent.payment_id or ""),
        order_id=OrderId(intent.order_id or ""),
        intent_id=intent.id,
        payment_method_id=card,
        amount=amount,
        return_url=None,
        asked_at=datetime.now(UTC),
    )


async def customer_with(world: World, *cards: str) -> tuple[str, list[str]]:
    """A buyer's Customer, and the PaymentMethods of these cards they keep."""
    customer = await world.cards.create_customer(
        CustomerDraft(operation_id=operation(), buyer_id=new_id("acc"), email="ada@buyers.test"),
        key(),
    )
    for card in cards:
        draft = SetupDraft(
            operation_id=operation(),
            setup_id=new_id("cst"),
            buyer_id=new_id("acc"),
            customer_id=customer.id,
        )
        await world.save(await world.cards.create_setup(draft, key()), card)
    kept = await world.cards.cards_of(customer.id)
    return customer.id, [card.payment_method_id for card in reversed(kept)]


async def to_pay(world: World, card: str, **changes: Any) -> tuple[IntentSnapshot, str]:
    customer_id, [method] = await customer_with(world, card)
    return await opened(world, customer_id=customer_id, **changes), method


class TestAmending:
    async def test_amount_and_fee_follow_the_cart(self, world: World) -> None:
        intent = await opened(world)
        after = await world.gateway.update_intent(update_draft(intent, 7_000, 700), key())
        assert (after.amount, after.application_fee, after.cart_version) == (7_000, 700, 2)
        assert (after.order_id, after.payment_id) == (intent.order_id, intent.payment_id)
        assert after == await same(world, after)
        await world.pay(after)
        charge = (await world.gateway.retrieve_intent(intent.id)).charge
        assert charge is not None
        assert (charge.amount_captured, charge.application_fee) == (7_000, 700)

    async def test_a_fee_can_be_taken_away_and_asked_for_again(self, world: World) -> None:
        intent = await opened(world)
        without = await world.gateway.update_intent(update_draft(intent, 7_000, 0), key())
        assert without.application_fee == 0
        again = await world.gateway.update_intent(update_draft(intent, 7_000, 70, 3), key())
        assert (again.application_fee, again.cart_version) == (70, 3)

    async def test_a_card_may_be_kept_until_it_has_paid(self, world: World) -> None:
        customer_id, [_] = await customer_with(world, "pm_card_visa")
        intent = await opened(world, customer_id=customer_id)
        draft = keep_draft(intent)
        kept = await world.gateway.keep_card(draft, key())
        assert (kept.id, kept.amount, kept.status) == (intent.id, intent.amount, intent.status)
        assert kept.saves_card
        after_all_not = await world.gateway.keep_card(keep_draft(intent, keep=False), key())
        assert not after_all_not.saves_card
        await world.pay(kept)
        with pytest.raises(StripeRejected) as refusal:
            await world.gateway.keep_card(draft, key())
        assert refusal.value.code == "payment_intent_unexpected_state"

    async def test_an_update_makes_stripe_forget_the_last_refusal(self, world: World) -> None:
        intent = await opened(world)
        await world.pay(intent, "pm_card_visa_chargeDeclined")
        assert (await world.gateway.retrieve_intent(intent.id)).decline is not None
        after = await world.gateway.update_intent(update_draft(intent, 7_000, 700), key())
        assert after.decline is None

    async def test_a_challenge_of_the_earlier_amount_is_worth_nothing(self, world: World) -> None:
        intent, method = await to_pay(world, "pm_card_authenticationRequired")
        await world.gateway.confirm_intent(confirm_draft(intent, method), key())
        after = await world.gateway.update_intent(update_draft(intent, 7_000, 700), key())
        assert after.status == "requires_confirmation"

    @pytest.mark.parametrize("capture_method", ["automatic", "manual"])
    async def test_what_was_paid_or_held_has_its_amount(
        self, world: World, capture_method: str
    ) -> None:
        intent = await paid(world, capture_method=capture_method)
        with pytest.raises(StripeRejected) as refused:
            await world.gateway.update_intent(update_draft(intent, 7_000, 700), key())
        assert refused.value.code == "payment_intent_unexpected_state"
        assert refused.value.snapshot.amount == AMOUNT

    async def test_the_same_key_is_the_same_update(self, world: World) -> None:
        intent, same_key = await opened(world), key()
        draft = update_draft(intent, 7_000, 700)
        await world.fail("lost_after")
        with pytest.raises(OutcomeUnknown):
            await world.gateway.update_intent(draft, same_key)
        assert (await world.gateway.update_intent(draft, same_key)).amount == 7_000


class TestConfirming:
    async def test_a_saved_card_pays(self, world: World) -> None:
        intent, method = await to_pay(world, "pm_card_visa")
        after = await world.gateway.confirm_intent(confirm_draft(intent, method), key())
        assert (after.status, after.payment_method_id) == ("succeeded", method)
        assert (after.amount_received, after.complete) == (AMOUNT, True)
        assert after.charge is not None
        assert after.charge.application_fee == FEE

    async def test_it_pays_again_and_again(self, world: World) -> None:
        customer_id, [method] = await customer_with(world, "pm_card_visa")
        for _ in range(2):
            intent = await opened(world, customer_id=customer_id)
            after = await world.gateway.confirm_intent(confirm_draft(intent, method), key())
            assert after.status == "succeeded"

    async def test_a_decline_shows_the_payment_intent_and_names_the_card(
        self, world: World
    ) -> None:
        intent, method = await to_pay(world, "pm_card_chargeCustomerFail")
        with pytest.raises(CardDeclined) as declined:
            await world.gateway.confirm_intent(confirm_draft(intent, method), key())
        shown = declined.value.snapshot
        assert (declined.value.code, declined.value.decline_code) == (
            "card_declined",
            "generic_decline",
        )
        assert (shown.status, shown.decline.payment_method_id) == (
            "requires_payment_method",
            method,
        )
        assert shown.decline.reference == (await same(world, intent)).decline.reference  # type: ignore[union-attr]

    async def test_a_decline_is_stored_under_its_key_and_a_new_key_is_a_new_attempt(
        self, world: World
    ) -> None:
        intent, method = await to_pay(world, "pm_card_chargeCustomerFail")
        draft, first = confirm_draft(intent, method), key()
        references = []
        for attempt in (first, first, key()):
            with pytest.raises(CardDeclined) as declined:
                await world.gateway.confirm_intent(draft, attempt)
            references.append(declined.value.snapshot.decline.reference)
        assert references[0] == references[1] != references[2]

    async def test_the_bank_wants_to_see_the_buyer(self, world: World) -> None:
        intent, method = await to_pay(world, "pm_card_authenticationRequired")
        asked = await world.gateway.confirm_intent(confirm_draft(intent, method), key())
        assert (asked.status, asked.payment_method_id) == ("requires_action", method)
        await world.pass_challenge(asked)
        assert (await world.gateway.retrieve_intent(intent.id)).status == "succeeded"

    async def test_never_another_amount_than_the_buyer_was_shown(self, world: World) -> None:
        intent, method = await to_pay(world, "pm_card_visa")
        await world.gateway.update_intent(update_draft(intent, 7_000, 700), key())
        with pytest.raises(StripeRejected):
            await world.gateway.confirm_intent(confirm_draft(intent, method), key())
        after = await world.gateway.retrieve_intent(intent.id)
        assert (after.status, after.amount_received) == ("requires_payment_method", 0)

    async def test_what_is_paid_is_not_paid_again(self, world: World) -> None:
        intent, method = await to_pay(world, "pm_card_visa")
        await world.gateway.confirm_intent(confirm_draft(intent, method), key())
        with pytest.raises(StripeRejected) as refused:
            await world.gateway.confirm_intent(confirm_draft(intent, method), key())
        assert refused.value.code == "payment_intent_unexpected_state"
        assert refused.value.snapshot.status == "succeeded"

    async def test_a_held_amount(self, world: World) -> None:
        intent, method = await to_pay(world, "pm_card_visa", capture_method="manual")
        after = await world.gateway.confirm_intent(confirm_draft(intent, method), key())
        assert (after.status, after.amount_capturable) == ("requires_capture", AMOUNT)


class TestOnItsWay:
    async def test_a_debit_is_no_money_until_it_came(self, world: World) -> None:
        intent = await opened(world)
        await world.pay(intent, "pm_usBankAccount_success")
        sent = await world.gateway.retrieve_intent(intent.id)
        assert (sent.status, sent.amount_received) == ("processing", 0)
        assert sent.charge is not None
        assert sent.charge.status == "pending"
        await world.days_pass()
        after = await world.gateway.retrieve_intent(intent.id)
        assert after.charge is not None
        assert (after.status, after.charge.status) == ("succeeded", "succeeded")
        assert after.charge.id == sent.charge.id

    async def test_a_debit_that_failed_can_be_followed_by_a_card(self, world: World) -> None:
        intent = await opened(world)
        await world.pay(intent, "pm_usBankAccount_debitNotAuthorized")
        await world.days_pass()
        failed = await world.gateway.retrieve_intent(intent.id)
        assert failed.status == "requires_payment_method"
        assert failed.decline is not None
        assert failed.charge is not None
        assert (failed.decline.reference, failed.charge.status) == (failed.charge.id, "failed")
        await world.pay(failed)
        assert (await world.gateway.retrieve_intent(intent.id)).status == "succeeded"


async def same(world: World, intent: IntentSnapshot) -> IntentSnapshot:
    """Read again; only the request is another one."""
    read = await world.gateway.retrieve_intent(intent.id)
    return type(read)(
        **{name: getattr(read, name) for name in read.__struct_fields__ if name != "request_id"},
        request_id=intent.request_id,
    )
