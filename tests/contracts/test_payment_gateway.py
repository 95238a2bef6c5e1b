"""What payments may rely on from its gateway, whoever answers it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from payments.errors import (
    NotSent,
    OutcomeUnknown,
    SellerCannotReceive,
    StripeMisconfigured,
    StripeRejected,
)
from payments.gateway import (
    BalanceTransaction,
    CancelDraft,
    CaptureDraft,
    ChargeSnapshot,
    IntentDraft,
    IntentSnapshot,
    RefundDraft,
)
from payments.ids import (
    IdempotencyKey,
    IntentId,
    OperationId,
    OrderId,
    PaymentId,
    RefundId,
    SellerId,
    new_id,
)
from tests.contracts.worlds import World

AMOUNT, FEE = 10_000, 1_000


def key() -> IdempotencyKey:
    return IdempotencyKey(new_id("key"))


def operation() -> OperationId:
    return OperationId(new_id("op"))


def intent_draft(world: World, **changes: Any) -> IntentDraft:
    draft = IntentDraft(
        operation_id=operation(),
        payment_id=PaymentId(new_id("pay")),
        order_id=OrderId(new_id("ord")),
        seller_id=SellerId(new_id("sel")),
        generation=1,
        amount=AMOUNT,
        currency="usd",
        application_fee=FEE,
        destination=world.seller,
        capture_method="automatic",
        receipt_email="buyer@buyers.test",
        description="Order of a pair of shoes",
    )
    return msgspec.structs.replace(draft, **changes)


def capture_draft(intent: IntentSnapshot, amount: int, fee: int) -> CaptureDraft:
    return CaptureDraft(
        operation_id=operation(),
        payment_id=PaymentId(intent.payment_id or ""),
        intent_id=intent.id,
        amount=amount,
        application_fee=fee,
    )


def cancel_draft(intent: IntentSnapshot) -> CancelDraft:
    return CancelDraft(
        operation_id=operation(),
        payment_id=PaymentId(intent.payment_id or ""),
        intent_id=intent.id,
        reason="requested_by_customer",
    )


def refund_draft(intent: IntentSnapshot, amount: int, **changes: Any) -> RefundDraft:
    draft = RefundDraft(
        operation_id=operation(),
        refund_id=RefundId(new_id("rfd")),
        payment_id=PaymentId(intent.payment_id or ""),
        order_id=OrderId(intent.order_id or ""),
        intent_id=intent.id,
        amount=amount,
        reason="requested_by_customer",
        reverse_transfer=True,
        refund_application_fee=True,
    )
    return msgspec.structs.replace(draft, **changes)


async def opened(world: World, **changes: Any) -> IntentSnapshot:
    return await world.gateway.create_intent(intent_draft(world, **changes), key())


async def paid(world: World, **changes: Any) -> IntentSnapshot:
    intent = await opened(world, **changes)
    await world.pay(intent)
    return await world.gateway.retrieve_intent(intent.id)


async def charge_of(world: World, intent: IntentSnapshot) -> ChargeSnapshot:
    charge = (await world.gateway.retrieve_intent(intent.id)).charge
    assert charge is not None
    return charge


async def movements(world: World) -> list[BalanceTransaction]:
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    listed = world.gateway.balance_transactions(since=now - hour, until=now + hour)
    return [one async for one in listed]


class TestOpening:
    async def test_a_payment_intent_is_what_was_asked_for_and_waits_for_a_card(
        self, world: World
    ) -> None:
        draft = intent_draft(world)
        intent = await world.gateway.create_intent(draft, key())
        assert (intent.status, intent.amount, intent.currency) == (
            "requires_payment_method",
            AMOUNT,
            "usd",
        )
        assert (intent.application_fee, intent.destination) == (FEE, world.seller)
        assert (intent.order_id, intent.payment_id) == (draft.order_id, draft.payment_id)
        assert (intent.charge, intent.decline, intent.complete) == (None, None, True)
        assert (intent.amount_capturable, intent.amount_received) == (0, 0)
        assert intent.request_id is not None

    async def test_the_client_secret_is_passed_on_and_not_shown(self, world: World) -> None:
        intent = await opened(world)
        assert intent.client_secret.startswith(f"{intent.id}_secret_")
        assert "secret" not in repr(intent)

    async def test_a_payment_without_a_fee_has_none(self, world: World) -> None:
        intent = await paid(world, application_fee=0)
        assert intent.charge is not None
        assert (intent.application_fee, intent.charge.application_fee_id) == (0, None)
        assert intent.charge.application_fee == 0

    async def test_the_same_key_gives_the_same_payment_intent(self, world: World) -> None:
        draft, same = intent_draft(world), key()
        first = await world.gateway.create_intent(draft, same)
        assert (await world.gateway.create_intent(draft, same)).id == first.id
        assert (await world.gateway.create_intent(draft, key())).id != first.id

    async def test_a_key_cannot_be_used_for_something_else(self, world: World) -> None:
        draft, same = intent_draft(world), key()
        await world.gateway.create_intent(draft, same)
        other = msgspec.structs.replace(draft, amount=AMOUNT + 1)
        with pytest.raises(StripeMisconfigured) as caught:
            await world.gateway.create_intent(other, same)
        assert caught.value.code == "idempotency_error"

    async def test_a_seller_who_cannot_receive_is_told_apart(self, world: World) -> None:
        await world.stop_seller()
        with pytest.raises(SellerCannotReceive):
            await opened(world)

    async def test_an_unknown_payment_intent_is_a_definite_no(self, world: World) -> None:
        with pytest.raises(StripeRejected) as caught:
            await world.gateway.retrieve_intent(IntentId("pi_of_nobody"))
        assert (caught.value.code, caught.value.http_status) == ("resource_missing", 404)


class TestPaying:
    async def test_captured_at_checkout(self, world: World) -> None:
        intent = await paid(world)
        charge = intent.charge
        assert charge is not None
        assert (intent.status, intent.amount_received, intent.complete) == (
            "succeeded",
            AMOUNT,
            True,
        )
        assert (charge.captured, charge.amount_captured) == (True, AMOUNT)
        assert (charge.application_fee, charge.fee_refunded) == (FEE, 0)
        assert charge.transfer_id is not None
        assert charge.application_fee_id is not None
        assert 0 < charge.processing_cost < AMOUNT
        assert charge.card is not None
        assert (charge.card.brand, charge.card.last4) == ("visa", "4242")

    async def test_held_until_it_is_captured(self, world: World) -> None:
        intent = await paid(world, capture_method="manual")
        charge = intent.charge
        assert charge is not None
        assert (intent.status, intent.amount_capturable) == ("requires_capture", AMOUNT)
        assert (charge.captured, charge.transfer_id, charge.application_fee) == (False, None, 0)
        assert charge.capture_before is not None
        assert charge.capture_before > datetime.now(UTC) + timedelta(days=1)

    async def test_a_decline_is_seen_with_its_card_and_keeps_its_name(self, world: World) -> None:
        intent = await opened(world)
        await world.pay(intent, "pm_card_visa_chargeDeclinedInsufficientFunds")
        first = (await world.gateway.retrieve_intent(intent.id)).decline
        again = (await world.gateway.retrieve_intent(intent.id)).decline
        assert first is not None
        assert first == again
        assert (first.code, first.decline_code) == ("card_declined", "insufficient_funds")
        assert first.card is not None
        assert first.card.brand == "visa"
        await world.pay(intent, "pm_card_visa_chargeDeclined")
        second = (await world.gateway.retrieve_intent(intent.id)).decline
        assert second is not None
        assert second.reference != first.reference

    async def test_a_decline_can_be_followed_by_a_payment(self, world: World) -> None:
        intent = await opened(world)
        await world.pay(intent, "pm_card_visa_chargeDeclined")
        await world.pay(intent)
        after = await world.gateway.retrieve_intent(intent.id)
        assert (after.status, after.decline) == ("succeeded", None)


class TestCapturing:
    async def test_all_of_it(self, world: World) -> None:
        intent = await paid(world, capture_method="manual")
        after = await world.gateway.capture_intent(capture_draft(intent, AMOUNT, FEE), key())
        assert after.charge is not None
        assert (after.status, after.amount_received, after.complete) == ("succeeded", AMOUNT, True)
        assert (after.charge.captured, after.charge.application_fee) == (True, FEE)

    async def test_a_part_releases_the_rest_and_takes_the_fee_that_was_sent(
        self, world: World
    ) -> None:
        intent = await paid(world, capture_method="manual")
        after = await world.gateway.capture_intent(capture_draft(intent, 6_000, 600), key())
        charge = after.charge
        assert charge is not None
        assert (after.amount, after.amount_received) == (AMOUNT, 6_000)
        assert (charge.amount_captured, charge.application_fee) == (6_000, 600)
        # The released rest of the hold is no refund to the buyer.
        assert (charge.amount_refunded, charge.refunds, after.complete) == (0, (), True)

    async def test_with_no_fee_left(self, world: World) -> None:
        intent = await paid(world, capture_method="manual")
        after = await world.gateway.capture_intent(capture_draft(intent, 100, 0), key())
        assert after.charge is not None
        assert (after.charge.amount_captured, after.charge.application_fee) == (100, 0)

    async def test_a_second_capture_is_refused_and_shows_how_things_stand(
        self, world: World
    ) -> None:
        intent = await paid(world, capture_method="manual")
        await world.gateway.capture_intent(capture_draft(intent, AMOUNT, FEE), key())
        with pytest.raises(StripeRejected) as caught:
            await world.gateway.capture_intent(capture_draft(intent, AMOUNT, FEE), key())
        assert caught.value.code == "payment_intent_unexpected_state"
        assert caught.value.snapshot.status == "succeeded"

    async def test_more_than_was_held_is_refused(self, world: World) -> None:
        intent = await paid(world, capture_method="manual")
        with pytest.raises(StripeRejected) as caught:
            await world.gateway.capture_intent(capture_draft(intent, AMOUNT + 1, FEE), key())
        assert caught.value.code == "amount_too_large"
        still = await world.gateway.retrieve_intent(intent.id)
        assert still.status == "requires_capture"

    async def test_a_seller_who_can_receive_no_more_is_told_apart(self, world: World) -> None:
        intent = await paid(world, capture_method="manual")
        await world.stop_seller()
        with pytest.raises(SellerCannotReceive):
            await world.gateway.capture_intent(capture_draft(intent, AMOUNT, FEE), key())


class TestCanceling:
    async def test_before_a_payment(self, world: World) -> None:
        intent = await opened(world)
        after = await world.gateway.cancel_intent(cancel_draft(intent), key())
        assert (after.status, after.cancellation_reason) == ("canceled", "requested_by_customer")
        assert after.complete

    async def test_a_hold_is_released_and_nothing_was_refunded(self, world: World) -> None:
        intent = await paid(world, capture_method="manual")
        after = await world.gateway.cancel_intent(cancel_draft(intent), key())
        assert (after.status, after.amount_capturable) == ("canceled", 0)
        assert after.charge is not None
        assert (after.charge.captured, after.charge.amount_refunded) == (False, 0)
        assert after.charge.refunds == ()

    async def test_what_is_paid_cannot_be_canceled(self, world: World) -> None:
        intent = await paid(world)
        with pytest.raises(StripeRejected) as caught:
            await world.gateway.cancel_intent(cancel_draft(intent), key())
        assert caught.value.code == "payment_intent_unexpected_state"
        assert caught.value.snapshot.status == "succeeded"


class TestRefunding:
    async def test_all_of_it_brings_back_transfer_and_fee(self, world: World) -> None:
        intent = await paid(world)
        draft = refund_draft(intent, AMOUNT)
        refund = await world.gateway.create_refund(draft, key())
        assert (refund.status, refund.amount, refund.moved) == ("succeeded", AMOUNT, True)
        assert (refund.refund_id, refund.reason) == (draft.refund_id, "requested_by_customer")
        assert refund.transfer_reversal_id is not None
        charge = await charge_of(world, intent)
        assert (charge.amount_refunded, charge.fee_refunded) == (AMOUNT, FEE)
        assert charge.refunds == (refund,)

    async def test_parts_add_up_to_the_whole_fee(self, world: World) -> None:
        intent = await paid(world)
        for amount in (3_333, 3_333, 3_334):
            await world.gateway.create_refund(refund_draft(intent, amount), key())
        charge = await charge_of(world, intent)
        assert (charge.amount_refunded, charge.fee_refunded) == (AMOUNT, FEE)

    async def test_more_than_ten_refunds_are_all_shown(self, world: World) -> None:
        intent = await paid(world)
        made = [
            await world.gateway.create_refund(refund_draft(intent, 100), key()) for _ in range(12)
        ]
        after = await world.gateway.retrieve_intent(intent.id)
        assert after.charge is not None
        assert after.complete
        assert {one.id for one in after.charge.refunds} == {one.id for one in made}
        assert after.charge.amount_refunded == 1_200

    async def test_the_platform_may_bear_it_alone(self, world: World) -> None:
        intent = await paid(world)
        draft = refund_draft(intent, 500, reverse_transfer=False, refund_application_fee=False)
        refund = await world.gateway.create_refund(draft, key())
        assert refund.transfer_reversal_id is None
        assert (await charge_of(world, intent)).fee_refunded == 0

    async def test_more_than_is_left_is_refused(self, world: World) -> None:
        intent = await paid(world)
        await world.gateway.create_refund(refund_draft(intent, 9_999), key())
        with pytest.raises(StripeRejected):
            await world.gateway.create_refund(refund_draft(intent, 2), key())
        await world.gateway.create_refund(refund_draft(intent, 1), key())
        with pytest.raises(StripeRejected) as caught:
            await world.gateway.create_refund(refund_draft(intent, 1), key())
        assert caught.value.code == "charge_already_refunded"

    async def test_a_hold_cannot_be_refunded(self, world: World) -> None:
        intent = await paid(world, capture_method="manual")
        with pytest.raises(StripeRejected):
            await world.gateway.create_refund(refund_draft(intent, AMOUNT), key())

    async def test_equal_refunds_are_told_apart_by_their_keys(self, world: World) -> None:
        intent = await paid(world)
        draft, same = refund_draft(intent, 100), key()
        first = await world.gateway.create_refund(draft, same)
        assert await world.gateway.create_refund(draft, same) == first
        await world.gateway.create_refund(refund_draft(intent, 100), key())
        assert (await charge_of(world, intent)).amount_refunded == 200


class TestSilence:
    async def test_a_request_lost_on_its_way_did_nothing(self, world: World) -> None:
        draft, same = intent_draft(world), key()
        await world.fail("lost_before")
        with pytest.raises(OutcomeUnknown):
            await world.gateway.create_intent(draft, same)
        assert await world.gateway.find_intent(draft) is None
        assert (await world.gateway.create_intent(draft, same)).order_id == draft.order_id

    async def test_an_answer_lost_on_its_way_back_is_found(self, world: World) -> None:
        draft, same = intent_draft(world), key()
        await world.fail("lost_after")
        with pytest.raises(OutcomeUnknown) as caught:
            await world.gateway.create_intent(draft, same)
        assert not caught.value.replayed
        found = await world.gateway.find_intent(draft)
        assert found is not None
        assert found.payment_id == draft.payment_id
        assert (await world.gateway.create_intent(draft, same)).id == found.id

    async def test_another_operations_intent_is_not_taken_for_ours(self, world: World) -> None:
        draft = intent_draft(world)
        await world.gateway.create_intent(draft, key())
        other = msgspec.structs.replace(draft, operation_id=operation())
        assert await world.gateway.find_intent(other) is None

    async def test_a_lost_refund_is_found_by_its_own_id(self, world: World) -> None:
        intent = await paid(world)
        draft, same = refund_draft(intent, 700), key()
        assert await world.gateway.find_refund(draft) is None
        await world.fail("lost_after")
        with pytest.raises(OutcomeUnknown):
            await world.gateway.create_refund(draft, same)
        found = await world.gateway.find_refund(draft)
        assert found is not None
        assert found.refund_id == draft.refund_id
        assert (await world.gateway.create_refund(draft, same)).id == found.id
        assert (await charge_of(world, intent)).amount_refunded == 700

    async def test_a_busy_stripe_did_nothing(self, world: World) -> None:
        draft, same = intent_draft(world), key()
        await world.fail("rate_limit")
        with pytest.raises(NotSent):
            await world.gateway.create_intent(draft, same)
        assert await world.gateway.find_intent(draft) is None
        assert (await world.gateway.create_intent(draft, same)).order_id == draft.order_id

    @pytest.mark.parametrize("fault", ["error_500", "error_500_after"])
    async def test_a_stored_500_comes_back_and_only_reading_helps(
        self, world: World, fault: str
    ) -> None:
        draft, same = intent_draft(world), key()
        await world.fail(fault)
        with pytest.raises(OutcomeUnknown) as first:
            await world.gateway.create_intent(draft, same)
        with pytest.raises(OutcomeUnknown) as second:
            await world.gateway.create_intent(draft, same)
        assert (first.value.replayed, second.value.replayed) == (False, True)
        found = await world.gateway.find_intent(draft)
        assert (found is not None) == (fault == "error_500_after")


class TestBalance:
    async def test_every_movement_belongs_to_its_charge(self, world: World) -> None:
        whole = await paid(world)
        held = await paid(world, capture_method="manual")
        await world.gateway.capture_intent(capture_draft(held, 6_000, 600), key())
        await world.gateway.create_refund(refund_draft(whole, 5_000), key())
        listed = await movements(world)
        assert whole.charge is not None
        assert held.charge is not None
        assert {one.charge_id for one in listed} == {whole.charge.id, held.charge.id}
        assert all(one.net == one.amount - one.fee for one in listed)
        assert _sums(listed, whole.charge.id) == {
            "charge": AMOUNT,
            "transfer": -AMOUNT,
            "platform_earning": FEE,
            "refund": -5_000,
            "transfer_reversal": 5_000,
            "platform_earning_refund": -FEE // 2,
        }
        assert _sums(listed, held.charge.id) == {
            "charge": AMOUNT,
            "partial_capture_reversal": -4_000,
            "transfer": -6_000,
            "platform_earning": 600,
        }

    async def test_the_processing_cost_is_the_fee_of_the_charges_movement(
        self, world: World
    ) -> None:
        intent = await paid(world)
        assert intent.charge is not None
        fees = [one.fee for one in await movements(world) if one.reporting_category == "charge"]
        assert fees == [intent.charge.processing_cost]

    async def test_only_the_time_asked_for_is_listed(self, world: World) -> None:
        await paid(world)
        now = datetime.now(UTC)
        for since, until in [(-2, -1), (1, 2)]:
            listed = world.gateway.balance_transactions(
                since=now + timedelta(hours=since), until=now + timedelta(hours=until)
            )
            assert [one async for one in listed] == []


def _sums(listed: list[BalanceTransaction], charge_id: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for one in listed:
        if one.charge_id == charge_id:
            sums[one.reporting_category] = sums.get(one.reporting_category, 0) + one.amount
    return sums
